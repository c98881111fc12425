import { tellsErrorsAlone } from '../../binding/capabilities.js';
import { closedError, errnosOf, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkUdp, nativeUdp, udpConstant, udpLayout } from '../../binding/native-udp.js';
import { checkBoolean, checkNames, checkObject } from '../../binding/validate.js';
import { Interest, Mode, Readiness } from '../../poller/flags.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import { toProfile } from '../../reactor/context.js';
import type { EventHandler, Registration, RegistrationProfile } from '../../reactor/registration.js';
import type { Reactor } from '../../reactor/reactor.js';
import { parseAddress, type SocketAddress, type SocketAddressInput } from '../../sys/address.js';
import { DatagramRecords, type DatagramError } from './datagram-records.js';
import { toIdleTracker, type IdleTracker } from '../socket/idle-tracker.js';
import { detachFd, type SocketHandle } from '../socket/detached.js';
import { LEFTOVERS, Resource } from '../socket/resource.js';
import { giveFd, releaseFd } from '../socket/release-fd.js';
import { SendRetry } from '../socket/send-retry.js';
import { socketName } from '../socket/socket-name.js';
import { prepareDatagramFd } from './given-fd.js';
import {
  canSegment,
  changeMembership,
  getUdpOption,
  meaningOf,
  prepareToBind,
  setUdpOption,
  type MembershipOptions,
  type SettableUdpSocketOptions,
  type UdpOptions,
  type UdpSocketOptions,
} from './udp-options.js';

/** The fd is no socket of ours any more. */
const FATAL = errnosOf('EBADF', 'ENOTSOCK');

const { AF_INET6, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC } = native.constants;

const CONTROL = udpLayout('OPTION_CONTROL');
const ERROR_QUEUE = udpLayout('OPTION_ERROR_QUEUE');
const RETRY_PENDING = udpLayout('OPTION_RETRY_PENDING');
const NO_SEGMENTS = udpLayout('OPTION_NO_SEGMENTS');
const COALESCE = udpLayout('OPTION_COALESCE');
const IPV6 = udpLayout('OPTION_IPV6');

const WAKES_READER = Readiness.READABLE | Readiness.READ_CLOSED | Readiness.ERROR;
const WAKES_WRITER = Readiness.WRITABLE | Readiness.WRITE_CLOSED | Readiness.ERROR;
const TELLS_ERRORS = Readiness.PRIORITY | Readiness.ERROR;

/** Errors that one call takes; each brings a start of what was sent, unread. */
const ERRORS_PER_CALL = 16;
const ERROR_SLOT_BYTES = 1;
/** Calls of one event: what is left makes the next. */
const ERROR_CALLS_PER_EVENT = 4;

/** Shared by all sockets of a thread: read at once after it was filled. */
let errorRecords: DatagramRecords | null = null;
const errorPayload = new Uint8Array(ERRORS_PER_CALL * ERROR_SLOT_BYTES);

/**
 * What both styles of UDP socket share: opening, options, groups, readiness, the error queue, the
 * end. The registration is always level: what a cap cuts off comes again by itself, and the
 * interest follows what is wanted.
 */
export abstract class UdpCore extends Resource implements EventHandler {
  /** The reactor that it lives on. */
  readonly reactor: Reactor;
  #fd = -1;
  protected readonly profile: RegistrationProfile;
  protected readonly idle: IdleTracker | null;
  protected readonly retry: SendRetry;
  #registration: Registration | null = null;
  #familyNumber = 0;
  #closed = false;
  #refed = true;
  #connected = false;
  #receiveErrors = false;
  #tooLongSends = 0;
  #wantsControl = false;
  #canSegment = false;
  #coalesceOption = COALESCE;

  /** @param known the names that `options` may have */
  protected constructor(options: UdpOptions, known: Readonly<Record<string, true>>) {
    super();
    checkUdp();
    checkNames('options', options, known);
    if (options.socketOptions !== undefined) checkObject('socketOptions', options.socketOptions);
    if (options.coalesce !== undefined) checkBoolean('coalesce', options.coalesce);
    this.reactor = chooseReactor(options.reactor);
    this.idle = toIdleTracker(this.reactor, options, 'The UDP socket');
    this.retry = new SendRetry(this.reactor, this);
    this.profile = toProfile({ mode: Mode.LEVEL, priority: 0 });
  }

  // ---- what a subclass supplies ----

  protected abstract get wantsRead(): boolean;
  protected abstract get wantsWrite(): boolean;
  /** Whether somebody waits for the error queue alone. */
  protected abstract get wantsErrors(): boolean;
  protected abstract readNow(): void;
  protected abstract writeNow(): void;
  protected abstract onQueuedError(error: DatagramError): void;
  /** It is over; `error` is what ended it, or null. Called once. */
  protected abstract onDestroyed(error: Error | null): void;

