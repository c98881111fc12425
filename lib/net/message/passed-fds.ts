import { outOfRange } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

/**
 * fds that came with a message, close-on-exec. Until they are taken they belong to who received
 * them: what nobody takes is closed, as its receiver says when; at the latest at the end of the
 * thread.
 */
export class PassedFds {
  #fds: (number | null)[];
  /**
   * Some of them were lost: there was no room for all (MSG_CTRUNC, EMFILE), or more came than were
   * asked for.
   */
  readonly truncated: boolean;

  /** @internal */
  constructor(fds: number[], truncated: boolean) {
    this.#fds = fds;
    this.truncated = truncated;
  }

  /** How many came and were kept. */
  get count(): number {
    return this.#fds.length;
  }

  /**
   * Hands one over: from here on it is yours to close, by any means; the end of the thread does not
   * close it.
   *
   * @throws RangeError when there is none, or no longer
   */
  take(index: number): number {
    const fd = this.#fds[index];
    if (fd === undefined || fd === null) throw outOfRange('index', 'of an fd that is still here', index);
    this.#fds[index] = null;
    native.disownFd(fd);
    return fd;
  }

  /** Hands over all that are left. */
  takeAll(): number[] {
    const taken: number[] = [];
    this.#fds.forEach((fd, index) => {
      if (fd !== null) taken.push(this.take(index));
    });
    return taken;
  }

  /** Closes what was not taken. May be called twice. */
  close(): void {
    const left = this.#fds;
    this.#fds = left.map(() => null);
    for (const fd of left) if (fd !== null) native.close(fd);
  }

  /** Closes what was not taken, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

export const NO_FDS = new PassedFds([], false);

/**
 * What the receives of one socket brought, several of which may wait at once: who closes what
 * nobody takes.
 */
export class UntakenFds {
  /** The latest last. Whoever awaits them may not have gone on yet. */
  #kept: PassedFds[] = [];
  /** Receives that have begun and not ended. */
  #waiting = 0;
  /** As many at once, since microtasks were last done: of each of them one may be unseen. */
  #mostWaiting = 1;
  #isSettling = false;

  begin(): void {
    this.#waiting++;
    this.#mostWaiting = Math.max(this.#mostWaiting, this.#waiting);
  }

  end(): void {
    this.#waiting--;
    if (this.#isSettling || this.#mostWaiting <= Math.max(1, this.#waiting)) return;
    this.#isSettling = true;
    // When all microtasks have run, in which those who waited go on.
    queueMicrotask(() => process.nextTick(() => this.#settle()));
  }

  #settle(): void {
    this.#isSettling = false;
    this.#mostWaiting = Math.max(1, this.#waiting);
    this.#closeOld();
  }

  /** A receive has brought these. */
  add(fds: PassedFds): PassedFds {
    this.#kept.push(fds);
    this.#closeOld();
    return fds;
  }

  #closeOld(): void {
    while (this.#kept.length > this.#mostWaiting) this.#kept.shift()?.close();
  }

  close(): void {
    for (const fds of this.#kept.splice(0)) fds.close();
  }
}
