import { existsSync, fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { sys } from 'tripoll/raw';
import { isWindows } from './platform.js';

/** Handle numbers of Windows are multiples of 4, and small ones: the lowest free is taken. */
const HANDLE_STEP = 4;
const MAX_HANDLES = 16_384;
const { SOL_SOCKET, SO_TYPE, SOCK_STREAM, F_GETFD } = sys.constants;

/**
 * Windows lists no handles: each number is asked what it is. Only sockets: the runtime's own events
 * come and go.
 */
function openSockets(): Map<number, string> {
  const sockets = new Map<number, string>();
  const type = new Int32Array(1);
  const bytes = new Uint8Array(type.buffer);
  for (let handle = HANDLE_STEP; handle < MAX_HANDLES; handle += HANDLE_STEP) {
    if (sys.getsockopt(handle, SOL_SOCKET, SO_TYPE, bytes) < 0) continue;
    sockets.set(handle, type[0] === SOCK_STREAM ? 'stream socket' : 'socket');
  }
  return sockets;
}

/** How many handles of any kind are open. Windows only. */
export function countHandles(): number {
  let count = 0;
  for (let handle = HANDLE_STEP; handle < 4 * MAX_HANDLES; handle += HANDLE_STEP) {
    if (sys.fcntl(handle, F_GETFD) >= 0) count++;
  }
  return count;
}

/** Where this system lists a process's own fds; FreeBSD only with fdescfs mounted there. */
export const FD_FOLDER = existsSync('/proc/self/fd') ? '/proc/self/fd' : '/dev/fd';

/**
 * What each open fd of this process leads to (`socket:[123]`, `anon_inode:[eventpoll]`); on other
 * Unix systems its inode.
 */
function targetOf(fd: number): string {
  if (FD_FOLDER.startsWith('/proc/')) return readlinkSync(`${FD_FOLDER}/${fd}`);
  const { dev, ino } = fstatSync(fd);
  return `${dev}:${ino}`;
}

/** Of this process; on Windows its sockets. */
export function openFds(): Map<number, string> {
  if (isWindows) return openSockets();
  const fds = new Map<number, string>();
  for (const name of readdirSync(FD_FOLDER)) {
    try {
      fds.set(Number(name), targetOf(Number(name)));
    } catch {
      // The listing's own fd, which is closed by now.
    }
  }
  return fds;
}

/** What has been opened since and is still open, as `fd -> target`. */
export function openedSince(before: ReadonlyMap<number, string>): string[] {
  const opened: string[] = [];
  for (const [fd, target] of openFds()) {
    if (before.get(fd) !== target) opened.push(`${fd} -> ${target}`);
  }
  return opened;
}
