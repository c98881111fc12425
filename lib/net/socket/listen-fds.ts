import { fstatSync } from 'node:fs';
import { systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { decodeInternetAddress, isUnixAddress, MAX_ADDRESS_BYTES } from '../../sys/sockaddr.js';
import { readSocketInt } from './given-fd.js';

/** The first fd that systemd passes (sd_listen_fds(3)). */
const FIRST_FD = 3;
/** More than any process may have (fs.nr_open's own default is 2^20). */
const MAX_FDS = 1 << 20;
const { F_GETFD, F_SETFD, FD_CLOEXEC } = native.constants;
const { SO_TYPE, SO_ACCEPTCONN, SOCK_STREAM, SOCK_DGRAM } = native.constants;

/** Class whose `fromFd` takes an fd; `'other'` where none here does, as a file. */
export type ListenFdKind =
  | 'TcpListener'
  | 'TcpStream'
  | 'UnixListener'
  | 'UnixStream'
  | 'UnixDatagram'
  | 'UdpSocket'
  | 'FdStream'
  | 'other';

/** A socket, or what else the service manager opened for this process. */
export interface ListenFd {
  /** Its number: the caller's to use and to close. */
  readonly fd: number;
  /**
   * The class that it is for; a seqpacket socket is a `UnixListener` or `UnixStream`, a FIFO or a
   * terminal an `FdStream`.
   */
  readonly kind: ListenFdKind;
  /** `FileDescriptorName=`, by default the socket unit's name; 'unknown' where it was not told. */
  readonly name: string;
}

/**
 * The fds of systemd's socket activation: those of LISTEN_FDS, if LISTEN_PID is this process. They
 * are marked to be closed on exec, and the variables are taken out of the environment, so that a
 * child does not think them its own: a second call gives none. `kind` names the class whose
 * `fromFd` takes one; `listen`, `listenUnix`, `bindUdp` and `bindUnixDatagram` take them as
 * `{ fd }`.
 *
 * @throws EBADF when one of them is not open
 */
export function listenFds(): readonly ListenFd[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = process.env;
  if (LISTEN_PID === undefined || Number(LISTEN_PID) !== process.pid) return [];
  const count = Number(LISTEN_FDS);
  if (!Number.isInteger(count) || count <= 0 || count > MAX_FDS) return [];
  const names = LISTEN_FDNAMES?.split(':') ?? [];
  const fds = Array.from({ length: count }, (_, i) => {
    const fd = FIRST_FD + i;
    const flags = native.fcntl(fd, F_GETFD, 0);
    if (flags < 0) throw systemError(flags, 'fcntl', { fd });
    return { fd, kind: kindOf(fd), name: names[i] ?? 'unknown', flags };
  });
  for (const { fd, flags } of fds) native.fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'])
    Reflect.deleteProperty(process.env, name);
  return fds.map(({ fd, kind, name }) => ({ fd, kind, name }));
}

/** By family and type; what is no socket, by its file. */
function kindOf(fd: number): ListenFdKind {
  const type = readSocketInt(fd, SO_TYPE);
  // It is no socket.
  if (type < 0) return isPollableFile(fd) ? 'FdStream' : 'other';
  const name = new Uint8Array(MAX_ADDRESS_BYTES);
  const length = native.nameBytes(fd, 0, name);
  if (length < 0) return 'other';
  const listens = SO_ACCEPTCONN !== undefined && readSocketInt(fd, SO_ACCEPTCONN) === 1;
  if (isUnixAddress(name.subarray(0, length))) {
    if (type === SOCK_DGRAM) return 'UnixDatagram';
    return listens ? 'UnixListener' : 'UnixStream';
  }
  // Raw sockets and other families have neither.
  if (decodeInternetAddress(name.subarray(0, length)) === undefined) return 'other';
  if (type === SOCK_DGRAM) return 'UdpSocket';
  if (type !== SOCK_STREAM) return 'other';
  return listens ? 'TcpListener' : 'TcpStream';
}

/** A FIFO or a character device. */
function isPollableFile(fd: number): boolean {
  const stat = fstatSync(fd);
  return stat.isFIFO() || stat.isCharacterDevice();
}
