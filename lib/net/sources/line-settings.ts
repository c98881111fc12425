import { unsupportedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { terminalCalls, type Termios } from '../../sys/terminal.js';
import { check } from '../fd/open-fd.js';

const names = native.terminalConstants ?? {};

/** What a terminal shows, in characters. */
export interface TerminalSize {
  /** Characters of a line. */
  columns: number;
  /** Lines. */
  rows: number;
}

/**
 * A constant of termios or of an ioctl.
 *
 * @throws ERR_TRIPOLL_UNSUPPORTED where the system has none
 */
export function lineConstant(name: keyof typeof names): number {
  const value = names[name];
  if (value === undefined) throw unsupportedError(`this platform has no ${name}`);
  return value;
}

/** struct winsize: rows, columns, and their sizes in pixels, 0 for unknown. */
const newWindow = (): Uint16Array => new Uint16Array(4);

/** @throws ENOTTY, EBADF; ERR_TRIPOLL_UNSUPPORTED */
export function readSize(fd: number): TerminalSize {
  const window = newWindow();
  check(terminalCalls.ioctl(fd, lineConstant('TIOCGWINSZ'), new Uint8Array(window.buffer)), 'ioctl');
  const [rows = 0, columns = 0] = window;
  return { columns, rows };
}

/**
 * Whoever is in its foreground gets a SIGWINCH, if it changes.
 *
 * @throws ENOTTY, EBADF; ERR_TRIPOLL_UNSUPPORTED
 */
export function writeSize(fd: number, { columns, rows }: TerminalSize): void {
  const window = newWindow();
  window.set([rows, columns]);
  check(terminalCalls.ioctl(fd, lineConstant('TIOCSWINSZ'), new Uint8Array(window.buffer)), 'ioctl');
}

/** @throws ENOTTY, EBADF; ERR_TRIPOLL_UNSUPPORTED */
export function readSettings(fd: number): Termios {
  const settings: Partial<Termios> = {};
  check(terminalCalls.tcgetattr(fd, settings), 'tcgetattr');
  return settings as Termios;
}

/**
 * At once: to wait for the output would block the thread.
 *
 * @throws ENOTTY, EBADF, EINVAL; ERR_TRIPOLL_UNSUPPORTED
 */
export function writeSettings(fd: number, settings: Termios): void {
  check(terminalCalls.tcsetattr(fd, lineConstant('TCSANOW'), settings), 'tcsetattr');
}
