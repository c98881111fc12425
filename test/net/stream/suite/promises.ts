import { testReset } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { type Context, digest, expectNoSpin, pattern, rejection, turnOf } from '../../tools.js';

const busy = { name: 'Error', code: 'ERR_TRIPOLL_BUSY' };

export function describePromises(context: Context): void {
  describe('promises', () => {
    test('a second read rejects with ERR_TRIPOLL_BUSY, the first goes on', async () => {
      const { stream, peer } = await context.acceptedStream();
      const buffer = new Uint8Array(10);
      const first = stream.read(buffer);
      expect(await rejection(stream.read(new Uint8Array(10)))).toEqual(busy);
      peer.send('abc');
      expect(await within(first, 'read')).toBe(3);
      expect(Buffer.from(buffer.subarray(0, 3)).toString()).toBe('abc');
    });

    test('read takes what fits, the rest comes with the next', async () => {
      const { stream, peer } = await context.acceptedStream();
      peer.send('abcdefgh');
      const buffer = new Uint8Array(3);
      let text = '';
      while (text.length < 8) {
        const received = await within(stream.read(buffer), 'read');
        text += Buffer.from(buffer.subarray(0, received)).toString();
      }
      expect(text).toBe('abcdefgh');
    });

    test('write resolves with a part, writeAll with all', async () => {
      const { stream, peer } = await context.acceptedStream();
      const sent = pattern(16_000_000);
      const part = await within(stream.write(sent), 'write');
      expect(part).toBeGreaterThan(0);
      expect(part).toBeLessThan(sent.length);
      const all = stream.writeAll(sent.subarray(part));
      // Not before the peer has read.
      const first = await Promise.race([all, turnOf(context.reactor).then(() => 'still writing')]);
      expect(first).toBe('still writing');
      expect(digest(await peer.receiveBytes(sent.length))).toBe(digest(sent));
      expect(await within(all, 'writeAll')).toBe(sent.length - part);
    });

    test('a queued write resolves with a part too, and the next takes its turn', async () => {
      const { stream, peer } = await context.acceptedStream();
      const sent = pattern(16_000_000);
      const filled = await within(stream.write(sent), 'write');
      const second = stream.write(pattern(16_000_000, 2));
      const third = stream.writeAll(pattern(1000, 3));
      const got = [await peer.receiveBytes(filled)];
      const part = await within(
        Promise.race([second, until(() => false, 'second write', 5000).then(() => -1)]),
        'second',
      );
      got.push(await peer.receiveBytes(part + 1000));
      expect(part).toBeGreaterThan(0);
      expect(await within(third, 'third')).toBe(1000);
      const wanted = [sent.subarray(0, filled), pattern(16_000_000, 2).subarray(0, part), pattern(1000, 3)];
      expect(digest(Buffer.concat(got))).toBe(digest(Buffer.concat(wanted)));
      expect(stream.queuedBytes).toBe(0);
    });

    test('queued writes go out in the order of their calls', async () => {
      const { stream, peer } = await context.acceptedStream();
      const pieces = Array.from({ length: 300 }, (_, i) => pattern(((i * 7919) % 60_000) + (i % 3), i));
      const writing = Promise.all(pieces.map((piece) => stream.writeAll(piece)));
      const wanted = Buffer.concat(pieces);
      expect(stream.queuedBytes).toBeGreaterThan(0);
      expect(digest(await peer.receiveBytes(wanted.length))).toBe(digest(wanted));
      expect(await within(writing, 'writes')).toEqual(pieces.map((piece) => piece.length));
      expect(stream.queuedBytes).toBe(0);
    });

    test('an empty write is done when those before it are', async () => {
      const { stream, peer } = await context.acceptedStream();
      expect(await within(stream.writeAll(new Uint8Array(0)), 'empty write')).toBe(0);
      const order: string[] = [];
      const writing = [
        stream.writeAll(pattern(8_000_000)).then(() => order.push('big')),
        stream.writeAll(new Uint8Array(0)).then(() => order.push('empty')),
        stream.writeAll(pattern(10)).then(() => order.push('small')),
      ];
      await peer.receiveBytes(8_000_010);
      await within(Promise.all(writing), 'writes');
      expect(order).toEqual(['big', 'empty', 'small']);
    });

    testReset('a stream whose reset peer nobody reads from does not spin (T10)', async () => {
      const { stream, peer } = await context.acceptedStream();
      peer.send('abc');
      peer.reset();
      await expectNoSpin(context.reactor);
      // What came before the reset may still be read.
      const reading = (async () => {
        while ((await stream.read(new Uint8Array(10))) > 0);
      })();
      expect(await rejection(reading)).toEqual({ name: 'Error', code: 'ECONNRESET' });
      expect(stream.closed).toBe(true);
    });
  });
}
