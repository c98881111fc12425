import { Interest, Readiness } from '../../poller/flags.js';
import type { Registration } from '../../reactor/registration.js';
import type { Registry } from '../../reactor/registry.js';
import { unreadBytes, type ReadyCheck } from './fd-state.js';
import { viewOf } from './progress.js';

/** Of so many registrations it is asked at a time: each is a few system calls. */
const MOST_AT_A_TIME = 256;
const NOT_WAITING = -1;
/** Told once: not again before something is read. */
const TOLD = -2;

/** What is told. */
export interface Unread {
  readonly registration: Registration;
  readonly waitingMs: number;
  readonly bytes: number;
  readonly peerEnded: boolean;
  readonly paused: boolean;
}

/** Finds registrations whose bytes, or whose peer's end, nobody reads. */
export class UnreadWatch {
  readonly #limitMs: number;
  readonly #registry: Registry;
  readonly #check: ReadyCheck;
  readonly #tell: (unread: Unread) => void;
  /** The slot with which the next scan begins. */
  #next = 0;
  // By slot: since when something waits, and the handler's calls and the bytes read until then.
  #sinceMs: number[] = [];
  #marks: number[] = [];
  #calls: number[] = [];

  constructor(limitMs: number, registry: Registry, check: ReadyCheck, tell: (unread: Unread) => void) {
    this.#limitMs = limitMs;
    this.#registry = registry;
    this.#check = check;
    this.#tell = tell;
  }

  handlerStart({ slot }: Registration): void {
    this.#calls[slot] = (this.#calls[slot] ?? 0) + 1;
  }

  registered({ slot }: Registration): void {
    this.#sinceMs[slot] = NOT_WAITING;
    this.#calls[slot] = 0;
  }

  scan(nowMs: number): void {
    const { slots } = this.#registry.slab;
    const most = Math.min(MOST_AT_A_TIME, slots.length);
    for (let i = 0; i < most; i++) {
      this.#next = this.#next < slots.length ? this.#next : 0;
      const registration = slots[this.#next++];
      if (registration !== undefined) this.#look(registration, nowMs);
    }
  }

  #look(registration: Registration, nowMs: number): void {
    const { slot, fd, handler } = registration;
    const { bytesRead, readEnded, wantsRead } = viewOf(handler);
    const bytes = unreadBytes(fd) ?? 0;
    const peerEnded =
      !readEnded && ((this.#check.readiness(fd, Interest.READABLE) ?? 0) & Readiness.READ_CLOSED) !== 0;
    if (bytes === 0 && !peerEnded) {
      this.#sinceMs[slot] = NOT_WAITING;
      return;
    }
    // Who does not count what it reads, reads when it is called.
    const mark = bytesRead ?? this.#calls[slot] ?? 0;
    const sinceMs = this.#sinceMs[slot] ?? NOT_WAITING;
    if (sinceMs === NOT_WAITING || mark !== this.#marks[slot]) {
      this.#sinceMs[slot] = nowMs;
      this.#marks[slot] = mark;
      return;
    }
    if (sinceMs === TOLD || nowMs - sinceMs < this.#limitMs) return;
    this.#sinceMs[slot] = TOLD;
    const paused = wantsRead === false || (registration.interest & Interest.READABLE) === 0;
    this.#tell({ registration, waitingMs: nowMs - sinceMs, bytes, peerEnded, paused });
  }
}
