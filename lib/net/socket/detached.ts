import { EINVAL } from '../../binding/errnos.js';
import {
  closedError,
  invalidArgType,
  outOfRange,
  systemError,
  type TripollError,
} from '../../binding/errors.js';
import { nowMs } from '../../binding/host-clock.js';
import { native } from '../../binding/native.js';
import { checkInteger, checkObject } from '../../binding/validate.js';
import type { CancelOptions } from '../../reactor/cancellation.js';

// Sockets between two threads: the addon keeps the fd, and a handle names it.

/** By which it is made sure that a handle is attached as what was detached. */
const KINDS = {
  ...{ tcp: 1, unix: 2, udp: 3, 'tcp-listener': 4, 'unix-listener': 5, fd: 6, 'unix-datagram': 7 },
} as const;

/** What can be detached. */
export type HandleKind = keyof typeof KINDS;

/** What is known of a detached socket beside its fd; what is not so has no key. */
export interface HandleDetails {
  /** Our side has ended. */
  readonly writeEnded?: true;
  /** A Unix socket of messages. */
  readonly seqpacket?: true;
  /** The file that goes with a Unix listener or datagram socket: its path, and device and inode. */
  readonly file?: { readonly path: string | Uint8Array; readonly identity: string };
  /**
   * What had been read from the socket and was given to `detach`: it comes before what is read from
   * now on, and is whoever attaches' to use.
   */
  readonly unread?: Uint8Array;
}

/**
 * A socket on its way to another thread, of which this is the name: a plain object that can be
 * posted, cloned and serialized as often as one likes, within this process. `attach` gives the
 * socket to whoever calls it first. Until then it belongs to the thread that detached it, and is
 * closed when that ends.
 */
export interface SocketHandle<Kind extends HandleKind = HandleKind> extends HandleDetails {
  /** What it was detached from, in either style. */
  readonly kind: Kind;
  /** Never given twice in a process. */
  readonly id: number;
  /** Tells a handle of this process from any other. */
  readonly key: number;
}

/** Read at once after it was filled. */
const name = new Float64Array(2);
const nameBytes = new Uint8Array(name.buffer);

/** Takes an fd of this thread's, which is registered nowhere. @throws EBADF when it is not its own */
export function detachFd<Kind extends HandleKind>(
  fd: number,
  kind: Kind,
  details: HandleDetails,
): SocketHandle<Kind> {
  const error = native.detachFd(fd, KINDS[kind], nameBytes);
  if (error < 0) throw systemError(error, 'detach', { fd });
  return { kind, id: name[0]!, key: name[1]!, ...details };
}

/** @throws TypeError, RangeError for what `detach` cannot have given */
export function checkHandle(handle: unknown): asserts handle is SocketHandle {
  checkObject('handle', handle);
  const { kind, id, key } = handle as Partial<SocketHandle>;
  if (typeof kind !== 'string' || !Object.hasOwn(KINDS, kind))
    throw invalidArgType('handle', 'what detach() gave', handle);
  checkInteger('handle.id', id, 1, Number.MAX_SAFE_INTEGER);
  checkInteger('handle.key', key, 0, Number.MAX_SAFE_INTEGER);
}

function claimedError(): TripollError {
  const error = closedError('the handle');
  error.message += ': its socket was attached or closed already, or is of another process';
  return error;
}

/**
 * Claims the socket for `open`, which owns it when it returns.
 *
 * @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED; what `open` throws: then the handle is as good
 * as before, and the socket this thread's
 */
export function claimBy<T>(handle: SocketHandle, open: (fd: number) => T): T {
  checkHandle(handle);
  const { id, key, kind } = handle;
  const fd = native.claimFd(id, key, KINDS[kind]);
  if (fd === EINVAL) throw outOfRange('handle.kind', 'as detach() gave it', kind);
  if (fd < 0) throw claimedError();
  try {
    return open(fd);
  } catch (error) {
    // -EBADF: `open` has closed it before it threw; there is nothing to give back then.
    native.unclaimFd(fd, id, key, KINDS[kind]);
    throw error;
  }
}

/** As `discardHandle`, but for the file of a Unix socket. */
export function closeDetached(handle: SocketHandle): boolean {
  checkHandle(handle);
  return native.closeDetached(handle.id, handle.key) === 0;
}

/**
 * @internal For `lib/runtime`: from now on it is closed when this thread ends.
 *
 * @returns false if it was attached or closed already
 */
export function ownHandle(handle: SocketHandle): boolean {
  checkHandle(handle);
  return native.ownDetached(handle.id, handle.key) === 0;
}

/** Waits, as `wait` does, until nothing is queued; `timeoutMs` is for all of it. */
export async function whenSent(
  hasQueued: () => boolean,
  wait: (options: CancelOptions) => Promise<unknown>,
  { signal, timeoutMs = Infinity }: CancelOptions,
): Promise<void> {
  const endMs = nowMs() + timeoutMs;
  while (hasQueued()) {
    const leftMs = Math.max(0, endMs - nowMs());
    await wait(leftMs === Infinity ? { signal } : { signal, timeoutMs: leftMs });
  }
}
