import { EAGAIN, EINTR } from '../../binding/errnos.js';
import { busyError, closedError, outOfRange } from '../../binding/errors.js';
import { nativeUdp } from '../../binding/native-udp.js';
import { checkBytes, checkFunction, checkInteger } from '../../binding/validate.js';
import { checkCancel, type CancelOptions } from '../../reactor/cancellation.js';
import { Waiter } from '../../reactor/waiter.js';
import {
  parseAddress,
  splitHostPort,
  type HostPort,
  type SocketAddress,
  type SocketAddressInput,
} from '../../sys/address.js';
import { checkBatch, type DatagramBatch } from './datagram-batch.js';
import { DatagramRecords, type DatagramError } from './datagram-records.js';
import { resolve as resolveName, type Resolver } from '../socket/resolve.js';
import { UdpCore } from './udp-core.js';
import { UDP_OPTION_NAMES, type UdpOptions } from './udp-options.js';

/** Sends that may wait for a full socket: more are refused. As many as a turn's budget would send. */
const MAX_WAITING_SENDS = 1024;
/** Errors that nobody has asked for yet; the oldest go. */
const MAX_KEPT_ERRORS = 64;
/** Waiting sends of one event before others get their turn. */
const SENDS_PER_EVENT = 64;
const MAX_BYTE = 255;
const MAX_SEGMENT_BYTES = 65535;

/** Options of `UdpSocket.connect`. */
export interface UdpConnectOptions extends UdpOptions {
  /** Where to send from, an IP address with port. */
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

/** Options of `UdpSocket.send`. */
export interface SendOptions extends CancelOptions {
  /** As `DatagramBatch.setSegmentBytes`. */
  segmentBytes?: number | undefined;
  /** For this datagram, 0 to 255. */
  tos?: number | undefined;
  /** For this datagram, 1 to 255. */
  ttl?: number | undefined;
  /** The address of ours to send from. */
  source?: string | undefined;
}

/** What `receive` tells of a datagram, besides its bytes. What was not asked for by an option is undefined. */
export interface ReceivedDatagram {
  /** How many there are in the buffer. */
  readonly bytes: number;
  /** Who sent it. */
  readonly address: SocketAddress | undefined;
  /** It was longer than the buffer, and its end is lost. */
  readonly truncated: boolean;
  /** How long it was; where the system does not tell: `bytes`. */
  readonly wireBytes: number;
  /** With `udpGro`, above 0: it is several datagrams of this length, the last may be shorter. */
  readonly segmentBytes: number;
  /** With `receivePacketInfo`: the address of ours that it was sent to. */
  readonly destination: string | undefined;
  /** With `receivePacketInfo`. */
  readonly interfaceIndex: number | undefined;
  /** With `receiveTos`: the type of service; its lowest two bits are ECN. */
  readonly tos: number | undefined;
  /** With `receiveTtl`. */
  readonly ttl: number | undefined;
  /** With `receiveTimestamps`: nanoseconds since 1970. */
  readonly timestampNs: bigint | undefined;
}

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
  #reader: Waiting | null = null;
  readonly #sends: Waiting[] = [];
  #errorWaiter: Waiter<DatagramError> | null = null;
  #errors: DatagramError[] = [];
  /** That came after datagrams which were received: the next receive tells it. */
  #heldErrno = 0;
  #failure: Error | null = null;
  /** The last batch was not filled: another call would most likely find nothing, and the level brings what comes. */
  #drained = false;

  /**
   * A socket that receives here.
   *
   * @param address `'127.0.0.1:53'`, `'[::]:0'` or `{ host, port }`; an IP address, not a name; port 0 lets the system
   * choose
   * @throws (as rejection) TypeError, RangeError; EADDRINUSE, EADDRNOTAVAIL, EACCES and what else bind(2) says;
   * ERR_TRIPOLL_UNSUPPORTED for an option that this platform lacks
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
   * The same on a UDP socket that is there already, as from systemd (`listenFds`): it is checked, made non-blocking, and
   * closed with this object. `reuseAddress`, `reusePort` and `ipv6Only` do nothing.
   *
   * @throws (as rejection) TypeError; RangeError for what is no UDP socket; EBADF, ENOTSOCK; EEXIST when this reactor has
   * it already; as `bind` for options. The fd is still the caller's then.
   */
  static fromFd(fd: number, options: UdpOptions = {}): Promise<UdpSocket> {
    return new Promise((resolve) => {
      const socket = new UdpSocket(options, UDP_OPTION_NAMES);
      socket.take(fd, undefined, options);
      resolve(socket);
    });
  }

