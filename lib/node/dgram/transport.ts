import { isIP } from 'node:net';
import { EAGAIN, EBADF, EINTR, EINVAL } from '../../binding/errnos.js';
import { errnoOf } from '../../binding/errors.js';
import { interfaceByIndex } from '../../binding/interfaces.js';
import { native } from '../../binding/native.js';
import { nativeUdp, udpConstant } from '../../binding/native-udp.js';
import { chargeFor, consumeBudgetFor } from '../../net/udp/budget.js';
import { DatagramBatch } from '../../net/udp/datagram-batch.js';
import { DatagramRecords } from '../../net/udp/datagram-records.js';
import { UdpCore } from '../../net/udp/udp-core.js';
import { UDP_OPTION_NAMES, type UdpOptions } from '../../net/udp/udp-options.js';
import type { SocketAddress } from '../../sys/address.js';
import { callError } from '../errors.js';
import { asCall, errnoFrom } from './errors.js';

const { AF_INET, AF_INET6, IPPROTO_IP, IPPROTO_IPV6 } = native.constants;
const ECANCELED = errnoOf('ECANCELED');

/** The largest UDP payload there is fits: node:dgram truncates nothing. */
const SLOT_BYTES = 65536;
/** As many datagrams as libuv takes at an event. */
const CAPACITY = 32;
/**
 * Datagrams that wait for their listeners: as many as a turn's budget would read. What comes
 * meanwhile waits in the system's buffer.
 */
const MAX_UNDELIVERED = 1024;
/** Waiting sends of one event before others get their turn. */
const SENDS_PER_EVENT = 64;

/** Sender of a datagram, and its length. */
export interface RemoteInfo {
  /** An IP address; of a link-local one with its interface. */
  address: string;
  /** `'IPv4'` or `'IPv6'`. */
  family: 'IPv4' | 'IPv6';
  /** 0 to 65535. */
  port: number;
  /** In bytes. */
  size: number;
}

/** `{ address, family, port }`, as `socket.address()`. */
export type SocketName = Omit<RemoteInfo, 'size'>;

/** What a transport tells the Socket that it serves. */
export interface TransportUser {
  onMessage(payload: Buffer, info: RemoteInfo): void;
  onError(error: Error): void;
  /** It has closed by itself. */
  onGone(error: Error | null): void;
}

/** Called with a negative errno, or 0. */
type Done = (errno: number) => void;

interface Outgoing {
  readonly payload: Uint8Array;
  readonly place: string | undefined;
  readonly done: Done | null;
}

/** Used within a call: by all sockets of the thread. */
let batch: DatagramBatch | null = null;
let record: DatagramRecords | null = null;

/** As node:dgram has a name: the zone is part of the address. */
function toName({ address, family, port, scopeId = 0 }: SocketAddress): SocketName {
  return {
    address: scopeId === 0 ? address : `${address}%${interfaceByIndex(scopeId) ?? scopeId}`,
    family,
    port,
  };
}

/**
 * The third style of UDP socket, for a Socket: a call for each datagram, and a queue for what the
 * system cannot take yet. As under libuv, it keeps the process alive while it receives, unless it
 * is unref'd, and while a send is under way.
 */
export class DatagramTransport extends UdpCore {
  readonly #user: TransportUser;
  readonly #family: 4 | 6;
  /** As long as the program makes it, as libuv's: `getSendQueueSize()` is there to look at it. */
  readonly #outgoing: Outgoing[] = [];
  #isReceiving = false;
  #isRefed = true;
  #undelivered = 0;
  /** What sends that wait are told at its end. */
  #endErrno = ECANCELED;
  /** Bytes of the sends that wait. */
  queuedBytes = 0;

  constructor(user: TransportUser, family: 4 | 6) {
    super({}, UDP_OPTION_NAMES);
    this.#user = user;
    this.#family = family;
    this.unref();
  }

  get isOpen(): boolean {
    return this.fd >= 0;
  }

  get isRefed(): boolean {
    return this.#isRefed;
  }

  get queuedSends(): number {
    return this.#outgoing.length;
  }

  /** Not an address of the other family: the system would say something else of it. */
  #checkFamily(ip: string): void {
    if (isIP(ip) !== this.#family) throw callError(EINVAL, 'bind');
  }

  /** @throws an error with an errno; RangeError for what is no address */
  bindTo(ip: string, port: number, options: UdpOptions): void {
    this.#checkFamily(ip);
    if (this.isOpen) throw callError(EINVAL, 'bind'); // by a membership, as under node:dgram
    this.open(this.#family === 4 ? AF_INET : AF_INET6, { host: ip, port }, undefined, options);
    this.#hearGroupsOfOthers();
  }

  /** @throws as `UdpSocket.fromFd`; the fd is still the caller's then */
  takeFd(fd: number): void {
    this.take(fd, undefined, {});
  }

  /** @throws as `bindTo` */
  connectTo(ip: string, port: number): void {
    this.#checkFamily(ip);
    this.connect({ host: ip, port });
  }

  /** The system's default (ip(7), IP_MULTICAST_ALL), which tripoll's own sockets do without. */
  #hearGroupsOfOthers(): void {
    const [v4, v6] = [udpConstant('IP_MULTICAST_ALL'), udpConstant('IPV6_MULTICAST_ALL')];
    const [level, option] = this.#family === 4 ? [IPPROTO_IP, v4] : [IPPROTO_IPV6, v6];
    // An old kernel that lacks it never left the default.
    if (option !== undefined) native.setsockoptInt(this.fd, level, option, 1);
  }

