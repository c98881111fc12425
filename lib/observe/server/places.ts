// Where servers listen unless they are told, and where `tripoll top` looks for them. Nothing here
// needs the addon.
import { lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../binding/host.js';

/** Others of the group, or of all, may do nothing. */
const PRIVATE = 0o700;
const OTHERS = 0o077;

/** Effective; where there are no users, 0. */
export const ownUid = (): number => process.geteuid?.() ?? 0;

/**
 * The folders that servers of a user may be in, the likeliest first. A service has no
 * XDG_RUNTIME_DIR where the same user's terminal has one: that is why there are several.
 */
export function foldersOf(uid: number): string[] {
  const own = uid === ownUid() ? [folderOfThisProcess()] : [];
  const temporary = [temporaryFolder(), '/tmp'].map((folder) => join(folder, `tripoll-${uid}`));
  return [...new Set([...own, `/run/user/${uid}/tripoll`, ...temporary])];
}

function folderOfThisProcess(): string {
  const runtimeFolder = process.env['XDG_RUNTIME_DIR'] ?? '';
  return runtimeFolder === ''
    ? join(temporaryFolder(), `tripoll-${ownUid()}`)
    : join(runtimeFolder, 'tripoll');
}

/** Of a process, or of one of its other threads. */
export const fileNameOf = (pid: number, thread: number): string =>
  thread === 0 ? `${pid}.sock` : `${pid}-${thread}.sock`;

/**
 * The folder for this process's servers, made if it is not there. In `/tmp` anybody may have made it
 * before: then it is refused.
 *
 * @throws Error with `code` EACCES when it is another's, or open to others; what mkdir(2) says
 */
export function ownFolder(): string {
  const folder = folderOfThisProcess();
  try {
    mkdirSync(folder, { mode: PRIVATE });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const status = lstatSync(folder);
  if (status.isDirectory() && status.uid === ownUid() && (status.mode & OTHERS) === 0) return folder;
  const message = `EACCES: ${folder} is not a folder of this user's alone (mode 0700): give another path`;
  throw Object.assign(new Error(message), { code: 'EACCES' });
}
