import type { BackendName, DriverName } from '../binding/capabilities.js';
import { invalidArgType, unsupportedError } from '../binding/errors.js';
import { checkFd, checkFunction, checkInteger, checkNames, checkObject } from '../binding/validate.js';
import { ALL_INTERESTS, Interest, Mode } from '../poller/flags.js';
import type { PollerContract } from '../poller/poller.js';
import type { EventHandler } from './registration.js';

/** `registration.priority` goes from 0 to this. */
export const HIGHEST_PRIORITY = 7;
const MAX_MODE = Mode.EXCLUSIVE | Mode.EDGE_ONESHOT;

/** What a reactor tells the time by: milliseconds that only grow. */
export interface Clock {
  /** Milliseconds since any fixed moment. */
  nowMs(): number;
}

/** Options of a `Reactor`. */
export interface ReactorOptions {
  /** Default: nested with epoll under Node, else watcher; manual when `poller` is given. */
  driver?: DriverName | undefined;
  /** Default: `TRIPOLL_BACKEND`, else the platform's best. */
  backend?: BackendName | undefined;
  /** For tests: a poller of one's own, driven by `turn`. */
  poller?: PollerContract | undefined;
  /** For tests. */
  clock?: Clock | undefined;
}

/** Names of `ReactorOptions`. */
export const REACTOR_NAMES: Readonly<Record<keyof ReactorOptions, true>> = {
  driver: true,
  backend: true,
  poller: true,
  clock: true,
};

/** Options of `Reactor.register`. */
export interface RegisterOptions {
  /** One of `Mode`; default LEVEL. */
  mode?: number | undefined;
  /** 0 to 7, higher first; default 0. */
  priority?: number | undefined;
  /** For `inspect` and messages. */
  name?: string | undefined;
}

const REGISTER_NAMES: Readonly<Record<keyof RegisterOptions, true>> = {
  mode: true,
  priority: true,
  name: true,
};

/** Options of `Reactor.run`. All but the signal are for latency, at the price of a core. */
export interface RunOptions {
  /** Its abort means `stop()`. */
  signal?: AbortSignal | undefined;
  /**
   * Microseconds, 0 to 1_000_000, for which each wait looks again and again before it sleeps;
   * default 0. The thread takes a core's whole time while something comes within that.
   */
  spinUs?: number | undefined;
  /**
   * Microseconds for which the kernel polls the network device before it sleeps (EPIOCSPARAMS,
   * Linux 6.9); 0 is off. It does nothing for the loopback, and where the device's driver has no
   * NAPI. Epoll alone.
   */
  busyPollUs?: number | undefined;
  /** With `busyPollUs`: packets of each such look; default 8, above 64 it needs CAP_NET_ADMIN. */
  busyPollBudget?: number | undefined;
  /** With `busyPollUs`: whether the device's interrupts are put off meanwhile; default false. */
  preferBusyPoll?: boolean | undefined;
}

/** Names of `RunOptions`. */
export const RUN_NAMES: Readonly<Record<keyof RunOptions, true>> = {
  signal: true,
  spinUs: true,
  busyPollUs: true,
  busyPollBudget: true,
  preferBusyPoll: true,
};

/** Options of `Reactor.setTimer`. */
export interface SetTimerOptions {
  /** Fires again and again at this fixed rate; ticks that were missed are one. */
  repeatMs?: number | undefined;
}

/** @throws TypeError, RangeError; ERR_TRIPOLL_UNSUPPORTED for modes that exclude each other */
export function checkRegister(
  fd: unknown,
  interest: unknown,
  handler: unknown,
  options: RegisterOptions,
): { mode: number; priority: number; name: string | undefined } {
  checkFd(fd);
  checkInteger('interest', interest, 0, ALL_INTERESTS);
  checkObject('handler', handler);
  checkFunction('handler.onReady', (handler as Partial<EventHandler>).onReady);
  checkNames('options', options, REGISTER_NAMES);
  const { mode = Mode.LEVEL, priority = 0, name } = options;
  checkInteger('mode', mode, 0, MAX_MODE);
  checkInteger('priority', priority, 0, HIGHEST_PRIORITY);
  if (name !== undefined && typeof name !== 'string') throw invalidArgType('name', 'a string', name);
  if ((mode & Mode.EXCLUSIVE) !== 0 && (mode & Mode.ONESHOT) !== 0) {
    throw unsupportedError('EXCLUSIVE goes with LEVEL or EDGE only (epoll_ctl(2))');
  }
  if ((mode & Mode.EXCLUSIVE) !== 0 && (interest & Interest.PRIORITY) !== 0) {
    throw unsupportedError('EXCLUSIVE cannot wait for PRIORITY (epoll_ctl(2))');
  }
  return { mode, priority, name };
}
