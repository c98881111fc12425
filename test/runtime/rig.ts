import { pathToFileURL } from 'node:url';
import path from 'node:path';
import { Runtime, type RuntimeOptions } from '#lib/runtime/index';
import type * as tasks from './tasks.js';
import { within } from '../support/deadline.js';

export type Tasks = typeof tasks;
export const tasksFile = path.join(__dirname, 'tasks.js');
export const tasksUrl = pathToFileURL(tasksFile);

/** Runs `fn` with a runtime, and closes that however it ends. */
export async function withRuntime(
  options: Omit<RuntimeOptions, 'entry'>,
  fn: (runtime: Runtime<Tasks>) => Promise<void>,
): Promise<void> {
  const runtime = new Runtime<Tasks>({ workers: 2, entry: tasksFile, ...options });
  try {
    await fn(runtime);
  } finally {
    await within(runtime.close(), 'the end of all threads');
  }
}
