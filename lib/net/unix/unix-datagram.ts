import { closedError, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkBytes, checkFunction, checkInteger, checkNames, checkObject } from '../../binding/validate.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import { checkCall, type CancelOptions } from '../../reactor/cancellation.js';
import {
  decodeUnixAddress,
  encodeUnixAddress,
  NO_ADDRESS,
  unixAddressBytes,
  unixAddressText,
  unixNameAsBytes,
  type UnixAddress,
} from '../../sys/sockaddr.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { pumpMessages, type MessageHandlers } from '../message/message-pump.js';
import { MessageSocket, type ReceivedMessage } from '../message/message-socket.js';
import { AsyncFd } from '../fd/async-fd.js';
import { checkOpen, ownFd } from '../fd/open-fd.js';
import type { SocketHandle } from '../socket/detached.js';
import { withOptions } from '../socket/place.js';
import { LEFTOVERS } from '../socket/resource.js';
import { MAX_FDS, OutgoingFds } from '../message/outgoing-fds.js';
import { UntakenFds, type PassedFds } from '../message/passed-fds.js';
import { prepareUnixDatagram } from './given-fd.js';
import { toSocketFile, type SocketFile } from './socket-file.js';
import { BoundUnixSocket, openUnnamed, type UnixBindOptions } from './unix-socket.js';

/** Options of `UnixDatagram.bind`. */
export interface UnixDatagramOptions extends SourceOptions, UnixBindOptions {}

const BIND_NAMES: Readonly<Record<keyof UnixDatagramOptions, true>> = {
  ...SOURCE_NAMES,
  mode: true,
  unlinkStale: true,
};

/** Which socket. */
type UnixDatagramPlace =
  | {
      /** A path, or `'\0name'`; bytes where it is no UTF-8. */
      path: UnixAddress;
      fd?: undefined;
    }
  // As of `UnixDatagram.fromFd`.
  | { fd: number; path?: undefined };

/** Options of `UnixDatagram.receive`. */
export interface ReceiveDatagramOptions extends CancelOptions {
  /**
   * More fds than this are closed, and reported by `fds.truncated`; 0 to 253, default 0: the system
   * closes them all.
   */
  maxFds?: number | undefined;
}

/** What is known of one datagram besides its bytes, in both styles. */
export interface ReceivedUnixMessage extends ReceivedMessage<string> {
  /**
   * The sender's address as the system has it, memory of your own: a name that is no UTF-8 has
   * U+FFFD in `address`, and is answered by these. Undefined for a sender without a name.
   */
  readonly addressBytes: Buffer | undefined;
}

/** One datagram, as `UnixDatagram.receive` gives it. */
export interface ReceivedUnixDatagram extends ReceivedUnixMessage {
  /**
   * Closed, as far as they were not taken, by the next receive and with the socket; when several
   * receives wait at once, not before whoever awaited this one has gone on: take them before
   * awaiting something else.
   */
  readonly fds: PassedFds;
}

/**
 * A Unix datagram socket: messages arrive whole, in order, or not at all, and a full receiver makes
 * its senders wait. Addresses are paths, or `'\0name'`; a sender without a name has none. Its file
 * is unlinked with it, unless it is another's by then.
 */
export class UnixDatagram extends MessageSocket<string, UnixAddress, ReceivedUnixMessage> {
  /** Null where it has none, or is not ours to take away. */
  #file: SocketFile | null;
  readonly #untaken = new UntakenFds();

  private constructor(io: AsyncFd, file: SocketFile | null) {
    super(io);
    this.#file = file;
  }

  /**
   * A socket with a name, to which others can send.
   *
   * @param path or `'\0name'` for the abstract namespace (Linux); bytes where it is no UTF-8
   * @throws (as rejection) TypeError, RangeError; ENAMETOOLONG, EADDRINUSE, EACCES, ENOENT and what
   * else bind(2) says; ERR_TRIPOLL_CLOSED
   */
  static override bind(path: UnixAddress, options: UnixDatagramOptions = {}): Promise<UnixDatagram> {
    return new Promise((resolve) => {
      checkNames('options', options, BIND_NAMES);
      resolve(UnixDatagram.open({ path }, options));
    });
  }