  /**
   * A socket that talks to one peer. A name's first address that the system has a route to is taken.
   *
   * @param address `'host:port'`, `'[v6]:port'` or `{ host, port }`
   * @throws (as rejection) as `bind`; ENETUNREACH, and ENOTFOUND and others of `dns.lookup`, or what the resolver rejects with; ABORT_ERR,
   * ERR_TRIPOLL_TIMEOUT
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
   * Receives one datagram into the start of `buffer`.
   *
   * @param buffer at least a byte long; it is written to until the promise settles
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_BUSY while another receive waits; ECONNREFUSED of a
   * connected socket whose peer is not there, and what else recvmsg(2) says: the socket goes on; ERR_TRIPOLL_CLOSED;
   * ABORT_ERR, ERR_TRIPOLL_TIMEOUT, by which no datagram is lost
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
      this.consumeBudgetFor(received);
      this.chargeFor(batch, 0, received);
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
      if (options !== undefined) checkCancel(options);
      this.#checkUsable();
      if (this.#reader !== null) throw busyError('another receive is waiting');
      const held = this.#heldErrno;
      this.#heldErrno = 0;
      if (held < 0) throw this.failure(held, 'recvmsg');
      // A loop of receives that never have to wait would let nobody else run: they share a turn's budget (T47).
      const tries = this.reactor.registry.consumeBudget() && !this.#drained;
      this.#drained = false;
      const received = tries ? call() : NOT_YET;
      if (received !== NOT_YET) return Promise.resolve(received);
    } catch (error) {
      return Promise.reject(error);
    }
    const attempt = new Attempt(call);
    this.#reader = attempt;
    return this.#wait(attempt, options, () => (this.#reader = null));
  }

  /** `leave` takes the waiter out of where an event would find it. */
  #wait<T>(waiter: Waiter<T>, options: CancelOptions | undefined, leave: () => void): Promise<T> {
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
    return this.#reader !== null;
  }

  protected readNow(): void {
    if (this.#reader?.run() === true) this.#reader = null;
  }

  // ---- sending ----

  /**
   * Sends one datagram; waits while the socket's buffer is full. Sends go in the order of their calls.
   *
   * @param buffer not to be changed until the promise settles
   * @param address where to, an IP address with port; none on a connected socket
   * @returns how many bytes were taken: all of them
   * @throws (as rejection) TypeError, RangeError; EMSGSIZE, ENETUNREACH, EDESTADDRREQ, ECONNREFUSED for an earlier one
   * of a connected socket, and what else sendmsg(2) says: the socket goes on; ERR_TRIPOLL_BUSY when 1024 wait
   * already; ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT: it was not sent
   */
  send(buffer: Uint8Array, address?: SocketAddressInput, options?: SendOptions): Promise<number> {
    // Kept for a send in segments that the system made us begin one by one.
    let own: DatagramRecords | null = null;
    return this.#startSend(() => {
      checkBytes('buffer', buffer);
      const records = own ?? single();
      if (own === null) prepare(records, buffer.length, address, options);
      const done = nativeUdp.udpSend(this.fd, records.bytes, buffer, buffer.length, 0, 1, this.sendOptions);
      if (records.cannotSegment) this.noteCannotSegment();
      if (done === EAGAIN || done === EINTR) {
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
      this.idle?.touch(this);
      return buffer.length;
    }, options);
  }

  /**
   * Sends all of the batch, in order; waits while the socket's buffer is full. A datagram that cannot be sent does not
   * keep the others: `batch.failed` counts, `batch.errorOf(index)` says why.
   *
   * @param batch not to be changed until the promise settles
   * @returns how many were sent
   * @throws (as rejection) TypeError; as `send` for what concerns the socket; after ABORT_ERR or ERR_TRIPOLL_TIMEOUT
   * `batch.settled` says how many are gone
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
        if (done === EAGAIN || done === EINTR) return NOT_YET;
        if (done < 0) throw this.failure(done, 'sendmmsg');
        this.consumeBudgetFor(done);
        this.chargeFor(batch, batch.settled - done, batch.settled);
        this.idle?.touch(this);
      }
      return batch.settled - batch.failed;
    }, options);
  }

  #startSend<T>(call: Call<T>, options: CancelOptions | undefined): Promise<T> {
    try {
      if (options !== undefined) checkCancel(options);
      this.#checkUsable();
      if (this.#sends.length >= MAX_WAITING_SENDS) throw busyError(`${MAX_WAITING_SENDS} sends are waiting`);
      if (this.#sends.length === 0 && this.reactor.registry.consumeBudget()) {
        const sent = call();
        if (sent !== NOT_YET) return Promise.resolve(sent);
      }
    } catch (error) {
      return Promise.reject(error);
    }
    const attempt = new Attempt(call);
    this.#sends.push(attempt);
    return this.#wait(attempt, options, () => this.#sends.splice(this.#sends.indexOf(attempt), 1));
  }

  protected get wantsWrite(): boolean {
    return this.#sends.length > 0;
  }

  protected writeNow(): void {
    for (let i = 0; i < SENDS_PER_EVENT; i++) {
      const [next] = this.#sends;
      if (next?.run() !== true) return;
      this.#sends.shift();
      if (!this.reactor.registry.consumeBudget()) return;
    }
  }

  // ---- errors that come back ----

  /**
   * With `receiveErrors`: the next error that came back for something that was sent, and the destination it concerns.
   * Of those that nobody waits for 64 are kept.
   *
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_BUSY while another waits; ERR_TRIPOLL_CLOSED;
   * ABORT_ERR, ERR_TRIPOLL_TIMEOUT
   */
  receiveError(options?: CancelOptions): Promise<DatagramError> {
    try {
      if (options !== undefined) checkCancel(options);
      this.#checkUsable();
      if (this.#errorWaiter !== null) throw busyError('another receiveError() is waiting');
    } catch (error) {
      return Promise.reject(error);
    }
    const kept = this.#errors.shift();
    if (kept !== undefined) return Promise.resolve(kept);
    const waiter = new Waiter<DatagramError>();
    this.#errorWaiter = waiter;
    return this.#wait(waiter, options, () => (this.#errorWaiter = null));
  }

  protected get wantsErrors(): boolean {
    return this.#errorWaiter !== null;
  }

  protected onQueuedError(error: DatagramError): void {
    const waiter = this.#errorWaiter;
    this.#errorWaiter = null;
    if (waiter !== null) waiter.resolve(error);
    else if (this.#errors.push(error) > MAX_KEPT_ERRORS) this.#errors.shift();
  }

  // ---- the end ----

  protected onDestroyed(error: Error | null): void {
    this.#failure = error;
    const reason = error ?? closedError('the UDP socket');
    this.#errors = [];
    for (const waiter of [this.#reader, this.#errorWaiter, ...this.#sends]) waiter?.reject(reason);
    this.#reader = null;
    this.#errorWaiter = null;
    this.#sends.length = 0;
  }
}

function described(records: DatagramRecords): ReceivedDatagram {
  return {
    bytes: records.lengthBytes(0),
    address: records.address(0),
    truncated: records.isTruncated(0),
    wireBytes: records.wireBytes(0),
    segmentBytes: records.segmentBytes(0),
    destination: records.destination(0),
    interfaceIndex: records.interfaceIndex(0),
    tos: records.tos(0),
    ttl: records.ttl(0),
    timestampNs: records.timestampNs(0),
  };
}

/** A record for one datagram. */
export function prepare(
  records: DatagramRecords,
  lengthBytes: number,
  address: SocketAddressInput | undefined,
  options: SendOptions | undefined,
): void {
  records.begin(0, lengthBytes);
  if (address !== undefined) records.setAddress(0, address);
  if (options === undefined) return;
  const { segmentBytes, tos, ttl, source } = options;
  if (segmentBytes !== undefined) {
    checkInteger('segmentBytes', segmentBytes, 0, MAX_SEGMENT_BYTES);
    records.setSegmentBytes(0, segmentBytes);
  }
  if (tos !== undefined) {
    checkInteger('tos', tos, 0, MAX_BYTE);
    records.setTos(0, tos);
  }
  if (ttl !== undefined) {
    checkInteger('ttl', ttl, 1, MAX_BYTE);
    records.setTtl(0, ttl);
  }
  if (source !== undefined) records.setSource(0, parseAddress({ host: source, port: 0 }), 0);
}
