import { capabilities } from '../binding/capabilities.js';
import { outOfRange, unsupportedError } from '../binding/errors.js';
import { native, type NativeBinding } from '../binding/native.js';
import { checkBytes, checkFd, checkFlags, checkInteger, checkObject } from '../binding/validate.js';

/** What native code takes in place of a pointer: below any memory that a system maps. */
const MAX_IOCTL_INTEGER = 0xffff;
/** Native code's own memory for a request: its encoding has 14 bits at most. */
const MAX_IOCTL_BYTES = 16 * 1024;
const MAX_UINT32 = 0xffffffff;
/** Four words of flags and two speeds, before the control characters. */
const HEAD_WORDS = 6;

const names = native.terminalConstants ?? {};
const CHARACTERS = names.NCCS ?? 0;

/** `struct termios`: see termios(3). Flags are words of `sys.constants` (ICANON, CS8, ...). */
export interface Termios {
  /** Input modes: ICRNL, IXON, ... */
  iflag: number;
  /** Output modes: OPOST, ONLCR, ... */
  oflag: number;
  /** Control modes: CS8, PARENB, CRTSCTS, ...; on Linux its CBAUD bits follow the speeds. */
  cflag: number;
  /** Local modes: ICANON, ECHO, ISIG, ... */
  lflag: number;
  /**
   * Baud. 0 when the line's speed has no name (Linux: a custom one); to be set it must have one
   * there.
   */
  ispeed: number;
  /** Baud; 0 hangs up. */
  ospeed: number;
  /**
   * Control characters, `sys.constants.NCCS` of them: `cc[VMIN]`, `cc[VTIME]` (tenths of a second),
   * `cc[VINTR]`, ...
   */
  cc: Uint8Array;
}

/** @throws ERR_TRIPOLL_UNSUPPORTED where the addon has none */
function need<Name extends keyof NativeBinding>(name: Name, what: string): NonNullable<NativeBinding[Name]> {
  const call = native[name];
  if (call === undefined) throw unsupportedError(`sys.${what} does not exist on ${capabilities.platform}`);
  return call;
}

function newSettings(): { bytes: Uint8Array; words: Uint32Array } {
  const bytes = new Uint8Array(HEAD_WORDS * Uint32Array.BYTES_PER_ELEMENT + CHARACTERS);
  return { bytes, words: new Uint32Array(bytes.buffer, 0, HEAD_WORDS) };
}

function toSettings(termios: Termios): Uint8Array {
  checkObject('termios', termios);
  const { iflag, oflag, cflag, lflag, ispeed, ospeed, cc } = termios;
  for (const [name, flags] of Object.entries({ iflag, oflag, cflag, lflag })) checkFlags(name, flags);
  checkInteger('ispeed', ispeed, 0, MAX_UINT32);
  checkInteger('ospeed', ospeed, 0, MAX_UINT32);
  checkBytes('cc', cc);
  if (cc.length !== CHARACTERS) throw outOfRange('cc', `${CHARACTERS} control characters`, cc.length);
  const { bytes, words } = newSettings();
  words.set([iflag, oflag, cflag, lflag, ispeed, ospeed]);
  bytes.set(cc, words.byteLength);
  return bytes;
}

/**
 * Part of `sys`: devices, terminals and serial lines. On Windows each throws
 * ERR_TRIPOLL_UNSUPPORTED.
 */
