import { AsyncResource } from 'node:async_hooks';
import { capabilities, type BackendName, type DriverName } from '../binding/capabilities.js';
import {
  closedError,
  errnoOf,
  invalidArgType,
  outOfRange,
  stateError,
  systemError,
  unsupportedError,
} from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkDurationMs, checkFd, checkFunction, checkInteger, checkObject, checkSignal } from '../binding/validate.js';
import { ALL_INTERESTS, ERRNO_SHIFT, HINTS, Interest, Mode, Readiness } from '../poller/flags.js';
import { WORDS_PER_EVENT } from '../poller/events.js';
import { chooseBackend, MAX_WAIT_NS, Poller, type PollerContract } from '../poller/poller.js';
import { TimingWheel } from '../timer/timing-wheel.js';
import { chooseDriver, ImmediateDriver, startDriver, type Driver, type RunDriverName } from './driver.js';
import type { EventHandler } from './event-handler.js';
import { Registration, type RegistrationHost, type RegistrationProfile } from './registration.js';
import { Slab } from './slab.js';
import { Timer, type TimerHost } from './timer.js';
import { newWakerState, Waker } from './waker.js';

const NS_PER_MS = 1e6;
const MAX_WAIT_MS = MAX_WAIT_NS / NS_PER_MS;
const HIGHEST_PRIORITY = 7;
const MAX_MODE = Mode.EXCLUSIVE | Mode.EDGE_ONESHOT;
/**
 * So many turns in a row that were woken and found nothing are reported: netty rebuilds its selector
 * after as many (T49).
 */
const EMPTY_TURNS_REPORTED = 512;

/** How long the immediate driver keeps Node's own loop from its I/O. */
const LONGEST_IMMEDIATE_WAIT_MS = 10;

const EBADF = errnoOf('EBADF');
const ENOENT = errnoOf('ENOENT');
const ENOTSUP = errnoOf('ENOTSUP');

/**
 * What a turn may do before timers and the rest of the system get their turn: a unit is a handler's call, or
 * a further read or write that it makes. As many as a batch has events, so that only a turn that also has
 * leftovers, or reads in loops, is cut.
 */
const TURN_BUDGET = 1024;

/** What a reactor tells the time by: milliseconds that only grow. */
export interface Clock {
  nowMs(): number;
}

const monotonicClock: Clock = { nowMs: () => performance.now() };

export interface ReactorOptions {
  /** Default: nested with epoll under Node, else watcher; manual when `poller` is given. */
  driver?: DriverName | undefined;
  /** Default: `TRIPOLL_BACKEND`, else the platform's best. */
  backend?: BackendName | undefined;
  /** For tests: a poller of one's own, driven by `turn`. */
  poller?: PollerContract | undefined;
  /** For tests. */
  clock?: Clock | undefined;
}

export interface RegisterOptions {
  /** One of `Mode`; default LEVEL. */
  mode?: number | undefined;
  /** 0 to 7, higher first; default 0. */
  priority?: number | undefined;
  /** For `inspect` and messages. */
  name?: string | undefined;
}

export interface RunOptions {
  /** Its abort means `stop()`. */
  signal?: AbortSignal | undefined;
}

export interface SetTimerOptions {
  /** Fires again and again at this fixed rate; ticks that were missed are one. */
  repeatMs?: number | undefined;
}

export interface ReactorInspection {
  readonly backend: string;
  /** Under `run()`: inverted, or immediate where inversion is not possible. */
  readonly driver: DriverName | RunDriverName;
  readonly closed: boolean;
  readonly registrations: number;
  readonly timers: number;
  /** Handlers that wait in the ready queue. */
  readonly ready: number;
  /** Ref'd sources, timers and work: the process stays alive while there are any. */
  readonly refs: number;
  readonly turns: number;
  /** Turns that found nothing to do. */
  readonly emptyTurns: number;
  readonly events: number;
  /** Events whose registration had gone. */
  readonly staleEvents: number;
}

interface WakerEntry {
  readonly waker: Waker;
  readonly onWake: (() => void) | undefined;
}

/**
 * The reactor: who is registered, and the loop that dispatches what the poller found. All callbacks run
 * in a turn, one after the other; microtasks run after the turn.
 */
