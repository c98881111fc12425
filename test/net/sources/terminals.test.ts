// Pseudo terminals, serial lines over them, and fds that were opened elsewhere.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import type { Reactor } from 'tripoll';
import { FdStream, Pty, SerialPort } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { within } from '../../support/deadline.js';
import { runScript, expectCleanExit } from '../../support/child.js';
import { closed, invalidType, outOfRange, thrownBy, unsupported } from '../../support/errors.js';
import { describeOn, rejection } from '../tools.js';

const { F_GETFD, F_GETFL, FD_CLOEXEC, O_NONBLOCK, F_DUPFD_CLOEXEC } = sys.constants;

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll'], 'terminals', (context) => {
  const options = (): { reactor: Reactor } => ({ reactor: context.reactor });
  const openPty = (size = {}): Pty => context.own(Pty.open({ ...options(), ...size }));
  const openPort = (pty: Pty, settings = {}): SerialPort =>
    context.own(SerialPort.open(pty.path, { ...options(), baudRate: 9600, ...settings }));
  async function readText(
    source: { read(buffer: Uint8Array): Promise<number> },
    length: number,
  ): Promise<string> {
    let text = '';
    const buffer = new Uint8Array(100);
    while (text.length < length) {
      const count = await within(source.read(buffer), `read, after ${JSON.stringify(text)}`);
      if (count === 0) break;
      text += Buffer.from(buffer.subarray(0, count)).toString('latin1');
    }
    return text;
  }

  describe('a pseudo terminal', () => {
    test('a program in it: its terminal, its size, its end', async () => {
      const pty = openPty({ columns: 100, rows: 30 });
      expect(pty.size).toEqual({ columns: 100, rows: 30 });
      const size = 'print(*reversed(os.get_terminal_size(0)), flush=True)';
      const script = `import os; print(os.ttyname(0)); ${size}; line = input(); ${size}; print("got", line)`;
      const child = spawn('sh', ['-c', 'exec python3 -c "$1" <"$0" >"$0" 2>&1', pty.path, script], {
        detached: true,
        stdio: 'ignore',
      });
      const exited = once(child, 'exit');
      const first = `${pty.path}\r\n30 100\r\n`;
      expect(await readText(pty, first.length)).toBe(first);
      pty.resize(40, 20);
      await pty.writeAll(Buffer.from('typed\n'));
      expect(await readText(pty, 1000)).toBe('typed\r\n20 40\r\ngot typed\r\n');
      expect(await within(exited, 'exit')).toEqual([0, null]);
    });

    test('raw: bytes as they are, and as before again', async () => {
      const pty = openPty();
      const other = context.own(FdStream.open(pty.path, 'both', options()));
      pty.setRaw();
      await pty.writeAll(Buffer.from('a\r\x03'));
      expect(await readText(other, 3)).toBe('a\r\x03');
      await other.writeAll(Buffer.from('b\n'));
      expect(await readText(pty, 2)).toBe('b\n');
      pty.setRaw(false);
      await other.writeAll(Buffer.from('c\n'));
      expect(await readText(pty, 3)).toBe('c\r\n');
    });

    test('nobody else inherits it; errors', () => {
      const pty = openPty();
      expect(sys.fcntl(pty.fd, F_GETFD) & FD_CLOEXEC).toBe(FD_CLOEXEC);
      expect(thrownBy(() => pty.resize(0, 1))).toEqual(outOfRange);
      expect(thrownBy(() => pty.resize(1, 65_536))).toEqual(outOfRange);
      expect(thrownBy(() => Pty.open({ columns: 'x' as never }))).toEqual(invalidType);
      pty.close();
      for (const call of [() => pty.size, () => pty.resize(1, 1), () => pty.setRaw()]) {
        expect(thrownBy(call)).toEqual(closed);
      }
    });

    test('F9 a session leader that opens a terminal does not get it as its controlling one', async () => {
      const pty = openPty();
      const script = `
        const { FdStream, SerialPort } = require('tripoll/net');
        FdStream.open('${pty.path}', 'both').close();
        SerialPort.open('${pty.path}', { baudRate: 9600 }).close();
        // Field 7 of stat is its controlling terminal.
        console.log(require('node:fs').readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ')[4]);`;
      const leader = `
        const { spawn } = require('node:child_process');
        spawn(process.execPath, ['-e', ${JSON.stringify(script)}], { detached: true, stdio: ['ignore', 'inherit', 'inherit'] });`;
      const result = await runScript(leader);
      expectCleanExit(result);
      expect(result.stdout).toBe('0\n');
    });

    test('F5 T80 of two streams on one terminal the first that closes leaves it to the other', async () => {
      const pty = openPty();
      const fd = openSync(pty.path, 'r+');
      const second = sys.fcntl(fd, F_DUPFD_CLOEXEC);
      const input = context.own(FdStream.tty(fd, 'read', options()));
      const output = context.own(FdStream.tty(second, 'write', options()));
      output.close();
      const reading = readText(input, 2);
      await pty.writeAll(Buffer.from('x\n'));
      expect(await reading).toBe('x\n');
      expect(sys.fcntl(second, F_GETFL) & O_NONBLOCK).toBe(O_NONBLOCK);
      input.close();
      expect(sys.fcntl(second, F_GETFL) & O_NONBLOCK).toBe(0);
      closeSync(fd);
      sys.close(second);
    });
  });

  describe('a serial port', () => {
    test('bytes both ways, as they are, at the speed that was asked for', async () => {
      const pty = openPty();
      const port = openPort(pty, { baudRate: 115_200, stopBits: 2 });
      expect(port.baudRate).toBe(115_200);
      await pty.writeAll(Buffer.from('\x00\x03\r\n\xff', 'latin1'));
      expect(await readText(port, 5)).toBe('\x00\x03\r\n\xff');
      await port.writeAll(Buffer.from('\n\r\x11', 'latin1'));
      expect(await readText(pty, 3)).toBe('\n\r\x11');
      port.configure({ baudRate: 9600, flowControl: 'software' });
      expect(port.baudRate).toBe(9600);
      const settings: { iflag?: number; cflag?: number } = {};
      sys.tcgetattr(port.fd, settings);
      expect(settings.iflag! & sys.constants.IXON!).toBe(sys.constants.IXON);
      expect(settings.cflag! & sys.constants.CSTOPB!).toBe(0);
    });

    test('what the line does not take is told, and nothing stays open', () => {
      const pty = openPty();
      // A pseudo terminal has eight bits and no parity.
      expect(thrownBy(() => openPort(pty, { parity: 'even' }))).toEqual(unsupported);
      expect(thrownBy(() => openPort(pty, { dataBits: 7 }))).toEqual(unsupported);
      expect(thrownBy(() => openPort(pty, { baudRate: 12_345 })).code).toBe('EINVAL');
      expect(thrownBy(() => SerialPort.open('/dev/null', { ...options(), baudRate: 9600 })).code).toBe(
        'ENOTTY',
      );
    });

    test.each([
      [{ baudRate: 0 }, outOfRange],
      [{ baudRate: undefined }, invalidType],
      [{ dataBits: 9 }, outOfRange],
      [{ stopBits: 3 }, outOfRange],
      [{ parity: 'toString' }, outOfRange],
      [{ flowControl: 1 }, invalidType],
    ])('%j is refused', (settings, expected) => {
      const pty = openPty();
      expect(thrownBy(() => openPort(pty, settings))).toEqual(expected);
    });

    test('its end', async () => {
      const port = openPort(openPty());
      port.close();
      expect(thrownBy(() => port.baudRate)).toEqual(closed);
      expect(thrownBy(() => port.configure({ baudRate: 9600 }))).toEqual(closed);
      expect(await rejection(port.read(new Uint8Array(1)))).toEqual(closed);
    });
  });

  describe('FdStream.fromFd', () => {
    function pipe(): [number, number] {
      const fds: number[] = [];
      sys.pipe2(fds);
      return fds as [number, number];
    }

    test('reads, is closed with it, and no child inherits it', async () => {
      const [readEnd, writeEnd] = pipe();
      const reader = context.own(await FdStream.fromFd(readEnd, 'read', options()));
      const writer = context.own(await FdStream.fromFd(writeEnd, 'write', options()));
      expect(sys.fcntl(readEnd, F_GETFD) & FD_CLOEXEC).toBe(FD_CLOEXEC);
      await writer.writeAll(Buffer.from('hello'));
      expect(await readText(reader, 5)).toBe('hello');
      writer.close();
      expect(await within(reader.read(new Uint8Array(1)), 'the end')).toBe(0);
      reader.close();
      expect(sys.fcntl(readEnd, F_GETFD)).toBe(-sys.errno.EBADF);
    });

    test('what it refuses stays yours', async () => {
      const [readEnd, writeEnd] = pipe();
      const file = openSync(__filename, 'r');
      const taken = context.own(await FdStream.fromFd(readEnd, 'read', options()));
      expect(await rejection(FdStream.fromFd(readEnd, 'read', options()))).toMatchObject({ code: 'EEXIST' });
      expect(await rejection(FdStream.fromFd(file, 'read', options()))).toMatchObject({ code: 'EPERM' });
      expect(await rejection(FdStream.fromFd(writeEnd, 'bad' as never, options()))).toEqual(outOfRange);
      expect(await rejection(FdStream.fromFd(-1, 'read', options()))).toEqual(outOfRange);
      for (const fd of [readEnd, writeEnd, file]) expect(sys.fcntl(fd, F_GETFD)).toBeGreaterThanOrEqual(0);
      taken.close();
      sys.close(writeEnd);
      closeSync(file);
      expect(await rejection(FdStream.fromFd(file, 'read', options()))).toMatchObject({ code: 'EBADF' });
    });
  });
});
