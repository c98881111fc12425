import { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from 'node:net';
import { checkBoolean, checkInt32, normalizeArguments } from './arguments.js';
import { autoSelect } from './connecting.js';
import { Server, type ServerOptions } from './server.js';
import { Socket } from './socket.js';
import type { ConnectOptions } from './socket-options.js';

// The exports of node:net.

/** A new Socket, connecting: `(options, cb)`, `(port, host, cb)` or `(path, cb)`. */
function connect(...args: unknown[]): Socket {
  const normalized = normalizeArguments<ConnectOptions>(args);
  const [options] = normalized;
  const socket = new Socket(options);
  if (options.timeout) socket.setTimeout(options.timeout ?? 0);
  return socket.connect(normalized);
}

/** A new server; `listener` is told of each connection. */
function createServer(
  options?: ServerOptions | ((socket: Socket) => void),
  listener?: (socket: Socket) => void,
): Server {
  return new Server(options, listener);
}

/** Whether `autoSelectFamily` is on where it is not given. */
function getDefaultAutoSelectFamily(): boolean {
  return autoSelect.isDefault;
}

/** Sets that. @throws ERR_INVALID_ARG_TYPE */
function setDefaultAutoSelectFamily(value: boolean): void {
  checkBoolean('value', value);
  autoSelect.isDefault = value;
}

/** How long one of several addresses has, in milliseconds, where it is not given. */
function getDefaultAutoSelectFamilyAttemptTimeout(): number {
  return autoSelect.attemptTimeoutMs;
}

/**
 * Sets that.
 *
 * @param value milliseconds; less than 10 is 10
 * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE
 */
function setDefaultAutoSelectFamilyAttemptTimeout(value: number): void {
  checkInt32('value', value, 1);
  autoSelect.attemptTimeoutMs = Math.max(10, value);
}

export {
  BlockList,
  connect,
  connect as createConnection,
  createServer,
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  isIP,
  isIPv4,
  isIPv6,
  Server,
  setDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout,
  Socket,
  SocketAddress,
  Socket as Stream,
};
// What a program that changed its import may name.
export type {
  AddressInfo,
  ConnectOpts,
  DropArgument,
  IpcNetConnectOpts,
  IpcSocketConnectOpts,
  IPVersion,
  LookupFunction,
  NetConnectOpts,
  OnReadOpts,
  ServerOpts,
  SocketAddressInitOptions,
  SocketConnectOpts,
  SocketConstructorOpts,
  SocketReadyState,
  TcpNetConnectOpts,
  TcpSocketConnectOpts,
} from 'node:net';
export type { ServerOptions } from './server.js';
export type { ConnectOptions, SocketOptions } from './socket-options.js';
export type { ListenOptions } from './listening.js';
