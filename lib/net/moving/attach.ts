import { unsupportedError } from '../../binding/errors.js';
import { checkObject } from '../../binding/validate.js';
import type { SourceOptions } from '../fd/fd-owner.js';
import { AsyncFd, type AsyncFdOptions } from '../fd/async-fd.js';
import {
  checkHandle,
  claimBy,
  closeDetached,
  type HandleKind,
  type SocketHandle,
} from '../socket/detached.js';
import type { SocketConnectionOptions } from '../stream/connection-profile.js';
import { TcpConnection, type TcpHandlers } from '../tcp/tcp-connection.js';
import { listen, TcpListener, type BindOptions, type ListenHandlers } from '../tcp/tcp-listener.js';
import type { ListenOptions } from '../tcp/open-listener.js';
import { TcpStream, type StreamOptions } from '../tcp/tcp-stream.js';
import { bindUdp, type UdpEndpoint, type UdpEndpointOptions, type UdpHandlers } from '../udp/udp-endpoint.js';
import { UdpSocket } from '../udp/udp-socket.js';
import type { UdpOptions } from '../udp/udp-options.js';
import {
  UnixConnection,
  UnixDatagram,
  UnixListener,
  UnixStream,
  type UnixDatagramHandlers,
  type UnixHandlers,
  type UnixListenerBindOptions,
  type UnixListenHandlers,
  type UnixListenOptions,
  type UnixStreamOptions,
} from '../unix/index.js';

/** What `attach` makes of a handle, for promises. */
export interface Attached {
  /** Of a TcpStream or a TcpConnection. */
  tcp: TcpStream;
  /** Of a UnixStream or a UnixConnection. */
  unix: UnixStream;
  /** Of a UdpSocket or a UdpEndpoint. */
  udp: UdpSocket;
  /** Of a TcpListener of either style. */
  'tcp-listener': TcpListener;
  /** Of a UnixListener of either style. */
  'unix-listener': UnixListener;
  /** Of a UnixDatagram. */
  'unix-datagram': UnixDatagram;
  /** Of an AsyncFd. */
  fd: AsyncFd;
}

/** Options of each of them: those that it is opened with, but for what is done already. */
export interface AttachOptions {
  /** Those of `TcpStream.connect`; TCP_NODELAY stays as it is. */
  tcp: Omit<StreamOptions, 'noDelay'>;
  /** Those of `UnixStream.connect`. */
  unix: Omit<UnixStreamOptions, 'type'>;
  /** Those of `UdpSocket.bind`. */
  udp: UdpOptions;
  /** Those of `TcpListener.bind`. */
  'tcp-listener': BindOptions;
  /** Those of `UnixListener.bind`. */
  'unix-listener': UnixListenerBindOptions;
  /** A reactor. */
  'unix-datagram': SourceOptions;
  /** Those of `new AsyncFd`; it owns the fd. */
  fd: Omit<AsyncFdOptions, 'own'>;
}

/** What has handlers too. */
export type ConnectionKind = Exclude<HandleKind, 'fd'>;

/** What `attach` makes of a handle, for handlers. */
export interface AttachedConnection {
  /** As `connect` makes it. */
  tcp: TcpConnection;
  /** As `connectUnix` makes it. */
  unix: UnixConnection;
  /** As `bindUdp` makes it. */
  udp: UdpEndpoint;
  /** As `listen` makes it. */
  'tcp-listener': TcpListener;
  /** As `listenUnix` makes it. */
  'unix-listener': UnixListener;
  /** As `bindUnixDatagram` makes it. */
  'unix-datagram': UnixDatagram;
}

/** Handlers and options of each of them. */
export interface AttachHandlers {
  /** Those of `connect`. */
  tcp: SocketConnectionOptions & { handlers: TcpHandlers };
  /** Those of `connectUnix`. */
  unix: SocketConnectionOptions & { handlers: UnixHandlers };
  /** Those of `bindUdp`. */
  udp: UdpEndpointOptions & { handlers: UdpHandlers };
  /** Those of `listen`. */
  'tcp-listener': ListenOptions & { handlers: ListenHandlers };
  /** Those of `listenUnix`. */
  'unix-listener': UnixListenOptions & { handlers: UnixListenHandlers };
  /** Those of `bindUnixDatagram`. */
  'unix-datagram': SourceOptions & { handlers: UnixDatagramHandlers };
}

