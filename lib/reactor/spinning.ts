// Busy polling under run(): by looking often ourselves, and by the kernel's look into the network
// device's queue.
import { systemError, unsupportedError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkBoolean, checkInteger } from '../binding/validate.js';
import type { Poller } from '../poller/poller.js';
import type { RunOptions } from './options.js';

const NS_PER_US = 1000;
/** A second: who wants to spin for good may say that, since each wait begins anew. */
const MAX_SPIN_US = 1_000_000;
const MAX_INT32 = 0x7fffffff;
const MAX_BUDGET = 0xffff;
/** NAPI's own, as of BUSY_POLL_BUDGET in net/busy_poll.h. */
const DEFAULT_BUDGET = 8;

interface Params {
  readonly us: number;
  readonly budget: number;
  readonly prefer: boolean;
}

/** ioctl_eventpoll(2). @throws ENOTTY before Linux 6.9; EPERM */
function setParams(fd: number, { us, budget, prefer }: Params): void {
  const error = native.epollSetParams!(fd, us, budget, prefer ? 1 : 0);
  if (error < 0) throw systemError(error, 'ioctl EPIOCSPARAMS');
}

function checkParams(options: RunOptions): Params {
  const {
    busyPollUs: us = 0,
    busyPollBudget: budget = DEFAULT_BUDGET,
    preferBusyPoll: prefer = false,
  } = options;
  checkInteger('busyPollUs', us, 0, MAX_INT32);
  checkInteger('busyPollBudget', budget, 1, MAX_BUDGET);
  checkBoolean('preferBusyPoll', prefer);
  return { us, budget, prefer };
}

/**
 * Until the function that it returns is called.
 *
 * @param poller null for a test's own
 * @throws TypeError, RangeError; ERR_TRIPOLL_UNSUPPORTED; ENOTTY, EPERM: nothing has changed then
 */
export function startSpinning(poller: Poller | null, options: RunOptions): () => void {
  const { spinUs = 0, busyPollUs, busyPollBudget, preferBusyPoll } = options;
  const inKernel = [busyPollUs, busyPollBudget, preferBusyPoll].some((value) => value !== undefined);
  checkInteger('spinUs', spinUs, 0, MAX_SPIN_US);
  const params = checkParams(options);
  if (poller === null) throw unsupportedError('a poller of one’s own does not spin');
  const { index, backend } = poller;
  const fd = native.pollerFd(index);
  if (inKernel) {
    if (backend !== 'epoll') throw unsupportedError(`busyPollUs needs the epoll backend; this is ${backend}`);
    setParams(fd, params);
  }
  native.pollerSpin(index, spinUs * NS_PER_US);
  return () => {
    native.pollerSpin(index, 0);
    // As it was made, which needs no privilege; and nobody is left to tell of an error.
    if (inKernel) native.epollSetParams!(fd, 0, 0, 0);
  };
}
