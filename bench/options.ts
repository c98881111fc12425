import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { beforeSides, fullSides, isSideName, quickSides, sideNames } from './sides.js';
import type { SideName } from './sides.js';

export const partNames = ['echo', 'ping-pong', 'idle', 'require', 'timers', 'fairness'] as const;
/** The fairness of the loop is a run of its own: a minute and a half a round. */
const fullParts = partNames.filter((name) => name !== 'fairness');

const beforeParts: readonly PartName[] = ['echo', 'ping-pong', 'idle', 'require'];

export type PartName = (typeof partNames)[number];

export interface BenchOptions {
  readonly full: boolean;
  readonly parts: readonly PartName[];
  readonly sides: readonly SideName[];
  readonly connections: readonly number[];
  readonly sizeBytes: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly idleConnections: number;
  readonly jsonFile: string | null;
  /**
   * Another checkout that is built, bench included: an older tripoll, to be compared with this one.
   */
  readonly beforeFolder: string | null;
}

export const usage = `npm run bench -- [options]       (npm start: the quick run; npm run bench: --full)
  --full                 50 and 1000 connections, new processes in every round, all parts, saved in bench/results
  --parts a,b            ${partNames.join(', ')}
  --sides a,b            ${sideNames.join(', ')}
  --fairness             the same as --parts fairness
  --before folder        compares this build with another checkout's, that is compiled there
  --connections 50,1000  --size 64  --rounds 7  --seconds 1  --warmup 0.3  --idle-connections 10000
  --json file            where to save the raw results`;

export function parseNumber(text: string, name: string, min: number): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < min)
    throw new Error(`--${name} takes a number of at least ${min}, not '${text}'`);
  return value;
}

export function parseCount(text: string, name: string, min = 1): number {
  const value = parseNumber(text, name, min);
  if (!Number.isInteger(value)) throw new Error(`--${name} takes whole numbers, not '${text}'`);
  return value;
}

export function parseNames<T extends string>(
  text: string,
  name: string,
  allowed: readonly T[],
  test: (s: string) => s is T,
): T[] {
  return text.split(',').map((item) => {
    if (!test(item)) throw new Error(`--${name}: '${item}' is none of ${allowed.join(', ')}`);
    return item;
  });
}

const isPartName = (name: string): name is PartName => (partNames as readonly string[]).includes(name);

export function parseOptions(args: readonly string[]): BenchOptions | 'help' {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      full: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      fairness: { type: 'boolean', default: false },
      parts: string,
      sides: string,
      connections: string,
      size: string,
      rounds: string,
      seconds: string,
      warmup: string,
      'idle-connections': string,
      json: string,
      before: string,
    },
  });
  if (values.help) return 'help';
  const full = values.full && !values.fairness;
  const compares = values.before !== undefined;
  const allParts = compares ? beforeParts : fullParts;
  const defaultParts: readonly PartName[] = values.fairness ? ['fairness'] : full ? allParts : ['echo'];
  const defaultSides = compares ? beforeSides : full ? fullSides : quickSides;
  return {
    full,
    parts: parseNames(values.parts ?? defaultParts.join(','), 'parts', partNames, isPartName),
    sides: parseNames(values.sides ?? defaultSides.join(','), 'sides', sideNames, isSideName),
    connections: (values.connections ?? (full ? '50,1000' : '50'))
      .split(',')
      .map((text) => parseCount(text, 'connections')),
    sizeBytes: parseCount(values.size ?? '64', 'size', 8),
    rounds: parseCount(values.rounds ?? (full ? '7' : '5'), 'rounds'),
    seconds: parseNumber(values.seconds ?? (full ? '1' : '0.7'), 'seconds', 0.1),
    warmupSeconds: parseNumber(values.warmup ?? (full ? '1' : '0.3'), 'warmup', 0),
    idleConnections: parseCount(values['idle-connections'] ?? '10000', 'idle-connections'),
    jsonFile: values.json ?? null,
    beforeFolder: values.before === undefined ? null : path.resolve(values.before),
  };
}