  /** A socket without a name, for sending. @throws TypeError; EMFILE; ERR_TRIPOLL_CLOSED */
  static unbound(options: SourceOptions = {}): UnixDatagram {
    checkNames('options', options, SOURCE_NAMES);
    chooseReactor(options.reactor);
    return new UnixDatagram(ownFd(openUnnamed(), 'socket', options), null);
  }

  /**
   * Takes a Unix datagram socket that was opened elsewhere, as one of systemd's (`listenFds`): it
   * is checked, made non-blocking and close-on-exec, and closed with this object. Its file stays:
   * it is whoever bound it's to unlink.
   *
   * @throws (as rejection) TypeError; RangeError for another kind of socket; EBADF, ENOTSOCK;
   * EEXIST when this reactor has it already; ERR_TRIPOLL_CLOSED. The fd is still the caller's then.
   */
  static fromFd(fd: number, options: SourceOptions = {}): Promise<UnixDatagram> {
    return new Promise((resolve) => {
      checkNames('options', options, SOURCE_NAMES);
      resolve(UnixDatagram.open({ fd }, options));
    });
  }

  /** @internal For `bind`, `fromFd` and `bindUnixDatagram`. */
  static open(where: UnixDatagramPlace, options: UnixDatagramOptions): UnixDatagram {
    const { fd } = where;
    const reactor = chooseReactor(options.reactor);
    if (fd !== undefined) {
      prepareUnixDatagram(fd);
      return new UnixDatagram(
        new AsyncFd(fd, { reactor, own: true, nonBlocking: false, name: 'socket' }),
        null,
      );
    }
    const bound = new BoundUnixSocket(where.path, 'datagram', options);
    try {
      return new UnixDatagram(ownFd(bound.fd, 'socket', options), bound.file);
    } catch (error) {
      bound.file.unlink();
      throw error;
    }
  }

  /**
   * From here on `send` needs no address, and only that socket's messages are received.
   *
   * @param path as of `bind`
   * @throws TypeError, RangeError; ENOENT, ECONNREFUSED, EACCES, EPROTOTYPE; ERR_TRIPOLL_CLOSED
   */
  connect(path: UnixAddress): void {
    if (this.closed) throw closedError('UnixDatagram');
    const error = native.connectBytes(this.fd, encodeUnixAddress(path, 'connect'));
    if (error < 0) throw systemError(error, 'connect', { address: unixAddressText(path) });
  }

  /** Its own address as the system has it, for a name that is no UTF-8; undefined once closed. */
  get localAddressBytes(): Buffer | undefined {
    return this.closed ? undefined : unixNameAsBytes(this.fd, 'local');
  }

  protected encode(address: UnixAddress): Uint8Array {
    return encodeUnixAddress(address, 'sendmsg');
  }

  protected decode(bytes: Uint8Array): string | undefined {
    return decodeUnixAddress(bytes) || undefined;
  }

  protected override describe(received: ReceivedMessage<string>, name: Uint8Array): ReceivedUnixMessage {
    const addressBytes = received.address === undefined ? undefined : unixAddressBytes(name);
    return { ...received, addressBytes };
  }

  /**
   * The next datagram, with the fds that came with it.
   *
   * @throws (as rejection) as `MessageSocket.receive`; RangeError
   */
  override async receive(
    buffer: Uint8Array,
    options: ReceiveDatagramOptions = {},
  ): Promise<ReceivedUnixDatagram> {
    checkCall(options, { maxFds: true });
    const { maxFds = 0, signal, timeoutMs } = options;
    checkInteger('maxFds', maxFds, 0, MAX_FDS);
    this.#untaken.begin();
    try {
      const { message, fds } = await this.receiveWith(buffer, maxFds, { signal, timeoutMs });
      return { ...message, fds };
    } finally {
      this.#untaken.end();
    }
  }

  protected override noteFds(fds: PassedFds): PassedFds {
    return this.#untaken.add(fds);
  }

