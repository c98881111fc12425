import { systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkFd, checkInteger, checkObject } from '../../binding/validate.js';
import { unixAddressText, unixName, unixNameAsBytes, type UnixAddress } from '../../sys/sockaddr.js';
import { withOptions } from '../socket/place.js';
import { followedBy, LEFTOVERS } from '../socket/resource.js';
import { applyOptions, type EncodedOption } from '../socket/encoded-option.js';
import type { SocketHandle } from '../socket/detached.js';
import { setGivenFlags } from '../socket/given-fd.js';
import type { DropHandlers, StreamListenOptions } from '../stream/listen-options.js';
import type { ConnectionProfile } from '../stream/connection-profile.js';
import {
  DEFAULT_BACKLOG,
  MAX_BACKLOG,
  StreamListener,
  type AcceptedStream,
} from '../stream/stream-listener.js';
import type { StreamProfile } from '../stream/stream-profile.js';
import { typeOfUnixSocket } from './given-fd.js';
import { toSocketFile, type SocketFile } from './socket-file.js';
import { checkUnixHandlers, UnixConnection, type UnixHandlers } from './unix-connection.js';
import {
  BoundUnixSocket,
  checkType,
  toTraits,
  type UnixBindOptions,
  type UnixSocketType,
} from './unix-socket.js';
import { UnixStream } from './unix-stream.js';

/** Options of a listener on a Unix socket, in both styles. */
export interface UnixListenOptions extends StreamListenOptions, UnixBindOptions {
  /** Default `'stream'`. */
  type?: UnixSocketType | undefined;
}

const NAMES = { type: true, mode: true, unlinkStale: true, path: true, fd: true } as const;

/** Place to listen at. */
type UnixListenPlace =
  | {
      /** A path, or `'\0name'` for the abstract namespace (Linux); bytes where it is no UTF-8. */
      path: UnixAddress;
      fd?: undefined;
    }
  // As of `UnixListener.fromFd`.
  | { fd: number; path?: undefined };

/** Where, and how, `listenUnix` listens. */
export type UnixListenTarget = UnixListenOptions & UnixListenPlace;

/** Handlers of `listenUnix`: those of its connections, and `drop`. */
export type UnixListenHandlers<Data = unknown> = UnixHandlers<Data> & DropHandlers<UnixListener, string>;
/** Options of `UnixListener.bind`. */
export type UnixListenerBindOptions = UnixListenOptions & DropHandlers<UnixListener, string>;
/** What `UnixListener.accept` gives. */
export type UnixAccepted = AcceptedStream<UnixStream, string>;

/**
 * Accepts connections on a Unix socket, for handlers (`listenUnix`) or for promises
 * (`UnixListener.bind`). Its file is unlinked when it closes, unless it is another's by then; a
 * process that just ends leaves it behind (`unlinkStale`).
 */
export class UnixListener extends StreamListener<UnixStream, string, UnixConnection> {
  /** Null for a socket that was given: its name is whoever bound it's to take away. */
  readonly #file: SocketFile | null;

  private constructor(
    where: UnixListenPlace,
    options: UnixListenerBindOptions,
    handlers: UnixListenHandlers | null,
    file: SocketFile | null = null,
  ) {
    let bound: BoundUnixSocket | null = null;
    const { fd } = where;
    const { type = 'stream' } = fd === undefined ? options : { type: typeOfUnixSocket(fd, true) };
    checkType(type);
    try {
      super({
        options,
        handlers,
        isGiven: fd !== undefined,
        names: NAMES,
        traits: toTraits(type),
        open: (socketOptions) => {
          if (fd !== undefined) return takeListener(fd, socketOptions);
          return (bound = openListener(where.path, options, socketOptions)).fd;
        },
      });
    } catch (error) {
      // Listened already, and was closed again.
      (bound as BoundUnixSocket | null)?.file.unlink();
      throw error;
    }
    this.#file = (bound as BoundUnixSocket | null)?.file ?? file;
  }

  /**
   * Listens for promises: `accept()`, or `for await (const stream of listener)`.
   *
   * @param path or `'\0name'` for the abstract namespace (Linux); bytes where it is no UTF-8
   * @throws (as rejection) TypeError, RangeError; ENAMETOOLONG; EADDRINUSE when there is such a
   * file already, EACCES, ENOENT and what else bind(2) says
   */
  static override bind(path: UnixAddress, options: UnixListenerBindOptions = {}): Promise<UnixListener> {
    // Synchronous work under a promise, so that bad input is a rejection here too.
    return new Promise((resolve) => {
      checkObject('options', options);
      resolve(new UnixListener({ path }, options, null));
    });
  }