export const terminalCalls = {
  /**
   * ioctl(2). Some requests block.
   *
   * @param request as the system's headers have it, bit 31 may be a sign
   * @param argument an integer from 0 to 65535; or the bytes of what the request points at, at most
   * 16384, which the system may change. Bytes that the request's own number asks for must be there;
   * where it tells no size (Linux's older ones: TIOCGWINSZ), what the system writes past the end is
   * dropped. What holds addresses itself cannot be passed.
   * @returns what the request returns; an fd among that is the caller's to close
   * @throws TypeError, RangeError, ERR_TRIPOLL_UNSUPPORTED
   */
  ioctl(fd: number, request: number, argument: number | Uint8Array = 0): number {
    checkFd(fd);
    checkFlags('request', request);
    if (typeof argument === 'number') {
      checkInteger('argument', argument, 0, MAX_IOCTL_INTEGER);
      return need('ioctlInteger', 'ioctl')(fd, request, argument);
    }
    checkBytes('argument', argument);
    if (argument.length > MAX_IOCTL_BYTES) {
      throw outOfRange('argument', `at most ${MAX_IOCTL_BYTES} bytes`, argument.length);
    }
    return need('ioctlBytes', 'ioctl')(fd, request, argument);
  },

  /**
   * tcgetattr(3): fills `out`, with a new `cc`.
   *
   * @throws TypeError, RangeError, ERR_TRIPOLL_UNSUPPORTED
   */
  tcgetattr(fd: number, out: Partial<Termios>): number {
    checkFd(fd);
    checkObject('out', out);
    const get = need('tcgetattr', 'tcgetattr');
    const { bytes, words } = newSettings();
    const error = get(fd, bytes);
    if (error < 0) return error;
    const [iflag = 0, oflag = 0, cflag = 0, lflag = 0, ispeed = 0, ospeed = 0] = words;
    Object.assign(out, { iflag, oflag, cflag, lflag, ispeed, ospeed, cc: bytes.slice(words.byteLength) });
    return error;
  },

  /**
   * tcsetattr(3). A process in the background of its terminal is stopped by SIGTTOU instead.
   *
   * @param action TCSANOW, TCSADRAIN (blocks until all output is sent) or TCSAFLUSH (as that, and
   * drops input)
   * @returns 0; -EINVAL also for a speed that Linux has no name for
   * @throws TypeError, RangeError, ERR_TRIPOLL_UNSUPPORTED
   */
  tcsetattr(fd: number, action: number, termios: Termios): number {
    checkFd(fd);
    checkInteger('action', action, 0, MAX_IOCTL_INTEGER);
    const set = need('tcsetattr', 'tcsetattr');
    return set(fd, action, toSettings(termios));
  },

  /**
   * cfmakeraw(3): bytes as they are, of eight bits, one at a time. Only the object is changed.
   *
   * @throws TypeError
   */
  cfmakeraw(termios: Termios): void {
    checkObject('termios', termios);
    need('tcsetattr', 'cfmakeraw');
    const {
      IGNBRK = 0,
      BRKINT = 0,
      PARMRK = 0,
      ISTRIP = 0,
      INLCR = 0,
      IGNCR = 0,
      ICRNL = 0,
      IXON = 0,
    } = names;
    const { OPOST = 0, ECHO = 0, ECHONL = 0, ICANON = 0, ISIG = 0, IEXTEN = 0 } = names;
    const { CSIZE = 0, PARENB = 0, CS8 = 0, VMIN = 0, VTIME = 0 } = names;
    termios.iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    termios.oflag &= ~OPOST;
    termios.lflag &= ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    termios.cflag = (termios.cflag & ~(CSIZE | PARENB)) | CS8;
    termios.cc[VMIN] = 1;
    termios.cc[VTIME] = 0;
  },

  /**
   * posix_openpt(3): a new pseudo terminal's master. Its other end is a file: `grantpt`,
   * `unlockpt`, then open what `ptsname` tells, with O_NOCTTY.
   *
   * @param flags O_RDWR, O_NOCTTY; where the system takes them O_CLOEXEC and O_NONBLOCK
   * @returns the fd
   */
  posix_openpt(flags: number): number {
    checkFlags('flags', flags);
    return need('posixOpenpt', 'posix_openpt')(flags);
  },

  /** grantpt(3). @throws TypeError, RangeError, ERR_TRIPOLL_UNSUPPORTED */
  grantpt(fd: number): number {
    checkFd(fd);
    return need('grantpt', 'grantpt')(fd);
  },

  /** unlockpt(3). @throws TypeError, RangeError, ERR_TRIPOLL_UNSUPPORTED */
  unlockpt(fd: number): number {
    checkFd(fd);
    return need('unlockpt', 'unlockpt')(fd);
  },

  /**
   * ptsname_r(3): fills `out` with the path of a master's other end.
   *
   * @throws TypeError, RangeError, ERR_TRIPOLL_UNSUPPORTED
   */
  ptsname_r(fd: number, out: { name?: string }): number {
    checkFd(fd);
    checkObject('out', out);
    return need('ptsname', 'ptsname_r')(fd, out);
  },

  /**
   * dup(2): a second number for the same open file, without close-on-exec: F_DUPFD_CLOEXEC of
   * `fcntl` has it.
   */
  dup(fd: number): number {
    checkFd(fd);
    return need('dup', 'dup')(fd);
  },

  /**
   * dup3(2): the same under the number `target`; what that number was is closed, whoever's it is.
   * On macOS a fork in another thread may inherit it in spite of O_CLOEXEC.
   *
   * @param flags 0 or O_CLOEXEC
   */
  dup3(fd: number, target: number, flags = 0): number {
    checkFd(fd);
    checkFd(target, 'target');
    checkFlags('flags', flags);
    return need('dup3', 'dup3')(fd, target, flags);
  },

  /**
   * eventfd(2), Linux: the new fd.
   *
   * @param initial 0 to 2^31 - 1.
   * @param flags EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE
   */
  eventfd(initial: number, flags = 0): number {
    checkInteger('initial', initial, 0, 0x7fffffff);
    checkFlags('flags', flags);
    return need('eventfdCreate', 'eventfd')(initial, flags);
  },
};
