import { Watchdog, type WatchdogOptions, type WatchdogReport } from '#lib/observe/index';
import { Beat } from '#lib/observe/watchdog/heartbeat';
import { Reactor } from '#lib/reactor/reactor';
import { untilSync } from '../support/deadline.js';

/** Looks for nothing: a test asks for what it is about. */
export const OFF = { slowHandlerMs: 0, stalledMs: 0, spinTurns: 0, unreadMs: 0, warn: false } as const;

export interface Watched {
  readonly reactor: Reactor;
  readonly dog: Watchdog;
  readonly reports: WatchdogReport[];
  /** Keeps the thread until the watchdog's has told of it. */
  readonly spinUntilTold: () => void;
  close(): void;
}

/** A reactor that is driven by hand, and its watchdog. */
export function watched(options: WatchdogOptions, reactor = new Reactor({ driver: 'manual' })): Watched {
  const reports: WatchdogReport[] = [];
  const dog = new Watchdog(reactor, { ...OFF, onReport: (report) => reports.push(report), ...options });
  return {
    reactor,
    dog,
    reports,
    spinUntilTold() {
      const told = dog.heartbeat[Beat.TOLD];
      untilSync(() => dog.heartbeat[Beat.TOLD] !== told, 'a finding of the thread', 30_000);
    },
    close: () => reactor.close(),
  };
}

/** A name that a stack has. */
export function keepsThread(spin: () => void): void {
  spin();
}

/** A wait may end early: turns until something has run. */
export function turnOnce(reactor: Reactor): void {
  untilSync(() => reactor.turn(100) > 0, 'a turn in which something runs');
}
