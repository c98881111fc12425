import { createSocket, type SocketOptions as NodeOptions } from 'node:dgram';
import { errnoOf } from '../../binding/errors.js';
import { checkString } from '../arguments.js';
import { isClusterWorker } from '../cluster-worker.js';
import { callError, ipBlocked, placeError } from '../errors.js';
import { alreadyBound, checkRemotePort, errnoFrom, isConnected } from './errors.js';
import { reuse } from './groups.js';
import { Progress, type DatagramState, type SocketFace } from './state.js';
import type { DatagramTransport } from './transport.js';

const EEXIST = errnoOf('EEXIST');

/** Options of `bind`, as of `node:dgram`. */
export interface BindOptions {
  /** 0 to 65535; 0, the default, lets the system choose. */
  port?: number | undefined;
  /** A name or an address; default: all addresses of this machine. */
  address?: string | undefined;
  /** Of a cluster's workers: not shared by them. */
  exclusive?: boolean | undefined;
  /** A UDP socket that is bound already. */
  fd?: number | undefined;
}

type Callback = (this: SocketFace) => void;

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** `(port, address, cb)`, each may be left out, `(options, cb)`, or a handle of Node's. */
export function bindSocket(socket: SocketFace, state: DatagramState, args: readonly unknown[]): void {
  const transport = state.running;
  if (state.bound !== Progress.NONE) throw alreadyBound();
  state.bound = Progress.UNDER_WAY;
  const callback = args.at(-1);
  if (typeof callback === 'function') callWhenBound(socket, callback as Callback);
  const [first, second] = args;
  const options: BindOptions & { recvStart?: unknown } = isObject(first)
    ? first
    : { port: first as number, address: typeof second === 'function' ? '' : (second as string) };
  const { fd, port, exclusive = false, recvStart } = options;
  const isFd = typeof fd === 'number' && (fd | 0) === fd && fd > 0;
  const isShared = !exclusive && state.options.reusePort !== true && isClusterWorker();
  if (typeof recvStart === 'function' || isShared) bindNodes(socket, state, options);
  else if (isFd) bindToFd(socket, state, transport, fd);
  else bindToAddress(socket, state, options.address, port);
}

/** An error before it leaves the callback to the next try. */
function callWhenBound(socket: SocketFace, callback: Callback): void {
  const forget = (): void => {
    socket.removeListener('error', forget);
    socket.removeListener('listening', onListening);
  };
  const onListening = (): void => {
    forget();
    callback.call(socket);
  };
  socket.on('error', forget);
  socket.on('listening', onListening);
}

function startListening(socket: SocketFace, state: DatagramState, transport: DatagramTransport): void {
  const { recvBufferSize, sendBufferSize } = state.options;
  transport.setReceiving(true);
  state.bound = Progress.DONE;
  if (recvBufferSize) socket.setRecvBufferSize(recvBufferSize);
  if (sendBufferSize) socket.setSendBufferSize(sendBufferSize);
  socket.emit('listening');
}

function bindToFd(socket: SocketFace, state: DatagramState, transport: DatagramTransport, fd: number): void {
  try {
    transport.takeFd(fd);
  } catch (error) {
    const errno = errnoFrom(error);
    if (errno === EEXIST) throw callError(errno, 'open');
    // Not one of UDP, which Node says in its own words.
    bindNodes(socket, state, { fd });
    return;
  }
  startListening(socket, state, transport);
}

function bindToAddress(
  socket: SocketFace,
  state: DatagramState,
  address: string | undefined,
  port: number | undefined,
): void {
  const any = socket.type === 'udp4' ? '0.0.0.0' : '::';
  state.lookup(address ? address : any, (error, ip) => {
    const { transport, options } = state;
    if (transport === null) return; // closed meanwhile
    const fail = (reason: Error): void => {
      state.bound = Progress.NONE;
      socket.emit('error', reason);
    };
    if (error !== null && error !== undefined) {
      fail(error);
      return;
    }
    try {
      transport.bindTo(ip, (port ?? 0) & 0xffff, {
        ...reuse(Boolean(state.reuseAddr)),
        ...(options.reusePort === true ? { reusePort: true } : {}),
        ipv6Only: Boolean(options.ipv6Only),
      });
    } catch (thrown) {
      fail(placeError(errnoFrom(thrown), 'bind', { address: ip, port }));
      return;
    }
    startListening(socket, state, transport);
  });
}

const EVENTS = ['listening', 'connect', 'message', 'error', 'close'] as const;

/** Leaves all to Node's own socket: a cluster's primary, or whoever made the handle, gives it away. */
function bindNodes(socket: SocketFace, state: DatagramState, options: BindOptions): void {
  const nodes = state.context.runInAsyncScope(() =>
    createSocket({ ...state.options, type: socket.type, signal: undefined } as NodeOptions),
  );
  nodes.once('close', () => (state.transport = null));
  for (const event of EVENTS) nodes.on(event, (...args: unknown[]) => socket.emit(event, ...args));
  if (state.transport?.isRefed === false) nodes.unref();
  state.nodes = nodes;
  try {
    nodes.bind(options);
  } catch (error) {
    state.nodes = null;
    nodes.removeAllListeners();
    nodes.close();
    throw error;
  }
  state.transport?.end(0);
}

// ---- connecting ----

type ConnectCallback = (error?: Error) => void;

/** `(port, address, cb)`: binds the socket first, where it is not. */
export function connectSocket(
  socket: SocketFace,
  state: DatagramState,
  [port, second, third]: readonly unknown[],
): void {
  const to = checkRemotePort(port);
  const [address, callback] = typeof second === 'function' ? ['', second] : [second ?? '', third];
  checkString('address', second === null ? null : address);
  if (state.connected !== Progress.NONE) throw isConnected();
  state.connected = Progress.UNDER_WAY;
  if (state.bound === Progress.NONE) socket.bind({ port: 0, exclusive: true }, null);
  const connect = (): void =>
    connectTo(socket, state, { port: to, address: address as string }, callback as ConnectCallback);
  if (state.bound === Progress.DONE) connect();
  else state.enqueue(connect);
}

interface Peer {
  readonly address: string;
  readonly port: number;
}

function connectTo(
  socket: SocketFace,
  state: DatagramState,
  { address, port }: Peer,
  callback: ConnectCallback | undefined,
): void {
  if (callback) socket.once('connect', callback);
  state.lookup(address, (error, ip) => {
    const { transport } = state;
    if (transport === null) return;
    const reason = error ?? tryToConnect(state, transport, ip, { address, port });
    state.connected = reason === null ? Progress.DONE : Progress.NONE;
    process.nextTick(() => {
      if (reason === null) socket.emit('connect');
      else if (callback) {
        socket.removeListener('connect', callback);
        callback(reason);
      } else socket.emit('error', reason);
    });
  });
}

function tryToConnect(
  state: DatagramState,
  transport: DatagramTransport,
  ip: string,
  { address, port }: Peer,
): Error | null {
  if (state.isSendBlocked(ip)) return ipBlocked(ip);
  try {
    transport.connectTo(ip, port);
    return null;
  } catch (thrown) {
    return placeError(errnoFrom(thrown), 'connect', { address, port });
  }
}
