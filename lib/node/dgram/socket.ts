import { EventEmitter } from 'node:events';
import { channel } from 'node:diagnostics_channel';
import { promisify } from 'node:util';
import { errnoOf } from '../../binding/errors.js';
import { EBADF, EINVAL } from '../../binding/errnos.js';
import { checkNumber, checkSignal, checkString } from '../arguments.js';
import { makeClass } from '../callable-class.js';
import { bindSocket, connectSocket } from './binding.js';
import { addDeprecated, leaveToNodes } from './prototype.js';
import { badBufferSize, bufferSizeError, errnoFrom, missingAddress, notConnected } from './errors.js';
import { changeGroup, setGroupInterface } from './groups.js';
import { sendFrom } from './sending.js';
import { DatagramState, Progress, STATE, type SocketOptions, type SocketType } from './state.js';
import type { SocketName } from './transport.js';

const ECANCELED = errnoOf('ECANCELED');
const MAX_INT32 = 0x7fffffff;

const sockets = channel('tripoll.udp.socket');

/** A listener of `message`. */
export type MessageListener = (message: Buffer, info: SocketName & { size: number }) => void;

/** The methods and properties of `Socket`. */
export class SocketShape extends EventEmitter {
  /** @internal */
  declare [STATE]: DatagramState;
  /** `'udp4'` or `'udp6'`. */
  declare type: SocketType;

  /** @internal */
  get _fd(): number {
    return this[STATE].transport?.fd ?? -1;
  }

  /**
   * Binds: `(port, address, cb)`, each may be left out, or `(options, cb)`; what bind(2) says comes
   * as `error`.
   *
   * @throws ERR_SOCKET_ALREADY_BOUND, ERR_SOCKET_DGRAM_NOT_RUNNING, ERR_INVALID_FD_TYPE
   */
  bind(...args: unknown[]): this {
    bindSocket(this, this[STATE], args);
    return this;
  }

  /**
   * Sends to this peer from now on, and receives from nobody else: `(port, address, cb)`.
   *
   * @throws ERR_SOCKET_BAD_PORT, ERR_INVALID_ARG_TYPE, ERR_SOCKET_DGRAM_IS_CONNECTED
   */
  connect(...args: unknown[]): void {
    connectSocket(this, this[STATE], args);
  }

  /**
   * Takes that back.
   *
   * @throws ERR_SOCKET_DGRAM_NOT_CONNECTED
   */
  disconnect(): void {
    const state = this[STATE];
    if (state.connected !== Progress.DONE) throw notConnected();
    state.running.change('connect', () => state.running.disconnect());
    state.connected = Progress.NONE;
  }

  /**
   * Sends: `(message, offset, length, port, address, cb)`, of which `offset` and `length` may be
   * left out together, and `port` and `address` are on a connected socket.
   *
   * @throws ERR_INVALID_ARG_TYPE, ERR_BUFFER_OUT_OF_BOUNDS, ERR_SOCKET_BAD_PORT,
   * ERR_SOCKET_DGRAM_IS_CONNECTED, ERR_SOCKET_DGRAM_NOT_RUNNING
   */
  send(...args: unknown[]): void {
    sendFrom(this, this[STATE], args);
  }

  /** The same, with all of its arguments. */
  sendto(...args: unknown[]): void {
    const [, offset, length, port, address] = args;
    checkNumber('offset', offset);
    checkNumber('length', length);
    checkNumber('port', port);
    checkString('address', address);
    this.send(...args);
  }

  /**
   * Closes it, after what waits until it is bound.
   *
   * @throws ERR_SOCKET_DGRAM_NOT_RUNNING when it has been closed
   */
  close(callback?: () => void): this {
    const state = this[STATE];
    if (typeof callback === 'function') this.on('close', callback);
    if (state.queue !== undefined) state.queue.push(() => this.close());
    else {
      state.running.end(ECANCELED);
      state.transport = null;
      process.nextTick(() => this.emit('close'));
    }
    return this;
  }

  /** Closes it, unless it is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this[STATE].transport === null) return;
    await promisify(this.close).call(this);
  }

  /**
   * Our end.
   *
   * @throws EBADF before it is bound; ERR_SOCKET_DGRAM_NOT_RUNNING
   */
  address(): SocketName {
    return this[STATE].running.name('local');
  }

