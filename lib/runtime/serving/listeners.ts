import { systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { detachFd } from '../../net/socket/detached.js';
import { TcpListener } from '../../net/tcp/tcp-listener.js';
import { UnixListener } from '../../net/unix/unix-listener.js';
import type { SocketAddress } from '../../sys/address.js';
import type { ListenerHandle } from './messages.js';
import { isUnixTarget, type ServeTarget, type ServeTcpOptions, type ServeUnixOptions } from './options.js';

const { F_DUPFD_CLOEXEC } = native.constants;

/**
 * The listening sockets of a server. They are this thread's, and nobody accepts from them here:
 * each worker has a number of its own for one of them. So a worker that ends, in a reload or by a
 * crash, takes no connection along that it had not accepted: those stay in the backlog, for its
 * successor (T118).
 */
export class Listeners {
  readonly #listeners: readonly (TcpListener | UnixListener)[];
  readonly #kind: ListenerHandle['kind'];
  /** It stays when they are closed. */
  readonly address: SocketAddress | string;

  private constructor(listeners: readonly (TcpListener | UnixListener)[], kind: ListenerHandle['kind']) {
    this.#listeners = listeners;
    this.#kind = kind;
    // They have just been bound.
    this.address = listeners[0]!.localAddress!;
  }

  /** @param count of sockets on one address */
  static async open(target: ServeTarget, count: number): Promise<Listeners> {
    if (isUnixTarget(target)) return new Listeners([await openUnix(target)], 'unix-listener');
    const listeners: TcpListener[] = [];
    try {
      for (let i = 0; i < count; i++) {
        const port = listeners[0]?.localAddress?.port ?? target.port;
        listeners.push(await openTcp({ ...target, port }, count > 1));
      }
    } catch (error) {
      for (const listener of listeners) listener.close();
      throw error;
    }
    return new Listeners(listeners, 'tcp-listener');
  }

  /** A worker's own number of its socket, to be claimed there. @throws EMFILE */
  duplicate(worker: number): ListenerHandle {
    const listener = this.#listeners[worker % this.#listeners.length]!;
    const fd = native.fcntl(listener.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) throw systemError(fd, 'fcntl', { fd: listener.fd });
    return detachFd(fd, this.#kind, {});
  }

  ref(): void {
    for (const listener of this.#listeners) listener.ref();
  }

  unref(): void {
    for (const listener of this.#listeners) listener.unref();
  }

  /** Nobody accepts any more. A Unix socket's file is unlinked. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
  }
}

function openTcp(target: ServeTcpOptions, reusePort: boolean): Promise<TcpListener> {
  const { strategy: _strategy, path: _path, host, port, ...options } = target;
  return TcpListener.bind({ host, port }, { ...options, reusePort });
}

function openUnix(target: ServeUnixOptions): Promise<UnixListener> {
  const { strategy: _strategy, host: _host, port: _port, path, ...options } = target;
  return UnixListener.bind(path, options);
}
