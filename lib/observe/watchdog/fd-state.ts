import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { capabilities } from '../../binding/capabilities.js';
import { native } from '../../binding/native.js';
import { Mode, Readiness } from '../../poller/flags.js';
import { Poller } from '../../poller/poller.js';

const { FIONREAD, TIOCOUTQ } = native.terminalConstants ?? {};
const count = new Int32Array(1);
const countBytes = new Uint8Array(count.buffer);

function countOf(fd: number, request: number | undefined): number | null {
  if (request === undefined || native.ioctlBytes === undefined) return null;
  return native.ioctlBytes(fd, request, countBytes) < 0 ? null : count[0]!;
}

/** Bytes that wait to be read; null where the system does not say. */
export const unreadBytes = (fd: number): number | null => countOf(fd, FIONREAD);
/** Bytes that were written and are not sent, or not taken by the peer; null as above. */
export const unsentBytes = (fd: number): number | null => countOf(fd, TIOCOUTQ);

/** READABLE|READ_CLOSED and the like. */
export function readinessNames(readiness: number): string {
  const names = Object.entries(Readiness).filter(([, flag]) => (readiness & flag) !== 0);
  return names.map(([name]) => name).join('|') || 'nothing';
}

/** Asks poll(2) what an fd is ready for, without a word to its registration. */
export class ReadyCheck {
  /** Opened when it is first needed; null where there is none. */
  #poller: Poller | null | undefined;

  /** Flags of `Readiness`; null where it cannot be asked. */
  readiness(fd: number, interest: number): number | null {
    if (this.#poller === undefined) this.#poller = openPoller();
    const poller = this.#poller;
    if (poller === null || poller.add(fd, 0, 0, interest, Mode.LEVEL) < 0) return null;
    const found = poller.wait(0);
    const readiness = found > 0 ? poller.events.readiness(0) : 0;
    poller.delete(fd, 0, 0);
    return found < 0 ? null : readiness;
  }

  close(): void {
    this.#poller?.close();
    this.#poller = null;
  }
}

function openPoller(): Poller | null {
  if (!capabilities.backends.includes('poll')) return null;
  try {
    return new Poller({ backend: 'poll' });
  } catch {
    // No fd is left: what needs the answer is not told.
    return null;
  }
}

const OWN_FDS = '/proc/self/fd';

/** 'socket:[123]', a path, or what else /proc calls it; null when it is closed, or outside of Linux. */
export function fdKind(fd: number): string | null {
  try {
    return readlinkSync(`${OWN_FDS}/${fd}`);
  } catch {
    return null;
  }
}

function ownFds(): number[] {
  try {
    return readdirSync(OWN_FDS).map(Number);
  } catch {
    return [];
  }
}

function entriesOf(fd: number): string[] {
  if (fdKind(fd) !== 'anon_inode:[eventpoll]') return [];
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** What epoll still watches, though its registration has ended. */
export interface LeftInEpoll {
  /** Under which number it was added; by now that may be closed, or another file. */
  readonly fd: number;
  /** The fds of this process that are the same file: they keep it open. */
  readonly duplicates: readonly number[];
}

/** By the token that its events carry, in /proc/self/fdinfo of this epoll; null when it is not found. */
export function findInEpoll(epollFd: number, slot: number, generation: number): LeftInEpoll | null {
  const data = ((BigInt(generation) << 32n) | BigInt(slot)).toString(16);
  const line = new RegExp(`^tfd: *(\\d+) .*data: *0*${data} .*ino:([0-9a-f]+)`);
  for (const text of entriesOf(epollFd)) {
    const match = line.exec(text);
    if (match === null) continue;
    const ending = `:[${parseInt(match[2]!, 16)}]`;
    const duplicates = ownFds().filter((fd) => fdKind(fd)?.endsWith(ending));
    return { fd: Number(match[1]), duplicates };
  }
  return null;
}
