import { closedError, invalidArgType, stateError } from '../binding/errors.js';
import { checkNames } from '../binding/validate.js';
import type { ShutdownResult } from '../net/stream/listener-shutdown.js';
import { abortedBefore, checkCancelTypes, watchCancel, type CancelOptions } from '../reactor/cancellation.js';
import { Reactor } from '../reactor/reactor.js';
import type { SocketAddress } from '../sys/address.js';
import { BlockingPool } from './blocking.js';
import type { RuntimeMetrics } from './metrics.js';
import { checkOptions, type CheckedOptions, type RuntimeOptions } from './options.js';
import { WorkerPool } from './pool.js';
import type { RuntimeObserver } from './probe.js';
import { Reloads } from './reload.js';
import type { ServiceName } from './serving/connection-context.js';
import type { ServeTarget, ServeTcpOptions, ServeUnixOptions } from './serving/options.js';
import type { Server } from './serving/server.js';
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

/** How often it looks for tasks that others have spawned: nobody notices a wait so short. */
const DRAIN_CHECK_MS = 5;

/**
 * Worker threads with a reactor each, and tasks on them: the functions that a module exports. Give
 * its type, `Runtime<typeof import('./tasks.js')>`, and names and arguments are checked. Idle
 * workers do not keep the process alive, tasks that are awaited do.
 */
export class Runtime<Tasks = AnyTasks> extends TaskSpawner<Tasks> {
  readonly #options: CheckedOptions;
  readonly #pool: WorkerPool;
  readonly #blocking: BlockingPool;
  #reloads: Reloads | null = null;
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

  /**
   * Listens on all workers: each connection is served on one of them, by an export of the entry. A
   * function is called with a stream for promises and a `ConnectionContext`; when the promise that
   * it returns is settled, the stream is closed. An object has handlers, which all connections of
   * its worker share, as those of `listen`, and `ServiceHandlers`.
   *
   * @param name of that export
   * @returns the server, when all workers listen
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_UNSUPPORTED on Windows,
   * and for a strategy that this system lacks; EADDRINUSE and what else bind(2) says; ERR_TRIPOLL_NO_SUCH_TASK when the entry
   * has no such export; ERR_TRIPOLL_NOT_CLONEABLE for a `blockList` that no port takes;
   * ERR_TRIPOLL_ENTRY, ERR_TRIPOLL_WORKER_DIED, ERR_TRIPOLL_CLOSED
   */
  serve(target: ServeTcpOptions, name: ServiceName<Tasks>): Promise<Server<SocketAddress>>;
  /** The same on a Unix socket: `server.address` is its path. */
  serve(target: ServeUnixOptions, name: ServiceName<Tasks>): Promise<Server<string>>;
  /** The same where it is not known before which. */
  serve(target: ServeTarget, name: ServiceName<Tasks>): Promise<Server>;
  async serve(target: ServeTarget, name: ServiceName<Tasks>): Promise<Server> {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    return this.#pool.serving.serve(target, name);
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
   * New threads for all workers, with the entry as it is now. All of them have loaded it, and are
   * ready to accept for all servers, before the old ones stop: so nobody is refused, and an entry
   * that does not load changes nothing. Old threads finish the tasks and the connections that they
   * have; when the time is up, or the signal aborts, they are terminated (the rest of their tasks
   * is rejected with ERR_TRIPOLL_WORKER_DIED). Without both it waits as long as there is one. One
   * reload at a time: who asks meanwhile gets the next, with the options of the first who asked.
   *
   * @returns settled when the last old thread has ended
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_ENTRY when the entry does not load,
   * ERR_TRIPOLL_NO_SUCH_TASK when it lacks an export that a server serves by,
   * ERR_TRIPOLL_WORKER_DIED when a new thread dies before all are ready: then the old ones go on;
   * ERR_TRIPOLL_CLOSED
   */
  async reload(options: CancelOptions = {}): Promise<void> {
    this.#reloads ??= new Reloads(this.#pool);
    this.sender.keep();
    try {
      await this.#reloads.request(options);
    } finally {
      this.sender.letGo();
    }
    this.#blocking.reload();
  }

  /**
   * Ends the runtime in peace: all servers stop accepting, connections end (`Server.shutdown`), and
   * then all tasks and calls of `blocking`, those too of workers; then it closes. When the time is up,
   * or the signal aborts, it closes at once: neither makes this reject.
   *
   * @returns how many connections ended by themselves, and how many were closed
   * @throws (as rejection) TypeError, RangeError
   */
  async drain(options: CancelOptions = {}): Promise<ShutdownResult> {
    checkNames('options', options, { signal: true, timeoutMs: true });
    checkCancelTypes(options);
    let disarm: (() => void) | undefined;
    const timeIsUp = new Promise<void>((resolve) => {
      if (abortedBefore(options) !== null) resolve();
      else disarm = watchCancel(options, this.reactor, () => resolve());
    });
    // It keeps to the time by itself, and counts what it closes.
    const result = this.#pool.hasServers
      ? await this.#pool.serving.shutdown(options)
      : { finished: 0, closed: 0 };
    await Promise.race([this.#untilNoTasks(), timeIsUp]);
    disarm?.();
    await this.close();
    return result;
  }

  /** Of the end of what workers have spawned this thread is not told: it looks. */
  async #untilNoTasks(): Promise<void> {
    await this.idle();
    while (!this.closed && (this.#pool.hasTasks || this.#pool.hasCallsUnderWay || this.#blocking.pending > 0))
      await new Promise<void>((resolve) => {
        this.reactor.setTimer(DRAIN_CHECK_MS, resolve);
      });
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

  /**
   * @internal For lib/observe: has it look into all threads. Returns what ends that.
   *
   * @throws ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_STATE when somebody looks already
   */
  observe(observer: RuntimeObserver): () => void {
    if (this.closed) throw closedError('Runtime');
    if (this.#pool.observer !== null) throw stateError('it is recorded already');
    this.#pool.setObserver(observer);
    return () => {
      if (this.#pool.observer === observer) this.#pool.setObserver(null);
    };
  }

  /** @internal For tests. */
  terminateWorker(worker: number): Promise<unknown> {
    return this.#pool.terminate(worker);
  }
}
