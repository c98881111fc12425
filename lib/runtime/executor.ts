import type { AsyncResource } from 'node:async_hooks';
import { nextTick, nowMs } from '../binding/host-clock.js';
import { newContext } from '../reactor/context.js';
import { setCurrentTask, type TaskContext } from './current.js';
import { noSuchTask, notCloneable } from './errors.js';
import type { TaskHandle } from './handle.js';
import type { ResultMessage, TaskMessage } from './messages.js';
import { Field, type MetricsTable } from './metrics.js';
import { cloned, transferOf } from './moved.js';
import type { TaskProbe } from './probe.js';
import { describeThrown, rebuildThrown } from './remote-error.js';
import type { WorkerQueue } from './scheduler/scheduler.js';
import { toSharedMs } from './shared-clock.js';
import { Outcome, type TaskTable } from './table.js';
import type { WaitingTask } from './waiting.js';

/** Of any kind, by the names of the entry's functions. */
export type TaskFunction = (...args: unknown[]) => unknown;

/** What an executor needs of its thread. */
export interface ExecutorHost {
  /** As tasks know it. */
  readonly worker: number;
  /** As the table and the queues know its thread. */
  readonly place: number;
  /** Tasks at once. */
  readonly limit: number;
  /** Tasks that its tasks have spawned, and that are not settled. */
  readonly pending: number;
  /** Those of them that no slot is free for. */
  readonly waiting: number;
  /** One turn more, when this one has ended. */
  again(): void;
  /** `tell` will be called. */
  readonly willTell: boolean;
  /** What its tasks have spawned and no slot is free for. */
  takeWaiting(): WaitingTask | undefined;
  settle(handle: TaskHandle, failed: boolean, value: unknown): void;
  /** The thread has something to take. */
  wakeThread(thread: number): void;
  sendResult(message: ResultMessage): void;
}

/** As much as Tokio lets a task do before it yields (tokio/src/task/coop/mod.rs). */
const MAX_TASKS_A_TURN = 128;
/** Node's own loop comes round after this: Tokio's target for looking at its other sources. */
const MAX_TURN_MS = 0.2;
/**
 * Where the tasks are longer: a round of Node's loop, whose code and data they have driven out of
 * the processor's caches, costs up to a tenth of a millisecond. With eight tasks of a millisecond a
 * turn it is a hundredth of them. (Tokio looks at its poller after 61 tasks, however long they take.)
 */
const MAX_LONG_TASKS_A_TURN = 8;
/** As eight of a millisecond take: a longer task alone makes a round of the loop cheap. */
const MAX_LONG_TURN_MS = 8;
/** The clock is not asked after each task where they are short. */
const CLOCK_INTERVAL_MS = 0.05;
const MAX_TASKS_BETWEEN_LOOKS = 16;
const US_PER_MS = 1000;

/** One of the tasks that run; used again for another when it has ended. */
class RunningTask implements TaskContext {
  slot = -1;
  /** Of a task without a slot, which this thread has spawned. */
  handle: TaskHandle | null = null;
  readonly worker: number;
  /**
   * Each task has its own, so that nothing of `AsyncLocalStorage` stays for the next: what
   * `enterWith` sets belongs to the resource, up to Node 22.
   */
  context: AsyncResource | null = null;
  #controller: AbortController | null = null;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly #watch: (task: RunningTask) => void;

  constructor(
    worker: number,
    onEnd: (task: RunningTask, failed: boolean, value: unknown) => void,
    watch: (task: RunningTask) => void,
  ) {
    this.worker = worker;
    this.resolve = (value) => onEnd(this, false, value);
    this.reject = (error) => onEnd(this, true, error);
    this.#watch = watch;
  }

  get signal(): AbortSignal {
    let controller = this.#controller;
    if (controller === null) {
      controller = new AbortController();
      // One that has ended is not told of anything.
      if (this.slot === -1 && this.handle === null) return controller.signal;
      this.#controller = controller;
      this.#watch(this);
    }
    return controller.signal;
  }

  get hasSignal(): boolean {
    return this.#controller !== null;
  }

  abort(): void {
    const controller = this.#controller;
    if (controller !== null) this.context?.runInAsyncScope(() => controller.abort());
  }

  clear(): void {
    this.slot = -1;
    this.handle = null;
    this.context = null;
    this.#controller = null;
  }
}

