import {
  errnoOf,
  outOfRange,
  stateError,
  systemError,
  unsupportedError,
  type TripollError,
} from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkBytes, checkFd, checkInteger, checkObject } from '../binding/validate.js';
import { checkCancel, watchCancel, type CancelOptions } from '../reactor/cancellation.js';
import { receiveNow, sendNow } from './stream-calls.js';
import type { StreamOperations } from './stream-operations.js';
import type { StreamProfile } from './stream-profile.js';
import type { WriteSource } from './write-queue.js';
import {
  checkLendable,
  newZeroCopyWrite,
  type ZeroCopyLedger,
  type ZeroCopyResult,
  type ZeroCopyWrite,
} from './zero-copy.js';

const EBADF = errnoOf('EBADF');
const { MSG_PEEK = 2, MSG_OOB = 1, F_GETFD = 1 } = native.constants;
/** What sendfile(2) says of the file, not of the socket. */
const OF_THE_FILE = new Set(
  ['EINVAL', 'EIO', 'EOVERFLOW', 'ESPIPE', 'EISDIR', 'EACCES', 'EPERM'].map((name) => errnoOf(name)),
);

export interface SendfileOptions extends CancelOptions {
  /** Where in the file; default 0. The file's own position is neither used nor moved. */
  offset?: number | undefined;
  /** How many bytes; default all up to the file's end. */
  length?: number | undefined;
}

/** A connection of either style, TCP or Unix, as `copyBidirectional` takes it. */
export type AnyStream = StreamOperations<StreamProfile, unknown>;

// What the methods of these names do. Async functions: a wrong argument is a rejection.

export async function peek(stream: AnyStream, buffer: Uint8Array, options?: CancelOptions): Promise<number> {
  checkBytes('buffer', buffer);
  if (buffer.length === 0) throw outOfRange('buffer', 'at least one byte long', buffer);
  // As it is now: of a buffer that is detached by then nothing could be told from the end.
  const { length } = buffer;
  const run = (fd: number) => receiveNow(fd, buffer, length, MSG_PEEK);
  return stream.readWith({ run, drained: false }, options);
}

export async function sendfile(
  stream: AnyStream,
  fileFd: number,
  options: SendfileOptions = {},
): Promise<number> {
  checkFd(fileFd, 'fileFd');
  checkObject('options', options);
  const { offset = 0, length = Number.MAX_SAFE_INTEGER - offset } = options;
  checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('length', length, 0, Number.MAX_SAFE_INTEGER - offset);
  const call = native.sendfile;
  if (call === undefined) throw unsupportedError('this platform has no sendfile(2) here');
  const source = (fd: number, written: number) => {
    const sent = call(fd, fileFd, offset + written, length - written);
    if (sent === EBADF ? native.fcntl(fileFd, F_GETFD, 0) < 0 : OF_THE_FILE.has(sent)) {
      throw systemError(sent, 'sendfile', { fd: fileFd });
    }
    return sent;
  };
  return stream.writeWith(source, length, options);
}

/** @throws TypeError, RangeError */
export function urgentSource(byte: number): WriteSource {
  checkInteger('byte', byte, 0, 255);
  const bytes = Uint8Array.of(byte);
  return (fd) => sendNow(fd, bytes, 0, 1, MSG_OOB);
}

export async function sendUrgent(stream: AnyStream, byte: number, options?: CancelOptions): Promise<void> {
  await stream.writeWith(urgentSource(byte), 1, options);
}

export async function writeZeroCopy(
  stream: AnyStream,
  ledger: ZeroCopyLedger,
  memory: Uint8Array,
  options: CancelOptions = {},
): Promise<ZeroCopyResult> {
  checkLendable(memory);
  checkCancel(options);
  const { timeoutMs } = options;
  const startMs = performance.now();
  const write = newZeroCopyWrite();
  const send = (fd: number, written: number) => ledger.send(fd, memory, written, write);
  const bytesWritten = await stream.writeWith(send, memory.length, options);
  if (write.outstanding > 0) {
    stream.watchPriority();
    const left = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (performance.now() - startMs));
    await returned(stream, write, bytesWritten, { signal: options.signal, timeoutMs: left });
  }
  return { bytesWritten, copied: write.copied };
}

/** The kernel has given the memory back. Who does not wait for that destroys the stream: the bytes are out, or will be. */
function returned(
  stream: AnyStream,
  write: ZeroCopyWrite,
  bytesWritten: number,
  options: CancelOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = watchCancel(options, stream.reactor, (error: TripollError) => {
      error.bytesWritten = bytesWritten;
      reject(error);
      stream.abandon(stateError('a zero-copy write was aborted'));
    });
    write.onReturned = () => {
      stop();
      resolve();
    };
    write.onLost = (reason) => {
      stop();
      reject(reason);
    };
  });
}
