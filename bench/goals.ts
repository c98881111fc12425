// The goals of the project, not results. A ratio is of CPU time per message, paired by round.
import type { SideName } from './sides.js';

export interface Goal {
  readonly required?: number;
  readonly stretch?: number;
  readonly direction: 'at most' | 'at least';
}

export interface RatioGoal extends Goal {
  readonly of: SideName;
  readonly to: SideName;
}

const none: Goal = { direction: 'at most' };
const asC: Goal = { required: 1.1, stretch: 1.04, direction: 'at most' };
const promisesAsC: Goal = { required: 1.15, stretch: 1.08, direction: 'at most' };
const asBefore: Goal = { required: 1.02, direction: 'at most' };
const cheaperThanNode: Goal = { required: 1.4, stretch: 1.55, direction: 'at least' };
const shapeThanNode: Goal = { required: 1.25, stretch: 1.4, direction: 'at least' };

export const saturatedCoreShare = 0.95;

export const echoRatios: readonly RatioGoal[] = [
  { of: 'nested', to: 'raw-epoll', ...asC },
  { of: 'watcher', to: 'raw-epoll', ...asC },
  { of: 'run', to: 'raw-epoll', ...asC },
  { of: 'promises', to: 'raw-epoll', ...promisesAsC },
  { of: 'promise-floor', to: 'raw-epoll', ...none },
  { of: 'promises', to: 'promise-floor', ...none },
  { of: 'nested', to: 'libuv-tuned', ...asC },
  { of: 'watcher', to: 'libuv-tuned', ...asC },
  { of: 'promises', to: 'libuv-tuned', ...none },
  { of: 'node-net', to: 'nested', ...cheaperThanNode },
  { of: 'node-net', to: 'watcher', ...cheaperThanNode },
  { of: 'node-net', to: 'promises', ...none },
  { of: 'node-net', to: 'node-shape', ...shapeThanNode },
  { of: 'context', to: 'nested', required: 1.02, direction: 'at most' },
  { of: 'observed', to: 'nested', required: 1.03, direction: 'at most' },
  { of: 'libuv-tuned', to: 'raw-epoll', ...none },
  { of: 'libuv-naive', to: 'raw-epoll', ...none },
  { of: 'node-net', to: 'raw-epoll', ...none },
  ...(['nested', 'watcher', 'run', 'promises'] as const).map((of): RatioGoal => ({
    of,
    to: `${of}-before`,
    ...asBefore,
  })),
];

export const pingPongRatios: readonly RatioGoal[] = [
  { of: 'nested', to: 'node-net', required: 1, direction: 'at most' },
  { of: 'nested', to: 'raw-epoll', stretch: 1, direction: 'at most' },
  { of: 'watcher', to: 'node-net', ...none },
  { of: 'run', to: 'raw-epoll', ...none },
  { of: 'libuv-tuned', to: 'raw-epoll', ...none },
  { of: 'node-net', to: 'raw-epoll', ...none },
  ...(['nested', 'watcher', 'run'] as const).map((of): RatioGoal => ({
    of,
    to: `${of}-before`,
    ...asBefore,
  })),
];

export const idleRatios: readonly RatioGoal[] = [
  { of: 'nested', to: 'node-net', required: 1 / 5, stretch: 1 / 10, direction: 'at most' },
  { of: 'node-shape', to: 'node-net', required: 1, stretch: 1 / 2, direction: 'at most' },
  { of: 'nested', to: 'nested-before', ...none },
];
export const requireGoalMs: Goal = { required: 10, direction: 'at most' };

export const timersGoal: Goal = { required: 1 / 3, direction: 'at most' };

export function meets(value: number, limit: number, direction: Goal['direction']): boolean {
  return direction === 'at most' ? value <= limit : value >= limit;
}
