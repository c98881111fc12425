import type { Reactor } from 'tripoll';
import { within } from '../../../support/deadline.js';
import { Random, testSeed } from '../../../support/random.js';
import { digest, pattern, rejection, turnOf, type Context } from '../../tools.js';
import { peerOf } from '../tools.js';
import { testReset } from '../../../support/applies.js';

/** So that the abort comes at another moment of the turn each time. */
function aMoment(random: Random, reactor: Reactor): Promise<void> {
  const moments: (() => Promise<void>)[] = [
    () => Promise.resolve(),
    () =>
      new Promise((resolve) => {
        process.nextTick(resolve);
      }),
    () =>
      new Promise((resolve) => {
        setImmediate(resolve);
      }),
    () =>
      new Promise((resolve) => {
        reactor.post(resolve);
      }),
    () => turnOf(reactor),
  ];
  return random.pick(moments)();
}

export function describeAbortedReads(context: Context): void {
  describe('an aborted read loses nothing', () => {
    test.each(['before', 'after'])('bytes sent right %s the abort come with the next read', async (when) => {
      const { stream, peer } = await context.acceptedStream();
      const controller = new AbortController();
      const buffer = new Uint8Array(10);
      const reading = rejection(stream.read(buffer, controller));
      if (when === 'before') peer.send('abc');
      controller.abort();
      if (when === 'after') peer.send('abc');
      expect((await reading)?.code).toBe('ABORT_ERR');
      // Its buffer is the caller's again.
      expect(buffer).toEqual(new Uint8Array(10));
      const next = new Uint8Array(10);
      expect(await within(stream.read(next), 'the next read')).toBe(3);
      expect(Buffer.from(next.subarray(0, 3)).toString()).toBe('abc');
      expect(buffer).toEqual(new Uint8Array(10));
    });

    testReset('nor the end, nor an error', async () => {
      const { stream, peer } = await context.acceptedStream();
      const controller = new AbortController();
      const reading = rejection(stream.read(new Uint8Array(10), controller));
      peer.endWrite();
      controller.abort();
      expect((await reading)?.code).toBe('ABORT_ERR');
      expect(await within(stream.read(new Uint8Array(10)), 'the end')).toBe(0);

      const other = await context.acceptedStream();
      const second = new AbortController();
      const failing = rejection(other.stream.read(new Uint8Array(10), second));
      other.peer.reset();
      second.abort();
      expect((await failing)?.code).toBe('ABORT_ERR');
      expect((await rejection(other.stream.read(new Uint8Array(10))))?.code).toBe('ECONNRESET');
    });

    test('a timed-out read leaves the stream as it was', async () => {
      const { stream, peer } = await context.acceptedStream();
      expect((await rejection(stream.read(new Uint8Array(10), { timeoutMs: 1 })))?.code).toBe(
        'ERR_TRIPOLL_TIMEOUT',
      );
      peer.send('abc');
      expect(await within(stream.read(new Uint8Array(10)), 'the next read')).toBe(3);
      expect(await within(stream.writeAll(Buffer.from('xyz')), 'a write')).toBe(3);
      expect((await peer.receiveBytes(3)).toString()).toBe('xyz');
    });

    test('with bytes there already a read resolves, though its time is nothing', async () => {
      const { stream, peer } = await context.acceptedStream();
      peer.send('abc');
      await turnOf(context.reactor);
      const { signal } = new AbortController();
      expect(await within(stream.read(new Uint8Array(10), { signal, timeoutMs: 0 }), 'read')).toBe(3);
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('aborts at any moment of a stream of bytes: all of them arrive, in order', async () => {
      const { stream, peer } = await context.acceptedStream();
      const random = new Random(testSeed());
      const wanted = pattern(200_000);
      const chunks: Buffer[] = [];
      let sent = 0;
      let received = 0;
      let aborts = 0;
      while (received < wanted.length) {
        const controller = new AbortController();
        const buffer = new Uint8Array(1 + random.below(5000));
        const reading = stream
          .read(buffer, { signal: controller.signal, timeoutMs: 10_000 })
          .catch((error: unknown) => {
            if ((error as NodeJS.ErrnoException).code !== 'ABORT_ERR') throw error;
            aborts++;
            return 0;
          });
        await aMoment(random, context.reactor);
        if (random.below(2) === 0) sent += peer.send(wanted.subarray(sent, sent + 1 + random.below(4000)));
        await aMoment(random, context.reactor);
        controller.abort();
        const length = await within(reading, 'a read');
        chunks.push(Buffer.from(buffer.subarray(0, length)));
        received += length;
      }
      expect(digest(Buffer.concat(chunks))).toBe(digest(wanted));
      expect(aborts).toBeGreaterThan(10);
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('an aborted accept loses no connection', async () => {
      const listener = await context.bind();
      const controller = new AbortController();
      const accepting = rejection(listener.accept(controller));
      const next = listener.accept();
      const peer = peerOf(context, listener);
      controller.abort();
      expect((await accepting)?.code).toBe('ABORT_ERR');
      const { stream } = await within(next, 'the accept after it');
      context.own(stream);
      const third = new AbortController();
      const alone = rejection(listener.accept(third));
      const waiting = peerOf(context, listener);
      third.abort();
      expect((await alone)?.code).toBe('ABORT_ERR');
      await turnOf(context.reactor);
      const late = context.own((await within(listener.accept(), 'a later accept')).stream);
      peer.send('1');
      waiting.send('22');
      expect(await within(stream.read(new Uint8Array(9)), 'the first')).toBe(1);
      expect(await within(late.read(new Uint8Array(9)), 'the second')).toBe(2);
    });
  });
}
