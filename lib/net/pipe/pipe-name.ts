import { errnoOf, invalidArgType, outOfRange, systemError, unsupportedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

/** What names begin with; Windows makes no difference between upper and lower case. */
const PREFIX = /^\\\\[.?]\\pipe\\/i;
/** Windows would resolve it, and leave the pipes for any file or device (T106). */
const WAY_OUT = /[\\/]\.{1,2}(?:[\\/]|$)/;
/** Of a whole name, in UTF-16 units (Microsoft's "Pipe Names"). */
const MAX_NAME_UNITS = 256;
const ENAMETOOLONG = errnoOf('ENAMETOOLONG');

/** The name as native code takes it. @throws as `checkPipeName` */
function encodePipeName(path: string, syscall: string): Uint8Array {
  checkPipeName(path, syscall);
  return Buffer.from(path);
}

/**
 * @param syscall whose argument it is to be, for the error
 * @throws TypeError; RangeError for what is no name of a pipe of this machine; ENAMETOOLONG for
 * more than 256 UTF-16 units
 */
export function checkPipeName(path: unknown, syscall: string): asserts path is string {
  if (typeof path !== 'string') throw invalidArgType('path', 'a string', path);
  const prefix = PREFIX.exec(path)?.[0].length ?? path.length;
  const isWrong = prefix === path.length || path.includes('\0') || WAY_OUT.test(path.slice(prefix - 1));
  // A surrogate that stands alone would be another name in UTF-8.
  if (isWrong || /\p{Surrogate}/u.test(path)) {
    throw outOfRange('path', String.raw`a name after \\.\pipe\ or \\?\pipe\, without NUL and ..`, path);
  }
  if (path.length > MAX_NAME_UNITS) throw systemError(ENAMETOOLONG, syscall, { address: path });
}

/**
 * A connected pipe's fd. The system connects at once or not at all; EBUSY means that the server has
 * no instance that waits.
 *
 * @throws as `checkPipeName`; ENOENT, EACCES, EBUSY and what else CreateFile says;
 * ERR_TRIPOLL_UNSUPPORTED
 */
export function openPipe(path: string): number {
  const name = encodePipeName(path, 'connect');
  const fd = neededCall(native.pipeConnect)(name);
  if (fd < 0) throw systemError(fd, 'connect', { address: path });
  return fd;
}

/**
 * An fd to accept from.
 *
 * @throws as `checkPipeName`; EADDRINUSE, EACCES and what else CreateNamedPipe says;
 * ERR_TRIPOLL_UNSUPPORTED
 */
export function listenAt(path: string, backlog: number, remote: boolean): number {
  const name = encodePipeName(path, 'listen');
  const fd = neededCall(native.pipeListen)(name, backlog, remote ? 1 : 0);
  if (fd < 0) throw systemError(fd, 'listen', { address: path });
  return fd;
}

function neededCall<Call>(call: Call | undefined): Call {
  if (call === undefined) throw unsupportedError('this platform has no named pipes of Windows');
  return call;
}
