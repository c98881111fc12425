import { setImmediate, setTimeout } from '../binding/host-clock.js';
import type { Driver } from './driver.js';

/**
 * A step of the reactor in each iteration of the runtime's loop: works everywhere, and delays that
 * loop.
 */
export class ImmediateDriver implements Driver {
  #immediate: NodeJS.Immediate | null = null;
  /**
   * Instead of the immediate while nothing is ref'd: an unref'd one does not end the loop's wait, a
   * timer does.
   */
  #timer: NodeJS.Timeout | null = null;
  #refed = false;
  readonly #step: () => void;

  constructor(step: () => void) {
    this.#step = step;
    this.#schedule();
  }

  readonly #next = (): void => {
    this.#schedule();
    this.#step();
  };

  #schedule(): void {
    this.close();
    if (this.#refed) this.#immediate = setImmediate(this.#next);
    else this.#timer = setTimeout(this.#next, 1).unref();
  }

  ref(): void {
    this.#refed = true;
    this.#schedule();
  }

  unref(): void {
    this.#refed = false;
    this.#schedule();
  }

  close(): number {
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#immediate = null;
    this.#timer = null;
    return 0;
  }
}
