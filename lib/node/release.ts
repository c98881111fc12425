import type { Socket as NodeSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { capabilities } from '../binding/capabilities.js';
import { busyError, invalidArgType, stateError, systemError, unsupportedError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkBytes } from '../binding/validate.js';
import type { AnyStream } from '../net/stream/transfer.js';
import { readSocketInt } from '../net/socket/given-fd.js';
import type { Reactor } from '../reactor/reactor.js';
import { kindOfFd } from './given-fd.js';
import { STATE, type Socket } from './socket.js';

const { SO_TYPE, SOCK_STREAM, F_DUPFD_CLOEXEC } = native.constants;

/** A connected socket of any kind that can be given to another owner. */
export type AnySocket = AnyStream | Socket | NodeSocket;

/** A socket without an owner: whoever gets this closes the fd. */
export interface ReleasedSocket {
  readonly fd: number;
  /** Bytes that were read from it already, and are the first that the next owner reads. */
  readonly unread: Uint8Array;
  readonly isTcp: boolean;
  /** Our side has ended. */
  readonly writeEnded: boolean;
  /** The one that it lived on; null if it was Node's. */
  readonly reactor: Reactor | null;
}

/** What of Node's own socket is looked at. */
interface NodeHandle {
  /** -1 on Windows, and once closed. */
  readonly fd: number;
  /** An HTTP server's parser reads from it. */
  readonly _consumed?: boolean;
  readStop(): void;
}

const handleOf = (socket: object): NodeHandle | null | undefined =>
  (socket as { _handle?: NodeHandle | null })._handle;

export const isOurSocket = (value: object): value is Socket => STATE in value;

export const isNodeSocket = (value: object): value is NodeSocket =>
  !isOurSocket(value) && typeof handleOf(value)?.readStop === 'function';

/** A stream or connection of `tripoll/net`. */
export const isStream = (value: object): value is AnyStream =>
  typeof (value as Partial<AnyStream>).intoFd === 'function';

/** Whether it is on a socket of bytes: not on one of messages, nor on a pipe of Windows. */
export const isByteSocket = ({ fd }: AnyStream): boolean => readSocketInt(fd, SO_TYPE) === SOCK_STREAM;

/**
 * Takes the socket from its owner, which closes without closing the fd, and tells nothing more.
 *
 * @param before what the caller had read from it: that comes first
 * @throws TypeError; ERR_TRIPOLL_BUSY while a read or a write waits; ERR_TRIPOLL_STATE while it is
 * connecting, or something reads it that cannot be taken from it; ERR_TRIPOLL_CLOSED;
 * ERR_TRIPOLL_UNSUPPORTED for what is no socket of bytes. It is as it was then.
 */
export function releaseSocket(socket: AnySocket, before?: Uint8Array): ReleasedSocket {
  if (before !== undefined) checkBytes('unread', before);
  if (typeof socket !== 'object' || socket === null)
    throw invalidArgType('socket', 'a stream or a socket', socket);
  let released: ReleasedSocket;
  if (isOurSocket(socket)) released = releaseOurs(socket);
  else if (isStream(socket)) released = releaseStream(socket);
  else if (isNodeSocket(socket) || handleOf(socket) === null) released = releaseNodes(socket);
  else throw invalidArgType('socket', 'a stream or a socket', socket);
  // The caller's bytes may be lent to it.
  return before === undefined ? released : { ...released, unread: Buffer.concat([before, released.unread]) };
}

function releaseStream(stream: AnyStream): ReleasedSocket {
  if (stream.fd < 0 && !stream.closed) throw stateError('it is connecting');
  if (stream.fd >= 0 && !isByteSocket(stream))
    throw unsupportedError('it is no socket that carries a stream of bytes');
  const { reactor, writeEnded } = stream;
  const isTcp = typeof (stream as { reset?: unknown }).reset === 'function';
  return { fd: stream.intoFd(), unread: Buffer.alloc(0), isTcp, writeEnded, reactor };
}

function releaseOurs(socket: Socket): ReleasedSocket {
  checkDuplex(socket);
  const state = socket[STATE];
  if (state.waitsForConnect) throw stateError('TLS is over it');
  if (state.userBuffer !== null) throw stateError('it reads into a buffer of its own (onread)');
  const { writableEnded } = socket;
  const { fd, reactor, isTcp } = state.release();
  const unread = takeUnread(socket);
  socket.destroy();
  return { fd, unread, isTcp, writeEnded: writableEnded, reactor };
}

/**
 * Node's handle cannot be parted from its fd: it is closed, and a duplicate goes on. Nothing comes
 * in between, since all happens within one call.
 */
function releaseNodes(socket: NodeSocket): ReleasedSocket {
  checkDuplex(socket);
  const handle = handleOf(socket);
  if (handle === null || handle === undefined) throw stateError('it is not connected');
  if ((socket as { encrypted?: boolean }).encrypted === true)
    throw unsupportedError('what TLS has decrypted is no socket');
  if (capabilities.runtime !== 'node' || !(handle.fd >= 0))
    throw unsupportedError('this runtime or system does not tell the fd of a net.Socket');
  if (handle._consumed === true) throw stateError('an HTTP server reads it');
  // Node's TLS redefines it on the handle that it reads from.
  if (Object.getOwnPropertyDescriptor(handle, 'reading')?.get !== undefined)
    throw stateError('TLS is over it');
  const fd = native.fcntl(handle.fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) throw systemError(fd, 'fcntl');
  const kind = kindOfFd(fd);
  if (kind === null) {
    native.close(fd);
    throw unsupportedError('it is no connected socket, or one with SO_LINGER above 0');
  }
  const { writableEnded } = socket;
  const unread = takeUnread(socket);
  handle.readStop();
  socket.destroy();
  return { fd, unread, ...kind, writeEnded: writableEnded, reactor: null };
}

/** What would be lost, or torn from somebody. */
function checkDuplex(socket: Duplex & { connecting: boolean }): void {
  if (socket.destroyed) throw stateError('it is closed');
  if (socket.connecting) throw stateError('it is connecting');
  if (socket.writableLength > 0 || (socket.writableEnded && !socket.writableFinished))
    throw busyError('a write is waiting');
  if (socket.readableEncoding !== null) throw stateError('it decodes what it reads (setEncoding)');
  const { parser } = socket as { parser?: unknown };
  if (parser !== null && parser !== undefined) throw stateError('HTTP reads it');
}

/** What is in its buffer, for nobody else to be given. */
function takeUnread(socket: Duplex): Uint8Array {
  socket.removeAllListeners('data').removeAllListeners('readable');
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = socket.read() as Uint8Array | null;
    if (chunk === null) return Buffer.concat(chunks);
    chunks.push(chunk);
  }
}
