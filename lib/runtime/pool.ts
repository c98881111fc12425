import type { Transferable, Worker } from 'node:worker_threads';
import type { Reactor } from '../reactor/reactor.js';
import { Waker, type SharedWaker } from '../reactor/waker.js';
import { Awake, type AwakeHost } from './awake.js';
import { relayBlocking, type BlockingCalls } from './blocking-calls.js';
import { entryError, isEntryError, noWorkerLeft, reasonOf } from './errors.js';
import type { FromWorker, ResultMessage, TaskMessage, ToWorker, WorkerPlan } from './messages.js';
import { Field, MetricsTable, type WorkerMetrics } from './metrics.js';
import { newThread } from './new-thread.js';
import type { CheckedOptions } from './options.js';
import { describeThrown, rebuildThrown } from './remote-error.js';
import { createScheduler, Scheduler } from './scheduler/scheduler.js';
import { Sender, type SenderHost } from './sender.js';
import { TaskTable, type SharedTable } from './table.js';

/** Of an error's stack, for other threads, whose slot it must fit into. */
const MAX_DEATH_CHARS = 200;

/** A worker's place; its threads come and go. */
interface Place {
  readonly worker: number;
  thread: Worker | null;
  waker: SharedWaker | null;
  ready: boolean;
  restarts: number;
  /** Deaths since it has last done a task. */
  deaths: number;
  /** What is about to end its thread. */
  cause: unknown;
  /** What has ended the one before. */
  lastCause: unknown;
  /** It gets no thread any more. */
  isGivenUp: boolean;
}

/** The workers' threads, from the side of the thread that made the runtime. */
export class WorkerPool implements AwakeHost, SenderHost {
  readonly thread = 0;
  readonly sender: Sender;
  readonly #options: CheckedOptions;
  readonly #reactor: Reactor;
  readonly #blocking: BlockingCalls;
  readonly #waker: Waker;
  readonly #awake: Awake;
  readonly #shared: SharedTable;
  readonly #table: TaskTable;
  readonly #queues: SharedArrayBuffer;
  readonly #scheduler: Scheduler;
  readonly #metricsMemory: SharedArrayBuffer;
  readonly #metrics: MetricsTable;
  readonly #places: Place[];
  readonly #wakers: (Waker | null)[];
  #nextWorker = 0;
  #hasBegun = false;
  #closed = false;
  #onBegun: (() => void)[] = [];
  failure: Error | null = null;

