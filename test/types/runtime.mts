// What can be spawned, by the types of an entry.
import type * as path from 'node:path';
import { currentRuntime, Runtime, type TaskHandle } from 'tripoll/runtime';

interface Tasks {
  add: (a: number, b: number) => number;
  load: (path: string, options?: { size: number }) => Promise<Uint8Array>;
  nothing: () => void;
  limit: number;
}

const runtime = new Runtime<Tasks>({ entry: new URL('file:///tasks.js'), workers: 2 });
export const sum: TaskHandle<number> = runtime.spawn('add', [1, 2]);
export const bytes: Promise<Uint8Array> = runtime.spawn('load', ['a'], { timeoutMs: 10 });
export const done: Promise<void> = runtime.spawn('nothing', []);
export const sums: TaskHandle<number>[] = runtime.spawnMany('add', [
  [1, 2],
  [3, 4],
]);
export const tried: TaskHandle<number> | false = runtime.trySpawn('add', [1, 2]);
export const blocked: Promise<Uint8Array> = runtime.blocking('load', ['a', { size: 1 }]);
export const nested: TaskHandle<number> = currentRuntime<Tasks>().spawn('add', [1, 2]);

// @ts-expect-error no such task
void runtime.spawn('nix', []);
// @ts-expect-error no function
void runtime.spawn('limit', []);
// @ts-expect-error one argument is missing
void runtime.spawn('add', [1]);
// @ts-expect-error an argument of another type
void runtime.spawn('load', [1]);
// @ts-expect-error one too many
void runtime.blocking('nothing', [1]);
const mixed: readonly (readonly [string, number])[] = [['3', 4]];
// @ts-expect-error arguments of another type, of many
void runtime.spawnMany('add', mixed);
// @ts-expect-error an option that does not exist
void runtime.spawn('add', [1, 2], { timeout: 1 });
// @ts-expect-error a number is no string
export const wrong: Promise<string> = runtime.spawn('add', [1, 2]);

// Without a type: any task.
void new Runtime({ entry: '/tasks.js' }).spawn('whatever', [1, 'a', {}]);

await using closed = new Runtime<typeof path>({ entry: 'file:///x.js' });
export const joined: Promise<string> = closed.spawn('join', ['a', 'b']);
