// The runtime's clock and queues, taken when this module is loaded: fake timers (Jest's, Vitest's,
// Sinon's) replace the globals later, and a reactor whose clock stands still would never end a
// wait. What the core modules export they leave alone.
import { performance } from 'node:perf_hooks';
import { setImmediate, setTimeout } from 'node:timers';

export { setImmediate, setTimeout };

/** The monotonic clock, in milliseconds with fractions. */
export const nowMs = (): number => performance.now();

/** Runs `fn` before the next turn of the runtime's loop, and before the microtasks if none runs. */
export const nextTick: (fn: (...args: never[]) => void, ...args: unknown[]) => void = process.nextTick.bind(
  process,
) as never;
