import { channel } from 'node:diagnostics_channel';
import { Duplex, type DuplexOptions } from 'node:stream';
import { Socket as NodeSocket } from 'node:net';
import {
  checkConnectPlace,
  checkDelay,
  checkFunction,
  checkSignal,
  normalizeArguments,
} from './arguments.js';
import { makeClass } from './callable-class.js';
import { toBytes, toPieces, type Chunk } from './chunks.js';
import { connectSocket } from './connecting.js';
import { closedBeforeConnection, endedByPeer, invalidHandleType, socketClosed } from './errors.js';
import { openGivenFd } from './given-fd.js';
import { checkSocketOptions, type ConnectOptions, type SocketOptions } from './socket-options.js';
import { SocketState, toSeconds } from './socket-state.js';
import { sumOf, type Connection, type SocketName } from './transport.js';

/** Where a Socket keeps what is not its users'. */
export const STATE = Symbol('tripoll.socket');

const clientSockets = channel('tripoll.net.client.socket');

type WriteDone = (error?: Error | null) => void;

/** A server, as its connections see it. */
export interface SocketOwner {
  _connections: number;
  _emitCloseIfDrained(): void;
}

/** What `listen` and `handOver` give beside the options of users. */
interface OwnOptions extends SocketOptions {
  /** @internal */
  connection?: Connection;
  /** A handle of Node's: then what is made is Node's own Socket. */
  handle?: unknown;
}

/** The methods and properties of `Socket`. */
class SocketShape extends Duplex {
  /** @internal */
  declare [STATE]: SocketState;
  /** It looks a name up, or connects. */
  declare connecting: boolean;
  /** Milliseconds, from `setTimeout`. */
  declare timeout: number | undefined;
  /** The server that accepted it, or null. */
  declare server: unknown;
  /** Those of several addresses that were tried, as `'address:port'`. */
  declare autoSelectFamilyAttemptedAddresses: string[] | undefined;
  /** @internal */
  declare _server: SocketOwner | null;
  /** @internal */
  declare _parent: SocketShape | null;
  /** @internal */
  declare _host: string | null;
  /** @internal */
  declare _hadError: boolean;
  /** Null: there is none of Node's. */
  declare _handle: null;

  // ---- connecting ----

  /**
   * Connects: `(options, cb)`, `(port, host, cb)` or `(path, cb)`; `cb` is a listener of `connect`.
   *
   * @throws ERR_MISSING_ARGS, ERR_SOCKET_BAD_PORT, ERR_INVALID_ARG_TYPE, ERR_INVALID_IP_ADDRESS
   */
  connect(...args: unknown[]): this {
    const [options, callback] = normalizeArguments<ConnectOptions>(args);
    if (callback !== null) this.once('connect', callback);
    if (this._parent?.connecting === true) return this;
    const port = checkConnectPlace(options);
    const state = this[STATE];
    // That of an end that is over.
    if (Object.hasOwn(this, 'write') && !state.waitsForConnect) delete (this as Partial<this>).write;
    if (this.destroyed || !state.isActive) {
      (this as unknown as { _undestroy(): void })._undestroy();
      state.begin();
    }
    state.onActivity();
    this.connecting = true;
    // Most clients of databases make a Socket, and connect it later.
    if (clientSockets.hasSubscribers) clientSockets.publish({ socket: this });
    connectSocket(this, state, options, port);
    return this;
  }

  /** It is not connected: not yet, or no more. */
  get pending(): boolean {
    return !this[STATE].isActive || this.connecting;
  }

  /** @internal */
  get _connecting(): boolean {
    return this.connecting;
  }

  /** What can be done with it. */
  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening';
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  // ---- reading ----

  /** @internal */
  override _read(size: number): void {
    const state = this[STATE];
    if (this.connecting || !state.isActive) this.once('connect', () => this._read(size));
    else state.startReading();
  }

