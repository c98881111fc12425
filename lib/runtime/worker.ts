import { createRequire } from 'node:module';
import {
  isMainThread,
  parentPort,
  workerData,
  type MessagePort,
  type Transferable,
} from 'node:worker_threads';
import { Reactor } from '../reactor/reactor.js';
import { Waker, type SharedWaker } from '../reactor/waker.js';
import { Awake, type AwakeHost } from './awake.js';
import { RemoteBlocking } from './blocking-calls.js';
import { answerTasks } from './blocking-worker.js';
import { setCurrentRuntime } from './current.js';
import { Executor, type ExecutorHost, type TaskFunction } from './executor.js';
import type { TaskHandle } from './handle.js';
import { noSuchTask, reasonOf } from './errors.js';
import { loadEntry, type Entry } from './load-tasks.js';
import type {
  BlockingPlan,
  FromWorker,
  ObserveMessage,
  ResultMessage,
  TaskMessage,
  ToWorker,
  WorkerPlan,
} from './messages.js';
import { Field, MetricsTable } from './metrics.js';
import { cloned } from './moved.js';
import type { ObservedWorker, ObserveWorker, TaskProbe } from './probe.js';
import { describeThrown } from './remote-error.js';
import { Scheduler } from './scheduler/scheduler.js';
import { Sender, type SenderHost } from './sender.js';
import type { Report } from './serving/messages.js';
import { WorkerServing, type WorkerServingHost } from './serving/worker-serving.js';
import { TaskSpawner } from './spawner.js';
import { TaskTable } from './table.js';
import type { WaitingTask } from './waiting.js';

/** A worker's thread, from its own side: its tasks, and what they spawn. */
class WorkerThread implements AwakeHost, ExecutorHost, SenderHost, WorkerServingHost, ObservedWorker {
  readonly worker: number;
  readonly place: number;
  readonly thread: number;
  readonly limit: number;
  readonly #port: MessagePort;
  readonly #waker: Waker;
  readonly #awake: Awake;
  readonly #mainWaker: Waker;
  readonly #wakers: (Waker | null)[];
  readonly #sender: Sender;
  readonly #executor: Executor;
  readonly #blocking: RemoteBlocking;
  readonly reactor = Reactor.default;
  #serving: WorkerServing | null = null;
  #entry: Entry = { tasks: new Map(), objects: new Map() };
  #begun = false;
  #retires = false;
  #unobserve: (() => void) | null = null;

