import { Reactor } from 'tripoll';
import { listen, TcpStream } from 'tripoll/net';
import { until, within } from '../../../support/deadline.js';
import { digest, pattern, rejection, turnOf, type Context } from '../../tools.js';
import { outOfRange as refused } from '../../../support/errors.js';

/** Takes the memory away from whoever has a view of it; false where this runtime forbids that. */
function takeAway(bytes: Uint8Array): boolean {
  // Node 21 and later have it, and it heeds no ban on transfers: that is only for messages.
  const buffer = bytes.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer };
  try {
    if (buffer.transfer === undefined) structuredClone(buffer, { transfer: [buffer] });
    else buffer.transfer();
  } catch (error) {
    expect((error as Error).name).toBe('DataCloneError');
  }
  return bytes.byteLength === 0;
}

export function describeBuffers(context: Context): void {
  describe("buffers that are not the user's, or no more", () => {
    test('a chunk that is kept is no error, but its bytes are lent', async () => {
      const kept: Uint8Array[] = [];
      const { told, peer } = await context.accepted({ data: (_, chunk) => kept.push(chunk) });
      peer.send('first');
      await until(() => told.received() === 5, 'data');
      peer.send('other');
      await until(() => told.received() === 10, 'more data');
      expect(told.bytes().toString()).toBe('firstother');
      // Still readable; what it holds is the arena's.
      expect(kept[0]?.length).toBe(5);
    });

    test('F35 a chunk stays as it is while its handler turns another reactor by hand', async () => {
      const inner = new Reactor({ driver: 'manual' });
      context.own(inner);
      let innerBytes = 0;
      const listener = listen(
        { host: '127.0.0.1', port: 0, reactor: inner },
        {
          data: (_, chunk) => void (innerBytes += chunk.length),
        },
      );
      const sender = await within(
        TcpStream.connect(
          { host: '127.0.0.1', port: listener.localAddress?.port ?? 0 },
          { reactor: context.reactor },
        ),
        'connect',
      );
      context.own(sender);
      await sender.writeAll(new Uint8Array(1000).fill(9));
      const seen: string[] = [];
      const { peer, told } = await context.accepted({
        data(_, chunk) {
          while (innerBytes < 1000) inner.turn(100);
          seen.push(Buffer.from(chunk).toString());
        },
      });
      peer.send('mine');
      await until(() => told.received() === 4, 'data');
      expect({ seen, innerBytes }).toEqual({ seen: ['mine'], innerBytes: 1000 });
    });

    test("T07 a chunk's memory that is transferred away: later data arrives intact", async () => {
      const taken: boolean[] = [];
      const { connection, told, peer } = await context.accepted({
        data(receiving, chunk) {
          const copy = Buffer.from(chunk);
          taken.push(takeAway(chunk));
          receiving.write(copy);
        },
      });
      for (let i = 0; i < 5; i++) {
        const message = `message ${i}`;
        peer.send(message);
        expect((await peer.receiveBytes(message.length)).toString()).toBe(message);
      }
      const big = pattern(300_000);
      await peer.sendAll(big);
      expect(digest(await peer.receiveBytes(big.length))).toBe(digest(big));
      expect(taken.length).toBeGreaterThanOrEqual(6);
      expect(told.errors).toEqual([]);
      expect(connection.closed).toBe(false);
    });

    test('T07 the buffer of a pending read is detached: that read is rejected, the next has the data', async () => {
      const { stream, peer } = await context.acceptedStream();
      const buffer = new Uint8Array(100);
      const reading = stream.read(buffer);
      expect(takeAway(buffer)).toBe(true);
      peer.send('abc');
      expect(await rejection(reading)).toEqual(refused);
      const fresh = new Uint8Array(100);
      expect(await within(stream.read(fresh), 'read')).toBe(3);
      expect(Buffer.from(fresh.subarray(0, 3)).toString()).toBe('abc');
      peer.endWrite();
      expect(await within(stream.read(fresh), 'read of the end')).toBe(0);
    });

    test('T07 the buffer of a queued write is detached: it is rejected, nothing else is sent', async () => {
      const { stream, peer } = await context.acceptedStream();
      const first = stream.writeAll(pattern(8_000_000)).catch((error: unknown) => error);
      const buffer = pattern(1000, 2);
      const own = new Uint8Array(buffer); // not of Buffer's pool, which cannot be transferred
      const second = rejection(stream.writeAll(own));
      const third = rejection(stream.writeAll(pattern(1000, 3)));
      expect(takeAway(own)).toBe(true);
      await peer.receiveBytes(8_000_000);
      expect(await within(first, 'first write')).toBe(8_000_000);
      expect([await second, await third]).toEqual([refused, refused]);
      expect(stream.closed).toBe(true);
      expect((await peer.receiveToEnd()).length).toBe(0);
    });

    test('T07 the buffer of a write that has begun is detached', async () => {
      const { stream, peer } = await context.acceptedStream();
      const own = new Uint8Array(pattern(8_000_000));
      const writing = rejection(stream.writeAll(own));
      expect(takeAway(own)).toBe(true);
      await peer.receiveToEnd();
      expect(await writing).toEqual(refused);
      expect(stream.closed).toBe(true);
    });

    test('a buffer that is detached before the call has no bytes', async () => {
      const { stream, peer } = await context.acceptedStream();
      const gone = new Uint8Array(10);
      takeAway(gone);
      expect(await rejection(stream.read(gone))).toEqual(refused);
      expect(await within(stream.writeAll(gone), 'write')).toBe(0);
      peer.send('x');
      expect(await within(stream.read(new Uint8Array(10)), 'read')).toBe(1);
    });

    test('a subarray is read into and written from its own place', async () => {
      const { stream, peer } = await context.acceptedStream();
      const buffer = new Uint8Array(10).fill(0x2e);
      peer.send('ab');
      expect(await within(stream.read(buffer.subarray(4, 6)), 'read')).toBe(2);
      expect(Buffer.from(buffer).toString()).toBe('....ab....');
      await stream.writeAll(buffer.subarray(3, 6));
      expect((await peer.receiveBytes(3)).toString()).toBe('.ab');
      await turnOf(context.reactor);
      expect(peer.receive()).toBeNull();
    });
  });
}
