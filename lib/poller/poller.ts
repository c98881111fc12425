import { capabilities, requestedBackend, type BackendName } from '../binding/capabilities.js';
import { closedError, invalidArgType, outOfRange, systemError, unsupportedError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkFd, checkInteger, checkNames } from '../binding/validate.js';
import { Events } from './events.js';
import { ALL_INTERESTS } from './flags.js';

const MAX_UINT32 = 0xffffffff;
/** The three highest slots are the poller's own. */
const MAX_SLOT = MAX_UINT32 - 3;
/** A wait is cut at what a double counts exactly in nanoseconds, 104 days. */
export const MAX_WAIT_NS = Number.MAX_SAFE_INTEGER;

/**
 * The poller contract, which a reactor is built on; tests pass one of their own. Methods return
 * `n >= 0` or a negative errno, and throw only on wrong arguments.
 */
export interface PollerContract {
  /** What kind of poller it is. */
  readonly backend: string;
  /** What the last `wait` filled. */
  readonly events: Events;
  /** Whether it has this mode, of `Mode`. */
  supports(mode: number): boolean;
  /**
   * Watches an fd, whose events come with this slot and generation. -EEXIST when it is watched
   * already.
   */
  add(fd: number, slot: number, generation: number, interest: number, mode: number): number;
  /** Changes what is waited for, and the slot and generation. -ENOENT when it is not watched. */
  modify(fd: number, slot: number, generation: number, interest: number, mode: number): number;
  /** Does nothing, and returns 1, unless that slot and generation still own the fd; else 0. */
  delete(fd: number, slot: number, generation: number): number;
  /** Fills `events` and returns how many; -1 waits for ever, 0 not at all; may return 0 early. */
  wait(timeoutNs: number): number;
  /** Ends a `wait`, this one or the next, of whatever thread. */
  wake(): number;
  /** Ends a driver's wait when so much time has passed; -1 takes it back. */
  setDeadline(timeoutNs: number): number;
  /** Closes the poller's own fds, never a user's. */
  close(): void;
}

/** Options of a `Poller`. */
export interface PollerOptions {
  /** Default: `TRIPOLL_BACKEND`, else the platform's best (`capabilities.backends[0]`). */
  backend?: BackendName | undefined;
}

const KNOWN_BACKENDS: readonly string[] = ['epoll', 'kqueue', 'iocp', 'poll'];

export function chooseBackend(asked: unknown): BackendName {
  if (asked !== undefined && typeof asked !== 'string') throw invalidArgType('backend', 'a string', asked);
  const name = asked ?? requestedBackend() ?? capabilities.backends[0];
  if (name === undefined || !KNOWN_BACKENDS.includes(name)) {
    throw outOfRange('backend', `one of ${KNOWN_BACKENDS.join(', ')}`, name);
  }
  if (!(capabilities.backends as readonly string[]).includes(name)) {
    throw unsupportedError(
      `backend ${name} does not exist on ${capabilities.platform}, which has: ${capabilities.backends.join(', ')}`,
    );
  }
  return name as BackendName;
}

/** The operating system's poller, without policy: see `PollerContract`. A `Reactor` owns one. */
export class Poller implements PollerContract {
  /** What kind of poller it is. */
  readonly backend: BackendName;
  #events: Events;
  /** Names the native poller; -1 when closed. */
  #index: number;
  /** When it is closed: what it had counted. */
  #spinCounts: readonly [number, number] = [0, 0];