  /** Stops `data`, and with it, soon, the peer. */
  override pause(): this {
    const state = this[STATE];
    if (state.userBuffer !== null && !this.connecting) state.stopReading();
    return super.pause();
  }

  /** Reads again. */
  override resume(): this {
    readIntoUserBuffer(this);
    return super.resume();
  }

  /** Bytes that have come; null when there are none. */
  override read(size?: number): unknown {
    readIntoUserBuffer(this);
    return super.read(size) as unknown;
  }

  // ---- writing ----

  /** @internal */
  override _write(chunk: Uint8Array | string, encoding: BufferEncoding, done: WriteDone): void {
    const bytes = toBytes(chunk, encoding);
    const state = this[STATE];
    if (state.isActive && !this.connecting) state.writeNow(bytes, done);
    else whenConnected(this, bytes.length, done, () => this._write(bytes, encoding, done));
  }

  /** @internal */
  override _writev(chunks: Chunk[], done: WriteDone): void {
    const state = this[STATE];
    const pieces = toPieces(chunks);
    if (pieces.length === 1) this._write(pieces[0]!, 'utf8', done);
    else if (state.isActive && !this.connecting) state.writevNow(pieces, done);
    else whenConnected(this, sumOf(pieces), done, () => this._writev(chunks, done));
  }

  /** @internal */
  override _final(done: WriteDone): void {
    if (this.pending) this.once('connect', () => this._final(done));
    else this[STATE].endWriting(() => done());
  }

  // ---- the end ----

  /** @internal */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const state = this[STATE];
    this.connecting = false;
    if (state.end()) {
      const hadError = error !== null && error !== undefined;
      setImmediate(() => this.emit('close', hadError));
      done(error);
    } else {
      done(error);
      process.nextTick(() => this.emit('close'));
    }
    if (this._server === null || this._server === undefined) return;
    this._server._connections--;
    this._server._emitCloseIfDrained();
  }

  /** Destroys it when all has been written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Ends a TCP connection with a RST. */
  resetAndDestroy(): this {
    const state = this[STATE];
    if (!state.isActive) return this.destroy(socketClosed());
    if (this.connecting) this.once('connect', () => this._reset());
    else if (state.isOpen && !state.isTcp) throw invalidHandleType();
    else this._reset();
    return this;
  }

  /** @internal */
  _reset(): this {
    this[STATE].isResetting = true;
    return this.destroy();
  }

  // ---- idle time ----

  /**
   * Tells `timeout` when for so many milliseconds nothing was read or written; 0: never.
   *
   * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE
   */
  setTimeout(delayMs: number, callback?: () => void): this {
    if (this.destroyed) return this;
    this.timeout = delayMs;
    const delay = checkDelay('msecs', delayMs);
    const state = this[STATE];
    state.clearTimer();
    if (callback !== undefined) checkFunction('callback', callback);
    if (delay === 0) {
      if (callback !== undefined) this.removeListener('timeout', callback);
      return this;
    }
    state.setTimer(delay, () => this._onTimeout());
    if (callback !== undefined) this.once('timeout', callback);
    return this;
  }

  /** @internal */
  _onTimeout(): void {
    this.emit('timeout');
  }

  /** @internal */
  _unrefTimer(): void {
    this[STATE].onActivity();
  }

  // ---- options ----

  /** TCP_NODELAY, by default on. */
  setNoDelay(enable: unknown = true): this {
    const state = this[STATE];
    const noDelay = Boolean(enable);
    const isNew = noDelay !== state.noDelay;
    state.noDelay = noDelay;
    if (isNew) state.setOption('tcpNoDelay', noDelay);
    return this;
  }

  /** SO_KEEPALIVE; the first probe after so many milliseconds, in whole seconds, if any. */
  setKeepAlive(enable?: unknown, initialDelayMs?: number): this {
    const state = this[STATE];
    state.keepAlive = Boolean(enable);
    state.keepAliveDelaySeconds = toSeconds(initialDelayMs);
    state.applyKeepAlive();
    return this;
  }

  /** Keeps the process alive while it reads or writes (the default). */
  ref(): this {
    return setRefed(this, true);
  }

  /** Does not keep the process alive. */
  unref(): this {
    return setRefed(this, false);
  }

  // ---- names and counts ----

  /** Our end; `{}` before it is connected, once closed, and of a path. */
  address(): SocketName {
    return this[STATE].local;
  }

  /** Our end. */
  get localAddress(): string | undefined {
    return this[STATE].local.address;
  }

  /** Our end. */
  get localPort(): number | undefined {
    return this[STATE].local.port;
  }

  /** Our end: `'IPv4'` or `'IPv6'`. */
  get localFamily(): string | undefined {
    return this[STATE].local.family;
  }

  /** The peer. */
  get remoteAddress(): string | undefined {
    return this[STATE].remote.address;
  }

  /** The peer. */
  get remotePort(): number | undefined {
    return this[STATE].remote.port;
  }

  /** The peer: `'IPv4'` or `'IPv6'`. */
  get remoteFamily(): string | undefined {
    return this[STATE].remote.family;
  }

  /** Bytes that the socket has given. */
  get bytesRead(): number {
    return this[STATE].bytesRead;
  }

  /** Bytes given to `write`, those that wait too. */
  get bytesWritten(): number | undefined {
    if (this[STATE] === undefined) return undefined; // of the prototype
    const { bytesDispatched, pendingBytes } = this[STATE];
    const waiting = this as unknown as {
      writableBuffer?: { chunk: Uint8Array | string; encoding: BufferEncoding }[];
    };
    let bytes = bytesDispatched + pendingBytes;
    for (const { chunk, encoding } of waiting.writableBuffer ?? [])
      bytes += typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length;
    return bytes;
  }

  /** @internal */
  get _bytesDispatched(): number {
    return this[STATE].bytesDispatched;
  }

  /** As `writableLength`; undefined once closed. */
  get bufferSize(): number | undefined {
    return this[STATE].isActive ? this.writableLength : undefined;
  }
}

