// Reads without a buffer that waits: readable(), tryRead(), and iteration.
import { UnixStream } from 'tripoll/net';
import { within } from '../../../support/deadline.js';
import { testSeqpacket } from '../../../support/kernel.js';
import { closed, timedOut, thrownBy } from '../../../support/errors.js';
import { digest, pattern, rejection, turnOf, type Context } from '../../tools.js';
import { heldBy } from '../tools.js';

const busy = { name: 'Error', code: 'ERR_TRIPOLL_BUSY' };
export function describeReadable(context: Context): void {
  describe('readable() and tryRead()', () => {
    test('tryRead gives what there is, null when there is nothing, 0 at the end', async () => {
      const { stream, peer } = await context.acceptedStream();
      const buffer = new Uint8Array(4);
      expect(stream.tryRead(buffer)).toBeNull();
      peer.send('abcdef');
      await within(stream.readable(), 'readable');
      expect(stream.tryRead(buffer)).toBe(4);
      expect(Buffer.from(buffer).toString()).toBe('abcd');
      expect(stream.tryRead(buffer)).toBe(2);
      expect(stream.tryRead(buffer)).toBeNull();
      expect(stream.bytesRead).toBe(6);
      peer.endWrite();
      await within(stream.readable(), 'the end');
      expect(stream.tryRead(buffer)).toBe(0);
      expect(stream.readEnded).toBe(true);
      await within(stream.readable(), 'still');
    });

    test('readable takes no byte, and waits for the first', async () => {
      const { stream, peer } = await context.acceptedStream();
      let told = false;
      const readable = stream.readable().then(() => (told = true));
      await turnOf(context.reactor);
      expect(told).toBe(false);
      peer.send('x');
      await within(readable, 'readable');
      expect(stream.bytesRead).toBe(0);
      expect(await within(stream.read(new Uint8Array(9)), 'read')).toBe(1);
    });

    test('it is a read: one at a time, cancelled as one, ended with the stream', async () => {
      const { stream } = await context.acceptedStream();
      const waiting = stream.readable();
      expect(await rejection(stream.readable())).toEqual(busy);
      expect(thrownBy(() => stream.tryRead(new Uint8Array(1)))).toEqual(busy);
      stream.close();
      expect(await rejection(waiting)).toEqual(closed);
      expect(await rejection(stream.readable())).toEqual(closed);
      expect(thrownBy(() => stream.tryRead(new Uint8Array(1)))).toEqual(closed);
    });

    test('it takes a timeout, by which nothing is lost', async () => {
      const { stream, peer } = await context.acceptedStream();
      expect(await rejection(stream.readable({ timeoutMs: 5 }))).toEqual(timedOut);
      expect(heldBy(context.reactor)).toMatchObject({ timers: 0 });
      peer.send('x');
      await within(stream.readable({ timeoutMs: 10_000 }), 'readable');
      expect(stream.tryRead(new Uint8Array(2))).toBe(1);
    });

    test('a wrong buffer is refused', async () => {
      const { stream } = await context.acceptedStream();
      expect(() => stream.tryRead('x' as unknown as Uint8Array)).toThrow(TypeError);
      expect(() => stream.tryRead(new Uint8Array(0))).toThrow(RangeError);
    });

    testSeqpacket('a seqpacket message that is too long is EMSGSIZE', async () => {
      const { reactor } = context;
      const [one, other] = UnixStream.pair({ reactor, type: 'seqpacket' });
      context.own(one);
      context.own(other);
      await one.writeAll(Buffer.from('12345'));
      await within(other.readable(), 'readable');
      expect(thrownBy(() => other.tryRead(new Uint8Array(3)))).toMatchObject({ code: 'EMSGSIZE' });
      expect(other.tryRead(new Uint8Array(3))).toBeNull();
    });
  });

  describe('for await of a stream', () => {
    test('gives all bytes, in chunks that are the loop’s own, and ends with the stream', async () => {
      const { stream, peer } = await context.acceptedStream();
      const sent = pattern(300_000);
      void peer.sendAll(sent).then(() => peer.endWrite());
      const chunks: Uint8Array[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      expect(digest(Buffer.concat(chunks))).toBe(digest(sent));
      expect(stream.bytesRead).toBe(300_000);
    });

    test('leaving the loop leaves the stream open', async () => {
      const { stream, peer } = await context.acceptedStream();
      peer.send('a');
      for await (const chunk of stream) {
        expect(Buffer.from(chunk).toString()).toBe('a');
        break;
      }
      peer.send('b');
      expect(await within(stream.read(new Uint8Array(1)), 'read')).toBe(1);
    });

    test('F19 return() ends a next() that waits', async () => {
      const { stream } = await context.acceptedStream();
      const iterator = stream[Symbol.asyncIterator]();
      const next = iterator.next();
      await iterator.return();
      expect(await within(next, 'next')).toEqual({ done: true, value: undefined });
      expect(stream.closed).toBe(false);
    });

    test('an error of the stream is the loop’s', async () => {
      const { stream } = await context.acceptedStream();
      const next = stream[Symbol.asyncIterator]().next();
      stream.close();
      expect(await rejection(next)).toEqual(closed);
    });
  });
}
