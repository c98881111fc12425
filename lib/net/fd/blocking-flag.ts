import { constants, fstatSync } from 'node:fs';
import { systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

const { F_GETFL, F_SETFL, O_NONBLOCK } = native.constants;
const { O_APPEND } = constants;

/** An open file whose O_NONBLOCK was set here, and those of ours that need it so. */
interface ChangedFile {
  readonly inode: string;
  readonly users: BlockingFlag[];
}

/** By inode: put back when the process ends, for the sake of whoever shares a terminal. */
const changed = new Map<string, ChangedFile[]>();

function restoreAll(): void {
  for (const { users } of [...changed.values()].flat()) for (const flag of [...users]) flag.restore();
}

/**
 * The same for all numbers of an open file, and for some others: the two ends of a pipe, all
 * eventfds.
 */
function inodeOf(fd: number): string {
  try {
    const { dev, ino } = fstatSync(fd);
    return `${dev}:${ino}`;
  } catch {
    // A socket of Windows: `sharesFile` alone must tell.
    return '';
  }
}

/**
 * Whether two numbers mean one open file: what is changed by one is seen by the other. O_APPEND
 * means nothing to what can be waited for, and is back before anybody else of this thread runs.
 * kcmp(2) says the same, where a sandbox lets it.
 */
function sharesFile(fd: number, other: number): boolean {
  const flags = native.fcntl(fd, F_GETFL, 0);
  const before = native.fcntl(other, F_GETFL, 0);
  if (flags < 0 || before < 0 || native.fcntl(fd, F_SETFL, flags ^ O_APPEND) < 0) return false;
  const after = native.fcntl(other, F_GETFL, 0);
  native.fcntl(fd, F_SETFL, flags);
  return ((before ^ after) & O_APPEND) !== 0;
}

function findShared(fd: number): ChangedFile | null {
  if (changed.size === 0) return null;
  const files = changed.get(inodeOf(fd)) ?? [];
  return files.find(({ users: [user] }) => user !== undefined && sharesFile(fd, user.fd)) ?? null;
}

function add(file: ChangedFile): void {
  if (changed.size === 0) process.on('exit', restoreAll);
  changed.set(file.inode, [...(changed.get(file.inode) ?? []), file]);
}

function remove(file: ChangedFile): void {
  const others = (changed.get(file.inode) ?? []).filter((other) => other !== file);
  if (others.length > 0) changed.set(file.inode, others);
  else changed.delete(file.inode);
  if (changed.size === 0) process.off('exit', restoreAll);
}

/**
 * O_NONBLOCK of an open file, set as long as anybody of this thread needs it. It is the open file's
 * and not the number's: a duplicate has the same, and would block its thread if who closes first
 * took it back (T80).
 */
export class BlockingFlag {
  readonly fd: number;
  /** Null: it was set before us. */
  #file: ChangedFile | null = null;

  /** @throws EBADF and what else fcntl(2) says */
  constructor(fd: number) {
    this.fd = fd;
    const flags = native.fcntl(fd, F_GETFL, 0);
    if (flags < 0) throw systemError(flags, 'fcntl', { fd });
    if ((flags & O_NONBLOCK) !== 0) {
      this.#file = findShared(fd);
      this.#file?.users.push(this);
      return;
    }
    const error = native.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    if (error < 0) throw systemError(error, 'fcntl', { fd });
    this.#file = { inode: inodeOf(fd), users: [this] };
    add(this.#file);
  }

  /** As it was, unless others need it; the other flags as they are by now. */
  restore(): void {
    if (!this.#leave()) return;
    const flags = native.fcntl(this.fd, F_GETFL, 0);
    // The fd is open, and these are its own flags: it does not fail, and nobody could do better if
    // it did.
    if (flags >= 0) native.fcntl(this.fd, F_SETFL, flags & ~O_NONBLOCK);
  }

  /** The number is a stranger's by now. */
  forget(): void {
    this.#leave();
  }

  /** Whether it was the last that needed a flag which we have set. */
  #leave(): boolean {
    const file = this.#file;
    if (file === null) return false;
    this.#file = null;
    file.users.splice(file.users.indexOf(this), 1);
    if (file.users.length > 0) return false;
    remove(file);
    return true;
  }
}
