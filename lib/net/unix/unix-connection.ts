import { needUnixMessages } from '../../binding/need-unix-messages.js';
import { EINTR, EMSGSIZE } from '../../binding/errnos.js';
import { systemError } from '../../binding/errors.js';
import { checkFunction, checkNames } from '../../binding/validate.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import { abortedBefore, checkCancelTypes, type CancelOptions } from '../../reactor/cancellation.js';
import { copiedAddress, unixName, unixNameAsBytes, type UnixAddress } from '../../sys/sockaddr.js';
import { withOptions } from '../socket/place.js';
import {
  checkHandlers,
  toConnectionProfile,
  type ConnectionProfile,
  CONNECTION_NAMES,
  type SocketConnectionOptions,
  type StreamHandlers,
} from '../stream/connection-profile.js';
import type { SocketHandle } from '../socket/detached.js';
import type { DetachOptions } from '../stream/detaching.js';
import { adopt } from '../stream/opening.js';
import { RetriedConnect } from '../stream/retried-connect.js';
import { SocketConnection, type WriteOptions } from '../stream/socket-connection.js';
import { REFUSED_WHOLE } from '../stream/write-queue.js';
import { goesLater, mayGoOn } from '../stream/writing.js';
import { readPeerCredentials, type PeerCredentials } from './credentials.js';
import { messageReceiver } from '../message/message-receiver.js';
import { checkNotEmpty, MAX_FDS, OutgoingFds, type QueuedFds } from '../message/outgoing-fds.js';
import { NO_FDS, type PassedFds } from '../message/passed-fds.js';
import type { StreamListener } from '../stream/stream-listener.js';
import type { UnixStream } from './unix-stream.js';
import {
  checkType,
  isTooLong,
  toConnectSettings,
  toTraits,
  typeOfHandle,
  type UnixSocketType,
} from './unix-socket.js';

/** Handlers of a connection on a Unix socket; all are optional. */
export interface UnixHandlers<Data = unknown> extends StreamHandlers<UnixConnection<Data>> {
  /**
   * fds came, those of one `send`, with the chunk that `data` gets next: its last bytes are those
   * of that send. Those that are not taken when it returns are closed. Without this handler the
   * system closes them all.
   */
  fds?(connection: UnixConnection<Data>, fds: PassedFds): unknown;
}

/**
 * What `connectUnix` takes besides the path. `signal` and `timeoutMs` are for the connecting: once
 * open they have no effect.
 */
export interface UnixConnectOptions extends SocketConnectionOptions, CancelOptions {
  /** Default `'stream'`. */
  type?: UnixSocketType | undefined;
}

/** Target of a connect, and its options. */
export interface UnixConnectTarget extends UnixConnectOptions {
  /** Path of the listener, or `'\0name'`; bytes where it is no UTF-8. */
  path: UnixAddress;
}

const TARGET_NAMES = { path: true, type: true, signal: true, timeoutMs: true } as const;

/** @throws TypeError; ERR_TRIPOLL_UNSUPPORTED for `fds` where none can be passed */
export function checkUnixHandlers(handlers: unknown): void {
  checkHandlers(handlers);
  const { fds } = handlers as Partial<UnixHandlers>;
  if (fds === undefined) return;
  checkFunction('handlers.fds', fds);
  needUnixMessages('fds over Unix sockets');
}

/**
 * A handler-style connection of a Unix stream or seqpacket socket. A message of more than 64 KB,
 * the size of the read buffer, ends a seqpacket connection with EMSGSIZE.
 */
export class UnixConnection<Data = unknown> extends SocketConnection<Data, string> {
  /** What came with the bytes that are about to be delivered. */
  #passed: PassedFds = NO_FDS;

  /** @internal For `UnixListener`. */
  static accepted(fd: number, profile: ConnectionProfile): void {
    const connection = new UnixConnection(profile);
    adopt(connection, fd);
    if (connection.isOpen) connection.onOpen();
  }

  /** @internal For `lib/node`: as `TcpConnection.given`. */
  static given(fd: number, profile: ConnectionProfile): UnixConnection {
    const connection = new UnixConnection(profile);
    adopt(connection, fd, true);
    return connection;
  }

  /** @internal For `attach`. */
  static attached(
    handle: SocketHandle,
    handlers: UnixHandlers,
    options: SocketConnectionOptions,
  ): UnixConnection {
    checkNames('options', options, CONNECTION_NAMES);
    checkUnixHandlers(handlers);
    const reactor = chooseReactor(options.reactor);
    const traits = toTraits(typeOfHandle(handle));
    return new UnixConnection(toConnectionProfile(reactor, handlers, options, null, traits)).attachTo(handle);
  }

  /** As `TcpConnection.detach`. */
  detach(options: DetachOptions = {}): Promise<SocketHandle<'unix'>> {
    return this.detachAs('unix', options);
  }

