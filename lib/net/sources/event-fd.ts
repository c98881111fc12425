import { invalidArgType, outOfRange } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkInteger, checkNames } from '../../binding/validate.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { need, ownFd, readWord, readWordNow } from '../fd/open-fd.js';
import { ValueSource, type NO_VALUE } from '../fd/value-source.js';

const { EFD_CLOEXEC = 0, EFD_NONBLOCK = 0, EFD_SEMAPHORE = 0 } = native.constants;
const MAX_INITIAL = 0x7fffffff;
/** The kernel refuses 2^64 - 1 (eventfd(2)). */
const MAX_ADDED = 2n ** 64n - 2n;

/** Options of an `EventFd`. */
export interface EventFdOptions extends SourceOptions {
  /** 0 to 2^31 - 1; default 0. */
  initial?: number | undefined;
  /** Each `take` takes one, and not all; default false. */
  semaphore?: boolean | undefined;
}

const NAMES: Readonly<Record<keyof EventFdOptions, true>> = {
  ...SOURCE_NAMES,
  initial: true,
  semaphore: true,
};

/**
 * A counter in the kernel (eventfd(2)), which another process or native code may add to. Handlers
 * are given what `take` would. Linux only.
 */
export class EventFd extends ValueSource<bigint> {
  /** @throws TypeError, RangeError; ERR_TRIPOLL_UNSUPPORTED; EMFILE; ERR_TRIPOLL_CLOSED */
  constructor(options: EventFdOptions = {}) {
    checkNames('options', options, NAMES);
    const { initial = 0, semaphore = false } = options;
    checkInteger('initial', initial, 0, MAX_INITIAL);
    const flags = EFD_CLOEXEC | EFD_NONBLOCK | (semaphore ? EFD_SEMAPHORE : 0);
    super(ownFd(need(native.eventfdCreate, 'eventfd(2)')(initial, flags), 'eventfd', options));
  }

  /**
   * Adds to the counter; waits while that would overflow it.
   *
   * @param count 1 to 2^64 - 2; 0 adds nothing
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_CLOSED; ABORT_ERR,
   * ERR_TRIPOLL_TIMEOUT
   */
  async add(count: bigint | number = 1, options: CancelOptions = {}): Promise<void> {
    const added = toCount(count);
    const bytes = new Uint8Array(new BigUint64Array([added]).buffer);
    await this.io.write(bytes, options);
  }

  /**
   * Waits until the counter is not 0, takes it all (a semaphore: one), and says how much that was.
   *
   * @throws (as rejection) ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT
   */
  take(options: CancelOptions = {}): Promise<bigint> {
    return readWord(this.io, options);
  }

  protected takeNow(): bigint | typeof NO_VALUE {
    return readWordNow(this.io);
  }
}

/** @throws TypeError, RangeError */
function toCount(count: unknown): bigint {
  if (typeof count !== 'bigint' && typeof count !== 'number') {
    throw invalidArgType('count', 'a bigint or a whole number', count);
  }
  const isWhole = typeof count === 'bigint' || Number.isInteger(count);
  if (!isWhole || count < 0 || count > MAX_ADDED)
    throw outOfRange('count', 'whole, from 0 to 2^64 - 2', count);
  return BigInt(count);
}
