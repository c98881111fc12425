import type { Socket as NodeSocket } from 'node:dgram';
import { lookup as dnsLookup } from 'node:dns';
import { EventEmitter } from 'node:events';
import type { BlockList } from 'node:net';
import { native } from '../../binding/native.js';
import { newContext } from '../../reactor/context.js';
import { checkBlockList, checkFunction, checkNumber } from '../arguments.js';
import { outOfRange } from '../errors.js';
import { badType, notRunning } from './errors.js';
import { DatagramTransport, type RemoteInfo, type TransportUser } from './transport.js';

/** Where a Socket keeps its state. */
export const STATE = Symbol('tripoll.dgram');

/** `'udp4'` or `'udp6'`. */
export type SocketType = 'udp4' | 'udp6';

/** Called with an error, or null and an address. */
type LookupCallback = (error: Error | null, address: string, family: number) => void;

/** Options of `createSocket`, as of `node:dgram`. */
export interface SocketOptions {
  /** `'udp4'` or `'udp6'`. */
  type: SocketType;
  /** SO_REUSEADDR: several sockets of a host on one port. */
  reuseAddr?: boolean | undefined;
  /** SO_REUSEPORT: the system spreads the senders over the sockets of one port. */
  reusePort?: boolean | undefined;
  /** No IPv4 on a socket of IPv6. */
  ipv6Only?: boolean | undefined;
  /** SO_RCVBUF, in bytes. */
  recvBufferSize?: number | undefined;
  /** SO_SNDBUF, in bytes. */
  sendBufferSize?: number | undefined;
  /** In place of `dns.lookup`. */
  lookup?: ((hostname: string, family: never, callback: LookupCallback) => void) | undefined;
  /** Closes the socket when it aborts. */
  signal?: AbortSignal | undefined;
  /** A `net.BlockList`: what these send is left out. */
  receiveBlockList?: BlockList | undefined;
  /** A `net.BlockList`: nothing is sent to these. */
  sendBlockList?: BlockList | undefined;
}

/** A Socket, as its parts see it. */
export interface SocketFace extends EventEmitter {
  readonly [STATE]: DatagramState;
  readonly type: SocketType;
  bind(...args: unknown[]): unknown;
  send(...args: unknown[]): void;
  setRecvBufferSize(size: number): void;
  setSendBufferSize(size: number): void;
}

/** How far the Socket is bound, or connected. */
export const Progress = { NONE: 0, UNDER_WAY: 1, DONE: 2 } as const;
type ProgressValue = (typeof Progress)[keyof typeof Progress];

const MAX_UINT32 = 0xffffffff;

function checkUint32(name: string, value: unknown): void {
  checkNumber(name, value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < 0 || value > MAX_UINT32) throw outOfRange(name, `>= 0 && <= ${MAX_UINT32}`, value);
}

/** What a Socket remembers, and what its transport tells it. */
export class DatagramState implements TransportUser {
  readonly options: Partial<SocketOptions>;
  /** Null once it has been closed. */
  transport: DatagramTransport | null;
  /** Node's own socket, which does all of it: what it is bound to only Node has. */
  nodes: NodeSocket | null = null;
  bound: ProgressValue = Progress.NONE;
  connected: ProgressValue = Progress.NONE;
  /** Calls that wait until it is bound. */
  queue: (() => void)[] | undefined = undefined;
  reuseAddr: unknown;
  /** As it was when the Socket was made. */
  readonly context = newContext();
  readonly #socket: EventEmitter;
  readonly #find: (address: string, family: never, callback: LookupCallback) => void;
  readonly #family: 4 | 6;

  /** @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE, ERR_SOCKET_BAD_TYPE */
  constructor(socket: EventEmitter, type: unknown, options: Partial<SocketOptions>) {
    const { lookup, recvBufferSize, sendBufferSize } = options;
    if (recvBufferSize) checkUint32('options.recvBufferSize', recvBufferSize);
    if (sendBufferSize) checkUint32('options.sendBufferSize', sendBufferSize);
    checkBlockList('options.receiveBlockList', options.receiveBlockList);
    checkBlockList('options.sendBlockList', options.sendBlockList);
    if (lookup !== undefined) checkFunction('lookup', lookup);
    if (type !== 'udp4' && type !== 'udp6') throw badType();
    this.options = options;
    this.reuseAddr = options.reuseAddr;
    this.#socket = socket;
    this.#find = lookup ?? dnsLookup;
    this.#family = type === 'udp4' ? 4 : 6;
    this.transport = new DatagramTransport(this, this.#family);
  }

  /** @throws ERR_SOCKET_DGRAM_NOT_RUNNING once it has been closed */
  checkRunning(): void {
    if (this.transport === null) throw notRunning();
  }

  /** @throws as `checkRunning` */
  get running(): DatagramTransport {
    if (this.transport === null) throw notRunning();
    return this.transport;
  }

  /** An address by a name; of none that of this host. */
  lookup(address: unknown, callback: (error: Error | null, ip: string) => void): void {
    const own = this.#family === 4 ? '127.0.0.1' : '::1';
    this.#find(address ? (address as string) : own, this.#family as never, callback);
  }

  isSendBlocked(ip: string): boolean {
    const { sendBlockList } = this.options;
    return sendBlockList?.check(ip, ip.includes(':') ? 'ipv6' : 'ipv4') === true;
  }

  // ---- what waits until it is bound ----

  /** A Socket that cannot be bound forgets it. */
  enqueue(call: () => void): void {
    if (this.queue === undefined) {
      this.queue = [];
      // As listeners: a program's own may come before, or after.
      const { errorMonitor } = EventEmitter;
      const onError = (): void => {
        this.#socket.removeListener('listening', onListening);
        this.queue = undefined;
      };
      const onListening = (): void => {
        this.#socket.removeListener(errorMonitor, onError);
        const { queue = [] } = this;
        this.queue = undefined;
        for (const queued of queue) queued();
      };
      this.#socket.once(errorMonitor, onError);
      this.#socket.once('listening', onListening);
    }
    this.queue.push(call);
  }

  // ---- what the transport tells ----

  onMessage(payload: Buffer, info: RemoteInfo): void {
    const { receiveBlockList } = this.options;
    const family = info.family === 'IPv6' ? 'ipv6' : 'ipv4';
    if (receiveBlockList?.check(info.address, family) === true) return;
    this.#socket.emit('message', payload, info);
  }

  onError(error: Error): void {
    this.#socket.emit('error', error);
  }

  onGone(error: Error | null): void {
    this.transport = null;
    setImmediate(() => {
      try {
        if (error !== null) this.#socket.emit('error', error);
      } catch (thrown) {
        native.fatalException(thrown);
      }
      this.#socket.emit('close');
    });
  }
}
