import { EBADF } from '../../binding/errnos.js';
import { errnosOf, outOfRange, systemError, unsupportedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkBytes, checkFd, checkInteger } from '../../binding/validate.js';
import { checkCall, type CancelOptions } from '../../reactor/cancellation.js';
import { receiveNow } from '../socket/stream-calls.js';
import type { StreamCore } from './stream-core.js';

const { MSG_PEEK, F_GETFD } = native.constants;
/** What sendfile(2) says of the file, not of the socket. */
const OF_THE_FILE = errnosOf('EINVAL', 'EIO', 'EOVERFLOW', 'ESPIPE', 'EISDIR', 'EACCES', 'EPERM');

/** Which part of the file `sendfile` writes. */
export interface SendfileOptions extends CancelOptions {
  /** Where in the file; default 0. The file's own position is neither used nor moved. */
  offsetBytes?: number | undefined;
  /** How many; default all up to the file's end. */
  lengthBytes?: number | undefined;
}

/** A connection of either style, TCP or Unix, as `copyBidirectional` takes it. */
export type AnyStream = StreamCore<unknown>;

// What the methods of these names do. Async functions: a wrong argument is a rejection.

export async function peek(stream: AnyStream, buffer: Uint8Array, options?: CancelOptions): Promise<number> {
  checkBytes('buffer', buffer);
  if (buffer.length === 0) throw outOfRange('buffer', 'at least one byte long', buffer);
  // As it is now: of a buffer that is detached by then nothing could be told from the end.
  const { length } = buffer;
  const run = (fd: number) => receiveNow(fd, buffer, length, MSG_PEEK);
  return stream.readWith({ run, peeks: true, drained: false }, options);
}

export async function sendfile(
  stream: AnyStream,
  fileFd: number,
  options: SendfileOptions = {},
): Promise<number> {
  checkFd(fileFd, 'fileFd');
  checkCall(options, { offsetBytes: true, lengthBytes: true });
  const { offsetBytes = 0, signal, timeoutMs } = options;
  const { lengthBytes = Number.MAX_SAFE_INTEGER - offsetBytes } = options;
  checkInteger('offsetBytes', offsetBytes, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('lengthBytes', lengthBytes, 0, Number.MAX_SAFE_INTEGER - offsetBytes);
  const call = native.sendfile;
  if (call === undefined) throw unsupportedError('this platform has no sendfile(2) here');
  const source = (fd: number, written: number) => {
    const sent = call(fd, fileFd, offsetBytes + written, lengthBytes - written);
    if (sent === EBADF ? native.fcntl(fileFd, F_GETFD, 0) < 0 : OF_THE_FILE.has(sent)) {
      throw systemError(sent, 'sendfile', { fd: fileFd });
    }
    return sent;
  };
  return stream.writeWith(source, lengthBytes, { signal, timeoutMs });
}