function readIntoUserBuffer(socket: SocketShape): void {
  const state = socket[STATE];
  if (state.userBuffer !== null && !socket.connecting && state.isActive) state.startReading();
}

function setRefed<T extends SocketShape>(socket: T, refed: boolean): T {
  const state = socket[STATE];
  state.isRefed = refed;
  if (!state.isActive) socket.once('connect', () => setRefed(socket, refed));
  state.setRefed(refed);
  return socket;
}

/** Writes as soon as it is connected, or says that it never will be. */
function whenConnected(socket: SocketShape, bytes: number, done: WriteDone, write: () => void): void {
  const state = socket[STATE];
  if (!socket.connecting && (!state.waitsForConnect || socket.destroyed)) {
    done(socketClosed());
    return;
  }
  state.pendingBytes = bytes;
  const onClose = (): void => done(closedBeforeConnection());
  socket.once('connect', () => {
    socket.off('close', onClose);
    state.pendingBytes = 0;
    write();
  });
  socket.once('close', onClose);
}

/** `write` once the peer has ended its side, and ours has ended with it. */
function writeAfterEnd(
  this: SocketShape,
  chunk: never,
  encoding: never,
  callback?: (error: Error) => void,
): boolean {
  if (!this.writableEnded) return Duplex.prototype.write.call(this, chunk, encoding, callback as never);
  const done = typeof encoding === 'function' ? (encoding as (error: Error) => void) : callback;
  const error = endedByPeer();
  if (typeof done === 'function') process.nextTick(done, error);
  this.destroy(error);
  return false;
}

/**
 * Makes it fit to be below a wrapper of Node's: TLS begins to write before it is connected, and has
 * an end of its own. What is written after the peer's end is sent, and after ours is of no use to
 * anybody, as on a socket of Node's.
 */
