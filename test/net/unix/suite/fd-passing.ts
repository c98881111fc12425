import { connectUnix, listenUnix, UnixStream, type PassedFds, type UnixConnection } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { until, within } from '../../../support/deadline.js';
import { openedSince, openFds } from '../../../support/fds.js';
import { deferred, expectNoSpin, record, rejection, type Context } from '../../tools.js';
import { bindUnix, closeAll, drainPipe, newPath, newPipe, unixPair } from '../tools.js';

const { F_GETFD, FD_CLOEXEC } = sys.constants;
const X = Buffer.from('x');

export function describeFdPassing(context: Context): void {
  const receive = (stream: UnixStream, options = {}): ReturnType<UnixStream['receive']> =>
    within(stream.receive(new Uint8Array(100), options), 'receive');

  /** So many bytes come, and with the last the pipe's write end, which works. */
  async function expectFd(
    server: UnixStream,
    bytes: number,
    [readEnd, writeEnd]: [number, number],
  ): Promise<void> {
    const passed: number[] = [];
    const buffer = new Uint8Array(1 << 20);
    for (let left = bytes; left > 0;) {
      const { lengthBytes: length, fds } = await within(server.receive(buffer), 'receive');
      left -= length;
      passed.push(...fds.takeAll());
    }
    expect(passed.length).toBe(1);
    sys.write(passed[0]!, X);
    expect(drainPipe(readEnd)).toBe('x');
    closeAll(...passed, readEnd, writeEnd);
  }

  describe('fd passing', () => {
    test('T46 an fd arrives, close-on-exec, and works; the sender’s stays his', async () => {
      const { client, server } = await unixPair(context);
      const [readEnd, writeEnd] = newPipe();
      expect(await client.send(Buffer.from('with it'), [writeEnd])).toBe(7);
      closeAll(writeEnd);
      const { lengthBytes: length, fds } = await receive(server);
      expect([length, fds.count, fds.truncated]).toEqual([7, 1, false]);
      const passed = fds.take(0);
      expect(() => fds.take(0)).toThrow(RangeError);
      expect(sys.fcntl(passed, F_GETFD)).toBe(FD_CLOEXEC);
      sys.write(passed, Buffer.from('hello'));
      expect(drainPipe(readEnd)).toBe('hello');
      closeAll(passed, readEnd);
    });

    test('T62 ENOBUFS makes a send wait, with its fds: both styles', async () => {
      const path = newPath();
      const told = record();
      context.own(listenUnix({ path, reactor: context.reactor }, told.handlers as object));
      const stream = context.own(await UnixStream.connect(path, { reactor: context.reactor }));
      const connection = (await within(told.opened, 'open')) as unknown as UnixConnection;
      const passed: number[] = [];
      const { sendMessage } = native;
      let isShort = true;
      const calls = jest
        .spyOn(native, 'sendMessage')
        .mockImplementation((...values) => (isShort ? -native.errnos.ENOBUFS : sendMessage(...values)));
      try {
        const pipes = [newPipe(), newPipe()] as const;
        const send = stream.send(Buffer.from('a'), [pipes[0][1]]);
        expect(connection.send(Buffer.from('b'), [pipes[1][1]])).toBe(true);
        await expectNoSpin(context.reactor);
        expect([calls.mock.calls.length < 40, stream.closed, connection.closed]).toEqual([
          true,
          false,
          false,
        ]);
        isShort = false;
        const { lengthBytes, fds } = await receive(stream);
        expect([lengthBytes, fds.count]).toEqual([1, 1]);
        passed.push(...fds.takeAll());
        sys.write(passed[0]!, X);
        expect(drainPipe(pipes[1][0])).toBe('x');
        expect(await within(send, 'send')).toBe(1);
        await until(() => told.received() === 1, 'the other');
        closeAll(...passed, ...pipes.flat());
      } finally {
        calls.mockRestore();
      }
    });

    test('T46 253 fds at once, in order; one more is refused', async () => {
      const { client, server } = await unixPair(context);
      const [readEnd, writeEnd] = newPipe();
      const many = Array.from({ length: 253 }, (_, i) => (i === 252 ? readEnd : writeEnd));
      await client.send(X, many);
      const { fds } = await receive(server);
      expect(fds.count).toBe(253);
      const taken = fds.takeAll();
      sys.write(taken[0]!, X);
      expect(drainPipe(taken[252]!)).toBe('x');
      closeAll(...taken);
      expect(await rejection(client.send(X, [...many, writeEnd]))).toMatchObject({ name: 'RangeError' });
      expect(await rejection(client.send(new Uint8Array(0), many))).toMatchObject({ name: 'RangeError' });
      closeAll(readEnd, writeEnd);
    });

    test('T46 a closed fd is EBADF, before anything is sent', async () => {
      const { client, server } = await unixPair(context);
      const [readEnd, writeEnd] = newPipe();
      closeAll(writeEnd);
      expect(await rejection(client.send(X, [readEnd, writeEnd]))).toMatchObject({ code: 'EBADF' });
      await client.send(X, [readEnd]);
      const { fds } = await receive(server);
      expect(fds.count).toBe(1);
      closeAll(readEnd);
    });

    test('T46 what nobody takes is closed: by the next receive, and with the stream', async () => {
      const { client, server } = await unixPair(context);
      const [readEnd, writeEnd] = newPipe();
      const before = openFds();
      await client.send(X, [writeEnd, writeEnd]);
      const first = await receive(server);
      expect(openedSince(before).length).toBe(2);
      await client.send(X, [writeEnd]);
      await receive(server);
      expect(openedSince(before).length).toBe(1);
      expect(() => first.fds.take(0)).toThrow(RangeError);
      server.close();
      expect(openedSince(before)).toEqual([]);
      closeAll(readEnd, writeEnd);
    });

    test('T46 fds that are not asked for are never opened, or closed: read, maxFds', async () => {
      const { client, server } = await unixPair(context);
      const [readEnd, writeEnd] = newPipe();
      const before = openFds();
      await client.send(X, [writeEnd]);
      expect(await within(server.read(new Uint8Array(10)), 'read')).toBe(1);
      expect(openedSince(before)).toEqual([]);
      await client.send(X, [writeEnd, writeEnd, writeEnd]);
      const { fds } = await receive(server, { maxFds: 1 });
      expect([fds.count, fds.truncated]).toEqual([1, true]);
      expect(openedSince(before).length).toBe(1);
      fds.close();
      fds.close();
      expect(openedSince(before)).toEqual([]);
      closeAll(readEnd, writeEnd);
    });

    test('T46 fds that nobody ever receives go with the sockets', async () => {
      const { client, server } = await unixPair(context);
      const [readEnd, writeEnd] = newPipe();
      await client.send(X, [writeEnd]);
      closeAll(writeEnd);
      expect(drainPipe(readEnd)).toBe(`errno ${sys.errno['EAGAIN']}`);
      server.close();
      client.close();
      // A thread that is still inside poll(2) holds on to the sockets until it leaves.
      await until(() => drainPipe(readEnd) === '', 'the end of the pipe');
      closeAll(readEnd);
    });

    test('T46 sends that wait keep duplicates: the caller may close, order is kept', async () => {
      const { client, server } = await unixPair(context);
      const filler = new Uint8Array(1 << 20);
      const pipes = [newPipe(), newPipe()];
      const before = openFds();
      const writes = [client.writeAll(filler)];
      for (const [index, [, writeEnd]] of pipes.entries()) {
        writes.push(client.send(Buffer.from(String(index)), [writeEnd]), client.writeAll(Buffer.from('-')));
      }
      expect(openedSince(before).length).toBe(2);
      closeAll(...pipes.map(([, writeEnd]) => writeEnd));
      const buffer = new Uint8Array(1 << 16);
      let text = '';
      const passed: number[] = [];
      for (let left = filler.length + 4; left > 0;) {
        const { lengthBytes: length, fds } = await within(server.receive(buffer), 'receive');
        left -= length;
        if (fds.count > 0) text += `[${passed.push(...fds.takeAll())}]`;
        text += Buffer.from(buffer.subarray(0, length)).toString().replaceAll('\0', '');
      }
      // The fds of a send come with its bytes, which others may precede, but not follow.
      expect(text).toMatch(/^\[1\]0(-\[2\]1|\[2\]-1)-$/);
      await within(Promise.all(writes), 'writes');
      for (const [index, fd] of passed.entries()) {
        sys.write(fd, Buffer.from(`to ${index}`));
        expect(drainPipe(pipes[index]![0])).toBe(`to ${index}`);
      }
      closeAll(...passed, ...pipes.map(([readEnd]) => readEnd));
      expect(openedSince(before)).toEqual([]);
    });

    test('T46 sends that are aborted, or whose stream closes, close their duplicates', async () => {
      const { client } = await unixPair(context);
      const [readEnd, writeEnd] = newPipe();
      const before = openFds();
      const filling = client.writeAll(new Uint8Array(1 << 22));
      const aborted = client.send(X, [writeEnd], { timeoutMs: 1 });
      const dropped = client.send(X, [writeEnd]);
      expect(openedSince(before).length).toBe(2);
      expect(await rejection(aborted)).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
      expect(openedSince(before).length).toBe(1);
      client.close();
      expect(openedSince(before)).toEqual([]);
      for (const write of [filling, dropped]) {
        expect(await rejection(write)).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      }
      closeAll(readEnd, writeEnd);
    });

    test('T46 handlers: queued fds that are flushed while the socket is still full are not lost', async () => {
      const { listener, path } = await bindUnix(context);
      const client = context.own(connectUnix({ path, reactor: context.reactor }, {}));
      const server = context.own((await within(listener.accept(), 'accept')).stream);
      await until(() => client.fd >= 0, 'connected');
      // By the system itself: what is queued are the fds alone.
      const filler = new Uint8Array(1 << 16);
      let bytes = 0;
      for (let sent = 0; sent >= 0; sent = sys.write(client.fd, filler)) bytes += sent;
      const [readEnd, writeEnd] = newPipe();
      const before = openFds();
      client.send(X, [writeEnd]);
      // Each of them tries.
      for (let i = 0; i < 3; i++) {
        client.cork();
        client.uncork();
      }
      expect(openedSince(before).length).toBe(1);
      await expectFd(server, bytes + 1, [readEnd, writeEnd]);
    });

    test('T46 promises: the same, when an abort lets the rest try', async () => {
      const { client, server } = await unixPair(context);
      const filler = new Uint8Array(1 << 20);
      const filling = client.write(filler);
      const sent = await within(filling, 'the first part');
      const aborted = client.write(filler, { timeoutMs: 1 });
      const [readEnd, writeEnd] = newPipe();
      const sending = client.send(X, [writeEnd]);
      expect(await rejection(aborted)).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
      await expectFd(server, sent + 1, [readEnd, writeEnd]);
      expect(await within(sending, 'send')).toBe(1);
    });

    test('T46 handlers: fds before their data; what is not taken is closed', async () => {
      const path = newPath();
      const events: string[] = [];
      let taken = -1;
      const done = deferred<undefined>();
      context.own(
        listenUnix(
          { path, reactor: context.reactor },
          {
            fds(_, fds: PassedFds) {
              events.push(`fds ${fds.count}`);
              taken = fds.take(1);
            },
            data(_, chunk) {
              events.push(`data ${Buffer.from(chunk).toString()}`);
            },
            close: () => done.resolve(undefined),
          },
        ),
      );
      const [readEnd, writeEnd] = newPipe();
      const before = openFds();
      const opened = deferred<undefined>();
      const client = context.own(
        connectUnix({ path, reactor: context.reactor }, { open: () => opened.resolve(undefined) }),
      );
      await within(opened.promise, 'open');
      expect(client.write(Buffer.from('a'))).toBe(true);
      expect(client.send(Buffer.from('b'), [readEnd, writeEnd, readEnd])).toBe(true);
      client.end(Buffer.from('c'));
      await within(done.promise, 'close');
      expect(events.join(' ')).toMatch(/^(data a fds 3 data b|fds 3 data ab) data c$/);
      expect(openedSince(before).filter((line) => line.includes('pipe')).length).toBe(1);
      sys.write(taken, X);
      expect(drainPipe(readEnd)).toBe('x');
      closeAll(readEnd, writeEnd, taken);
      expect(() => client.send(X, [readEnd])).toThrow();
    });

    test('T46 handlers: without an fds handler they are never opened', async () => {
      const path = newPath();
      const told = record();
      context.own(listenUnix({ path, reactor: context.reactor }, told.handlers as object));
      const client = context.own(await UnixStream.connect(path, { reactor: context.reactor }));
      const [readEnd, writeEnd] = newPipe();
      await client.send(X, [writeEnd]);
      closeAll(writeEnd);
      client.end();
      await within(told.closed, 'close');
      expect(told.bytes().toString()).toBe('x');
      expect(drainPipe(readEnd)).toBe('');
      closeAll(readEnd);
    });

    test('a passed socket becomes a stream', async () => {
      const { client, server } = await unixPair(context);
      const pair: number[] = [];
      sys.socketpair(pair, sys.constants['AF_UNIX'], sys.constants['SOCK_STREAM']);
      await client.send(X, [pair[0]!]);
      const { fds } = await receive(server);
      const stream = context.own(await UnixStream.fromFd(fds.take(0), { reactor: context.reactor }));
      await stream.writeAll(Buffer.from('through the passed one'));
      expect(drainPipe(pair[1]!)).toBe('through the passed one');
      stream.close();
      closeAll(pair[0]!, pair[1]!);
    });
  });
}
