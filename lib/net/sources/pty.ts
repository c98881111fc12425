import { constants } from 'node:fs';
import { closedError, type TripollError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkInteger, checkNames } from '../../binding/validate.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import { terminalCalls, type Termios } from '../../sys/terminal.js';
import type { AsyncFd } from '../fd/async-fd.js';
import { setCloseOnExec } from '../fd/close-on-exec.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { check, ownFd } from '../fd/open-fd.js';
import { ByteFd } from './byte-fd.js';
import { readSettings, readSize, writeSettings, writeSize, type TerminalSize } from './line-settings.js';

const { O_RDWR, O_NOCTTY } = constants;
/** struct winsize has 16 bits for each. */
const MAX_SIZE = 0xffff;

/** How a pseudo terminal begins. */
export interface PtyOptions extends SourceOptions {
  /** 1 to 65535; default 80. */
  columns?: number | undefined;
  /** 1 to 65535; default 24. */
  rows?: number | undefined;
}

const NAMES: Readonly<Record<keyof PtyOptions, true>> = { ...SOURCE_NAMES, columns: true, rows: true };

/** @throws TypeError, RangeError */
function checkSize(columns: unknown, rows: unknown): void {
  checkInteger('columns', columns, 1, MAX_SIZE);
  checkInteger('rows', rows, 1, MAX_SIZE);
}

/**
 * A pseudo terminal (pty(7)), from the side of the user at the screen: what a program in it prints
 * is read here, what is written here it reads as typed. Unix only.
 */
export class Pty extends ByteFd {
  /** File of the other end, for the program. */
  readonly path: string;
  /** Settings before `setRaw`; null: it is not raw. */
  #cooked: Termios | null = null;

  private constructor(io: AsyncFd, path: string) {
    super(io);
    this.path = path;
  }

  /**
   * Makes one. A program becomes its session leader when it opens `path` after setsid(2): for
   * Node's `spawn` that is `detached: true` and a shell that redirects.
   *
   * @throws TypeError, RangeError; EMFILE, ENOENT, EIO when there are no more;
   * ERR_TRIPOLL_UNSUPPORTED on Windows; ERR_TRIPOLL_CLOSED
   */
  static open(options: PtyOptions = {}): Pty {
    checkNames('options', options, NAMES);
    const { columns = 80, rows = 24 } = options;
    checkSize(columns, rows);
    const fd = check(terminalCalls.posix_openpt(O_RDWR | O_NOCTTY), 'posix_openpt');
    const named: { name?: string } = {};
    try {
      setCloseOnExec(fd);
      check(terminalCalls.grantpt(fd), 'grantpt');
      check(terminalCalls.unlockpt(fd), 'unlockpt');
      check(terminalCalls.ptsname_r(fd, named), 'ptsname_r');
      writeSize(fd, { columns, rows });
    } catch (error) {
      native.close(fd);
      throw error;
    }
    return new Pty(ownFd(fd, 'posix_openpt', options), named.name ?? '');
  }

  /**
   * Reads what the program has printed, at least a byte.
   *
   * @returns 0 when no program has the other end open any more
   * @throws (as rejection) as `AsyncFd.read`
   */
  override async read(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    try {
      return await super.read(buffer, options);
    } catch (error) {
      // Linux says EIO where others say 0.
      if ((error as Partial<TripollError>).code === 'EIO') return 0;
      throw error;
    }
  }

  /** Size in characters, which the program may have changed too. @throws ERR_TRIPOLL_CLOSED */
  get size(): TerminalSize {
    return readSize(this.#openFd());
  }

  /**
   * Changes the size; the program is told by SIGWINCH.
   *
   * @param columns 1 to 65535
   * @param rows 1 to 65535
   * @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED
   */
  resize(columns: number, rows: number): void {
    checkSize(columns, rows);
    writeSize(this.#openFd(), { columns, rows });
  }

  /**
   * Passes bytes as they are: no echo, no lines, no ctrl-C; or, with false, as before the first
   * `setRaw(true)`.
   *
   * @throws ERR_TRIPOLL_CLOSED; what tcsetattr(3) says
   */
  setRaw(raw = true): void {
    const fd = this.#openFd();
    const settings = readSettings(fd);
    if (raw) {
      this.#cooked ??= { ...settings, cc: settings.cc.slice() };
      terminalCalls.cfmakeraw(settings);
      writeSettings(fd, settings);
    } else if (this.#cooked !== null) {
      writeSettings(fd, this.#cooked);
      this.#cooked = null;
    }
  }

  #openFd(): number {
    if (this.closed) throw closedError('Pty');
    return this.fd;
  }
}
