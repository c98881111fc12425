import { constants } from 'node:fs';
import { closedError, outOfRange, unsupportedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkInteger, checkNames } from '../../binding/validate.js';
import { terminalCalls, type Termios } from '../../sys/terminal.js';
import type { AsyncFd } from '../fd/async-fd.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { checkOneOf, openPath, ownFd } from '../fd/open-fd.js';
import { ByteFd } from './byte-fd.js';
import { lineConstant, readSettings, writeSettings } from './line-settings.js';

const MAX_BAUD = 0xffffffff;
const dataSizes = { 5: 'CS5', 6: 'CS6', 7: 'CS7', 8: 'CS8' } as const;

/** How a serial line carries bytes. */
export interface SerialSettings {
  /** Bits a second, one that the system has a name for: 9600, 115200, ... */
  baudRate: number;
  /** Default 8. */
  dataBits?: 5 | 6 | 7 | 8 | undefined;
  /** Default 1. */
  stopBits?: 1 | 2 | undefined;
  /** Default `'none'`. */
  parity?: 'none' | 'even' | 'odd' | undefined;
  /** `'hardware'` is RTS/CTS, `'software'` XON/XOFF; default `'none'`. */
  flowControl?: 'none' | 'hardware' | 'software' | undefined;
}

const SETTING_NAMES: Readonly<Record<keyof SerialSettings, true>> = {
  baudRate: true,
  dataBits: true,
  stopBits: true,
  parity: true,
  flowControl: true,
};

/** How a serial port is opened. */
export interface SerialPortOptions extends SourceOptions, SerialSettings {}

/** All flags that `SerialSettings` decide. */
function decidedFlags(): { cflag: number; iflag: number } {
  const cflag = ['CSIZE', 'CSTOPB', 'PARENB', 'PARODD', 'CRTSCTS'] as const;
  const iflag = ['INPCK', 'IXON', 'IXOFF'] as const;
  const join = (all: number, name: (typeof cflag)[number] | (typeof iflag)[number]): number =>
    all | lineConstant(name);
  return { cflag: cflag.reduce(join, 0), iflag: iflag.reduce(join, 0) };
}

/** @throws TypeError, RangeError; ERR_TRIPOLL_UNSUPPORTED */
function toFlags(settings: SerialSettings): { cflag: number; iflag: number } {
  const { dataBits = 8, stopBits = 1, parity = 'none', flowControl = 'none' } = settings;
  if (!Object.hasOwn(dataSizes, dataBits)) throw outOfRange('dataBits', '5, 6, 7 or 8', dataBits);
  checkInteger('stopBits', stopBits, 1, 2);
  checkOneOf('parity', parity, ['none', 'even', 'odd']);
  checkOneOf('flowControl', flowControl, ['none', 'hardware', 'software']);
  let cflag = lineConstant(dataSizes[dataBits]);
  let iflag = 0;
  if (stopBits === 2) cflag |= lineConstant('CSTOPB');
  if (parity !== 'none') {
    cflag |= lineConstant('PARENB');
    iflag |= lineConstant('INPCK');
  }
  if (parity === 'odd') cflag |= lineConstant('PARODD');
  if (flowControl === 'hardware') cflag |= lineConstant('CRTSCTS');
  if (flowControl === 'software') iflag |= lineConstant('IXON') | lineConstant('IXOFF');
  return { cflag, iflag };
}

/** @throws as `SerialPort.open` */
function applySettings(fd: number, settings: SerialSettings): void {
  checkInteger('baudRate', settings.baudRate, 1, MAX_BAUD);
  const wanted = toFlags(settings);
  const decided = decidedFlags();
  const line = readSettings(fd);
  terminalCalls.cfmakeraw(line);
  line.cflag = (line.cflag & ~decided.cflag) | wanted.cflag | lineConstant('CREAD') | lineConstant('CLOCAL');
  line.iflag = (line.iflag & ~decided.iflag) | wanted.iflag;
  line.ispeed = settings.baudRate;
  line.ospeed = settings.baudRate;
  writeSettings(fd, line);
  // tcsetattr(3) says 0 when any of it was taken.
  const taken = readSettings(fd);
  const isTaken = (field: 'cflag' | 'iflag'): boolean => (taken[field] & decided[field]) === wanted[field];
  if (!isTaken('cflag') || !isTaken('iflag') || taken.ospeed !== settings.baudRate) {
    throw unsupportedError(
      'the line takes the settings in part only: see its data bits, parity, flow control, speed',
    );
  }
}

/**
 * A serial line, as /dev/ttyUSB0: bytes as they are, without echo or lines (termios(3)). Unix only.
 */
export class SerialPort extends ByteFd {
  private constructor(io: AsyncFd) {
    super(io);
  }

  /**
   * Opens it and sets the line. It does not become the controlling terminal, and carrier is ignored
   * (CLOCAL).
   *
   * @throws TypeError, RangeError; ENOENT, EACCES, EBUSY, ENOTTY; EINVAL for a speed that the
   * system has no name for; ERR_TRIPOLL_UNSUPPORTED for settings that the line does not take, and
   * on Windows; ERR_TRIPOLL_CLOSED
   */
  static open(path: string, options: SerialPortOptions): SerialPort {
    checkNames('options', options, SOURCE_NAMES, SETTING_NAMES);
    const fd = openPath(path, constants.O_RDWR | constants.O_NOCTTY);
    try {
      applySettings(fd, options);
    } catch (error) {
      native.close(fd);
      throw error;
    }
    return new SerialPort(ownFd(fd, 'open', options));
  }

  /** Changes the line; what is being sent may be garbled. @throws as `open` */
  configure(settings: SerialSettings): void {
    checkNames('settings', settings, SETTING_NAMES);
    applySettings(this.#openFd(), settings);
  }

  /**
   * Bits a second, as the system has them; 0 for a speed that it has no name for.
   *
   * @throws ERR_TRIPOLL_CLOSED
   */
  get baudRate(): number {
    return this.#line().ospeed;
  }

  #line(): Termios {
    return readSettings(this.#openFd());
  }

  #openFd(): number {
    if (this.closed) throw closedError('SerialPort');
    return this.fd;
  }
}
