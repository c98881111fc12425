import type { Duplex } from 'node:stream';
import { checkBytes } from '../binding/validate.js';
import { native } from '../binding/native.js';
import type { ByteEnds } from './byte-ends.js';
import { chooseReactor } from '../reactor/choose-reactor.js';
import { openConnection } from './given-fd.js';
import {
  isByteSocket,
  isNodeSocket,
  isOurSocket,
  isStream,
  releaseSocket,
  type AnySocket,
} from './release.js';
import { Socket, startSocket } from './socket.js';
import { SourceDuplex } from './source-duplex.js';
import type { SocketOptions } from './socket-options.js';

/** Options of `toDuplex`: those of a `Socket`, and what was read before. */
export interface ToDuplexOptions extends SocketOptions {
  /** What was read from it already, and is to be read first. It is copied. */
  unread?: Uint8Array | undefined;
}

/**
 * Makes a `Socket` of a connected stream or connection, TCP or Unix, which closes: its fd is the
 * `Socket`'s from here on.
 *
 * @throws as `handOver`, but on every system
 */
export function toDuplex(stream: AnySocket, options?: ToDuplexOptions): Socket;
/**
 * Makes a Duplex that reads from a source and writes to a sink, one call at a time, as Node asks for
 * bytes: an `FdStream`, a `PipeStream`, or what else has `read` or `writeAll`. It is closed with the
 * Duplex, if it has `close`.
 *
 * @throws TypeError
 */
export function toDuplex(stream: ByteEnds, options?: ToDuplexOptions): Duplex;
export function toDuplex(stream: AnySocket | ByteEnds, options: ToDuplexOptions = {}): Duplex {
  const { unread: before, ...rest } = options;
  if (before !== undefined) checkBytes('unread', before);
  if (typeof stream === 'object' && stream !== null && hasSocket(stream))
    return toSocket(stream as AnySocket, before, rest);
  return new SourceDuplex(stream as ByteEnds, before, rest);
}

function toSocket(stream: AnySocket, before: Uint8Array | undefined, given: SocketOptions): Socket {
  const options = { ...given, fd: undefined, ...(hasEnded(stream) ? { writable: false } : {}) };
  // Before the stream is taken: an option may be wrong.
  const socket = new Socket(options);
  try {
    const { fd, unread, isTcp, reactor } = releaseSocket(stream, before);
    const connection = openConnection(fd, isTcp, reactor ?? chooseReactor(undefined));
    // It could not be registered, which the Socket tells.
    if (connection.closed) native.close(fd);
    startSocket(socket, connection, options);
    if (unread.length > 0) socket.unshift(unread);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Whether its own side has ended. */
function hasEnded(stream: AnySocket): boolean {
  return isStream(stream) ? stream.writeEnded : (stream as Duplex).writableEnded;
}

/** Other streams have an fd too, of a pipe of Windows say, that no `Socket` could use. */
function hasSocket(stream: object): boolean {
  if (isOurSocket(stream) || isNodeSocket(stream)) return true;
  return isStream(stream) && (stream.fd < 0 || isByteSocket(stream) || stream.profile.traits.messages);
}
