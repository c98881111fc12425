// What the runtimes of recorder-tasks.test.ts load.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { threadId } from 'node:worker_threads';
import { Reactor, sleep } from 'tripoll';
import { currentRuntime } from 'tripoll/runtime';
import type * as tasks from './recorder-tasks.js';
import { untilSync } from '../support/deadline.js';

/** Keeps its thread until a second has come. Arguments that are plain can be stolen with their task. */
export function meet(folder: string): number {
  writeFileSync(path.join(folder, `${threadId}`), '');
  untilSync(() => readdirSync(folder).length > 1, 'the other');
  return threadId;
}

/** Both are in this worker's queue first. */
export async function meetOnTwo(folder: string): Promise<number[]> {
  return Promise.all(currentRuntime<typeof tasks>().spawnMany('meet', [[folder], [folder]]));
}

export const add = (a: number, b: number): number => a + b;
export const thread = (): number => threadId;

export async function later(): Promise<number> {
  await sleep(1);
  return threadId;
}

export async function fails(): Promise<never> {
  await sleep(1);
  throw new Error('it fails');
}

/** Tells that it has begun, by a file, and does not return while there is one. */
export function neverReturns(folder: string): void {
  const file = path.join(folder, 'begun');
  writeFileSync(file, '');
  while (existsSync(file));
}

/** On the worker's own reactor. */
export async function ticks(): Promise<number> {
  return new Promise((resolve) => {
    Reactor.default.setTimer(0, function tickOfTask() {
      resolve(threadId);
    });
  });
}
