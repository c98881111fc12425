import { channel, tracingChannel } from 'node:diagnostics_channel';
import { lookup } from 'node:dns';
import { promisify } from 'node:util';
import { EAFNOSUPPORT, EINVAL } from '../binding/errnos.js';
import { errnoOf } from '../binding/errors.js';
import { native } from '../binding/native.js';
import type { StreamHandlers } from '../net/stream/connection-profile.js';
import { listen } from '../net/tcp/tcp-listener.js';
import { listenUnix } from '../net/unix/unix-listener.js';
import type { SocketAddress } from '../sys/address.js';
import { checkPort, checkSignal, isPipeName, normalizeArguments, toCount } from './arguments.js';
import {
  alreadyListening,
  callError,
  invalidArgValue,
  listenError,
  serverNotRunning,
  type NodeSystemError,
} from './errors.js';
import { Socket } from './socket.js';
import { TRANSPORT_HANDLERS, UNBUFFERED, type Connection, type SocketName } from './transport.js';

/** As libuv: the kernel takes 511 for 512. */
const DEFAULT_BACKLOG = 511;
const EADDRNOTAVAIL = errnoOf('EADDRNOTAVAIL');
const ANY_V4 = '0.0.0.0';
const ANY_V6 = '::';

const serverSockets = channel('tripoll.net.server.socket');
const listens = tracingChannel('tripoll.net.server.listen');

/** Where a server keeps its listener. */
const LISTENER = Symbol('tripoll.listener');

/** What a listener of either family is, to a server. */
interface Listener {
  readonly fd: number;
  readonly localAddress: SocketAddress | string | undefined;
  close(): void;
  ref(): unknown;
  unref(): unknown;
}

/** Connections that Node has sent to another process. */
interface SentConnections {
  close(callback: () => void): void;
  getConnections(callback: (error: Error | null, count?: number) => void): void;
}

/** A server: `Server`, or one of Node's own whose methods are these. */
export interface ServerFace extends NodeJS.EventEmitter {
  [LISTENER]?: Listener | null;
  _connections: number;
  _listeningId: number;
  _unref: boolean;
  /** Of Node's servers: a connection has been sent to another process. */
  _usingWorkers?: boolean;
  _workers?: readonly SentConnections[];
  _pipeName?: string;
  _connectionKey?: string;
  maxConnections?: number;
  allowHalfOpen: boolean;
  pauseOnConnect: boolean;
  noDelay: boolean;
  keepAlive: boolean;
  /** Seconds. */
  keepAliveInitialDelay: number;
  highWaterMark?: number;
  blockList?: { check(address: string, family?: 'ipv4' | 'ipv6'): boolean } | undefined;
  close(callback?: (error?: Error) => void): unknown;
}

/** Options of `listen`, as of `net.Server`. */
export interface ListenOptions {
  /** 0 to 65535; 0 lets the system choose. */
  port?: number | string | null | undefined;
  /** A name or an address; default: all addresses of this machine. */
  host?: string | undefined;
  /** Of a Unix socket, in place of a port. */
  path?: string | undefined;
  /** A socket that listens already. */
  fd?: number | undefined;
  /** Default 511. */
  backlog?: number | undefined;
  /** Of a cluster's workers, which Node serves. */
  exclusive?: boolean | undefined;
  /** A path that all users may read. */
  readableAll?: boolean | undefined;
  /** A path that all users may write. */
  writableAll?: boolean | undefined;
  /** IPv6 alone. */
  ipv6Only?: boolean | undefined;
  /** SO_REUSEPORT. */
  reusePort?: boolean | undefined;
  /** Closes the server when it aborts. */
  signal?: AbortSignal | undefined;
}

/** `[port][, host][, backlog][, cb]`, `path`, an object with an fd, or options. */
export function listenServer(server: ServerFace, args: readonly unknown[]): void {
  const [given, callback] = normalizeArguments<ListenOptions>(args);
  if (isListening(server)) throw alreadyListening();
  if (listens.hasSubscribers) listens.asyncStart.publish({ server, options: given });
  if (callback !== null) server.once('listening', callback);
  const backlogArgument = (args.length > 1 && toCount(args[1])) || (args.length > 2 && toCount(args[2])) || 0;
  const nested = given as { _handle?: ListenOptions; handle?: ListenOptions };
  const options = nested._handle ?? nested.handle ?? given;
  server._listeningId++;
  if (options.signal !== undefined) closeOnAbort(server, options.signal);
  const backlog = options.backlog || backlogArgument || DEFAULT_BACKLOG;
  const { fd, path } = options;
  if (typeof fd === 'number' && fd >= 0) {
    openListener(server, undefined, 0, (handlers) => listenOnFd(fd, backlog, handlers));
    return;
  }
  const isAnyPort = args.length === 0 || typeof args[0] === 'function' || options.port === null;
  const port = isAnyPort || (options.port === undefined && 'port' in options) ? 0 : options.port;
  if (typeof port === 'number' || typeof port === 'string')
    listenOnPort(server, options, checkPort('options.port', port), backlog);
  else if (path !== undefined && isPipeName(path)) listenOnPath(server, options, path, backlog);
  else if (!('port' in options) && !('path' in options))
    throw invalidArgValue('options', options, 'must have the property "port" or "path"');
  else throw invalidArgValue('options', options);
}

