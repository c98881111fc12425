// Several buffers in one write, and what many small ones take while they wait.
import { listenUnix, connectUnix, UnixStream, type UnixConnection } from 'tripoll/net';
import { native } from '#lib/binding/native';
import { until, within } from '../../../support/deadline.js';
import { testSeqpacket } from '../../../support/kernel.js';
import { closed, invalidType } from '../../../support/errors.js';
import {
  digest,
  failureOf,
  pattern,
  portOf,
  readToEnd,
  record,
  rejection,
  turnOf,
  type Context,
} from '../../tools.js';
import { newPath } from '../../unix/tools.js';
import { blockedStream } from '../tools.js';

const overflow = { name: 'Error', code: 'ERR_TRIPOLL_WRITE_OVERFLOW' };
const bytes = (text: string): Uint8Array => Buffer.from(text);

/** What the queue of a connection holds beside bytes. */
const overheadOf = (connection: object): number =>
  (connection as { queue: { overheadBytes: number } | null }).queue?.overheadBytes ?? 0;

export function describeVectors(context: Context): void {
  describe('writev', () => {
    test('promises: all of it in order, empty buffers too', async () => {
      const { stream, peer } = await context.acceptedStream();
      const parts = ['head', '', 'body', 'tail'].map(bytes);
      expect(await within(stream.writev(parts), 'writev')).toBe(12);
      expect((await peer.receiveBytes(12)).toString()).toBe('headbodytail');
      expect(await within(stream.writev([]), 'nothing')).toBe(0);
      expect(stream.bytesWritten).toBe(12);
    });

    test('promises: what does not fit waits, between the writes before and after it', async () => {
      const { stream, peer } = await context.acceptedStream();
      const parts = Array.from({ length: 200 }, (_, i) => pattern(i % 7 === 0 ? 0 : 90_001, i + 1));
      const before = pattern(3_000_000, 500);
      const writes = [stream.writeAll(before), stream.writev(parts), stream.writeAll(bytes('after'))];
      const sent = Buffer.concat([before, ...parts, bytes('after')]);
      expect(digest(await peer.receiveBytes(sent.length))).toBe(digest(sent));
      const lengths = [before, Buffer.concat(parts), bytes('after')].map(({ length }) => length);
      expect(await within(Promise.all(writes), 'writes')).toEqual(lengths);
      expect(stream.bytesWritten).toBe(sent.length);
    });

    /** Each call takes a part, and the socket is not full; `body` has the calls swapped. */
    async function inParts(body: () => Promise<void>): Promise<void> {
      const { sendFrom } = native;
      const spy = jest
        .spyOn(native, 'sendFrom')
        .mockImplementation((fd, buffer) => sendFrom(fd, buffer.subarray(0, 3)));
      await body().finally(() => {
        spy.mockRestore();
      });
    }

    // Who has connected has asked for room already: no edge follows that the rest could wait for.
    test('T83 promises: more buffers than a call takes, and a write of which a part went', async () => {
      const { client, server } = await context.streamPair();
      const parts = Array.from({ length: 200 }, (_, i) => pattern(2, i));
      await turnOf(context.reactor);
      expect(await within(client.writev(parts), 'writev')).toBe(400);
      await inParts(async () => {
        expect(await within(client.writeAll(bytes('in parts')), 'writeAll')).toBe(8);
      });
      client.end();
      const wanted = Buffer.concat([...parts, bytes('in parts')]);
      expect(digest(await readToEnd(server))).toBe(digest(wanted));
    });

    test('T83 handlers: more buffers than a call takes, and a write of which a part went', async () => {
      const listener = await context.bind();
      const told = record();
      const connection = context.connect(portOf(listener), told.handlers);
      const { stream: server } = await within(listener.accept(), 'accept');
      context.own(server);
      await within(told.opened, 'open');
      await turnOf(context.reactor);
      const parts = Array.from({ length: 200 }, (_, i) => pattern(2, i));
      connection.writev(parts);
      const buffer = new Uint8Array(1000);
      for (let left = 400; left > 0;) left -= await within(server.read(buffer), 'the vectors');
      await inParts(async () => {
        connection.write(bytes('in parts'));
        for (let left = 8; left > 0;) left -= await within(server.read(buffer), 'the parts');
      });
    });

    test('promises: an abort before its first byte takes all of it back', async () => {
      const { stream, peer, filledBytes } = await blockedStream(context);
      const aborter = new AbortController();
      const first = stream.writeAll(bytes('first'));
      const vector = stream.writev(['one', 'two'].map(bytes), { signal: aborter.signal });
      const last = stream.writeAll(bytes('last'));
      aborter.abort();
      expect(await rejection(vector)).toEqual({ name: 'AbortError', code: 'ABORT_ERR' });
      expect(stream.queuedBytes).toBe(9);
      expect((await peer.receiveBytes(filledBytes + 9)).subarray(filledBytes).toString()).toBe('firstlast');
      await within(Promise.all([first, last]), 'the others');
      expect(stream.queuedBytes).toBe(0);
    });

    test('promises: the end rejects it once', async () => {
      const { stream } = await blockedStream(context);
      const vector = stream.writev(['one', 'two'].map(bytes));
      stream.close();
      expect(await rejection(vector)).toEqual(closed);
      expect(await rejection(stream.writev([bytes('x')]))).toEqual(closed);
    });

    test('promises: what is no array of bytes is refused, and none of it sent', async () => {
      const { stream, peer } = await context.acceptedStream();
      expect(await rejection(stream.writev(bytes('x') as never))).toEqual(invalidType);
      expect(await rejection(stream.writev([bytes('x'), 'y' as never]))).toEqual(invalidType);
      stream.end();
      expect(await peer.receiveToEnd()).toHaveLength(0);
      expect((await rejection(stream.writev([bytes('x')])))?.code).toBe('ERR_TRIPOLL_STATE');
    });

    test('handlers: in order with the other writes, taken or queued', async () => {
      const { connection, peer } = await context.accepted();
      const parts = Array.from({ length: 150 }, (_, i) => pattern(60_001, i + 1));
      expect(connection.writev([bytes('a'), bytes('b')])).toBe(true);
      const goesOn = connection.writev(parts);
      expect(goesOn).toBe(connection.queuedBytes <= 65_536);
      connection.write(bytes('after'));
      const sent = Buffer.concat([bytes('ab'), ...parts, bytes('after')]);
      expect(digest(await peer.receiveBytes(sent.length))).toBe(digest(sent));
      expect(connection.bytesWritten).toBe(sent.length);
      expect(() => connection.writev([bytes('x'), 1 as never])).toThrow(TypeError);
      connection.close();
      expect(() => connection.writev([bytes('x')])).toThrow('closed');
    });

    testSeqpacket('of a seqpacket socket it is one message, in both styles', async () => {
      const { reactor } = context;
      const path = newPath();
      let sender: UnixConnection | undefined;
      const open = (connection: UnixConnection): void => {
        sender = connection;
        connection.writev([bytes('he'), bytes('llo')]);
      };
      context.own(listenUnix({ path, type: 'seqpacket', reactor }, { open }));
      const stream = context.own(await UnixStream.connect(path, { type: 'seqpacket', reactor }));
      const buffer = new Uint8Array(64);
      expect(await within(stream.read(buffer), 'read')).toBe(5);
      const got: string[] = [];
      const data = (_connection: unknown, chunk: Uint8Array): void =>
        void got.push(Buffer.from(chunk).toString());
      const other = newPath();
      const listener = context.own(listenUnix({ path: other, type: 'seqpacket', reactor }, { data }));
      const client = context.own(connectUnix({ path: other, type: 'seqpacket', reactor }, {}));
      await until(() => listener.connections === 1, 'connected');
      client.writev([bytes('a'), bytes('b')]);
      await until(() => got.length === 1, 'message');
      expect(got).toEqual(['ab']);
      sender?.close();
    });
  });

  describe('F20 many small writes that wait', () => {
    test('take blocks together: nothing is counted beside their bytes, and they go out in order', async () => {
      const { connection, peer } = await context.accepted();
      connection.cork();
      const sent = pattern(200_000);
      for (let i = 0; i < sent.length; i++) connection.write(sent.subarray(i, i + 1));
      expect(connection.queuedBytes).toBe(sent.length);
      expect(overheadOf(connection)).toBe(0);
      await turnOf(context.reactor);
      expect(connection.bytesWritten).toBe(0);
      connection.uncork();
      expect(digest(await peer.receiveBytes(sent.length))).toBe(digest(sent));
    });

    test('of odd sizes, while earlier ones go out', async () => {
      const { connection, peer } = await context.accepted({}, { maxQueuedBytes: 64 << 20 });
      const pieces = Array.from({ length: 3000 }, (_, i) => pattern((i * 7919) % 4001, i));
      for (const piece of pieces) connection.write(piece);
      const sent = Buffer.concat(pieces);
      expect(digest(await peer.receiveBytes(sent.length))).toBe(digest(sent));
      expect(connection.queuedBytes).toBe(0);
    });

    test('that cannot be joined are counted with what they take', async () => {
      const { connection, told } = await context.accepted({}, { maxQueuedBytes: 100_000 });
      connection.cork();
      const kept = new Uint8Array(1024);
      let count = 0;
      while (!connection.closed && count < 200) {
        connection.write(kept, { keep: true });
        count++;
      }
      // 64 of them count for their bytes alone; by their bytes alone there would be room for 97.
      expect(count).toBeGreaterThan(64);
      expect(count).toBeLessThan(95);
      expect(failureOf(await within(told.closed, 'close'))).toEqual(overflow);
    });
  });

  describe('keep', () => {
    test('a large chunk is not copied while it waits', async () => {
      const { connection, peer } = await context.accepted();
      const chunk = new Uint8Array(100_000).fill(1);
      connection.cork();
      connection.write(chunk, { keep: true });
      connection.write(chunk);
      // Nobody may do this: what is sent shows which of both was copied.
      chunk.fill(2);
      connection.uncork();
      const got = await peer.receiveBytes(200_000);
      expect([got[0], got[99_999], got[100_000], got[199_999]]).toEqual([2, 2, 1, 1]);
    });

    test('what was lent is copied all the same', async () => {
      const { connection, peer, told } = await context.accepted({
        data(lender, chunk) {
          lender.cork();
          lender.write(chunk, { keep: true });
        },
      });
      const sent = pattern(5000);
      peer.send(sent);
      await until(() => told.received() === sent.length, 'data');
      peer.send(pattern(5000, 99));
      await until(() => told.received() === 2 * sent.length, 'more');
      connection.uncork();
      expect(digest((await peer.receiveBytes(10_000)).subarray(0, 5000))).toBe(digest(sent));
    });

    test('an unknown option is refused', async () => {
      const { connection } = await context.accepted();
      expect(() => connection.write(new Uint8Array(1), { kept: true } as never)).toThrow(TypeError);
      expect(() => connection.write(new Uint8Array(1), { keep: 1 } as never)).toThrow(TypeError);
      expect(connection.bytesWritten).toBe(0);
    });
  });
}