  /**
   * The peer.
   *
   * @throws ERR_SOCKET_DGRAM_NOT_CONNECTED, ERR_SOCKET_DGRAM_NOT_RUNNING
   */
  remoteAddress(): SocketName {
    const state = this[STATE];
    const { running } = state;
    if (state.connected !== Progress.DONE) throw notConnected();
    return running.name('remote');
  }

  // ---- options ----

  /** SO_BROADCAST. @throws EBADF before it is bound */
  setBroadcast(flag: boolean): void {
    const { running } = this[STATE];
    running.change('setBroadcast', () => running.setOption('broadcast', flag ? true : false));
  }

  /** IP_TTL, 1 to 255. @throws EBADF before it is bound; ERR_INVALID_ARG_TYPE, EINVAL */
  setTTL(ttl: number): number {
    checkNumber('ttl', ttl);
    const { running } = this[STATE];
    running.change('setTTL', () => running.setOption('ttl', Math.trunc(ttl)));
    return ttl;
  }

  /** IP_MULTICAST_TTL, 0 to 255. @throws EBADF before it is bound; ERR_INVALID_ARG_TYPE, EINVAL */
  setMulticastTTL(ttl: number): number {
    checkNumber('ttl', ttl);
    const { running } = this[STATE];
    running.change('setMulticastTTL', () => running.setOption('multicastTtl', Math.trunc(ttl)));
    return ttl;
  }

  /** IP_MULTICAST_LOOP. @throws EBADF before it is bound */
  setMulticastLoopback<Flag>(flag: Flag): Flag {
    const { running } = this[STATE];
    running.change('setMulticastLoopback', () => running.setOption('multicastLoop', Boolean(flag)));
    return flag;
  }

  /**
   * IP_MULTICAST_IF: an address of the interface, or `'::%zone'`; `'0.0.0.0'` is the system's
   * choice.
   *
   * @throws EBADF before it is bound; ERR_INVALID_ARG_TYPE, EINVAL and what else setsockopt(2) says
   */
  setMulticastInterface(interfaceAddress: string): void {
    const { running } = this[STATE];
    checkString('interfaceAddress', interfaceAddress);
    setGroupInterface(running, interfaceAddress);
  }

  /**
   * Joins a group, on the interface that has this address; binds a socket that is not bound.
   *
   * @throws ERR_MISSING_ARGS, EINVAL, ENODEV and what else setsockopt(2) says
   */
  addMembership(group: string, interfaceAddress?: string): void {
    const { running } = this[STATE];
    if (!group) throw missingAddress();
    else changeGroup(running, 'addMembership', true, { group, interfaceAddress });
  }

  /** Leaves it. @throws as `addMembership`; EADDRNOTAVAIL */
  dropMembership(group: string, interfaceAddress?: string): void {
    const { running } = this[STATE];
    if (!group) throw missingAddress();
    else changeGroup(running, 'dropMembership', false, { group, interfaceAddress });
  }

  /** Joins what one sender sends to a group. @throws as `addMembership`; ERR_INVALID_ARG_TYPE */
  addSourceSpecificMembership(source: string, group: string, interfaceAddress?: string): void {
    const { running } = this[STATE];
    checkString('sourceAddress', source);
    checkString('groupAddress', group);
    changeGroup(running, 'addSourceSpecificMembership', true, { group, source, interfaceAddress });
  }

  /** Leaves it. @throws as `addSourceSpecificMembership`; EADDRNOTAVAIL */
  dropSourceSpecificMembership(source: string, group: string, interfaceAddress?: string): void {
    const { running } = this[STATE];
    checkString('sourceAddress', source);
    checkString('groupAddress', group);
    changeGroup(running, 'dropSourceSpecificMembership', false, { group, source, interfaceAddress });
  }

  /** SO_RCVBUF, in bytes. @throws ERR_SOCKET_BAD_BUFFER_SIZE, ERR_SOCKET_BUFFER_SIZE */
  setRecvBufferSize(size: number): void {
    bufferSize(this, 'recv', size);
  }

