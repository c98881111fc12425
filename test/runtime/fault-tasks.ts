// Tasks that do what they should not, and whose runtimes must stand it.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { currentRuntime, currentTask, type TaskContext } from 'tripoll/runtime';
import type * as tasks from './fault-tasks.js';

type Tasks = typeof tasks;

export const add = (a: number, b: number): number => a + b;
export const echo = (value: unknown): unknown => value;

/** Ends the thread by an error that nobody catches. */
export function crashWith(kind: string): Promise<never> {
  setImmediate(() => {
    throw kind === 'null' ? null : { message: 5 };
  });
  return new Promise(() => {});
}

/** Errors that fight back. */
const strange: Readonly<Record<string, () => unknown>> = {
  toString: () => Object.assign(new Error('mine'), { name: 'toString' }),
  constructor: () => Object.assign(new Error('mine'), { name: 'constructor' }),
  getter: () =>
    Object.defineProperty(new Error('mine'), 'code', {
      enumerable: true,
      get() {
        throw new Error('got');
      },
    }),
  revoked: () => revokedProxy(),
  wide: () => {
    const error = new AggregateError([], 'wide');
    for (let i = 0; i < 300; i++) error.errors.push(error);
    return error;
  },
  function: () => () => 1,
  'uncloneable cause': () => new RangeError('mine', { cause: { socket: () => 1 } }),
  'uncloneable errors': () => new AggregateError([() => 1, new TypeError('two'), { three: 3 }], 'several'),
  'errors of its own': () => Object.assign(new TypeError('mine'), { errors: [{ path: 'a' }] }),
  'plain object': () => ({ name: 'Mine', message: 'plain', inner: { code: 1 } }),
  prototype: () => Object.defineProperty(new Error('mine'), '__proto__', { enumerable: true, value: null }),
  bare: () => Object.create(null) as unknown,
};
export async function throwStrange(kind: string): Promise<never> {
  await Promise.resolve();
  throw strange[kind]!();
}

export function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

let ran = 0;
/** Bytes so that it is bound to its worker. */
export const runWith = (_bytes: Uint8Array): number => ++ran;
export const countRuns = (): number => ran;

export const wait = (gate: Int32Array): Promise<void> => pollGate(gate);

async function pollGate(gate: Int32Array): Promise<void> {
  while (Atomics.load(gate, 0) === 0) await nextTurn();
}

/** Its signal is read when it has been aborted long ago. */
export async function lateSignal(state: Int32Array): Promise<void> {
  const task: TaskContext = currentTask();
  Atomics.store(state, 1, 1);
  await pollGate(state);
  // The worker hears of the end of tasks in its turns.
  for (let i = 0; i < 5; i++) await nextTurn();
  Atomics.store(state, 2, task.signal.aborted ? 1 : 2);
}

/** Ends, and takes the thread until the gate opens: what follows in its queue comes later. */
export async function endAndBlock(gate: Int32Array): Promise<void> {
  await pollGate(gate);
  setImmediate(() => {
    const end = performance.now() + 300;
    while (performance.now() < end);
  });
}

/** A result that spawns while it is written. */
export function spawningResult(): unknown {
  return {
    first: 'first',
    get second() {
      void currentRuntime<Tasks>().spawn('add', [1, 2]);
      return 'second';
    },
    third: 'third',
  };
}
