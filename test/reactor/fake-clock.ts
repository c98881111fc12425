import type { Clock } from 'tripoll';

/** Time that stands still until a test moves it. */
export class FakeClock implements Clock {
  #ms: number;

  constructor(ms = 1000) {
    this.#ms = ms;
  }

  nowMs(): number {
    return this.#ms;
  }

  advance(ms: number): void {
    this.#ms += ms;
  }
}
