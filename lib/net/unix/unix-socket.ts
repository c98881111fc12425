import { chmodSync } from 'node:fs';
import { capabilities } from '../../binding/capabilities.js';
import { EAGAIN, EINPROGRESS, EINVAL, ENOTCONN } from '../../binding/errnos.js';
import { errnoOf, outOfRange, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { needUnixMessages } from '../../binding/need-unix-messages.js';
import { checkInteger } from '../../binding/validate.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import { applyOptions, type EncodedOption } from '../socket/encoded-option.js';
import type { SocketHandle } from '../socket/detached.js';
import type { Connecting, RetriedConnectSettings } from '../stream/retried-connect.js';
import { SEQPACKET_TRAITS, UNIX_TRAITS, type StreamTraits } from '../stream/stream-profile.js';
import {
  encodeUnixAddress,
  MAX_ADDRESS_BYTES,
  unixAddressText,
  type UnixAddress,
} from '../../sys/sockaddr.js';
import { connectErrno, ECONNREFUSED, identify, SocketFile, toFile, unlinkAny } from './socket-file.js';

const { AF_UNIX, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET } = native.constants;
const { SOCK_NONBLOCK, SOCK_CLOEXEC, SOL_SOCKET, SO_SNDBUF, SUN_PATH_OFFSET = 2 } = native.constants;
/**
 * What Linux keeps of the send buffer for itself (unix_dgram_sendmsg); the BSDs keep nothing
 * (sosend_generic).
 */
const MESSAGE_OVERHEAD_BYTES = capabilities.backends.includes('epoll') ? 32 : 0;
const EADDRINUSE = errnoOf('EADDRINUSE');
const MAX_MODE = 0o777;
/** An answer takes no longer that comes from this machine, be it ever so busy. */
const PROBE_MS = 1000;

/** `'seqpacket'`: connected as a stream, but what is written at once is read at once (unix(7)). */
export type UnixSocketType = 'stream' | 'seqpacket';

/** How a name in the file system is treated; an abstract name has none of it. */
export interface UnixBindOptions {
  /**
   * Permission bits of the socket's file, of which connecting needs the one to write; default: what
   * umask(2) leaves. On Linux nobody finds the file with other bits; on macOS and the BSDs a
   * datagram socket has umask's for a moment, while it is being bound.
   */
  mode?: number | undefined;
  /**
   * A socket's file that nobody listens on any more (connect(2) says ECONNREFUSED) is unlinked
   * first, instead of EADDRINUSE; default false. Two programs that do so at the very same time can
   * take each other's name away. The BSDs, macOS and Windows refuse what finds a full backlog too:
   * there a listener that is so busy loses its name.
   */
  unlinkStale?: boolean | undefined;
}

const types = { stream: SOCK_STREAM, seqpacket: SOCK_SEQPACKET, datagram: SOCK_DGRAM };

function openSocket(type: keyof typeof types): number {
  if (type !== 'stream') needUnixMessages(`${type} Unix sockets`);
  const fd = native.socket(AF_UNIX, types[type] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError(fd, 'socket');
  return fd;
}

/** @throws RangeError */
export function checkType(type: UnixSocketType): void {
  if (type !== 'stream' && type !== 'seqpacket') {
    throw outOfRange('type', `'stream' or 'seqpacket'`, type);
  }
}

export function toTraits(type: UnixSocketType): StreamTraits {
  return type === 'seqpacket' ? SEQPACKET_TRAITS : UNIX_TRAITS;
}

/** Of a detached stream or listener. */
export function typeOfHandle({ seqpacket }: SocketHandle): UnixSocketType {
  return seqpacket === true ? 'seqpacket' : 'stream';
}

/** Whether a seqpacket socket would answer EMSGSIZE; false where the fd cannot tell. */
export function isTooLong(fd: number, messageBytes: number): boolean {
  const value = new Int32Array(1);
  if (native.getsockopt(fd, SOL_SOCKET, SO_SNDBUF, new Uint8Array(value.buffer)) < 0) return false;
  return messageBytes > value[0]! - MESSAGE_OVERHEAD_BYTES;
}

/** An unnamed one. */
export function openUnnamed(): number {
  return openSocket('datagram');
}

/** @throws ERR_TRIPOLL_UNSUPPORTED: Windows binds them, and connects to none (WSL's issue 4240) */
function checkNotAbstract(bytes: Uint8Array): void {
  if (bytes[SUN_PATH_OFFSET] === 0) needUnixMessages('abstract names of Unix sockets');
}

/**
 * A connected socket. Unix connects at once or not at all; EAGAIN means that the listener's backlog
 * is full. On Windows connecting may go on.
 *
 * @throws ENOENT, ECONNREFUSED, EACCES, EAGAIN, EPROTOTYPE and what else connect(2) says
 */
function connectUnixSocket(address: UnixAddress, type: UnixSocketType): number | Connecting {
  const bytes = encodeUnixAddress(address, 'connect');
  checkNotAbstract(bytes);
  const fd = openSocket(type);
  const error = native.connectBytes(fd, bytes);
  if (error === 0) return fd;
  if (error === EINPROGRESS) return { fd, outcome: () => connectOutcome(fd, address) };
  native.close(fd);
  throw connectError(error, address);
}

function connectError(error: number, address: UnixAddress): Error {
  return systemError(connectErrno(error, address), 'connect', { address: unixAddressText(address) });
}

/** Of a connect that went on: undefined while it does. */
function connectOutcome(fd: number, address: UnixAddress): Error | null | undefined {
  const error = native.takeSocketError(fd);
  if (error < 0) return connectError(error, address);
  // Spurious: it is neither connected nor refused yet (T44).
  return native.nameBytes(fd, 1, new Uint8Array(MAX_ADDRESS_BYTES)) === ENOTCONN ? undefined : null;
}

/** How a stream connects: a full backlog (EAGAIN) is tried again until `timeoutMs` is over. */
export function toConnectSettings(
  path: UnixAddress,
  type: UnixSocketType,
  { signal, timeoutMs }: CancelOptions,
  tellsLater: boolean,
): RetriedConnectSettings {
  const retries = (timeoutMs ?? 0) > 0 ? Infinity : 0;
  return { open: () => connectUnixSocket(path, type), full: EAGAIN, retries, signal, timeoutMs, tellsLater };
}

/**
 * Or others could send to it in between: Linux gives the file the socket's own mode (unix_bind). By
 * node:fs it is not to be had everywhere: Deno's knows only fds that it has opened itself.
 */
function setModeBeforeBind(fd: number, mode: number): void {
  const error = native.fchmod?.(fd, mode) ?? 0;
  // macOS and the BSDs keep no mode of a socket (T99). Nobody connects before listen(2), all the
  // same.
  if (error < 0 && error !== EINVAL) throw systemError(error, 'fchmod');
}

/** A socket with a name, which is taken away again when the socket has closed. */
export class BoundUnixSocket {
  readonly fd: number;
  /** To be unlinked when the fd has been closed. */
  readonly file: SocketFile;

  /**
   * @throws TypeError, RangeError; ENAMETOOLONG, EADDRINUSE, EACCES, ENOENT and what else bind(2)
   * says
   */
  constructor(
    address: UnixAddress,
    type: UnixSocketType | 'datagram',
    options: UnixBindOptions,
    socketOptions: readonly EncodedOption[] = [],
  ) {
    const { mode, unlinkStale = false } = options;
    if (mode !== undefined) {
      checkInteger('mode', mode, 0, MAX_MODE);
      needUnixMessages('permission bits of Unix sockets');
    }
    const bytes = encodeUnixAddress(address);
    checkNotAbstract(bytes);
    const file = toFile(address);
    this.fd = openSocket(type);
    try {
      applyOptions(this.fd, socketOptions);
      if (mode !== undefined && file !== null) setModeBeforeBind(this.fd, mode);
      this.#bind(address, bytes, type, unlinkStale ? file : null);
      // And after it, for the bits that umask(2) took.
      if (mode !== undefined && file !== null) chmodSync(file, mode);
    } catch (error) {
      native.close(this.fd);
      throw error;
    }
    this.file = new SocketFile(file, identify(file));
  }

  #bind(
    address: UnixAddress,
    bytes: Uint8Array,
    type: UnixSocketType | 'datagram',
    stale: string | Buffer | null,
  ): void {
    let error = native.bindBytes(this.fd, bytes);
    if (error === EADDRINUSE && stale !== null && removeStale(stale, bytes, type)) {
      error = native.bindBytes(this.fd, bytes);
    }
    if (error < 0) throw systemError(error, 'bind', { address: unixAddressText(address) });
  }
}

/** Whether a file that no socket listens on was there, and is gone. */
function removeStale(file: string | Buffer, bytes: Uint8Array, type: UnixSocketType | 'datagram'): boolean {
  const before = identify(file);
  if (before === null) return false;
  const probe = openSocket(type);
  let error = native.connectBytes(probe, bytes);
  if (error === EINPROGRESS) error = native.awaitConnect?.(probe, PROBE_MS) ?? error;
  native.close(probe);
  // Any other answer comes from one that is alive: a full backlog on Linux, another type of socket,
  // a refusal.
  if (error !== ECONNREFUSED || identify(file) !== before) return false;
  unlinkAny(file);
  return true;
}
