import { capabilities } from 'tripoll';
import type { TcpStream } from 'tripoll/net';
import { copyBidirectional, TcpStream as Stream } from 'tripoll/net';
import { native, type NativeBinding } from '#lib/binding/native';
import { describeIf, testIf } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { invalidType, outOfRange } from '../../../support/errors.js';
import { type Context, digest, passedMs, pattern, readToEnd, rejection } from '../../tools.js';

/** How often `native[name]` is called while `use` runs. */
async function callsOf(name: keyof NativeBinding, use: () => Promise<unknown>): Promise<number> {
  const binding = native as unknown as Record<string, (...values: unknown[]) => unknown>;
  const original = binding[name]!;
  let calls = 0;
  binding[name] = (...values) => {
    calls++;
    return original(...values);
  };
  try {
    await use();
  } finally {
    binding[name] = original;
  }
  return calls;
}

interface Proxied {
  /** Outside: the client and the server. */
  client: TcpStream;
  server: TcpStream;
  /** Inside: what the proxy holds. */
  a: TcpStream;
  b: TcpStream;
}

export function describeSplice(context: Context): void {
  async function proxied(): Promise<Proxied> {
    const left = await context.streamPair();
    const right = await context.streamPair();
    return { client: left.client, a: left.server, b: right.client, server: right.server };
  }

  describe('copyBidirectional without splice', () => {
    test('the unread bytes come first', async () => {
      const { client, server, a, b } = await proxied();
      const copying = copyBidirectional(a, b, {
        unreadFromA: Buffer.from('1'),
        unreadFromB: Buffer.from('2'),
      });
      client.end();
      server.end();
      expect((await readToEnd(server)).toString()).toBe('1');
      expect((await readToEnd(client)).toString()).toBe('2');
      expect(await within(copying, 'copy')).toEqual({ bytesFromA: 1, bytesFromB: 1 });
    });

    testIf(!capabilities.splice, 'the system has splice(2)')('to ask for splice is refused', async () => {
      const { a, b } = await proxied();
      const error = await rejection(copyBidirectional(a, b, { splice: true }));
      expect(error?.code).toBe('ERR_TRIPOLL_UNSUPPORTED');
    });
  });

  describeIf(capabilities.splice, 'the system has no splice(2)')('copyBidirectional by splice', () => {
    test('all bytes both ways, and each end on its own; none of them came into this process', async () => {
      const { client, server, a, b } = await proxied();
      const up = pattern(7_000_003, 5);
      const down = pattern(3_000_001, 6);
      const [fromClient, fromServer] = [Buffer.alloc(up.length), Buffer.alloc(down.length)];
      const fill = async (stream: TcpStream, into: Buffer) => {
        for (let at = 0; at < into.length;) at += await within(stream.read(into.subarray(at)), 'read');
        return within(stream.read(new Uint8Array(1)), 'the end');
      };
      const copying = copyBidirectional(a, b, { splice: true });
      const writes = Promise.all([client.writeAll(up), server.writeAll(down)]);
      const reads = Promise.all([fill(server, fromClient), fill(client, fromServer)]);
      await within(writes, 'writes');
      client.end();
      server.end();
      expect(await within(reads, 'reads')).toEqual([0, 0]);
      expect(await within(copying, 'copy')).toEqual({ bytesFromA: up.length, bytesFromB: down.length });
      expect(digest(fromClient)).toBe(digest(up));
      expect(digest(fromServer)).toBe(digest(down));
      expect([a.closed, b.closed]).toEqual([true, true]);
    });

    test('its own sockets are never received from', async () => {
      const { client, server, a, b } = await proxied();
      const received = await callsOf('recvInto', async () => {
        const copying = copyBidirectional(a, b, { splice: true });
        for (const bytes of ['one', 'two', 'three']) {
          await client.writeAll(Buffer.from(bytes));
          await until(() => server.reactor.inspect().turns > 0, 'a turn');
        }
        client.end();
        server.end();
        await within(copying, 'copy');
      });
      // Neither end outside has read yet, so whoever did was the proxy.
      expect(received).toBe(0);
      expect((await readToEnd(server)).toString()).toBe('onetwothree');
    });

    test('a half-close is passed on, and the other direction goes on', async () => {
      const { client, server, a, b } = await proxied();
      const copying = copyBidirectional(a, b, { splice: true });
      client.end();
      expect(await within(server.read(new Uint8Array(1)), 'the end')).toBe(0);
      await server.writeAll(Buffer.from('the answer'));
      server.end();
      expect((await readToEnd(client)).toString()).toBe('the answer');
      expect(await within(copying, 'copy')).toEqual({ bytesFromA: 0, bytesFromB: 10 });
    });

    test('bounded: a reader that does not read stops the sender', async () => {
      const { client, server, a, b } = await proxied();
      const copying = copyBidirectional(a, b, { splice: true });
      const bytes = pattern(60_000_000, 7);
      let written = false;
      const writing = client.writeAll(bytes).then(() => {
        written = true;
        client.end();
      });
      await passedMs(context.reactor, 100);
      expect(written).toBe(false);
      server.end();
      expect(digest(await readToEnd(server))).toBe(digest(bytes));
      await within(Promise.all([writing, copying]), 'copy');
    });

    test('what was read before, and what was written before, comes first', async () => {
      const { client, server, a, b } = await proxied();
      await client.writeAll(Buffer.from('GET /'));
      const buffer = Buffer.alloc(3);
      for (let at = 0; at < 3;) at += await within(a.read(buffer.subarray(at)), 'read');
      const earlier = b.writeAll(Buffer.from('HELLO '));
      const options = { splice: true, unreadFromA: buffer, unreadFromB: Buffer.from('back') };
      const copying = copyBidirectional(a, b, options);
      client.end();
      server.end();
      expect((await readToEnd(server)).toString()).toBe('HELLO GET /');
      expect((await readToEnd(client)).toString()).toBe('back');
      expect(await within(copying, 'copy')).toEqual({ bytesFromA: 5, bytesFromB: 4 });
      await earlier;
    });

    test('T43 one side is reset: the copy fails, both are closed, and the pipes too', async () => {
      const { client, server, a, b } = await proxied();
      const copying = copyBidirectional(a, b, { splice: true });
      copying.catch(() => {});
      await client.writeAll(Buffer.from('x'));
      expect(await within(server.read(new Uint8Array(1)), 'read')).toBe(1);
      server.reset();
      expect((await rejection(copying))?.code).toMatch(/ECONNRESET|EPIPE/);
      expect([a.closed, b.closed]).toEqual([true, true]);
    });

    test.each([
      [{ timeoutMs: 30 }, 'ERR_TRIPOLL_TIMEOUT'],
      [{ signal: AbortSignal.timeout(30) }, 'ABORT_ERR'],
      [{ signal: AbortSignal.abort() }, 'ABORT_ERR'],
    ])('ended from outside by %j', async (options, code) => {
      const { client, a, b } = await proxied();
      // Bytes under way, which nobody reads.
      client.writeAll(new Uint8Array(20_000_000)).catch(() => {});
      expect((await rejection(copyBidirectional(a, b, { splice: true, ...options })))?.code).toBe(code);
      expect([a.closed, b.closed]).toEqual([true, true]);
    });

    test('an idle timeout: passing bytes on is activity of both, silence ends it', async () => {
      const { reactor } = context;
      const left = await context.streamPair();
      const listener = await context.bind();
      const target = { host: '127.0.0.1', port: listener.localAddress?.port ?? 0 };
      const b = context.own(await Stream.connect(target, { reactor, idleTimeoutMs: 500 }));
      const server = context.own((await listener.accept()).stream);
      const copying = copyBidirectional(left.server, b, { splice: true });
      copying.catch(() => {});
      // Bytes go to it for longer than that, and none comes back.
      for (let i = 0; i < 14; i++) {
        await left.client.writeAll(Buffer.from('x'));
        expect(await within(server.read(new Uint8Array(8)), 'read')).toBe(1);
        await passedMs(reactor, 50);
      }
      expect(b.closed).toBe(false);
      expect((await rejection(copying))?.code).toBe('ERR_TRIPOLL_TIMEOUT');
    });

    test('T47 two busy ones share the turns with a timer', async () => {
      const one = await proxied();
      const two = await proxied();
      const copies = [one, two].map(({ a, b }) => copyBidirectional(a, b, { splice: true }));
      const bytes = new Uint8Array(30_000_000);
      let fired = 0;
      const timer = context.reactor.setTimer(1, () => fired++, { repeatMs: 1 });
      const flows = [one, two].map(async ({ client, server }) => {
        const writing = client.writeAll(bytes).then(() => client.end());
        server.end();
        const buffer = new Uint8Array(262_144);
        let total = 0;
        for (let n = 1; n > 0; total += n) n = await within(server.read(buffer), 'read');
        await writing;
        return total;
      });
      expect(await Promise.all(flows)).toEqual([bytes.length, bytes.length]);
      await within(Promise.all(copies), 'copies');
      timer.cancel();
      expect(fired).toBeGreaterThan(0);
    });

    test('wrong arguments touch nothing', async () => {
      const { a, b } = await proxied();
      expect(await rejection(copyBidirectional(a, b, { splice: true, bufferBytes: 0 }))).toEqual(outOfRange);
      expect(await rejection(copyBidirectional(a, b, { unreadFromA: 'x' as never }))).toEqual(invalidType);
      expect(await rejection(copyBidirectional(a, {} as never, { splice: true }))).toEqual(invalidType);
      expect([a.closed, b.closed]).toEqual([false, false]);
    });
  });
}
