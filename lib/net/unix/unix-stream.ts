import { EMSGSIZE } from '../../binding/errnos.js';
import { busyError, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { needUnixMessages } from '../../binding/need-unix-messages.js';
import { checkInteger, checkNames } from '../../binding/validate.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import { checkCall, checkCancel, type CancelOptions } from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';
import { copiedAddress, unixName, unixNameAsBytes, type UnixAddress } from '../../sys/sockaddr.js';
import { toIdleTracker } from '../socket/idle-tracker.js';
import type { SocketHandle } from '../socket/detached.js';
import { followedBy, LEFTOVERS } from '../socket/resource.js';
import type { DetachOptions } from '../stream/detaching.js';
import { adopt, attachTo } from '../stream/opening.js';
import { RetriedConnect } from '../stream/retried-connect.js';
import { SocketStream } from '../stream/socket-stream.js';
import { STREAM_NAMES, toStreamProfile, type StreamProfile } from '../stream/stream-profile.js';
import { readPeerCredentials, type PeerCredentials } from './credentials.js';
import { messageReceiver } from '../message/message-receiver.js';
import { checkNotEmpty, MAX_FDS, OutgoingFds } from '../message/outgoing-fds.js';
import { NO_FDS, type PassedFds } from '../message/passed-fds.js';
import { prepareUnixStream } from './given-fd.js';
import { checkType, toConnectSettings, toTraits, typeOfHandle, type UnixSocketType } from './unix-socket.js';

const { AF_UNIX, SOCK_STREAM, SOCK_SEQPACKET, SOCK_NONBLOCK, SOCK_CLOEXEC } = native.constants;

/** Options of a Unix stream with promises. */
export interface UnixStreamOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
  /**
   * Milliseconds without bytes after which it is destroyed, as in `ConnectionOptions`. Default:
   * never.
   */
  idleTimeoutMs?: number | undefined;
  /** Default `'stream'`. */
  type?: UnixSocketType | undefined;
}

/** Options of `UnixStream.receive`. */
export interface ReceiveOptions extends CancelOptions {
  /** More fds than this are closed, and reported by `fds.truncated`; 0 to 253, default 253. */
  maxFds?: number | undefined;
}

/** What `UnixStream.receive` gives. */
export interface Received {
  /** How many bytes came; 0 at the end of the stream. */
  readonly lengthBytes: number;
  /** Closed, as far as they were not taken, by the next receive and with the stream. */
  readonly fds: PassedFds;
  /** A message of a seqpacket socket was longer than the buffer: its rest is lost. */
  readonly truncated: boolean;
}

/** A call of `receive` that waits for its bytes. */
interface PendingReceive {
  readonly maxFds: number;
  fds: PassedFds;
  truncated: boolean;
}

/**
 * A Unix stream or seqpacket socket with promises. `read` discards fds that come with the bytes:
 * the system closes them. Addresses are paths, `'\0name'` for an abstract name, `''` for an unnamed
 * socket.
 */
export class UnixStream extends SocketStream<string> {
  #receiving: PendingReceive | null = null;
  /** What was received last, and is closed unless somebody takes it. */
  #untaken: PassedFds = NO_FDS;

  /**
   * Connects. A full backlog is EAGAIN at once; with `timeoutMs` it is tried again every 10 ms
   * until then.
   *
   * @param path of the listener, or `'\0name'`; bytes where it is no UTF-8
   * @throws (as rejection) TypeError, RangeError; ENAMETOOLONG; ENOENT, ECONNREFUSED, EACCES,
   * EAGAIN, EPROTOTYPE (it is of another type) and what else connect(2) says; ABORT_ERR,
   * ERR_TRIPOLL_TIMEOUT
   */
  static async connect(
    path: UnixAddress,
    options: UnixStreamOptions & CancelOptions = {},
  ): Promise<UnixStream> {
    checkNames('options', options, STREAM_NAMES, { type: true, signal: true, timeoutMs: true });
    checkCancel(options);
    const { type = 'stream', signal, timeoutMs } = options;
    checkType(type);
    const profile = toUnixProfile(options, type);
    const stream = new UnixStream(profile);
    const settings = toConnectSettings(copiedAddress(path), type, { signal, timeoutMs }, false);
    return stream.whenOpen(() => stream.connectBy(new RetriedConnect(stream, profile, settings)));
  }

