import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type SocketAddress, sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { hasBackend } from '../support/backends';
import { expectCleanExit, runScript } from '../support/child';
import { untilSync } from '../support/deadline';
import { invalidType, outOfRange, thrownBy } from '../support/errors';
import { FD_FOLDER, openedSince, openFds } from '../support/fds';
import { constant, fill, minus, Rig, send } from '../poller/rig';
import { testAnyFd, testIf, testSignals } from '../support/applies';
import { isWindows, isWine } from '../support/platform';
import { PAIR_DOMAIN } from '../support/pairs';
import { constants } from 'node:os';
import { temporaryFolder } from '../support/folders';

const STREAM = constant('SOCK_STREAM');
const NONBLOCK = constant('SOCK_NONBLOCK');
const CLOEXEC = constant('SOCK_CLOEXEC');
const INET = constant('AF_INET');
const UNIX = constant('AF_UNIX');
const SOCKET_LEVEL = constant('SOL_SOCKET');
const NO_FD = 0x7fffffff;

let before = new Map<number, string>();
let rig: Rig;

beforeEach(() => {
  before = openFds();
  rig = new Rig(() => {
    throw new Error('no poller here');
  });
});

afterEach(() => {
  rig.end();
  expect(openedSince(before)).toEqual([]);
});

const any = (value: unknown): never => value as never;