  /** SO_SNDBUF, in bytes. @throws ERR_SOCKET_BAD_BUFFER_SIZE, ERR_SOCKET_BUFFER_SIZE */
  setSendBufferSize(size: number): void {
    bufferSize(this, 'send', size);
  }

  /** SO_RCVBUF, in bytes: what the system says, which may double it. @throws ERR_SOCKET_BUFFER_SIZE */
  getRecvBufferSize(): number {
    return bufferSize(this, 'recv', 0);
  }

  /** SO_SNDBUF, likewise. @throws ERR_SOCKET_BUFFER_SIZE */
  getSendBufferSize(): number {
    return bufferSize(this, 'send', 0);
  }

  /** Bytes of the sends that wait. @throws ERR_SOCKET_DGRAM_NOT_RUNNING */
  getSendQueueSize(): number {
    const { running } = this[STATE];
    return running.queuedBytes;
  }

  /** How many sends wait. @throws ERR_SOCKET_DGRAM_NOT_RUNNING */
  getSendQueueCount(): number {
    const { running } = this[STATE];
    return running.queuedSends;
  }

  /** Keeps the process alive while it is bound (the default). */
  ref(): this {
    this[STATE].transport?.setRefed(true);
    return this;
  }

  /** Does not keep the process alive. */
  unref(): this {
    this[STATE].transport?.setRefed(false);
    return this;
  }
}

/** A negative errno is the call's; 0 asks for the size. */
function bufferSize(socket: SocketShape, which: 'recv' | 'send', size: number): number {
  if (size >>> 0 !== size) throw badBufferSize();
  const { running } = socket[STATE];
  const name = which === 'recv' ? 'receiveBufferBytes' : 'sendBufferBytes';
  const fail = (errno: number): Error => bufferSizeError(errno, `uv_${which}_buffer_size`);
  if (size > MAX_INT32) throw fail(EINVAL);
  if (!running.isOpen) throw fail(EBADF);
  try {
    if (size === 0) return running.getOption(name);
    running.setOption(name, size);
    return size;
  } catch (error) {
    throw fail(errnoFrom(error));
  }
}

function closeOnAbort(socket: SocketShape, signal: AbortSignal): void {
  checkSignal('options.signal', signal);
  const onAbort = (): void => {
    if (socket[STATE].transport !== null) socket.close();
  };
  if (signal.aborted) {
    onAbort();
    return;
  }
  signal.addEventListener('abort', onAbort, { once: true });
  socket.once('close', () => signal.removeEventListener('abort', onAbort));
}

/** `dgram.Socket`, on tripoll. */
export type Socket = SocketShape;
/** `Socket`, which is called with or without `new`. */
export interface SocketClass {
  /** A new socket, which is not bound yet; `listener` is told of each message. */
  new (type: SocketType | SocketOptions, listener?: MessageListener): Socket;
  /** The same. */
  (type: SocketType | SocketOptions, listener?: MessageListener): Socket;
  /** What heirs in the old style inherit. */
  readonly prototype: Socket;
}

/** `dgram.Socket`, on tripoll. */
export const Socket = function Socket(
  this: unknown,
  given: SocketType | SocketOptions,
  listener?: MessageListener,
): unknown {
  if (!Object.prototype.isPrototypeOf.call(SocketShape.prototype, this as object))
    return new (Socket as unknown as SocketClass)(given, listener);
  const socket = this as SocketShape;
  (EventEmitter as unknown as (this: EventEmitter) => void).call(socket);
  const options: Partial<SocketOptions> = typeof given === 'object' && given !== null ? given : {};
  const type = typeof given === 'object' && given !== null ? given.type : given;
  const state = new DatagramState(socket, type, options);
  socket.type = type;
  if (typeof listener === 'function') socket.on('message', listener);
  Object.defineProperty(socket, STATE, { value: state });
  if (options.signal !== undefined) closeOnAbort(socket, options.signal);
  if (sockets.hasSubscribers) sockets.publish({ socket });
  return socket;
} as unknown as SocketClass;

makeClass(Socket, SocketShape.prototype, EventEmitter);
leaveToNodes(SocketShape.prototype);
addDeprecated(SocketShape.prototype);
