import { systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkInteger, checkObject } from '../../binding/validate.js';
import { unixName } from '../../sys/sockaddr.js';
import type { ConnectionProfile } from '../stream/socket-connection.js';
import {
  DEFAULT_BACKLOG,
  MAX_BACKLOG,
  StreamListener,
  type AcceptedStream,
  type DropHandlers,
  type StreamListenOptions,
} from '../stream/stream-listener.js';
import type { StreamProfile } from '../stream/stream-profile.js';
import { checkUnixHandlers, UnixConnection, type UnixHandlers } from './unix-connection.js';
import {
  BoundUnixSocket,
  checkType,
  toTraits,
  type UnixBindOptions,
  type UnixSocketType,
} from './unix-socket.js';
import { UnixStream } from './unix-stream.js';

export interface UnixListenOptions extends StreamListenOptions, UnixBindOptions {
  /** Default `'stream'`. */
  type?: UnixSocketType | undefined;
}

export interface UnixListenTarget extends UnixListenOptions {
  /** A path, or `'\0name'` for the abstract namespace (Linux). */
  path: string;
}

export type UnixListenHandlers<Data = unknown> = UnixHandlers<Data> & DropHandlers<UnixListener, string>;
/** Of `UnixListener.bind`. */
export type UnixListenerBindOptions = UnixListenOptions & DropHandlers<UnixListener, string>;
export type UnixAccepted = AcceptedStream<UnixStream, string>;

/**
 * Accepts connections on a Unix socket, for handlers (`listenUnix`) or for promises (`UnixListener.bind`). Its file is
 * unlinked when it closes, unless it is another's by then; a process that just ends leaves it behind (`unlinkStale`).
 */
export class UnixListener extends StreamListener<UnixStream, string> {
  readonly #bound: BoundUnixSocket;

  private constructor(
    options: UnixListenerBindOptions,
    handlers: UnixListenHandlers | null,
    open: () => BoundUnixSocket,
  ) {
    let bound: BoundUnixSocket | null = null;
    const { type = 'stream' } = options;
    checkType(type);
    try {
      super({
        options,
        handlers,
        traits: toTraits(type),
        open: () => (bound = open()).fd,
      });
    } catch (error) {
      // Listened already, and was closed again.
      (bound as BoundUnixSocket | null)?.unlink();
      throw error;
    }
    this.#bound = bound as unknown as BoundUnixSocket;
  }

  /**
   * Listens for promises: `accept()`, or `for await (const stream of listener)`.
   *
   * @param path or `'\0name'` for the abstract namespace (Linux)
   * @throws (as rejection) TypeError, RangeError; ENAMETOOLONG; EADDRINUSE when there is such a file already, EACCES,
   * ENOENT and what else bind(2) says
   */
  static override bind(path: string, options: UnixListenerBindOptions = {}): Promise<UnixListener> {
    // Synchronous work under a promise, so that bad input is a rejection here too.
    return new Promise((resolve) => {
      checkObject('options', options);
      resolve(new UnixListener(options, null, () => openListener(path, options)));
    });
  }

  /** For `listenUnix`. */
  static listening(target: UnixListenTarget, handlers: UnixListenHandlers): UnixListener {
    checkObject('target', target);
    checkUnixHandlers(handlers);
    return new UnixListener(target, handlers, () => openListener(target.path, target));
  }

  protected configure(): void {
    // A Unix socket has nothing like NODELAY.
  }

  protected get mayBlock(): boolean {
    return false;
  }

  protected isBlocked(): boolean {
    return false;
  }

  protected toConnection(fd: number, profile: ConnectionProfile): void {
    UnixConnection.accepted(fd, profile);
  }

  protected toStream(fd: number, profile: StreamProfile): UnixStream {
    return UnixStream.accepted(fd, profile);
  }

  protected nameOf(side: 'local' | 'remote', fd: number): string | undefined {
    return unixName(fd, side);
  }

  protected override onClosed(): void {
    this.#bound.unlink();
  }
}

function openListener(path: string, options: UnixListenOptions): BoundUnixSocket {
  const { type = 'stream', backlog = DEFAULT_BACKLOG } = options;
  checkInteger('backlog', backlog, 0, MAX_BACKLOG);
  const bound = new BoundUnixSocket(path, type, options);
  const error = native.listen(bound.fd, backlog);
  if (error === 0) return bound;
  native.close(bound.fd);
  bound.unlink();
  throw systemError(error, 'listen', { address: path });
}

/**
 * Listens handler-style on a Unix socket. All connections share `handlers`.
 *
 * @throws TypeError, RangeError for wrong arguments; ENAMETOOLONG, EADDRINUSE, EACCES, ENOENT and what else bind(2)
 * says; ERR_TRIPOLL_CLOSED
 */
export function listenUnix<Data = unknown>(
  target: UnixListenTarget,
  handlers: UnixListenHandlers<Data>,
): UnixListener {
  return UnixListener.listening(target, handlers);
}
