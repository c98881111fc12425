import { capabilities, type DriverName } from '../binding/capabilities.js';
import {
  closedError,
  invalidArgType,
  outOfRange,
  stateError,
  systemError,
  unsupportedError,
} from '../binding/errors.js';
import { nowMs } from '../binding/host-clock.js';
import { native } from '../binding/native.js';
import { checkDurationMs, checkFunction, checkNames, checkSignal } from '../binding/validate.js';
import { chooseBackend, MAX_WAIT_NS, Poller, type PollerContract } from '../poller/poller.js';
import { inContext, newContext, runContained, toProfile } from './context.js';
import { Dispatcher } from './dispatcher.js';
import { chooseDriver, startDriver, type Driver, type RunDriverName } from './driver.js';
import { ImmediateDriver } from './immediate-driver.js';
import { startSpinning } from './spinning.js';
import { refuseIfForgotten } from './consuming-files.js';
import { inspectReactor, readMetrics, writeCounters } from './inspection.js';
import type { ReactorInspection, ReactorMetrics } from './inspection.js';
import type { EventHandler, Registration } from './registration.js';
import {
  checkRegister,
  REACTOR_NAMES,
  RUN_NAMES,
  type Clock,
  type ReactorOptions,
  type RegisterOptions,
  type RunOptions,
  type SetTimerOptions,
} from './options.js';
import { Registry, type RegistryHost } from './registry.js';
import { SpinGuard } from './spin-guard.js';
import { TimerQueue, type TimerQueueHost } from './timer-queue.js';
import { Timer } from './timer.js';
import { WakerSet } from './waker-set.js';
import type { Waker } from './waker.js';

const NS_PER_MS = 1e6;
const MAX_WAIT_MS = MAX_WAIT_NS / NS_PER_MS;
/** How long the immediate driver keeps Node's own loop from its I/O. */
const LONGEST_IMMEDIATE_WAIT_MS = 10;

const monotonicClock: Clock = { nowMs };

/**
 * The reactor: who is registered, and the loop that dispatches what the poller found. All callbacks
 * run in a turn, one after the other; microtasks run after the turn.
 */
export class Reactor implements RegistryHost, TimerQueueHost {
  static #default: Reactor | null = null;
  /** The one of this thread that is under `run()`. */
  static #runner: Reactor | null = null;

