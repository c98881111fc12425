import { EAGAIN } from '../../binding/errnos.js';
import { errnosOf, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkInteger, checkNames } from '../../binding/validate.js';
import { Interest } from '../../poller/flags.js';
import { checkCall, type CancelOptions } from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { check, checkOpen, need, ownFd } from '../fd/open-fd.js';
import { NO_VALUE, ValueSource } from '../fd/value-source.js';

const { CLD_EXITED = 1 } = native.constants;
/** Windows has no such errno. */
const NO_CHILD = errnosOf('ECHILD');
const MAX_PID = 0x7fffffff;
const MAX_SIGNAL = 64;

/** How a child ended, as wait(2) says. */
export interface ExitStatus {
  /** Exit code; null if a signal killed it. */
  readonly code: number | null;
  /** The signal's number; null when it ended by itself. */
  readonly signal: number | null;
}

/**
 * A process, and not just a number that another may have by now (pidfd_open(2)). Handlers are given
 * one value, undefined, when it has ended. Linux 5.3.
 */
export class PidFd extends ValueSource<undefined> {
  /** The number that it was made from; once it has been reaped another process may have it. */
  readonly pid: number;
  #isTold = false;

  /**
   * @param pid of any process in this pid namespace
   * @throws TypeError, RangeError; ESRCH; ENOSYS before Linux 5.3; ERR_TRIPOLL_UNSUPPORTED;
   * ERR_TRIPOLL_CLOSED
   */
  constructor(pid: number, options: SourceOptions = {}) {
    checkInteger('pid', pid, 1, MAX_PID);
    checkNames('options', options, SOURCE_NAMES);
    // pidfds are close-on-exec by themselves.
    const fd = need(native.pidfdOpen, 'pidfd_open(2)')(pid, 0);
    super(ownFd(fd, 'pidfd_open', options, Interest.READABLE));
    this.pid = pid;
  }

  /** Resolves when the process has ended. It reaps nothing. */
  exited(options: CancelOptions = {}): Promise<void> {
    return this.io.readable(options);
  }

  protected takeNow(): undefined | typeof NO_VALUE {
    // It stays ready for ever.
    this.io.unwatch();
    if (this.#isTold) return NO_VALUE;
    this.#isTold = true;
    return undefined;
  }

  /**
   * Sends it a signal, by number; 0 only asks.
   *
   * @throws RangeError; ESRCH, EPERM; ERR_TRIPOLL_CLOSED
   */
  kill(signal: number): void {
    checkInteger('signal', signal, 0, MAX_SIGNAL);
    checkOpen(this.io, 'PidFd');
    check(need(native.pidfdSendSignal, 'pidfd_send_signal(2)')(this.fd, signal), 'pidfd_send_signal');
  }

  /**
   * Takes the status of a child that has ended (waitid(2)): nobody gets it a second time. Not for
   * children of `node:child_process`: Node would never hear that they have ended.
   *
   * @returns null when it is no child of this process, or somebody else was faster
   * @throws ERR_TRIPOLL_CLOSED; EAGAIN while it runs
   */
  reap(): ExitStatus | null {
    checkOpen(this.io, 'PidFd');
    const words = new Int32Array(3);
    const error = need(native.pidfdReap, 'waitid(P_PIDFD)')(this.fd, new Uint8Array(words.buffer));
    if (NO_CHILD.has(error)) return null;
    if (error === EAGAIN) throw systemError(error, 'waitid');
    check(error, 'waitid');
    const [, how, status = 0] = words;
    return how === CLD_EXITED ? { code: status, signal: null } : { code: null, signal: status };
  }
}

/** Options of `childExit`. */
export interface ChildExitOptions extends CancelOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
  /**
   * Reaps the child, and says how it ended. Only for children that Node knows nothing of, as those
   * of another addon, or those that this process had before it became Node. Default false.
   */
  reap?: boolean | undefined;
}

/**
 * Says when a process ends, and how, if it was a child of ours and we reaped it. Without `reap` the
 * status is left to whom it belongs, and is null here: a look at it that takes nothing (WNOWAIT)
 * would be a race with its reaper.
 *
 * @throws (as rejection) TypeError, RangeError; ESRCH when there is no such process, or no longer;
 * ERR_TRIPOLL_UNSUPPORTED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT; ERR_TRIPOLL_CLOSED
 */
export async function childExit(pid: number, options: ChildExitOptions = {}): Promise<ExitStatus | null> {
  checkCall(options, { reactor: true, reap: true });
  const { signal, timeoutMs } = options;
  const child = new PidFd(pid, { reactor: options.reactor });
  try {
    await child.exited({ signal, timeoutMs });
    return options.reap === true ? child.reap() : null;
  } finally {
    child.close();
  }
}
