import { closedError } from '../binding/errors.js';
import { Reactor } from '../reactor/reactor.js';
import { BlockingPool } from './blocking.js';
import type { RuntimeMetrics } from './metrics.js';
import { checkOptions, type CheckedOptions, type RuntimeOptions } from './options.js';
import { WorkerPool } from './pool.js';
import { TaskSpawner } from './spawner.js';
import type { AnyTasks } from './task-types.js';

/** What `Runtime.inspect` tells. */
export interface RuntimeInspection extends RuntimeMetrics {
  /** Whether `close` has been called. */
  readonly closed: boolean;
  /** URL of the module whose functions are the tasks. */
  readonly entry: string;
  /** As in the options, as the rest. */
  readonly tasksPerWorker: number;
  /** Tasks of one thread that are queued or run at once. */
  readonly capacity: number;
  /** Tasks of one thread that wait for a place among those. */
  readonly maxWaiting: number;
  /** How a worker waits. */
  readonly driver: 'default' | 'run';
  /** How long a thread looks before it sleeps. */
  readonly spinUs: number;
  /** Threads of the pool for what blocks. */
  readonly blockingThreads: number;
  /** Calls of `blocking` that are not settled. */
  readonly blockingPending: number;
}

/**
 * Worker threads with a reactor each, and tasks on them: the functions that a module exports. Give
 * its type, `Runtime<typeof import('./tasks.js')>`, and names and arguments are checked. Idle
 * workers do not keep the process alive, tasks that are awaited do.
 */
export class Runtime<Tasks = AnyTasks> extends TaskSpawner<Tasks> {
  readonly #options: CheckedOptions;
  readonly #pool: WorkerPool;
  readonly #blocking: BlockingPool;
  #closing: Promise<void> | null = null;

  /**
   * Starts the threads; they load the entry meanwhile, and what is spawned waits for the first.
   *
   * @throws TypeError, RangeError for wrong options
   */
  constructor(options: RuntimeOptions) {
    const checked = checkOptions(options);
    const reactor = Reactor.default;
    const blocking = new BlockingPool(checked.entry, checked.blockingThreads, checked.maxWaiting);
    const pool = new WorkerPool(checked, reactor, blocking);
    super(pool.sender, reactor, blocking);
    this.#options = checked;
    this.#pool = pool;
    this.#blocking = blocking;
  }

  /** Whether `close` has been called. */
  get closed(): boolean {
    return this.#closing !== null;
  }

  /**
   * Settles when the first worker has loaded the entry. To wait for it is never needed.
   *
   * @throws ERR_TRIPOLL_ENTRY; ERR_TRIPOLL_CLOSED
   */
  ready(): Promise<void> {
    const { sender } = this;
    sender.keep();
    return new Promise((resolve, reject) => {
      this.#pool.whenBegun(() => {
        sender.letGo();
        if (this.#pool.failure === null) resolve();
        else reject(this.#pool.failure);
      });
    });
  }

  /** Waits until no task that this thread has spawned is pending. New ones may be spawned meanwhile. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.sender.whenIdle(resolve);
    });
  }

  /** The workers' counters. */
  metrics(): RuntimeMetrics {
    const { pending, waiting } = this.sender;
    return { pending, waiting, ...this.#pool.metrics() };
  }

  /** Sizes, counters and options, for tests and diagnosis. */
  inspect(): RuntimeInspection {
    const { entry, tasksPerWorker, capacity, maxWaiting, driver, spinUs } = this.#options;
    return {
      ...this.metrics(),
      ...{ closed: this.closed, entry, tasksPerWorker, capacity, maxWaiting, driver, spinUs },
      blockingThreads: this.#blocking.threads,
      blockingPending: this.#blocking.pending,
    };
  }

  /**
   * Ends the runtime: what is pending is rejected with ERR_TRIPOLL_CLOSED, and all its threads are
   * terminated, whatever they do. To let tasks end before, await `idle()`. May be called twice.
   *
   * @returns settled when no thread is left
   */
  close(): Promise<void> {
    const error = closedError('Runtime');
    this.#closing ??= Promise.all([this.#pool.close(error), this.#blocking.close(error)]).then(() => {});
    return this.#closing;
  }

  /** Closes it, as `await using` does at the end of its block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal For tests. */
  terminateWorker(worker: number): Promise<unknown> {
    return this.#pool.terminate(worker);
  }
}
