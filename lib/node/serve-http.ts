import type * as http2 from 'node:http2';
import { Server as NodeServer } from 'node:net';
import type * as tls from 'node:tls';
import { stateError } from '../binding/errors.js';
import { StreamListener } from '../net/stream/stream-listener.js';
import type { TcpListener } from '../net/tcp/tcp-listener.js';
import type { UnixListener } from '../net/unix/unix-listener.js';
import { alreadyListening, invalidArgType } from './errors.js';
import { handlersOf, type ServerFace } from './listening.js';
import { mendHttp2Streams } from './http2-streams.js';
import { forwardToSockets } from './node-wrappers.js';
import { UNBUFFERED } from './transport.js';

/** Node's side of a server that listens: what its methods ask of a handle. */
class ListenerHandle {
  readonly #listener: TcpListener | UnixListener;
  /** Of TCP only: the name of a path is the server's own. */
  readonly getsockname?: (into: object) => number;

  constructor(listener: TcpListener | UnixListener) {
    this.#listener = listener;
    const { localAddress } = listener;
    if (typeof localAddress !== 'object') return;
    const { address, family, port } = localAddress;
    this.getsockname = (into) => (Object.assign(into, { address, family, port }), 0);
  }

  get fd(): number {
    return this.#listener.fd;
  }

  close(): void {
    this.#listener.close();
  }

  ref(): void {
    this.#listener.ref();
  }

  unref(): void {
    this.#listener.unref();
  }

  /** By this a handle is known. */
  getAsyncId(): number {
    return -1;
  }
}

const served = new WeakSet<object>();

/**
 * Serves the connections of a listener by a server of Node: of `http`, `https` or `http2` (one of
 * `tls` or `net` will do too), which is told `listening` and works as after its own `listen`:
 * timeouts, `address()`, `close()`, which closes the listener, and the rest. `noDelay` and
 * `keepAlive` of the server are set beside what the listener sets. Requests see tripoll's Sockets.
 *
 * The listener may be of either style. Its new connections are the server's: handlers it was made
 * with are not called for them, but for `drop`. Those it had accepted before stay whose they were.
 * Of its options of connections `idleTimeoutMs` holds; the streams have their own queues.
 *
 * @returns the server
 * @throws ERR_INVALID_ARG_TYPE; ERR_SERVER_ALREADY_LISTEN; ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_STATE
 * for a listener that serves already, or whose `accept()` somebody waits for
 */
export function serveHttp<Server extends NodeServer>(
  listener: TcpListener | UnixListener,
  server: Server,
): Server {
  if (!isHeirOf(StreamListener, listener))
    throw invalidArgType('listener', 'a TcpListener or a UnixListener', listener);
  if (!isHeirOf(NodeServer, server)) throw invalidArgType('server', 'a server of Node', server);
  if (server.listening) throw alreadyListening();
  if (served.has(listener)) throw stateError('another server on a listener that serves already');
  const face = server as unknown as ServerFace & { _handle: ListenerHandle | null };
  listener.takeOver(handlersOf(face), UNBUFFERED);
  served.add(listener);
  forwardToSockets(load('node:tls') as typeof tls);
  if (isHttp2(server)) mendHttp2Streams(load('node:http2') as typeof http2);
  const { localAddress } = listener;
  if (typeof localAddress === 'string') face._pipeName = localAddress;
  face._listeningId++;
  face._handle = new ListenerHandle(listener);
  if (face._unref) listener.unref();
  process.nextTick(() => server.listening && server.emit('listening'));
  return server;
}

function isHeirOf(Class: { prototype: object }, value: unknown): boolean {
  return Object.prototype.isPrototypeOf.call(Class.prototype, value as object);
}

/** Those of HTTP/2 have it, and no other. */
function isHttp2(server: NodeServer): boolean {
  return typeof (server as Partial<http2.Http2Server>).updateSettings === 'function';
}

/** Not for who only wants a Socket; and not by import(), which Jest refuses. */
function load(name: string): unknown {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
  return require(name) as unknown;
}