  /**
   * Sends one message with fds. They stay yours: close them when you like, also before the promise
   * settles.
   *
   * @param fds at most 253 numbers
   * @throws (as rejection) as `send`; EBADF; ETOOMANYREFS when too many fds are on their way
   * (unix(7)); EMFILE when they cannot be duplicated
   */
  async sendFds(
    buffer: Uint8Array,
    fds: readonly number[],
    address?: UnixAddress,
    options: CancelOptions = {},
  ): Promise<number> {
    checkBytes('buffer', buffer);
    const name = address === undefined ? NO_ADDRESS : this.encode(address);
    const queued = new OutgoingFds(fds).duplicate();
    try {
      return await this.sendWith(buffer, name, queued.words, options);
    } finally {
      queued.close();
    }
  }

  /** unix_dgram_poll looks at the connected peer only. */
  protected override tellsRoom(name: Uint8Array): boolean {
    return name.length === 0;
  }

  /** @internal For `attach`. */
  static attached(
    fd: number,
    { file }: SocketHandle,
    handlers: UnixDatagramHandlers | null,
    options: SourceOptions,
  ): UnixDatagram {
    checkNames('options', options, SOURCE_NAMES);
    if (handlers !== null) checkFunction('handlers.message', handlers.message);
    const reactor = chooseReactor(options.reactor);
    const io = new AsyncFd(fd, { reactor, own: true, nonBlocking: false, name: 'socket' });
    const socket = new UnixDatagram(io, toSocketFile(file));
    if (handlers !== null) pumpMessages(socket, handlers);
    return socket;
  }

  /**
   * Gives the socket to another thread, or to another object of this one: waits until the sends that
   * wait are out, then this object closes without closing the socket. Receives that wait are
   * rejected then, and of handlers only `close` is called; messages that nobody has received, with
   * their fds, are still in the socket. fds that were received and not taken are closed. The file
   * goes along: whoever attaches it unlinks it on close, and `discardHandle` does.
   *
   * @returns the handle for `attach`
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_CLOSED; ABORT_ERR,
   * ERR_TRIPOLL_TIMEOUT: it is as it was then
   */
  async detach(options: CancelOptions = {}): Promise<SocketHandle<'unix-datagram'>> {
    checkCall(options);
    checkOpen(this.io, 'UnixDatagram');
    // Else at once: a handler that gives it away is called no more.
    const sent = this.whenSent(options);
    if (sent !== null) await sent;
    checkOpen(this.io, 'UnixDatagram');
    const file = this.#file;
    this.#file = null;
    try {
      return this.io.detachAs('unix-datagram', file?.details ?? {});
    } catch (error) {
      file?.unlink();
      throw error;
    }
  }

  /** @internal */
  override [LEFTOVERS](): () => void {
    const untaken = this.#untaken;
    const file = this.#file;
    return () => {
      untaken.close();
      file?.unlink();
    };
  }

  protected override onClosed(reason: Error): void {
    this.#untaken.close();
    this.#file?.unlink();
    super.onClosed(reason);
  }
}

/** Handlers of `bindUnixDatagram`. */
export type UnixDatagramHandlers = MessageHandlers<UnixDatagram, ReceivedUnixMessage>;

/** Which socket `bindUnixDatagram` opens. */
export type UnixDatagramTarget = UnixDatagramOptions & UnixDatagramPlace;

/**
 * Binds handler-style: `message` is called for each datagram, with a chunk that is lent until it
 * returns.
 *
 * @param target `{ path, ...options }`, `{ fd, ...options }`, or only the path with the options
 * behind
 * @param options for a `target` that is a path
 * @throws TypeError, RangeError; ENAMETOOLONG, EADDRINUSE, EACCES, ENOENT; ERR_TRIPOLL_CLOSED
 */
export function bindUnixDatagram(
  place: UnixDatagramTarget | UnixAddress,
  handlers: UnixDatagramHandlers,
  options?: UnixDatagramOptions,
): UnixDatagram {
  const target = withOptions<UnixDatagramTarget, UnixAddress>(place, options, (path) => ({ path }));
  checkNames('target', target, BIND_NAMES, { path: true, fd: true });
  checkObject('handlers', handlers);
  checkFunction('handlers.message', handlers.message);
  const where = target.fd === undefined ? { path: target.path } : { fd: target.fd };
  const socket = UnixDatagram.open(where, target);
  pumpMessages(socket, handlers);
  return socket;
}
