import { EAGAIN, EINTR } from '../../binding/errnos.js';
import { busyError, closedError, detachedError, outOfRange } from '../../binding/errors.js';
import { nativeUdp } from '../../binding/native-udp.js';
import { checkBytes, checkFunction, type Names } from '../../binding/validate.js';
import { checkCall, checkCancel, type CancelOptions } from '../../reactor/cancellation.js';
import { Waiter } from '../../reactor/waiter.js';
import { parseAddress, splitHostPort, type HostPort, type SocketAddressInput } from '../../sys/address.js';
import { chargeFor, consumeBudgetFor } from './budget.js';
import { checkBatch, type DatagramBatch } from './datagram-batch.js';
import { DatagramRecords, type DatagramError } from './datagram-records.js';
import { whenSent, type SocketHandle } from '../socket/detached.js';
import { resolve as resolveName, type Resolver } from '../socket/resolve.js';
import {
  DATAGRAM_NAMES,
  described,
  prepare,
  type ReceivedDatagram,
  type SendOptions,
} from './single-datagram.js';
import { UdpCore } from './udp-core.js';
import { UDP_OPTION_NAMES, type UdpOptions } from './udp-options.js';

/** Calls of one kind that may wait: more are refused. As many as a turn's budget would serve. */
const MAX_WAITING = 1024;
/** Errors that nobody has asked for yet; the oldest go. */
const MAX_KEPT_ERRORS = 64;
/** Waiting sends, or receives, of one event before others get their turn. */
const CALLS_PER_EVENT = 64;

/** Options of `UdpSocket.connect`. */
export interface UdpConnectOptions extends UdpOptions {
  /** Address to send from, an IP address with port. */
  localAddress?: SocketAddressInput | undefined;
  /** Resolves a name instead of `dns.lookup`. */
  resolver?: Resolver | undefined;
}

const CONNECT_NAMES: Readonly<Record<keyof (UdpConnectOptions & CancelOptions), true>> = {
  ...UDP_OPTION_NAMES,
  localAddress: true,
  resolver: true,
  signal: true,
  timeoutMs: true,
};

/** For single datagrams: filled and used within a call. */
let one: DatagramRecords | null = null;
function single(): DatagramRecords {
  return (one ??= new DatagramRecords(1));
}

/** What a call says when the socket has nothing, or is full. */
const NOT_YET = Symbol('not yet');
type Call<T> = () => T | typeof NOT_YET;

/** What the socket sees of an attempt, whatever it gives. */
interface Waiting {
  /** Tries; returns whether it has settled. */
  run(): boolean;
  reject(error: unknown): void;
}

/** A promise that is tried again at each event, until it settles. */
class Attempt<T> extends Waiter<T> implements Waiting {
  readonly #call: Call<T>;

  constructor(call: Call<T>) {
    super();
    this.#call = call;
  }

  run(): boolean {
    try {
      const result = this.#call();
      if (result === NOT_YET) return false;
      this.resolve(result);
    } catch (error) {
      this.reject(error);
    }
    return true;
  }
}

/** A UDP socket with promises. All of them take `{ signal, timeoutMs }`. */
export class UdpSocket extends UdpCore {
  readonly #receives: Waiting[] = [];
  readonly #sends: Waiting[] = [];
  readonly #errorWaiters: Waiter<DatagramError>[] = [];
  #errors: DatagramError[] = [];
  /** That came after datagrams which were received: the next receive tells it. */
  #heldErrno = 0;
  #failure: Error | null = null;
  /**
   * The last batch was not filled: another call would most likely find nothing, and the level
   * brings what comes.
   */
  #drained = false;

  /**
   * A socket that receives here.
   *
   * @param address `'127.0.0.1:53'`, `'[::]:0'` or `{ host, port }`; an IP address, not a name;
   * port 0 lets the system choose
   * @throws (as rejection) TypeError, RangeError; EADDRINUSE, EADDRNOTAVAIL, EACCES and what else
   * bind(2) says; ERR_TRIPOLL_UNSUPPORTED for an option that this platform lacks
   */
  // It hides Function.prototype.bind.
  static override bind(address: SocketAddressInput, options: UdpOptions = {}): Promise<UdpSocket> {
    // Synchronous work under a promise, so that bad input is a rejection here too.
    return new Promise((resolve) => {
      const socket = new UdpSocket(options, UDP_OPTION_NAMES);
      socket.open(parseAddress(address).familyNumber, address, undefined, options);
      resolve(socket);
    });
  }