describe('sockets', () => {
  test('socket: a new fd with the flags asked for, or the error', () => {
    const fd = rig.own(sys.socket(INET, STREAM | NONBLOCK | CLOEXEC));
    if (isWindows) expect(sys.fcntl(fd, constant('F_GETFL'))).toBe(minus('ENOSYS'));
    else expect(sys.fcntl(fd, constant('F_GETFL')) & constant('O_NONBLOCK')).not.toBe(0);
    expect(sys.fcntl(fd, constant('F_GETFD'))).toBe(constant('FD_CLOEXEC'));
    expect(sys.socket(-1, STREAM)).toBe(minus('EAFNOSUPPORT'));
    expect(sys.socket(INET, 0x7fffff)).toBe(minus(isWindows ? 'ESOCKTNOSUPPORT' : 'EINVAL'));
  });

  testIf(!isWindows, 'Winsock passes over flags that it does not know')(
    'F26 flags are one word, signed or not',
    () => {
      const fd = rig.own(sys.socket(INET, STREAM | NONBLOCK | CLOEXEC));
      const signed = -(2 ** 31) | 1;
      const byte = new Uint8Array(1);
      const calls: ((flags: number) => number)[] = [
        (flags) => sys.socket(INET, flags),
        (flags) => sys.accept4(fd, flags),
        (flags) => sys.recv(fd, byte, 0, 1, flags),
        (flags) => sys.send(fd, byte, 0, 1, flags),
        (flags) => sys.pipe2([], flags),
        (flags) => sys.socketpair([], PAIR_DOMAIN, flags),
        (flags) => sys.fcntl(fd, constant('F_DUPFD'), flags),
        (flags) => sys.setsockopt(fd, SOCKET_LEVEL, constant('SO_ERROR'), flags),
      ];
      for (const call of calls) {
        const result = call(signed);
        expect(result).toBeLessThan(0);
        expect(call(signed >>> 0)).toBe(result);
        for (const wrong of [2 ** 32, -(2 ** 31) - 1, 0.5]) {
          expect(thrownBy(() => call(wrong))).toEqual(outOfRange);
        }
      }
    },
  );

  test.each([
    ['127.0.0.1', 'AF_INET', 'IPv4'],
    ['::1', 'AF_INET6', 'IPv6'],
  ] as const)('bind, listen, connect, accept4 and the names on %s', (host, family, familyName) => {
    const type = STREAM | NONBLOCK | CLOEXEC;
    const listener = rig.own(sys.socket(constant(family), type));
    const bound = sys.bind(listener, { host, port: 0 });
    if (bound === minus('EADDRNOTAVAIL')) return; // a machine without IPv6
    expect(bound).toBe(0);
    const name: Partial<SocketAddress> = {};
    expect(sys.getsockname(listener, name)).toBe(0);
    expect(name).toEqual({ address: host, port: expect.any(Number) as number, family: familyName });
    expect(sys.listen(listener, 4)).toBe(0);
    expect(sys.accept4(listener, NONBLOCK)).toBe(minus('EAGAIN'));
    const client = rig.own(sys.socket(constant(family), type));
    const port = name.port ?? 0;
    expect(sys.getpeername(client, {})).toBe(minus('ENOTCONN'));
    expect([0, minus('EINPROGRESS')]).toContain(sys.connect(client, { host, port }));
    let server = -1;
    untilSync(() => (server = sys.accept4(listener, NONBLOCK | CLOEXEC)) >= 0, 'a connection');
    rig.own(server);
    expect(sys.fcntl(server, constant('F_GETFD'))).toBe(constant('FD_CLOEXEC'));
    const peer: Partial<SocketAddress> = {};
    expect(sys.getpeername(client, peer)).toBe(0);
    expect(peer).toEqual(name);
    const seen: Partial<SocketAddress> = {};
    const own: Partial<SocketAddress> = {};
    expect(sys.getpeername(server, seen)).toBe(0);
    expect(sys.getsockname(client, own)).toBe(0);
    expect(seen).toEqual(own);
    const second = rig.own(sys.socket(constant(family), type));
    expect(sys.bind(second, { host, port })).toBe(minus('EADDRINUSE'));
  });

  testAnyFd('a socket that is not one of the internet has no such name', () => {
    const [one] = rig.sockets();
    const name = {};
    expect(sys.getsockname(one, name)).toBe(minus('EAFNOSUPPORT'));
    expect(name).toEqual({});
  });

  test('addresses: what is none is refused before the system is asked', () => {
    const fd = rig.tcpSocket();
    const refused = (address: unknown) => thrownBy(() => sys.bind(fd, any(address)));
    for (const wrong of [
      'localhost:0',
      '127.0.0.1',
      ':80',
      '',
      '1.2.3:80',
      '::1:80',
      '[::1]',
      '[::1%1%2]:0',
    ]) {
      expect([wrong, refused(wrong)]).toEqual([wrong, outOfRange]);
    }
    for (const wrong of ['127.0.0.1:65536', { host: '127.0.0.1', port: -1 }, { host: '', port: 0 }]) {
      expect(refused(wrong)).toEqual(outOfRange);
    }
    expect(refused({ host: `127.0.0.1\0.example`, port: 0 })).toEqual(outOfRange);
    expect(refused({ host: '1'.repeat(300), port: 0 })).toEqual(outOfRange);
    for (const wrong of [undefined, null, 80, { port: 80 }, { host: '127.0.0.1', port: '80' }]) {
      expect(refused(wrong)).toEqual(invalidType);
    }
    expect(sys.bind(fd, '[::1]:0')).toBeLessThan(0); // the other family
  });

  testAnyFd('socketpair and pipe2 fill what they were given', () => {
    const [one, other] = rig.sockets();
    expect(sys.fcntl(one, constant('F_GETFD'))).toBe(constant('FD_CLOEXEC'));
    expect(sys.write(one, Buffer.from('abc'))).toBe(3);
    const buffer = new Uint8Array(8);
    expect(sys.recv(other, buffer)).toBe(3);
    expect(sys.socketpair([], INET, STREAM)).toBe(
      minus('EOPNOTSUPP' in sys.errno ? 'EOPNOTSUPP' : 'ENOTSUP'),
    );
    expect(sys.pipe2([], -1)).toBe(minus('EINVAL'));
    expect(thrownBy(() => sys.pipe2(any({})))).toEqual(invalidType);
    expect(thrownBy(() => sys.pipe2(any(new Int32Array(2))))).toEqual(invalidType);
    expect(thrownBy(() => sys.socketpair(any(undefined), UNIX, STREAM))).toEqual(invalidType);
  });

  test('an array that cannot be filled leaves no fd open', () => {
    const now = openFds();
    const throwing = Object.defineProperty([], 1, {
      set() {
        throw new Error('mine');
      },
    });
    const deaf = Object.defineProperty([0, 0], 1, { value: 0, writable: false });
    for (const out of [Object.freeze([]), Object.seal([]), deaf] as number[][]) {
      if (!isWindows) expect(thrownBy(() => sys.pipe2(out))).toEqual(invalidType);
      expect(thrownBy(() => sys.socketpair(out, PAIR_DOMAIN, STREAM))).toEqual(invalidType);
    }
    expect(() => sys.socketpair(throwing as number[], PAIR_DOMAIN, STREAM)).toThrow('mine');
    expect(openedSince(now)).toEqual([]);
  });

  test('shutdown', () => {
    const [one, other] = rig.sockets();
    expect(sys.shutdown(one, constant('SHUT_WR'))).toBe(0);
    expect(sys.recv(other, new Uint8Array(1))).toBe(0);
    expect(sys.shutdown(one, 99)).toBe(minus('EINVAL'));
    if (!isWindows) expect(sys.shutdown(rig.pipe()[0], 0)).toBe(minus('ENOTSOCK'));
    expect(sys.shutdown(rig.tcpSocket(), constant('SHUT_WR'))).toBe(minus('ENOTCONN'));
  });

  test('options as integers and as bytes', () => {
    const fd = rig.tcpSocket();
    const [level, name] = [constant('IPPROTO_TCP'), constant('TCP_NODELAY')];
    const value = new Uint8Array(4);
    const read = (): number => {
      expect(sys.getsockopt(fd, level, name, value)).toBe(4);
      return new Int32Array(value.buffer)[0] ?? -1;
    };
    expect(read()).toBe(0);
    expect(sys.setsockopt(fd, level, name, 1)).toBe(0);
    expect(read()).toBe(1);
    expect(sys.setsockopt(fd, level, name, new Uint8Array(4))).toBe(0);
    expect(read()).toBe(0);
    // Windows takes a flag of one byte.
    expect(sys.setsockopt(fd, level, name, new Uint8Array(1))).toBe(isWindows ? 0 : minus('EINVAL'));
    expect(sys.setsockopt(fd, level, 0x7fff, 1)).toBe(minus('ENOPROTOOPT'));
    expect(sys.getsockopt(fd, level, 0x7fff, value)).toBe(minus('ENOPROTOOPT'));
    expect(sys.getsockopt(fd, SOCKET_LEVEL, constant('SO_LINGER'), new Uint8Array(64))).toBe(8);
    expect(sys.getsockopt(fd, level, name, new Uint8Array(0))).toBe(isWindows ? minus('EFAULT') : 0);
    expect(thrownBy(() => sys.setsockopt(fd, level, name, any('1')))).toEqual(invalidType);
    expect(thrownBy(() => sys.setsockopt(fd, level, name, 2 ** 32))).toEqual(outOfRange);
    expect(thrownBy(() => sys.getsockopt(fd, level, name, any([0])))).toEqual(invalidType);
  });

  testIf(!isWine, 'Wine keeps the error of a socket that was asked for it')(
    'a pending error is taken once',
    () => {
      const [listener, port] = rig.tcpListener();
      rig.close(listener);
      const client = rig.tcpSocket();
      sys.connect(client, { host: '127.0.0.1', port });
      let taken = 0;
      untilSync(() => (taken = native.takeSocketError(client)) !== 0, 'the refusal');
      expect(taken).toBe(minus('ECONNREFUSED'));
      expect(native.takeSocketError(client)).toBe(0);
    },
  );
});

