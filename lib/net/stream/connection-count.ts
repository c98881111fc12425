/**
 * How many connections a listener has. They tell this and not the listener, which so can be
 * collected before them.
 */
export class ConnectionCount {
  #open = 0;
  #onceEmpty: (() => void)[] = [];

  get open(): number {
    return this.#open;
  }

  add(): void {
    this.#open++;
  }

  /** Calls `fn` when none is left. */
  onceEmpty(fn: () => void): void {
    this.#onceEmpty.push(fn);
  }

  connectionClosed(): void {
    this.#open--;
    if (this.#open > 0) return;
    for (const tell of this.#onceEmpty.splice(0)) tell();
  }
}
