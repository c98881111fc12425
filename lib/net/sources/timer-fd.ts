import { native } from '../../binding/native.js';
import { checkInteger, checkNames } from '../../binding/validate.js';
import { Interest } from '../../poller/flags.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { check, checkOneOf, checkOpen, need, ownFd, readWord, readWordNow } from '../fd/open-fd.js';
import { NO_VALUE, ValueSource } from '../fd/value-source.js';

const { TFD_CLOEXEC = 0, TFD_NONBLOCK = 0, TFD_TIMER_ABSTIME = 1 } = native.constants;
const { CLOCK_MONOTONIC = 1, CLOCK_REALTIME = 0, CLOCK_BOOTTIME = 7 } = native.constants;
/** The clocks by name. */
const clocks = { monotonic: CLOCK_MONOTONIC, realtime: CLOCK_REALTIME, boottime: CLOCK_BOOTTIME };

/** Options of a `TimerFd`. */
export interface TimerFdOptions extends SourceOptions {
  /** `'boottime'` goes on while the system sleeps; default `'monotonic'`. */
  clock?: keyof typeof clocks | undefined;
}

const NAMES: Readonly<Record<keyof TimerFdOptions, true>> = { ...SOURCE_NAMES, clock: true };

/** When a `TimerFd` expires. */
export interface TimerFdSetting {
  /** The first expiry, in nanoseconds from now, or of the clock with `absolute`; 0 disarms. */
  valueNs: number;
  /** And then again and again; default 0: once. */
  periodNs?: number | undefined;
  /** Whether `valueNs` is a time of the clock, and not from now; default false. */
  absolute?: boolean | undefined;
}

const SETTING_NAMES: Readonly<Record<keyof TimerFdSetting, true>> = {
  valueNs: true,
  periodNs: true,
  absolute: true,
};

/**
 * A timer of the kernel (timerfd_create(2)): for nanoseconds, for the clock of the calendar, or to
 * hand to somebody else. For timeouts `reactor.setTimer` is cheaper. Handlers are given what
 * `expired` would. Linux only.
 */
export class TimerFd extends ValueSource<number> {
  /** @throws TypeError, RangeError; ERR_TRIPOLL_UNSUPPORTED; EMFILE; ERR_TRIPOLL_CLOSED */
  constructor(options: TimerFdOptions = {}) {
    checkNames('options', options, NAMES);
    const { clock = 'monotonic' } = options;
    checkOneOf('clock', clock, Object.keys(clocks));
    const flags = TFD_CLOEXEC | TFD_NONBLOCK;
    const fd = need(native.timerfdCreate, 'timerfd_create(2)')(clocks[clock], flags);
    super(ownFd(fd, 'timerfd_create', options, Interest.READABLE));
  }

  /** Arms it anew. @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED */
  set(setting: TimerFdSetting): void {
    checkNames('setting', setting, SETTING_NAMES);
    const { valueNs, periodNs = 0, absolute = false } = setting;
    checkInteger('valueNs', valueNs, 0, Number.MAX_SAFE_INTEGER);
    checkInteger('periodNs', periodNs, 0, Number.MAX_SAFE_INTEGER);
    checkOpen(this.io, 'TimerFd');
    const set = need(native.timerfdSet, 'timerfd_settime(2)');
    check(set(this.fd, absolute ? TFD_TIMER_ABSTIME : 0, valueNs, periodNs), 'timerfd_settime');
  }

  /**
   * Waits until it expires.
   *
   * @returns how often it has since the last call, at least once
   * @throws (as rejection) ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT
   */
  async expired(options: CancelOptions = {}): Promise<number> {
    return Number(await readWord(this.io, options));
  }

  protected takeNow(): number | typeof NO_VALUE {
    const times = readWordNow(this.io);
    return times === NO_VALUE ? NO_VALUE : Number(times);
  }
}