  /**
   * @throws RangeError ERR_TRIPOLL_OUT_OF_RANGE for a name that is no backend;
   * ERR_TRIPOLL_UNSUPPORTED for one that this platform lacks; a system error (EMFILE) when it
   * cannot be opened.
   */
  constructor(options: PollerOptions = {}) {
    checkNames('options', options, { backend: true });
    this.backend = chooseBackend(options.backend);
    this.#index = native.pollerOpen(this.backend);
    if (this.#index < 0) throw systemError(this.#index, `open ${this.backend}`);
    this.#events = this.#view();
  }

  #view(): Events {
    const memory = native.pollerEvents(this.#index);
    // A runtime that forbids external memory (V8's sandbox, in Electron) gives none.
    if (typeof memory !== 'object') {
      this.close();
      throw unsupportedError(
        'this runtime, like Electron, does not let native code share memory with JavaScript',
      );
    }
    return new Events(new Uint32Array(memory));
  }

  /**
   * What the last `wait` filled. Who transfers its memory away loses a view: native code keeps the
   * memory (T07).
   */
  get events(): Events {
    if (this.#events.words.length === 0 && this.#index >= 0) this.#events = this.#view();
    return this.#events;
  }

  /** @internal Names the native poller to drivers. */
  get index(): number {
    if (this.#index < 0) throw closedError('Poller');
    return this.#index;
  }

  /** @internal Of its busy polling: looks that found nothing, and waits that slept all the same. */
  get spinCounts(): readonly [looks: number, sleeps: number] {
    if (this.#index < 0) return this.#spinCounts;
    return [native.pollerLooks(this.#index), native.pollerSleeps(this.#index)];
  }

  /** @internal What another thread may use to wake this poller: see `Waker`. */
  get wakeId(): number {
    return native.pollerWakeId(this.index);
  }

  /** Whether it has this mode, of `Mode`. */
  supports(mode: number): boolean {
    checkInteger('mode', mode, 0, MAX_UINT32);
    return native.pollerSupports(this.index, mode) === 1;
  }

  /**
   * Watches an fd, whose events come with this slot and generation. -EEXIST when it is watched
   * already.
   */
  add(fd: number, slot: number, generation: number, interest: number, mode: number): number {
    this.#check(fd, slot, generation, interest, mode);
    return native.pollerAdd(this.index, fd, slot, generation, interest, mode);
  }

  /** Changes what is waited for, and the slot and generation. -ENOENT when it is not watched. */
  modify(fd: number, slot: number, generation: number, interest: number, mode: number): number {
    this.#check(fd, slot, generation, interest, mode);
    return native.pollerModify(this.index, fd, slot, generation, interest, mode);
  }

  /**
   * Watches it no more; does nothing, and returns 1, unless that slot and generation still own the
   * fd.
   */
  delete(fd: number, slot: number, generation: number): number {
    checkFd(fd);
    checkInteger('slot', slot, 0, MAX_SLOT);
    checkInteger('generation', generation, 0, MAX_UINT32);
    return native.pollerDelete(this.index, fd, slot, generation);
  }

  /** Fills `events` and returns how many; -1 waits for ever, 0 not at all; may return 0 early. */
  wait(timeoutNs: number): number {
    checkInteger('timeoutNs', timeoutNs, -1, MAX_WAIT_NS);
    return native.pollerWait(this.index, timeoutNs);
  }

  /** Ends a `wait`, this one or the next, of whatever thread. */
  wake(): number {
    return native.pollerWake(this.index);
  }

  /** Ends a driver's wait when so much time has passed; -1 takes it back. */
  setDeadline(timeoutNs: number): number {
    checkInteger('timeoutNs', timeoutNs, -1, MAX_WAIT_NS);
    return native.pollerSetDeadline(this.index, timeoutNs);
  }

  /** Closes the poller's own fds, never a user's. May be called twice. */
  close(): void {
    if (this.#index < 0) return;
    this.#spinCounts = this.spinCounts;
    native.pollerClose(this.#index);
    this.#index = -1;
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }

  #check(fd: number, slot: number, generation: number, interest: number, mode: number): void {
    checkFd(fd);
    checkInteger('slot', slot, 0, MAX_SLOT);
    checkInteger('generation', generation, 0, MAX_UINT32);
    checkInteger('interest', interest, 0, ALL_INTERESTS);
    checkInteger('mode', mode, 0, MAX_UINT32);
  }
}
