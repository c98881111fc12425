import { copyBidirectional, type CopyOptions, type TcpStream } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { until, within } from '../../../support/deadline.js';
import { invalidType, outOfRange } from '../../../support/errors.js';
import {
  digest,
  failureOf,
  pattern,
  rejection,
  rejectionError,
  turnOf,
  type Context,
  type RawPeer,
} from '../../tools.js';
import { heldBy, listenersOf } from '../../stream/tools.js';
import { testReset } from '../../../support/applies.js';

interface Between {
  a: TcpStream;
  b: TcpStream;
  /** Who talks to a, and to b. */
  left: RawPeer;
  right: RawPeer;
}

export function describeCopying(context: Context): void {
  async function between(): Promise<Between> {
    const { stream: a, peer: left } = await context.acceptedStream();
    const { stream: b, peer: right } = await context.acceptedStream();
    return { a, b, left, right };
  }

  describe('copyBidirectional', () => {
    test('bytes pass both ways and are counted, ends are passed on one by one, both are closed', async () => {
      const { a, b, left, right } = await between();
      const copying = copyBidirectional(a, b);
      const question = pattern(3_000_000, 1);
      const answer = pattern(2_000_000, 2);
      const sending = left.sendAll(question).then(() => left.endWrite());
      expect(digest(await right.receiveToEnd())).toBe(digest(question));
      await sending;
      // The other direction is still open.
      expect(a.closed || b.closed).toBe(false);
      const answering = right.sendAll(answer).then(() => right.endWrite());
      expect(digest(await left.receiveToEnd())).toBe(digest(answer));
      await answering;
      expect(await within(copying, 'copy')).toEqual({ bytesFromA: 3_000_000, bytesFromB: 2_000_000 });
      expect([a.closed, b.closed]).toEqual([true, true]);
    });

    test('both at once, through a buffer of one byte', async () => {
      const { a, b, left, right } = await between();
      const copying = copyBidirectional(a, b, { bufferBytes: 1 });
      left.send('abcdef');
      right.send('xyz');
      left.endWrite();
      right.endWrite();
      expect((await right.receiveToEnd()).toString()).toBe('abcdef');
      expect((await left.receiveToEnd()).toString()).toBe('xyz');
      expect(await within(copying, 'copy')).toEqual({ bytesFromA: 6, bytesFromB: 3 });
    });

    for (const which of ['left', 'right'] as const)
      testReset(`${which} resets: its error is told, both are closed`, async () => {
        const ends = await between();
        const { a, b } = ends;
        const copying = rejection(copyBidirectional(a, b));
        await turnOf(context.reactor);
        ends[which].reset();
        expect(await copying).toEqual({ name: 'Error', code: 'ECONNRESET' });
        expect([a.closed, b.closed]).toEqual([true, true]);
        const other = which === 'left' ? ends.right : ends.left;
        expect((await other.receiveToEnd()).length).toBe(0);
        await turnOf(context.reactor);
        expect(heldBy(context.reactor)).toEqual({ timers: 0, refs: 0 });
      });

    test('one of them is closed already, or meanwhile: ERR_TRIPOLL_CLOSED', async () => {
      const first = await between();
      first.b.close();
      expect((await rejection(copyBidirectional(first.a, first.b)))?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect(first.a.closed).toBe(true);
      const second = await between();
      const copying = rejection(copyBidirectional(second.a, second.b));
      second.a.close();
      expect((await copying)?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect(second.b.closed).toBe(true);
    });

    test('aborted before: rejected, and both are closed', async () => {
      const { a, b, left } = await between();
      left.send('abc');
      const reason = new Error('why');
      const signal = AbortSignal.abort(reason);
      const error = await rejectionError(copyBidirectional(a, b, { signal, timeoutMs: 60_000 }));
      expect(failureOf(error)).toEqual({ name: 'AbortError', code: 'ABORT_ERR' });
      expect(error.cause).toBe(reason);
      expect([a.closed, b.closed]).toEqual([true, true]);
      expect(listenersOf(signal)).toBe(0);
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('aborted in the middle, or out of time: both are closed, nothing is left', async () => {
      for (const how of ['abort', 'time'] as const) {
        const { a, b, left } = await between();
        const controller = new AbortController();
        const { signal } = controller;
        const options = { signal, timeoutMs: how === 'time' ? 15 : 60_000 };
        const copying = rejection(copyBidirectional(a, b, options));
        left.send('abc');
        await turnOf(context.reactor);
        if (how === 'abort') controller.abort();
        expect((await copying)?.code).toBe(how === 'abort' ? 'ABORT_ERR' : 'ERR_TRIPOLL_TIMEOUT');
        expect([a.closed, b.closed]).toEqual([true, true]);
        expect(listenersOf(signal)).toBe(0);
        await turnOf(context.reactor);
        expect(heldBy(context.reactor)).toEqual({ timers: 0, refs: 0 });
      }
    });

    test('when it is done, nothing is left on the signal', async () => {
      const { a, b, left, right } = await between();
      const { signal } = new AbortController();
      const copying = copyBidirectional(a, b, { signal, timeoutMs: 60_000 });
      left.endWrite();
      right.endWrite();
      expect(await within(copying, 'copy')).toEqual({ bytesFromA: 0, bytesFromB: 0 });
      expect(listenersOf(signal)).toBe(0);
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('a slow reader holds its sender back: at most a buffer is queued', async () => {
      const { a, b, left, right } = await between();
      const bufferBytes = 32_768;
      const copying = copyBidirectional(a, b, { bufferBytes });
      const bytes = pattern(30_000_000);
      let sent = 0;
      let most = 0;
      // Until nothing moves any more: all the buffers of the system are full, and ours.
      for (let still = 0; still < 20;) {
        const more = left.fill(bytes.subarray(sent));
        sent += more;
        still = more === 0 ? still + 1 : 0;
        await turnOf(context.reactor);
        most = Math.max(most, b.queuedBytes);
      }
      expect(sent).toBeLessThan(bytes.length);
      expect(b.queuedBytes).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(bufferBytes);
      expect(a.queuedBytes).toBe(0);
      const rest = left.sendAll(bytes.subarray(sent)).then(() => left.endWrite());
      expect(digest(await right.receiveToEnd())).toBe(digest(bytes));
      await rest;
      right.endWrite();
      expect(await within(copying, 'copy')).toEqual({ bytesFromA: bytes.length, bytesFromB: 0 });
    });

    const wrong: [string, unknown, object][] = [
      ['null', null, invalidType],
      ['a number', 7, invalidType],
      ['a buffer of nothing', { bufferBytes: 0 }, outOfRange],
      ['half a byte', { bufferBytes: 1.5 }, outOfRange],
      ['more than there can be', { bufferBytes: 2 ** 31 }, outOfRange],
      ['a text', { bufferBytes: '1' }, invalidType],
      ['a signal that is none', { signal: 1 }, invalidType],
      ['a negative time', { timeoutMs: -1 }, outOfRange],
    ];

    test.each(wrong)('wrong options are rejected, and leave both open: %s', async (_, options, expected) => {
      const { a, b, left, right } = await between();
      expect(await rejection(copyBidirectional(a, b, options as CopyOptions))).toEqual(expected);
      expect([a.closed, b.closed]).toEqual([false, false]);
      const copying = copyBidirectional(a, b);
      left.endWrite();
      right.endWrite();
      await within(copying, 'a copy after all');
    });

    test.each([[null], [undefined], [5], [{}]])('a stream that is %p is rejected', async (value) => {
      const { a } = await between();
      const stream = value as TcpStream;
      expect(await rejection(copyBidirectional(stream, a))).toEqual(invalidType);
      expect(await rejection(copyBidirectional(a, stream))).toEqual(invalidType);
      expect(a.closed).toBe(false);
    });

    test('a side whose peer has gone ends it though the other side is silent', async () => {
      const { a, b, left, right } = await between();
      const copying = rejection(copyBidirectional(a, b));
      right.close();
      // a's bytes meet a closed socket: its answer is a RST.
      let sent = true;
      await until(() => {
        if (sent && sys.send(left.fd, Buffer.from('x')) < 0) sent = false;
        return b.closed;
      }, 'closed');
      expect(['EPIPE', 'ECONNRESET']).toContain((await copying)?.code);
      expect(a.closed).toBe(true);
    });
  });
}
