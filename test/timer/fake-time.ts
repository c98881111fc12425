import { Reactor } from 'tripoll';
import { FakeClock } from '../reactor/fake-clock.js';
import { FakePoller } from '../reactor/fake-poller.js';

/** A reactor whose time passes only here. */
export class FakeTime {
  readonly clock = new FakeClock();
  readonly reactor = new Reactor({ poller: new FakePoller(), clock: this.clock });

  /** So many milliseconds later: a turn, and all that promises make of it. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    this.reactor.turn();
    await this.settle();
  }

  /** Until every promise that can has gone on. */
  settle(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** What became of a promise so far. */
export function watch<T>(promise: Promise<T>): {
  outcome: 'pending' | 'resolved' | 'rejected';
  value: unknown;
} {
  const seen: ReturnType<typeof watch> = { outcome: 'pending', value: undefined };
  promise.then(
    (value) => Object.assign(seen, { outcome: 'resolved', value }),
    (value: unknown) => Object.assign(seen, { outcome: 'rejected', value }),
  );
  return seen;
}