/** Runs the tasks of one worker's thread. */
export class Executor {
  readonly #host: ExecutorHost;
  readonly #table: TaskTable;
  readonly #queue: WorkerQueue;
  readonly #metrics: MetricsTable;
  #tasks: readonly TaskFunction[] = [];
  #names: readonly string[] = [];
  /** Bound to this worker, and not begun. Their slots bound how many there are. */
  #bound: TaskMessage[] = [];
  #running = 0;
  #parked = false;
  #retired = false;
  /** That have ended, to be used again: as many as ran at once. */
  readonly #spare: RunningTask[] = [];
  readonly #withSignal = new Set<RunningTask>();
  /** Threads to be woken when the promises that a turn has settled have run. */
  #dirty: number[] = [];
  #flushes = false;
  #tasksBetweenLooks = 1;
  #turnStartMs = 0;
  #begun = 0;
  #turns = 0;
  #busyMs = 0;
  #probe: TaskProbe | null = null;
  readonly #onEnd = (task: RunningTask, failed: boolean, value: unknown) => this.#ended(task, failed, value);
  readonly #watch = (task: RunningTask) => this.#onSignal(task);
  readonly #tellLater = () => this.tell();

  constructor(host: ExecutorHost, table: TaskTable, queue: WorkerQueue, metrics: MetricsTable) {
    this.#host = host;
    this.#table = table;
    this.#queue = queue;
    this.#metrics = metrics;
  }

  /** Null: nobody looks. */
  setProbe(probe: TaskProbe | null): void {
    this.#probe = probe;
    this.#queue.onSteal = probe === null ? null : (place, count, id) => probe.stole(place, count, id);
  }

  /** The entry has been loaded. */
  begin(names: readonly string[], tasks: readonly TaskFunction[]): void {
    this.#names = names;
    this.#tasks = tasks;
    this.#metrics.set(this.#host.place, Field.START_MS, Date.now());
    this.#host.again();
  }

  /** Takes no more tasks than those that only this thread can run. */
  retire(): void {
    this.#retired = true;
    this.#host.again();
  }

  /** Nothing runs, or is bound to this thread. */
  get isIdle(): boolean {
    return this.#running === 0 && this.#bound.length === 0;
  }

  /** A task that came by a port. */
  add(message: TaskMessage): void {
    this.#bound.push(message);
    this.#host.again();
  }

  /** Puts a task of this thread's own into its queue. */
  push(id: number): boolean {
    this.#unpark();
    // It runs when this turn, or whatever called this, has ended.
    this.#host.again();
    return this.#queue.push(id);
  }

  #unpark(): void {
    if (!this.#parked) return;
    this.#parked = false;
    this.#queue.unparked();
  }

