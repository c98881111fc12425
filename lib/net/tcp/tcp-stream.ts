import { checkNames } from '../../binding/validate.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import { checkCancel, type CancelOptions } from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';
import { splitHostPort, type SocketAddress, type SocketAddressInput } from '../../sys/address.js';
import { CONNECT_NAMES, ConnectRace, type ConnectOptions } from './connect-race.js';
import { prepareStreamFd } from './given-fd.js';
import { toIdleTracker } from '../socket/idle-tracker.js';
import { setOption } from '../socket/socket-options.js';
import type { SocketHandle } from '../socket/detached.js';
import type { DetachOptions } from '../stream/detaching.js';
import { adopt, attachTo } from '../stream/opening.js';
import { SocketStream } from '../stream/socket-stream.js';
import { refusal } from '../stream/writing.js';
import { socketName } from '../socket/socket-name.js';
import {
  TCP_TRAITS,
  toStreamProfile,
  type StreamProfile,
  STREAM_NAMES,
  type TcpOptions,
} from '../stream/stream-profile.js';
import { peerLeftError } from '../socket/stream-calls.js';
import { extrasOf } from './tcp-extras.js';
import { sendUrgent } from './urgent.js';
import { writeZeroCopy, type ZeroCopyResult } from './zero-copy.js';

/** Options of a TCP stream with promises. */
export interface StreamOptions extends TcpOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
  /**
   * Milliseconds without bytes after which it is destroyed, as in `ConnectionOptions`. Default:
   * never.
   */
  idleTimeoutMs?: number | undefined;
}

/** A TCP stream with promises. */
export class TcpStream extends SocketStream {
  /**
   * Connects; a name's addresses are raced (RFC 8305).
   *
   * @param address `'host:port'`, `'[v6]:port'` or `{ host, port }`
   * @throws (as rejection) TypeError, RangeError; ECONNREFUSED, ETIMEDOUT, ENETUNREACH,
   * EHOSTUNREACH and what else connect(2) says; an AggregateError with the first one's code when
   * several addresses failed; ENOTFOUND and others of `dns.lookup`; ABORT_ERR, ERR_TRIPOLL_TIMEOUT
   */
  static async connect(
    address: SocketAddressInput,
    options: StreamOptions & ConnectOptions = {},
  ): Promise<TcpStream> {
    checkNames('options', options, STREAM_NAMES, CONNECT_NAMES);
    checkCancel(options);
    const hostPort = splitHostPort(address);
    const reactor = chooseReactor(options.reactor);
    const profile = toStreamProfile(reactor, toIdleTracker(reactor, options), null, TCP_TRAITS);
    const stream = new TcpStream(profile);
    return stream.whenOpen(() => stream.connectBy(new ConnectRace(stream, profile, hostPort, options)));
  }

  /**
   * A stream on a connected TCP socket that was opened elsewhere (for AF_UNIX:
   * `UnixStream.fromFd`): it is checked, made non-blocking, and closed with the stream. TCP_NODELAY
   * is left as it is unless `noDelay` is given.
   *
   * @throws (as rejection) TypeError; RangeError for another kind of socket, or one that listens;
   * EBADF, ENOTSOCK, ENOTCONN; EEXIST when this reactor has it already. The fd is still the
   * caller's then.
   */
  static async fromFd(fd: number, options: StreamOptions = {}): Promise<TcpStream> {
    checkNames('options', options, STREAM_NAMES, { noDelay: true });
    const reactor = chooseReactor(options.reactor);
    const profile = toStreamProfile(reactor, toIdleTracker(reactor, options), null, TCP_TRAITS);
    prepareStreamFd(fd);
    if (options.noDelay !== undefined) setOption(fd, 'tcpNoDelay', options.noDelay);
    const stream = new TcpStream(profile);
    adopt(stream, fd, true);
    if (stream.failure !== null) throw stream.failure;
    return Promise.resolve(stream);
  }

  /** @internal For `TcpListener`. */
  static accepted(fd: number, profile: StreamProfile): TcpStream {
    const stream = new TcpStream(profile);
    adopt(stream, fd);
    return stream;
  }

  /** @internal For `attach`. */
  static attached(handle: SocketHandle, options: StreamOptions): TcpStream {
    checkNames('options', options, STREAM_NAMES);
    const reactor = chooseReactor(options.reactor);
    const profile = toStreamProfile(reactor, toIdleTracker(reactor, options), null, TCP_TRAITS);
    const stream = new TcpStream(profile);
    attachTo(stream, handle);
    return stream;
  }

  /**
   * Gives the socket to another thread, or to another object of this one: waits until all that was
   * written is out, then this object closes without closing the socket. A read that waits is
   * rejected then; what nobody has read is still in the socket, and an end of our side stays ended.
   * Options of the socket go along; what this object has, as `idleTimeoutMs`, does not.
   *
   * @returns the handle for `attach`
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_BUSY while urgent data, zero-copy or a
   * copy is waiting; ERR_TRIPOLL_STATE while it is connecting; ERR_TRIPOLL_CLOSED, and what ended it
   * meanwhile; ABORT_ERR, ERR_TRIPOLL_TIMEOUT: it is as it was then
   */
  detach(options: DetachOptions = {}): Promise<SocketHandle<'tcp'>> {
    return this.detachAs('tcp', options);
  }

  protected addressOf(side: 'local' | 'remote'): SocketAddress | undefined {
    return socketName(side, this.fd);
  }

  // ---- what few streams need ----

  /**
   * Writes without the copy into the kernel (MSG_ZEROCOPY): settles when the kernel has given the
   * memory back, which is when the peer has acknowledged it. Worth it from some 10 KB on, and not
   * on loopback, where the kernel copies. Linux 4.14.
   *
   * @param memory a view of `allocateZeroCopy`; not to be written to until the promise settles, and
   * after a rejection no more at all: the kernel may still be sending it
   * @throws (as rejection) as `writeAll`
   */
  writeZeroCopy(memory: Uint8Array, options?: CancelOptions): Promise<ZeroCopyResult> {
    return writeZeroCopy(this, extrasOf(this.ensureCold(), this).zeroCopy, memory, options);
  }

  /**
   * Writes one byte as urgent data (MSG_OOB), in the order of the other writes.
   *
   * @throws (as rejection) as `writeAll`; RangeError
   */
  sendUrgent(byte: number, options?: CancelOptions): Promise<void> {
    return sendUrgent(this, byte, options);
  }

  /**
   * The next urgent byte. TCP keeps one: a second that comes before the first was received replaces
   * it. Under the option `urgentInline` it is part of the stream instead, and this does not settle.
   *
   * @throws (as rejection) ERR_TRIPOLL_BUSY while another waits; ERR_TRIPOLL_CLOSED, also when the
   * peer has ended its side; ECONNRESET and what else recv(2) says; ABORT_ERR, ERR_TRIPOLL_TIMEOUT;
   * ERR_TRIPOLL_UNSUPPORTED under the kqueue of FreeBSD and NetBSD, which does not tell of it
   */
  receiveUrgent(options: CancelOptions = {}): Promise<number> {
    const refused = refusal(options);
    if (refused !== null) return Promise.reject(refused);
    if (this.closed) return Promise.reject(this.whyClosed());
    if (this.readEnded) return Promise.reject(peerLeftError());
    return extrasOf(this.ensureCold(), this).receiveUrgent(options);
  }

  /** Closes with a RST. */
  reset(): void {
    this.resetNow();
  }
}
