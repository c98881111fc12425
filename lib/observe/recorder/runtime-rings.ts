import { join } from 'node:path';
import { nowMs } from '../../binding/host-clock.js';
import type { RuntimeObserver, TaskProbe } from '../../runtime/probe.js';
import { createRing, endRing } from './ring.js';
import type { WorkerPlan } from './worker-recorder.js';

/** From dist/bundle/: what the workers load. */
const MODULE = join(__dirname, '..', 'observe', 'recorder', 'worker-recorder.js');

/**
 * The memory of a runtime's threads. It is made here, so that what a thread has written is there
 * when that has ended, or hangs.
 */
export class RuntimeRings implements RuntimeObserver {
  readonly probe: TaskProbe;
  readonly module = MODULE;
  readonly #events: number;
  readonly #workers: number;
  readonly #onChange: () => void;
  /** By place. */
  readonly #live = new Map<number, SharedArrayBuffer>();
  /** Of threads that have ended, the last ones: as many as workers. */
  readonly #ended: SharedArrayBuffer[] = [];

  constructor(probe: TaskProbe, events: number, workers: number, onChange: () => void) {
    this.probe = probe;
    this.#events = events;
    this.#workers = workers;
    this.#onChange = onChange;
  }

  /** In the order of the workers, but that those which have ended come first. */
  get memories(): SharedArrayBuffer[] {
    const places = [...this.#live.keys()].sort((a, b) => a - b);
    return [...this.#ended, ...places.map((place) => this.#live.get(place)!)];
  }

  dataOf(place: number, worker: number): WorkerPlan {
    const memory = createRing(this.#events, worker);
    this.#live.set(place, memory);
    this.#onChange();
    return { memory, workers: this.#workers };
  }

  onExit(place: number): void {
    const memory = this.#live.get(place);
    if (memory === undefined) return;
    endRing(memory, performance.timeOrigin, nowMs());
    this.#live.delete(place);
    if (this.#ended.push(memory) > this.#workers) this.#ended.shift();
    this.#onChange();
  }
}

/** How many rings there are at most: two places for each worker, those that have ended, this thread's. */
export const maxRings = (workers: number): number => 3 * workers + 1;