  /**
   * Listens for promises on a Unix socket that listens already, as one of systemd's (`listenFds`):
   * it is checked, made non-blocking and close-on-exec, and closed with the listener. Its file
   * stays: it is whoever bound it's to unlink.
   *
   * @param options `type` is the socket's own; `backlog`, `mode` and `unlinkStale` do nothing
   * @throws (as rejection) TypeError; RangeError for what is no listening Unix socket; EBADF,
   * ENOTSOCK; EEXIST when this reactor has it already; ERR_TRIPOLL_CLOSED. The fd is still the
   * caller's then.
   */
  static fromFd(fd: number, options: UnixListenerBindOptions = {}): Promise<UnixListener> {
    return new Promise((resolve) => {
      checkObject('options', options);
      checkFd(fd);
      resolve(new UnixListener({ fd }, options, null));
    });
  }

  /** @internal For `attach`. */
  static attached(
    fd: number,
    { file }: SocketHandle,
    handlers: UnixListenHandlers | null,
    options: UnixListenerBindOptions,
  ): UnixListener {
    checkObject('options', options);
    if (handlers !== null) checkUnixHandlers(handlers);
    return new UnixListener({ fd }, options, handlers, toSocketFile(file));
  }

  /** @internal For `discardHandle`. */
  static unlinkDetached({ file }: SocketHandle): void {
    toSocketFile(file)?.unlink();
  }

  /**
   * As `TcpListener.detach`. The file goes along: whoever attaches it unlinks it on close, and
   * `discardHandle` does.
   *
   * @throws (as rejection) as that
   */
  async detach(): Promise<SocketHandle<'unix-listener'>> {
    return Promise.resolve(this.detachAs('unix-listener', this.#file?.details ?? {}));
  }

  /** @internal For `listenUnix`. */
  static listening(
    place: UnixListenTarget | UnixAddress,
    handlers: UnixListenHandlers,
    options: UnixListenOptions | undefined,
  ): UnixListener {
    const target = withOptions<UnixListenTarget, UnixAddress>(place, options, (path) => ({ path }));
    checkUnixHandlers(handlers);
    const where = target.fd === undefined ? { path: target.path } : { fd: target.fd };
    return new UnixListener(where, target, handlers);
  }

  protected toConnection(fd: number, profile: ConnectionProfile): void {
    UnixConnection.accepted(fd, profile);
  }

  protected toStream(fd: number, profile: StreamProfile): UnixStream {
    return UnixStream.accepted(fd, profile);
  }

  /** Its own address as the system has it, for a name that is no UTF-8; undefined once closed. */
  get localAddressBytes(): Buffer | undefined {
    return unixNameAsBytes(this.fd, 'local');
  }

  protected nameOf(side: 'local' | 'remote', fd: number): string | undefined {
    return unixName(fd, side);
  }

  /** @internal */
  override [LEFTOVERS](): (() => void) | null {
    const file = this.#file;
    return followedBy(super[LEFTOVERS](), () => file?.unlink());
  }

  protected override onClosed(): void {
    this.#file?.unlink();
  }
}

function openListener(
  path: UnixAddress,
  options: UnixListenOptions,
  socketOptions: readonly EncodedOption[],
): BoundUnixSocket {
  const { type = 'stream', backlog = DEFAULT_BACKLOG } = options;
  checkInteger('backlog', backlog, 0, MAX_BACKLOG);
  const bound = new BoundUnixSocket(path, type, options, socketOptions);
  const error = native.listen(bound.fd, backlog);
  if (error === 0) return bound;
  native.close(bound.fd);
  bound.file.unlink();
  throw systemError(error, 'listen', { address: unixAddressText(path) });
}

/** A socket that listens already, which stays the caller's until the listener is made. */
function takeListener(fd: number, socketOptions: readonly EncodedOption[]): number {
  setGivenFlags(fd);
  applyOptions(fd, socketOptions);
  return fd;
}

/**
 * Listens handler-style on a Unix socket. All connections share `handlers`.
 *
 * @param target `{ path, ...options }`, `{ fd, ...options }` for a socket that listens already, or
 * only the path with the options behind
 * @param options for a `target` that is a path
 * @throws TypeError, RangeError for wrong arguments; ENAMETOOLONG, EADDRINUSE, EACCES, ENOENT and
 * what else bind(2) says; ERR_TRIPOLL_CLOSED
 */
export function listenUnix<Data = unknown>(
  target: UnixListenTarget | UnixAddress,
  handlers: UnixListenHandlers<Data>,
  options?: UnixListenOptions,
): UnixListener {
  return UnixListener.listening(target, handlers, options);
}
