import { native } from '../../binding/native.js';
import { Readiness } from '../../poller/flags.js';
import type { EventHandler, Registration } from '../../reactor/registration.js';
import { unreadBytes, unsentBytes, type ReadyCheck } from './fd-state.js';

const { SOL_SOCKET, SO_TYPE, SOCK_STREAM } = native.constants;
const word = new Int32Array(1);
const wordBytes = new Uint8Array(word.buffer);

/** What a stream of lib/net, as a handler, says of itself; others say nothing. */
export interface StreamView {
  readonly bytesRead: number | undefined;
  readonly bytesWritten: number | undefined;
  readonly readEnded: boolean;
  readonly wantsRead: boolean | undefined;
}

const NOTHING: StreamView = {
  bytesRead: undefined,
  bytesWritten: undefined,
  readEnded: false,
  wantsRead: undefined,
};

/** A user's handler may have anything under these names. */
export function viewOf(handler: EventHandler): StreamView {
  try {
    const { bytesRead, bytesWritten, readEnded, wantsRead } = handler as Partial<StreamView>;
    if (typeof bytesRead !== 'number' || typeof bytesWritten !== 'number') return NOTHING;
    return { bytesRead, bytesWritten, readEnded: readEnded === true, wantsRead };
  } catch {
    return NOTHING;
  }
}

/** What a call of a handler changes, if it takes what it was told of. */
export interface Progress {
  readonly moved: number;
  readonly unread: number | null;
  readonly unsent: number | null;
}

/**
 * Of datagrams the system tells the length of the next one: a handler that takes one after the other
 * could not be told from one that takes none. Of no socket at all it says ENOTSOCK.
 */
function hasMessages(fd: number): boolean {
  return native.getsockopt(fd, SOL_SOCKET, SO_TYPE, wordBytes) >= 0 && word[0] !== SOCK_STREAM;
}

export function progressOf({ fd, handler }: Registration): Progress | null {
  const { bytesRead, bytesWritten } = viewOf(handler);
  if (bytesRead === undefined && hasMessages(fd)) return null;
  return {
    moved: (bytesRead ?? 0) + (bytesWritten ?? 0),
    unread: unreadBytes(fd),
    unsent: unsentBytes(fd),
  };
}

const TELLS_READER = Readiness.READABLE | Readiness.READ_CLOSED;
const TELLS_WRITER = Readiness.WRITABLE | Readiness.WRITE_CLOSED;

/**
 * Whether nothing of what `readiness` told was taken between the two. What the system does not tell
 * counts as progress: nobody is blamed without a reason.
 */
export function isStuck(
  registration: Registration,
  readiness: number,
  before: Progress,
  check: ReadyCheck,
): boolean {
  if (!registration.active) return false;
  const after = progressOf(registration);
  if (after === null || after.moved !== before.moved) return false;
  if (after.unread !== before.unread || after.unsent !== before.unsent) return false;
  // That more can be written is no news to who writes nothing; who writes fills the queue.
  if ((readiness & TELLS_READER) === 0 && (readiness & TELLS_WRITER) !== 0 && after.unsent === null)
    return false;
  const still = check.readiness(registration.fd, registration.interest);
  return still !== null && (still & readiness) === readiness;
}
