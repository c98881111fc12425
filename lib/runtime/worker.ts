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
import { reasonOf } from './errors.js';
import { Executor, type ExecutorHost } from './executor.js';
import type { TaskHandle } from './handle.js';
import { loadTasks } from './load-tasks.js';
import type {
  BlockingPlan,
  FromWorker,
  ResultMessage,
  TaskMessage,
  ToWorker,
  WorkerPlan,
} from './messages.js';
import { MetricsTable } from './metrics.js';
import { cloned } from './moved.js';
import { describeThrown } from './remote-error.js';
import { Scheduler } from './scheduler/scheduler.js';
import { Sender, type SenderHost } from './sender.js';
import { TaskSpawner } from './spawner.js';
import { TaskTable } from './table.js';
import type { WaitingTask } from './waiting.js';

/** A worker's thread, from its own side: its tasks, and what they spawn. */
class WorkerThread implements AwakeHost, ExecutorHost, SenderHost {
  readonly worker: number;
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

  constructor(plan: WorkerPlan, port: MessagePort) {
    const { worker } = plan;
    this.worker = worker;
    this.thread = worker + 1;
    this.limit = plan.tasksPerWorker;
    this.#port = port;
    this.#mainWaker = Waker.from(plan.mainWaker);
    this.#wakers = plan.wakers.map((shared) => (shared === null ? null : Waker.from(shared)));
    const table = new TaskTable(plan.table);
    const scheduler = new Scheduler(plan.queues, (sleeper) => this.wakeWorker(sleeper));
    this.#sender = new Sender(this, table, plan.maxWaiting);
    const metrics = new MetricsTable(plan.metrics);
    metrics.reset(worker);
    this.#executor = new Executor(this, table, scheduler.worker(worker), metrics);
    const reactor = Reactor.default;
    this.#waker = reactor.waker(() => this.#awake.run());
    this.#awake = new Awake(this.#waker, this, plan.spinUs);
    this.#wakers[worker] = this.#waker;
    const maxCalls = plan.maxWaiting + plan.blockingThreads;
    this.#blocking = new RemoteBlocking((message, transfer) => this.post(message, transfer), maxCalls);
    setCurrentRuntime(new TaskSpawner(this.#sender, reactor, this.#blocking));
    if (plan.driver === 'run') void reactor.run();
  }

  get pending(): number {
    return this.#sender.pending;
  }

  async start(entry: string): Promise<void> {
    this.#port.on('message', (message: ToWorker) => this.#onMessage(message));
    const { names, tasks } = await loadTasks(entry);
    this.#sender.setNames(names);
    this.post({ kind: 'ready', waker: this.#waker.share(), names });
    this.#executor.begin(names, tasks);
  }

  post(message: FromWorker, transfer: readonly unknown[] = []): void {
    this.#port.postMessage(message, transfer as readonly Transferable[]);
  }

  // ---- while it is awake ----

  work(isWoken: boolean): void {
    if (isWoken || this.#sender.hasDone) this.#sender.run();
    this.#executor.turn();
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
    else this.#onWaker(message.worker, message.waker);
  }

  #onWaker(worker: number, shared: SharedWaker): void {
    const waker = Waker.from(shared);
    this.#wakers[worker] = waker;
    // What this thread had to say before it knew how.
    waker.wake();
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
    return this.worker;
  }

  wakeWorker(worker: number): void {
    this.#wakers[worker]?.wake();
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