  // ---- opening ----

  /** Opens, sets all options, binds, connects; throws, with nothing left open. */
  protected open(
    familyNumber: number,
    local: SocketAddressInput | undefined,
    peer: SocketAddressInput | undefined,
    options: UdpOptions,
  ): void {
    const fd = native.socket(familyNumber, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) throw systemError(fd, 'socket');
    this.#fd = fd;
    this.#familyNumber = familyNumber;
    try {
      prepareToBind(fd, familyNumber, options);
      this.#begin(options, () => {
        if (local !== undefined) this.#bind(local);
        if (peer !== undefined) this.#connect(peer);
      });
    } catch (error) {
      this.#fd = -1;
      native.close(fd);
      throw error;
    }
  }

  /** Takes a socket that was opened elsewhere; whatever it throws, the fd stays the caller's. */
  protected take(fd: number, peer: SocketAddressInput | undefined, options: UdpOptions): void {
    const { familyNumber, connected } = prepareDatagramFd(fd);
    this.#fd = fd;
    this.#familyNumber = familyNumber;
    this.#connected = connected;
    // What its options are nobody said: to ask for control data costs little.
    this.#wantsControl = true;
    try {
      this.#receiveErrors = udpConstant('IP_RECVERR') !== undefined && this.getOption('receiveErrors');
      this.#begin(options, () => {
        if (peer !== undefined) this.#connect(peer);
      });
    } catch (error) {
      this.#fd = -1;
      throw error;
    }
    native.ownFd(fd);
  }

  #begin(options: UdpOptions, beforeItIsRegistered: () => void): void {
    if (options.coalesce === false) this.#coalesceOption = 0;
    for (const [name, value] of Object.entries(options.socketOptions ?? {})) {
      if (value !== undefined) this.#setOption(name, value);
    }
    this.#canSegment = canSegment(this.#fd);
    beforeItIsRegistered();
    this.#registration = this.reactor.registry.register(this.#fd, this.#interest, this, this.profile);
    if (!this.#refed) this.#registration.unref();
    this.idle?.add(this);
  }

  #bind(local: SocketAddressInput): void {
    const { familyNumber, host, port, scopeId } = parseAddress(local);
    const error = native.bind(this.#fd, familyNumber, host, port, scopeId);
    if (error < 0) throw systemError(error, 'bind', { address: host, port });
  }

  #connect(peer: SocketAddressInput): void {
    const { familyNumber, host, port, scopeId } = parseAddress(peer);
    const error = native.connect(this.#fd, familyNumber, host, port, scopeId);
    if (error < 0) throw systemError(error, 'connect', { address: host, port });
    this.#connected = true;
  }

  protected checkOpen(): void {
    if (this.#fd < 0) throw closedError('the UDP socket');
  }

  /**
   * Sends to this peer from now on, and receives from nobody else.
   *
   * @param peer an IP address with port, of the socket's own family
   * @throws TypeError, RangeError; EAFNOSUPPORT, ENETUNREACH and what else connect(2) says;
   * ERR_TRIPOLL_CLOSED
   */
  connect(peer: SocketAddressInput): void {
    this.checkOpen();
    this.#connect(peer);
    this.updateInterest();
  }

  /** Takes that back; on Linux a port that the system had chosen is given up with it. */
  disconnect(): void {
    this.checkOpen();
    const error = nativeUdp.udpDisconnect(this.#fd);
    if (error < 0) throw systemError(error, 'connect');
    this.#connected = false;
    this.updateInterest();
  }

  // ---- options ----

  /**
   * A socket option by its name: those of all sockets, and UDP's own, which need not know the
   * family.
   *
   * @throws TypeError for a name that is none; ERR_TRIPOLL_UNSUPPORTED for what this platform
   * lacks; what getsockopt(2) says; ERR_TRIPOLL_CLOSED
   */
  getOption<Name extends keyof UdpSocketOptions>(name: Name): UdpSocketOptions[Name] {
    this.checkOpen();
    return getUdpOption(this.#fd, this.#familyNumber, name) as UdpSocketOptions[Name];
  }

  /**
   * Sets one.
   *
   * @throws as `getOption`; RangeError; EPERM where it takes a privilege, and what else
   * setsockopt(2) says
   */
  setOption<Name extends keyof SettableUdpSocketOptions>(
    name: Name,
    value: SettableUdpSocketOptions[Name],
  ): void {
    this.checkOpen();
    this.#setOption(name, value);
    this.updateInterest();
  }

  #setOption(name: string, value: unknown): void {
    setUdpOption(this.#fd, this.#familyNumber, name, value);
    const meaning = meaningOf(name);
    if (meaning === 'errors') this.#receiveErrors = value === true;
    // Once wanted it stays so: to ask for nothing costs nothing.
    if (meaning === 'control') this.#wantsControl ||= value === true;
  }

  /**
   * Joins a group, or with `source` what one sender sends to it; several sources may be joined one
   * by one.
   *
   * @param group an IP address, as `'239.1.2.3'` or `'ff02::123'`
   * @throws TypeError, RangeError; EADDRINUSE when it is a member already, ENODEV, EINVAL and what
   * else setsockopt(2) says; ERR_TRIPOLL_CLOSED
   */
  join(group: string, options: MembershipOptions = {}): void {
    this.checkOpen();
    changeMembership(this.#fd, 'JOIN', group, options);
  }

  /** Leaves it; as `join`, and EADDRNOTAVAIL when it is no member. */
  leave(group: string, options: MembershipOptions = {}): void {
    this.checkOpen();
    changeMembership(this.#fd, 'LEAVE', group, options);
  }

  /** Hears this sender no more in a group that was joined without `source`. */
  blockSource(group: string, source: string, options: MembershipOptions = {}): void {
    this.checkOpen();
    changeMembership(this.#fd, 'BLOCK', group, { ...options, source });
  }

  /**
   * Takes `blockSource` back.
   *
   * @throws as that
   */
  unblockSource(group: string, source: string, options: MembershipOptions = {}): void {
    this.checkOpen();
    changeMembership(this.#fd, 'UNBLOCK', group, { ...options, source });
  }

  // ---- what native calls are told ----

  /** @internal Whether the system cuts a payload into datagrams (UDP_SEGMENT). */
  get canSegment(): boolean {
    return this.#canSegment;
  }

  protected get receiveOptions(): number {
    return (this.#wantsControl ? CONTROL : 0) | this.#retryOption;
  }

  protected get sendOptions(): number {
    const family = this.#familyNumber === AF_INET6 ? IPV6 : 0;
    return (this.#canSegment ? this.#coalesceOption : NO_SEGMENTS) | family | this.#retryOption;
  }

  /**
   * Under IP_RECVERR an unconnected socket's next call fails for what an earlier one sent, to
   * whomever: it is made again, and the error queue tells whom it concerns.
   */
  get #retryOption(): number {
    return this.#receiveErrors && !this.#connected ? RETRY_PENDING : 0;
  }

  /** The device could not make the checksums (T45): do not ask it again. */
  protected noteCannotSegment(): void {
    this.#canSegment = false;
  }

  // ---- readiness ----

  /** @internal */
  onReady(readiness: number): void {
    const wasWanted = this.wantsRead;
    if ((readiness & TELLS_ERRORS) !== 0 && this.#receiveErrors) this.#takeErrors();
    else if ((readiness & Readiness.ERROR) !== 0 && this.wantsErrors) this.#takeLoneError();
    if (this.#fd >= 0 && (readiness & WAKES_READER) !== 0 && this.wantsRead) this.readNow();
    if (this.#fd >= 0 && (readiness & WAKES_WRITER) !== 0 && this.wantsWrite) this.writeNow();
    // Not before a datagram has come for nobody: who receives in a loop asks again in a microtask.
    const kept = wasWanted ? Interest.READABLE & (this.#registration?.interest ?? 0) : 0;
    this.#setInterest(kept | this.#interest);
  }

  get #interest(): number {
    return (
      (this.wantsRead ? Interest.READABLE : 0) |
      (this.wantsWrite && !this.retry.isWaiting ? Interest.WRITABLE : 0) |
      // Under POLLPRI a poller tells the error queue, and what is pending (F13), and no more.
      (this.wantsErrors && this.#hearsErrors ? Interest.PRIORITY : 0)
    );
  }

  /** Whether an ICMP error can come back without a call that meets it. */
  get #hearsErrors(): boolean {
    return this.#receiveErrors || (this.#connected && tellsErrorsAlone(this.reactor.backend));
  }

  /** The interest follows what is wanted. */
  protected updateInterest(): void {
    this.#setInterest(this.#interest);
  }

  /** The same, for what was not wanted before: what is so no more is found at its event. */
  protected widenInterest(): void {
    this.#setInterest(this.#interest | (this.#registration?.interest ?? 0));
  }

  #setInterest(interest: number): void {
    const registration = this.#registration;
    if (registration?.active === true && interest !== registration.interest)
      registration.setInterest(interest);
  }

  #takeErrors(): void {
    errorRecords ??= new DatagramRecords(ERRORS_PER_CALL);
    const into = [errorRecords.bytes, errorPayload, ERROR_SLOT_BYTES] as const;
    for (let i = 0; i < ERROR_CALLS_PER_EVENT && this.#fd >= 0; i++) {
      const taken = nativeUdp.udpReceive(this.#fd, ...into, 0, ERRORS_PER_CALL, ERROR_QUEUE);
      // EAGAIN: that was all. What else it may say the next call of the user's meets.
      if (taken <= 0) {
        if (i === 0) this.#takeLoneError();
        return;
      }
      for (const error of this.#withoutRepeats(errorRecords.queuedErrors(taken))) {
        if (this.#fd >= 0) this.onQueuedError(error);
      }
      if (taken < ERRORS_PER_CALL) return;
    }
  }

  /**
   * The queue has an error of this system's own for each try of a send, which is more than one
   * where a send was made again or cut into pieces: no more of them are told than sends have failed
   * (F11).
   */
  #withoutRepeats(errors: readonly DatagramError[]): readonly DatagramError[] {
    const own = errors.filter(({ origin }) => origin === 'local');
    let repeats = own.length - this.#tooLongSends;
    let last: DatagramError | null = null;
    const told = errors.filter((error) => {
      if (error.origin !== 'local') return true;
      const isRepeat = repeats > 0 && (this.#tooLongSends === 0 || error.message === last?.message);
      last = error;
      if (isRepeat) repeats--;
      return !isRepeat;
    });
    // Not what is still in the queue, if there were more than one call's.
    this.#tooLongSends = errors.length < ERRORS_PER_CALL ? 0 : Math.max(0, this.#tooLongSends - own.length);
    return told;
  }

  /** For `#withoutRepeats`: sends that failed with EMSGSIZE. */
  protected noteTooLong(sends: number): void {
    if (this.#receiveErrors) this.#tooLongSends += sends;
  }

  /** One in no queue, that no call is about to meet: it would be told for ever, or never. */
  #takeLoneError(): void {
    if (this.wantsRead || this.wantsWrite) return;
    const errno = native.takeSocketError(this.#fd);
    if (errno >= 0) return;
    const { address, port } = this.remoteAddress ?? {};
    const error = systemError(errno, 'sendmsg', { address, port });
    this.onQueuedError(Object.assign(error, { origin: 'none' as const }));
  }

  /** What a call said that is no EAGAIN: an error for whoever called, or the socket's end too. */
  protected failure(errno: number, syscall: string): Error {
    const error = systemError(errno, syscall);
    if (FATAL.has(errno)) this.destroy(error);
    return error;
  }

  // ---- the end ----

  /** @internal */
  onError(error: unknown): void {
    this.destroy(error as Error);
  }

  /** @internal */
  onReactorClose(): void {
    this.destroy(closedError('Reactor'));
  }

  /** @internal For the idle timeout. */
  expire(error: Error): void {
    this.destroy(error);
  }

  protected destroy(error: Error | null): void {
    if (this.#closed) return;
    if (this.#fd >= 0) releaseFd(this.#fd, this.#registration);
    this.#end(error);
  }

  #end(error: Error | null): void {
    this.#fd = -1;
    this.#closed = true;
    this.idle?.remove(this);
    this.retry.cancel();
    this.onDestroyed(error);
  }

  /** Gives the socket away; `error` is what ends this object, as `onDestroyed` is told. */
  protected detachAs(error: Error | null): SocketHandle<'udp'> {
    this.checkOpen();
    try {
      return giveFd(this.#fd, this.#registration, (fd) => detachFd(fd, 'udp', {}));
    } finally {
      this.#end(error);
    }
  }

  /** Closes at once; what waits is rejected with ERR_TRIPOLL_CLOSED. May be called twice. */
  close(): void {
    this.destroy(null);
  }

  /** @internal */
  override [LEFTOVERS](): (() => void) | null {
    const fd = this.#fd;
    const registration = this.#registration;
    const isAwaited = this.wantsRead || this.wantsWrite || this.wantsErrors;
    if (fd < 0 || registration === null || isAwaited || this.idle !== null) return null;
    return () => releaseFd(fd, registration);
  }

  /** The socket's own number; -1 once closed. It stays this object's to close. */
  get fd(): number {
    return this.#fd;
  }

  /** Whether it has been closed, by `close` or by an error. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Our end; undefined once it has closed. */
  get localAddress(): SocketAddress | undefined {
    return socketName('local', this.#fd);
  }

  /** The peer; undefined while it is not connected, and once it has closed. */
  get remoteAddress(): SocketAddress | undefined {
    return socketName('remote', this.#fd);
  }

  /** Keeps the process alive (the default). */
  ref(): this {
    this.#refed = true;
    this.#registration?.ref();
    return this;
  }

  /** Does not keep the process alive. */
  unref(): this {
    this.#refed = false;
    this.#registration?.unref();
    return this;
  }
}