describe('reading and writing', () => {
  const calls = ['recv', 'send', 'read', 'write'] as const;

  test('only the range that was named is read and written', () => {
    const [one, other] = rig.sockets();
    expect(sys.send(one, Buffer.from('0123456789'), 2, 5)).toBe(5);
    expect(sys.write(one, Buffer.from('abcdef'), 4)).toBe(2);
    const buffer = new Uint8Array(12).fill(46);
    expect(sys.recv(other, buffer, 3, 4, constant('MSG_PEEK'))).toBe(4);
    expect(sys.recv(other, buffer, 3, 4)).toBe(4);
    expect(sys.read(other, buffer, 9)).toBe(3);
    expect(Buffer.from(buffer).toString()).toBe('...2345..6ef');
    expect(sys.read(other, buffer)).toBe(minus('EAGAIN'));
  });

  test('a view into a larger buffer keeps to its bounds', () => {
    const [one, other] = rig.sockets();
    const all = new Uint8Array(10).fill(46);
    const view = all.subarray(4, 7);
    expect(sys.write(one, Buffer.from('abcdef'))).toBe(6);
    expect(sys.recv(other, view)).toBe(3);
    expect(sys.read(other, view, 2)).toBe(1);
    expect(Buffer.from(all).toString()).toBe('....abd...');
  });

  test.each(calls)('%s: a range that reaches past the end is a RangeError', (call) => {
    const [one, other] = rig.sockets();
    send(other, 'xxxxxxxx');
    const buffer = new Uint8Array(8);
    for (const [offset, length] of [
      [0, 9],
      [8, 1],
      [9, 0],
      [4, 5],
      [-1, 1],
      [0, -1],
      [0, 2 ** 32],
      [2 ** 32, 1],
      [2 ** 53, 2 ** 53],
      [0.5, 1],
      [NaN, 1],
    ] as const) {
      expect(thrownBy(() => sys[call](one, buffer, offset, length))).toEqual(outOfRange);
      expect(thrownBy(() => native[call](one, buffer, offset, length, 0))).toEqual(outOfRange);
    }
    expect(sys[call](one, buffer, 8, 0)).toBeGreaterThanOrEqual(0);
    expect(sys[call](one, buffer, 8)).toBeGreaterThanOrEqual(0);
  });

  test.each(calls)('%s: what is no Uint8Array, or no number, is a TypeError', (call) => {
    const [one] = rig.sockets();
    const buffer = new Uint8Array(8);
    const wrongs = [
      undefined,
      null,
      'abc',
      [1],
      new ArrayBuffer(8),
      new Int8Array(8),
      new DataView(buffer.buffer),
    ];
    for (const wrong of wrongs) {
      expect(thrownBy(() => sys[call](one, any(wrong)))).toEqual(invalidType);
      expect(thrownBy(() => native[call](one, any(wrong), 0, 0, 0))).toEqual(invalidType);
    }
    for (const wrong of ['0', null, 0n, {}, Symbol('0')]) {
      expect(thrownBy(() => sys[call](any(wrong), buffer))).toEqual(invalidType);
      expect(thrownBy(() => sys[call](one, buffer, any(wrong)))).toEqual(invalidType);
      expect(thrownBy(() => sys[call](one, buffer, 0, any(wrong)))).toEqual(invalidType);
    }
  });

  test.each(calls)('%s: T07 a detached array has no bytes', (call) => {
    const [one, other] = rig.sockets();
    send(other, 'xxxxxxxx');
    const buffer = new Uint8Array(64);
    expect(sys[call](one, buffer)).toBeGreaterThan(0);
    structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
    expect(thrownBy(() => sys[call](one, buffer, 0, 64))).toEqual(outOfRange);
    expect(thrownBy(() => native[call](one, buffer, 0, 64, 0))).toEqual(outOfRange);
    expect(sys[call](one, buffer)).toBeGreaterThanOrEqual(minus('EAGAIN'));
  });

  test.each(calls)('%s: T07 an array that shrank is as long as it is by now', (call) => {
    const [one, other] = rig.sockets();
    send(other, 'xxxxxxxxxxxxxxxxxxxxxxxx');
    // ES2024, which the library's own `lib` does not name.
    type Resizable = ArrayBuffer & { resize(bytes: number): void };
    const Memory = ArrayBuffer as unknown as new (bytes: number, options: object) => Resizable;
    const memory = new Memory(64, { maxByteLength: 128 });
    const tracking = new Uint8Array(memory);
    const fixed = new Uint8Array(memory, 32, 32);
    memory.resize(16);
    expect(thrownBy(() => native[call](one, tracking, 0, 64, 0))).toEqual(outOfRange);
    expect(thrownBy(() => native[call](one, fixed, 0, 32, 0))).toEqual(outOfRange);
    expect(sys[call](one, tracking)).toBe(16);
    memory.resize(128);
    expect(native[call](one, tracking, 120, 8, 0)).toBe(8);
  });

  test('the whole-buffer calls look it up too', () => {
    const [one, other] = rig.sockets();
    const buffer = new Uint8Array(4096).fill(97);
    expect(native.sendFrom(one, buffer)).toBe(4096);
    expect(native.recvInto(other, buffer.subarray(0, 100))).toBe(100);
    structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
    expect(native.recvInto(other, buffer)).toBeLessThanOrEqual(0);
    expect(native.sendFrom(one, buffer)).toBeLessThanOrEqual(0);
    expect(thrownBy(() => native.recvInto(one, any(new Int8Array(1))))).toEqual(invalidType);
    expect(thrownBy(() => native.sendFrom(one, any(undefined)))).toEqual(invalidType);
  });

  test('writev writes buffers in order, of which at most 64', () => {
    const [one, other] = rig.sockets();
    expect(sys.writev(one, [Buffer.from('ab'), new Uint8Array(0), Buffer.from('cde')])).toBe(5);
    expect(sys.writev(one, [])).toBe(0);
    expect(native.writev(one, [Buffer.from('0123'), Buffer.from('45')], 2, 2)).toBe(4);
    expect(native.sendv(one, [Buffer.from('0123'), Buffer.from('45'), Buffer.from('67')], 3, 2)).toBe(3);
    const many = Array.from({ length: 100 }, () => Buffer.from('x'));
    expect(sys.writev(one, many)).toBe(64);
    const buffer = Buffer.alloc(100);
    expect(sys.recv(other, buffer)).toBe(76);
    expect(buffer.toString('latin1', 0, 12)).toBe('abcde2345345');
  });

  test('writev: what is no array of Uint8Arrays is a TypeError, a bad offset a RangeError', () => {
    const [one] = rig.sockets();
    for (const wrong of [
      undefined,
      {},
      'ab',
      new Uint8Array(2),
      [1],
      [new Uint8Array(1), 'b'],
      new Array(2),
    ]) {
      expect(thrownBy(() => sys.writev(one, any(wrong)))).toEqual(invalidType);
      expect(thrownBy(() => native.writev(one, any(wrong), 0, 2))).toEqual(invalidType);
      expect(thrownBy(() => native.sendv(one, any(wrong), 0, 2))).toEqual(invalidType);
    }
    expect(thrownBy(() => native.writev(one, [new Uint8Array(2)], 3, 1))).toEqual(outOfRange);
    expect(native.writev(one, [new Uint8Array(2)], 2, 1)).toBe(0);
    expect(thrownBy(() => native.sendv(one, [new Uint8Array(2)], 0, -1))).toEqual(outOfRange);
  });

  test('T07 a getter among the buffers cannot take away the memory of those before it', () => {
    const [one, other] = rig.sockets();
    for (const call of ['writev', 'sendv'] as const) {
      const first = new Uint8Array(100_000).fill(97);
      const list = [first, first];
      Object.defineProperty(list, 1, {
        get() {
          structuredClone(first.buffer, { transfer: [first.buffer] });
          return Buffer.from('b');
        },
      });
      expect(native[call](one, list, 0, 2)).toBe(1);
      const buffer = Buffer.alloc(8);
      expect(sys.recv(other, buffer)).toBe(1);
      expect(buffer.toString('latin1', 0, 1)).toBe('b');
    }
    const throwing = Object.defineProperty([first(), first()], 1, {
      get() {
        throw new Error('mine');
      },
    });
    expect(() => native.writev(one, throwing, 0, 2)).toThrow('mine');

    function first(): Uint8Array {
      return new Uint8Array(1);
    }
  });

  testAnyFd('a file is read and written like any fd', () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'file');
    const fd = openSync(file, 'w+');
    expect(sys.writev(fd, [Buffer.from('one '), Buffer.from('two')])).toBe(7);
    expect(readFileSync(file, 'utf8')).toBe('one two');
    expect(sys.read(fd, new Uint8Array(8))).toBe(0);
    closeSync(fd);
  });

  test('a full pipe and a full socket say EAGAIN', () => {
    const [, writer] = rig.pipe();
    fill(writer);
    expect(sys.write(writer, new Uint8Array(1))).toBe(minus('EAGAIN'));
    const [one] = rig.sockets();
    fill(one);
    expect(sys.send(one, new Uint8Array(65_536))).toBe(minus('EAGAIN'));
  });
});

