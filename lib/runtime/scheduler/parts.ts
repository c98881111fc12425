import type { Cells } from './cells.js';
import { Idle } from './idle.js';
import { Injector } from './injector.js';
import { LIFO_SLOT, readLayout, RING_HEAD, RING_SLOTS, RING_TAIL, STATS, type Layout } from './layout.js';
import { LocalQueue } from './local-queue.js';

/** What all queues of one thread's scheduler share. */
export class Parts {
  readonly layout: Layout;
  readonly injector: Injector;
  readonly idle: Idle;
  /** A view of each worker's. */
  readonly rings: readonly LocalQueue[];
  readonly #buffer: SharedArrayBuffer;

  constructor(
    buffer: SharedArrayBuffer,
    readonly wake: (worker: number) => void,
    readonly cells: Cells,
  ) {
    const layout = readLayout(buffer);
    this.layout = layout;
    this.#buffer = buffer;
    this.idle = new Idle(cells, layout.idle, layout.workers, layout.atOnce);
    const { injectorHead, injectorTail, injectorSlots } = layout;
    this.injector = new Injector(cells, injectorHead, injectorTail, injectorSlots, layout.injectorCapacity);
    this.rings = Array.from({ length: layout.workers }, (_, worker) => {
      const at = this.#wordsOf(worker);
      return new LocalQueue(cells, at + RING_HEAD, at + RING_TAIL, at + RING_SLOTS, layout.ringCapacity);
    });
  }

  /** Wakes a worker, unless one searches or none sleeps: there is something to take. */
  notify(): void {
    const worker = this.idle.chooseSleeper();
    if (worker >= 0) this.wake(worker);
  }

  /** Whether there is a task that any worker can take. */
  hasWork(): boolean {
    if (this.injector.length() !== 0) return true;
    for (let worker = 0; worker < this.rings.length; worker++) {
      if (this.rings[worker]!.length() !== 0) return true;
    }
    return false;
  }

  /** The same, perhaps of long ago: for who asks `hasWork` before it sleeps. */
  seemsToHaveWork(): boolean {
    if (this.injector.peekLength() !== 0) return true;
    for (let worker = 0; worker < this.rings.length; worker++) {
      if (!this.rings[worker]!.looksEmpty) return true;
    }
    return false;
  }

  /** The index of a worker's LIFO slot. */
  lifoSlotOf(worker: number): number {
    return this.#wordsOf(worker) + LIFO_SLOT;
  }

  /** A worker's counts, as doubles. */
  statsOf(worker: number): Float64Array {
    const at = (this.#wordsOf(worker) + STATS) * Int32Array.BYTES_PER_ELEMENT;
    return new Float64Array(this.#buffer, at, 8);
  }

  #wordsOf(worker: number): number {
    return this.layout.firstWorker + worker * this.layout.workerWords;
  }
}
