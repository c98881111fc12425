import { connectPipe, listenPipe, PipeStream } from 'tripoll/net';
import { until, within } from '../../../support/deadline.js';
import { type Context, digest, echoHandlers, expectNoSpin, pattern, record, rejection } from '../../tools.js';
import { bindPipe, newName, pipePair } from '../tools.js';

const BIG = 10 * 1024 * 1024;
/** What a stream can have out that nobody has read: its own buffer, and the pipe's. */
const MOST_UNREAD = 2 * 64 * 1024;

async function readBytes(stream: PipeStream, length: number): Promise<Buffer> {
  const all = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const received = await stream.read(all.subarray(at));
    if (received === 0) return all.subarray(0, at);
    at += received;
  }
  return all;
}

export function describeBytes(context: Context): void {
  describe('bytes', () => {
    test('10 MB both ways at once, promises', async () => {
      const { client, server } = await pipePair(context);
      const there = pattern(BIG, 1);
      const back = pattern(BIG, 2);
      const [atServer, atClient] = await within(
        Promise.all([
          readBytes(server, BIG),
          readBytes(client, BIG),
          client.writeAll(there),
          server.writeAll(back),
        ]),
        'all bytes',
        60_000,
      );
      expect(digest(atServer)).toBe(digest(there));
      expect(digest(atClient)).toBe(digest(back));
      expect({ read: server.bytesRead, written: client.bytesWritten }).toEqual({ read: BIG, written: BIG });
    });

    test('an echo of 10 MB, handlers', async () => {
      const path = newName();
      const served = record(echoHandlers);
      context.own(listenPipe({ path, reactor: context.reactor }, served.handlers as object));
      const sent = pattern(BIG);
      let at = 0;
      const pump = (connection: { write(chunk: Uint8Array): boolean }): void => {
        while (at < sent.length) {
          const piece = sent.subarray(at, at + 50_000);
          at += piece.length;
          if (!connection.write(piece)) return;
        }
      };
      const told = record({ open: pump, drain: pump });
      const client = connectPipe({ path, reactor: context.reactor }, told.handlers as object);
      await until(() => told.received() === BIG, 'the echo', 60_000);
      client.end();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(await within(served.closed, 'close of the server')).toBeNull();
      expect(digest(told.bytes())).toBe(digest(sent));
      expect(served.events.at(-2)).toBe('end');
    });

    test('small messages to and fro, and several buffers in one write', async () => {
      const { client, server } = await pipePair(context);
      const buffer = Buffer.alloc(16);
      for (let i = 0; i < 200; i++) {
        await client.writev([Buffer.from('<'), Buffer.from(String(i)), Buffer.from('>')]);
        const received = await within(server.read(buffer), 'a message');
        await server.writeAll(buffer.subarray(0, received));
        const back = await within(client.read(buffer), 'its echo');
        expect(buffer.toString('utf8', 0, back)).toBe(`<${i}>`);
      }
    });

    test('peek, tryRead and readable leave bytes where they are, and an abort loses none', async () => {
      const { client, server } = await pipePair(context);
      const buffer = Buffer.alloc(8);
      expect(server.tryRead(buffer)).toBeNull();
      const stop = new AbortController();
      const reading = rejection(server.read(buffer, { signal: stop.signal }));
      stop.abort();
      expect(await reading).toMatchObject({ code: 'ABORT_ERR' });
      await client.writeAll(Buffer.from('abcdef'));
      await within(server.readable(), 'readable');
      expect(await server.peek(buffer)).toBe(6);
      expect(server.tryRead(buffer.subarray(0, 2))).toBe(2);
      expect(await server.read(buffer)).toBe(4);
      expect(buffer.toString('utf8', 0, 4)).toBe('cdef');
    });

    test('a peer that does not read holds back what is written, promises', async () => {
      const { client, server } = await pipePair(context);
      const sent = pattern(1_000_000);
      let settled = false;
      const writing = client.writeAll(sent).then(() => {
        settled = true;
      });
      await expectNoSpin(context.reactor);
      expect(settled).toBe(false);
      expect(client.bytesWritten).toBeLessThanOrEqual(MOST_UNREAD);
      expect(client.queuedBytes).toBe(sent.length - client.bytesWritten);
      expect(digest(await within(readBytes(server, sent.length), 'all of it'))).toBe(digest(sent));
      await within(writing, 'writeAll');
    });

    test('a peer that does not read holds back what is written, handlers', async () => {
      const { listener, path } = await bindPipe(context);
      const told = record();
      const options = { path, reactor: context.reactor, maxQueuedBytes: 1_000_000 };
      const connection = connectPipe(options, told.handlers as object);
      context.own((await within(listener.accept(), 'accept')).stream);
      await within(told.opened, 'open');
      const chunk = pattern(50_000);
      let writes = 0;
      while (!connection.closed) {
        connection.write(chunk);
        expect(++writes).toBeLessThan(100);
        await new Promise(setImmediate);
      }
      expect(await within(told.closed, 'close')).toMatchObject({ code: 'ERR_TRIPOLL_WRITE_OVERFLOW' });
      expect(connection.bytesWritten).toBeLessThanOrEqual(MOST_UNREAD);
    });

    test('a paused connection holds its peer back, and nothing spins', async () => {
      const { listener, path } = await bindPipe(context);
      const told = record({ open: (connection) => void connection.pause() });
      const connection = connectPipe({ path, reactor: context.reactor }, told.handlers as object);
      const { stream } = await within(listener.accept(), 'accept');
      context.own(stream);
      await within(told.opened, 'open');
      const sent = pattern(300_000);
      const writing = stream.writeAll(sent);
      await expectNoSpin(context.reactor);
      expect(told.received()).toBe(0);
      expect(stream.bytesWritten).toBeLessThanOrEqual(MOST_UNREAD);
      connection.resume();
      await within(writing, 'writeAll');
      await until(() => told.received() === sent.length, 'the bytes');
      expect(digest(told.bytes())).toBe(digest(sent));
      connection.close();
    });

    test('a write that is aborted half-way ends the stream, and one that waits behind it does not', async () => {
      const { client, server } = await pipePair(context);
      const first = client.writeAll(pattern(500_000));
      const behind = new AbortController();
      const second = rejection(client.writeAll(Buffer.from('second'), { signal: behind.signal }));
      behind.abort();
      expect(await second).toMatchObject({ code: 'ABORT_ERR' });
      expect(client.closed).toBe(false);
      expect((await within(readBytes(server, 500_000), 'the first')).length).toBe(500_000);
      await within(first, 'the first write');
      const halfWay = new AbortController();
      const third = rejection(client.writeAll(pattern(500_000), { signal: halfWay.signal }));
      halfWay.abort();
      expect(await third).toMatchObject({ code: 'ABORT_ERR' });
      expect(client.closed).toBe(true);
    });

    test('100 clients at once, with a backlog of 8', async () => {
      const { listener, path } = await bindPipe(context);
      const count = 100;
      const serve = (async () => {
        for (let i = 0; i < count; i++) {
          const { stream } = await listener.accept();
          context.own(stream);
          void (async () => {
            const buffer = Buffer.alloc(100);
            const received = await stream.read(buffer);
            await stream.writeAll(buffer.subarray(0, received));
            stream.end();
          })();
        }
      })();
      const answers = Array.from({ length: count }, async (_, i) => {
        const client = await PipeStream.connect(path, { reactor: context.reactor });
        context.own(client);
        await client.writeAll(Buffer.from(`client ${i}`));
        const buffer = Buffer.alloc(100);
        const received = await client.read(buffer);
        return buffer.toString('utf8', 0, received);
      });
      const expected = Array.from({ length: count }, (_, i) => `client ${i}`);
      expect(await within(Promise.all(answers), 'all answers', 30_000)).toEqual(expected);
      await within(serve, 'all accepted');
      expect(listener.connections).toBeLessThanOrEqual(count);
    });
  });
}