describe('fds', () => {
  test('every call on a closed fd is EBADF', () => {
    const buffer = new Uint8Array(4);
    const calls = [
      () => sys.bind(NO_FD, '127.0.0.1:0'),
      () => sys.connect(NO_FD, '127.0.0.1:1'),
      () => sys.listen(NO_FD, 1),
      () => sys.accept4(NO_FD, 0),
      () => sys.recv(NO_FD, buffer),
      () => sys.send(NO_FD, buffer),
      () => sys.read(NO_FD, buffer),
      () => sys.write(NO_FD, buffer),
      () => sys.writev(NO_FD, [buffer]),
      () => sys.fcntl(NO_FD, constant('F_GETFL')),
      () => sys.shutdown(NO_FD, 0),
      () => sys.close(NO_FD),
      () => sys.getsockname(NO_FD, {}),
      () => sys.getpeername(NO_FD, {}),
      () => sys.setsockopt(NO_FD, SOCKET_LEVEL, constant('SO_KEEPALIVE'), 1),
      () => sys.setsockopt(NO_FD, SOCKET_LEVEL, constant('SO_KEEPALIVE'), buffer),
      () => sys.getsockopt(NO_FD, SOCKET_LEVEL, constant('SO_KEEPALIVE'), buffer),
    ];
    for (const call of calls) expect([call.toString(), call()]).toEqual([call.toString(), minus('EBADF')]);
  });

  test('close twice: the second is EBADF, and closes nothing', () => {
    const [one, other] = rig.sockets();
    rig.close(one);
    expect(sys.close(one)).toBe(minus('EBADF'));
    expect(sys.recv(other, new Uint8Array(1))).toBe(0);
    expect(thrownBy(() => sys.close(-1))).toEqual(outOfRange);
    expect(thrownBy(() => sys.close(any('3')))).toEqual(invalidType);
    expect(thrownBy(() => sys.close(any(undefined)))).toEqual(invalidType);
  });

  testAnyFd('fcntl: flags and duplicates, and no command that takes a pointer', () => {
    const [reader] = rig.pipe();
    const [GETFL, SETFL] = [constant('F_GETFL'), constant('F_SETFL')];
    const flags = sys.fcntl(reader, GETFL);
    expect(sys.fcntl(reader, SETFL, flags & ~constant('O_NONBLOCK'))).toBe(0);
    expect(sys.fcntl(reader, GETFL) & constant('O_NONBLOCK')).toBe(0);
    const copy = rig.own(sys.fcntl(reader, constant('F_DUPFD_CLOEXEC'), 100));
    expect(copy).toBeGreaterThanOrEqual(100);
    const F_GETLK = 5; // it would write to the address that it is given
    expect(sys.fcntl(reader, F_GETLK, 8)).toBe(minus('EINVAL'));
    expect(thrownBy(() => sys.fcntl(reader, any('1')))).toEqual(invalidType);
  });

  testAnyFd('T50 what a thread leaves open is closed at its end, what it has given away is not', async () => {
    const script = `
      const { readdirSync } = require('node:fs');
      const { Worker } = require('node:worker_threads');
      const count = () => readdirSync('${FD_FOLDER}').length;
      const work = \`
        const { sys, Epoll, Kqueue } = require('tripoll/raw');
        const { Poller } = require('tripoll');
        const c = sys.constants;
        const pair = [];
        sys.pipe2(pair); sys.socketpair([], c.AF_UNIX, c.SOCK_STREAM); sys.socket(c.AF_INET, c.SOCK_STREAM);
        sys.fcntl(pair[0], c.F_DUPFD_CLOEXEC, 50);
        new ${hasBackend('epoll') ? 'Epoll' : 'Kqueue'}();
        new Poller(); new Poller({ backend: 'poll' });
        if (process.argv[2] === 'spin') for (;;);
      \`;
      const run = (kind) => new Promise((resolve) => {
        const worker = new Worker(work, { eval: true, argv: [kind] });
        worker.on('exit', resolve);
        if (kind === 'spin') {
          const wait = () => count() > before + 12 ? worker.terminate() : setImmediate(wait);
          worker.on('online', wait);
        }
      });
      let before = count();
      (async () => {
        await run('end'); // what a first worker makes for good
        before = count();
        await run('end');
        await run('spin');
        console.log(count() - before);
      })();`;
    const result = await runScript(script);
    expectCleanExit(result);
    expect(result.stdout).toBe('0\n');
  });
});

