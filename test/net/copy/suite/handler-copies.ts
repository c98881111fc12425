// copyBidirectional between connections with handlers, and between one and a stream.
import { capabilities } from 'tripoll';
import { copyBidirectional, listenUnix, UnixStream, type CopyOptions, type TcpConnection } from 'tripoll/net';
import { native } from '#lib/binding/native';
import { describeIf, testReset } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import {
  digest,
  failureOf,
  passedMs,
  pattern,
  rejection,
  type Context,
  type RawPeer,
  type Recording,
} from '../../tools.js';
import { newPath } from '../../unix/tools.js';

interface Side {
  connection: TcpConnection;
  told: Recording;
  peer: RawPeer;
}

export function describeHandlerCopies(context: Context): void {
  /** What each side's handlers were told after the copy began. */
  async function proxied(): Promise<{ a: Side; b: Side }> {
    return { a: await context.accepted(), b: await context.accepted() };
  }

  function describeCopies(how: string, options: CopyOptions): void {
    test(`${how}: all bytes both ways, each end on its own, and handlers are told of the close alone`, async () => {
      const { a, b } = await proxied();
      const up = pattern(5_000_003, 5);
      const down = pattern(2_000_001, 6);
      const copying = copyBidirectional(a.connection, b.connection, options);
      copying.catch(() => {});
      const flows = Promise.all([
        a.peer.sendAll(up),
        b.peer.sendAll(down),
        a.peer.receiveBytes(down.length),
        b.peer.receiveBytes(up.length),
      ]);
      const [, , toA, toB] = await within(flows, 'bytes');
      expect([digest(toA), digest(toB)]).toEqual([digest(down), digest(up)]);
      a.peer.endWrite();
      expect(await b.peer.receiveToEnd()).toEqual(Buffer.alloc(0));
      expect([a.connection.readEnded, b.connection.readEnded]).toEqual([true, false]);
      // The other direction goes on.
      b.peer.send('more');
      expect((await a.peer.receiveBytes(4)).toString()).toBe('more');
      b.peer.endWrite();
      const result = { bytesFromA: up.length, bytesFromB: down.length + 4 };
      expect(await within(copying, 'copy')).toEqual(result);
      expect(await within(Promise.all([a.told.closed, b.told.closed]), 'closes')).toEqual([null, null]);
      for (const { told } of [a, b]) expect(told.events).toEqual(['open', 'close']);
    });

    test(`${how}: begun in data, which had some of it; what was written before comes first`, async () => {
      const other = await context.accepted();
      let copying: Promise<unknown> | null = null;
      const { peer, told } = await context.accepted({
        data: (connection, chunk) => {
          other.connection.write(Buffer.from('HELLO '));
          const unreadFromA = Buffer.from(chunk.subarray(4));
          copying = copyBidirectional(connection, other.connection, { ...options, unreadFromA });
        },
      });
      peer.send('GET /path');
      expect((await other.peer.receiveBytes(11)).toString()).toBe('HELLO /path');
      peer.send(' and more');
      expect((await other.peer.receiveBytes(9)).toString()).toBe(' and more');
      peer.endWrite();
      other.peer.endWrite();
      expect(await within(copying!, 'copy')).toEqual({ bytesFromA: 14, bytesFromB: 0 });
      expect(told.received()).toBe(9);
    });

    test(`${how}: bounded, whatever pause and resume say`, async () => {
      const { a, b } = await proxied();
      a.connection.pause();
      const copying = copyBidirectional(a.connection, b.connection, options);
      copying.catch(() => {});
      a.connection.resume();
      const bytes = pattern(40_000_000, 7);
      let sent = 0;
      const sending = a.peer.sendAll(bytes).then(() => (sent = bytes.length));
      await passedMs(context.reactor, 50);
      expect(sent).toBe(0);
      expect(b.connection.queuedBytes).toBeLessThan(100_000);
      expect(digest(await b.peer.receiveBytes(bytes.length))).toBe(digest(bytes));
      await sending;
      expect(a.told.received()).toBe(0);
      a.peer.endWrite();
      b.peer.endWrite();
      await within(copying, 'copy');
    });

    testReset(
      `${how}: T43 one side is reset: both are closed, and its error is told by both ways`,
      async () => {
        const { a, b } = await proxied();
        const copying = copyBidirectional(a.connection, b.connection, options);
        copying.catch(() => {});
        a.peer.send('x');
        expect((await b.peer.receiveBytes(1)).toString()).toBe('x');
        b.peer.reset();
        expect((await rejection(copying))?.code).toMatch(/ECONNRESET|EPIPE/);
        expect(failureOf(await within(b.told.closed, 'close'))?.code).toMatch(/ECONNRESET|EPIPE/);
        expect(await within(a.told.closed, 'close')).toBeNull();
      },
    );

    test(`${how}: ended by its signal`, async () => {
      const { a, b } = await proxied();
      const controller = new AbortController();
      const { signal } = controller;
      const copying = copyBidirectional(a.connection, b.connection, { ...options, signal });
      a.peer.fill(new Uint8Array(1_000_000));
      await passedMs(context.reactor, 10);
      controller.abort();
      expect((await rejection(copying))?.code).toBe('ABORT_ERR');
      await within(Promise.all([a.told.closed, b.told.closed]), 'closes');
    });

    test(`${how}: with a stream on the other side`, async () => {
      const a = await context.accepted();
      const b = await context.acceptedStream();
      const copying = copyBidirectional(b.stream, a.connection, options);
      a.peer.send('question');
      b.peer.send('answer');
      expect((await a.peer.receiveBytes(6)).toString()).toBe('answer');
      expect((await b.peer.receiveBytes(8)).toString()).toBe('question');
      a.peer.endWrite();
      b.peer.endWrite();
      expect(await within(copying, 'copy')).toEqual({ bytesFromA: 6, bytesFromB: 8 });
    });
  }

  describe('copyBidirectional of connections with handlers', () => {
    describeCopies('by buffers', {});

    describeIf(capabilities.unixSockets, 'there are no Unix sockets here')('and Unix sockets', () => {
      test.each([{}, ...(capabilities.splice ? [{ splice: true }] : [])])('%j', async (options) => {
        const tcp = await context.accepted();
        const at = newPath();
        let copying: Promise<unknown> | null = null;
        const { reactor } = context;
        const listener = listenUnix(
          { path: at, reactor },
          { open: (unix) => void (copying = copyBidirectional(unix, tcp.connection, options)) },
        );
        context.own(listener);
        const client = context.own(await UnixStream.connect(at, { reactor }));
        await client.writeAll(Buffer.from('over'));
        expect((await tcp.peer.receiveBytes(4)).toString()).toBe('over');
        tcp.peer.send('back');
        tcp.peer.endWrite();
        client.end();
        const buffer = Buffer.alloc(8);
        expect(await within(client.read(buffer), 'read')).toBe(4);
        expect(await within(client.read(buffer), 'the end')).toBe(0);
        await until(() => copying !== null, 'open');
        expect(await within(copying!, 'copy')).toEqual({ bytesFromA: 4, bytesFromB: 4 });
      });
    });

    describeIf(capabilities.splice, 'the system has no splice(2)')('inside the kernel', () => {
      describeCopies('by splice', { splice: true });

      test('none of the bytes comes into this process', async () => {
        const { a, b } = await proxied();
        const { recvArena, recvInto } = native;
        let received = 0;
        const binding = native as { recvArena: unknown; recvInto: unknown };
        binding.recvArena = (fd: number) => (received++, recvArena(fd));
        binding.recvInto = (fd: number, bytes: Uint8Array) => (received++, recvInto(fd, bytes));
        try {
          const copying = copyBidirectional(a.connection, b.connection, { splice: true });
          for (const text of ['one', 'two']) {
            a.peer.send(text);
            await b.peer.receiveBytes(3);
          }
          a.peer.endWrite();
          b.peer.endWrite();
          await within(copying, 'copy');
        } finally {
          Object.assign(binding, { recvArena, recvInto });
        }
        expect(received).toBe(0);
      });
    });
  });
}
