import { stateError } from '../binding/errors.js';
import type { TaskSpawner } from './spawner.js';
import type { AnyTasks } from './task-types.js';

/** What a task can learn of itself. */
export interface TaskContext {
  /**
   * Aborted when the task's handle is: by `abort()`, its signal, or its time. Made when it is first
   * read.
   */
  readonly signal: AbortSignal;
  /** Index of the worker that runs it. */
  readonly worker: number;
}

/** Of this thread. */
const here: { runtime: TaskSpawner | null; task: TaskContext | null } = { runtime: null, task: null };

export function setCurrentRuntime(runtime: TaskSpawner): void {
  here.runtime = runtime;
}

export function setCurrentTask(task: TaskContext | null): void {
  here.task = task;
}

/**
 * The runtime whose worker this thread is: what a task spawns goes into its worker's own queue,
 * from which others steal.
 *
 * @throws ERR_TRIPOLL_STATE in a thread that is no worker of a runtime
 */
export function currentRuntime<Tasks = AnyTasks>(): TaskSpawner<Tasks> {
  if (here.runtime === null) throw stateError('this thread is no worker of a runtime');
  return here.runtime as unknown as TaskSpawner<Tasks>;
}

/**
 * The task that has just been called. Ask before its first `await`: afterwards others run on the
 * worker.
 *
 * @throws ERR_TRIPOLL_STATE outside of a task, and after its first `await`
 */
export function currentTask(): TaskContext {
  if (here.task === null) throw stateError('no task is being called: ask before the first await of one');
  return here.task;
}