  /**
   * The same on a UDP socket that is there already, as from systemd (`listenFds`): it is checked,
   * made non-blocking, and closed with this object. `reuseAddress`, `reusePort` and `ipv6Only` do
   * nothing.
   *
   * @throws (as rejection) TypeError; RangeError for what is no UDP socket; EBADF, ENOTSOCK; EEXIST
   * when this reactor has it already; as `bind` for options. The fd is still the caller's then.
   */
  static fromFd(fd: number, options: UdpOptions = {}): Promise<UdpSocket> {
    return new Promise((resolve) => {
      const socket = new UdpSocket(options, UDP_OPTION_NAMES);
      socket.take(fd, undefined, options);
      resolve(socket);
    });
  }

  /**
   * A socket that talks to one peer. A name's first address that the system has a route to is
   * taken.
   *
   * @param address `'host:port'`, `'[v6]:port'` or `{ host, port }`
   * @throws (as rejection) as `bind`; ENETUNREACH, and ENOTFOUND and others of `dns.lookup`, or
   * what the resolver rejects with; ABORT_ERR, ERR_TRIPOLL_TIMEOUT
   */
  static async connect(
    address: SocketAddressInput,
    options: UdpConnectOptions & CancelOptions = {},
  ): Promise<UdpSocket> {
    checkCancel(options);
    const { resolver } = options;
    if (resolver !== undefined) checkFunction('resolver', resolver);
    const target = splitHostPort(address);
    const socket = new UdpSocket(options, CONNECT_NAMES);
    // Nothing of it is registered yet.
    const waiter = new Waiter<UdpSocket>();
    waiter.armAlone(options, socket.reactor, () => socket.destroy(null));
    if (!waiter.settled) {
      resolveName(target, resolver, (error, candidates) => {
        if (waiter.settled) return;
        try {
          if (error !== null) throw error;
          socket.#openTo(candidates, options);
          waiter.resolve(socket);
        } catch (failed) {
          socket.destroy(null);
          waiter.reject(failed);
        }
      });
    }
    return waiter.promise;
  }

