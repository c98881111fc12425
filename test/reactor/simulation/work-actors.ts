// Timers, posted work, wakers, sleeps.
import { sleep, type Timer, type Waker } from 'tripoll';
import type { Actor, World } from './world.js';

const NS_PER_MS = 1e6;

/** A timer, and when it must fire. */
export class TimerActor implements Actor {
  readonly #world: World;
  readonly #repeatMs: number;
  readonly #timer: Timer;
  readonly #act: () => void;
  #dueMs: number;
  #isActive = true;
  #setInTurn: number;

  constructor(world: World, delayMs: number, repeatMs: number, act: () => void) {
    this.#world = world;
    this.#repeatMs = repeatMs;
    this.#act = act;
    this.#dueMs = world.clock.nowMs() + delayMs;
    this.#setInTurn = this.#turnOfNow();
    this.#timer = world.reactor.setTimer(delayMs, () => this.#fire(), repeatMs > 0 ? { repeatMs } : {});
  }

  /** A rescheduled one lives again. */
  get isDone(): boolean {
    return !this.#isActive;
  }

  /** When it fires at the latest, if there is a turn then. */
  get boundMs(): number {
    if (!this.#isActive) return Infinity;
    // One that was set while others fired is left to the next tick.
    return Math.ceil(this.#dueMs) + (this.#setInTurn < 0 ? 0 : 1);
  }

  #turnOfNow(): number {
    return this.#world.inTurn ? this.#world.turns : -1;
  }

  #fire(): void {
    const world = this.#world;
    const nowMs = world.clock.nowMs();
    world.note(`timer fires, due ${this.#dueMs}`);
    if (!this.#isActive) world.fail('timer-dead', 'a timer fired that had been cancelled, or had fired');
    if (!world.inTurn) world.fail('outside-turn', 'a timer fired outside of a turn');
    if (nowMs < this.#dueMs) world.fail('timer-early', `due at ${this.#dueMs}, fired at ${nowMs}`);
    this.#setInTurn = this.#turnOfNow();
    if (this.#repeatMs === 0) this.#isActive = false;
    else this.#dueMs += (Math.floor((nowMs - this.#dueMs) / this.#repeatMs) + 1) * this.#repeatMs;
    if (!world.isQuiet) this.#act();
  }

  cancel(): void {
    this.#world.note(`timer due ${this.#dueMs} is cancelled`);
    this.#timer.cancel();
    this.#isActive = false;
  }

  reschedule(delayMs: number): void {
    this.#timer.reschedule(delayMs);
    this.#isActive = true;
    this.#dueMs = this.#world.clock.nowMs() + delayMs;
    this.#setInTurn = this.#turnOfNow();
    this.#world.note(`timer is due ${this.#dueMs} now`);
  }

  toggleRef(): void {
    if (this.#world.chance(0.5)) this.#timer.ref();
    else this.#timer.unref();
  }

  afterTurn(): void {
    const world = this.#world;
    if (world.reactor.closed) this.#isActive = false;
    if (!this.#isActive || this.#setInTurn === world.turns) return;
    if (this.boundMs > Math.floor(world.clock.nowMs())) return;
    world.fail('timer-late', `due at ${this.#dueMs}, not fired at ${world.clock.nowMs()}`);
  }

  close(): void {
    this.cancel();
  }
}

export function isTimer(actor: Actor): actor is TimerActor {
  return actor instanceof TimerActor;
}

/** No wait may be longer than to the next timer. */
export function checkOversleep(world: World, timeoutNs: number): void {
  const boundMs = Math.min(Infinity, ...world.actors.filter(isTimer).map((timer) => timer.boundMs));
  if (boundMs === Infinity) return;
  const untilMs = timeoutNs < 0 ? Infinity : world.clock.nowMs() + timeoutNs / NS_PER_MS;
  if (untilMs > Math.max(boundMs, world.clock.nowMs()) + 0.001) {
    world.fail('overslept', `a wait until ${untilMs}, with a timer due at ${boundMs}`);
  }
}

/** Posted functions: each once, in order, in the next turn. */
export class PostActor implements Actor {
  readonly isDone = false as boolean;
  readonly #world: World;
  #posted = 0;
  #ran = 0;
  #mustRun = 0;

  constructor(world: World) {
    this.#world = world;
    world.waitChecks.push((timeoutNs) => {
      if (this.#ran < this.#posted && timeoutNs !== 0)
        world.fail('slept-on-work', `posted work waits ${timeoutNs} ns`);
    });
  }

  post(act: () => void): void {
    const number = this.#posted;
    const turn = this.#world.inTurn ? this.#world.turns : -1;
    this.#world.reactor.post(() => {
      if (this.#ran !== number)
        this.#world.fail('post-order', `${number} ran when it was the turn of ${this.#ran}`);
      if (!this.#world.inTurn) this.#world.fail('outside-turn', 'posted work ran outside of a turn');
      if (turn === this.#world.turns)
        this.#world.fail('post-early', 'posted work ran in the turn that posted it');
      this.#ran++;
      if (!this.#world.isQuiet) act();
    });
    this.#posted++;
  }

  beforeTurn(): void {
    this.#mustRun = this.#posted;
  }

  afterTurn(): void {
    if (this.#ran < this.#mustRun && !this.#world.reactor.closed) {
      this.#world.fail('post-late', `${this.#mustRun - this.#ran} posted functions did not run`);
    }
  }

  close(): void {
    (this as { isDone: boolean }).isDone = true;
  }
}

/** Any number of wakes before a turn is one `onWake` in it. */
export class WakerActor implements Actor {
  isDone = false;
  readonly #world: World;
  readonly #waker: Waker;
  #isWoken = false;
  #expected = 0;
  #heard = 0;

  constructor(world: World, act: () => void) {
    this.#world = world;
    this.#waker = world.reactor.waker(() => {
      this.#heard++;
      this.#isWoken = false;
      if (this.isDone) world.fail('waker-dead', 'a closed waker was heard');
      if (!world.isQuiet) act();
    });
  }

  wake(): void {
    this.#waker.wake();
    this.#isWoken = true;
  }

  beforeTurn(): void {
    this.#heard = 0;
    this.#expected = this.#isWoken && !this.isDone ? 1 : 0;
  }

  afterTurn(): void {
    const { closed } = this.#world.reactor;
    if (this.#expected > this.#heard && !this.isDone && !closed)
      this.#world.fail('wake-lost', 'a wake was not heard');
    if (this.#heard > this.#expected && this.#heard > 1)
      this.#world.fail('wake-twice', `heard ${this.#heard} times`);
  }

  close(): void {
    if (!this.isDone) this.#waker.close();
    this.isDone = true;
  }
}

export function isWaker(actor: Actor): actor is WakerActor {
  return actor instanceof WakerActor;
}

/** `sleep`, which may be aborted. */
export function startSleep(world: World): void {
  const delayMs = world.random.below(60) / 2;
  const controller = new AbortController();
  const dueMs = world.clock.nowMs() + delayMs;
  let isSettled = false;
  let mustReject = false;
  const promise = sleep(delayMs, { reactor: world.reactor, signal: controller.signal });
  world
    .track(promise, 'sleep', () => world.reactor.closed)
    .then(
      () => {
        isSettled = true;
        if (mustReject) world.fail('sleep', 'an aborted sleep has resolved');
        if (world.clock.nowMs() < dueMs) world.fail('timer-early', 'a sleep was too short');
      },
      (error: unknown) => {
        isSettled = true;
        const mayReject = controller.signal.aborted || world.reactor.closed;
        if (!mayReject) world.fail('sleep', 'a sleep was rejected that nobody had aborted');
        world.expectCode(error, ['ABORT_ERR', 'ERR_TRIPOLL_CLOSED'], 'sleep');
      },
    );
  if (world.chance(0.5)) return;
  world.later(() => {
    // One that is due may have fired already, in this very turn.
    mustReject = !isSettled && world.clock.nowMs() < dueMs;
    controller.abort();
  });
}
