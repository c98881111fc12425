import type { CancelOptions } from './cancellation.js';

/**
 * What an AbortSignal has that a wait needs; adding a listener to a real one costs as much as the
 * wait.
 */
class StopSignal {
  aborted = false;
  readonly reason = undefined;
  readonly #listeners = new Set<() => void>();

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener);
  }

  stop(): void {
    this.aborted = true;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** One step: rejects when `signal` of its options aborts, and has then lost nothing. */
export type Step<T> = (options: CancelOptions) => Promise<IteratorResult<T, void>>;

const DONE = { done: true, value: undefined } as const;

class StepIterator<T> implements AsyncGenerator<T, void, void> {
  readonly #step: Step<T>;
  readonly #isClosed: () => boolean;
  readonly #onEnd: () => void;
  readonly #stop = new StopSignal();

  constructor(step: Step<T>, isClosed: () => boolean, onEnd: () => void) {
    this.#step = step;
    this.#isClosed = isClosed;
    this.#onEnd = onEnd;
  }

  async next(): Promise<IteratorResult<T, void>> {
    if (this.#stop.aborted) return DONE;
    try {
      const result = await this.#step({ signal: this.#stop as unknown as AbortSignal });
      if (result.done === true) this.#end();
      return result;
    } catch (error) {
      // Ended while it waited: that is the end of the loop, not its failure.
      const isEnd = this.#stop.aborted || this.#isClosed();
      this.#end();
      if (isEnd) return DONE;
      throw error;
    }
  }

  #end(): void {
    if (this.#stop.aborted) return;
    this.#stop.stop();
    this.#onEnd();
  }

  return(): Promise<IteratorResult<T, void>> {
    this.#end();
    return Promise.resolve(DONE);
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    this.#end();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

/**
 * An async iterator over a source that can be cancelled. Unlike an async generator's, its
 * `return()` does not wait for a `next()` that waits, but ends it: `{ done: true }` (F19). Several
 * `next()` may wait at once.
 *
 * @param isClosed whether an error of `step` means that the source was closed: that is the end, and
 * no failure
 * @param onEnd called once, at `return()`, at the end or at an error
 */
export function iterate<T>(
  step: Step<T>,
  isClosed: () => boolean = () => false,
  onEnd: () => void = () => undefined,
): AsyncGenerator<T, void, void> {
  return new StepIterator(step, isClosed, onEnd);
}
