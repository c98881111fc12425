/** What has to be closed, and is when its block is left: `using` and `await using`. */
export abstract class Resource {
  /** May be called twice. */
  abstract close(): void;

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}
