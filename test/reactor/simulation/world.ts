import { Reactor } from 'tripoll';
import { FakeClock } from '../fake-clock.js';
import { Random } from '../../support/random.js';
import { thrownBy } from '../../support/errors.js';
import { Kernel, NO_FAULTS, type Faults, type TcpSocket } from './kernel.js';
import { KernelPoller, keyOf, type Token } from './kernel-poller.js';
import { Ledger } from './ledger.js';
import type { System } from './system-calls.js';

const POOL_BYTES = 128 * 1024;
/** More turns than this in a row that find something to do, and that change nothing: it spins. */
const MAX_VAIN_TURNS = 50;
const RESTFUL_TURNS = 3;
const LOG_LINES = 400;

/** What was promised and is not so. */
export interface Failure {
  /** Of one name when it is the same thing. */
  readonly rule: string;
  readonly message: string;
}

/** A promise that has not settled yet, and whose end ends it. */
interface Pending {
  readonly what: string;
  readonly isOver: () => boolean;
  /** Nothing was promised of it any more. */
}

/** One of the things that a program plays with; it knows what must be so. */
export interface Actor {
  /** May be forgotten. */
  readonly isDone: boolean;
  /** Before a turn, with nothing of it done yet. */
  beforeTurn?(): void;
  afterTurn?(): void;
  /** After each step, when all microtasks have run. */
  checkStep?(): void;
  /** When the network is empty and the reactor has nothing left to do. */
  checkRest?(): void;
  /** Nothing is held back any more. */
  release?(): void;
  /** The program ends in good order: let all flow, and end all. */
  finish?(): void;
  /** Whatever is still open is closed. */
  close(): void;
}

export interface WorldOptions {
  readonly hasEdge: boolean;
  readonly faults: Faults;
  readonly seed: number;
  readonly keepsLog?: boolean;
}

/**
 * A reactor with its kernel and clock, what a program has opened on it, and everything that must
 * always be so.
 */
