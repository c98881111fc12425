import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBun } from './platform.js';

/** Bun's engine starts and ends threads of its own as it likes, for its compiler, say. */
function isOurs(id: string): boolean {
  try {
    return !isBun || readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim() === 'Worker';
  } catch {
    return false; // It has just ended.
  }
}

/** The ids of this process' threads, in Bun of its workers alone; none where there is no /proc. */
export const threadIds = (): string[] =>
  existsSync('/proc/self/task') ? readdirSync('/proc/self/task').filter(isOurs) : [];
