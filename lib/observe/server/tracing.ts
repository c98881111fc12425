import { closedError } from '../../binding/errors.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { Timer } from '../../reactor/timer.js';
import { Recorder } from '../recorder/recorder.js';

const MS_PER_SECOND = 1000;

/** Records for some seconds: by a recorder of the program's, or by ones of its own meanwhile. */
export class Tracing {
  readonly #given: Recorder | null;
  readonly #own: readonly Recorder[];
  readonly #timer: Timer;

  /**
   * @param clock whose timer it is
   * @param done gets the memory of each recorder, when it is over
   */
  constructor(
    given: Recorder | null,
    reactors: readonly Reactor[],
    clock: Reactor,
    seconds: number,
    done: (memories: readonly SharedArrayBuffer[]) => void,
  ) {
    const open = reactors.filter(({ closed }) => !closed);
    if (given === null && open.length === 0) throw closedError('Reactor');
    this.#given = given;
    this.#own = given === null ? open.map((reactor) => new Recorder(reactor)) : [];
    this.#timer = clock.setTimer(seconds * MS_PER_SECOND, () => {
      this.cancel();
      done((this.#given === null ? this.#own : [this.#given]).flatMap(({ memories }) => memories));
    });
    this.#timer.unref();
  }

  /** Records no more. */
  cancel(): void {
    this.#timer.cancel();
    for (const recorder of this.#own) recorder.close();
  }
}