function closeOnAbort(server: ServerFace, signal: AbortSignal): void {
  checkSignal('options.signal', signal);
  const onAbort = (): void => void server.close();
  if (signal.aborted) process.nextTick(onAbort);
  else {
    signal.addEventListener('abort', onAbort, { once: true });
    server.once('close', () => signal.removeEventListener('abort', onAbort));
  }
}

// ---- where ----

function listenOnPort(server: ServerFace, options: ListenOptions, port: number, backlog: number): void {
  const { host, ipv6Only, reusePort } = options;
  const settings = { backlog, ipv6Only: ipv6Only === true, reusePort: reusePort === true };
  if (host === undefined || host === null || host === '') {
    openAnywhere(server, port, settings);
    return;
  }
  const id = server._listeningId;
  lookup(host, (error, address) => {
    if (id !== server._listeningId) return;
    if (error === null) openTcp(server, address, port, settings);
    else server.emit('error', error);
  });
}

type TcpSettings = Pick<ListenOptions, 'ipv6Only' | 'reusePort' | 'backlog'>;

/** `::`, by which IPv4 is served too; where there is no IPv6, `0.0.0.0`. */
function openAnywhere(server: ServerFace, port: number, settings: TcpSettings): void {
  const tcp = (host: string) => (handlers: object) => listenOnAddress(host, port, settings, handlers);
  openListener(server, ANY_V6, port, (handlers) => {
    try {
      return tcp(ANY_V6)(handlers);
    } catch (error) {
      const { errno } = error as Partial<NodeSystemError>;
      if (errno !== EAFNOSUPPORT && errno !== EADDRNOTAVAIL) throw error;
      return tcp(ANY_V4)(handlers);
    }
  });
}

function openTcp(server: ServerFace, address: string, port: number, settings: TcpSettings): void {
  openListener(server, address, port, (handlers) => listenOnAddress(address, port, settings, handlers));
}

function listenOnAddress(host: string, port: number, settings: TcpSettings, handlers: object): Listener {
  return listen({ host, port, noDelay: false, ...settings, ...UNBUFFERED }, handlers);
}

function listenOnPath(server: ServerFace, options: ListenOptions, path: string, backlog: number): void {
  const { readableAll = false, writableAll = false } = options;
  if (path.startsWith('\0') && (readableAll || writableAll)) {
    const reason = 'can not set readableAll or writableAllt to true when path is abstract unix socket';
    throw invalidArgValue('options', options, reason);
  }
  server._pipeName = path;
  const mode = 0o700 | (readableAll ? 0o044 : 0) | (writableAll ? 0o022 : 0);
  const extra = readableAll || writableAll ? { mode } : {};
  openListener(server, path, -1, (handlers) =>
    listenUnix({ path, backlog, ...extra, ...UNBUFFERED }, handlers),
  );
}

/** A socket that listens already, or is bound: TCP or Unix. */
function listenOnFd(fd: number, backlog: number, handlers: object): Listener {
  if (native.listen(fd, backlog) < 0) throw callError(EINVAL, 'listen');
  for (const attempt of [
    () => listen({ fd, noDelay: false, ...UNBUFFERED }, handlers),
    () => listenUnix({ fd, ...UNBUFFERED }, handlers),
  ]) {
    try {
      return attempt();
    } catch {
      // Another kind of fd: the next, or the error for all of them.
    }
  }
  throw callError(EINVAL, 'listen');
}

// ---- listening ----

function openListener(
  server: ServerFace,
  address: string | undefined,
  port: number,
  open: (handlers: object) => Listener,
): void {
  const handlers = handlersOf(server);
  let listener: Listener;
  try {
    listener = open(handlers);
  } catch (thrown) {
    const { errno } = thrown as Partial<NodeSystemError>;
    if (errno === undefined) throw thrown;
    const error = listenError(errno, address, port);
    if (listens.hasSubscribers) listens.error.publish({ server, error });
    process.nextTick(() => server.emit('error', error));
    return;
  }
  server[LISTENER] = listener;
  if (server._unref) listener.unref();
  const family = typeof listener.localAddress === 'object' && listener.localAddress.family === 'IPv6' ? 6 : 4;
  server._connectionKey = `${family}:${String(address)}:${port}`;
  if (listens.hasSubscribers) listens.asyncEnd.publish({ server });
  process.nextTick(() => isListening(server) && server.emit('listening'));
}

