// Tasks that set what `AsyncLocalStorage` keeps, or look what is set.
import { AsyncLocalStorage } from 'node:async_hooks';
import type * as tasks from './context-tasks.js';
import { currentRuntime, currentTask } from 'tripoll/runtime';

type Tasks = typeof tasks;
const storage = new AsyncLocalStorage<string>();

export const look = (..._unused: unknown[]): string => storage.getStore() ?? 'nothing';

/** Sets it in the synchronous part, and never takes it back. */
export function enterAtOnce(store: string, ..._unused: unknown[]): string {
  storage.enterWith(store);
  return look();
}

export async function enter(store: string): Promise<string> {
  storage.enterWith(store);
  await Promise.resolve();
  return look();
}

/** Fails with it set. */
export function enterAndThrow(store: string): never {
  storage.enterWith(store);
  throw new Error(look());
}

/** What runs by itself on this worker, since only two have a slot. */
export async function spawnUnder(store: string): Promise<string[]> {
  const runtime = currentRuntime<Tasks>();
  return storage.run(store, async () => {
    const enters = runtime.spawnMany('enterAtOnce', [['inner'], ['inner'], ['inner']]);
    const looks = runtime.spawnMany('look', [[], [], [], []]);
    const seen = [...(await Promise.all(enters)), ...(await Promise.all(looks))];
    return [...seen, look()];
  });
}

/** What a listener of its signal sees, which sets it. */
let seenByListener = 'no listener was called';
export const whatTheListenerSaw = (): string => seenByListener;
export function listen(started: Int32Array): Promise<never> {
  const { signal } = currentTask();
  storage.enterWith('of the task');
  signal.addEventListener('abort', () => {
    seenByListener = look();
    storage.enterWith('of the listener');
  });
  Atomics.store(started, 0, 1);
  return new Promise(() => {});
}
