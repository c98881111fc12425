import { checkNames } from '../binding/validate.js';
import { abortedBefore, checkCancelTypes, watchCancel, type CancelOptions } from '../reactor/cancellation.js';
import type { Reactor } from '../reactor/reactor.js';
import type { Place } from './place.js';

/** What a reload needs of the pool. */
export interface ReloadHost {
  readonly reactor: Reactor;
  readonly workers: number;
  /** Begins a thread in the worker's other place; settled when it has loaded the entry. */
  startSuccessor(worker: number): Promise<Place>;
  /** All servers know of it, and of its code. */
  prepare(place: Place): Promise<void>;
  /** It works from now on, in the stead of the one that is returned. */
  promote(place: Place): Place;
  /** Settles when it has nothing to do any more, or has ended. */
  whenRetired(place: Place): Promise<void>;
  end(place: Place): Promise<unknown>;
}

/**
 * New threads for all workers, with the code that there is now. They are all ready before the first
 * of the old ones stops: so an entry that does not load changes nothing.
 */
async function reload(host: ReloadHost, options: CancelOptions): Promise<void> {
  const successors: Place[] = [];
  const start = async (worker: number): Promise<void> => {
    const place = await host.startSuccessor(worker);
    successors.push(place);
    await host.prepare(place);
  };
  try {
    // One alone, so that code that does not load is loaded once.
    await start(0);
    const others = Array.from({ length: host.workers - 1 }, (_, i) => start(i + 1));
    const ends = await Promise.allSettled(others);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  } catch (error) {
    await Promise.all(successors.map((place) => host.end(place)));
    throw error;
  }
  const retiring = successors.map((place) => host.promote(place));
  await Promise.all(retiring.map((place) => retire(host, place, options)));
}

/** What it has begun it finishes, until time is up. */
async function retire(host: ReloadHost, place: Place, options: CancelOptions): Promise<void> {
  if (place.thread === null) return;
  if (abortedBefore(options) === null) {
    let disarm: (() => void) | undefined;
    const timeIsUp = new Promise<void>((resolve) => {
      disarm = watchCancel(options, host.reactor, () => resolve());
    });
    await Promise.race([host.whenRetired(place), timeIsUp]);
    disarm?.();
  }
  await host.end(place);
}

/** Reloads of one runtime: one at a time, and one that waits, for all who ask meanwhile. */
export class Reloads {
  readonly #host: ReloadHost;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(host: ReloadHost) {
    this.#host = host;
  }

  async request(options: CancelOptions): Promise<void> {
    checkNames('options', options, { signal: true, timeoutMs: true });
    checkCancelTypes(options);
    if (this.#running === null) return this.#run(options);
    // What runs may have loaded code that is older than this call.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        return this.#run(options);
      });
    return this.#next;
  }

  async #run(options: CancelOptions): Promise<void> {
    this.#running = reload(this.#host, options);
    try {
      await this.#running;
    } finally {
      this.#running = null;
    }
  }
}