export function becomeWrapped(socket: SocketShape): void {
  const state = socket[STATE];
  if (state.waitsForConnect) return;
  state.waitsForConnect = true;
  // Not at once: a TLS socket that is being made takes its own from here.
  process.nextTick(() => (socket.allowHalfOpen = true));
  socket.write = function (this: SocketShape, chunk: never, encoding: never, callback?: WriteDone) {
    if (!this.writableEnded) return Duplex.prototype.write.call(this, chunk, encoding, callback as never);
    const done = typeof encoding === 'function' ? (encoding as WriteDone) : callback;
    if (typeof done === 'function') process.nextTick(done);
    return false;
  } as never;
}

function onReadableEnd(this: SocketShape): void {
  if (!this.allowHalfOpen) this.write = writeAfterEnd as never;
}

type DuplexInit = (this: Duplex, options: DuplexOptions) => void;

/** What each Socket has from the start. */
function initialize(socket: SocketShape, given: OwnOptions): void {
  const options = checkSocketOptions(given);
  if (options.signal !== undefined) checkSignal('options.signal', options.signal);
  Object.assign(socket, { connecting: false, server: null, _server: null, _parent: null, _host: null });
  socket._hadError = false;
  // Before the rest: a signal that has been aborted destroys it there.
  Object.defineProperty(socket, STATE, { value: new SocketState(socket, options), configurable: true });
  (Duplex as unknown as DuplexInit).call(socket, {
    ...options,
    allowHalfOpen: Boolean(options.allowHalfOpen),
    emitClose: false,
    autoDestroy: true,
    decodeStrings: false,
  });
  socket.on('end', onReadableEnd);
}

/** Begins to read what is connected already; closes it, if the Socket was destroyed by its signal. */
export function startSocket(socket: SocketShape, connection: Connection, options: OwnOptions): void {
  if (socket.destroyed) {
    connection.close();
    return;
  }
  socket[STATE].open(connection);
  if (options.readable === false) return;
  if (options.pauseOnCreate === true) (socket as { readableFlowing: boolean | null }).readableFlowing = false;
  else if (options.manualStart !== true) socket.read(0);
}

const isShape = (value: unknown): boolean =>
  Object.prototype.isPrototypeOf.call(SocketShape.prototype, value as object);

/** `net.Socket`, on tripoll: a Duplex over a connection, which is none of Node's. */
export type Socket = SocketShape;
/** `Socket`, which is called with or without `new`. */
export interface SocketClass {
  /** A new Socket, not connected unless it is given an fd. */
  new (options?: OwnOptions): Socket;
  /** The same. */
  (options?: OwnOptions): Socket;
  /** What heirs in the old style inherit. */
  readonly prototype: Socket;
}

/** A function, as in Node: it is called without `new`, and by the constructors of old-style heirs. */
export const Socket = function Socket(this: unknown, given?: OwnOptions | number): unknown {
  if (!isShape(this)) return new (Socket as unknown as SocketClass)(given as OwnOptions);
  const options = typeof given === 'number' ? { fd: given } : (given ?? {});
  // A handle of Node's own, or an fd that is no stream socket: only Node has what it takes.
  if (options.handle !== undefined && options.handle !== null) return new NodeSocket(options);
  const connection = options.connection ?? openGivenFd(options.fd);
  if (connection === null) return new NodeSocket(options);
  const socket = this as SocketShape;
  initialize(socket, options);
  if (connection !== undefined) startSocket(socket, connection, options);
  return socket;
} as unknown as SocketClass;

makeClass(Socket, SocketShape.prototype, Duplex);
Object.defineProperties(Socket, {
  // Of TLS too, whose sockets are Node's own.
  [Symbol.hasInstance]: {
    value: function (this: { prototype: object }, value: unknown) {
      if (Object.prototype.isPrototypeOf.call(this.prototype, value as object)) return true;
      return (
        this === (Socket as object) &&
        Object.prototype.isPrototypeOf.call(NodeSocket.prototype, value as object)
      );
    },
  },
});
Object.defineProperty(SocketShape.prototype, '_handle', { value: null, writable: true, configurable: true });
