/** The name of a method that a user's handler has not. */
export const LEFTOVERS: unique symbol = Symbol('leftovers');

/** What has to be closed, and is when its block is left: `using` and `await using`. */
export abstract class Resource {
  /** May be called twice. */
  abstract close(): void;

  /**
   * @internal For who looks for what was dropped: closes what this would have closed, and does not
   * hold it. Null where nobody need know it: something waits for it, it calls handlers, or it ends by
   * itself; and when it has closed.
   */
  [LEFTOVERS](): (() => void) | null {
    return null;
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes it, as `await using` does at the end of its block. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

/** What a subclass has besides, after what its parent class has left. */
export function followedBy(close: (() => void) | null, closeMore: () => void): (() => void) | null {
  if (close === null) return null;
  return () => {
    close();
    closeMore();
  };
}
