import type { Reactor } from '../reactor/reactor.js';

/**
 * What looks into the tasks of one thread (lib/observe), as `ReactorProbe` does into its reactor.
 * Its methods must not throw, and must call nothing of the runtime. A task is known to other threads
 * by its id; one that its own thread runs, for lack of a place, has the id 0.
 */
export interface TaskProbe {
  /** Something is spawned, or has a place now. */
  spawnStart(): void;
  /** Other threads may have it. Left out when it came to nothing. */
  spawnEnd(id: number, name: string): void;
  /** The function is about to be called. `task` is the same object until its end. */
  taskStart(task: object, id: number, name: string): void;
  /** The call has returned; the task ends later, if its end has not been told. */
  taskReturn(task: object): void;
  taskEnd(task: object, failed: boolean): void;
  /** So many tasks were called, one after the other. */
  tasksRan(startMs: number, endMs: number, count: number): void;
  /** What followed from them has run. */
  tasksSettled(): void;
  /** `count` tasks were taken from the queue of the worker in that place; `id` runs next. */
  stole(place: number, count: number, id: number): void;
}

/** A worker's thread, as who looks into it sees it. */
export interface ObservedWorker {
  readonly reactor: Reactor;
  /** Null: nobody looks any more. */
  setProbe(probe: TaskProbe | null): void;
}

/** Exported as `observeWorker` by a module of lib/observe. Returns what ends it. */
export type ObserveWorker = (worker: ObservedWorker, data: never) => () => void;

/** Who looks into all threads of a runtime. */
export interface RuntimeObserver {
  /** Of what the runtime's own thread spawns. */
  readonly probe: TaskProbe;
  /** File of the module that each worker's thread loads: this room imports nothing of lib/observe. */
  readonly module: string;
  /** What is posted to a thread that has begun in that place. */
  dataOf(place: number, worker: number): unknown;
  /** Its thread has ended. */
  onExit(place: number): void;
}
