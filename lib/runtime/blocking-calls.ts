import type { Transferable, Worker } from 'node:worker_threads';
import { busyError } from '../binding/errors.js';
import { notCloneable } from './errors.js';
import { TaskHandle, type TaskOwner } from './handle.js';
import type { BlockingAbort, BlockingCall, BlockingResult, FromWorker } from './messages.js';
import { transferOf } from './moved.js';
import { describeThrown, rebuildThrown, type Thrown } from './remote-error.js';

/** Runs functions that block, wherever their threads are. */
export interface BlockingCalls {
  run(name: string, args: readonly unknown[], transfer?: readonly unknown[]): TaskHandle;
}

type Post = (message: BlockingCall | BlockingAbort, transfer?: readonly unknown[]) => void;

const NOTHING: readonly unknown[] = [];

/** `blocking` in a worker's thread: by way of the thread that made the runtime. */
export class RemoteBlocking implements BlockingCalls, TaskOwner {
  readonly #post: Post;
  readonly #maxCalls: number;
  readonly #tellPosted: (calls: number) => void;
  readonly #handles = new Map<number, TaskHandle>();
  #lastId = 0;
  #posted = 0;

  /**
   * @param maxCalls as many as the pool takes at most
   * @param tellPosted is told how many calls are, or have been, on their way
   */
  constructor(post: Post, maxCalls: number, tellPosted: (calls: number) => void) {
    this.#post = post;
    this.#maxCalls = maxCalls;
    this.#tellPosted = tellPosted;
  }

  run(name: string, args: readonly unknown[], transfer = NOTHING): TaskHandle {
    const handle = new TaskHandle(this);
    if (this.#handles.size >= this.#maxCalls) {
      handle.fail(busyError(`${this.#handles.size} calls wait for a thread (maxWaiting)`));
      return handle;
    }
    const id = ++this.#lastId;
    this.#handles.set(id, handle);
    try {
      this.#post({ kind: 'blocking', id, name, args, transfer }, transfer);
      this.#tellPosted(++this.#posted);
    } catch (error) {
      this.#handles.delete(id);
      handle.fail(notCloneable('the arguments', name, error));
    }
    return handle;
  }

  cancelled(handle: TaskHandle): void {
    for (const [id, each] of this.#handles) {
      if (each !== handle) continue;
      this.#handles.delete(id);
      this.#post({ kind: 'blocking-abort', id });
      return;
    }
  }

  onResult({ id, failed, value }: BlockingResult): void {
    const handle = this.#handles.get(id);
    this.#handles.delete(id);
    if (failed) handle?.fail(rebuildThrown(value as Thrown));
    else handle?.succeed(value);
  }
}

/**
 * Runs what the tasks of a worker's thread call; when that ends, what it has called runs on.
 * `onCall` is told of each.
 */
export function relayBlocking(thread: Worker, pool: BlockingCalls, onCall: () => void): void {
  const handles = new Map<number, TaskHandle>();
  const answer = (id: number, failed: boolean, value: unknown, transfer: readonly Transferable[]): void => {
    thread.postMessage({ kind: 'blocking-result', id, failed, value } satisfies BlockingResult, transfer);
  };
  const call = async ({ id, name, args, transfer }: BlockingCall): Promise<void> => {
    const handle = pool.run(name, args, transfer);
    onCall();
    handles.set(id, handle);
    try {
      const value = await handle;
      answer(id, false, value, transferOf(value));
    } catch (error) {
      answer(id, true, describeThrown(error), []);
    }
    handles.delete(id);
  };
  thread.on('message', (message: FromWorker) => {
    if (message.kind === 'blocking') void call(message);
    else if (message.kind === 'blocking-abort') handles.get(message.id)?.abort();
  });
}