export class Reactor implements RegistrationHost, TimerHost {
  static #default: Reactor | null = null;

  /** This thread's own, made when first asked for, and made anew when it was closed. */
  static get default(): Reactor {
    if (Reactor.#default?.closed !== false) Reactor.#default = new Reactor();
    return Reactor.#default;
  }

  readonly driver: DriverName;
  readonly backend: string;
  closed = false;

  private readonly poller: PollerContract;
  /** The same, where it is the system's and not a test's. */
  private readonly ownPoller: Poller | null;
  private readonly clock: Clock;
  private driverHandle: Driver | null = null;
  /** While `run()` runs. */
  private running: { driver: RunDriverName; finish: () => void } | null = null;
  private readonly slab = new Slab<Registration>();
  private inTurn = false;
  /** What is left of this turn's budget. */
  private budget = TURN_BUDGET;

  /** Work of the next turn; each is swapped out before it runs, so that none can feed itself. */
  private posted: (() => void)[] = [];
  private ready: Registration[] = [];
  /** Work at the end of this turn, or of the next one when none is running. */
  private deferred: (() => void)[] = [];

  private readonly wheel: TimingWheel;
  /** No timer is due before. */
  private nextTimerMs = Infinity;
  /** The tick whose timers are firing just now, else -1. */
  private firingTick = -1;
  /** The deadline that the poller knows. */
  private armedMs = Infinity;

  private readonly wakers = new Set<WakerEntry>();
  private wakePending = false;
  private refs = 0;
  /** Registrations with a priority above 0; while there are none a batch runs as it comes. */
  private prioritized = 0;

  /** The clock's last reading, and the turn whose it is. */
  private turnMs = 0;
  private timeOfTurn = -1;

  private turns = 0;
  private emptyTurns = 0;
  private emptyTurnsInRow = 0;
  private events = 0;
  private staleEvents = 0;

  /**
   * @throws ERR_TRIPOLL_UNSUPPORTED for a backend or driver that this platform lacks; RangeError for an
   * unknown name; a system error (EMFILE) when the poller cannot be opened
   */
  constructor(options: ReactorOptions = {}) {
    checkObject('options', options);
    this.clock = options.clock ?? monotonicClock;
    this.wheel = new TimingWheel(this.clock.nowMs());
    if (options.poller !== undefined) {
      if (options.driver !== undefined && options.driver !== 'manual') {
        throw unsupportedError(`a poller of one's own is driven by hand: driver must be manual`);
      }
      this.poller = options.poller;
      this.ownPoller = null;
      this.driver = 'manual';
    } else {
      // The driver is checked first: a refused one leaves no fd open.
      this.driver = chooseDriver(options.driver, chooseBackend(options.backend));
      const poller = new Poller({ backend: options.backend });
      this.poller = poller;
      this.ownPoller = poller;
      try {
        if (this.driver !== 'manual') this.driverHandle = this.startNative(this.driver);
      } catch (error) {
        poller.close();
        throw error;
      }
    }
    this.backend = this.poller.backend;
  }

  private startNative(name: 'nested' | 'watcher' | 'inverted'): Driver {
    return startDriver(name, this.poller as Poller, (count) => this.onBatch(count));
  }

  // ---- registration table ----

  /** Whether the backend has this mode. */
  supports(mode: number): boolean {
    this.checkOpen();
    return this.poller.supports(mode);
  }

  /**
   * Watches an fd. It changes none of the fd's flags (make it non-blocking yourself) and does not own it:
   * deregister before you close it.
   *
   * @param fd an open file descriptor; on Windows a SOCKET
   * @param interest flags of `Interest`; 0 registers it paused
   * @throws TypeError, RangeError for wrong arguments; EBADF for a closed fd, EEXIST for one that is
   * registered, EPERM for a regular file (epoll_ctl(2); the same on every backend);
   * ERR_TRIPOLL_UNSUPPORTED for a mode that the backend lacks; ERR_TRIPOLL_CLOSED
   */
  register(fd: number, interest: number, handler: EventHandler, options: RegisterOptions = {}): Registration {
    this.checkOpen();
    const profile = toProfile(checkRegister(fd, interest, handler, options));
    return this.registerAs(fd, interest, handler, profile);
  }

  /** For sockets: `register` with a profile that others share, and arguments that are right. */
  registerAs(fd: number, interest: number, handler: EventHandler, profile: RegistrationProfile): Registration {
    this.checkOpen();
    const token = this.slab.reserve();
    const error = this.poller.add(fd, token.slot, token.generation, interest, profile.mode);
    if (error < 0) {
      this.slab.rollback(token);
      if (error === ENOTSUP) throw unsupportedError(`mode ${profile.mode} does not exist on backend ${this.backend}`);
      throw systemError(error, 'register', { fd });
    }
    const registration = new Registration(this, token, fd, interest, handler, profile);
    this.slab.set(token, registration);
    if (profile.priority > 0) this.prioritized++;
    this.addRef(1);
    return registration;
  }

  /** For `Registration`. */
  modify(registration: Registration, interest: number): void {
    const { fd, slot, generation, mode } = registration;
    if ((mode & Mode.EXCLUSIVE) !== 0) {
      throw unsupportedError('an EXCLUSIVE registration cannot be modified: deregister, and register again');
    }
    const error = this.poller.modify(fd, slot, generation, interest, mode);
    if (error === 0) registration.noteInterest(interest);
    // Never added again: the number may be a stranger's by now (T02).
    else if (error === ENOENT || error === EBADF) this.lose(registration, error);
    else throw systemError(error, 'modify', { fd });
  }

  /** For `Registration`. */
  deregister(registration: Registration): void {
    this.forget(registration);
    const error = this.poller.delete(registration.fd, registration.slot, registration.generation);
    // Everything is cleaned up by now; only then is it told (T08).
    if (error < 0) throw systemError(error, 'deregister', { fd: registration.fd });
  }

  private forget(registration: Registration): void {
    registration.noteEnd();
    this.slab.remove(registration.slot);
    if (!this.inTurn) this.slab.recycle();
    if (registration.priority > 0) this.prioritized--;
    if (registration.hasRef()) this.addRef(-1);
  }

  private lose(registration: Registration, errno: number): void {
    const { fd, slot, generation } = registration;
    this.forget(registration);
    // A no-op where the system has dropped it already.
    this.poller.delete(fd, slot, generation);
    const error = systemError(errno, 'poll', { fd });
    const { context } = registration.profile;
    this.defer(() => context.runInAsyncScope(this.tell, this, error, registration));
  }

  /** For `Registration`, and for sockets that carry on where a budget cut them off. */
  again(registration: Registration, readiness: number): void {
    if (registration.pending === 0) this.ready.push(registration);
    registration.pending |= readiness;
    if (!this.inTurn) this.wakeOnce();
  }

  // ---- turns ----

  /**
   * One turn by hand: waits at most `timeoutMs` for something to do (-1: for ever), does it, and returns how
   * many callbacks ran. It may return 0 early. For the manual driver only.
   *
   * @throws ERR_TRIPOLL_STATE from within a turn, or with another driver; RangeError; ERR_TRIPOLL_CLOSED
   */
  turn(timeoutMs = 0): number {
    if (timeoutMs !== -1) checkDurationMs('timeoutMs', timeoutMs);
    this.checkOpen();
    if (this.driver !== 'manual' || this.running !== null) throw stateError(`turn() is for the manual driver; this one is ${this.inspect().driver}`);
    if (this.inTurn) throw stateError('turn() inside a turn');
    const count = this.poller.wait(this.waitNs(timeoutMs));
    if (count < 0) throw systemError(count, 'wait');
    return this.step(count);
  }

  /** How long a wait may last: nothing while there is work, and no longer than to the next timer. */
  private waitNs(timeoutMs: number): number {
    if (this.hasWork()) return 0;
    const untilTimerMs = this.nextTimerMs === Infinity ? Infinity : this.nextTimerMs - this.clock.nowMs();
    const waitMs = Math.min(timeoutMs < 0 ? Infinity : timeoutMs, untilTimerMs);
    return waitMs === Infinity ? -1 : toWaitNs(waitMs);
  }

  private hasWork(): boolean {
    return this.posted.length > 0 || this.ready.length > 0 || this.deferred.length > 0;
  }

  // ---- run ----

  /**
   * Gives this thread to the reactor until `stop()`: the lowest latency there is. Node's timers, immediates,
   * file system, ports and `worker.terminate()` go on working. It keeps the process alive no more than
   * the reactor's sources do. Where the runtime's loop cannot be inverted (not epoll, or not Node), each
   * iteration of that loop waits here for at most 10 ms, by which its own I/O may be late.
   *
   * @returns settled when it has stopped, by `stop()`, by the signal, or because the reactor was closed
   * @throws ERR_TRIPOLL_STATE while it is running already; TypeError; ERR_TRIPOLL_CLOSED
   */
  run(options: RunOptions = {}): Promise<void> {
    checkObject('options', options);
    const { signal } = options;
    if (signal !== undefined) checkSignal(signal);
    this.checkOpen();
    if (this.running !== null) throw stateError('run() is already running');
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = () => this.stop();
      signal?.addEventListener('abort', stop, { once: true });
      const finish = () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      const canInvert = this.backend === 'epoll' && capabilities.drivers.includes('nested') && this.ownPoller !== null;
      this.running = { driver: canInvert ? 'inverted' : 'immediate', finish };
      this.afterBatch(() => this.switchDriver());
    });
  }

  /** Ends `run()`: the reactor's own driver takes over again. Without a `run()` it does nothing. */
  stop(): void {
    const { running } = this;
    if (running === null) return;
    this.running = null;
    this.afterBatch(() => this.switchDriver());
    running.finish();
  }

  /** A driver's thread writes into the batch: none is started while one is being read. */
  private afterBatch(fn: () => void): void {
    if (this.inTurn) this.defer(fn);
    else fn();
  }

  /** To the driver of `run()`, or back to the reactor's own. */
  private switchDriver(): void {
    if (this.closed) return;
    const left = this.driverHandle?.close() ?? 0;
    this.driverHandle = null;
    this.postponeBatch(left);
    const name = this.running?.driver ?? this.driver;
    try {
      if (name === 'immediate') this.driverHandle = new ImmediateDriver(() => this.waitBriefly());
      else if (name !== 'manual') this.driverHandle = this.startNative(name);
    } catch (error) {
      // Without a driver nothing would ever be delivered: better an end that is heard of.
      this.fail(error as Error);
      return;
    }
    if (this.refs > 0) this.driverHandle?.ref();
    // What the one before had been told, this one has not.
    this.wakePending = false;
    this.armedMs = Infinity;
    if (!this.inTurn) this.prepareWait();
  }

  /** A step of the immediate driver. */
  private waitBriefly(): void {
    this.onBatch(this.poller.wait(this.waitNs(LONGEST_IMMEDIATE_WAIT_MS)));
  }

  private onBatch(count: number): void {
    if (this.closed) return;
    if (count < 0) this.fail(systemError(count, 'wait'));
    else this.step(count);
  }

  /** The one turn that `turn` and all drivers share. Returns how many callbacks ran. */
  private step(count: number): number {
    if (this.inTurn) throw stateError('a turn inside a turn');
    this.inTurn = true;
    this.wakePending = false;
    this.budget = TURN_BUDGET;
    this.turns++;
    let ran = 0;
    // What a waker's callback posts is for the next turn.
    if (this.posted.length > 0) ran += this.runPosted();
    if (this.wakers.size > 0) ran += this.runWakers();
    ran += this.prioritized > 0 ? this.dispatchByPriority(count) : this.dispatchInOrder(count);
    if (this.nextTimerMs !== Infinity) ran += this.runTimers();
    if (this.deferred.length > 0) ran += this.runDeferred();
    this.slab.recycle();
    this.inTurn = false;
    if (ran > 0) this.emptyTurnsInRow = 0;
    else this.countEmptyTurn(count);
    if (!this.closed) this.prepareWait();
    return ran;
  }

  /** The dispatch loop: leftovers first, then the batch; from a token to its handler, stale tokens left out. */
  private dispatchInOrder(count: number): number {
    let ran = this.ready.length > 0 ? this.dispatchReady() : 0;
    const { slots } = this.slab;
    const { words } = this.poller.events;
    for (let at = 0, end = count * WORDS_PER_EVENT; at < end; at += WORDS_PER_EVENT) {
      const registration = slots[words[at] as number];
      if (registration === undefined || registration.generation !== words[at + 1]) this.staleEvents++;
      else if (this.budget <= 0) this.postpone(registration, words[at + 2] as number);
      else ran += this.deliver(registration, words[at + 2] as number);
    }
    this.events += count;
    return ran;
  }

  private dispatchReady(): number {
    const ready = this.ready;
    this.ready = [];
    let ran = 0;
    for (const registration of ready) {
      if (!registration.active) continue;
      if (this.budget <= 0) this.ready.push(registration);
      else ran += this.deliver(registration, takePending(registration));
    }
    return ran;
  }

  /**
   * The same by priority: all are sorted into one bucket a priority, leftovers before the batch. What the budget
   * passes over grows a priority each turn, so that the lowest comes first after seven at the latest (T58).
   */
  private dispatchByPriority(count: number): number {
    const buckets: Registration[][] = Array.from({ length: HIGHEST_PRIORITY + 1 }, () => []);
    const ready = this.ready;
    this.ready = [];
    for (const registration of ready) {
      if (registration.active) buckets[rank(registration)]?.push(registration);
    }
    const { slots } = this.slab;
    const { words } = this.poller.events;
    for (let at = 0, end = count * WORDS_PER_EVENT; at < end; at += WORDS_PER_EVENT) {
      const registration = slots[words[at] as number];
      if (registration === undefined || registration.generation !== words[at + 1]) this.staleEvents++;
      else {
        if (registration.pending === 0) buckets[rank(registration)]?.push(registration);
        registration.pending |= words[at + 2] as number;
      }
    }
    this.events += count;
    return this.runBuckets(buckets);
  }

  private runBuckets(buckets: readonly (readonly Registration[])[]): number {
    let ran = 0;
    const passedOver: Registration[] = [];
    for (let priority = HIGHEST_PRIORITY; priority >= 0; priority--) {
      for (const registration of buckets[priority] ?? []) {
        // Looked at again just before: an earlier handler may have ended it (T52).
        if (!registration.active) this.staleEvents++;
        else if (this.budget <= 0) {
          registration.growOlder();
          passedOver.push(registration);
        } else ran += this.deliver(registration, takePending(registration));
      }
    }
    this.ready = passedOver.concat(this.ready);
    return ran;
  }

  /** What a driver's thread had taken when it ended: the system would not tell it again (T58). */
  private postponeBatch(count: number): void {
    const { slots } = this.slab;
    const { words } = this.poller.events;
    for (let at = 0, end = count * WORDS_PER_EVENT; at < end; at += WORDS_PER_EVENT) {
      const registration = slots[words[at] as number];
      if (registration === undefined || registration.generation !== words[at + 1]) this.staleEvents++;
      else this.postpone(registration, words[at + 2] as number);
    }
    this.events += count;
  }

  /** To the next turn, without a new event from the system. */
  private postpone(registration: Registration, record: number): void {
    if (registration.pending === 0) this.ready.push(registration);
    registration.pending |= record;
  }

  /** For sockets: takes a unit of this turn's budget; false when there is none left, and others must have theirs. */
  spend(): boolean {
    return --this.budget > 0;
  }

  /** One event to one handler; whatever it throws, the next one still runs. */
  private deliver(registration: Registration, record: number): number {
    this.budget--;
    const errno = record >>> ERRNO_SHIFT;
    if (errno !== 0 && (-errno === EBADF || -errno === ENOENT) && (record & Readiness.ERROR) !== 0) {
      registration.noteEvent(record, errno);
      this.lose(registration, -errno);
      return 1;
    }
    const readiness = record & (registration.interest | HINTS);
    // What it did not ask for, as when it was paused after the wait.
    if (readiness === 0) return 0;
    registration.noteEvent(readiness, errno);
    registration.profile.context.runInAsyncScope(this.callHandler, this, registration, readiness);
    return 1;
  }

  private callHandler(registration: Registration, readiness: number): void {
    try {
      registration.handler.onReady(readiness, registration);
    } catch (error) {
      this.tell(error, registration);
    }
  }

  /** To the handler's `onError`, else where Node takes what nobody caught. */
  private tell(error: unknown, registration: Registration): void {
    const { handler } = registration;
    if (handler.onError === undefined) {
      native.fatalException(error);
      return;
    }
    try {
      handler.onError(error, registration);
    } catch (second) {
      native.fatalException(second);
    }
  }

  private countEmptyTurn(count: number): void {
    this.emptyTurns++;
    // A wake or a deadline with nothing to do is no spin; events that reach nobody are.
    if (count === 0) return;
    this.emptyTurnsInRow++;
    if (this.emptyTurnsInRow !== EMPTY_TURNS_REPORTED) return;
    process.emitWarning(
      `${EMPTY_TURNS_REPORTED} turns in a row were woken by events that belong to no registration: ` +
        'an fd was probably closed before it was deregistered while a duplicate of it stays open',
      { type: 'TripollWarning', code: 'ERR_TRIPOLL_SPIN' },
    );
  }

  /** Before the next wait: work that is left over needs no event (T58), a timer ends the wait (T57). */
  private prepareWait(): void {
    if (this.hasWork()) this.wakeOnce();
    this.armDeadline();
  }

  private wakeOnce(): void {
    if (this.wakePending || this.driverHandle === null) return;
    this.wakePending = true;
    const error = this.poller.wake();
    if (error < 0) this.fail(systemError(error, 'wake'));
  }

  private armDeadline(): void {
    if (this.driverHandle === null || this.nextTimerMs === this.armedMs) return;
    // A deadline that comes too early costs one empty turn; to move it back costs a syscall each time.
    const nowMs = this.clock.nowMs();
    if (this.armedMs < this.nextTimerMs && this.armedMs > nowMs) return;
    // No further than the poller can be told: what lies beyond is armed anew then.
    this.armedMs = this.nextTimerMs === Infinity ? Infinity : Math.min(this.nextTimerMs, nowMs + MAX_WAIT_MS);
    const timeoutNs = this.armedMs === Infinity ? -1 : toWaitNs(this.armedMs - nowMs);
    const error = this.poller.setDeadline(timeoutNs);
    if (error < 0) this.fail(systemError(error, 'setDeadline'));
  }

  /** The poller itself does not work any more. */
  private fail(error: Error): void {
    this.close();
    native.fatalException(error);
  }

  // ---- work ----

  /**
   * Runs `fn` in the next turn.
   *
   * @throws TypeError; ERR_TRIPOLL_CLOSED
   */
  post(fn: () => void): void {
    checkFunction('fn', fn);
    this.checkOpen();
    if (this.posted.push(inContext(fn)) === 1) this.addRef(1);
    if (!this.inTurn) this.wakeOnce();
  }

  /** For sockets: runs `fn` when all handlers of this turn have run, or in the next turn. */
  defer(fn: () => void): void {
    if (this.deferred.push(fn) === 1) this.addRef(1);
    if (this.closed) this.runDeferred();
    else if (!this.inTurn) this.wakeOnce();
  }

  private runPosted(): number {
    const posted = this.posted;
    this.posted = [];
    this.addRef(-1);
    let ran = 0;
    // Looked at before each: the one before may have closed the reactor (T52).
    for (; ran < posted.length && !this.closed; ran++) runContained(posted[ran] as () => void);
    return ran;
  }

  private runDeferred(): number {
    const deferred = this.deferred;
    this.deferred = [];
    this.addRef(-1);
    return runEach(deferred);
  }

  /**
   * A waker for this reactor: any number of `wake()` from any thread before a turn is one `onWake` in it.
   *
   * @throws TypeError; ERR_TRIPOLL_CLOSED
   */
  waker(onWake?: () => void): Waker {
    if (onWake !== undefined) checkFunction('onWake', onWake);
    this.checkOpen();
    // A poller of a test has no id: its wakers only set their flag.
    const id = this.ownPoller?.wakeId ?? 0;
    const waker = new Waker({ id, buffer: newWakerState() }, () => this.wakers.delete(entry));
    const entry: WakerEntry = { waker, onWake: onWake === undefined ? undefined : inContext(onWake) };
    this.wakers.add(entry);
    return waker;
  }

  private runWakers(): number {
    let ran = 0;
    for (const { waker, onWake } of this.wakers) {
      if (waker.take() && onWake !== undefined) {
        runContained(onWake);
        ran++;
      }
    }
    return ran;
  }

  // ---- timers ----

  /**
   * Calls `fn` after `delayMs`, never early; with `repeatMs` again and again at that fixed rate, where ticks
   * that a busy thread missed are one.
   *
   * @param delayMs 0 to 9_007_199_254_740
   * @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED
   */
  setTimer(delayMs: number, fn: () => void, options: SetTimerOptions = {}): Timer {
    checkDurationMs('delayMs', delayMs);
    checkFunction('fn', fn);
    checkObject('options', options);
    const { repeatMs = 0 } = options;
    if (options.repeatMs !== undefined) checkDurationMs('repeatMs', repeatMs);
    if (options.repeatMs !== undefined && repeatMs < 1) throw outOfRange('repeatMs', 'at least 1', repeatMs);
    const timer = new Timer(this, fn, repeatMs, newContext());
    this.schedule(timer, delayMs);
    return timer;
  }

  /** The time of this turn, read once a turn; outside of one, the time. */
  turnTimeMs(): number {
    if (!this.inTurn) return this.clock.nowMs();
    if (this.timeOfTurn !== this.turns) {
      this.timeOfTurn = this.turns;
      this.turnMs = this.clock.nowMs();
    }
    return this.turnMs;
  }

  /** For `Timer`. */
  schedule(timer: Timer, delayMs: number): void {
    this.checkOpen();
    this.insertTimer(timer, this.clock.nowMs() + delayMs);
    if (!this.inTurn) this.armDeadline();
  }

  private insertTimer(timer: Timer, dueMs: number): void {
    if (!this.wheel.remove(timer) && timer.keepsAlive) this.addRef(1);
    timer.dueMs = dueMs;
    // Rounded up: a timer never fires early, and never spins below a tick (T14). One that is set while others
    // fire is left to a later turn, or a timer that sets itself anew would never let go.
    this.wheel.insert(timer, Math.max(Math.ceil(dueMs), this.firingTick + 1));
    if (timer.expiryTick < this.nextTimerMs) this.nextTimerMs = timer.expiryTick;
  }

  /** For `Timer`. */
  cancel(timer: Timer): void {
    if (this.wheel.remove(timer) && timer.keepsAlive) this.addRef(-1);
    if (this.wheel.size === 0) this.nextTimerMs = Infinity;
  }

  private runTimers(): number {
    const nowMs = this.clock.nowMs();
    if (nowMs < this.nextTimerMs) return 0;
    this.wheel.advance(nowMs);
    this.firingTick = Math.floor(nowMs);
    let ran = 0;
    // Bounded: a timer that its callback sets anew is due at a later tick than this.
    for (let entry = this.wheel.take(); entry !== null; entry = this.wheel.take()) {
      this.fire(entry as Timer, nowMs);
      ran++;
    }
    this.firingTick = -1;
    const nextTick = this.wheel.nextTick();
    this.nextTimerMs = nextTick < 0 ? Infinity : nextTick;
    return ran;
  }

  private fire(timer: Timer, nowMs: number): void {
    if (timer.keepsAlive) this.addRef(-1);
    try {
      timer.context.runInAsyncScope(timer.callback);
    } catch (error) {
      native.fatalException(error);
    }
    if (timer.repeatMs === 0 || timer.cancelled || timer.active || this.closed) return;
    const missed = Math.floor((nowMs - timer.dueMs) / timer.repeatMs);
    this.insertTimer(timer, timer.dueMs + (Math.max(0, missed) + 1) * timer.repeatMs);
  }

  // ---- life ----

  /** For registrations and timers. */
  addRef(count: number): void {
    const before = this.refs;
    this.refs += count;
    if (before === 0 && this.refs > 0) this.driverHandle?.ref();
    else if (before > 0 && this.refs === 0) this.driverHandle?.unref();
  }

  /**
   * Ends the reactor: registrations, timers and posted work are dropped, sockets that live on it are closed.
   * It closes no fd of yours. May be called twice, and from within a turn.
   */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.running?.finish();
    this.running = null;
    this.driverHandle?.close();
    this.driverHandle = null;
    for (const registration of [...this.slab.slots]) {
      // One that was told before may have ended this one.
      if (registration?.active === true) this.abandon(registration);
    }
    this.cancelAllTimers();
    if (this.posted.length > 0) this.addRef(-1);
    this.posted.length = 0;
    this.ready.length = 0;
    for (const { waker } of this.wakers) waker.close();
    this.poller.close();
    if (!this.inTurn && this.deferred.length > 0) this.runDeferred();
  }

  private abandon(registration: Registration): void {
    this.forget(registration);
    if (registration.handler.onReactorClose === undefined) return;
    try {
      registration.handler.onReactorClose(registration);
    } catch (error) {
      native.fatalException(error);
    }
  }

  private cancelAllTimers(): void {
    this.wheel.advance(Number.MAX_SAFE_INTEGER);
    for (let entry = this.wheel.take(); entry !== null; entry = this.wheel.take()) {
      if ((entry as Timer).keepsAlive) this.addRef(-1);
    }
    this.nextTimerMs = Infinity;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Counters and sizes, for tests and diagnosis. */
  inspect(): ReactorInspection {
    return {
      backend: this.backend,
      driver: this.running?.driver ?? this.driver,
      closed: this.closed,
      registrations: this.slab.size,
      timers: this.wheel.size,
      ready: this.ready.length,
      refs: this.refs,
      turns: this.turns,
      emptyTurns: this.emptyTurns,
      events: this.events,
      staleEvents: this.staleEvents,
    };
  }

  private checkOpen(): void {
    if (this.closed) throw closedError('Reactor');
  }
}