/** Those of a listener whose connections are a server's. */
export function handlersOf(server: ServerFace): StreamHandlers<Connection> {
  return {
    ...TRANSPORT_HANDLERS,
    open: (connection) => onConnection(server, connection),
  };
}

/** A connection: what its listeners throw is uncaught, as under node:net. */
function onConnection(server: ServerFace, connection: Connection): void {
  try {
    if (isUnwanted(server, connection)) connection.close();
    else tellConnection(server, connection);
  } catch (error) {
    native.fatalException(error);
  }
}

function isUnwanted(server: ServerFace, connection: Connection): boolean {
  const { maxConnections, blockList, _connections } = server;
  const remote = nameOf(connection.remoteAddress);
  if (Boolean(maxConnections) && _connections >= Number(maxConnections)) {
    const local = nameOf(connection.localAddress);
    const data = {
      localAddress: local.address,
      localPort: local.port,
      localFamily: local.family,
      remoteAddress: remote.address,
      remotePort: remote.port,
      remoteFamily: remote.family,
    };
    if (local.address === undefined) server.emit('drop');
    else server.emit('drop', data);
    return true;
  }
  if (blockList === undefined || blockList === null || remote.address === undefined) return false;
  return blockList.check(remote.address, remote.family === 'IPv6' ? 'ipv6' : 'ipv4');
}

function nameOf(name: SocketAddress | string | undefined): SocketName {
  return typeof name === 'object' ? name : {};
}

function tellConnection(server: ServerFace, connection: Connection): void {
  const { allowHalfOpen, pauseOnConnect, highWaterMark } = server;
  const socket = new Socket({
    connection,
    allowHalfOpen,
    pauseOnCreate: pauseOnConnect,
    ...(highWaterMark === undefined
      ? {}
      : { readableHighWaterMark: highWaterMark, writableHighWaterMark: highWaterMark }),
  });
  if (server.noDelay) socket.setNoDelay(true);
  if (server.keepAlive) socket.setKeepAlive(true, server.keepAliveInitialDelay * 1000);
  server._connections++;
  socket.server = server;
  socket._server = server as never;
  server.emit('connection', socket);
  if (serverSockets.hasSubscribers) serverSockets.publish({ socket });
}

// ---- what else a server can do ----

export function isListening(server: ServerFace): boolean {
  return server[LISTENER] !== undefined && server[LISTENER] !== null;
}

/** -1 when it does not listen. */
export function fdOfServer(server: ServerFace): number {
  return server[LISTENER]?.fd ?? -1;
}

export function addressOf(server: ServerFace): SocketName | string | null {
  const local = server[LISTENER]?.localAddress;
  if (typeof local === 'object') {
    const { address, family, port } = local;
    return { address, family, port };
  }
  return server._pipeName ?? null;
}

export function closeServer(server: ServerFace, callback?: (error?: Error) => void): void {
  server._listeningId++;
  const listener = server[LISTENER] ?? null;
  if (typeof callback === 'function')
    server.once('close', () => (listener === null ? callback(serverNotRunning()) : callback()));
  server[LISTENER] = null;
  listener?.close();
  if (server._usingWorkers === true) waitForOthers(server, server._workers ?? []);
  else closeIfDrained(server);
}

/** Connections that were sent to other processes keep it open, as Node's do. */
function waitForOthers(server: ServerFace, lists: readonly SentConnections[]): void {
  let left = lists.length;
  // For as long as the others are asked.
  server._connections++;
  const onAnswer = (): void => {
    if (--left > 0) return;
    server._connections--;
    closeIfDrained(server);
  };
  if (left === 0) onAnswer();
  for (const list of lists) list.close(onAnswer);
}

/** Here, and in other processes. */
export function countConnections(
  server: ServerFace,
  callback: (error: Error | null, count?: number) => void,
): void {
  const lists = server._workers ?? [];
  let total = server._connections;
  let left = lists.length;
  if (left === 0) process.nextTick(callback, null, total);
  for (const list of lists)
    list.getConnections((error, count = 0) => {
      if (left <= 0) return;
      total += count;
      left = error === null ? left - 1 : 0;
      if (left === 0) callback(error, error === null ? total : undefined);
    });
}

/** `'close'`, once nothing listens and all connections have ended. */
export function closeIfDrained(server: ServerFace): void {
  if (isListening(server) || server._connections > 0) return;
  process.nextTick(() => server.emit('close'));
}

export function setServerRefed(server: ServerFace, refed: boolean): void {
  server._unref = !refed;
  if (refed) server[LISTENER]?.ref();
  else server[LISTENER]?.unref();
}

export async function disposeServer(server: ServerFace): Promise<void> {
  if (isListening(server)) await promisify(server.close).call(server);
}