  /** @internal For `connectUnix`. */
  static connecting<Data>(
    to: UnixConnectTarget | UnixAddress,
    handlers: UnixHandlers<Data>,
    options: UnixConnectOptions | undefined,
  ): UnixConnection<Data> {
    const target = withOptions<UnixConnectTarget, UnixAddress>(to, options, (path) => ({ path }));
    checkNames('target', target, CONNECTION_NAMES, TARGET_NAMES);
    checkUnixHandlers(handlers);
    checkCancelTypes(target);
    const { path, type = 'stream', signal, timeoutMs } = target;
    checkType(type);
    const reactor = chooseReactor(target.reactor);
    const profile = toConnectionProfile(reactor, handlers, target, null, toTraits(type));
    const connection = new UnixConnection<Data>(profile);
    const aborted = abortedBefore(target);
    const settings = toConnectSettings(copiedAddress(path), type, { signal, timeoutMs }, true);
    if (aborted !== null) connection.destroy(aborted);
    else connection.connectBy(new RetriedConnect(connection, profile, settings));
    return connection;
  }

  /** The listener that accepted it; null for one that was connected. */
  get listener(): StreamListener<UnixStream, string> | null {
    return this.profile.listener as StreamListener<UnixStream, string> | null;
  }

  /**
   * The process at the other end, as of its connect(2) or listen(2).
   *
   * @throws ERR_TRIPOLL_UNSUPPORTED where the system cannot tell; ERR_TRIPOLL_CLOSED
   */
  get peerCredentials(): PeerCredentials {
    return readPeerCredentials(this.fd);
  }

  protected override receiveArena(): number {
    const wantsFds = (this.profile.handlers as UnixHandlers).fds !== undefined;
    if (!wantsFds && !this.profile.traits.messages) return super.receiveArena();
    const received = messageReceiver.receiveArena(this.fd, wantsFds ? MAX_FDS : 0);
    if (received < 0) return received;
    this.#passed = messageReceiver.takeFds();
    if (!messageReceiver.truncated) return received;
    this.#passed.close();
    return EMSGSIZE;
  }

  protected override receiveToCopy(fd: number, buffer: Uint8Array): number {
    if (!this.profile.traits.messages) return super.receiveToCopy(fd, buffer);
    const received = messageReceiver.receive(fd, buffer, 0);
    return received > 0 && messageReceiver.truncated ? EMSGSIZE : received;
  }

  protected override deliver(length: number): void {
    const passed = this.#passed;
    this.#passed = NO_FDS;
    if (passed !== NO_FDS) {
      const { fds } = this.profile.handlers as UnixHandlers;
      this.callHandler(fds && ((connection: never) => fds(connection, passed)));
      passed.close();
      if (!this.isOpen) return;
    }
    super.deliver(length);
  }

  /**
   * Writes as any connection does; of a seqpacket socket one message, at least a byte long.
   *
   * @throws as `SocketConnection.write`; of a seqpacket socket RangeError, and EMSGSIZE for a
   * message that is longer than its send buffer takes, by which nothing was sent: the connection
   * goes on. What is written before `open` cannot be judged yet, and ends the connection with it.
   */
  override write(chunk: Uint8Array, options?: WriteOptions): boolean {
    if (this.profile.traits.messages) checkNotEmpty(chunk);
    return super.write(chunk, options);
  }

  /**
   * Writes as `write`, and passes `fds` along with the first byte. They stay yours: close them when
   * you like.
   *
   * @param chunk at least one byte long
   * @param fds at most 253 numbers
   * @throws as `write`; RangeError; EBADF; ETOOMANYREFS, EMSGSIZE, by which nothing was sent;
   * EMFILE when they have to wait and cannot be duplicated; ERR_TRIPOLL_UNSUPPORTED on Windows
   */
  send(chunk: Uint8Array, fds: readonly number[]): boolean {
    checkNotEmpty(chunk);
    needUnixMessages('fds over Unix sockets');
    const outgoing = new OutgoingFds(fds);
    // It says why, and throws or returns false.
    if (this.closed || this.writeEnded) return super.write(chunk);
    if (!this.canWriteNow) return this.enqueue(chunk, 0, outgoing.duplicate());
    const written = outgoing.send(this.fd, chunk);
    if (written === chunk.length) return true;
    if (REFUSED_WHOLE.has(written)) throw systemError(written, 'write');
    if (written < 0 && written !== EINTR && !goesLater(this, written)) {
      this.fail(written, 'write');
      return false;
    }
    if (mayGoOn(written)) this.flushSoon();
    return written > 0 ? this.enqueue(chunk, written, null) : this.enqueue(chunk, 0, outgoing.duplicate());
  }

  /** A message that has to wait is judged now: later there is nobody to throw to. */
  protected override enqueue(
    chunk: Uint8Array,
    offset: number,
    fds: QueuedFds | null,
    keep = false,
  ): boolean {
    if (this.profile.traits.messages && isTooLong(this.fd, chunk.length)) {
      fds?.close();
      throw systemError(EMSGSIZE, 'write');
    }
    return super.enqueue(chunk, offset, fds, keep);
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
}

/**
 * Connects handler-style to a Unix socket; `open` tells when it is done. A failed connect is
 * `error` and `close`, without `open`; a full backlog is EAGAIN at once, with `timeoutMs` it is
 * tried again every 10 ms until then.
 *
 * @param target `{ path, ...options }`, or only the path with the options behind
 * @param options for a `target` that is a path
 * @throws TypeError, RangeError for wrong arguments; ERR_TRIPOLL_CLOSED
 */
export function connectUnix<Data = unknown>(
  target: UnixConnectTarget | UnixAddress,
  handlers: UnixHandlers<Data>,
  options?: UnixConnectOptions,
): UnixConnection<Data> {
  return UnixConnection.connecting(target, handlers, options);
}
