import { Interest, Reactor, type RegisterOptions, type Registration } from 'tripoll';
import { FakeClock } from './fake-clock.js';
import { FakePoller } from './fake-poller.js';

export interface Watched {
  readonly registration: Registration;
  /** The readiness of each call of `onReady`. */
  readonly seen: number[];
  readonly errors: unknown[];
}

export interface FakeRig {
  readonly poller: FakePoller;
  readonly clock: FakeClock;
  readonly reactor: Reactor;
  /** Registers an fd for READABLE with a handler that notes what it hears, and then runs `then`. */
  watch(fd: number, then?: (registration: Registration) => void, options?: WatchOptions): Watched;
}

interface WatchOptions extends RegisterOptions {
  interest?: number;
}

/** A reactor over a fake poller and a clock that stands still: no system, no chance. */
export function fakeRig(startMs = 1000): FakeRig {
  const poller = new FakePoller();
  const clock = new FakeClock(startMs);
  const reactor = new Reactor({ poller, clock });
  const watch: FakeRig['watch'] = (fd, then, { interest = Interest.READABLE, ...options } = {}) => {
    const seen: number[] = [];
    const errors: unknown[] = [];
    const handler = {
      onReady(readiness: number, registration: Registration) {
        seen.push(readiness);
        then?.(registration);
      },
      onError: (error: unknown) => void errors.push(error),
    };
    return { registration: reactor.register(fd, interest, handler, options), seen, errors };
  };
  return { poller, clock, reactor, watch };
}