  /** @throws EBADF before it is bound */
  name(side: 'local' | 'remote'): SocketName {
    const [address, syscall] =
      side === 'local' ? [this.localAddress, 'getsockname'] : [this.remoteAddress, 'getpeername'];
    if (address === undefined) throw callError(EBADF, syscall);
    return toName(address);
  }

  /** Does something to the open socket: what is wrong is an error of this call's name. */
  change(syscall: string, call: () => void): void {
    if (!this.isOpen) throw callError(EBADF, syscall);
    asCall(syscall, call);
  }

  setRefed(refed: boolean): void {
    this.#isRefed = refed;
    this.#followRefs();
  }

  #followRefs(): void {
    if ((this.#isRefed && this.#isReceiving) || this.#outgoing.length > 0) this.ref();
    else this.unref();
  }

  // ---- receiving ----

  get isReceiving(): boolean {
    return this.#isReceiving;
  }

  setReceiving(receiving: boolean): void {
    this.#isReceiving = receiving;
    this.#followRefs();
    this.updateInterest();
  }

  protected get wantsRead(): boolean {
    return this.#isReceiving && this.#undelivered < MAX_UNDELIVERED;
  }

  protected readNow(): void {
    const { registry } = this.reactor;
    do {
      batch ??= new DatagramBatch({ capacity: CAPACITY, slotBytes: SLOT_BYTES });
      const received = batch.receiveFrom(this.fd, this.receiveOptions);
      if (received === EAGAIN || received === EINTR) return;
      if (received < 0) {
        this.#tellFailed(received);
        return;
      }
      consumeBudgetFor(this.reactor, received);
      chargeFor(this.reactor, batch, 0, received);
      for (let i = 0; i < received; i++) this.#deliver(batch, i);
      if (batch.errnoAfter < 0) this.#tellFailed(batch.errnoAfter);
      // The level brings us back if there is more.
      if (received < CAPACITY) return;
    } while (this.wantsRead && registry.consumeBudget());
  }

  #deliver(from: DatagramBatch, index: number): void {
    const lent = from.payload(index);
    // Memory of its own, as node:dgram's: some look at `message.buffer`.
    const payload = Buffer.allocUnsafeSlow(lent.length);
    payload.set(lent);
    const sender = from.address(index);
    if (sender === undefined) return;
    const info = Object.assign(toName(sender), { size: payload.length });
    this.#later(() => this.#user.onMessage(payload, info));
  }

  #tellFailed(errno: number): void {
    this.failure(errno, 'recvmsg');
    this.#later(() => this.#user.onError(callError(errno, 'recvmsg')));
  }

  /**
   * Each in a phase of its own, as libuv's calls are: who awaits one message hears the next one too.
   */
  #later(tell: () => void): void {
    this.#undelivered++;
    setImmediate(() => {
      const wasFull = this.#undelivered-- === MAX_UNDELIVERED;
      if (this.closed) return;
      if (wasFull) this.updateInterest();
      if (this.#isReceiving) tell();
    });
  }

  protected get wantsErrors(): boolean {
    return false;
  }

  protected onQueuedError(error: Error): void {
    this.#user.onError(error);
  }

  // ---- sending ----

  /**
   * Sends a datagram, or has it wait.
   *
   * @param place null for the peer of a connected socket
   * @param done called when one that had to wait is sent, or has failed
   * @returns a negative errno, or 0 when it is sent; null when it waits
   */
  send(payload: Uint8Array, place: string | undefined, done: Done | null): number | null {
    const outgoing = { payload, place, done };
    const errno = this.#outgoing.length > 0 ? null : this.#try(outgoing);
    if (errno !== null) return errno;
    this.#outgoing.push(outgoing);
    this.queuedBytes += payload.length;
    this.#followRefs();
    this.updateInterest();
    return null;
  }

  /** Null: later. */
  #try({ payload, place }: Outgoing): number | null {
    // The system would take IPv4 on a socket of IPv6, and has another word for the reverse.
    if (place !== undefined && place.startsWith('[') !== (this.#family === 6)) return EINVAL;
    record ??= new DatagramRecords(1);
    try {
      record.begin(0, payload.length);
      if (place !== undefined) record.setAddress(0, place);
    } catch (error) {
      return errnoFrom(error);
    }
    const { bytes } = record;
    const done = nativeUdp.udpSend(this.fd, bytes, payload, payload.length, 0, 1, this.sendOptions);
    if (this.retry.goesLater(done)) return null;
    if (done < 0) return done;
    if (record.failed > 0) return record.errno(0);
    this.retry.reset();
    return 0;
  }

  protected get wantsWrite(): boolean {
    return this.#outgoing.length > 0;
  }

  protected writeNow(): void {
    for (let i = 0; i < SENDS_PER_EVENT; i++) {
      const [next] = this.#outgoing;
      const errno = next === undefined ? null : this.#try(next);
      if (next === undefined || errno === null) break;
      this.#outgoing.shift();
      this.queuedBytes -= next.payload.length;
      next.done?.(errno);
      if (!this.reactor.registry.consumeBudget()) break;
    }
    this.#followRefs();
  }

  // ---- the end ----

  /** Ends it at the Socket's wish; what waits is told this errno, in a later phase. */
  end(errno: number): void {
    this.#endErrno = errno;
    this.close();
  }

  protected onDestroyed(error: Error | null): void {
    const left = this.#outgoing.splice(0);
    const errno = this.#endErrno;
    this.queuedBytes = 0;
    this.#isReceiving = false;
    if (left.length > 0) setImmediate(() => left.forEach(({ done }) => done?.(errno)));
    if (error !== null) this.#user.onGone(error);
  }
}
