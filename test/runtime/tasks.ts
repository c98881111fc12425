// The tasks of the suites. Compiled, it is what their runtimes load.
import { threadId } from 'node:worker_threads';
import { Reactor, sleep } from 'tripoll';
import type * as tasks from './tasks.js';
import { currentRuntime, currentTask, moved } from 'tripoll/runtime';

type Tasks = typeof tasks;

export const add = (a: number, b: number): number => a + b;
export const echo = async (value: unknown): Promise<unknown> => value;
export const thread = (): number => threadId;

export async function later(ms: number): Promise<number> {
  await sleep(ms);
  return ms;
}

/** Of the reactor that the worker has. */
export const backend = (): string => Reactor.default.backend;

export class CustomError extends Error {
  override readonly name = 'CustomError';
  readonly code = 'E_CUSTOM';
  readonly detail = { left: 'out' };
}

export async function fail(kind: string): Promise<never> {
  await Promise.resolve();
  if (kind === 'range') throw new RangeError('out of it', { cause: new TypeError('deeper') });
  if (kind === 'custom') throw new CustomError('mine');
  if (kind === 'aggregate') throw new AggregateError([new Error('one'), 'two'], 'several');
  throw kind;
}

export function failAtOnce(): never {
  throw new SyntaxError('at once');
}

/** Calls itself on other workers. */
export async function fibonacci(n: number): Promise<number> {
  if (n < 2) return n;
  const [a, b] = await Promise.all(currentRuntime<Tasks>().spawnMany('fibonacci', [[n - 1], [n - 2]]));
  return a! + b!;
}

/** What is aborted and when, for all tasks of the worker. */
let aborts = 0;
export const countAborts = (): number => aborts;
export function untilAborted(started?: Int32Array): Promise<never> {
  const { signal } = currentTask();
  if (started !== undefined) Atomics.add(started, 0, 1);
  return new Promise((_, reject) => {
    const end = (): void => {
      aborts++;
      reject(new Error('aborted'));
    };
    // It may have been given up while it began.
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });
}

/** Ends when it is told to. */
const gates: (() => void)[] = [];
export const hold = (): Promise<void> =>
  new Promise((resolve) => {
    gates.push(resolve);
  });
export const held = (): number => gates.length;
export const letGo = (): void => gates.splice(0).forEach((resolve) => resolve());

/** Spawns a task that nobody awaits: it ends when the first cell says so, and then sets the second. */
export function leaveBehind(cells: Int32Array): void {
  void currentRuntime<Tasks>().spawn('endWhenTold', [cells]);
}
export async function endWhenTold(cells: Int32Array): Promise<void> {
  while (Atomics.load(cells, 0) === 0) await sleep(1);
  Atomics.store(cells, 1, 1);
}

export const exit = (code: number): never => process.exit(code);
export function crash(message: string): Promise<never> {
  setImmediate(() => {
    throw new Error(message);
  });
  return new Promise(() => {});
}

export const giveBuffer = (bytes: number): ArrayBuffer => {
  const buffer = new ArrayBuffer(bytes);
  return moved(buffer, [buffer]);
};
export const lengthOf = (bytes: Uint8Array): number => bytes.byteLength;
export const giveFunction = (): unknown => () => 1;

/** A thenable that calls back twice. */
export const twice = (): unknown => ({
  then(resolve: (value: number) => void) {
    resolve(1);
    setImmediate(() => resolve(2));
  },
});

/** Takes the thread for so long. */
export function block(ms: number): number {
  const end = performance.now() + ms;
  while (performance.now() < end);
  return threadId;
}

/** Takes the thread until so many have come. */
export function meet(arrived: Int32Array, count: number): number {
  Atomics.add(arrived, 0, 1);
  const end = performance.now() + 10_000;
  while (Atomics.load(arrived, 0) < count && performance.now() < end);
  return threadId;
}

export async function contextAfterAwait(): Promise<unknown> {
  await Promise.resolve();
  return currentTask();
}

/** A result of a worker for another worker, by way of a port. */
export async function relay(length: number): Promise<number> {
  const texts = await Promise.all(
    currentRuntime<Tasks>().spawnMany(
      'repeat',
      Array.from({ length: 8 }, () => ['x', length] as const),
    ),
  );
  return texts.reduce((sum, text) => sum + text.length, 0);
}
export const repeat = (text: string, count: number): string => {
  block(1); // so that others steal
  return text.repeat(count);
};

export const notAFunction = 1;

/** Leaves tasks behind that nobody awaits any more. */
export function spawnAndExit(count: number): never {
  for (let i = 0; i < count; i++) void currentRuntime<Tasks>().spawn('add', [i, 1]);
  return process.exit(1);
}
