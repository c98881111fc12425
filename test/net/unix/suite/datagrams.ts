import { existsSync } from 'node:fs';
import { bindUnixDatagram, UnixDatagram } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { within } from '../../../support/deadline.js';
import { thrownBy } from '../../../support/errors.js';
import { openedSince, openFds } from '../../../support/fds.js';
import { deferred, rejection, type Context } from '../../tools.js';
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
      const other = await bound(`\0tripoll-dgram-${process.pid}`);
      const buffer = new Uint8Array(100);
      const waiting = one.socket.receive(buffer);
      expect(await other.socket.send(Buffer.from('ping'), one.path)).toBe(4);
      const { length, address, truncated } = await within(waiting, 'ping');
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
        const { length, address, truncated } = await within(socket.receive(buffer), 'receive');
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
      // net.unix.max_dgram_qlen says how many it takes; then it has to wait, and what timed out was not sent.
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
        const { length } = await within(socket.receive(buffer), `message ${i}`);
        expect(text(buffer, length)).toBe(String(i));
      }
      await within(sending, 'the sender');
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
