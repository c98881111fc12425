import { existsSync } from 'node:fs';
import { Interest } from 'tripoll';
import { bindUnixDatagram, UnixDatagram } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { until, within } from '../../../support/deadline.js';
import { invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import { openedSince, openFds } from '../../../support/fds.js';
import { deferred, expectNoSpin, rejection, turnOf, type Context } from '../../tools.js';
import { closeAll, drainPipe, newPath, newPipe } from '../tools.js';

const { SOL_SOCKET, SO_SNDBUF } = sys.constants;

export function describeDatagrams(context: Context): void {
  const text = (buffer: Uint8Array, length: number): string =>
    Buffer.from(buffer.subarray(0, length)).toString();
  async function bound(path = newPath()): Promise<{ socket: UnixDatagram; path: string }> {
    return { socket: context.own(await UnixDatagram.bind(path, { reactor: context.reactor })), path };
  }
  const unbound = (): UnixDatagram => context.own(UnixDatagram.unbound({ reactor: context.reactor }));

  describe('datagrams', () => {
    test('there and back, with the sender’s address', async () => {
      const one = await bound();
      const other = await bound();
      const buffer = new Uint8Array(100);
      const waiting = one.socket.receive(buffer);
      expect(await other.socket.send(Buffer.from('ping'), one.path)).toBe(4);
      const { lengthBytes: length, address, truncated } = await within(waiting, 'ping');
      expect([text(buffer, length), address, truncated]).toEqual(['ping', other.path, false]);
      expect(other.socket.localAddress).toBe(other.path);
      await one.socket.send(Buffer.from('pong'), address);
      expect((await within(other.socket.receive(buffer), 'pong')).address).toBe(one.path);
    });

    test('a nameless sender; messages stay apart; a long one is reported', async () => {
      const { socket, path } = await bound();
      const sender = unbound();
      sender.connect(path);
      for (const message of ['one', 'two', 'much too long']) await sender.send(Buffer.from(message));
      await sender.send(new Uint8Array(0));
      const buffer = new Uint8Array(5);
      const seen: unknown[] = [];
      for (let i = 0; i < 4; i++) {
        const { lengthBytes: length, address, truncated } = await within(socket.receive(buffer), 'receive');
        seen.push([text(buffer, length), address, truncated]);
      }
      expect(seen).toEqual([
        ['one', undefined, false],
        ['two', undefined, false],
        ['much ', undefined, true],
        ['', undefined, false],
      ]);
    });

    test.each([
      ['connected', true],
      ['unconnected', false],
    ])('a full receiver makes its %s sender wait, and nothing is lost', async (_, isConnected) => {
      const { socket, path } = await bound();
      const sender = unbound();
      if (isConnected) sender.connect(path);
      const count = 500;
      const send = (i: number, options = {}): Promise<number> =>
        sender.send(Buffer.from(String(i)), isConnected ? undefined : path, options);
      // net.unix.max_dgram_qlen says how many it takes; then it has to wait, and what timed out was
      // not sent.
      let sent = 0;
      let failure: unknown = null;
      while (failure === null && sent < count) {
        failure = await send(sent, { timeoutMs: 100 }).then(
          () => null,
          (error: unknown) => error,
        );
        if (failure === null) sent++;
      }
      expect(failure).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
      const sending = (async () => {
        for (let i = sent; i < count; i++) await send(i);
      })();
      const buffer = new Uint8Array(10);
      for (let i = 0; i < count; i++) {
        const { lengthBytes: length } = await within(socket.receive(buffer), `message ${i}`);
        expect(text(buffer, length)).toBe(String(i));
      }
      await within(sending, 'the sender');
    });

    /** Sends until the receiver is full: how many it holds. */
    async function fill(sender: UnixDatagram, path?: string): Promise<number> {
      for (let sent = 0; ; sent++) {
        const failure = await rejection(sender.send(Buffer.from('f'), path, { timeoutMs: 20 })).catch(
          () => null,
        );
        if (failure !== null) return sent;
      }
    }

    /** Whether a connected sender whose receiver is full is told ENOBUFS, and not EAGAIN. */
    const saysNoBuffers = (full: UnixDatagram): boolean =>
      sys.send(full.fd, Buffer.from('f')) === -sys.errno.ENOBUFS;

    async function receiveAll(socket: UnixDatagram, count: number): Promise<string> {
      const buffer = new Uint8Array(10);
      let all = '';
      for (let i = 0; i < count; i++) {
        const { lengthBytes: length, fds } = await within(socket.receive(buffer, { maxFds: 1 }), 'receive');
        all += text(buffer, length) + '+'.repeat(fds.count);
      }
      return all.replace(/^f+/, '');
    }

    test.each([
      ['connected', true],
      ['unconnected', false],
    ])(
      'F6 T72 sends that wait keep their order, also past one that finds room: %s',
      async (_, isConnected) => {
        const { socket, path } = await bound();
        const sender = unbound();
        if (isConnected) sender.connect(path);
        const to = isConnected ? undefined : path;
        const full = await fill(sender, to);
        const [readEnd, writeEnd] = newPipe();
        const timers = context.reactor.inspect().timers;
        const sends = [sender.send(Buffer.from('1'), to), sender.sendFds(Buffer.from('2'), [writeEnd], to)];
        const aborted = sender.send(Buffer.from('a'), to, { timeoutMs: 1 });
        for (let i = 3; i < 8; i++) sends.push(sender.send(Buffer.from(String(i)), to));
        closeAll(writeEnd);
        expect(await rejection(aborted)).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
        // One for all that wait; a connected sender needs none where an event tells of room (T62).
        const { timers: own } = context.reactor.inspect();
        expect(own - timers).toBe(isConnected && !saysNoBuffers(sender) ? 0 : 1);
        // Room for one, which the next call is not to take.
        expect(await receiveAll(socket, 1)).toBe('');
        sends.push(sender.send(Buffer.from('8'), to), sender.sendFds(Buffer.from('9'), [readEnd], to));
        expect(await receiveAll(socket, full - 1 + 9)).toBe('12+3456789+');
        await within(Promise.all(sends), 'sends');
        await turnOf(context.reactor);
        expect(context.reactor.inspect().timers).toBe(timers);
        closeAll(readEnd);
      },
    );

    test('F6 T72 a full receiver holds up no other', async () => {
      const [full, other] = [await bound(), await bound()];
      const sender = unbound();
      await fill(sender, full.path);
      const waiting = sender.send(Buffer.from('x'), full.path);
      await within(sender.send(Buffer.from('y'), other.path), 'the other');
      expect(await receiveAll(other.socket, 1)).toBe('y');
      const closed = sender.send(Buffer.from('x'), full.path, { timeoutMs: 10_000 });
      sender.close();
      for (const send of [waiting, closed]) {
        expect(await rejection(send)).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      }
    });

    test.each([
      ['connected', true],
      ['unconnected', false],
    ])('T62 ENOBUFS makes a %s sender wait, in order, with its fds', async (_, isConnected) => {
      const [{ socket, path }, other] = [await bound(), await bound()];
      const sender = unbound();
      if (isConnected) sender.connect(path);
      const to = isConnected ? undefined : path;
      const [readEnd, writeEnd] = newPipe();
      const { sendMessage } = native;
      let isFull = true;
      const calls = jest.spyOn(native, 'sendMessage').mockImplementation((...values) => {
        const isOther = values[5].length > 0 && Buffer.from(values[5]).includes(other.path);
        return isFull && !isOther ? -native.errnos.ENOBUFS : sendMessage(...values);
      });
      try {
        const sends = [sender.send(Buffer.from('1'), to), sender.sendFds(Buffer.from('2'), [writeEnd], to)];
        closeAll(writeEnd);
        const aborted = sender.send(Buffer.from('a'), to, { timeoutMs: 1 });
        expect(await rejection(aborted)).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
        // The socket is writable all the time, and nobody looks at that.
        await expectNoSpin(context.reactor);
        expect(context.reactor.inspect().timers).toBe(1);
        if (!isConnected) {
          await within(sender.send(Buffer.from('o'), other.path), 'the other');
          expect(await receiveAll(other.socket, 1)).toBe('o');
        }
        isFull = false;
        sends.push(sender.send(Buffer.from('3'), to));
        expect(await receiveAll(socket, 3)).toBe('12+3');
        expect(await within(Promise.all(sends), 'sends')).toEqual([1, 1, 1]);
        await turnOf(context.reactor);
        expect(context.reactor.inspect().timers).toBe(0);
      } finally {
        calls.mockRestore();
      }
      closeAll(readEnd);
    });

    test('F6 T72 no more than 1024 sends wait; what waits keeps no process alive, and ends with its reactor', async () => {
      const { path } = await bound();
      const sender = unbound();
      await fill(sender, path);
      const sends = Array.from({ length: 1024 }, () => sender.send(Buffer.from('x'), path));
      expect(await rejection(sender.send(Buffer.from('x'), path))).toMatchObject({
        code: 'ERR_TRIPOLL_BUSY',
      });
      const { timers } = context.reactor.inspect();
      expect(timers).toBe(1);
      context.reactor.close();
      for (const send of sends) {
        expect(await rejection(send)).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      }
    });

    test('F6 T73 a buffer that is detached while its send waits fails alone', async () => {
      const { socket, path } = await bound();
      const sender = unbound();
      const full = await fill(sender, path);
      const bytes = new Uint8Array(1);
      const detached = sender.send(bytes, path);
      const next = sender.send(Buffer.from('n'), path);
      structuredClone(bytes, { transfer: [bytes.buffer] });
      const failure = rejection(detached);
      expect(await receiveAll(socket, full + 1)).toBe('n');
      expect((await failure)?.name).toBe('RangeError');
      expect(await within(next, 'next')).toBe(1);
    });

    test('a send that found no room leaves nothing remembered as ready, unless it is the receiver that is full', async () => {
      const { path } = await bound();
      const sender = unbound();
      await fill(sender, path);
      const isKnown = (): boolean => sender.io.tryIo(Interest.WRITABLE, () => 1) === 1;
      if (context.features.edge) expect(isKnown()).toBe(true);
      sender.connect(path);
      // ENOBUFS says that no event will tell (T62): the socket is writable all the time.
      if (saysNoBuffers(sender)) return;
      const calls = jest.spyOn(native, 'sendMessage');
      const waiting = sender.send(Buffer.from('x'));
      // Level mode does not know, and tries once more when it begins to wait.
      expect(calls.mock.calls.length).toBe(context.features.edge ? 1 : 2);
      calls.mockRestore();
      expect(isKnown()).toBe(false);
      sender.close();
      expect(await rejection(waiting)).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
    });

    test('F31 several receives with fds at once: each has its own until whoever awaited it has gone on', async () => {
      const { socket, path } = await bound();
      const sender = unbound();
      const [readEnd, writeEnd] = newPipe();
      const before = openFds();
      const count = 5;
      const receives = Array.from({ length: count }, async () => {
        const { fds } = await socket.receive(new Uint8Array(10), { maxFds: 2 });
        return fds.take(0);
      });
      const rest = Array.from({ length: count }, () => socket.receive(new Uint8Array(10), { maxFds: 2 }));
      for (let i = 0; i < 2 * count; i++) await sender.sendFds(Buffer.from('x'), [writeEnd, writeEnd], path);
      const taken = await within(Promise.all(receives), 'receives');
      await within(Promise.all(rest), 'the rest');
      for (const fd of taken) expect(sys.write(fd, Buffer.from('y'))).toBe(1);
      expect(drainPipe(readEnd)).toBe('y'.repeat(count));
      // The latest that nobody took is all that is left of the rest.
      await until(() => openedSince(before).length === count + 2, 'the rest is closed');
      await sender.send(Buffer.from('x'), path);
      await within(socket.receive(new Uint8Array(10)), 'the next');
      expect(openedSince(before).length).toBe(count);
      closeAll(...taken, readEnd, writeEnd);
    });

    test('F35 wrong arguments have a code, and leave no fd open', async () => {
      const { path } = await bound();
      const sender = unbound();
      const before = openFds();
      const [readEnd, writeEnd] = newPipe();
      const send = (...wrong: unknown[]) =>
        rejection(sender.sendFds(...(wrong as Parameters<UnixDatagram['sendFds']>)));
      const one = Buffer.from('x');
      expect(await send('x', [writeEnd], path)).toEqual(invalidType);
      expect(await send(one, 'x', path)).toEqual(invalidType);
      expect(await send(one, ['x'], path)).toEqual(invalidType);
      expect(await send(one, [-1], path)).toEqual(outOfRange);
      expect(await send(one, Array(254).fill(writeEnd), path)).toEqual(outOfRange);
      expect(await send(one, [writeEnd], 7)).toEqual(invalidType);
      expect(await send(one, [writeEnd], '')).toEqual(outOfRange);
      expect(await send(one, [writeEnd], path, 7)).toEqual(invalidType);
      expect(await send(one, [writeEnd], path, { timeoutMs: -1 })).toEqual(outOfRange);
      closeAll(readEnd, writeEnd);
      expect((await send(one, [writeEnd], path))?.code).toBe('EBADF');
      expect(openedSince(before)).toEqual([]);
    });

    test('cancelling and closing what waits', async () => {
      const { socket, path } = await bound();
      const controller = new AbortController();
      const buffer = new Uint8Array(10);
      const aborted = socket.receive(buffer, { signal: controller.signal });
      const late = socket.receive(buffer, { timeoutMs: 1 });
      const closed = socket.receive(buffer);
      controller.abort();
      expect(await rejection(aborted)).toMatchObject({ code: 'ABORT_ERR' });
      expect(await rejection(late)).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
      expect(existsSync(path)).toBe(true);
      socket.close();
      expect(await rejection(closed)).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      expect(existsSync(path)).toBe(false);
      expect(await rejection(socket.send(buffer, path))).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      expect(thrownBy(() => socket.connect(path)).code).toBe('ERR_TRIPOLL_CLOSED');
    });

    test('errors', async () => {
      const sender = unbound();
      const nobody = newPath();
      expect(await rejection(sender.send(Buffer.from('x'), nobody))).toMatchObject({ code: 'ENOENT' });
      expect(await rejection(sender.send(Buffer.from('x')))).toMatchObject({ code: 'ENOTCONN' });
      expect(await rejection(sender.send('x' as never, nobody))).toMatchObject({ name: 'TypeError' });
      const { path } = await bound();
      sys.setsockopt(sender.fd, SOL_SOCKET, SO_SNDBUF, 4096);
      expect(await rejection(sender.send(new Uint8Array(100_000), path))).toMatchObject({ code: 'EMSGSIZE' });
      const { reactor } = context;
      expect(await rejection(UnixDatagram.bind(path, { reactor }))).toMatchObject({ code: 'EADDRINUSE' });
      expect(existsSync(path)).toBe(true);
    });

    test('T46 fds with a datagram', async () => {
      const { socket, path } = await bound();
      const sender = unbound();
      const [readEnd, writeEnd] = newPipe();
      const before = openFds();
      for (let i = 0; i < 3; i++) await sender.sendFds(Buffer.from('x'), [writeEnd], path);
      const buffer = new Uint8Array(10);
      expect((await within(socket.receive(buffer), 'without')).fds.count).toBe(0);
      expect(openedSince(before)).toEqual([]);
      const first = await within(socket.receive(buffer, { maxFds: 2 }), 'with');
      const taken = first.fds.take(0);
      sys.write(taken, Buffer.from('y'));
      expect(drainPipe(readEnd)).toBe('y');
      await within(socket.receive(buffer, { maxFds: 2 }), 'left alone');
      expect(openedSince(before).length).toBe(2);
      socket.close();
      expect(openedSince(before).length).toBe(1);
      closeAll(taken, readEnd, writeEnd);
    });

    test('handlers: each message once, what they throw is told, close is last', async () => {
      const path = newPath();
      const told: string[] = [];
      const done = deferred<undefined>();
      const count = 100;
      const socket = bindUnixDatagram(
        { path, reactor: context.reactor },
        {
          message(self, chunk, { address }) {
            told.push(`${Buffer.from(chunk).toString()} ${address}`);
            if (told.length === 2) throw new Error('a mistake');
            if (told.length > count) self.close();
          },
          error: (_, error) => void told.push(error.message),
          close: () => done.resolve(undefined),
        },
      );
      context.own(socket);
      const sender = unbound();
      sender.connect(path);
      for (let i = 0; i < count; i++) await sender.send(Buffer.from(String(i)));
      await within(done.promise, 'close');
      const expected = Array.from({ length: count }, (_, i) => `${i} undefined`);
      expected.splice(2, 0, 'a mistake');
      expect(told).toEqual(expected);
    });
  });
}
