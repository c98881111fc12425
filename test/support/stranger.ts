// An fd that its user closed behind the library, and whose number another file has by then (T02).
import { closeSync, fstatSync, openSync } from 'node:fs';
import { sys } from 'tripoll/raw';
import { isDeno, isWindows } from './platform.js';

const { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_TYPE } = sys.constants;

export interface Stranger {
  isOpen(): boolean;
  close(): void;
}

/** Behind the stream's back: as the user's own code would. */
export function closeForeign(fd: number): void {
  if (isWindows || isDeno) sys.close(fd);
  else closeSync(fd);
}

/**
 * On Windows all of a process's threads and events have numbers, too: any of them may get the one
 * that has just become free. There a test of T02 keeps some lower numbers taken while it opens what
 * it will lose, and frees them first: the lowest is what others get.
 */
const lower: number[] = [];
/** More than the threads of a process open between two calls. */
const LOWER = 16;

function freeLower(): void {
  for (const fd of lower.splice(0)) sys.close(fd);
}

if (isWindows) {
  beforeEach(() => {
    if (expect.getState().currentTestName?.includes('T02') !== true) return;
    while (lower.length < LOWER) lower.push(sys.socket(AF_INET, SOCK_STREAM));
  });
  afterEach(freeLower);
}

/** On Windows files have numbers of their own: there another socket gets it. */
function replaceBySocket(fd: number): Stranger {
  const others: number[] = [];
  let stranger = sys.socket(AF_INET, SOCK_STREAM);
  for (; stranger !== fd && others.length < 1000; stranger = sys.socket(AF_INET, SOCK_STREAM))
    others.push(stranger);
  for (const other of others) sys.close(other);
  expect(stranger).toBe(fd);
  return {
    isOpen: () => sys.getsockopt(stranger, SOL_SOCKET, SO_TYPE, new Uint8Array(4)) === 4,
    close: () => void sys.close(stranger),
  };
}

/**
 * What becomes of an fd that its user closed behind us: the next file that is opened gets its
 * number.
 */
export function replaceByStranger(fd: number): Stranger {
  freeLower();
  closeForeign(fd);
  if (isWindows) return replaceBySocket(fd);
  const others: number[] = [];
  let stranger = openSync('/dev/null', 'r');
  for (; stranger !== fd; stranger = openSync('/dev/null', 'r')) others.push(stranger);
  for (const other of others) closeSync(other);
  const { ino } = fstatSync(stranger);
  return {
    isOpen() {
      try {
        return fstatSync(stranger).ino === ino;
      } catch {
        return false;
      }
    },
    close: () => closeSync(stranger),
  };
}
