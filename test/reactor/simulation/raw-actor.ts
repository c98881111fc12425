import { Interest, Mode, Readiness, type Registration } from 'tripoll';
import { thrownBy } from '../../support/errors.js';
import type { Actor, World } from './world.js';

const HINTS = Readiness.READ_CLOSED | Readiness.WRITE_CLOSED | Readiness.ERROR;
const BUFFER = new Uint8Array(2048);

/** A registration of a user's own fd, without a socket of the library on top. */
export class RawActor implements Actor {
  isDone = false;
  #registration: Registration | null = null;
  /** The user closed the fd behind the library. */
  #closedBehind = false;
  /** What may be delivered: reported by the poller, or asked for by `again()`. */
  #owed = 0;
  /** What must be, unless it is no longer wanted. */
  #due = 0;
  #isUnchanged = true;
  /** What a turn's budget left over. */
  #carried = 0;
  /** `again()` was called, and with what. */
  #asked = 0;
  /** As it was told last. */
  #latest = 0;
  #wasCalled = false;
  readonly #world: World;
  readonly #fd: number;
  readonly #peerFd: number;
  readonly #act: () => void;

  constructor(world: World, fds: readonly [number, number], act: () => void) {
    this.#world = world;
    [this.#fd, this.#peerFd] = fds;
    this.#act = act;
    this.register();
  }

  register(): void {
    if (this.#closedBehind) return;
    if (this.#registration?.active === true) {
      this.#registerTwice();
      return;
    }
    const { random, reactor } = this.#world;
    const modes = [Mode.LEVEL, Mode.EDGE, Mode.ONESHOT, Mode.EDGE_ONESHOT].filter((mode) =>
      reactor.supports(mode),
    );
    const options = { mode: random.pick(modes), priority: random.pick([0, 0, 0, 1, 3, 7]) };
    const handler = {
      onReady: (readiness: number, registration: Registration) => this.#onReady(readiness, registration),
      onError: (error: unknown, registration: Registration) => this.#onError(error, registration),
    };
    try {
      this.#registration = reactor.register(this.#fd, random.below(4), handler, options);
    } catch (error) {
      this.#world.expectCode(error, ['ENOSPC'], 'register');
      return;
    }
    this.#owed = 0;
    this.#due = 0;
    this.#asked = 0;
    this.#carried = 0;
    this.#latest = 0;
    this.#world.token(this.#registration, (readiness) => {
      this.#owed |= readiness;
      this.#due |= readiness;
    });
    // What came before its handler is told of must have been looked up anew.
    this.#wasCalled = false;
    this.#isUnchanged = false;
  }

  #registerTwice(): void {
    const before = this.#world.reactor.inspect().registrations;
    const { code } = thrownBy(() =>
      this.#world.reactor.register(this.#fd, Interest.READABLE, { onReady: () => {} }),
    );
    if (code !== 'EEXIST') this.#world.fail('register-twice', `the fd is registered already: ${code}`);
    if (this.#world.reactor.inspect().registrations !== before)
      this.#world.fail('register-twice', 'not rolled back');
  }

