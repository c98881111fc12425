import { closedError, errnoOf, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { Interest, Readiness } from '../../poller/flags.js';
import { BYTES_PER_UNIT } from '../../reactor/registry.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { Registration } from '../../reactor/registration.js';
import type { SocketAddress } from '../../sys/address.js';
import { Resource } from '../socket/resource.js';
import { releaseFd } from '../socket/release-fd.js';
import { isFull } from '../socket/stream-calls.js';
import { dropAttempt, newColdState, type ColdState } from './cold-state.js';
import type { ConnectAttempt, ConnectObserver, Handshake } from './seams.js';
import type { StreamProfile } from './stream-profile.js';
import { WriteQueue } from './write-queue.js';

/** Reads, and writes, of one event before others get their turn; what is left over goes on in the next. */
export const READS_PER_EVENT = 16;
const WRITES_PER_EVENT = 16;

export const EAGAIN = errnoOf('EAGAIN');
export const EINTR = errnoOf('EINTR');
const ENOTCONN = errnoOf('ENOTCONN');
const EINVAL = errnoOf('EINVAL');
const EBADF = errnoOf('EBADF');
const ENOTSOCK = errnoOf('ENOTSOCK');

const { SHUT_WR, SOL_SOCKET, SO_LINGER } = native.constants;
const NO_LINGER = new Uint8Array(new Int32Array([1, 0]).buffer);

const WAKES_READER = Readiness.READABLE | Readiness.READ_CLOSED | Readiness.ERROR;
const WAKES_WRITER = Readiness.WRITABLE | Readiness.WRITE_CLOSED | Readiness.ERROR;
/** After these a short read does not mean that all was read; a read stops at an urgent byte's place (tcp(7)). */
const HANGS_UP = Readiness.READ_CLOSED | Readiness.ERROR | Readiness.PRIORITY;
/** Of edges, which cost nothing while they do not come: PRIORITY too, or what a read that stopped short left would stay. */
const EDGE_READ = Interest.READABLE | Interest.PRIORITY;

// Bits of `flags`. One number instead of a dozen fields: an idle connection is small. A stream is
// CONNECTING, then open (neither bit), then CLOSED for ever.
const CONNECTING = 1 << 0;
const CLOSED = 1 << 1;
/** The system has said "readable", and no read has come back empty or short since. Edge mode only. */
const READ_READY = 1 << 2;
/** The end, an error or an urgent byte is on its way: a short read does not mean that all was read (T17). */
export const HUNG_UP = 1 << 3;
const READ_ENDED = 1 << 4;
/** `end()` was called: shut down when the queue is empty. */
const WRITE_ENDING = 1 << 5;
const WRITE_ENDED = 1 << 6;
const PAUSED = 1 << 7;
const CORKED = 1 << 8;
/** The system no longer knows our fd: the number may be a stranger's, and is not closed. */
const FD_LOST = 1 << 9;
const UNREFED = 1 << 10;
/** Nobody reads any more: close when our side has ended. */
const CLOSE_AFTER_END = 1 << 11;
/** As PAUSED, but not by the user: bytes are for a read past the handlers (`ReadsPastHandlers`). */
const HELD = 1 << 12;
/** Level mode only: there is something that nobody takes, of which the system would tell again and again. */
export const UNTAKEN = 1 << 13;
/** From here on the bits are the subclass's. */
export const FIRST_FREE_FLAG = 1 << 14;

/**
 * What both styles of stream sockets share: connecting, readiness, the write queue, half-close, the end. A
 * subclass says what to do with bytes and whom to tell. Under edge mode the registration never changes but
 * for the first blocked write; under level mode the interest follows what is wanted.
 */
export abstract class StreamCore<Profile extends StreamProfile = StreamProfile, Address = SocketAddress>
  extends Resource
  implements ConnectObserver
{
  protected readonly profile: Profile;
  /** The socket's own number; -1 before it is connected and once closed. It stays this object's to close. */
  fd = -1;
  protected flags = CONNECTING;
  protected registration: Registration | null = null;
  protected queue: WriteQueue | null = null;
  protected cold: ColdState | null = null;

  protected constructor(profile: Profile) {
    super();
    this.profile = profile;
  }

  // ---- what a subclass supplies ----

  /** Bytes, or the end, can be read now. */
  protected abstract readNow(): void;
  protected abstract onOpen(): void;
  /** The queue has become shorter; `isCall`: within a call of the user's, who is not to be called back from in there. */
  protected abstract onFlushed(isCall: boolean): void;
  /** It is over; `error` is what ended it, or null. Called once. */
  protected abstract onDestroyed(error: Error | null): void;
  /** A name of our fd, in the form of its address family. */
  protected abstract addressOf(side: 'local' | 'remote'): Address | undefined;

  // ---- becoming open ----

  /** A connected socket that we own from here on; `isGiven`: only if that succeeds. */
  protected adopt(fd: number, isGiven = false): void {
    this.fd = fd;
    this.flags &= ~CONNECTING;
    try {
      this.#register();
      this.profile.idle?.add(this);
    } catch (error) {
      if (isGiven) this.flags |= FD_LOST;
      this.destroy(error as Error);
    }
  }

  /**
   * As `adopt`, of a socket whose first bytes have come (TCP_DEFER_ACCEPT): they are read before it is registered. A short
   * connection has ended by then, and has cost no registration.
   */
  protected adoptReady(fd: number): void {
    this.fd = fd;
    this.flags = (this.flags & ~CONNECTING) | READ_READY;
    this.profile.idle?.add(this);
    this.onOpen();
    if (this.isOpen) this.readNow();
    try {
      if (this.isOpen) this.#register();
      if (this.hasQueued) this.armWrite();
      this.updateInterestIfLevel();
    } catch (error) {
      // A handler closed it behind our back: the number is a stranger's by now, or nobody's (T02).
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EBADF' || code === 'EEXIST') this.flags |= FD_LOST;
      this.destroy(error as Error);
    }
  }

  #register(): void {
    const { reactor, registration, useEdge } = this.profile;
    const interest = useEdge || this.wantsPriority ? EDGE_READ : Interest.READABLE;
    this.registration = reactor.registry.register(this.fd, interest, this, registration);
    if ((this.flags & UNREFED) !== 0) this.registration.unref();
  }

  /** Starts what makes the connection; `onConnected` or `onConnectFailed` tells how it went. */
  protected connectBy(attempt: ConnectAttempt): void {
    this.ensureCold().attempt = attempt;
    attempt.setRefed((this.flags & UNREFED) === 0);
    attempt.start();
  }

  protected ensureCold(): ColdState {
    return (this.cold ??= newColdState());
  }

  /** @internal For the attempt. */
  onConnectFailed(error: Error): void {
    this.destroy(error);
  }

  /** @internal For the attempt. */
  onConnected(fd: number, registration: Registration, readiness: number, left?: Handshake | null): void {
    this.fd = fd;
    this.registration = registration;
    this.flags &= ~CONNECTING;
    this.cold = dropAttempt(this.cold);
    if (left) this.ensureCold().handshake = left;
    this.profile.idle?.add(this);
    this.updateInterestIfLevel();
    this.onOpen();
    if (this.isOpen) this.flush();
    if (this.isOpen) this.onReady(readiness);
  }

  /** @internal For the handshake. */
  onEstablished(): void {
    this.cold = dropAttempt(this.cold);
    this.flush();
  }

  // ---- readiness ----

  /** @internal */
  onReady(event: number): void {
    const readiness = (event & HANGS_UP) === 0 ? event : this.onHangUp(event);
    if ((readiness & WAKES_READER) !== 0) {
      this.flags |= READ_READY;
      this.readNow();
    }
    if ((readiness & WAKES_WRITER) !== 0 && this.queue !== null) this.flush();
  }

  /** What is more than bytes or room for them; returns what of it is left for reads and writes to meet. */
  protected onHangUp(readiness: number): number {
    const left = this.cold?.extras?.onReady(readiness) ?? readiness;
    if ((left & HANGS_UP) !== 0) this.flags |= HUNG_UP;
    return left;
  }

  /** @internal */
  onError(error: unknown): void {
    this.destroy(error as Error);
  }

  /** @internal */
  onReactorClose(): void {
    this.destroy(closedError('Reactor'));
  }

  protected get isOpen(): boolean {
    return (this.flags & (CONNECTING | CLOSED)) === 0;
  }

  /** By the user, or by a read past the handlers. */
  protected get isPaused(): boolean {
    return (this.flags & (PAUSED | HELD)) !== 0;
  }

  protected get isHeld(): boolean {
    return (this.flags & HELD) !== 0;
  }

  /** Whether a read can be tried without having been told: edge mode remembers, level mode just tries. */
  protected get mayRead(): boolean {
    return this.isOpen && ((this.flags & READ_READY) !== 0 || !this.profile.useEdge);
  }

  /** The peer has ended its side, and all of it has been read. */
  get readEnded(): boolean {
    return (this.flags & READ_ENDED) !== 0;
  }

  /** Our side has ended, or will when all is written. */
  get writeEnded(): boolean {
    return (this.flags & (WRITE_ENDING | WRITE_ENDED)) !== 0;
  }

  /** Bytes came, or were taken: no idle connection, and many of them are a longer turn (T47, T48). */
  protected noteBytes(bytes: number): void {
    this.profile.idle?.touch(this);
    if (bytes >= BYTES_PER_UNIT) this.reactor.registry.chargeBytes(bytes);
  }

  /** A read came back with fewer bytes than asked for: there is no more, unless it hung up or such reads say nothing. */
  protected readShort(): boolean {
    if ((this.flags & HUNG_UP) !== 0 || !this.profile.traits.shortReadEmpties) return false;
    this.flags &= ~READ_READY;
    return true;
  }

  protected readEmpty(): void {
    this.flags &= ~READ_READY;
  }

  /** The budget of this event is used up. Level mode hears of it again anyway. */
  protected readLater(): void {
    if (this.profile.useEdge && this.registration !== null) {
      this.reactor.registry.requeue(this.registration, Readiness.READABLE);
    }
  }

  /** The peer has ended its side. */
  protected markReadEnded(): void {
    this.flags |= READ_ENDED;
    this.cold?.extras?.onReady(Readiness.READ_CLOSED);
    this.updateInterestIfLevel();
  }

  protected updateInterestIfLevel(): void {
    if (this.profile.useEdge || this.registration?.active !== true || !this.isOpen) return;
    if (this.wantsRead && !this.readEnded) this.flags &= ~UNTAKEN;
    let interest = this.wantsPriority ? Interest.PRIORITY : 0;
    // Also when nobody reads, until there is something: it may be the end. Errors come with any interest.
    if ((this.flags & UNTAKEN) === 0) interest |= this.readEnded ? Interest.PRIORITY : Interest.READABLE;
    const endsLater = (this.flags & WRITE_ENDING) !== 0 && (this.cold?.handshake ?? null) !== null;
    if (endsLater || (this.hasQueued && (this.flags & CORKED) === 0)) interest |= Interest.WRITABLE;
    if (interest !== this.registration.interest) this.registration.setInterest(interest);
  }

  /** Whether what comes would be read. */
  protected get wantsRead(): boolean {
    return !this.isPaused;
  }

  /** Whether urgent data, or what the error queue has, is waited for. */
  protected get wantsPriority(): boolean {
    return this.cold?.extras?.wantsPriority ?? false;
  }

  protected setPaused(paused: boolean): void {
    this.#setStop(PAUSED, paused);
  }

  protected setHeld(held: boolean): void {
    this.#setStop(HELD, held);
  }

  #setStop(flag: number, stop: boolean): void {
    if (this.closed || stop === ((this.flags & flag) !== 0)) return;
    this.flags ^= flag;
    this.updateInterestIfLevel();
    if (!stop && (this.flags & READ_READY) !== 0) this.readLater();
  }

  protected setCorked(corked: boolean): void {
    if (corked) this.flags |= CORKED;
    else this.flags &= ~CORKED;
    // Level mode would be told for ever that a socket takes bytes that are held back.
    if (corked) this.updateInterestIfLevel();
    else this.flush(true);
  }

  // ---- writing ----

  /** Bytes that wait for the socket to take them. */
  get queuedBytes(): number {
    return this.queue?.queuedBytes ?? 0;
  }

  protected get hasQueued(): boolean {
    return this.queue !== null && !this.queue.isEmpty;
  }

  /** A write now would be neither out of order nor too early. */
  protected get canWriteNow(): boolean {
    return (this.flags & (CONNECTING | CLOSED | CORKED)) === 0 && !this.hasQueued;
  }

  protected ensureQueue(): WriteQueue {
    return (this.queue ??= new WriteQueue(this.profile.traits.messages));
  }

  /** Asks to be told when the socket takes bytes again. */
  protected armWrite(): void {
    // An inactive one is lost, and its error on the way (T02).
    if (this.registration?.active !== true || !this.isOpen) return;
    if (!this.profile.useEdge) this.updateInterestIfLevel();
    else if ((this.registration.interest & Interest.WRITABLE) === 0) {
      // Once, and it stays: an edge costs nothing while it does not come (T15).
      this.registration.setInterest(this.registration.interest | Interest.WRITABLE);
    }
  }

  /** Writes what is queued, as far as the socket takes it and the budget goes; `isCall`: from a call of the user's. */
  protected flush(isCall = false): void {
    if ((this.flags & (CONNECTING | CLOSED | CORKED)) !== 0) return;
    if (this.hasQueued && !this.#writeQueued(isCall)) return;
    this.updateInterestIfLevel();
    if (!this.hasQueued && (this.flags & WRITE_ENDING) !== 0) this.#shutdownWrite();
  }

  /** False when it ended the stream. */
  #writeQueued(isCall: boolean): boolean {
    const queue = this.ensureQueue();
    let full = false;
    for (let i = 0; i < WRITES_PER_EVENT && !full && !queue.isEmpty; i++) {
      let written: number;
      try {
        written = queue.writeOnce(this.fd);
      } catch (error) {
        // A queued buffer was detached: what its promise promised cannot be kept.
        this.destroy(error as Error);
        return false;
      }
      if (isFull(written)) full = true;
      else if (written < 0) {
        this.fail(written, 'write');
        return false;
      } else {
        if (written > 0) this.noteBytes(written);
        if (!this.reactor.registry.consumeBudget()) break;
      }
    }
    if (!queue.isEmpty) this.flushLater(full);
    this.onFlushed(isCall);
    return this.isOpen;
  }

  /** `full`: the socket takes no more; else it might, and a budget is used up. */
  protected flushLater(full = false): void {
    this.armWrite();
    if (!full) this.flushSoon();
  }

  /** Under an edge a socket that still takes bytes says nothing: go on by ourselves (T48, T58). */
  protected flushSoon(): void {
    if (!this.profile.useEdge || this.registration === null) return;
    this.reactor.registry.requeue(this.registration, Readiness.WRITABLE);
  }

  /** Ends our side when all that is queued has been written; what is corked is let go. */
  protected endWrite(): void {
    if (this.closed || this.writeEnded) return;
    this.flags = (this.flags & ~CORKED) | WRITE_ENDING;
    this.flush(true);
  }

  #shutdownWrite(): void {
    if (this.cold?.handshake?.isDone === false) {
      this.cold.handshake.finish();
      this.updateInterestIfLevel();
      return;
    }
    this.flags = (this.flags & ~WRITE_ENDING) | WRITE_ENDED;
    const error = native.shutdown(this.fd, SHUT_WR);
    // ENOTCONN: the peer has reset it, which the reader hears.
    if (error < 0 && error !== ENOTCONN && error !== EINVAL) this.fail(error, 'shutdown');
    else if ((this.flags & CLOSE_AFTER_END) !== 0) this.destroy(null);
    else this.finishIfDone();
  }

  protected closeAfterEnd(): void {
    this.flags |= CLOSE_AFTER_END;
    if ((this.flags & WRITE_ENDED) !== 0) this.destroy(null);
    else this.endWrite();
  }

  /** Both sides have ended: nothing is left to wait for. */
  protected finishIfDone(): void {
    if (this.bothEnded) this.destroy(null);
  }

  protected get bothEnded(): boolean {
    return (this.flags & (READ_ENDED | WRITE_ENDED)) === (READ_ENDED | WRITE_ENDED);
  }

  // ---- the end ----

  /** Ends it at once. The fd is closed when this returns; who waits is told by `onDestroyed`. */
  protected destroy(error: Error | null): void {
    if (this.closed) return;
    this.flags |= CLOSED;
    this.cold = dropAttempt(this.cold);
    this.profile.idle?.remove(this);
    this.#releaseFd();
    // Only where somebody waits: an error's stack costs more than a connection.
    this.queue?.clear(error ?? closedError('Stream'));
    this.cold?.extras?.end(error ?? closedError('Stream'));
    this.onDestroyed(error);
  }

  /** A call on our fd failed for good. */
  protected fail(errno: number, syscall: string): void {
    // The number is a stranger's by now, or nobody's: not ours to close (T02).
    if (errno === EBADF || errno === ENOTSOCK) this.flags |= FD_LOST;
    this.destroy(systemError(errno, syscall));
  }

  /** @internal For `IdleTracker`. */
  expire(error: Error): void {
    this.destroy(error);
  }

  #releaseFd(): void {
    if (this.fd >= 0) releaseFd(this.fd, this.registration, (this.flags & FD_LOST) !== 0);
    this.registration = null;
    this.fd = -1;
  }

  /** Closes with a RST: the peer loses what it has not read. */
  protected resetNow(): void {
    if (this.fd >= 0) native.setsockopt(this.fd, SOL_SOCKET, SO_LINGER, NO_LINGER);
    this.destroy(null);
  }

  // ---- public to users of either style ----

  /** The reactor that it lives on. */
  get reactor(): Reactor {
    return this.profile.reactor;
  }

  /** Whether it has been closed, by `close` or by an error. */
  get closed(): boolean {
    return (this.flags & CLOSED) !== 0;
  }

  /** Our end; undefined before it is connected and once it has closed. */
  get localAddress(): Address | undefined {
    return this.addressOf('local');
  }

  /** The peer; undefined before it is connected and once it has closed. */
  get remoteAddress(): Address | undefined {
    return this.addressOf('remote');
  }

  /** Keeps the process alive (the default). */
  ref(): this {
    this.flags &= ~UNREFED;
    this.cold?.attempt?.setRefed(true);
    this.registration?.ref();
    return this;
  }

  /** Does not keep the process alive. */
  unref(): this {
    this.flags |= UNREFED;
    this.cold?.attempt?.setRefed(false);
    this.registration?.unref();
    return this;
  }
}
