import { busyError } from '../binding/errors.js';
import { noSuchTask, notCloneable, workerDied } from './errors.js';
import { TaskHandle, type TaskOwner } from './handle.js';
import type { ResultMessage, TaskMessage } from './messages.js';
import type { TaskProbe } from './probe.js';
import { rebuildThrown, type Thrown } from './remote-error.js';
import { Outcome, slotOfId, type TaskTable } from './table.js';
import { WaitingTasks, type WaitingTask } from './waiting.js';

/** What a sender needs of its thread. */
export interface SenderHost {
  /** 0: who made the runtime; else 1 + the worker's index. */
  readonly thread: number;
  /** Hands an id to the scheduler; false when that is full. */
  submit(id: number): boolean;
  sendTask(message: TaskMessage): void;
  /** For a task whose arguments go by a port. */
  chooseWorker(): number;
  wakeWorker(worker: number): void;
  /** What has ended the worker's thread, where this thread knows. */
  causeOf(worker: number): unknown;
  /** A task waits for a slot. */
  onWaiting(): void;
  /** Some task is awaited now. */
  hold(): void;
  /** None is any more. */
  release(): void;
}

const NOTHING: readonly unknown[] = [];
const NO_ACTION = (): void => {};

/** The tasks that one thread has spawned: their slots, their handles, and those that wait. */
export class Sender implements TaskOwner {
  /** Null while nobody looks. */
  probe: TaskProbe | null = null;
  /** Numbers of the tasks, by name; null until a worker has told. */
  #names: ReadonlyMap<string, number> | null = null;
  #lastName: string | null = null;
  #lastNumber = -1;
  /** Why nothing can be spawned any more. */
  #failure: Error | null = null;
  readonly #host: SenderHost;
  readonly #table: TaskTable;
  readonly #base: number;
  readonly #free: number[] = [];
  readonly #handles: (TaskHandle | undefined)[];
  readonly #waiting = new WaitingTasks();
  readonly #maxWaiting: number;
  /** Slots whose ids the scheduler had no room for. */
  readonly #stalled = new Set<number>();
  /** Handles that are not settled. */
  #pending = 0;
  /** Who waits for that to be 0. */
  #onIdle: (() => void)[] = [];
  readonly #complete = (slot: number): void => this.#onDone(slot);

