import { lstatSync, realpathSync, unlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { EINVAL, ENOENT } from '../../binding/errnos.js';
import { errnoOf } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import type { HandleDetails } from '../socket/detached.js';
import { unixAddressText, type UnixAddress } from '../../sys/sockaddr.js';

// The file that a name of a Unix socket is. On Windows it is a reparse point, which node:fs can
// unlink and nothing else: lstat says EACCES (T103). There the addon looks at it.

export const ECONNREFUSED = errnoOf('ECONNREFUSED');
const SLASH = 0x2f;
/** FILE_ID_INFO. */
const FILE_ID_BYTES = 24;

/**
 * The file of a name, wherever the working directory is when the socket closes; null for an
 * abstract name.
 */
export function toFile(address: UnixAddress): string | Buffer | null {
  if (typeof address !== 'string' && native.socketFileId === undefined) {
    if (address[0] === 0) return null;
    const file = Buffer.from(address);
    return file[0] === SLASH ? file : Buffer.concat([workingFolder(), Buffer.of(SLASH), file]);
  }
  const name = unixAddressText(address);
  return name.startsWith('\0') ? null : resolve(name);
}

function workingFolder(): Buffer {
  const folder = process.cwd();
  // Node tells it as text, by which a name that is no UTF-8 is lost.
  return folder.includes('\ufffd') ? realpathSync.native('.', { encoding: 'buffer' }) : Buffer.from(folder);
}

/** Device and inode of a socket's file; null when there is no such file. */
export function identify(file: string | Buffer | null): string | null {
  if (file === null) return null;
  if (native.socketFileId !== undefined) {
    const id = Buffer.alloc(FILE_ID_BYTES);
    return native.socketFileId(Buffer.from(file), id) === 0 ? id.toString('hex') : null;
  }
  const status = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  return status?.isSocket() === true ? `${status.dev}:${status.ino}` : null;
}

/** Unlinks it, unless it is gone already. Not by rmSync, which asks lstat. @throws EACCES, EBUSY */
export function unlinkAny(file: string | Buffer): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** The file of a socket that was bound here. */
export class SocketFile {
  /** Null for an abstract name: that goes with its socket. */
  readonly #path: string | Buffer | null;
  readonly #identity: string | null;

  constructor(path: string | Buffer | null, identity: string | null) {
    this.#path = path;
    this.#identity = identity;
  }

  /** Unlinks it when its socket has been closed, unless the name is another's by now. */
  unlink(): void {
    if (this.#path === null || this.#identity === null || identify(this.#path) !== this.#identity) return;
    try {
      unlinkAny(this.#path);
    } catch {
      // The program has given up its right to, or another was faster: the socket is closed all the
      // same.
    }
  }

  /** For whoever has the socket next. */
  get details(): HandleDetails {
    if (this.#path === null || this.#identity === null) return {};
    return { file: { path: this.#path, identity: this.#identity } };
  }
}

/** Of a detached listener; null if it had none. */
export function toSocketFile(file: HandleDetails['file']): SocketFile | null {
  if (file === undefined) return null;
  const { path, identity } = file;
  return new SocketFile(typeof path === 'string' ? path : Buffer.from(path), identity);
}

/**
 * What connect(2) would have said of a name that nothing has: Windows says that it is refused, and
 * older ones EINVAL (T104).
 */
export function connectErrno(error: number, address: UnixAddress): number {
  if (native.socketFileId === undefined || (error !== ECONNREFUSED && error !== EINVAL)) return error;
  const found = native.socketFileId(Buffer.from(toFile(address) ?? ''), Buffer.alloc(FILE_ID_BYTES));
  return found === ENOENT ? ENOENT : error;
}