  /** Takes tasks for a while: until there are none, the bound is reached, or the turn's time is up. */
  turn(): void {
    if (this.#tasks.length === 0) return;
    this.#unpark();
    if (this.#table.takeAborts(this.#host.place)) this.#tellAborts();
    this.#turnStartMs = nowMs();
    this.#metrics.set(this.#host.place, Field.TURN_MS, toSharedMs(this.#turnStartMs));
    this.#turns++;
    let taken = 0;
    while (taken < MAX_TASKS_A_TURN) {
      if (this.#isFull()) {
        this.#queue.rest();
        this.#endTurn(taken);
        return;
      }
      if (!this.#takeOne()) {
        // What follows runs promises of tasks: others are to take what comes meanwhile.
        this.#queue.rest();
        this.#endTurn(taken);
        return;
      }
      taken++;
      if (taken % this.#tasksBetweenLooks === 0 && this.#isOver(taken)) break;
    }
    this.#host.again();
    this.#endTurn(taken);
  }

  /** Whether the turn's time is up. */
  #isOver(taken: number): boolean {
    const elapsedMs = nowMs() - this.#turnStartMs;
    if (elapsedMs <= MAX_TURN_MS) return false;
    if (taken >= MAX_LONG_TASKS_A_TURN || elapsedMs > MAX_LONG_TURN_MS) return true;
    // What has ended does not wait for what comes next.
    this.#writeMetrics();
    this.#wakeDirty();
    return false;
  }

  /** Whether more may come soon; nobody else is woken for it then. */
  expectsWork(): boolean {
    return this.#tasks.length > 0 && !this.#isFull() && this.#queue.search();
  }

  hasWork(): boolean {
    return this.#tasks.length > 0 && !this.#isFull() && this.#queue.hasWork();
  }

  /** False when there is something to do. */
  sleep(): boolean {
    if (this.#parked || this.#tasks.length === 0 || this.#isFull()) return true;
    this.#parked = this.#queue.park();
    return this.#parked;
  }

  /**
   * What tasks have spawned, and may wait for, does not count: else they would keep from running
   * what they wait for.
   */
  #isFull(): boolean {
    if (this.#retired) return this.#bound.length === 0 && this.#host.waiting === 0;
    return this.#running >= this.#host.limit + this.#host.pending;
  }

  /** Begins the next task; false when there is none. */
  #takeOne(): boolean {
    const message = this.#bound.shift();
    if (message !== undefined) {
      const slot = this.#table.boundTo(message.id, this.#host.place);
      if (slot === -1) return true;
      // Given up before it began. Nobody hears of the outcome; the slot is freed by it.
      if (this.#table.isAborted(slot)) this.#tell(slot, false, undefined);
      else this.#begin(slot, message.task, message.args);
      return true;
    }
    const id = this.#retired ? 0 : this.#queue.next();
    if (id === 0) return this.#takeWaiting();
    const slot = this.#table.claim(id, this.#host.place);
    // Stale: a task that was taken back, or that another has, after a death. The thread that made
    // the runtime may wait for the place that has become free in the queue.
    if (slot === -1) this.#wakeLater(0);
    else this.#begin(slot, this.#table.kindOf(slot), this.#table.read(slot) as unknown[]);
    return true;
  }

  /** A task of this thread's own that waits for a slot. */
  #takeWaiting(): boolean {
    const waiting = this.#host.takeWaiting();
    if (waiting === undefined) return false;
    this.#queue.rest();
    const { handle, name, args, transfer } = waiting;
    const number = this.#names.indexOf(name);
    try {
      if (number === -1) throw noSuchTask(name, this.#names);
      const copies = cloned(args, transfer);
      // A getter among them has given up this very task.
      if (handle.settled) return true;
      const task = this.#newTask();
      task.handle = handle;
      handle.onCancel = () => {
        if (task.handle === handle) task.abort();
      };
      this.#call(task, number, copies);
    } catch (error) {
      // Of the task itself nothing comes here: it has an end of its own.
      this.#host.settle(handle, true, number === -1 ? error : notCloneable('the arguments', name, error));
    }
    return true;
  }

  #newTask(): RunningTask {
    return this.#spare.pop() ?? new RunningTask(this.#host.worker, this.#onEnd, this.#watch);
  }

  #begin(slot: number, number: number, args: readonly unknown[]): void {
    const task = this.#newTask();
    task.slot = slot;
    this.#call(task, number, args);
  }

  #call(task: RunningTask, number: number, args: readonly unknown[]): void {
    this.#running++;
    this.#begun++;
    const context = newContext();
    task.context = context;
    const { slot } = task;
    this.#probe?.taskStart(task, slot === -1 ? 0 : this.#table.idOf(slot), this.#names[number] ?? '');
    context.runInAsyncScope(callTask, null, this.#tasks[number] ?? missing, task, args);
    this.#probe?.taskReturn(task);
  }

  #onSignal(task: RunningTask): void {
    this.#withSignal.add(task);
    // Perhaps all that had signals were told before this one had.
    const { slot, handle } = task;
    if (handle === null ? this.#table.isAborted(slot) : handle.settled) task.abort();
  }

  #ended(task: RunningTask, failed: boolean, value: unknown): void {
    const { slot, handle } = task;
    this.#probe?.taskEnd(task, failed);
    if (task.hasSignal) this.#withSignal.delete(task);
    task.clear();
    this.#spare.push(task);
    const wasFull = this.#isFull();
    this.#running--;
    if (wasFull) this.#host.again();
    if (handle === null) this.#tell(slot, failed, value);
    else {
      this.#tellHere(handle, failed, value);
      // That fewer run.
      this.#flushSoon();
    }
  }

