import { native } from '../../binding/native.js';
import { WORDS_PER_EVENT } from '../../poller/events.js';
import { READINESS_MASK } from '../../poller/flags.js';
import type { Poller, PollerContract } from '../../poller/poller.js';
import type { Registration } from '../../reactor/registration.js';
import type { Registry } from '../../reactor/registry.js';
import { fdKind, findInEpoll, readinessNames, type ReadyCheck } from './fd-state.js';
import { isStuck, progressOf, type Progress } from './progress.js';

/** So many calls in a row that take nothing: by chance as much may come as a handler has taken. */
const STUCK_CALLS = 16;

/** What is told of a spin; `registration` is null for an fd that was closed too early. */
export interface Spin {
  readonly registration: Registration | null;
  readonly fd: number;
  readonly fdKind: string | null;
  readonly bits: string;
  readonly turns: number;
  readonly duplicates: readonly number[];
}

/** What is watched. */
export interface SpinHost {
  readonly registry: Registry;
  readonly ownPoller: Poller | null;
}

/** Finds fds whose events come turn after turn while nobody takes what they tell of (T49). */
export class SpinWatch {
  readonly #turnsInRow: number;
  readonly #registry: Registry;
  readonly #poller: PollerContract;
  /** Null for a test's. */
  readonly #ownPoller: Poller | null;
  readonly #check: ReadyCheck;
  readonly #tell: (spin: Spin) => void;
  #turn = 0;
  #events = 0;
  /** Turns in a row that brought events to nobody. */
  #emptyTurns = 0;
  // By slot: the last turn in which its handler ran, in how many in a row, how many of these took nothing.
  #lastTurn: number[] = [];
  #inRow: number[] = [];
  #stuckCalls: number[] = [];
  /** Before the handler that runs now, if it is looked at. */
  #before: Progress | null = null;
  #readiness = 0;

  constructor(turnsInRow: number, host: SpinHost, check: ReadyCheck, tell: (spin: Spin) => void) {
    this.#turnsInRow = turnsInRow;
    this.#registry = host.registry;
    this.#poller = host.registry.poller;
    this.#ownPoller = host.ownPoller;
    this.#check = check;
    this.#tell = tell;
  }

  turnStart(events: number): void {
    this.#turn++;
    this.#events = events;
  }

  /** While the batch is as the poller has filled it. */
  turnEnd(ran: number): void {
    if (ran > 0) this.#emptyTurns = 0;
    else if (this.#events > 0 && ++this.#emptyTurns === this.#turnsInRow) this.#tellUnheard();
  }

  handlerStart(registration: Registration, readiness: number): void {
    const { slot } = registration;
    const last = this.#lastTurn[slot];
    this.#lastTurn[slot] = this.#turn;
    if (last === this.#turn) return;
    const inRow = last === this.#turn - 1 ? (this.#inRow[slot] ?? 0) + 1 : 1;
    this.#inRow[slot] = inRow;
    if (inRow === 1) this.#stuckCalls[slot] = 0;
    if (inRow < this.#turnsInRow) return;
    this.#before = progressOf(registration);
    this.#readiness = readiness;
    if (this.#before === null) this.#inRow[slot] = 0;
  }

  handlerEnd(registration: Registration): void {
    const before = this.#before;
    if (before === null) return;
    this.#before = null;
    const { slot, fd } = registration;
    if (!isStuck(registration, this.#readiness, before, this.#check)) {
      this.#inRow[slot] = 0;
      this.#stuckCalls[slot] = 0;
      return;
    }
    const calls = (this.#stuckCalls[slot] ?? 0) + 1;
    this.#stuckCalls[slot] = calls;
    if (calls !== STUCK_CALLS) return;
    const turns = this.#inRow[slot] ?? 0;
    // Not looked at again while it lives.
    this.#inRow[slot] = -Infinity;
    this.#tell({
      registration,
      fd,
      fdKind: fdKind(fd),
      bits: readinessNames(this.#readiness),
      turns,
      duplicates: [],
    });
  }

  /** What is registered while a handler runs is what it has accepted: it takes what it was told of. */
  registered(registration: Registration): void {
    this.#before = null;
    this.#forget(registration.slot);
  }

  deregistered(registration: Registration): void {
    this.#forget(registration.slot);
  }

  #forget(slot: number): void {
    this.#lastTurn[slot] = -1;
    this.#inRow[slot] = 0;
    this.#stuckCalls[slot] = 0;
  }

  #tellUnheard(): void {
    const { words } = this.#poller.events;
    const told = new Set<string>();
    for (let at = 0; at < this.#events * WORDS_PER_EVENT; at += WORDS_PER_EVENT) {
      const [slot, generation] = [words[at]!, words[at + 1]!];
      const token = `${slot}:${generation}`;
      if (told.has(token)) continue;
      told.add(token);
      this.#tell(this.#unheard(slot, generation, words[at + 2]! & READINESS_MASK));
    }
  }

  #unheard(slot: number, generation: number, readiness: number): Spin {
    const common = { bits: readinessNames(readiness), turns: this.#emptyTurns };
    const registration = this.#registry.slab.slots[slot];
    if (registration?.generation === generation) {
      const { fd } = registration;
      return { ...common, registration, fd, fdKind: fdKind(fd), duplicates: [] };
    }
    const own = this.#ownPoller;
    // Another reactor's poller has the same tokens.
    const left = own === null ? null : findInEpoll(native.pollerFd(own.index), slot, generation);
    const fd = left?.fd ?? -1;
    return {
      ...common,
      registration: null,
      fd,
      fdKind: fd < 0 ? null : fdKind(fd),
      duplicates: left?.duplicates ?? [],
    };
  }
}