  constructor(plan: WorkerPlan, port: MessagePort) {
    const { place } = plan;
    this.worker = plan.worker;
    this.place = place;
    this.thread = place + 1;
    this.limit = plan.tasksPerWorker;
    this.#port = port;
    this.#mainWaker = Waker.from(plan.mainWaker);
    this.#wakers = plan.wakers.map((shared) => (shared === null ? null : Waker.from(shared)));
    const table = new TaskTable(plan.table);
    const scheduler = new Scheduler(plan.queues, (sleeper) => this.wakeWorker(sleeper));
    this.#sender = new Sender(this, table, plan.maxWaiting);
    const metrics = new MetricsTable(plan.metrics);
    metrics.reset(place);
    this.reactor.sharedCounters = metrics.reactorOf(place);
    this.#executor = new Executor(this, table, scheduler.worker(place), metrics);
    this.#waker = this.reactor.waker(() => this.#awake.run());
    this.#awake = new Awake(this.#waker, this, plan.spinUs);
    this.#wakers[place] = this.#waker;
    const maxCalls = plan.maxWaiting + plan.blockingThreads;
    this.#blocking = new RemoteBlocking(
      (message, transfer) => this.post(message, transfer),
      maxCalls,
      (calls) => metrics.set(place, Field.CALLS, calls),
    );
    setCurrentRuntime(new TaskSpawner(this.#sender, this.reactor, this.#blocking));
    if (plan.driver === 'run') void this.reactor.run();
  }

  get pending(): number {
    return this.#sender.pending;
  }

  get waiting(): number {
    return this.#sender.waiting;
  }

  get entry(): Entry {
    return this.#entry;
  }

  async start(entry: string): Promise<void> {
    this.#port.on('message', (message: ToWorker) => this.#onMessage(message));
    this.#entry = await loadEntry(entry);
    this.post({ kind: 'ready', waker: this.#waker.share(), names: [...this.#entry.tasks.keys()] });
  }

  /** Its code is loaded when there is a server. */
  #ensureServing(): WorkerServing {
    if (this.#serving !== null) return this.#serving;
    this.#serving = new WorkerServing(this);
    if (this.#begun) this.#serving.begin();
    return this.#serving;
  }

  #begin(names: readonly string[]): void {
    this.#begun = true;
    const { tasks } = this.#entry;
    const own = [...tasks.keys()];
    this.#sender.setNames(new Map(own.map((name) => [name, names.indexOf(name)])));
    const missing = (name: string): TaskFunction => {
      return () => {
        throw noSuchTask(name, own);
      };
    };
    const numbered = names.map((name) => tasks.get(name) ?? missing(name));
    this.#executor.begin(names, numbered);
    this.#serving?.begin();
  }

  #retire(): void {
    this.#retires = true;
    this.#executor.retire();
    this.#serving?.retire();
  }

  post(message: FromWorker, transfer: readonly unknown[] = []): void {
    this.#port.postMessage(message, transfer as readonly Transferable[]);
  }

  // ---- while it is awake ----

  work(isWoken: boolean): void {
    if (isWoken || this.#sender.hasDone) this.#sender.run();
    this.#executor.turn();
    this.#serving?.onWake();
    if (this.#retires) this.#tellRetired();
  }

  #tellRetired(): void {
    const isBusy = !this.#executor.isIdle || this.#sender.pending > 0;
    if (isBusy || (this.#serving !== null && !this.#serving.isDone)) return;
    this.#retires = false;
    this.post({ kind: 'retired' });
  }

  tell(): void {
    this.#executor.tell();
  }

  expectsWork(): boolean {
    return this.#executor.expectsWork();
  }

  hasWork(): boolean {
    return this.#executor.hasWork() || this.#sender.hasDone;
  }

  sleep(): boolean {
    return this.#executor.sleep();
  }

  #onMessage(message: ToWorker): void {
    if (message.kind === 'task') this.#executor.add(message);
    else if (message.kind === 'result') this.#sender.onResult(message);
    else if (message.kind === 'blocking-result') this.#blocking.onResult(message);
    else if (message.kind === 'waker') this.#onWaker(message.place, message.waker);
    else if (message.kind === 'begin') this.#begin(message.names);
    else if (message.kind === 'retire') this.#retire();
    else if (message.kind === 'observe') this.#observe(message);
    else if (message.kind === 'unobserve') this.#endObservation();
    else this.#ensureServing().onOrder(message.order);
    if (this.#retires) this.again();
  }

  #onWaker(place: number, shared: SharedWaker): void {
    const waker = Waker.from(shared);
    this.#wakers[place] = waker;
    // What this thread had to say before it knew how.
    waker.wake();
  }

  // ---- for who looks into it ----

  #observe({ module, data }: ObserveMessage): void {
    this.#endObservation();
    const { observeWorker } = createRequire(__filename)(module) as { observeWorker: ObserveWorker };
    this.#unobserve = observeWorker(this, data as never);
  }

  #endObservation(): void {
    this.#unobserve?.();
    this.#unobserve = null;
  }

  setProbe(probe: TaskProbe | null): void {
    this.#executor.setProbe(probe);
    this.#sender.probe = probe;
  }

  // ---- for the tasks ----

  again(): void {
    this.#awake.soon();
  }

  get willTell(): boolean {
    return this.#awake.isScheduled;
  }

  wakeThread(thread: number): void {
    if (thread === 0) this.#mainWaker.wake();
    else if (thread === this.thread) this.#sender.run();
    else this.wakeWorker(thread - 1);
  }

  sendResult(message: ResultMessage): void {
    const { thread, value, transfer } = message;
    if (thread !== this.thread) this.post(message, transfer);
    else this.#sender.onResult({ ...message, value: cloned(value, transfer) });
  }

  // ---- for what they spawn ----

  submit(id: number): boolean {
    return this.#executor.push(id);
  }

  sendTask(message: TaskMessage): void {
    this.#executor.add({ ...message, args: cloned(message.args, message.transfer), transfer: [] });
  }

  /** This one: there is no port to the others, and by way of the main one it is cloned twice. */
  chooseWorker(): number {
    return this.place;
  }

  wakeWorker(place: number): void {
    this.#wakers[place]?.wake();
  }

  // ---- for the servers ----

  say(said: Report): void {
    this.post({ kind: 'serving', said });
  }

  wakePlace(place: number): void {
    this.wakeWorker(place);
  }

  causeOf(): unknown {
    return undefined;
  }

  takeWaiting(): WaitingTask | undefined {
    return this.#sender.takeWaiting();
  }

  settle(handle: TaskHandle, failed: boolean, value: unknown): void {
    this.#sender.settle(handle, failed, value);
  }

  onWaiting(): void {
    this.#awake.soon();
  }

  hold(): void {
    // The port keeps the thread alive.
  }

  release(): void {
    // As above.
  }
}

interface ThreadPlan {
  readonly tripollRuntime: WorkerPlan | BlockingPlan;
  started?: boolean;
}

async function start({ tripollRuntime: plan }: ThreadPlan, port: MessagePort): Promise<void> {
  try {
    if ('blocking' in plan) await answerTasks(plan, port);
    else await new WorkerThread(plan, port).start(plan.entry);
  } catch (error) {
    // Who hears of it ends this thread: one that ended itself might not be heard everywhere.
    postFailure(port, error);
    port.on('message', () => {});
  }
}

function postFailure(port: MessagePort, error: unknown): void {
  const post = (thrown: unknown): void =>
    port.postMessage({ kind: 'failed', thrown: describeThrown(thrown) } satisfies FromWorker);
  try {
    post(error);
  } catch {
    // A function, say, which no port takes.
    post(new Error(reasonOf(error)));
  }
}

const data = workerData as Partial<ThreadPlan> | null | undefined;
// Another copy of this package in the same thread must not begin a second time.
if (!isMainThread && parentPort !== null && data?.tripollRuntime !== undefined && data.started !== true) {
  data.started = true;
  void start(data as ThreadPlan, parentPort);
}
