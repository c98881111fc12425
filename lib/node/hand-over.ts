import { Socket as NodeSocket } from 'node:net';
import { capabilities } from '../binding/capabilities.js';
import { unsupportedError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkNames } from '../binding/validate.js';
import { chooseReactor } from '../reactor/choose-reactor.js';
import type { Reactor } from '../reactor/reactor.js';
import { TcpStream } from '../net/tcp/tcp-stream.js';
import { UnixStream } from '../net/unix/unix-stream.js';
import { releaseSocket, type AnySocket } from './release.js';

/** Options of `handOver`. */
export interface HandOverOptions {
  /** What was read from it already, and is to be read first. It is copied. */
  unread?: Uint8Array | undefined;
  /** Of the `net.Socket`: our side stays open after the peer's end. Default false. */
  allowHalfOpen?: boolean | undefined;
}

const HAND_OVER_NAMES: Readonly<Record<keyof HandOverOptions, true>> = { unread: true, allowHalfOpen: true };

/**
 * Gives a socket to Node's own `net.Socket`, by its fd: for TLS, whose native path takes nothing
 * else. What was read and not used comes first; what the system has is Node's to read. The stream
 * closes, and only its `close` is told; a `Socket` leaves its server, so that
 * `server.close()` waits for it no longer.
 *
 * @param socket a `TcpStream`, `UnixStream`, connection with handlers, or `Socket`
 * @throws TypeError; ERR_TRIPOLL_BUSY while a read or a write waits: `await` it, or `drain`, first;
 * ERR_TRIPOLL_STATE while it connects, decodes (`setEncoding`, `onread`), or HTTP or TLS is over it;
 * ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_UNSUPPORTED for sockets of messages, outside of Node, and on
 * Windows, where `new net.Socket({ fd })` takes fds of the C runtime, which sockets have not. It is
 * as it was then. What Node throws, as EMFILE, comes after the stream has closed: then the
 * connection is closed too.
 */
export function handOver(socket: AnySocket, options: HandOverOptions = {}): NodeSocket {
  checkNames('options', options, HAND_OVER_NAMES);
  if (capabilities.platform === 'win32') throw unsupportedError('Node takes no socket by number on Windows');
  if (capabilities.runtime !== 'node') throw unsupportedError('only Node takes sockets by fd');
  const { unread: before, allowHalfOpen } = options;
  const { fd, unread, writeEnded } = releaseSocket(socket, before);
  let given: NodeSocket;
  try {
    given = new NodeSocket({ fd, allowHalfOpen, ...(writeEnded ? { writable: false } : {}) });
  } catch (error) {
    native.close(fd);
    throw error;
  }
  if (unread.length > 0) given.unshift(unread);
  return given;
}

/** Options of `take`. */
export interface TakeOptions {
  /** Default: its own; of a `net.Socket`, `Reactor.default`. */
  reactor?: Reactor | undefined;
}

/** What `take` gives. */
export interface TakenSocket {
  /** It is open; its first bytes may be in `unread`. */
  readonly stream: TcpStream | UnixStream;
  /** What was read from the socket already: it comes before what `stream` reads. */
  readonly unread: Uint8Array;
}

/**
 * Takes a socket from Node's own `net.Socket`, or from a `Socket` or a connection of ours, and makes
 * a stream with promises of it. A `net.Socket` reads ahead, hence `unread`; its fd is duplicated,
 * and Node's own closed, which the peer does not notice. From the call on nothing is emitted but
 * `close`.
 *
 * @throws (as rejection) as `handOver`; ERR_TRIPOLL_UNSUPPORTED for a `TLSSocket`, whose bytes are
 * not the socket's: `fromDuplex` takes it; on Windows, where Node does not tell a socket's number;
 * with SO_LINGER above 0; EMFILE
 */
export async function take(socket: AnySocket, options: TakeOptions = {}): Promise<TakenSocket> {
  checkNames('options', options, { reactor: true });
  const wanted = options.reactor === undefined ? null : chooseReactor(options.reactor);
  const { fd, unread, isTcp, writeEnded, reactor: own } = releaseSocket(socket);
  const reactor = wanted ?? own ?? undefined;
  let stream: TcpStream | UnixStream;
  try {
    stream = await (isTcp ? TcpStream.fromFd(fd, { reactor }) : UnixStream.fromFd(fd, { reactor }));
  } catch (error) {
    native.close(fd);
    throw error;
  }
  if (writeEnded) stream.end();
  return { stream, unread };
}
