import { abortError } from '../binding/errors.js';

/** Who can take a task back; the handle knows no more of it. */
export interface TaskOwner {
  /** Takes it back if it has not begun, or asks for its end. */
  cancelled(handle: TaskHandle): void;
}

type Resolve = (value: never) => void;
type Reject = (reason: unknown) => void;

let lastResolve: Resolve;
let lastReject: Reject;
/** One for all handles, so that none costs a closure. */
const takeFunctions = (resolve: Resolve, reject: Reject): void => {
  lastResolve = resolve;
  lastReject = reject;
};

/**
 * A task that was spawned: a promise of its result, which can be aborted. It is rejected with what
 * the task threw, rebuilt with the stack of its worker.
 */
export class TaskHandle<T = unknown> extends Promise<T> {
  /** @internal Of the slots of its thread; -1 while it has none. */
  slot = -1;
  /** @internal Nobody settles it any more. */
  settled = false;
  /** @internal Ends what watches its signal and its time. */
  stopWatch: (() => void) | null = null;
  /** @internal Tells the task, where this very thread runs it. */
  onCancel: (() => void) | null = null;
  // No private names: in a class that extends Promise they cost a third of a handle.
  /** @internal */
  resolve: (value: T) => void;
  /** @internal */
  reject: Reject;
  /** @internal */
  owner: TaskOwner | null;

  /** @internal */
  constructor(owner: TaskOwner) {
    super(takeFunctions as never);
    this.owner = owner;
    this.resolve = lastResolve as (value: T) => void;
    this.reject = lastReject;
  }

  /**
   * Gives the task up: the handle is rejected with an AbortError, code ABORT_ERR, at once. A task
   * that has not begun never will; one that runs is told by its `currentTask().signal`, and what it
   * returns is dropped. Does nothing when it is settled.
   *
   * @param reason the `cause` of that error
   */
  abort(reason?: unknown): void {
    if (!this.settled) this.cancel(abortError(reason));
  }

  /** @internal The same with another error. */
  cancel(error: Error): void {
    if (this.settled) return;
    const { owner } = this;
    this.fail(error);
    owner?.cancelled(this as TaskHandle);
  }

  /** @internal */
  succeed(value: T): void {
    if (settle(this)) this.resolve(value);
  }

  /** @internal */
  fail(error: unknown): void {
    if (settle(this)) this.reject(error);
  }
}

/** Whether it was not before. */
function settle<T>(handle: TaskHandle<T>): boolean {
  if (handle.settled) return false;
  handle.settled = true;
  handle.owner = null;
  handle.stopWatch?.();
  handle.stopWatch = null;
  return true;
}

// A promise whose constructor is Promise itself is awaited without a second one, and its then()
// makes a plain promise (https://tc39.es/ecma262/#sec-promise-resolve).
void Object.defineProperty(TaskHandle.prototype, 'constructor', { value: Promise });
