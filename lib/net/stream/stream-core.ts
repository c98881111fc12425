import { EBADF } from '../../binding/errnos.js';
import { closedError, errnoOf, stateError, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { Readiness } from '../../poller/flags.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { Registration } from '../../reactor/registration.js';
import { BYTES_PER_UNIT } from '../../reactor/registry.js';
import type { SocketAddress } from '../../sys/address.js';
import type { SocketHandle } from '../socket/detached.js';
import { Resource } from '../socket/resource.js';
import { releaseFd } from '../socket/release-fd.js';
import type { SocketOptions } from '../socket/socket-option-table.js';
import { getOption, setOption } from '../socket/socket-options.js';
import type { SettableSocketOptions, SocketOptionName } from '../socket/socket-options.js';
import { dropAttempt, newColdState, type ColdState } from './cold-state.js';
import type { DetachOptions } from './detaching.js';
import { wantsOf } from './wants.js';
import { failAfterEnd } from './reading.js';
import { peerLeftError } from '../socket/stream-calls.js';
import { peerSignalOf } from './peer-signal.js';
import { giveAway } from './opening.js';
import type { ConnectAttempt, ConnectObserver, Handshake, ReadOperation } from './seams.js';
import * as State from './state.js';
import type { StreamProfile } from './stream-profile.js';
import { WriteQueue, type WriteSource } from './write-queue.js';
import { endWrite, shutDown, writeQueued, writeWith } from './writing.js';

/** Reads of one event before others get their turn; what is left over goes on in the next. */
export const READS_PER_EVENT = 16;

const ENOTSOCK = errnoOf('ENOTSOCK');

const { SOL_SOCKET, SO_LINGER } = native.constants;
const NO_LINGER = new Uint8Array(new Int32Array([1, 0]).buffer);

const WAKES_READER = Readiness.READABLE | Readiness.READ_CLOSED | Readiness.ERROR;
const WAKES_WRITER = Readiness.WRITABLE | Readiness.WRITE_CLOSED | Readiness.ERROR;
/**
 * After these a short read does not mean that all was read; a read stops at an urgent byte's place
 * (tcp(7)).
 */
const HANGS_UP = Readiness.READ_CLOSED | Readiness.ERROR | Readiness.PRIORITY;
/** The peer writes no more, or not even reads. */
const PEER_LEAVES = Readiness.READ_CLOSED | Readiness.WRITE_CLOSED | Readiness.ERROR;
/** Nothing can be written any more. */
const BREAKS = Readiness.WRITE_CLOSED | Readiness.ERROR;

/** What users only read. */
interface Counters {
  bytesRead: number;
  bytesWritten: number;
}

/**
 * What both styles of stream sockets share: connecting, readiness, the write queue, half-close, the
 * end. A subclass says what to do with bytes and whom to tell. `state.ts` has what a stream can be,
 * `interest.ts` what it waits for, `reading.ts` and `writing.ts` have reads and writes by functions
 * of their own.
 */
export abstract class StreamCore<Address = SocketAddress> extends Resource implements ConnectObserver {
  /** @internal */
  readonly profile: StreamProfile;
  /** The socket's own number, for this object to close; -1 before it is connected, once closed. */
  fd = -1;
  /** How many bytes have been read from the socket so far, those of a copy or a splice too. */
  readonly bytesRead: number = 0;
  /** How many bytes the socket has taken so far. */
  readonly bytesWritten: number = 0;
  /** @internal */
  state = State.INITIAL;
  /** @internal */
  registration: Registration | null = null;
  /** @internal */
  queue: WriteQueue | null = null;
  /** @internal */
  cold: ColdState | null = null;

  protected constructor(profile: StreamProfile) {
    super();
    this.profile = profile;
  }

  // ---- what a subclass supplies ----

  /** @internal Bytes, or the end, can be read now. */
  abstract readNow(): void;
  /** @internal It is connected. */
  abstract onOpen(): void;
  /**
   * @internal The queue has become shorter; `isCall`: within a call of the user's, who is not to be
   * called back from in there.
   */
  abstract onFlushed(isCall: boolean): void;
  /** It is over; `error` is what ended it, or null. Called once. */
  protected abstract onDestroyed(error: Error | null): void;
  /** A name of our fd, in the form of its address family. */
  protected abstract addressOf(side: 'local' | 'remote'): Address | undefined;
  /** @internal All that the peer sent has been read, and it has ended its side. */
  abstract onPeerEnd(): void;
  /** @internal Whether what comes would be read. */
  abstract get wantsRead(): boolean;
  /** @internal A read waits that is not the handlers'. */
  abstract get isWaiting(): boolean;
  /** @internal The error for calls after close. */
  abstract whyClosed(): Error;

  /**
   * @internal For `peek` and `splice`: reads by a function of its own, one at a time.
   *
   * @throws (as rejection) as `SocketStream.read`
   */
  abstract readWith(operation: ReadOperation, options?: CancelOptions): Promise<number>;
  /** @internal For copies: as `SocketStream.read`. */
  abstract copyFrom(buffer: Uint8Array): Promise<number>;
  /** @internal For copies: as `SocketStream.writeAll`. */
  abstract copyTo(bytes: Uint8Array): Promise<number>;
  /** @internal For copies: from here on what comes is theirs. */
  abstract takeOver(): void;
  /** Gives the socket to another thread, by a handle that `attach` takes. */
  abstract detach(options?: DetachOptions): Promise<SocketHandle>;

  // ---- becoming open ----

  /** Starts what makes the connection; `onConnected` or `onConnectFailed` tells how it went. */
  protected connectBy(attempt: ConnectAttempt): void {
    this.ensureCold().attempt = attempt;
    attempt.setRefed(!State.isUnrefed(this.state));
    attempt.start();
  }

  /** @internal */
  ensureCold(): ColdState {
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
    this.state = State.opened(this.state);
    this.cold = dropAttempt(this.cold);
    if (left) this.ensureCold().handshake = left;
    this.profile.idle?.add(this);
    this.updateInterest();
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
      this.state = State.readable(this.state);
      this.readNow();
    }
    if ((readiness & WAKES_WRITER) !== 0 && this.queue !== null) this.flush();
  }

  /** What is more than bytes or room for them; returns what reads and writes are to meet. */
  protected onHangUp(readiness: number): number {
    const left = this.cold?.extras?.onReady(readiness) ?? readiness;
    if ((left & HANGS_UP) !== 0) this.state = State.hungUp(this.state);
    if ((left & PEER_LEAVES) !== 0) this.cold?.peerLeft?.abort(peerLeftError());
    if ((left & BREAKS) !== 0 && this.readEnded && this.isOpen) failAfterEnd(this);
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

  /** @internal */
  get isOpen(): boolean {
    return State.isOpen(this.state);
  }

  /**
   * @internal Whether a read can be tried without having been told: edge mode remembers, level mode
   * just tries.
   */
  get mayRead(): boolean {
    return this.isOpen && this.profile.interest.mayRead(this.state);
  }

  /** The peer has ended its side, and all of it has been read. */
  get readEnded(): boolean {
    return State.isReadEnded(this.state);
  }

  /** Our side has ended, or will when all is written. */
  get writeEnded(): boolean {
    return State.refusesWrites(this.state);
  }

  /** @internal Bytes came. */
  noteRead(bytes: number): void {
    (this as Counters).bytesRead += bytes;
    this.noteBytes(bytes);
  }

  /** @internal Bytes were taken. */
  noteWritten(bytes: number): void {
    (this as Counters).bytesWritten += bytes;
    this.cold?.retry?.reset();
    this.noteBytes(bytes);
  }

  /** @internal It is no idle connection, and many bytes are a longer turn (T47, T48). */
  noteBytes(bytes: number): void {
    const { idle, reactor } = this.profile;
    idle?.touch(this);
    if (bytes >= BYTES_PER_UNIT) reactor.registry.chargeBytes(bytes);
  }

  /**
   * @internal A read came back with fewer bytes than asked for: there is no more, unless it hung up
   * or such reads say nothing.
   */
  readShort(): boolean {
    if (State.isHungUp(this.state) || !this.profile.traits.shortReadEmpties) return false;
    this.readEmpty();
    return true;
  }

  /** @internal */
  readEmpty(): void {
    this.state = State.drained(this.state);
  }

  /** @internal The budget of this event is used up, and nothing would tell of what is left. */
  readLater(): void {
    this.#goOn(Readiness.READABLE);
  }

  #goOn(readiness: number): void {
    if (!this.profile.interest.tellsAgain) this.requeue(readiness);
  }

  /** @internal Goes on in the next turn. */
  requeue(readiness: number): void {
    if (this.registration !== null) this.reactor.registry.requeue(this.registration, readiness);
  }

  /** @internal The peer has ended its side. */
  markReadEnded(): void {
    this.state = State.peerEnded(this.state);
    this.cold?.peerLeft?.abort(peerLeftError());
    this.cold?.extras?.onReady(Readiness.READ_CLOSED);
    this.updateInterest();
  }

  /** @internal What is waited for follows what is wanted. */
  updateInterest(): void {
    const { registration } = this;
    // An inactive one is lost, and its error on the way (T02).
    if (registration?.active !== true || !this.isOpen) return;
    const wants = wantsOf(this);
    if ((wants & State.WANTS_READ) !== 0 && !this.readEnded) this.state = State.taken(this.state);
    const interest = this.profile.interest.next(registration.interest, this.state, wants);
    if (interest !== registration.interest) registration.setInterest(interest);
  }

  /** @internal Whether urgent data, or what the error queue has, is waited for. */
  get wantsPriority(): boolean {
    return this.cold?.extras?.wantsPriority ?? false;
  }

  /** @internal By the user, or (`held`) for a read past the handlers. */
  setStopped(how: typeof State.paused | typeof State.held, stop: boolean): void {
    const state = how(this.state, stop);
    if (this.closed || state === this.state) return;
    this.state = state;
    this.updateInterest();
    if (!stop && State.isReadReady(this.state)) this.readLater();
  }

  protected setCorked(corked: boolean): void {
    this.state = State.corked(this.state, corked);
    // Level mode would be told for ever that a socket takes bytes that are held back.
    if (corked) this.updateInterest();
    else this.flush(true);
  }

  // ---- writing ----

  /** Bytes that wait for the socket to take them. */
  get queuedBytes(): number {
    return this.queue?.queuedBytes ?? 0;
  }

  /** @internal */
  get hasQueued(): boolean {
    return this.queue !== null && !this.queue.isEmpty;
  }

  /** @internal A write now would be neither out of order nor too early. */
  get canWriteNow(): boolean {
    return State.mayFlush(this.state) && !this.hasQueued;
  }

  /** @internal */
  ensureQueue(): WriteQueue {
    return (this.queue ??= new WriteQueue(this.profile.traits.messages));
  }

  /** @internal @throws ERR_TRIPOLL_STATE; why it has closed */
  checkCanWrite(): void {
    if (this.closed) throw this.whyClosed();
    if (this.writeEnded) throw stateError('write() after end()');
  }

  /**
   * @internal Writes what is queued, as far as the socket takes it and the budget goes; `isCall`:
   * from a call of the user's.
   */
  flush(isCall = false): void {
    if (!State.mayFlush(this.state)) return;
    if (this.hasQueued && !writeQueued(this, this.ensureQueue(), isCall)) return;
    this.updateInterest();
    if (!this.hasQueued && State.isWriteEnding(this.state)) shutDown(this);
  }

  /** @internal `full`: the socket takes no more; else it might, and a budget is used up. */
  flushLater(full = false): void {
    this.updateInterest();
    if (!full) this.flushSoon();
  }

  /** @internal Under an edge a socket that still takes bytes says nothing (T48, T58). */
  flushSoon(): void {
    this.#goOn(Readiness.WRITABLE);
  }

  /**
   * @internal For `sendfile`, `splice` and their like: writes by a function of its own, `total`
   * bytes at most, in the order of the other writes. It counts nothing in `queuedBytes`.
   *
   * @throws (as rejection) as `SocketStream.writeAll`, and what `source` throws
   */
  writeWith(source: WriteSource, total: number, options?: CancelOptions): Promise<number> {
    return writeWith(this, source, total, options);
  }

  /** Ends our side when all writes are done; the peer may go on sending. */
  end(): void {
    endWrite(this);
  }

  /** @internal Both sides have ended: nothing is left to wait for. */
  finishIfDone(): void {
    if (State.bothEnded(this.state)) this.destroy(null);
  }

  // ---- the end ----

  /** @internal Ends it, and closes the fd, at once; who waits is told by `onDestroyed`. */
  destroy(error: Error | null): void {
    if (this.closed) return;
    this.state = State.closed(this.state);
    this.cold = dropAttempt(this.cold);
    this.cold?.retry?.cancel();
    this.profile.idle?.remove(this);
    if (this.fd >= 0) releaseFd(this.fd, this.registration, State.isFdLost(this.state));
    this.registration = null;
    this.fd = -1;
    // Only where somebody waits: an error's stack costs more than a connection.
    this.queue?.clear(error ?? closedError('Stream'));
    this.cold?.extras?.end(error ?? closedError('Stream'));
    this.cold?.peerLeft?.abort(error ?? closedError('Stream'));
    this.onDestroyed(error);
  }

  /** @internal A call on our fd failed for good. */
  fail(errno: number, syscall: string): void {
    // The number is a stranger's by now, or nobody's: not ours to close (T02).
    if (errno === EBADF || errno === ENOTSOCK) this.state = State.fdLost(this.state);
    this.destroy(systemError(errno, syscall));
  }

  /** @internal For `IdleTracker`. */
  expire(error: Error): void {
    this.destroy(error);
  }

  /** @internal For `splice`: bytes went out past the write queue. */
  noteActivity(bytes: number): void {
    (this as Counters).bytesWritten += bytes;
    if (!this.closed) this.profile.idle?.touch(this);
  }

  /**
   * Gives the socket away: this object closes without closing it, and its fd is the caller's,
   * connected and non-blocking. Bytes that were not read are still in it.
   *
   * @returns the fd
   * @throws ERR_TRIPOLL_BUSY while a read or a write waits; ERR_TRIPOLL_CLOSED, also when the fd is
   * not the socket's any more
   */
  intoFd(): number {
    return giveAway(this);
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
    return State.isClosed(this.state);
  }

  /** Our end; undefined before it is connected and once it has closed. */
  get localAddress(): Address | undefined {
    return this.addressOf('local');
  }

  /** The peer; undefined before it is connected and once it has closed. */
  get remoteAddress(): Address | undefined {
    return this.addressOf('remote');
  }

  /**
   * Aborts when the peer has ended its side, or has reset the connection, also while nobody reads,
   * and when this stream closes: for work that nobody needs then. A peer may end its side and still
   * wait for an answer, as a client that shuts down its writing does. Under poll(2) an end behind
   * bytes that nobody has read is not told before they have been (T59).
   *
   * Its listeners run at once: also within a call of yours that ends the stream.
   */
  get peerSignal(): AbortSignal {
    return peerSignalOf(this);
  }

  /**
   * A typed socket option, as `getOption` of its fd.
   *
   * @throws as that; ERR_TRIPOLL_CLOSED unless it is open
   */
  getOption<Name extends SocketOptionName>(name: Name): SocketOptions[Name] {
    return getOption(this.#checkedFd(), name);
  }

  /** As `setOption` of its fd. @throws as that; ERR_TRIPOLL_CLOSED unless it is open */
  setOption<Name extends keyof SettableSocketOptions>(name: Name, value: SettableSocketOptions[Name]): void {
    setOption(this.#checkedFd(), name, value);
  }

  #checkedFd(): number {
    if (this.fd < 0) throw closedError('Stream');
    return this.fd;
  }

  /** Keeps the process alive (the default). */
  ref(): this {
    return this.#setUnrefed(false);
  }

  /** Does not keep the process alive. */
  unref(): this {
    return this.#setUnrefed(true);
  }

  #setUnrefed(unrefed: boolean): this {
    this.state = State.unrefed(this.state, unrefed);
    this.cold?.attempt?.setRefed(!unrefed);
    if (unrefed) this.registration?.unref();
    else this.registration?.ref();
    return this;
  }
}
