import { systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

/** The first fd that systemd passes (sd_listen_fds(3)). */
const FIRST_FD = 3;
/** More than any process may have (fs.nr_open's own default is 2^20). */
const MAX_FDS = 1 << 20;
const { F_GETFD, F_SETFD, FD_CLOEXEC } = native.constants;

/** A socket, or what else the service manager opened for this process. */
export interface ListenFd {
  /** Its number: the caller's to use and to close. */
  readonly fd: number;
  /** `FileDescriptorName=`, by default the socket unit's name; 'unknown' where it was not told. */
  readonly name: string;
}

/**
 * The fds of systemd's socket activation: those of LISTEN_FDS, if LISTEN_PID is this process. They are marked to be
 * closed on exec, and the variables are taken out of the environment, so that a child does not think them its own: a
 * second call gives none. For `fromFd` of `TcpListener`, `UdpSocket` and others, and `listen` and `bindUdp`, by the kind of
 * socket: `getOption(fd, 'type')` tells.
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
    return { fd, name: names[i] ?? 'unknown', flags };
  });
  for (const { fd, flags } of fds) native.fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'])
    Reflect.deleteProperty(process.env, name);
  return fds.map(({ fd, name }) => ({ fd, name }));
}
