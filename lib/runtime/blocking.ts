import type { Transferable, Worker } from 'node:worker_threads';
import { busyError } from '../binding/errors.js';
import type { BlockingCalls } from './blocking-calls.js';
import { entryError, isEntryError, noSuchTask, notCloneable, workerDied } from './errors.js';
import { TaskHandle, type TaskOwner } from './handle.js';
import type { BlockingAnswer, BlockingPlan, BlockingTask } from './messages.js';
import { moved } from './moved.js';
import { newThread } from './new-thread.js';
import { rebuildThrown, type Thrown } from './remote-error.js';
import { WaitingTasks, type WaitingTask } from './waiting.js';

/** BEGINS until it has loaded its entry; ENDS from when it is terminated. */
type State = 'BEGINS' | 'WAITS' | 'RUNS' | 'ENDS';

interface BlockingThread {
  readonly thread: Worker;
  readonly index: number;
  state: State;
  /** Of what it runs. */
  handle: TaskHandle | null;
  name: string;
  /** Its code is replaced: it does nothing more than what it is at. */
  isOld: boolean;
  cause: unknown;
}

const NOTHING: readonly unknown[] = [];

/**
 * Threads for functions that block: begun when there is more to do than threads, up to a bound, and
 * kept. A thread of ours is forty lines, and needs no package that waits in `Atomics.wait`.
 */
export class BlockingPool implements BlockingCalls, TaskOwner {
  readonly #entry: string;
  readonly #maxThreads: number;
  readonly #maxWaiting: number;
  readonly #threads = new Set<BlockingThread>();
  readonly #waiting = new WaitingTasks();
  #failure: Error | null = null;
  #begun = 0;

  constructor(entry: string, maxThreads: number, maxWaiting: number) {
    this.#entry = entry;
    this.#maxThreads = maxThreads;
    this.#maxWaiting = maxWaiting;
  }

  get threads(): number {
    return this.#threads.size;
  }

  get pending(): number {
    return this.#waiting.length + this.#count('RUNS');
  }

  run(name: string, args: readonly unknown[], transfer = NOTHING): TaskHandle {
    const handle = new TaskHandle(this);
    const { length } = this.#waiting;
    // Threads that have nothing to do, or can yet be begun, take as many of those that wait.
    if (this.#failure !== null) handle.fail(this.#failure);
    else if (length >= this.#maxWaiting + this.#maxThreads - this.#count('RUNS'))
      handle.fail(busyError(`${length} calls wait for a thread (maxWaiting)`));
    else {
      this.#waiting.push({ handle, name, args, transfer });
      this.#next();
    }
    return handle;
  }

  /** What waits is forgotten; a thread that runs it cannot be stopped otherwise. */
  cancelled(handle: TaskHandle): void {
    for (const each of this.#threads) {
      if (each.handle !== handle) continue;
      each.handle = null;
      this.#end(each);
      return;
    }
    this.#waiting.giveUp();
  }

  #count(state: State): number {
    let count = 0;
    for (const each of this.#threads) if (each.state === state) count++;
    return count;
  }

  #next(): void {
    for (const each of this.#threads) if (each.state === 'WAITS') this.#give(each);
    if (this.#waiting.length > this.#count('BEGINS') && this.#threads.size < this.#maxThreads) this.#start();
  }

  #give(each: BlockingThread): void {
    // Each time round one of those that wait is rejected.
    for (let task = this.#waiting.shift(); task !== undefined; task = this.#waiting.shift()) {
      if (this.#post(each, task)) return;
    }
    each.thread.unref();
  }

  #post(each: BlockingThread, { handle, name, args, transfer }: WaitingTask): boolean {
    // Before the arguments are read: a getter among them may come here again.
    each.state = 'RUNS';
    each.handle = handle;
    each.name = name;
    try {
      each.thread.postMessage({ name, args } satisfies BlockingTask, transfer as Transferable[]);
    } catch (error) {
      each.handle = null;
      handle.fail(notCloneable('the arguments', name, error));
      if (each.state === 'RUNS') each.state = 'WAITS';
      return each.state !== 'WAITS';
    }
    each.thread.ref();
    return true;
  }

  #start(): void {
    const thread = newThread({ blocking: true, entry: this.#entry } satisfies BlockingPlan);
    const each: BlockingThread = {
      ...{ thread, index: this.#begun++, state: 'BEGINS', handle: null, name: '' },
      ...{ isOld: false, cause: undefined },
    };
    this.#threads.add(each);
    thread.on('message', (answer: BlockingAnswer) => this.#onAnswer(each, answer));
    thread.on('error', (error) => (each.cause = error));
    thread.on('exit', (exitCode) => this.#onExit(each, exitCode));
  }

  /** Threads that come from now on load the entry anew. */
  reload(): void {
    for (const each of this.#threads) {
      each.isOld = true;
      if (each.state === 'WAITS') this.#end(each);
    }
  }

  #end(each: BlockingThread): void {
    each.state = 'ENDS';
    void each.thread.terminate();
  }

  #onAnswer(each: BlockingThread, answer: BlockingAnswer): void {
    // What was on its way when it was terminated.
    if (each.state === 'ENDS') return;
    if (answer.kind === 'failed') {
      each.cause = entryError(this.#entry, rebuildThrown(answer.thrown));
      void each.thread.terminate();
      return;
    }
    const { handle } = each;
    each.handle = null;
    each.state = 'WAITS';
    if (handle !== null && answer.kind !== 'ready') settle(handle, each.name, answer);
    if (each.isOld) this.#end(each);
    this.#next();
  }

  #onExit(each: BlockingThread, exitCode: number): void {
    this.#threads.delete(each);
    if (this.#failure !== null) return;
    // One that never was ready takes a waiting call with it: nothing is tried for ever.
    const handle = each.handle ?? (each.state === 'BEGINS' ? this.#waiting.shift()?.handle : undefined);
    handle?.fail(isEntryError(each.cause) ? each.cause : workerDied(each.index, exitCode, each.cause));
    this.#next();
  }

  async close(error: Error): Promise<void> {
    this.#failure ??= error;
    for (const { handle } of this.#waiting.clear()) handle.fail(error);
    for (const { handle } of this.#threads) handle?.fail(error);
    await Promise.all([...this.#threads].map(({ thread }) => thread.terminate()));
  }
}

type Outcome = Exclude<BlockingAnswer, { kind: 'ready' | 'failed' }>;

function settle(handle: TaskHandle, name: string, answer: Outcome): void {
  if (answer.kind === 'unknown') handle.fail(noSuchTask(name, answer.names));
  else if (answer.failed) handle.fail(rebuildThrown(answer.value as Thrown));
  else {
    const { value, transfer } = answer;
    handle.succeed(transfer.length === 0 ? value : moved(value as object, transfer as Transferable[]));
  }
}
