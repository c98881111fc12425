// One line that is rewritten on a terminal; elsewhere a plain line now and then.
const plainIntervalMs = 5000;

export class Progress {
  readonly #startedAtMs = performance.now();
  #plainAtMs = 0;

  show(text: string): void {
    const elapsed = ((performance.now() - this.#startedAtMs) / 1000).toFixed(0);
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\x1b[K[${elapsed} s] ${text}`);
    } else if (performance.now() - this.#plainAtMs > plainIntervalMs) {
      this.#plainAtMs = performance.now();
      process.stderr.write(`[${elapsed} s] ${text}\n`);
    }
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}