/** `fn` in the context in which it was handed over (AsyncLocalStorage). */
function inContext(fn: () => void): () => void {
  const context = newContext();
  return () => context.runInAsyncScope(fn);
}

function newContext(): AsyncResource {
  // Nobody listens for its destruction, and to track it would cost a weak handle.
  return new AsyncResource('tripoll', { requireManualDestroy: true });
}

/** What registrations that are made alike share; its context is that of the caller. */
export function toProfile(options: { mode: number; priority: number; name?: string | undefined }): RegistrationProfile {
  const { mode, priority, name } = options;
  return { mode, priority, name, context: newContext() };
}

function rank(registration: Registration): number {
  return Math.min(HIGHEST_PRIORITY, registration.priority + registration.age);
}

function takePending(registration: Registration): number {
  const { pending } = registration;
  registration.pending = 0;
  return pending;
}

function toWaitNs(waitMs: number): number {
  return Math.min(Math.max(0, Math.ceil(waitMs * NS_PER_MS)), MAX_WAIT_NS);
}

/** Each of them, whatever the one before threw. */
function runEach(functions: readonly (() => void)[]): number {
  for (const fn of functions) runContained(fn);
  return functions.length;
}

function runContained(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    native.fatalException(error);
  }
}

function checkRegister(
  fd: unknown,
  interest: unknown,
  handler: unknown,
  options: RegisterOptions,
): { mode: number; priority: number; name: string | undefined } {
  checkFd(fd);
  checkInteger('interest', interest, 0, ALL_INTERESTS);
  checkObject('handler', handler);
  checkFunction('handler.onReady', (handler as Partial<EventHandler>).onReady);
  checkObject('options', options);
  const { mode = Mode.LEVEL, priority = 0, name } = options;
  checkInteger('mode', mode, 0, MAX_MODE);
  checkInteger('priority', priority, 0, HIGHEST_PRIORITY);
  if (name !== undefined && typeof name !== 'string') throw invalidArgType('name', 'a string', name);
  if ((mode & Mode.EXCLUSIVE) !== 0 && (mode & Mode.ONESHOT) !== 0) {
    throw unsupportedError('EXCLUSIVE goes with LEVEL or EDGE only (epoll_ctl(2))');
  }
  if ((mode & Mode.EXCLUSIVE) !== 0 && (interest & Interest.PRIORITY) !== 0) {
    throw unsupportedError('EXCLUSIVE cannot wait for PRIORITY (epoll_ctl(2))');
  }
  return { mode, priority, name };
}