  /**
   * Two connected sockets, unnamed.
   *
   * @throws TypeError, RangeError; EMFILE and what else socketpair(2) says; ERR_TRIPOLL_CLOSED;
   * ERR_TRIPOLL_UNSUPPORTED on Windows
   */
  static pair(options: UnixStreamOptions = {}): [UnixStream, UnixStream] {
    checkNames('options', options, STREAM_NAMES, { type: true });
    const { type = 'stream' } = options;
    checkType(type);
    needUnixMessages('pairs of Unix sockets');
    const profile = toUnixProfile(options, type);
    const kind = type === 'stream' ? SOCK_STREAM : SOCK_SEQPACKET;
    const fds: number[] = [];
    const error = native.socketpair(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
    if (error < 0) throw systemError(error, 'socketpair');
    const [one, other] = fds as [number, number];
    return [UnixStream.accepted(one, profile), UnixStream.accepted(other, profile)];
  }

  /**
   * Makes a stream of a connected Unix socket that was opened elsewhere: inherited, or passed by
   * another process. It is checked, made non-blocking and close-on-exec, and closed with the
   * stream.
   *
   * @param options `type` is the socket's own
   * @throws (as rejection) TypeError; RangeError for another kind of socket, or one that listens;
   * EBADF, ENOTSOCK, ENOTCONN; EEXIST when this reactor has it already; ERR_TRIPOLL_CLOSED. The fd
   * is still the caller's then.
   */
  static async fromFd(fd: number, options: Omit<UnixStreamOptions, 'type'> = {}): Promise<UnixStream> {
    checkNames('options', options, STREAM_NAMES);
    const reactor = chooseReactor(options.reactor);
    const idle = toIdleTracker(reactor, options);
    const profile = toStreamProfile(reactor, idle, null, toTraits(prepareUnixStream(fd)));
    const stream = new UnixStream(profile);
    adopt(stream, fd, true);
    if (stream.failure !== null) throw stream.failure;
    return Promise.resolve(stream);
  }

  /** @internal For `UnixListener`. */
  static accepted(fd: number, profile: StreamProfile): UnixStream {
    const stream = new UnixStream(profile);
    adopt(stream, fd);
    return stream;
  }

  /** @internal For `attach`. */
  static attached(handle: SocketHandle, options: UnixStreamOptions): UnixStream {
    checkNames('options', options, STREAM_NAMES);
    const stream = new UnixStream(toUnixProfile(options, typeOfHandle(handle)));
    attachTo(stream, handle);
    return stream;
  }

  /** As `TcpStream.detach`; fds that were received and not taken are closed. */
  detach(options: DetachOptions = {}): Promise<SocketHandle<'unix'>> {
    return this.detachAs('unix', options);
  }

  /**
   * The process at the other end, as of its connect(2) or listen(2).
   *
   * @throws ERR_TRIPOLL_UNSUPPORTED where the system cannot tell; ERR_TRIPOLL_CLOSED
   */
  get peerCredentials(): PeerCredentials {
    return readPeerCredentials(this.fd);
  }

  // ---- reading ----

  /**
   * Reads as any stream does; from a seqpacket socket one message, EMSGSIZE if it is longer than
   * the buffer.
   */
  override async read(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    if (!this.profile.traits.messages) return super.read(buffer, options);
    const { lengthBytes, truncated } = await this.receive(buffer, { ...options, maxFds: 0 });
    if (truncated) throw systemError(EMSGSIZE, 'read');
    return lengthBytes;
  }

  /**
   * Reads as any stream does; from a seqpacket socket one message, EMSGSIZE if it is longer than
   * the buffer.
   */
  override tryRead(buffer: Uint8Array): number | null {
    if (!this.profile.traits.messages || this.isWaiting) return super.tryRead(buffer);
    const pending: PendingReceive = { maxFds: 0, fds: NO_FDS, truncated: false };
    this.#receiving = pending;
    try {
      const received = super.tryRead(buffer);
      if (pending.truncated) throw systemError(EMSGSIZE, 'read');
      return received;
    } finally {
      this.#receiving = null;
    }
  }

  /**
   * Reads as `read`, and gets the fds that came with these bytes: those of at most one send, whose
   * bytes are the last of the receive. On a stream there may be earlier bytes before them: say in
   * the bytes where fds belong.
   *
   * @throws (as rejection) as `read`; ERR_TRIPOLL_UNSUPPORTED on Windows
   */
  async receive(buffer: Uint8Array, options: ReceiveOptions = {}): Promise<Received> {
    checkCall(options, { maxFds: true });
    const { maxFds = MAX_FDS, signal, timeoutMs } = options;
    checkInteger('maxFds', maxFds, 0, MAX_FDS);
    needUnixMessages('fds over Unix sockets');
    if (this.isWaiting) throw busyError('another read() is waiting');
    const pending: PendingReceive = { maxFds, fds: NO_FDS, truncated: false };
    this.#receiving = pending;
    try {
      const lengthBytes = await super.read(buffer, { signal, timeoutMs });
      return { lengthBytes, fds: pending.fds, truncated: pending.truncated };
    } finally {
      if (this.#receiving === pending) this.#receiving = null;
    }
  }

  protected override receiveInto(buffer: Uint8Array): number {
    const pending = this.#receiving;
    if (pending === null) return super.receiveInto(buffer);
    const received = messageReceiver.receive(this.fd, buffer, pending.maxFds);
    if (received < 0) return received;
    this.#receiving = null;
    this.#untaken.close();
    this.#untaken = pending.fds = messageReceiver.takeFds();
    pending.truncated = messageReceiver.truncated;
    return received;
  }

  // ---- writing ----

  /**
   * Writes as any stream does; to a seqpacket socket one message, at least a byte long, EMSGSIZE if
   * it is too long.
   */
  override async write(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    if (this.profile.traits.messages) checkNotEmpty(buffer);
    return super.write(buffer, options);
  }

  /** Writes as any stream does; to a seqpacket socket one message, at least a byte long. */
  override async writeAll(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    if (this.profile.traits.messages) checkNotEmpty(buffer);
    return super.writeAll(buffer, options);
  }

  /**
   * Writes all of `buffer`, and passes `fds` along with its first byte. They stay yours: close them
   * when you like, also before the promise settles.
   *
   * @param buffer at least one byte long
   * @param fds at most 253 numbers
   * @throws (as rejection) TypeError, RangeError; EBADF; ETOOMANYREFS when too many fds are on
   * their way (unix(7)); EMFILE when they have to wait and cannot be duplicated;
   * ERR_TRIPOLL_UNSUPPORTED on Windows; else as `write`
   */
  async send(buffer: Uint8Array, fds: readonly number[], options?: CancelOptions): Promise<number> {
    checkNotEmpty(buffer);
    needUnixMessages('fds over Unix sockets');
    return this.startWrite(buffer, true, options, new OutgoingFds(fds));
  }

  /** Our end as the system has it, for a name that is no UTF-8; undefined once it has closed. */
  get localAddressBytes(): Buffer | undefined {
    return unixNameAsBytes(this.fd, 'local');
  }

  /** The peer likewise. */
  get remoteAddressBytes(): Buffer | undefined {
    return unixNameAsBytes(this.fd, 'remote');
  }

  protected addressOf(side: 'local' | 'remote'): string | undefined {
    return unixName(this.fd, side);
  }

  /** @internal */
  override [LEFTOVERS](): (() => void) | null {
    const untaken = this.#untaken;
    return followedBy(super[LEFTOVERS](), () => untaken.close());
  }

  protected override onDestroyed(error: Error | null): void {
    this.#untaken.close();
    super.onDestroyed(error);
  }
}

function toUnixProfile(options: UnixStreamOptions, type: UnixSocketType): StreamProfile {
  const reactor = chooseReactor(options.reactor);
  return toStreamProfile(reactor, toIdleTracker(reactor, options), null, toTraits(type));
}
