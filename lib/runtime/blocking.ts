import type { Worker } from 'node:worker_threads';
import { busyError } from '../binding/errors.js';
import { entryError, isEntryError, noSuchTask, notCloneable, workerDied } from './errors.js';
import type { BlockingAnswer, BlockingPlan, BlockingTask } from './messages.js';
import { newThread } from './pool.js';
import { rebuildThrown } from './remote-error.js';

interface Job {
  readonly name: string;
  readonly args: readonly unknown[];
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

interface BlockingThread {
  readonly thread: Worker;
  readonly index: number;
  job: Job | null;
  ready: boolean;
  cause: unknown;
}

/**
 * Threads for functions that block: begun when there is more to do than threads, up to a bound, and
 * kept. A thread of ours is forty lines, and needs no package that waits in `Atomics.wait`.
 */
export class BlockingPool {
  readonly #entry: string;
  readonly #maxThreads: number;
  readonly #maxWaiting: number;
  readonly #threads = new Set<BlockingThread>();
  #waiting: Job[] = [];
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
    return this.#waiting.length + [...this.#threads].filter(({ job }) => job !== null).length;
  }

  run(name: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#waiting.length >= this.#maxWaiting)
      return Promise.reject(busyError(`${this.#waiting.length} calls wait for a thread (maxWaiting)`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ name, args, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    for (const each of this.#threads) if (each.ready && each.job === null) this.#give(each);
    const beginning = [...this.#threads].filter(({ ready }) => !ready).length;
    if (this.#waiting.length > beginning && this.#threads.size < this.#maxThreads) this.#start();
  }

  #give(each: BlockingThread): void {
    // Each time round one of those that wait is rejected.
    for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) {
      const { name, args } = job;
      try {
        each.thread.postMessage({ name, args } satisfies BlockingTask);
      } catch (error) {
        job.reject(notCloneable('the arguments', name, error));
        continue;
      }
      each.job = job;
      each.thread.ref();
      return;
    }
    each.thread.unref();
  }

  #start(): void {
    const thread = newThread({ blocking: true, entry: this.#entry } satisfies BlockingPlan);
    const each: BlockingThread = { thread, index: this.#begun++, job: null, ready: false, cause: undefined };
    this.#threads.add(each);
    thread.on('message', (answer: BlockingAnswer) => this.#onAnswer(each, answer));
    thread.on('error', (error) => (each.cause = error));
    thread.on('exit', (exitCode) => this.#onExit(each, exitCode));
  }

  #onAnswer(each: BlockingThread, answer: BlockingAnswer): void {
    const { job } = each;
    if (answer.kind === 'failed') {
      each.cause = entryError(this.#entry, rebuildThrown(answer.thrown));
      void each.thread.terminate();
      return;
    }
    each.job = null;
    if (answer.kind === 'ready') each.ready = true;
    else if (answer.kind === 'unknown') job?.reject(noSuchTask(job.name, answer.names));
    else if (answer.failed) job?.reject(rebuildThrown(answer.value as never));
    else job?.resolve(answer.value);
    this.#next();
  }

  #onExit(each: BlockingThread, exitCode: number): void {
    this.#threads.delete(each);
    if (this.#failure !== null) return;
    // One that never was ready takes a waiting call with it: nothing is tried for ever.
    const job = each.job ?? (each.ready ? undefined : this.#waiting.shift());
    job?.reject(isEntryError(each.cause) ? each.cause : workerDied(each.index, exitCode, each.cause));
    this.#next();
  }

  async close(error: Error): Promise<void> {
    this.#failure ??= error;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const job of waiting) job.reject(error);
    for (const { job } of this.#threads) job?.reject(error);
    await Promise.all([...this.#threads].map(({ thread }) => thread.terminate()));
  }
}