  constructor(host: SenderHost, table: TaskTable, maxWaiting: number) {
    this.#host = host;
    this.#table = table;
    this.#maxWaiting = maxWaiting;
    this.#base = host.thread * table.capacity;
    this.#handles = new Array<TaskHandle | undefined>(table.capacity);
    // The lowest last, so that it is taken first: few slots stay warm. A predecessor of this
    // thread may have left some that are still in use; they are freed when they are done.
    for (let own = table.capacity - 1; own >= 0; own--) {
      if (table.isFree(this.#base + own)) this.#free.push(this.#base + own);
    }
  }

  get pending(): number {
    return this.#pending;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether a task would get a slot at once, or be refused. */
  get hasRoom(): boolean {
    return this.#failure !== null || this.waiting < this.#free.length;
  }

  /** Whether `run` would settle a handle. */
  get hasDone(): boolean {
    return this.#pending > 0 && this.#table.hasDone(this.#host.thread);
  }

  /** A handle of a task that never was. */
  refuse(error: Error): TaskHandle {
    const handle = new TaskHandle(this);
    handle.fail(error);
    return handle;
  }

  /** Something else than a task is awaited: the process stays. */
  keep(): void {
    if (this.#pending++ === 0) this.#host.hold();
  }

  letGo(): void {
    this.#ended();
  }

  spawn(name: string, args: readonly unknown[], transfer: readonly unknown[] = NOTHING): TaskHandle {
    const handle = new TaskHandle(this);
    this.keep();
    if (this.#failure !== null) this.#fail(handle, this.#failure);
    else if (this.#free.length > 0 && this.waiting === 0 && this.#names !== null)
      this.#place(handle, name, args, transfer);
    else if (this.waiting >= this.#maxWaiting)
      this.#fail(handle, busyError(`${this.waiting} tasks wait for a place, as many as may (maxWaiting)`));
    else {
      this.#waiting.push({ handle, name, args, transfer });
      this.#host.onWaiting();
    }
    return handle;
  }

  /**
   * Takes the task that waits longest, for the thread to run it itself: tasks that wait for what
   * they have spawned may have all slots, and what they wait for none.
   */
  takeWaiting(): WaitingTask | undefined {
    const task = this.#waiting.shift();
    if (task !== undefined) task.handle.onCancel = NO_ACTION;
    return task;
  }

  /** What came of a task that was taken so. */
  settle(handle: TaskHandle, failed: boolean, value: unknown): void {
    if (handle.settled) return;
    if (failed) handle.fail(value);
    else handle.succeed(value);
    this.#ended();
  }

  /** The tasks that there are, with their numbers. */
  setNames(names: ReadonlyMap<string, number>): void {
    this.#names = names;
    this.#lastName = null;
    this.#placeWaiting();
  }

  #place(handle: TaskHandle, name: string, args: readonly unknown[], transfer: readonly unknown[]): void {
    const task = this.#numberOf(name);
    if (task === -1) {
      this.#fail(handle, noSuchTask(name, [...this.#names!.keys()]));
      return;
    }
    const { probe } = this;
    probe?.spawnStart();
    const slot = this.#free.pop()!;
    // Before the arguments are read: a getter among them may give up this very task.
    handle.slot = slot;
    this.#handles[slot - this.#base] = handle;
    try {
      const isInline = transfer.length === 0 && this.#table.writeArguments(slot, args);
      if (handle.settled) {
        this.#free.push(slot);
        return;
      }
      if (!isInline) this.#sendByPort(slot, task, args, transfer);
      else if (!this.#host.submit(this.#table.enqueue(slot, task))) this.#stalled.add(slot);
      // Its id stays its slot's until this thread frees that.
      probe?.spawnEnd(this.#table.idOf(slot), name);
    } catch (error) {
      this.#forget(slot);
      if (!handle.settled) this.#fail(handle, notCloneable('the arguments', name, error));
    }
  }

  /** -1: there is none. The same name mostly comes many times. */
  #numberOf(name: string): number {
    if (name === this.#lastName) return this.#lastNumber;
    const number = this.#names!.get(name);
    if (number === undefined) return -1;
    this.#lastName = name;
    return (this.#lastNumber = number);
  }

  #sendByPort(slot: number, task: number, args: readonly unknown[], transfer: readonly unknown[]): void {
    const place = this.#host.chooseWorker();
    const id = this.#table.bind(slot, task, place);
    this.#host.sendTask({ kind: 'task', place, id, task, args, transfer });
  }

  #release(slot: number): void {
    this.#table.free(slot);
    this.#free.push(slot);
  }

  #fail(handle: TaskHandle, error: unknown): void {
    handle.fail(error);
    this.#ended();
  }

  #ended(): void {
    if (--this.#pending > 0) return;
    this.#host.release();
    const callbacks = this.#onIdle;
    this.#onIdle = [];
    for (const callback of callbacks) callback();
  }

  /** Calls `fn` once when no handle is pending. */
  whenIdle(fn: () => void): void {
    if (this.#pending === 0) fn();
    else this.#onIdle.push(fn);
  }

  /** Settles the handles of what is done, and goes on with what waits. */
  run(): void {
    this.#table.takeDone(this.#host.thread, this.#complete);
    this.#submitStalled();
    this.#placeWaiting();
  }

  /** Hands ids to the scheduler, again. */
  retry(ids: readonly number[]): void {
    for (const id of ids) this.#stalled.add(slotOfId(id));
    this.#submitStalled();
  }

  /** Again when this thread is woken: whoever takes a stale id out of a queue does that. */
  #submitStalled(): void {
    for (const slot of this.#stalled) {
      const id = this.#table.queuedId(slot);
      if (id !== 0 && !this.#host.submit(id)) return;
      this.#stalled.delete(slot);
    }
  }

  #placeWaiting(): void {
    if (this.#names === null) return;
    while (this.#free.length > 0) {
      const task = this.#waiting.shift();
      if (task === undefined) return;
      this.#place(task.handle, task.name, task.args, task.transfer);
    }
  }

  #onDone(slot: number): void {
    const handle = this.#handles[slot - this.#base];
    const outcome = this.#table.kindOf(slot);
    const value = handle === undefined ? undefined : this.#table.read(slot);
    this.#forget(slot);
    if (handle === undefined) return;
    if (outcome === Outcome.VALUE) handle.succeed(value);
    else if (outcome === Outcome.ERROR) handle.fail(rebuildThrown(value as Thrown));
    else handle.fail(this.#deathOf(value as [number, number, Thrown?]));
    this.#ended();
  }

  #forget(slot: number): void {
    this.#handles[slot - this.#base] = undefined;
    this.#release(slot);
  }

  #deathOf([worker, exitCode, thrown]: [number, number, Thrown?]): Error {
    const cause = this.#host.causeOf(worker) ?? (thrown === undefined ? undefined : rebuildThrown(thrown));
    return workerDied(worker, exitCode, cause);
  }

  /** An outcome that has come by a port. */
  onResult({ id, failed, value }: ResultMessage): void {
    const slot = this.#table.slotOf(id);
    if (slot === -1) return;
    const handle = this.#handles[slot - this.#base];
    this.#forget(slot);
    if (handle === undefined) return;
    if (failed) handle.fail(rebuildThrown(value as Thrown));
    else handle.succeed(value);
    this.#ended();
  }

  /** A handle has been rejected: what it was for is not needed any more. */
  cancelled(handle: TaskHandle): void {
    this.#ended();
    const { slot } = handle;
    if (slot === -1) {
      if (handle.onCancel === null) this.#waiting.giveUp();
      else handle.onCancel();
      return;
    }
    this.#handles[slot - this.#base] = undefined;
    if (this.#table.withdraw(slot)) {
      this.#free.push(slot);
      this.#placeWaiting();
      return;
    }
    const worker = this.#table.requestAbort(slot);
    if (worker >= 0) this.#host.wakeWorker(worker);
  }

  /** Nothing will come any more: all that is pending is rejected, and whatever is spawned later. */
  stop(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    for (const { handle } of this.#waiting.clear()) this.#fail(handle, error);
    for (const handle of this.#handles) if (handle !== undefined) this.#fail(handle, error);
    for (let own = 0; own < this.#handles.length; own++) this.#handles[own] = undefined;
  }
}
