import { EventEmitter } from 'node:events';
import { checkBlockList, checkNumber } from './arguments.js';
import { makeClass } from './callable-class.js';
import { invalidArgType } from './errors.js';
import {
  addressOf,
  closeIfDrained,
  closeServer,
  countConnections,
  disposeServer,
  isListening,
  listenServer,
  setServerRefed,
} from './listening.js';
import type { Socket } from './socket.js';
import type { SocketOptions } from './socket-options.js';
import { toSeconds } from './socket-state.js';
import type { SocketName } from './transport.js';

/** Options of `Server`, as of `net.Server`. */
export interface ServerOptions {
  /** Our side stays open after the peer's end. */
  allowHalfOpen?: boolean | undefined;
  /** Sockets do not read before they are asked to. */
  pauseOnConnect?: boolean | undefined;
  /** TCP_NODELAY. */
  noDelay?: boolean | undefined;
  /** SO_KEEPALIVE. */
  keepAlive?: boolean | undefined;
  /** Milliseconds, of which whole seconds count. */
  keepAliveInitialDelay?: number | undefined;
  /** Of each Socket's two sides, in bytes. */
  highWaterMark?: number | undefined;
  /** A `net.BlockList`: connections from what it has are closed at once. */
  blockList?: SocketOptions['blockList'];
}

/** A listener of `connection`. */
type ConnectionListener = (socket: Socket) => void;

/** The methods and properties of `Server`; Node's own servers are given them by `tripoll/register`. */
export class ServerShape extends EventEmitter {
  /** @internal */
  declare _connections: number;
  /** @internal */
  declare _listeningId: number;
  /** @internal */
  declare _unref: boolean;
  /** More are closed at once, and told by `drop`. */
  declare maxConnections?: number;
  /** Option of its Sockets. */
  declare allowHalfOpen: boolean;
  /** Its Sockets do not read before they are asked to. */
  declare pauseOnConnect: boolean;
  /** Option of its Sockets. */
  declare noDelay: boolean;
  /** Option of its Sockets. */
  declare keepAlive: boolean;
  /** Option of its Sockets, in seconds. */
  declare keepAliveInitialDelay: number;

  /**
   * Listens: `(port, host, backlog, cb)`, each but `cb` may be left out, `(path, backlog, cb)`,
   * `(options, cb)`, or an object with an `fd`; what bind(2) says comes as `error`.
   *
   * @throws ERR_SERVER_ALREADY_LISTEN, ERR_SOCKET_BAD_PORT, ERR_INVALID_ARG_VALUE
   */
  listen(...args: unknown[]): this {
    listenServer(this, args);
    return this;
  }

  /** Whether it accepts connections. */
  get listening(): boolean {
    return isListening(this);
  }

  /** Where it listens: an address, a path, or null. */
  address(): SocketName | string | null {
    return addressOf(this);
  }

  /** Stops listening; `close` is told when the last connection has ended. */
  close(callback?: (error?: Error) => void): this {
    closeServer(this, callback);
    return this;
  }

  /** How many connections are open. */
  getConnections(callback: (error: Error | null, count: number) => void): this {
    countConnections(this, callback as never);
    return this;
  }

  /** Keeps the process alive (the default). */
  ref(): this {
    setServerRefed(this, true);
    return this;
  }

  /** Does not keep the process alive. */
  unref(): this {
    setServerRefed(this, false);
    return this;
  }

  /** @internal */
  _emitCloseIfDrained(): void {
    closeIfDrained(this);
  }

  /** Closes it, and waits for its connections. */
  [Symbol.asyncDispose](): Promise<void> {
    return disposeServer(this);
  }

  /** For `captureRejections`: an async listener that has failed ends its connection. */
  override [EventEmitter.captureRejectionSymbol](error: Error, event: string, socket: Socket): void {
    if (event === 'connection') socket.destroy(error);
    else this.emit('error', error);
  }
}

function initialize(server: ServerShape, options: ServerOptions): void {
  const { blockList, keepAliveInitialDelay, highWaterMark } = options;
  checkBlockList('options.blockList', blockList);
  if (keepAliveInitialDelay !== undefined)
    checkNumber('options.keepAliveInitialDelay', keepAliveInitialDelay);
  if (highWaterMark !== undefined) checkNumber('options.highWaterMark', highWaterMark);
  Object.assign(server, {
    _connections: 0,
    _listeningId: 1,
    _unref: false,
    allowHalfOpen: options.allowHalfOpen ?? false,
    pauseOnConnect: Boolean(options.pauseOnConnect),
    noDelay: Boolean(options.noDelay),
    keepAlive: Boolean(options.keepAlive),
    keepAliveInitialDelay: toSeconds(Math.max(0, keepAliveInitialDelay ?? 0)),
    blockList,
  });
  if (highWaterMark !== undefined && highWaterMark >= 0) Object.assign(server, { highWaterMark });
}

/** `net.Server`, on tripoll. */
export type Server = ServerShape;
/** `Server`, which is called with or without `new`. */
export interface ServerClass {
  /** A new server, which does not listen yet. */
  new (options?: ServerOptions | ConnectionListener, listener?: ConnectionListener): Server;
  /** The same. */
  (options?: ServerOptions | ConnectionListener, listener?: ConnectionListener): Server;
  /** What heirs in the old style inherit. */
  readonly prototype: Server;
}

/** `net.Server`, on tripoll. */
export const Server = function Server(
  this: unknown,
  given?: ServerOptions | ConnectionListener,
  listener?: ConnectionListener,
): unknown {
  if (!Object.prototype.isPrototypeOf.call(ServerShape.prototype, this as object))
    return new (Server as unknown as ServerClass)(given, listener);
  const server = this as ServerShape;
  (EventEmitter as unknown as (this: EventEmitter) => void).call(server);
  if (typeof given === 'function') server.on('connection', given);
  else if (given !== undefined && given !== null && typeof given !== 'object')
    throw invalidArgType('options', 'of type object', given);
  else if (typeof listener === 'function') server.on('connection', listener);
  initialize(server, typeof given === 'function' ? {} : { ...given });
  return server;
} as unknown as ServerClass;

makeClass(Server, ServerShape.prototype, EventEmitter);
Object.defineProperty(ServerShape.prototype, '_handle', { value: null, writable: true, configurable: true });