  #onReady(readiness: number, registration: Registration): void {
    const world = this.#world;
    world.note(`raw fd ${this.#fd} hears ${readiness}`);
    if (registration !== this.#registration || !registration.active)
      world.fail('raw-dead', 'heard after deregister()');
    if (!world.inTurn) world.fail('outside-turn', 'onReady outside of a turn');
    if ((readiness & ~this.#owed) !== 0)
      world.fail('raw-invented', `${readiness}, of which only ${this.#owed} was told`);
    if ((readiness & ~(registration.interest | HINTS)) !== 0)
      world.fail('raw-unasked', `${readiness} was not asked for`);
    this.#wasCalled = true;
    this.#latest = readiness;
    this.#asked = 0;
    if (world.isQuiet) {
      this.#consume();
      return;
    }
    if (world.chance(0.5)) this.#consume();
    this.#act();
    if (!world.chance(0.02)) return;
    throw world.mistake();
  }

  #onError(error: unknown, registration: Registration): void {
    if (this.#world.takeMistake(error)) return;
    this.#world.expectCode(error, ['ENOENT', 'EBADF'], 'raw onError');
    if (!this.#closedBehind) this.#world.fail('raw-lost', 'an open fd was given up');
    if (registration.active) this.#world.fail('raw-lost', 'still registered after it was lost');
  }

  /** All that can be read; then level mode, too, has nothing more to say. */
  #consume(): void {
    const { kernel } = this.#world;
    if (kernel.socketOf(this.#fd) === null || this.#closedBehind) return;
    const mayWant = Interest.READABLE | Interest.WRITABLE;
    while (kernel.recv(this.#fd, BUFFER) > 0);
    if (!this.#world.isQuiet || this.#registration?.active !== true) return;
    // It would be told for ever that it can write, or that it has ended.
    if ((this.#registration.interest & mayWant) !== 0) this.setInterest(0);
  }

  /** Something happens at its other end. */
  poke(): void {
    const { kernel, random } = this.#world;
    const socket = kernel.socketOf(this.#peerFd);
    if (socket === null || this.isDone) return;
    if (random.below(20) === 0) kernel.shutdownWrite(this.#peerFd);
    else if (random.below(2) === 0) kernel.send(this.#peerFd, [this.#world.bytes()]);
    else kernel.recv(this.#peerFd, BUFFER);
  }

  setInterest(interest: number): void {
    const registration = this.#registration;
    if (registration?.active !== true) return;
    this.#isUnchanged = false;
    this.#carried = 0;
    registration.setInterest(interest);
    this.#checkLoss(registration);
  }

  rearm(): void {
    const registration = this.#registration;
    if (registration?.active !== true) return;
    registration.rearm();
    this.#checkLoss(registration);
  }

  /** T02: it is found out, and given up. */
  #checkLoss(registration: Registration): void {
    if (this.#closedBehind === registration.active) {
      this.#world.fail('raw-lost', `closed behind: ${this.#closedBehind}, active: ${registration.active}`);
    }
  }

  again(): void {
    const registration = this.#registration;
    if (registration?.active !== true) return;
    registration.again();
    // It carries on with what it was told last, else with what it waits for.
    this.#asked |= this.#latest === 0 ? registration.interest : this.#latest;
    this.#owed |= this.#asked;
  }

  toggleRef(): void {
    if (this.#world.chance(0.5)) this.#registration?.ref();
    else this.#registration?.unref();
  }

  deregister(): void {
    if (this.#registration !== null) this.#world.token(this.#registration, null);
    this.#registration?.deregister();
  }

  /** The mistake of T02. */
  closeBehind(): void {
    if (this.#closedBehind || this.isDone) return;
    this.#closedBehind = true;
    this.#isUnchanged = false;
    this.#world.kernel.close(this.#fd);
  }

  beforeTurn(): void {
    this.#due = this.#asked | this.#carried;
    this.#owed |= this.#asked;
    this.#asked = 0;
    this.#isUnchanged = true;
    this.#wasCalled = false;
  }

  afterTurn(): void {
    const registration = this.#registration;
    if (registration?.active !== true) return;
    const wanted = this.#due & (registration.interest | HINTS);
    const isMissing = wanted !== 0 && this.#isUnchanged && !this.#wasCalled;
    const hasLeftovers = this.#world.reactor.inspect().ready > 0;
    this.#carried = isMissing && hasLeftovers ? wanted : 0;
    if (isMissing && !hasLeftovers) {
      this.#world.fail('raw-event-lost', `${wanted} was reported, and the handler was not called`);
    }
    if (this.#wasCalled && !hasLeftovers) this.#owed = 0;
  }

  close(): void {
    if (this.isDone) return;
    this.isDone = true;
    this.deregister();
    if (!this.#closedBehind) this.#world.kernel.close(this.#fd);
    this.#world.kernel.close(this.#peerFd);
  }
}

export function isRaw(actor: Actor): actor is RawActor {
  return actor instanceof RawActor;
}

export function startRaw(world: World, act: () => void): void {
  const fds = world.kernel.socketpair();
  if (fds !== null) world.add(new RawActor(world, fds, act));
}
