// Functions that hold their thread, and tasks that call them.
import { currentRuntime, currentTask, moved } from 'tripoll/runtime';
import type * as tasks from './blocking-tasks.js';

type Tasks = typeof tasks;

export const add = (a: number, b: number): number => a + b;
export const echo = (value: unknown): unknown => value;
export const count = (counter: Int32Array): number => Atomics.add(counter, 0, 1) + 1;

/** Calls it and does not wait. */
export function countLater(counter: Int32Array): void {
  void currentRuntime<Tasks>().blocking('count', [counter]);
}

/** Tells in the first cell that it has begun, and does not end before the second says so. */
export function spin(cells: Int32Array): void {
  Atomics.add(cells, 0, 1);
  while (Atomics.load(cells, 1) === 0);
}

/** Ends when the first cell says so, and then sets the second; the third: it has begun. */
export function endWhenTold(cells: Int32Array): number {
  Atomics.store(cells, 2, 1);
  Atomics.wait(cells, 0, 0);
  return Atomics.store(cells, 1, 1);
}

export function fail(): never {
  throw new RangeError('out of it', { cause: new TypeError('deeper') });
}
export const exit = (code: number): never => process.exit(code);

export const lengthOf = (bytes: Uint8Array): number => bytes.byteLength;
export function giveBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(7);
  return moved(bytes, [bytes.buffer]);
}

const codeOf = (fn: () => unknown): unknown => {
  try {
    fn();
    return 'none';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};
export const whatIsCurrent = (): unknown[] => [codeOf(currentRuntime), codeOf(currentTask)];

// ---- tasks of a worker ----

const caught = async (promise: Promise<unknown>): Promise<Record<string, unknown>> => {
  try {
    return { value: await promise };
  } catch (error) {
    const { name, message, code, cause } = error as Error & { code?: string };
    return {
      name,
      message,
      code,
      cause: typeof cause === 'string' ? cause : (cause as Error | undefined)?.message,
    };
  }
};

export async function callAll(): Promise<Record<string, unknown>[]> {
  const runtime = currentRuntime<Tasks>();
  const bytes = new Uint8Array(8);
  const length = runtime.blocking('lengthOf', [bytes], { transfer: [bytes.buffer] });
  const given = await runtime.blocking('giveBytes', [100_000]);
  return Promise.all(
    [
      ...[
        runtime.blocking('add', [1, 2]),
        length,
        Promise.resolve([bytes.byteLength, given.length, given[9]]),
      ],
      ...[runtime.blocking('fail', []), runtime.blocking('nix' as 'fail', []), runtime.blocking('exit', [3])],
      ...[runtime.blocking('echo', [() => 1]), runtime.blocking('echo', [1], { timeoutMs: 60_000 })],
    ].map(caught),
  );
}

export async function abortSpin(started: Int32Array): Promise<Record<string, unknown>> {
  const handle = currentRuntime<Tasks>().blocking('spin', [started]);
  const end = caught(handle);
  while (Atomics.load(started, 0) === 0) await new Promise(setImmediate);
  handle.abort('enough');
  return end;
}

/** Leaves a call behind, for a worker that will be terminated. */
export async function awaitSpin(started: Int32Array): Promise<unknown> {
  return currentRuntime<Tasks>().blocking('spin', [started]);
}

export async function callMany(calls: number): Promise<string[]> {
  const runtime = currentRuntime<Tasks>();
  const ends = Array.from({ length: calls }, () => caught(runtime.blocking('add', [1, 2])));
  return (await Promise.all(ends)).map(({ code, value }) => String(code ?? value));
}