export class World implements System {
  readonly clock = new FakeClock();
  readonly kernel: Kernel;
  readonly poller: KernelPoller;
  readonly reactor: Reactor;
  readonly actors: Actor[] = [];
  readonly log: string[] = [];
  failure: Failure | null = null;
  /** Of the current step. */
  random: Random;
  inTurn = false;
  turns = 0;
  /** Handlers start nothing new. */
  isQuiet = false;
  /** What handlers threw on purpose. */
  readonly thrown = new Set<unknown>();
  /** Told of each event that the poller reports. */
  readonly onEvents = new Map<string, (readiness: number) => void>();
  readonly #options: WorldOptions;
  readonly #pool: Uint8Array;
  readonly #ledgers = new Map<TcpSocket, Ledger>();
  readonly #ended = new Set<Ledger>();
  readonly #pending = new Set<Pending>();
  readonly #laters: (() => void)[] = [];
  #tracked = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = new Random(options.seed);
    this.kernel = new Kernel(this.random);
    this.kernel.faults = { ...options.faults };
    this.kernel.onMisuse = (what) => this.fail('misuse', what);
    this.poller = new KernelPoller(this.kernel, this.clock, {
      hasEdge: options.hasEdge,
      onWait: (timeoutNs) => this.#checkWait(timeoutNs),
      onEvent: (token, readiness) => {
        this.note(`event ${keyOf(token)}: ${readiness}`);
        this.onEvents.get(keyOf(token))?.(readiness);
      },
    });
    this.reactor = new Reactor({ poller: this.poller, clock: this.clock });
    this.#pool = Uint8Array.from({ length: POOL_BYTES }, () => this.random.below(256));
  }

  // ---- what goes wrong ----

  fail(rule: string, message: string): void {
    this.failure ??= { rule, message };
    this.note(`FAILED ${rule}: ${message}`);
  }

  note(line: string): void {
    if (this.#options.keepsLog !== true) return;
    this.log.push(`${this.clock.nowMs().toFixed(2)} ${line}`);
    if (this.log.length > LOG_LINES) this.log.shift();
  }

  onUncaught(error: unknown): void {
    if (!this.thrown.delete(error)) this.fail('uncaught', String((error as Error | null)?.stack ?? error));
  }

  /** An error that a handler is to throw. */
  mistake(): Error {
    const error = new Error('on purpose');
    this.thrown.add(error);
    return error;
  }

  /** Whether it was thrown on purpose; it counts as caught from then on. */
  takeMistake(error: unknown): boolean {
    return this.thrown.delete(error);
  }

  expectCode(error: unknown, codes: readonly string[], what: string): void {
    const code = (error as { code?: string } | null)?.code ?? String(error);
    if (!codes.includes(code))
      this.fail('wrong-error', `${what}: ${String((error as Error).stack ?? error)}`);
  }

  // ---- for actors ----

  useRandom(random: Random): void {
    this.random = random;
    this.kernel.random = random;
  }

  chance(probability: number): boolean {
    return this.random.next() < probability;
  }

  token(token: Token, onEvent: ((readiness: number) => void) | null): void {
    if (onEvent === null) this.onEvents.delete(keyOf(token));
    else this.onEvents.set(keyOf(token), onEvent);
  }

  /** Random bytes, of a random length. */
  bytes(): Uint8Array {
    const most = this.random.pick([1, 100, 100, 3000, 3000, 3000, 40_000]);
    const length = this.random.below(most + 1);
    const offset = this.random.below(POOL_BYTES - length);
    return this.#pool.subarray(offset, offset + length);
  }

  byte(): Uint8Array {
    const offset = this.random.below(POOL_BYTES);
    return this.#pool.subarray(offset, offset + 1);
  }

  /** What goes out of this socket. */
  ledgerOf(socket: TcpSocket): Ledger {
    let ledger = this.#ledgers.get(socket);
    if (ledger === undefined) this.#ledgers.set(socket, (ledger = new Ledger()));
    return ledger;
  }

  /** The end of a stream was read: was that all? */
  noteEnd(socket: TcpSocket): void {
    const { peer } = socket;
    if (peer !== null && socket.finArrived && peer.outbound.finByShutdown)
      this.#ended.add(this.ledgerOf(peer));
  }

  /** A promise that must settle, at the latest when `isOver`. */
  track<T>(promise: Promise<T>, what: string, isOver: () => boolean): Promise<T> {
    const pending = { what: `${what} #${++this.#tracked}`, isOver };
    this.#pending.add(pending);
    const settled = () => void this.#pending.delete(pending);
    promise.then(settled, settled);
    return promise;
  }

  /** Something that a later step may do. */
  later(fn: () => void): void {
    this.#laters.push(fn);
  }

  runLater(): void {
    const [fn] = this.#laters.splice(this.random.below(this.#laters.length), 1);
    fn?.();
  }

  add(actor: Actor): void {
    this.actors.push(actor);
  }

  pickActor<T extends Actor>(isOne: (actor: Actor) => actor is T): T | null {
    const candidates = this.actors.filter(isOne).filter(({ isDone }) => !isDone);
    return candidates.length === 0 ? null : this.random.pick(candidates);
  }

  // ---- steps ----

  turn(timeoutMs: number): void {
    this.turns++;
    const before = this.reactor.inspect().staleEvents;
    const staleBefore = this.poller.staleEvents;
    for (const actor of this.actors) actor.beforeTurn?.();
    this.inTurn = true;
    this.reactor.turn(timeoutMs);
    this.inTurn = false;
    for (const actor of this.actors) actor.afterTurn?.();
    const stale = this.poller.staleEvents - staleBefore;
    const counted = this.reactor.inspect().staleEvents - before;
    if (counted < stale)
      this.fail('stale', `${stale} events for tokens of the past, ${counted} were recognized`);
  }

  /** From within a handler: it must be refused. */
  checkNestedTurn(): void {
    if (!this.inTurn || this.reactor.closed) return;
    const { code } = thrownBy(() => this.reactor.turn(0));
    if (code !== 'ERR_TRIPOLL_STATE') this.fail('nested-turn', `turn() inside a turn: ${code}`);
  }

  #checkWait(timeoutNs: number): void {
    const { ready } = this.reactor.inspect();
    if (ready > 0 && timeoutNs !== 0)
      this.fail('slept-on-work', `${ready} are ready, and it waits ${timeoutNs} ns`);
    for (const check of this.waitChecks) check(timeoutNs);
  }

  /** What knows how long a wait may be. */
  readonly waitChecks: ((timeoutNs: number) => void)[] = [];

  checkStep(): void {
    for (const actor of this.actors) actor.checkStep?.();
    for (const { what, isOver } of this.#pending) {
      if (isOver()) this.fail('unsettled', `${what} has not settled, although what it waits for has ended`);
    }
    for (const ledger of this.#ended) ledger.checkComplete();
    this.#ended.clear();
    for (const [socket, ledger] of this.#ledgers) {
      if (ledger.fault !== null) this.fail('bytes', `from socket ${socket.id}: ${ledger.fault}`);
    }
    if (this.actors.length > 60) {
      const live = this.actors.filter(({ isDone }) => !isDone);
      this.actors.splice(0, this.actors.length, ...live);
    }
    if (this.#ledgers.size > 100) this.#forgetLedgers();
  }

  #forgetLedgers(): void {
    for (const socket of [...this.#ledgers.keys()]) {
      if (!socket.open && socket.peer?.open !== true) this.#ledgers.delete(socket);
    }
  }

  /** Lets everything that is on its way arrive, without faults, until nothing happens any more. */
  async rest(): Promise<void> {
    const { faults, fdLimit } = this.kernel;
    this.kernel.faults = { ...NO_FAULTS };
    this.kernel.fdLimit = Infinity;
    this.isQuiet = true;
    // Whoever rests, or waits for the time to pass: a back-off, deadlines.
    this.clock.advance(120);
    let idle = 0;
    let vain = 0;
    while (idle < RESTFUL_TURNS && this.failure === null) {
      const { progress } = this.kernel;
      const moved = this.kernel.pump(true);
      this.turn(0);
      await microtasks();
      this.checkStep();
      const { ready } = this.reactor.inspect();
      idle = moved || ready > 0 || this.poller.latestEvents > 0 ? 0 : idle + 1;
      vain = progress === this.kernel.progress ? vain + 1 : 0;
      if (vain > MAX_VAIN_TURNS) this.fail('spin', `${vain} turns changed nothing: ${this.describe()}`);
    }
    if (this.failure === null) for (const actor of this.actors) actor.checkRest?.();
    this.isQuiet = false;
    this.kernel.faults = faults;
    this.kernel.fdLimit = fdLimit;
  }

  /** What is paused or corked goes on, and all of it must flow without a further push. */
  async release(): Promise<void> {
    this.isQuiet = true;
    for (const actor of [...this.actors]) actor.release?.();
    await this.rest();
  }

  describe(): string {
    const { ready, registrations, timers, refs } = this.reactor.inspect();
    return `${this.poller.latestEvents} events, ${ready} ready, ${registrations} registrations, ${timers} timers, ${refs} refs`;
  }

  // ---- the end ----

  /** All flows to its end, all is closed, and nothing is left. */
  async finish(isAbrupt: boolean): Promise<void> {
    if (!isAbrupt) {
      await this.release();
      for (const actor of [...this.actors]) actor.finish?.();
      await this.rest();
      if (this.failure !== null) return;
      for (const actor of [...this.actors]) actor.close();
      await this.rest();
      this.#checkEmpty('all was closed');
      if (this.poller.size > 0) this.fail('poller-leak', `${this.poller.size} are still in the poller`);
    }
    this.isQuiet = true;
    this.reactor.close();
    await microtasks();
    for (const actor of [...this.actors]) actor.close();
    await microtasks();
    this.checkStep();
    this.#checkEmpty('the reactor was closed');
    const fds = this.kernel.openFds();
    if (fds.length > 0) this.fail('fd-leak', `still open: ${fds.join(', ')}`);
    if (!this.poller.closed) this.fail('poller-leak', 'the poller was not closed');
    for (const { what } of this.#pending) {
      this.fail('unsettled', `${what} has not settled at the end`);
    }
    for (const actor of this.actors)
      if (!actor.isDone) this.fail('undone', 'somebody was not told that it is over');
    if (this.thrown.size > 0)
      this.fail('swallowed', `${this.thrown.size} exceptions of handlers went unheard`);
  }

  #checkEmpty(when: string): void {
    const { refs, registrations, timers, ready } = this.reactor.inspect();
    if (refs === 0 && registrations === 0 && timers === 0 && ready === 0) return;
    this.fail('leak', `after ${when}: ${this.describe()}`);
  }
}

/** Until all that microtasks can do is done. */
export function microtasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