  #openTo(candidates: readonly HostPort[], options: UdpConnectOptions): void {
    let failed: unknown = closedError('the UDP socket');
    for (const peer of candidates) {
      try {
        this.open(parseAddress(peer).familyNumber, options.localAddress, peer, options);
        return;
      } catch (error) {
        failed = error;
      }
    }
    throw failed as Error;
  }

  // ---- receiving ----

  /**
   * Receives one datagram into the start of `buffer`. Several calls may wait at once, and are
   * served in order: whole things queue, parts of a byte stream do not.
   *
   * @param buffer at least a byte long; it is written to until the promise settles
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_BUSY when 1024 wait; ECONNREFUSED of
   * a connected socket whose peer is not there, and what else recvmsg(2) says: the socket goes on;
   * ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT, by which no datagram is lost
   */
  receive(buffer: Uint8Array, options?: CancelOptions): Promise<ReceivedDatagram> {
    return this.#startReceive(() => {
      checkBytes('buffer', buffer);
      if (buffer.length === 0) throw outOfRange('buffer', 'at least one byte long', buffer);
      const records = single();
      const { bytes } = records;
      const { length } = buffer;
      const received = nativeUdp.udpReceive(this.fd, bytes, buffer, length, 0, 1, this.receiveOptions);
      return this.#received(received) ? described(records) : NOT_YET;
    }, options);
  }

  /**
   * Receives what there is, at least a datagram, and empties the batch before.
   *
   * @param batch not to be used until the promise settles
   * @returns how many came
   * @throws (as rejection) as `receive`
   */
  recvMany(batch: DatagramBatch, options?: CancelOptions): Promise<number> {
    return this.#startReceive(() => {
      checkBatch('batch', batch);
      const received = batch.receiveFrom(this.fd, this.receiveOptions);
      if (!this.#received(received)) return NOT_YET;
      this.#heldErrno = batch.errnoAfter;
      this.#drained = received < batch.capacity;
      consumeBudgetFor(this.reactor, received);
      chargeFor(this.reactor, batch, 0, received);
      return received;
    }, options);
  }

  /** Whether there was one; an error is thrown. */
  #received(received: number): boolean {
    if (received === EAGAIN || received === EINTR) return false;
    if (received < 0) throw this.failure(received, 'recvmsg');
    this.idle?.touch(this);
    return true;
  }

  #startReceive<T>(call: Call<T>, options: CancelOptions | undefined): Promise<T> {
    try {
      if (options !== undefined) checkCall(options);
      this.#checkUsable();
      if (this.#receives.length >= MAX_WAITING) throw busyError(`${MAX_WAITING} receives are waiting`);
      if (this.#receives.length === 0) {
        this.#throwHeld();
        // A loop of receives that never have to wait would let nobody else run: they share a turn's
        // budget (T47).
        const tries = this.reactor.registry.consumeBudget() && !this.#drained;
        this.#drained = false;
        const received = tries ? call() : NOT_YET;
        if (received !== NOT_YET) return Promise.resolve(received);
      }
    } catch (error) {
      return Promise.reject(error);
    }
    const attempt = new Attempt(() => {
      this.#throwHeld();
      return call();
    });
    return this.#wait(attempt, options, this.#receives);
  }

  /** What came after the datagrams of the last receive: no call would meet it again. */
  #throwHeld(): void {
    const held = this.#heldErrno;
    this.#heldErrno = 0;
    if (held < 0) throw this.failure(held, 'recvmsg');
  }

  /** In a queue, where an event will find it. */
  #wait<T, Queued>(
    waiter: Waiter<T> & Queued,
    options: CancelOptions | undefined,
    queue: Queued[],
  ): Promise<T> {
    queue.push(waiter);
    const leave = (): void => void queue.splice(queue.indexOf(waiter), 1);
    waiter.arm(options, this.reactor, leave);
    try {
      this.widenInterest();
    } catch (error) {
      if (!waiter.settled) leave();
      waiter.reject(error);
    }
    return waiter.promise;
  }

  #checkUsable(): void {
    if (this.closed) throw this.#failure ?? closedError('the UDP socket');
  }

  protected get wantsRead(): boolean {
    return this.#receives.length > 0;
  }

  protected readNow(): void {
    this.#serve(this.#receives);
    // No event would tell it to who waits.
    if (this.#heldErrno < 0 && this.#receives[0]?.run() === true) this.#receives.shift();
  }

  /**
   * Those that wait, in order, until one has to go on waiting. The level brings us back if there is
   * more to do.
   */
  #serve(queue: Waiting[]): void {
    for (let i = 0; i < CALLS_PER_EVENT; i++) {
      const [next] = queue;
      if (next?.run() !== true) return;
      queue.shift();
      if (!this.reactor.registry.consumeBudget()) return;
    }
  }

  // ---- sending ----

  /**
   * Sends one datagram; waits while the socket's buffer is full. Sends go in the order of their
   * calls.
   *
   * @param buffer not to be changed until the promise settles
   * @param address where to, an IP address with port; none on a connected socket
   * @returns how many bytes were taken: all of them
   * @throws (as rejection) TypeError, RangeError; EMSGSIZE, ENETUNREACH, EDESTADDRREQ, ECONNREFUSED
   * for an earlier one of a connected socket, and what else sendmsg(2) says: the socket goes on;
   * ENOBUFS, by which a BSD says that there is no room, when ten seconds of tries have brought
   * nothing else; ERR_TRIPOLL_BUSY when 1024 wait already; ERR_TRIPOLL_CLOSED; ABORT_ERR,
   * ERR_TRIPOLL_TIMEOUT: it was not sent
   */
  send(buffer: Uint8Array, address?: SocketAddressInput, options?: SendOptions): Promise<number> {
    // Kept for a send in segments that the system made us begin one by one.
    let own: DatagramRecords | null = null;
    return this.#startSend(
      () => {
        checkBytes('buffer', buffer);
        const records = own ?? single();
        if (own === null) prepare(records, buffer.length, address, options);
        const done = nativeUdp.udpSend(this.fd, records.bytes, buffer, buffer.length, 0, 1, this.sendOptions);
        if (records.cannotSegment) this.noteCannotSegment();
        if (this.retry.goesLater(done)) {
          if ((options?.segmentBytes ?? 0) > 0 && own === null) {
            own = new DatagramRecords(1);
            own.bytes.set(records.bytes);
          }
          return NOT_YET;
        }
        if (done < 0) throw this.failure(done, 'sendmsg');
        this.noteTooLong(records.countTooLong(0, 1));
        const error = records.failed > 0 ? records.sendError(0) : null;
        if (error !== null) throw error;
        this.retry.reset();
        this.idle?.touch(this);
        return buffer.length;
      },
      options,
      DATAGRAM_NAMES,
    );
  }

  /**
   * Sends all of the batch, in order; waits while the socket's buffer is full. A datagram that
   * cannot be sent does not keep the others: `batch.failed` counts, `batch.errorOf(index)` says
   * why.
   *
   * @param batch not to be changed until the promise settles
   * @returns how many were sent
   * @throws (as rejection) TypeError; as `send` for what concerns the socket; after ABORT_ERR or
   * ERR_TRIPOLL_TIMEOUT `batch.settled` says how many are gone
   */
  sendMany(batch: DatagramBatch, options?: CancelOptions): Promise<number> {
    let begun = false;
    return this.#startSend(() => {
      if (!begun) {
        checkBatch('batch', batch);
        batch.rewind();
        begun = true;
      }
      while (batch.settled < batch.count) {
        const done = batch.sendTo(this.fd, this.sendOptions);
        if (batch.cannotSegment) this.noteCannotSegment();
        this.noteTooLong(batch.countTooLong(done));
        if (this.retry.goesLater(done)) return NOT_YET;
        if (done < 0) throw this.failure(done, 'sendmmsg');
        consumeBudgetFor(this.reactor, done);
        chargeFor(this.reactor, batch, batch.settled - done, batch.settled);
        this.retry.reset();
        this.idle?.touch(this);
      }
      return batch.settled - batch.failed;
    }, options);
  }

  #startSend<T>(call: Call<T>, options: CancelOptions | undefined, more?: Names): Promise<T> {
    try {
      if (options !== undefined) checkCall(options, more);
      this.#checkUsable();
      if (this.#sends.length >= MAX_WAITING) throw busyError(`${MAX_WAITING} sends are waiting`);
      if (this.#sends.length === 0 && this.reactor.registry.consumeBudget()) {
        const sent = call();
        if (sent !== NOT_YET) return Promise.resolve(sent);
      }
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#wait(new Attempt(call), options, this.#sends);
  }

  protected get wantsWrite(): boolean {
    return this.#sends.length > 0;
  }

  protected writeNow(): void {
    this.#serve(this.#sends);
  }

  // ---- errors that come back ----

  /**
   * With `receiveErrors`: the next error that came back for something that was sent, and the
   * destination it concerns. 64 errors are kept that nobody waits for. Several calls may wait at
   * once, and are served in order.
   *
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_BUSY when 1024 wait;
   * ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT
   */
  receiveError(options?: CancelOptions): Promise<DatagramError> {
    try {
      if (options !== undefined) checkCall(options);
      this.#checkUsable();
      if (this.#errorWaiters.length >= MAX_WAITING) throw busyError(`${MAX_WAITING} receiveError() wait`);
    } catch (error) {
      return Promise.reject(error);
    }
    const kept = this.#errors.shift();
    if (kept !== undefined) return Promise.resolve(kept);
    return this.#wait(new Waiter<DatagramError>(), options, this.#errorWaiters);
  }

  protected get wantsErrors(): boolean {
    return this.#errorWaiters.length > 0;
  }

  protected onQueuedError(error: DatagramError): void {
    const waiter = this.#errorWaiters.shift();
    if (waiter !== undefined) waiter.resolve(error);
    else if (this.#errors.push(error) > MAX_KEPT_ERRORS) this.#errors.shift();
  }

  // ---- the end ----

  /** @internal For `attach`. */
  static attached(fd: number, options: UdpOptions): UdpSocket {
    const socket = new UdpSocket(options, UDP_OPTION_NAMES);
    socket.take(fd, undefined, options);
    return socket;
  }

  /**
   * Gives the socket to another thread, or to another object of this one: waits until the sends that
   * wait are out, then this object closes without closing the socket. Receives that wait are
   * rejected then; datagrams that nobody has received, and errors of the system's queue, are still
   * in the socket. Its options and groups go along; what this object has, as `idleTimeoutMs`,
   * `coalesce` and the errors that it keeps, does not.
   *
   * @returns the handle for `attach`
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_BUSY when 1024 sends wait;
   * ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT: it is as it was then
   */
  async detach(options: CancelOptions = {}): Promise<SocketHandle<'udp'>> {
    checkCall(options);
    this.#checkUsable();
    const hasQueued = () => this.#sends.length > 0;
    if (hasQueued()) await whenSent(hasQueued, (left) => this.#startSend(() => 0, left), options);
    this.#checkUsable();
    return this.detachAs(detachedError('the UDP socket'));
  }

  protected onDestroyed(error: Error | null): void {
    this.#failure = error;
    const reason = error ?? closedError('the UDP socket');
    this.#errors = [];
    for (const queue of [this.#receives, this.#errorWaiters, this.#sends]) {
      for (const waiter of queue.splice(0)) waiter.reject(reason);
    }
  }
}
