import { constants } from 'node:fs';
import { errnoOf, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkFd, checkNames } from '../../binding/validate.js';
import { Interest } from '../../poller/flags.js';
import { terminalCalls } from '../../sys/terminal.js';
import { AsyncFd } from '../fd/async-fd.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { check, checkOneOf, openPath, ownFd } from '../fd/open-fd.js';
import { setCloseOnExec } from '../fd/close-on-exec.js';
import { ByteFd } from './byte-fd.js';

const { O_CLOEXEC, O_NONBLOCK } = native.constants;
const ENOTTY = errnoOf('ENOTTY');

/** Which way a pipe, a FIFO or a device is opened. */
export type FdDirection = 'read' | 'write' | 'both';

const directions = {
  read: { flags: constants.O_RDONLY, interest: Interest.READABLE },
  write: { flags: constants.O_WRONLY, interest: Interest.WRITABLE },
  both: { flags: constants.O_RDWR, interest: Interest.READABLE | Interest.WRITABLE },
};

/** @throws TypeError, RangeError */
function toDirection(direction: FdDirection): (typeof directions)[FdDirection] {
  checkOneOf('direction', direction, Object.keys(directions));
  return directions[direction];
}

/** Bytes of a pipe, a FIFO, a terminal or another character device, with read(2) and write(2). */
export class FdStream extends ByteFd {
  private constructor(io: AsyncFd) {
    super(io);
  }

  /**
   * A pipe: what is written into `writer` comes out of `reader`.
   *
   * @throws EMFILE and what else pipe2(2) says; ERR_TRIPOLL_CLOSED
   */
  static pipe(options: SourceOptions = {}): { reader: FdStream; writer: FdStream } {
    checkNames('options', options, SOURCE_NAMES);
    const fds: number[] = [];
    check(native.pipe2(O_CLOEXEC | O_NONBLOCK, fds), 'pipe2');
    const [readEnd = -1, writeEnd = -1] = fds;
    let reader: AsyncFd;
    try {
      reader = ownFd(readEnd, 'pipe2', options, Interest.READABLE);
    } catch (error) {
      native.close(writeEnd);
      throw error;
    }
    try {
      return {
        reader: new FdStream(reader),
        writer: new FdStream(ownFd(writeEnd, 'pipe2', options, Interest.WRITABLE)),
      };
    } catch (error) {
      reader.close();
      throw error;
    }
  }

  /**
   * A FIFO, or any character device that can be waited for. Reading a FIFO ends (0) when its last
   * writer has gone; opened for `'both'` it never does (Linux).
   *
   * @throws ENXIO for a FIFO to write that nobody reads (open(2)); ENOENT, EACCES; EPERM for a
   * regular file and for a device that cannot be waited for
   */
  static open(path: string, direction: FdDirection, options: SourceOptions = {}): FdStream {
    checkNames('options', options, SOURCE_NAMES);
    const { flags, interest } = toDirection(direction);
    // A terminal must not become this process's controlling one: its hang-up would end a daemon
    // (open(2), O_NOCTTY).
    const fd = openPath(path, flags | constants.O_NOCTTY);
    return new FdStream(ownFd(fd, 'open', options, interest));
  }

  /**
   * A terminal that is open already, as standard input. The fd stays yours; O_NONBLOCK, which a
   * terminal shares with the shell, is put back on close and at the end of the process.
   *
   * @throws TypeError, RangeError; ENOTTY; EEXIST; ERR_TRIPOLL_UNSUPPORTED on Windows
   */
  static tty(fd: number, direction: FdDirection, options: SourceOptions = {}): FdStream {
    checkFd(fd);
    checkNames('options', options, SOURCE_NAMES);
    const { interest } = toDirection(direction);
    // As isatty(3) has it. Deno's node:tty knows only fds that it has opened itself.
    if (terminalCalls.tcgetattr(fd, {}) < 0) throw systemError(ENOTTY, 'isatty', { fd });
    return new FdStream(new AsyncFd(fd, { reactor: options.reactor, interest, name: 'tty' }));
  }
  /**
   * A pipe, a FIFO, a terminal or another character device that was opened elsewhere; from success
   * on its fd is this object's to close. O_NONBLOCK and FD_CLOEXEC are set; the former is put back
   * on close if it was not set before.
   *
   * @throws (as rejection) TypeError, RangeError; EBADF, EEXIST (registered already), EPERM (a
   * regular file or a directory); ERR_TRIPOLL_CLOSED; the fd stays yours then
   */
  static fromFd(fd: number, direction: FdDirection, options: SourceOptions = {}): Promise<FdStream> {
    // Within a promise, so that a wrong argument is a rejection too.
    return new Promise((resolve) => {
      checkFd(fd);
      checkNames('options', options, SOURCE_NAMES);
      const { interest } = toDirection(direction);
      setCloseOnExec(fd);
      resolve(new FdStream(new AsyncFd(fd, { reactor: options.reactor, interest, own: true, name: 'fd' })));
    });
  }
}
