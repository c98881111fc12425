/** What has to be closed, and is when its block is left: `using` and `await using`. */
export abstract class Resource {
  /** May be called twice. */
  abstract close(): void;

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
