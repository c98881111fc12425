import { readFileSync } from 'node:fs';
import path from 'node:path';
import { alloc, closeHandle, type Completion, CompletionPort, createPipe, openFile, sys } from 'tripoll/raw';
import { runScript, expectCleanExit } from '../support/child';
import { describeIf, testIf } from '../support/applies';
import { untilSync } from '../support/deadline';
import { closed, invalidType, outOfRange, thrownBy, unsupported } from '../support/errors';
import { openFds, openedSince } from '../support/fds';
import { isWindows } from '../support/platform';
import { constant, minus, Rig } from '../poller/rig';
import { temporaryFolder } from '../support/folders';

const any = (value: unknown): never => value as never;
const STREAM = 'SOCK_STREAM';

testIf(!isWindows, 'it is about systems that have none')('elsewhere it is unsupported', () => {
  const uses = [
    () => new CompletionPort(),
    () => alloc(1),
    () => createPipe('\\\\.\\pipe\\x'),
    () => openFile('x', 0, 0),
    () => closeHandle(4),
  ];
  for (const use of uses) expect(thrownBy(use)).toEqual(unsupported);
});

describeIf(isWindows, 'completion ports are Windows’')('CompletionPort', () => {
  let port: CompletionPort;
  let rig: Rig;
  let before: Map<number, string>;

  beforeEach(() => {
    before = openFds();
    port = new CompletionPort();
    rig = new Rig(any(null));
  });
  afterEach(() => {
    port.close();
    rig.end();
    expect(openedSince(before)).toEqual([]);
  });

  /** Until the operation's packet has come; others are kept out. */
  function packetOf(operation: number): Completion {
    let found: Completion | undefined;
    untilSync(() => {
      found = port.getQueuedCompletionStatusEx(100).find((one) => one.operation === operation);
      return found !== undefined;
    }, 'a packet');
    return found!;
  }

  function associatedPair(): [number, number] {
    const [one, other] = rig.tcp();
    port.associate(one, 1);
    port.associate(other, 2);
    return [one, other];
  }

  const socket = (): number =>
    rig.own(sys.socket(constant('AF_INET'), constant(STREAM) | constant('SOCK_CLOEXEC')));

  test('posted packets come in order, with their keys', () => {
    for (const key of [0, 7, 2 ** 40, Number.MAX_SAFE_INTEGER]) port.post(key, 9);
    const seen = port.getQueuedCompletionStatusEx(1000);
    expect(seen).toEqual(
      [0, 7, 2 ** 40, Number.MAX_SAFE_INTEGER].map((key) => ({ key, operation: -1, bytes: 9, errno: 0 })),
    );
    expect(port.getQueuedCompletionStatusEx(0)).toEqual([]);
  });

  test('T36 a wait that ends without a packet tells none, whatever the system counts', () => {
    for (const timeoutMs of [0, 1, 20]) expect(port.getQueuedCompletionStatusEx(timeoutMs)).toEqual([]);
  });

  test('recv and send', () => {
    const [one, other] = associatedPair();
    const buffer = alloc(64);
    const receiving = port.recv(other, buffer.subarray(8, 40));
    const message = alloc(5);
    message.set(Buffer.from('hello'));
    const sending = port.send(one, message);
    expect(sending).not.toBe(receiving);
    const packets = [packetOf(receiving)];
    expect(packets[0]).toEqual({ key: 2, operation: receiving, bytes: 5, errno: 0 });
    expect(Buffer.from(buffer.subarray(8, 13)).toString()).toBe('hello');
    expect(buffer[7]).toBe(0);
  });

  test('the end is 0 bytes', () => {
    const [one, other] = associatedPair();
    const receiving = port.recv(other, alloc(8));
    sys.shutdown(one, constant('SHUT_WR'));
    expect(packetOf(receiving)).toMatchObject({ key: 2, bytes: 0, errno: 0 });
  });

  test('accept and connect', () => {
    const [listener, tcpPort] = rig.tcpListener();
    port.associate(listener, 10);
    const accepted = socket();
    const accepting = port.accept(listener, accepted);
    const client = socket();
    port.associate(client, 11);
    const connecting = port.connect(client, { host: '127.0.0.1', port: tcpPort });
    const seen = new Map<number, Completion>();
    untilSync(() => {
      for (const one of port.getQueuedCompletionStatusEx(100)) seen.set(one.operation, one);
      return seen.size === 2;
    }, 'both packets');
    expect(seen.get(accepting)).toMatchObject({ key: 10, errno: 0 });
    expect(seen.get(connecting)).toMatchObject({ key: 11, errno: 0 });
    // Both are as if accept(2) and connect(2) had made them.
    const [own, peer]: [{ port?: number }, { port?: number }] = [{}, {}];
    expect(sys.getsockname(client, own)).toBe(0);
    expect(sys.getpeername(accepted, peer)).toBe(0);
    expect(peer.port).toBe(own.port);
    expect(sys.send(client, Buffer.from('x'))).toBe(1);
    expect(sys.recv(accepted, new Uint8Array(4))).toBe(1);
  });

  test('messages say what Windows called it', () => {
    const [one] = rig.tcp();
    port.associate(one, 1);
    expect(() => port.associate(one, 1)).toThrow('EINVAL: invalid argument (Windows error 87)');
    expect(() => port.cancel(99)).toThrow(/ENOENT: no such file or directory$/);
  });

  test('a refused connect tells ECONNREFUSED', () => {
    const [listener, tcpPort] = rig.tcpListener();
    rig.close(listener);
    const client = socket();
    port.associate(client, 1);
    const connecting = port.connect(client, { host: '127.0.0.1', port: tcpPort });
    expect(packetOf(connecting).errno).toBe(minus('ECONNREFUSED'));
  });

  test('cancel: the packet comes with ECANCELED, and a second cancel finds nothing', () => {
    const [, other] = associatedPair();
    const receiving = port.recv(other, alloc(8));
    port.cancel(receiving);
    expect(packetOf(receiving)).toMatchObject({ bytes: 0, errno: minus('ECANCELED') });
    expect(thrownBy(() => port.cancel(receiving))).toMatchObject({ code: 'ENOENT' });
  });

  test('T33 closing the port with operations under way, their memory dropped: nothing is written astray', () => {
    const [one, other] = rig.tcp();
    for (let round = 0; round < 20; round++) {
      const own = new CompletionPort();
      // A handle stays with its port (T30): the pair is for the first.
      if (round === 0) {
        own.associate(other, 1);
        own.recv(other, alloc(64));
      }
      own.close();
      sys.send(one, Buffer.from('x'));
    }
    expect(sys.recv(other, new Uint8Array(64))).toBeGreaterThan(0);
  });

  test('T30 a handle stays with its first port', () => {
    const [one] = rig.tcp();
    port.associate(one, 1);
    const other = new CompletionPort();
    expect(thrownBy(() => other.associate(one, 1))).toMatchObject({ code: 'EINVAL' });
    other.close();
    expect(thrownBy(() => port.associate(one, 2))).toMatchObject({ code: 'EINVAL' });
  });

  test('an operation on what is not associated is EINVAL, and leaves nothing behind', () => {
    const [one] = rig.tcp();
    expect(thrownBy(() => port.recv(one, alloc(8)))).toMatchObject({ code: 'EINVAL', syscall: 'WSARecv' });
    expect(port.getQueuedCompletionStatusEx(0)).toEqual([]);
  });

  test('a named pipe: a client connects, both ways, the end', () => {
    const name = `\\\\.\\pipe\\tripoll-${process.pid}`;
    const server = createPipe(name, 1);
    port.associate(server, 1);
    const connecting = port.connectPipe(server);
    const access = constant('GENERIC_READ') | constant('GENERIC_WRITE');
    expect(access).toBeLessThan(0); // F26
    const client = openFile(name, access, constant('OPEN_EXISTING'));
    port.associate(client, 2);
    expect(packetOf(connecting)).toMatchObject({ errno: 0 });
    for (const [from, to] of [
      [server, client],
      [client, server],
    ] as const) {
      const buffer = alloc(16);
      const reading = port.read(to, buffer);
      const bytes = alloc(4);
      bytes.set(Buffer.from('ping'));
      port.write(from, bytes);
      expect(packetOf(reading)).toMatchObject({ bytes: 4, errno: 0 });
      expect(Buffer.from(buffer.subarray(0, 4)).toString()).toBe('ping');
    }
    const reading = port.read(server, alloc(16));
    closeHandle(client);
    expect(packetOf(reading).errno).toBe(minus('EPIPE'));
    closeHandle(server);
    expect(thrownBy(() => closeHandle(server))).toMatchObject({ code: 'EBADF' });
  });

  test('a client that was there before connectPipe: its packet comes too', () => {
    const name = `\\\\.\\pipe\\tripoll-early-${process.pid}`;
    const server = createPipe(name);
    port.associate(server, 1);
    const client = openFile(name, constant('GENERIC_WRITE'), constant('OPEN_EXISTING'));
    expect(packetOf(port.connectPipe(server))).toMatchObject({ errno: 0 });
    closeHandle(client);
    closeHandle(server);
  });

  test('a file, at a position', () => {
    const folder = temporaryFolder();
    const name = path.join(folder, 'datei-ü');
    const access = (constant('GENERIC_READ') | constant('GENERIC_WRITE')) >>> 0;
    const file = openFile(name, access, constant('CREATE_NEW'));
    port.associate(file, 5);
    const bytes = alloc(8);
    bytes.set(Buffer.from('12345678'));
    expect(packetOf(port.write(file, bytes))).toMatchObject({ key: 5, bytes: 8, errno: 0 });
    const part = alloc(3);
    expect(packetOf(port.read(file, part, 4))).toMatchObject({ bytes: 3, errno: 0 });
    expect(Buffer.from(part).toString()).toBe('567');
    closeHandle(file);
    expect(readFileSync(name, 'utf8')).toBe('12345678');
    expect(thrownBy(() => openFile(name, access, constant('CREATE_NEW')))).toMatchObject({ code: 'EEXIST' });
    expect(
      thrownBy(() => openFile(path.join(folder, 'no'), access, constant('OPEN_EXISTING'))),
    ).toMatchObject({
      code: 'ENOENT',
      syscall: 'CreateFile',
    });
  });

  test('only lent memory, of its own length', () => {
    const [, other] = associatedPair();
    expect(thrownBy(() => port.recv(other, new Uint8Array(8)))).toEqual(outOfRange);
    expect(thrownBy(() => port.recv(other, any('8')))).toEqual(invalidType);
    const lent = alloc(16);
    // Its owner gives it away, which structuredClone refuses for what native code made: a view of
    // nothing. Node 20 has no way.
    (lent.buffer as unknown as { transfer?: () => void }).transfer?.();
    const receiving = port.recv(other, lent);
    expect(receiving).toBeGreaterThanOrEqual(0);
    for (const wrong of [0, -1, 2 ** 30 + 1, 0.5]) expect(thrownBy(() => alloc(wrong))).toEqual(outOfRange);
    expect(thrownBy(() => alloc(any('1')))).toEqual(invalidType);
  });

  test('wrong arguments, and use after close', () => {
    for (const wrong of [0, -4, 0.5, 2 ** 53]) {
      expect(thrownBy(() => port.associate(wrong, 1))).toEqual(outOfRange);
      expect(thrownBy(() => closeHandle(wrong))).toEqual(outOfRange);
    }
    for (const wrong of ['4', null, undefined, {}]) {
      expect(thrownBy(() => port.associate(any(wrong), 1))).toEqual(invalidType);
    }
    expect(thrownBy(() => port.associate(2 ** 31 - 4, 1))).toMatchObject({ code: 'EBADF' });
    expect(thrownBy(() => port.getQueuedCompletionStatusEx(-2))).toEqual(outOfRange);
    expect(thrownBy(() => port.post(2 ** 53))).toEqual(outOfRange);
    expect(thrownBy(() => createPipe(any(1)))).toEqual(invalidType);
    expect(thrownBy(() => openFile('a\0b', 0, 3))).toMatchObject({ code: 'EINVAL' });
    port.close();
    port.close();
    expect(thrownBy(() => port.post(1))).toEqual(closed);
    expect(thrownBy(() => port.getQueuedCompletionStatusEx(0))).toEqual(closed);
  });

  test('T50 a thread that ends in the middle of operations', async () => {
    const script = `
      const { Worker } = require('node:worker_threads');
      const work = \`
        const { sys, CompletionPort, alloc, createPipe } = require('tripoll/raw');
        const { openSocketPair } = require('./out/test/support/pairs.js');
        const slash = String.fromCharCode(92);
        const pair = [];
        openSocketPair(pair);
        const port = new CompletionPort();
        for (const fd of pair) { port.associate(fd, 1); port.recv(fd, alloc(64)); }
        const pipe = createPipe([slash, slash, '.', slash, 'pipe', slash, 'tripoll-thread-'].join('') + process.pid + '-' + require('worker_threads').threadId);
        port.associate(pipe, 2);
        port.connectPipe(pipe);
        if (process.argv[2] === 'spin') { require('worker_threads').parentPort.postMessage(1); for (;;); }
      \`;
      const { openFds } = require('./out/test/support/fds.js');
      const run = (kind) => new Promise((resolve) => {
        const worker = new Worker(work, { eval: true, argv: [kind] });
        worker.on('message', () => worker.terminate());
        worker.on('exit', resolve);
      });
      (async () => {
        const before = openFds().size;
        for (let i = 0; i < 5; i++) { await run('end'); await run('spin'); }
        console.log(openFds().size - before);
      })();`;
    const result = await runScript(script, { deadlineMs: 30_000 });
    expectCleanExit(result);
    expect(result.stdout.trim()).toBe('0');
  });
});
