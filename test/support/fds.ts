import { readdirSync, readlinkSync } from 'node:fs';

/** What each open fd of this process leads to (`socket:[123]`, `anon_inode:[eventpoll]`). Linux only. */
export function openFds(): Map<number, string> {
  const fds = new Map<number, string>();
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      fds.set(Number(name), readlinkSync(`/proc/self/fd/${name}`));
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
