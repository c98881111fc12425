import { inContext, runContained } from './context.js';
import { newWakerState } from './wake-word.js';
import { Waker } from './waker.js';

interface Entry {
  readonly waker: Waker;
  readonly onWake: (() => void) | undefined;
}

/** The wakers of one reactor, and what each calls. */
export class WakerSet {
  readonly #entries = new Set<Entry>();

  /** `id`: of the reactor's poller in the process; 0 where none is woken. */
  add(id: number, onWake: (() => void) | undefined): Waker {
    const waker = new Waker({ id, buffer: newWakerState() }, () => this.#entries.delete(entry));
    const entry: Entry = { waker, onWake: onWake === undefined ? undefined : inContext(onWake) };
    this.#entries.add(entry);
    return waker;
  }

  /** Calls those that were woken since the last time; returns how many. */
  run(): number {
    let ran = 0;
    // Those that are there now: what a callback adds and wakes has the next turn (F35).
    let left = this.#entries.size;
    for (const { waker, onWake } of this.#entries) {
      if (left-- === 0) break;
      if (waker.take() && onWake !== undefined) {
        runContained(onWake);
        ran++;
      }
    }
    return ran;
  }

  close(): void {
    for (const { waker } of this.#entries) waker.close();
  }
}
