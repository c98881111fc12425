import type { Transferable } from 'node:worker_threads';
import type { Reactor } from '../reactor/reactor.js';
import { Waker } from '../reactor/waker.js';
import { Awake, type AwakeHost } from './awake.js';
import { relayBlocking, type BlockingCalls } from './blocking-calls.js';
import { entryError, isEntryError, noWorkerLeft, reasonOf, workerDied } from './errors.js';
import type {
  FromWorker,
  ReadyMessage,
  ResultMessage,
  TaskMessage,
  ToWorker,
  WorkerPlan,
} from './messages.js';
import { Field, MetricsTable, type WorkerMetrics } from './metrics.js';
import { newThread } from './new-thread.js';
import type { CheckedOptions } from './options.js';
import type { RuntimeObserver } from './probe.js';
import { describeThrown, rebuildThrown } from './remote-error.js';
import { createScheduler, Scheduler } from './scheduler/scheduler.js';
import type { ReloadHost } from './reload.js';
import { newPlace, type Place, type Role } from './place.js';
import { Sender, type SenderHost } from './sender.js';
import { Serving, type ServingHost } from './serving/serving.js';
import { TaskTable, type SharedTable } from './table.js';

/** Of an error's stack, for other threads, whose slot it must fit into. */
const MAX_DEATH_CHARS = 200;

/** The workers' threads, from the side of the thread that made the runtime. */
export class WorkerPool implements AwakeHost, SenderHost, ServingHost, ReloadHost {
  readonly thread = 0;
  readonly sender: Sender;
  readonly reactor: Reactor;
  readonly workers: number;
  #serving: Serving | null = null;
  readonly #options: CheckedOptions;
  readonly #blocking: BlockingCalls;
  readonly #waker: Waker;
  readonly #awake: Awake;
  readonly #shared: SharedTable;
  readonly #table: TaskTable;
  readonly #queues: SharedArrayBuffer;
  readonly #scheduler: Scheduler;
  readonly #metricsMemory: SharedArrayBuffer;
  readonly #metrics: MetricsTable;
  /** First one of each worker, then the other of each. */
  readonly #places: readonly Place[];
  /** By worker: the one that works. */
  readonly #current: Place[];
  readonly #wakers: (Waker | null)[];
  /** By worker: what has ended its last thread. */
  readonly #causes: unknown[] = [];
  /** Of all tasks that any thread has had; a task's number is its place in it. */
  readonly #names: string[] = [];
  #nextWorker = 0;
  #hasBegun = false;
  #closed = false;
  #onBegun: (() => void)[] = [];
  #observer: RuntimeObserver | null = null;
  failure: Error | null = null;