  constructor(options: CheckedOptions, reactor: Reactor, blocking: BlockingCalls) {
    const { workers, capacity } = options;
    this.#options = options;
    this.#reactor = reactor;
    this.#blocking = blocking;
    this.#waker = reactor.waker(() => this.#awake.run());
    this.#awake = new Awake(this.#waker, this, options.spinUs);
    this.#shared = TaskTable.create(workers + 1, capacity);
    this.#table = new TaskTable(this.#shared);
    // Twice what the table has: after a death each id may be in it once more.
    const injectorCapacity = 2 * (workers + 1) * capacity;
    this.#queues = createScheduler({ workers, injectorCapacity });
    this.#scheduler = new Scheduler(this.#queues, (worker) => this.wakeWorker(worker));
    this.#metricsMemory = MetricsTable.create(workers);
    this.#metrics = new MetricsTable(this.#metricsMemory);
    this.sender = new Sender(this, this.#table, options.maxWaiting);
    this.#wakers = new Array<Waker | null>(workers).fill(null);
    this.#places = Array.from({ length: workers }, (_, worker) => ({
      ...{ worker, thread: null, waker: null, ready: false, restarts: 0, deaths: 0 },
      ...{ cause: undefined, lastCause: undefined, isGivenUp: false },
    }));
    for (const place of this.#places) this.#start(place);
  }

  // ---- the life of a worker ----

  #start(place: Place): void {
    const { entry, tasksPerWorker, maxWaiting, blockingThreads, driver, spinUs } = this.#options;
    const plan: WorkerPlan = {
      ...{ worker: place.worker, entry, tasksPerWorker, maxWaiting, blockingThreads, driver, spinUs },
      ...{ table: this.#shared, queues: this.#queues, metrics: this.#metricsMemory },
      mainWaker: this.#waker.share(),
      wakers: this.#places.map(({ waker }) => waker),
    };
    const thread = newThread(plan);
    place.thread = thread;
    place.cause = undefined;
    thread.on('message', (message: FromWorker) => this.#onMessage(place, message));
    relayBlocking(thread, this.#blocking);
    thread.on('error', (error) => (place.cause = error));
    thread.on('exit', (exitCode) => this.#onExit(place, exitCode));
    // Tasks keep the process alive, by the reactor; idle workers do not. A listener of messages
    // would: after it.
    thread.unref();
  }

  #onMessage(place: Place, message: FromWorker): void {
    if (this.#closed) return;
    if (message.kind === 'result') this.#onResult(message);
    else if (message.kind === 'ready') this.#onReady(place, message.waker, message.names);
    else if (message.kind === 'failed') {
      place.cause = entryError(this.#options.entry, rebuildThrown(message.thrown));
      void place.thread?.terminate();
    }
  }

  #onReady(place: Place, shared: SharedWaker, names: readonly string[]): void {
    place.ready = true;
    place.waker = shared;
    this.#wakers[place.worker] = Waker.from(shared);
    for (const other of this.#places) {
      if (other !== place && other.thread !== null)
        post(other.thread, { kind: 'waker', worker: place.worker, waker: shared });
    }
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.sender.setNames(names);
      this.#tellBegun();
    }
    // What was said before it could be.
    this.wakeWorker(place.worker);
  }

  #tellBegun(): void {
    const callbacks = this.#onBegun;
    this.#onBegun = [];
    for (const callback of callbacks) callback();
  }

  /** Calls `fn` once when a worker has loaded the entry, or none ever will. */
  whenBegun(fn: () => void): void {
    if (this.#hasBegun || this.failure !== null) fn();
    else this.#onBegun.push(fn);
  }

  #onExit(place: Place, exitCode: number): void {
    place.thread = null;
    place.lastCause = place.cause;
    place.ready = false;
    place.waker = null;
    this.#wakers[place.worker] = null;
    if (this.#closed) return;
    this.#scheduler.abandon(place.worker);
    // What it had in its queue is queued in the table too.
    const { queued, told } = this.#table.salvage(place.worker, this.#detailsOf(place, exitCode));
    const { worker } = place;
    const done = this.#metrics.get(worker, Field.TASKS) - this.#metrics.get(worker, Field.RUNNING);
    place.deaths = done > 0 ? 0 : place.deaths + 1;
    this.#metrics.reset(place.worker);
    this.sender.retry(queued);
    for (const thread of told) {
      if (thread === 0) this.#waker.wake();
      else this.wakeWorker(thread - 1);
    }
    if (place.deaths > this.#options.maxRestarts || (!this.#hasBegun && isEntryError(place.cause)))
      this.#giveUp(place);
    else this.#restart(place);
  }

  #restart(place: Place): void {
    place.restarts++;
    this.#start(place);
  }

  #giveUp(place: Place): void {
    place.isGivenUp = true;
    if (this.#places.some(({ isGivenUp }) => !isGivenUp)) return;
    this.fail(isEntryError(place.cause) ? place.cause : noWorkerLeft(place.deaths, place.cause));
  }

  /** Nothing runs any more: all handles are rejected, and those of later spawns. */
  fail(error: Error): void {
    this.failure ??= error;
    this.sender.stop(this.failure);
    this.#tellBegun();
  }

  /** Of what it ran, for whoever has spawned that. */
  #detailsOf({ worker, cause }: Place, exitCode: number): readonly unknown[] {
    if (cause === undefined) return [worker, exitCode];
    return [worker, exitCode, describeThrown(new Error(reasonOf(cause).slice(0, MAX_DEATH_CHARS)))];
  }

  /** Ends all threads. */
  async close(error: Error): Promise<void> {
    this.fail(error);
    this.#closed = true;
    const threads = this.#places.flatMap(({ thread }) => (thread === null ? [] : [thread]));
    await Promise.all(threads.map((thread) => thread.terminate()));
    this.#waker.close();
  }

  /** @internal For tests: what `worker.terminate()` of somebody else does. */
  terminate(worker: number): Promise<unknown> {
    return this.#places[worker]?.thread?.terminate() ?? Promise.resolve();
  }

  // ---- while this thread is awake ----

  work(): void {
    this.sender.run();
  }

  tell(): void {
    // Nobody waits for this thread.
  }

  expectsWork(): boolean {
    return this.sender.pending > 0;
  }

  hasWork(): boolean {
    return this.sender.hasDone; // before a worker that goes on with others says so
  }

  sleep(): boolean {
    return true;
  }

  // ---- for the sender ----

  submit(id: number): boolean {
    return this.#scheduler.inject(id);
  }

  /** The ready one with the fewest tasks; among equals each in its turn. */
  chooseWorker(): number {
    const { length } = this.#places;
    let best = -1;
    let fewest = Infinity;
    for (let i = 0; i < length; i++) {
      const { worker, ready, isGivenUp } = this.#places[(this.#nextWorker + i) % length]!;
      if (isGivenUp) continue;
      const running = ready ? this.#metrics.get(worker, Field.RUNNING) : Number.MAX_VALUE;
      if (running < fewest) [best, fewest] = [worker, running];
    }
    this.#nextWorker = (best + 1) % length;
    return best;
  }

  sendTask(message: TaskMessage): void {
    const { thread } = this.#places[message.worker]!;
    if (thread !== null) post(thread, message, message.transfer);
  }

  #onResult(message: ResultMessage): void {
    if (message.thread === 0) {
      this.sender.onResult(message);
      return;
    }
    this.#table.markSent(message.id);
    const { thread } = this.#places[message.thread - 1]!;
    if (thread !== null) post(thread, message, message.transfer);
  }

  wakeWorker(worker: number): void {
    this.#wakers[worker]?.wake();
  }

  causeOf(worker: number): unknown {
    return this.#places[worker]?.lastCause;
  }

  onWaiting(): void {
    // The workers free this thread's slots, whatever they wait for.
  }

  hold(): void {
    if (!this.#reactor.closed) this.#reactor.addRef(1);
  }

  release(): void {
    if (!this.#reactor.closed) this.#reactor.addRef(-1);
  }

  // ---- figures ----

  metrics(): { injected: number; workers: WorkerMetrics[] } {
    const lengths = this.#scheduler.lengths();
    const workers = this.#places.map(({ worker, ready, restarts }): WorkerMetrics => {
      const { steals, stolenTasks, parks, overflowedTasks } = this.#scheduler.stats(worker);
      const get = (field: number) => this.#metrics.get(worker, field);
      const [tasks, turns, startMs] = [get(Field.TASKS), get(Field.TURNS), get(Field.START_MS)];
      const aliveMs = startMs === 0 ? 0 : Math.max(Date.now() - startMs, 1);
      return {
        ...{ worker, ready, restarts, queued: lengths.workers[worker]!, running: get(Field.RUNNING) },
        ...{ tasks, turns, tasksPerTurn: turns === 0 ? 0 : tasks / turns },
        ...{ steals, stolenTasks, parks, overflows: overflowedTasks },
        busyShare: aliveMs === 0 ? 0 : Math.min(get(Field.BUSY_MS) / aliveMs, 1),
      };
    });
    return { injected: lengths.injector, workers };
  }
}

function post(thread: Worker, message: ToWorker, transfer: readonly unknown[] = []): void {
  thread.postMessage(message, transfer as Transferable[]);
}