  /** This thread's own, made when first asked for, and made anew when it was closed. */
  static get default(): Reactor {
    if (Reactor.#default?.closed !== false) Reactor.#default = new Reactor();
    return Reactor.#default;
  }

  /** Driver that runs its turns, while `run()` does not. */
  readonly driver: DriverName;
  /** The kind of its poller. */
  readonly backend: string;
  /** Whether it has been closed. */
  closed = false;

  private readonly poller: PollerContract;
  /** @internal The same, where it is the system's and not a test's. */
  readonly ownPoller: Poller | null;
  private readonly clock: Clock;
  private driverHandle: Driver | null = null;
  /** While `run()` runs. */
  private running: { driver: RunDriverName; finish: () => void } | null = null;
  /** @internal The sockets' face. */
  readonly registry: Registry;
  /** @internal For `inspect`, as what is tagged so below. */
  readonly dispatcher: Dispatcher;
  /** @internal */
  readonly timers: TimerQueue;
  /** @internal For the registry. */
  inTurn = false;
  /** Work of the next turn; swapped out before it runs, so that it cannot feed itself. */
  private posted: (() => void)[] = [];
  /** The deadline that the poller knows. */
  private armedMs = Infinity;

  private readonly wakers = new WakerSet();
  private wakePending = false;
  /** @internal */
  refs = 0;

  /** The clock's last reading, and the turn whose it is. */
  private turnMs = 0;
  private timeOfTurn = -1;

  /** @internal */
  turns = 0;
  /** @internal */
  wakes = 0;
  /** @internal Where another thread reads its counters. */
  sharedCounters: Float64Array | null = null;
  /** @internal */
  readonly spinGuard = new SpinGuard();

  /**
   * @throws ERR_TRIPOLL_UNSUPPORTED for a backend or driver that this platform lacks; RangeError
   * for an unknown name; a system error (EMFILE) when the poller cannot be opened
   */
  constructor(options: ReactorOptions = {}) {
    checkNames('options', options, REACTOR_NAMES);
    this.clock = options.clock ?? monotonicClock;
    this.timers = new TimerQueue(this, this.clock);
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
    this.registry = new Registry(this, this.poller);
    this.dispatcher = new Dispatcher(this.registry, this.poller);
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
   * Watches an fd. It changes none of the fd's flags (make it non-blocking yourself) and does not
   * own it: deregister before you close it.
   *
   * @param fd an open file descriptor; on Windows a SOCKET
   * @param interest flags of `Interest`; 0 registers it paused
   * @throws TypeError, RangeError for wrong arguments; EBADF for a closed fd, EEXIST for one that
   * is registered, EPERM for a regular file (epoll_ctl(2); the same on every backend);
   * ERR_TRIPOLL_UNSUPPORTED for a mode that the backend lacks, and under the nested driver (the
   * default on Linux) for PRIORITY of a file that forgets its event when it is asked for it, as
   * pressure triggers (PSI) and /proc/self/mounts: give those a
   * `new Reactor({ driver: 'watcher' })` (T81); ERR_TRIPOLL_CLOSED
   */
  register(fd: number, interest: number, handler: EventHandler, options: RegisterOptions = {}): Registration {
    this.checkOpen();
    const profile = toProfile(checkRegister(fd, interest, handler, options));
    const registration = this.registry.register(fd, interest, handler, profile);
    if (this.driver === 'nested') refuseIfForgotten(registration, interest);
    return registration;
  }

  // ---- turns ----

  /**
   * One turn by hand: waits at most `timeoutMs` for something to do (-1: for ever), does it, and
   * returns how many callbacks ran. It may return 0 early. For the manual driver only.
   *
   * @throws ERR_TRIPOLL_STATE from within a turn, or with another driver; RangeError;
   * ERR_TRIPOLL_CLOSED
   */
  turn(timeoutMs = 0): number {
    if (timeoutMs !== -1) checkDurationMs('timeoutMs', timeoutMs);
    this.checkOpen();
    if (this.driver !== 'manual' || this.running !== null)
      throw stateError(`turn() is for the manual driver; this one is ${this.activeDriver}`);
    if (this.inTurn) throw stateError('turn() inside a turn');
    const count = this.poller.wait(this.waitNs(timeoutMs));
    if (count < 0) throw systemError(count, 'wait');
    return this.step(count);
  }

  /**
   * How long a wait may last: nothing while there is work, and no longer than to the next timer.
   */
  private waitNs(timeoutMs: number): number {
    if (this.hasWork()) return 0;
    const untilTimerMs = this.timers.nextMs === Infinity ? Infinity : this.timers.nextMs - this.clock.nowMs();
    const waitMs = Math.min(timeoutMs < 0 ? Infinity : timeoutMs, untilTimerMs);
    return waitMs === Infinity ? -1 : toWaitNs(waitMs);
  }

  private hasWork(): boolean {
    return this.posted.length > 0 || this.registry.hasWork;
  }

  // ---- run ----

  /**
   * Gives this thread to the reactor until `stop()`: the lowest latency there is. Node's timers,
   * immediates, file system, ports and `worker.terminate()` go on working. It keeps the process
   * alive no more than the reactor's sources do. Where the runtime's loop cannot be inverted (not
   * epoll, or not Node), each iteration of that loop waits here for at most 10 ms, by which its own
   * I/O may be late. One reactor of a thread at a time: each would keep the other from sleeping.
   *
   * @returns settled when it has stopped, by `stop()`, by the signal, or because the reactor was
   * closed
   * @throws ERR_TRIPOLL_STATE while it, or another reactor of this thread, is running; TypeError;
   * ERR_TRIPOLL_CLOSED
   */
  run(options: RunOptions = {}): Promise<void> {
    checkNames('options', options, RUN_NAMES);
    const { signal, ...spinning } = options;
    if (signal !== undefined) checkSignal(signal);
    this.checkOpen();
    if (Reactor.#runner !== null) throw stateError('run() is already running in this thread');
    if (signal?.aborted === true) return Promise.resolve();
    const calm = Object.keys(spinning).length > 0 ? startSpinning(this.ownPoller, spinning) : undefined;
    return new Promise((resolve) => {
      const stop = () => this.stop();
      signal?.addEventListener('abort', stop, { once: true });
      const finish = () => {
        signal?.removeEventListener('abort', stop);
        calm?.();
        resolve();
      };
      const canInvert =
        this.backend === 'epoll' && capabilities.drivers.includes('nested') && this.ownPoller !== null;
      this.running = { driver: canInvert ? 'inverted' : 'immediate', finish };
      Reactor.#runner = this;
      this.afterBatch(() => this.switchDriver());
    });
  }

  /** Ends `run()`: the reactor's own driver takes over again. Without a `run()` it does nothing. */
  stop(): void {
    if (this.running === null) return;
    this.finishRun();
    this.afterBatch(() => this.switchDriver());
  }

  private finishRun(): void {
    const { running } = this;
    if (running === null) return;
    this.running = null;
    Reactor.#runner = null;
    running.finish();
  }

  /** A driver's thread writes into the batch: none is started while one is being read. */
  private afterBatch(fn: () => void): void {
    if (this.inTurn) this.registry.defer(fn);
    else fn();
  }

  /** To the driver of `run()`, or back to the reactor's own. */
  private switchDriver(): void {
    if (this.closed) return;
    const left = this.driverHandle?.close() ?? 0;
    this.driverHandle = null;
    this.dispatcher.postponeBatch(left);
    const name = this.activeDriver;
    try {
      if (name === 'immediate')
        this.driverHandle = new ImmediateDriver(() =>
          this.onBatch(this.poller.wait(this.waitNs(LONGEST_IMMEDIATE_WAIT_MS))),
        );
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
    this.turns++;
    const { probe } = this.registry;
    probe?.turnStart(count);
    let ran = 0;
    // What a waker's callback posts is for the next turn.
    if (this.posted.length > 0) ran += this.runPosted();
    ran += this.wakers.run();
    if (ran > 0) probe?.dispatchStart(ran);
    ran += this.dispatcher.dispatch(count);
    if (this.timers.nextMs !== Infinity) ran += this.timers.run();
    ran += this.registry.runDeferred();
    this.registry.endTurn();
    probe?.turnEnd(ran);
    this.inTurn = false;
    this.spinGuard.note(ran, count);
    this.shareCounters();
    if (!this.closed) this.prepareWait();
    return ran;
  }

  /** @internal At the end of a turn, and when something was registered or ended outside of one. */
  shareCounters(): void {
    if (this.sharedCounters !== null) writeCounters(this, this.sharedCounters);
  }

  /**
   * Before the next wait: work that is left over needs no event (T58), a timer ends the wait (T57).
   */
  private prepareWait(): void {
    if (this.hasWork()) this.wakeOnce();
    this.armDeadline();
  }

  /** @internal For the registry: a turn soon, without an event. */
  wakeOnce(): void {
    if (this.wakePending || this.driverHandle === null) return;
    this.wakePending = true;
    this.wakes++;
    const error = this.poller.wake();
    if (error < 0) this.fail(systemError(error, 'wake'));
  }

  private armDeadline(): void {
    if (this.driverHandle === null || this.timers.nextMs === this.armedMs) return;
    // A deadline that comes too early costs one empty turn; to move it back costs a syscall each
    // time.
    const nowMs = this.clock.nowMs();
    if (this.armedMs < this.timers.nextMs && this.armedMs > nowMs) return;
    // No further than the poller can be told: what lies beyond is armed anew then.
    this.armedMs =
      this.timers.nextMs === Infinity ? Infinity : Math.min(this.timers.nextMs, nowMs + MAX_WAIT_MS);
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

  private runPosted(): number {
    const posted = this.posted;
    this.posted = [];
    this.addRef(-1);
    let ran = 0;
    // Looked at before each: the one before may have closed the reactor (T52).
    for (; ran < posted.length && !this.closed; ran++) runContained(posted[ran] as () => void);
    return ran;
  }

  /**
   * A waker for this reactor: any number of `wake()` from any thread before a turn is one `onWake`
   * in it.
   *
   * @throws TypeError; ERR_TRIPOLL_CLOSED
   */
  waker(onWake?: () => void): Waker {
    if (onWake !== undefined) checkFunction('onWake', onWake);
    this.checkOpen();
    // A poller of a test has no id: its wakers only set their flag.
    return this.wakers.add(this.ownPoller?.wakeId ?? 0, onWake);
  }

  // ---- timers ----

  /**
   * Calls `fn` after `delayMs`, never early; with `repeatMs` again and again at that fixed rate,
   * where ticks that a busy thread missed are one.
   *
   * @param delayMs 0 to 9_007_199_254_740
   * @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED
   */
  setTimer(delayMs: number, fn: () => void, options: SetTimerOptions = {}): Timer {
    if (typeof delayMs === 'function')
      throw invalidArgType('delayMs, which comes before fn,', 'a number', delayMs);
    checkDurationMs('delayMs', delayMs);
    checkFunction('fn', fn);
    checkNames('options', options, { repeatMs: true });
    const { repeatMs = 0 } = options;
    if (options.repeatMs !== undefined) checkDurationMs('repeatMs', repeatMs);
    if (options.repeatMs !== undefined && repeatMs < 1) throw outOfRange('repeatMs', 'at least 1', repeatMs);
    const timer = new Timer(this.timers, fn, repeatMs, newContext());
    this.timers.schedule(timer, delayMs);
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

  /** @internal For the timers: the poller may have to wait less long. */
  onTimerSet(): void {
    if (!this.inTurn) this.armDeadline();
  }

  // ---- life ----

  /** @internal For registrations and timers. */
  addRef(count: number): void {
    const before = this.refs;
    this.refs += count;
    if (before === 0 && this.refs > 0) this.driverHandle?.ref();
    else if (before > 0 && this.refs === 0) this.driverHandle?.unref();
  }

  /**
   * Ends the reactor: registrations, timers and posted work are dropped, sockets that live on it
   * are closed. It closes no fd of yours. May be called twice, and from within a turn.
   */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.finishRun();
    this.driverHandle?.close();
    this.driverHandle = null;
    this.registry.abandonAll();
    this.timers.clear();
    this.registry.tellClosed();
    if (this.posted.length > 0) this.addRef(-1);
    this.posted.length = 0;
    this.wakers.close();
    this.poller.close();
    if (!this.inTurn) this.registry.runDeferred();
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal The driver that runs its turns now. */
  get activeDriver(): DriverName | RunDriverName {
    return this.running?.driver ?? this.driver;
  }

  /**
   * Sizes, counters and what it is made of, for tests and diagnosis. What is registered:
   * `inspectRegistrations` of `tripoll/observe`.
   */
  inspect(): ReactorInspection {
    return inspectReactor(this);
  }

  /** Sizes and counters, for whoever watches it; with times while `tripoll/observe` takes them. */
  metrics(): ReactorMetrics {
    return readMetrics(this);
  }

  /** @internal @throws ERR_TRIPOLL_CLOSED */
  checkOpen(): void {
    if (this.closed) throw closedError('Reactor');
  }
}

function toWaitNs(waitMs: number): number {
  return Math.min(Math.max(0, Math.ceil(waitMs * NS_PER_MS)), MAX_WAIT_NS);
}