  constructor(options: CheckedOptions, reactor: Reactor, blocking: BlockingCalls) {
    const { workers, capacity } = options;
    const places = 2 * workers;
    this.#options = options;
    this.reactor = reactor;
    this.workers = workers;
    this.#blocking = blocking;
    this.#waker = reactor.waker(() => this.#awake.run());
    this.#awake = new Awake(this.#waker, this, options.spinUs);
    this.#shared = TaskTable.create(places + 1, capacity);
    this.#table = new TaskTable(this.#shared);
    // Twice what the table has: after a death each id may be in it once more.
    const injectorCapacity = 2 * (places + 1) * capacity;
    this.#queues = createScheduler({ workers: places, atOnce: workers, injectorCapacity });
    this.#scheduler = new Scheduler(this.#queues, (place) => this.wakeWorker(place));
    this.#metricsMemory = MetricsTable.create(places);
    this.#metrics = new MetricsTable(this.#metricsMemory);
    this.sender = new Sender(this, this.#table, options.maxWaiting);
    this.#wakers = new Array<Waker | null>(places).fill(null);
    this.#places = Array.from({ length: places }, (_, place) => newPlace(place, workers));
    this.#current = this.#places.slice(0, workers);
    for (const place of this.#current) this.#start(place, 'working');
  }

  // ---- the life of a worker ----

  #start(place: Place, role: Role): void {
    const { entry, tasksPerWorker, maxWaiting, blockingThreads, driver, spinUs } = this.#options;
    const plan: WorkerPlan = {
      ...{ place: place.place, worker: place.worker, entry, tasksPerWorker, maxWaiting },
      ...{ blockingThreads, driver, spinUs },
      ...{ table: this.#shared, queues: this.#queues, metrics: this.#metricsMemory },
      mainWaker: this.#waker.share(),
      wakers: this.#places.map(({ waker }) => waker),
    };
    const thread = newThread(plan);
    place.thread = thread;
    place.role = role;
    this.#observe(place);
    place.cause = undefined;
    thread.on('message', (message: FromWorker) => this.#onMessage(place, message));
    relayBlocking(thread, this.#blocking, () => place.calls++);
    thread.on('error', (error) => (place.cause = error));
    thread.on('exit', (exitCode) => this.#onExit(place, exitCode));
    // Tasks keep the process alive, by the reactor; idle workers do not. A listener of messages
    // would: after it.
    thread.unref();
  }

  #observe(place: Place): void {
    if (this.#observer === null) return;
    const { module } = this.#observer;
    const data = this.#observer.dataOf(place.place, place.worker);
    this.post(place, { kind: 'observe', module, data });
  }

  /** Of all threads, those too that are yet to come; null: of none any more. */
  setObserver(observer: RuntimeObserver | null): void {
    if (observer === null) for (const place of this.#places) this.post(place, { kind: 'unobserve' });
    this.#observer = observer;
    this.sender.probe = observer?.probe ?? null;
    for (const place of this.#places) if (place.thread !== null) this.#observe(place);
  }

  get observer(): RuntimeObserver | null {
    return this.#observer;
  }

  #onMessage(place: Place, message: FromWorker): void {
    if (this.#closed) return;
    if (message.kind === 'result') this.#onResult(message);
    else if (message.kind === 'ready') this.#onReady(place, message);
    else if (message.kind === 'serving') this.#serving?.onMessage(place, message.said);
    else if (message.kind === 'retired') this.#tellRetired(place);
    else if (message.kind === 'failed') {
      place.cause = entryError(this.#options.entry, rebuildThrown(message.thrown));
      void place.thread?.terminate();
    }
  }

  #onReady(place: Place, { waker, names }: ReadyMessage): void {
    place.ready = true;
    place.names = names;
    place.waker = waker;
    this.#wakers[place.place] = Waker.from(waker);
    for (const other of this.#places)
      if (other !== place) this.post(other, { kind: 'waker', place: place.place, waker });
    for (const name of names) if (!this.#names.includes(name)) this.#names.push(name);
    if (place.role === 'working') this.#begin(place, names);
    place.onReady?.(null);
    place.onReady = null;
  }

  /** It takes tasks from now on, and connections. */
  #begin(place: Place, names: readonly string[]): void {
    this.post(place, { kind: 'begin', names: this.#names });
    this.sender.setNames(new Map(names.map((name) => [name, this.#names.indexOf(name)])));
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#tellBegun();
    }
    this.#serving?.onBegun(place);
    // What was said before it could be.
    this.wakeWorker(place.place);
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
    const { role, cause } = place;
    place.thread = null;
    this.#observer?.onExit(place.place);
    this.#causes[place.worker] = cause;
    place.ready = false;
    place.calls = 0;
    place.waker = null;
    this.#wakers[place.place] = null;
    if (this.#closed) return;
    this.#scheduler.abandon(place.place);
    // What it had in its queue is queued in the table too.
    const { queued, told } = this.#table.salvage(place.place, this.#detailsOf(place, exitCode));
    const done = this.#metrics.get(place.place, Field.TASKS) - this.#metrics.get(place.place, Field.RUNNING);
    place.deaths = done > 0 ? 0 : place.deaths + 1;
    this.#metrics.reset(place.place);
    this.sender.retry(queued);
    for (const thread of told) {
      if (thread === 0) this.#waker.wake();
      else this.wakeWorker(thread - 1);
    }
    this.#serving?.onExit(place);
    if (role === 'working') this.#replace(place);
    else this.#leave(place, exitCode);
  }

  #replace(place: Place): void {
    if (place.deaths > this.#options.maxRestarts || (!this.#hasBegun && isEntryError(place.cause)))
      this.#giveUp(place);
    else {
      place.restarts++;
      this.#start(place, 'working');
    }
  }

  /** The thread of a reload, before or after its work. */
  #leave(place: Place, exitCode: number): void {
    place.role = 'spare';
    const { cause, onReady } = place;
    place.onReady = null;
    onReady?.(isEntryError(cause) ? cause : workerDied(place.worker, exitCode, cause));
    this.#tellRetired(place);
  }

  #tellRetired(place: Place): void {
    place.onRetired?.();
    place.onRetired = null;
  }

  #giveUp(place: Place): void {
    place.isGivenUp = true;
    this.#serving?.onGivenUp();
    if (this.#current.some(({ isGivenUp }) => !isGivenUp)) return;
    this.fail(isEntryError(place.cause) ? place.cause : noWorkerLeft(place.deaths, place.cause));
  }

  /** Nothing runs any more: all handles are rejected, and those of later spawns. */
  fail(error: Error): void {
    this.failure ??= error;
    this.sender.stop(this.failure);
    this.#serving?.close();
    for (const place of this.#places) {
      place.onReady?.(this.failure);
      place.onReady = null;
      this.#tellRetired(place);
    }
    this.#tellBegun();
  }

  // ---- a reload ----

  startSuccessor(worker: number): Promise<Place> {
    if (this.failure !== null) return Promise.reject(this.failure);
    const place = this.#otherOf(this.#current[worker]!);
    return new Promise((resolve, reject) => {
      place.onReady = (error) => {
        if (error === null) resolve(place);
        else reject(error);
      };
      this.#start(place, 'standby');
    });
  }

  #otherOf({ place }: Place): Place {
    return this.#places[(place + this.workers) % this.#places.length]!;
  }

  prepare(place: Place): Promise<void> {
    return this.#serving?.prepare(place) ?? Promise.resolve();
  }

  promote(place: Place): Place {
    const old = this.#current[place.worker]!;
    this.#current[place.worker] = place;
    place.role = 'working';
    place.restarts = old.restarts;
    place.deaths = 0;
    this.#begin(place, place.names);
    old.isGivenUp = false;
    old.role = old.thread === null ? 'spare' : 'retiring';
    this.post(old, { kind: 'retire' });
    return old;
  }

  whenRetired(place: Place): Promise<void> {
    // One that has not loaded its entry has begun nothing.
    if (place.thread === null || !place.ready) return Promise.resolve();
    return new Promise((resolve) => {
      place.onRetired = resolve;
    });
  }

  async end({ thread }: Place): Promise<void> {
    await thread?.terminate();
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
    return this.#current[worker]?.thread?.terminate() ?? Promise.resolve();
  }

  post(place: Place, message: ToWorker, transfer: readonly unknown[] = []): void {
    place.thread?.postMessage(message, transfer as Transferable[]);
  }

  /** Its code is loaded when there is a server. */
  get serving(): Serving {
    return (this.#serving ??= new Serving(this));
  }

  get hasServers(): boolean {
    return this.#serving !== null;
  }

  get runs(): boolean {
    return this.#options.driver === 'run';
  }

  /** By worker: the one that works. */
  get current(): readonly Place[] {
    return this.#current;
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
    const { workers } = this;
    let best = this.#current[0]!;
    let fewest = Infinity;
    for (let i = 0; i < workers; i++) {
      const each = this.#current[(this.#nextWorker + i) % workers]!;
      if (each.isGivenUp) continue;
      const running = each.ready ? this.#metrics.get(each.place, Field.RUNNING) : Number.MAX_VALUE;
      if (running < fewest) [best, fewest] = [each, running];
    }
    this.#nextWorker = (best.worker + 1) % workers;
    return best.place;
  }

  sendTask(message: TaskMessage): void {
    this.post(this.#places[message.place]!, message, message.transfer);
  }

  #onResult(message: ResultMessage): void {
    if (message.thread === 0) {
      this.sender.onResult(message);
      return;
    }
    this.#table.markSent(message.id);
    this.post(this.#places[message.thread - 1]!, message, message.transfer);
  }

  wakeWorker(place: number): void {
    this.#wakers[place]?.wake();
  }

  causeOf(worker: number): unknown {
    return this.#causes[worker];
  }

  onWaiting(): void {
    // The workers free this thread's slots, whatever they wait for.
  }

  /** Whether a task is queued or runs, of whichever thread. */
  get hasTasks(): boolean {
    return this.failure === null && this.#table.hasTasks;
  }

  /** Whether a worker's task has called `blocking`, and that has not come here yet. */
  get hasCallsUnderWay(): boolean {
    return this.#places.some(({ place, calls }) => this.#metrics.get(place, Field.CALLS) > calls);
  }

  hold(): void {
    if (!this.reactor.closed) this.reactor.addRef(1);
  }

  release(): void {
    if (!this.reactor.closed) this.reactor.addRef(-1);
  }

  // ---- figures ----

  metrics(): { injected: number; workers: WorkerMetrics[] } {
    const lengths = this.#scheduler.lengths();
    const workers = this.#current.map(({ place, worker, ready, restarts }): WorkerMetrics => {
      const { steals, stolenTasks, parks, overflowedTasks } = this.#scheduler.stats(place);
      const get = (field: number) => this.#metrics.get(place, field);
      const [tasks, turns, startMs] = [get(Field.TASKS), get(Field.TURNS), get(Field.START_MS)];
      const aliveMs = startMs === 0 ? 0 : Math.max(Date.now() - startMs, 1);
      const busyMs = this.#metrics.busyMs(place);
      return {
        ...{ worker, ready, restarts, queued: lengths.workers[place]!, running: get(Field.RUNNING) },
        ...{ tasks, turns, tasksPerTurn: turns === 0 ? 0 : tasks / turns },
        ...{ steals, stolenTasks, parks, overflows: overflowedTasks },
        ...{ busyMs, busyShare: aliveMs === 0 ? 0 : Math.min(busyMs / aliveMs, 1) },
        reactor: this.#metrics.countersOf(place),
      };
    });
    return { injected: lengths.injector, workers };
  }
}
