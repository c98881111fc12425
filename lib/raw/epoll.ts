import { closedError, invalidArgType, systemError, unsupportedError } from '../binding/errors.js';
import { capabilities } from '../binding/capabilities.js';
import { native, type NativeBinding } from '../binding/native.js';
import { checkFd, checkFlags, checkInteger, checkNames } from '../binding/validate.js';

const MAX_DATA = Number.MAX_SAFE_INTEGER;
const TWO_32 = 2 ** 32;
const MAX_INT32 = 0x7fffffff;

function available(): Required<NativeBinding> {
  if (native.epollCreate1 === undefined)
    throw unsupportedError(`Epoll does not exist on ${capabilities.platform}`);
  return native as Required<NativeBinding>;
}

/** Busy polling of one epoll instance (Linux 6.9, ioctl_eventpoll(2)). */
export interface EpollParams {
  /** How long to busy-poll before sleeping, in µs; 0 turns it off. */
  busyPollUsec: number;
  /** Packets per busy-poll; above 64 (NAPI_POLL_WEIGHT) it needs CAP_NET_ADMIN. */
  busyPollBudget: number;
  /** Whether the network device's interrupts are put off while it is polled. */
  preferBusyPoll: boolean;
}

const PARAM_NAMES: Readonly<Record<keyof EpollParams, true>> = {
  busyPollUsec: true,
  busyPollBudget: true,
  preferBusyPoll: true,
};

/**
 * epoll(7) as Linux has it. Elsewhere the constructor throws ERR_TRIPOLL_UNSUPPORTED. Flags are in
 * `sys.constants` (EPOLLIN, EPOLLET, ...). Methods throw system errors.
 */
export class Epoll {
  #fd: number;

  /** epoll_create1(2). @param flags default EPOLL_CLOEXEC */
  constructor(flags = native.constants['EPOLL_CLOEXEC'] ?? 0) {
    const { epollCreate1 } = available();
    checkFlags('flags', flags);
    this.#fd = epollCreate1(flags);
    if (this.#fd < 0) throw systemError(this.#fd, 'epoll_create1');
  }

  /**
   * The epoll instance's own fd: it is readable while events wait, and may be registered elsewhere.
   */
  get fd(): number {
    if (this.#fd < 0) throw closedError('Epoll');
    return this.#fd;
  }

  /**
   * epoll_ctl(2).
   *
   * @param operation EPOLL_CTL_ADD, EPOLL_CTL_MOD or EPOLL_CTL_DEL
   * @param events EPOLL* flags, joined by `|`: bit 31 (EPOLLET) may be a sign
   * @param data comes back with each event; 0 to 2^53 - 1
   * @throws TypeError, RangeError; EBADF, EEXIST, ENOENT, EPERM, EINVAL, ENOSPC
   */
  ctl(operation: number, fd: number, events = 0, data = fd): void {
    checkInteger('operation', operation, 0, MAX_INT32);
    checkFd(fd);
    checkFlags('events', events);
    checkInteger('data', data, 0, MAX_DATA);
    const error = available().epollCtl(
      this.fd,
      operation,
      fd,
      events,
      data % TWO_32,
      Math.floor(data / TWO_32),
    );
    if (error < 0) throw systemError(error, 'epoll_ctl', { fd });
  }

  /**
   * epoll_pwait2(2): blocks this thread. On kernels before 5.11 the timeout is rounded up to
   * milliseconds.
   *
   * @param out three u32 an event: events, low and high half of the data; at most 1024 are filled
   * @param timeoutNs -1 waits for ever, 0 not at all
   * @returns how many events were filled
   * @throws TypeError, RangeError; EINTR when a signal ended it, EINVAL when `out` has no room for
   * one
   */
  pwait2(out: Uint32Array, timeoutNs: number): number {
    checkInteger('timeoutNs', timeoutNs, -1, Number.MAX_SAFE_INTEGER);
    const count = available().epollPwait2(this.fd, out, timeoutNs);
    if (count < 0) throw systemError(count, 'epoll_pwait2');
    return count;
  }

  /** ioctl EPIOCSPARAMS. @throws ENOTTY before Linux 6.9; EINVAL, EPERM */
  setParams(params: EpollParams): void {
    checkNames('params', params, PARAM_NAMES);
    const { busyPollUsec, busyPollBudget, preferBusyPoll } = params;
    checkInteger('busyPollUsec', busyPollUsec, 0, MAX_INT32);
    checkInteger('busyPollBudget', busyPollBudget, 0, 0xffff);
    if (typeof preferBusyPoll !== 'boolean')
      throw invalidArgType('preferBusyPoll', 'a boolean', preferBusyPoll);
    const error = available().epollSetParams(this.fd, busyPollUsec, busyPollBudget, preferBusyPoll ? 1 : 0);
    if (error < 0) throw systemError(error, 'ioctl EPIOCSPARAMS');
  }

  /** ioctl EPIOCGPARAMS. @throws ENOTTY before Linux 6.9 */
  getParams(): EpollParams {
    const out: number[] = [];
    const error = available().epollGetParams(this.fd, out);
    if (error < 0) throw systemError(error, 'ioctl EPIOCGPARAMS');
    const [busyPollUsec = 0, busyPollBudget = 0, prefer = 0] = out;
    return { busyPollUsec, busyPollBudget, preferBusyPoll: prefer !== 0 };
  }

  /** May be called twice. */
  close(): void {
    if (this.#fd < 0) return;
    native.close(this.#fd);
    this.#fd = -1;
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