type Options<Kind extends HandleKind> = AttachOptions[Kind] & { handlers?: undefined };

const openers: { [Kind in HandleKind]: (handle: SocketHandle, options: Options<Kind>) => Attached[Kind] } = {
  tcp: (handle, options) => TcpStream.attached(handle, options),
  unix: (handle, options) => UnixStream.attached(handle, options),
  udp: (handle, options) => claimBy(handle, (fd) => UdpSocket.attached(fd, options)),
  'tcp-listener': (handle, options) => claimBy(handle, (fd) => TcpListener.attached(fd, options)),
  'unix-listener': (handle, options) =>
    claimBy(handle, (fd) => UnixListener.attached(fd, handle, null, options)),
  'unix-datagram': (handle, options) =>
    claimBy(handle, (fd) => UnixDatagram.attached(fd, handle, null, options)),
  fd: (handle, options) => claimBy(handle, (fd) => new AsyncFd(fd, { ...options, own: true })),
};

type Connect<Kind extends ConnectionKind> = (
  handle: SocketHandle,
  handlers: AttachHandlers[Kind]['handlers'],
  options: Omit<AttachHandlers[Kind], 'handlers'>,
) => AttachedConnection[Kind];

const connectors: { [Kind in ConnectionKind]: Connect<Kind> } = {
  tcp: (handle, handlers, options) => TcpConnection.attached(handle, handlers, options),
  unix: (handle, handlers, options) => UnixConnection.attached(handle, handlers, options),
  udp: (handle, handlers, options) => claimBy(handle, (fd) => bindUdp({ ...options, fd }, handlers)),
  'tcp-listener': (handle, handlers, options) =>
    claimBy(handle, (fd) => listen({ ...options, fd }, handlers)),
  'unix-listener': (handle, handlers, options) =>
    claimBy(handle, (fd) => UnixListener.attached(fd, handle, handlers, options)),
  'unix-datagram': (handle, handlers, options) =>
    claimBy(handle, (fd) => UnixDatagram.attached(fd, handle, handlers, options)),
};

/**
 * Takes the socket that a handle names: in any thread of the process, and once. It is open at once,
 * in either style: with `handlers` it is a connection, whose `open` comes in the next turn before
 * all else, else an object with promises.
 *
 * @param handle what `detach` gave, or a clone of it; `handle.unread` is yours to use first
 * @param options those of what it becomes; `handlers` for the other style
 * @throws TypeError, RangeError for wrong arguments; ERR_TRIPOLL_CLOSED when it was attached or
 * closed already, or its thread has ended, and for a handle that this process did not make. What
 * else it throws, as ERR_TRIPOLL_CLOSED for a reactor, leaves the handle as it was.
 */
export function attach<Kind extends ConnectionKind>(
  handle: SocketHandle<Kind>,
  options: AttachHandlers[Kind],
): AttachedConnection[Kind];
/** The same for promises. */
export function attach<Kind extends HandleKind>(
  handle: SocketHandle<Kind>,
  options?: AttachOptions[Kind],
): Attached[Kind];
export function attach(handle: SocketHandle, options: object = {}): unknown {
  checkHandle(handle);
  checkObject('options', options);
  const { handlers, ...rest } = options as { handlers?: never };
  const { kind } = handle;
  if (handlers === undefined) return openers[kind](handle, rest);
  if (kind === 'fd') throw unsupportedError('an fd has no handlers: reactor.register takes them');
  checkObject('handlers', handlers);
  return connectors[kind](handle, handlers, rest);
}

/**
 * Closes the socket of a handle that nobody will attach; of a Unix listener or datagram
 * socket the file is unlinked too.
 *
 * @returns false if it was attached or closed already
 * @throws TypeError, RangeError for what is no handle
 */
export function discardHandle(handle: SocketHandle): boolean {
  const closed = closeDetached(handle);
  if (closed && handle.file !== undefined) UnixListener.unlinkDetached(handle);
  return closed;
}