describe('T43 SIGPIPE never kills', () => {
  testSignals('a peer that has gone is EPIPE, whatever the call', () => {
    const [one, other] = rig.sockets();
    rig.close(other);
    const buffer = Buffer.from('x');
    expect(sys.send(one, buffer)).toBe(minus('EPIPE'));
    expect(sys.write(one, buffer)).toBe(minus('EPIPE'));
    expect(sys.writev(one, [buffer])).toBe(minus('EPIPE'));
    expect(native.sendv(one, [buffer], 0, 1)).toBe(minus('EPIPE'));
    expect(native.sendFrom(one, buffer)).toBe(minus('EPIPE'));
    const [reader, writer] = rig.pipe();
    rig.close(reader);
    expect(sys.write(writer, buffer)).toBe(minus('EPIPE'));
  });

  testSignals('the calls for sockets need no help from the signal being ignored', async () => {
    // A listener that came and went leaves the signal at its default, where Node had it ignored.
    const script = `
      const { sys } = require('tripoll/raw');
      const { native } = require(require.resolve('tripoll').replace('index.js', 'binding/native.js'));
      const c = sys.constants;
      const ignore = () => {};
      process.on('SIGPIPE', ignore);
      process.off('SIGPIPE', ignore);
      const pair = [];
      sys.socketpair(pair, c.AF_UNIX, c.SOCK_STREAM | c.SOCK_NONBLOCK);
      sys.close(pair[1]);
      const bytes = new Uint8Array(1);
      native.arenaCreate();
      const [fd] = pair;
      const sent = [
        sys.send(fd, bytes), native.sendv(fd, [bytes], 0, 1), native.sendFrom(fd, bytes), native.sendArena(fd, 1),
      ];
      process.stdout.write(JSON.stringify(sent), () => sys.write(fd, bytes));`;
    const result = await runScript(script);
    expect(result.stdout).toBe(JSON.stringify(Array(4).fill(minus('EPIPE'))));
    // What write(2) does there, to show that the default was at work.
    expect(result).toMatchObject({ signal: 'SIGPIPE', stderr: '' });
  });
});

test('the tables hold what the headers say', () => {
  // On Windows libuv's, as Node itself shows them.
  const { EPERM, ENOENT, EBADF } = constants.errno;
  const numbers = isWindows ? { EPERM: 4048, ENOENT: 4058, EBADF: 4083 } : { EPERM, ENOENT, EBADF };
  expect(sys.errno).toMatchObject(numbers);
  expect(sys.constants).toMatchObject({ AF_INET: 2 });
});
