import { existsSync, fstatSync, readdirSync, readlinkSync } from 'node:fs';

/** Where this system lists a process's own fds; FreeBSD only with fdescfs mounted there. */
export const FD_FOLDER = existsSync('/proc/self/fd') ? '/proc/self/fd' : '/dev/fd';

/** What each open fd of this process leads to (`socket:[123]`, `anon_inode:[eventpoll]`); elsewhere than on Linux its inode. */
function targetOf(fd: number): string {
  if (FD_FOLDER.startsWith('/proc/')) return readlinkSync(`${FD_FOLDER}/${fd}`);
  const { dev, ino } = fstatSync(fd);
  return `${dev}:${ino}`;
}

export function openFds(): Map<number, string> {
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