  /** The same copies as from another thread. */
  #tellHere(handle: TaskHandle, failed: boolean, value: unknown): void {
    try {
      const sent: unknown = failed
        ? rebuildThrown(cloned(describeThrown(value), []))
        : cloned(value, transferOf(value));
      this.#host.settle(handle, failed, sent);
    } catch (error) {
      this.#host.settle(handle, true, notCloneable('the result', 'of this worker', error));
    }
  }

  #tell(slot: number, failed: boolean, value: unknown): void {
    const sent = failed ? describeThrown(value) : value;
    let isInline = false;
    try {
      isInline = this.#table.write(slot, sent);
      if (!isInline) this.#send(slot, failed, sent, transferOf(value));
    } catch (error) {
      // A getter that throws, a value that cannot be cloned: an error of plain fields always can.
      const name = this.#names[this.#table.kindOf(slot)] ?? '';
      this.#send(slot, true, describeThrown(notCloneable('the result', name, error)), []);
    }
    if (isInline) {
      this.#table.finish(slot, this.#host.place, failed ? Outcome.ERROR : Outcome.VALUE);
      this.#wakeLater(this.#table.spawnerOf(slot));
      return;
    }
    this.#flushSoon();
  }

  #wakeLater(thread: number): void {
    if (!this.#dirty.includes(thread)) this.#dirty.push(thread);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushes || this.#host.willTell) return;
    this.#flushes = true;
    nextTick(this.#tellLater);
  }

  #send(slot: number, failed: boolean, value: unknown, transfer: readonly unknown[]): void {
    const thread = this.#table.spawnerOf(slot);
    this.#host.sendResult({
      kind: 'result',
      ...{ thread, id: this.#table.idOf(slot), failed, value, transfer },
    });
  }

  /** After the microtasks: one wake for all that ended in them. */
  tell(): void {
    this.#flushes = false;
    this.#probe?.tasksSettled();
    this.#metrics.set(this.#host.place, Field.RUNNING, this.#running);
    this.#wakeDirty();
  }

  #wakeDirty(): void {
    if (this.#dirty.length === 0) return;
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const thread of dirty) this.#host.wakeThread(thread);
  }

  #tellAborts(): void {
    for (const task of [...this.#withSignal])
      if (task.slot !== -1 && this.#table.isAborted(task.slot)) task.abort();
  }

  #endTurn(taken: number): void {
    const elapsedMs = nowMs() - this.#turnStartMs;
    if (taken > 0) {
      const looks = Math.floor((CLOCK_INTERVAL_MS * taken) / Math.max(elapsedMs, Number.EPSILON));
      this.#tasksBetweenLooks = Math.min(Math.max(looks, 1), MAX_TASKS_BETWEEN_LOOKS);
    }
    this.#busyMs += elapsedMs;
    this.#queue.tune(elapsedMs * US_PER_MS);
    this.#probe?.tasksRan(this.#turnStartMs, this.#turnStartMs + elapsedMs, taken);
    this.#metrics.set(this.#host.place, Field.BUSY_MS, this.#busyMs);
    this.#metrics.set(this.#host.place, Field.TURN_MS, 0);
    this.#writeMetrics();
  }

  #writeMetrics(): void {
    const { place } = this.#host;
    this.#metrics.set(place, Field.TASKS, this.#begun);
    this.#metrics.set(place, Field.TURNS, this.#turns);
    // Last: whoever sees that so many run has the other counts, too.
    this.#metrics.set(place, Field.RUNNING, this.#running);
  }
}

function callTask(fn: TaskFunction, task: RunningTask, args: readonly unknown[]): void {
  let result: unknown;
  setCurrentTask(task);
  try {
    result = fn(...args);
    const promise = promiseOf(result);
    if (promise !== null) {
      void promise.then(task.resolve, task.reject);
      return;
    }
  } catch (error) {
    task.reject(error);
    return;
  } finally {
    setCurrentTask(null);
  }
  task.resolve(result);
}

/** Of a newer entry, which this thread has not loaded. */
function missing(): never {
  throw noSuchTask('of this newer one', []);
}

/** Null for what is no promise. @throws what a proxy's traps throw */
function promiseOf(result: unknown): Promise<unknown> | null {
  if (typeof result !== 'object' || result === null) return null;
  // As an async function has made it. Anything else that has a `then` may call back twice.
  if (Object.getPrototypeOf(result) === Promise.prototype) return result as Promise<unknown>;
  return 'then' in result ? Promise.resolve(result) : null;
}
