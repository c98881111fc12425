import { systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

const { F_GETFD, F_SETFD, FD_CLOEXEC } = native.constants;

/** No child process inherits it from here on. @throws EBADF */
export function setCloseOnExec(fd: number): void {
  const flags = native.fcntl(fd, F_GETFD, 0);
  const error = flags < 0 ? flags : native.fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
  if (error < 0) throw systemError(error, 'fcntl', { fd });
}
