import type { TcpStream } from 'tripoll/net';
import { within } from '../../../support/deadline.js';
import { digest, pattern, rejection, rejectionError, turnOf, type Context } from '../../tools.js';
import { blockedStream } from '../tools.js';

interface WriteError extends NodeJS.ErrnoException {
  bytesWritten?: number;
}

const abortedOrLate = { signal: 'ABORT_ERR', timeoutMs: 'ERR_TRIPOLL_TIMEOUT' };
type How = keyof typeof abortedOrLate;
const hows: How[] = ['signal', 'timeoutMs'];

export function describeAbortedWrites(context: Context): void {
  /** Starts a write that is given up as soon as `giveUp` is called. */
  function startWrite(
    stream: TcpStream,
    bytes: Uint8Array,
    how: How,
  ): { rejected: Promise<WriteError>; giveUp: () => void } {
    const controller = new AbortController();
    const options = how === 'signal' ? { signal: controller.signal } : { timeoutMs: 5 };
    return {
      rejected: rejectionError(stream.writeAll(bytes, options)),
      giveUp: () => {
        if (how === 'signal') controller.abort();
      },
    };
  }

  describe.each(hows)('a write given up by %s', (how) => {
    test('not begun: bytesWritten is 0, the others go out in their order', async () => {
      const { stream, peer, filledBytes } = await blockedStream(context);
      const pieces = [1, 2, 3, 4].map((seed) => pattern(30_000, seed));
      const first = stream.writeAll(pieces[0] as Buffer);
      const { rejected, giveUp } = startWrite(stream, pieces[1] as Buffer, how);
      const third = stream.writeAll(pieces[2] as Buffer);
      expect(stream.queuedBytes).toBe(90_000);
      giveUp();
      const error = await rejected;
      expect({ code: error.code, bytesWritten: error.bytesWritten }).toEqual({
        code: abortedOrLate[how],
        bytesWritten: 0,
      });
      expect(stream.closed).toBe(false);
      expect(stream.queuedBytes).toBe(60_000);
      const fourth = stream.writeAll(pieces[3] as Buffer);
      await peer.receiveBytes(filledBytes);
      const wanted = Buffer.concat([pieces[0], pieces[2], pieces[3]] as Buffer[]);
      expect(digest(await peer.receiveBytes(wanted.length))).toBe(digest(wanted));
      expect(await within(Promise.all([first, third, fourth]), 'the others')).toEqual([
        30_000, 30_000, 30_000,
      ]);
      expect(stream.queuedBytes).toBe(0);
    });

    test('the first of the queue, not begun', async () => {
      const { stream, peer, filledBytes } = await blockedStream(context);
      const { rejected, giveUp } = startWrite(stream, pattern(30_000, 1), how);
      const second = stream.writeAll(pattern(30_000, 2));
      giveUp();
      expect((await rejected).bytesWritten).toBe(0);
      await peer.receiveBytes(filledBytes);
      expect(digest(await peer.receiveBytes(30_000))).toBe(digest(pattern(30_000, 2)));
      expect(await within(second, 'the other')).toBe(30_000);
    });

    test('begun: the stream is destroyed, bytesWritten says how much, the others are rejected', async () => {
      const { stream, peer } = await context.acceptedStream();
      const bytes = pattern(20_000_000);
      const { rejected, giveUp } = startWrite(stream, bytes, how);
      const others = [rejection(stream.writeAll(pattern(10))), rejection(stream.write(pattern(10)))];
      const reading = rejection(stream.read(new Uint8Array(10)));
      if (how === 'signal') {
        await turnOf(context.reactor);
        expect(stream.closed).toBe(false);
      }
      giveUp();
      const error = await rejected;
      expect(error.code).toBe(abortedOrLate[how]);
      const { bytesWritten = 0 } = error;
      expect(bytesWritten).toBeGreaterThan(0);
      expect(bytesWritten).toBeLessThan(bytes.length);
      expect(stream.closed).toBe(true);
      for (const other of [...others, reading]) expect((await other)?.code).toBe('ERR_TRIPOLL_STATE');
      expect((await rejection(stream.writeAll(pattern(10))))?.code).toBe('ERR_TRIPOLL_STATE');
      // Just so much has the peer, and then the end.
      const received = await peer.receiveToEnd();
      expect(received.length).toBe(bytesWritten);
      expect(digest(received)).toBe(digest(bytes.subarray(0, bytesWritten)));
    });

    test('begun while it was queued', async () => {
      const { stream, peer, filledBytes } = await blockedStream(context);
      const bytes = pattern(20_000_000);
      // By its time it would have to be begun by then: no promise of that.
      const controller = new AbortController();
      const signal = how === 'signal' ? controller.signal : AbortSignal.any([controller.signal]);
      const rejected = rejectionError(stream.writeAll(bytes, { signal }));
      await peer.receiveBytes(filledBytes + 1);
      await turnOf(context.reactor);
      controller.abort();
      const { bytesWritten = 0 } = (await rejected) as WriteError;
      expect(bytesWritten).toBeGreaterThan(0);
      expect(stream.closed).toBe(true);
      expect(digest(await peer.receiveToEnd())).toBe(digest(bytes.subarray(1, bytesWritten)));
    });

    test('not begun, and the last that end() waited for: our side ends', async () => {
      const { stream, peer, filledBytes } = await blockedStream(context);
      const { rejected, giveUp } = startWrite(stream, pattern(30_000), how);
      stream.end();
      giveUp();
      expect((await rejected).bytesWritten).toBe(0);
      expect(stream.closed).toBe(false);
      // Under level mode this read's interest replaces that of the write.
      const reading = stream.read(new Uint8Array(10));
      expect((await peer.receiveToEnd()).length).toBe(filledBytes);
      peer.send('abc');
      expect(await within(reading, 'read')).toBe(3);
      peer.close();
      expect(await within(stream.read(new Uint8Array(10)), 'the end')).toBe(0);
      expect(stream.closed).toBe(true);
    });
  });

  describe('writes that are given up', () => {
    test('write() that has to wait has not begun', async () => {
      const { stream, peer, filledBytes } = await blockedStream(context);
      const controller = new AbortController();
      const rejected = rejectionError(stream.write(pattern(100), controller));
      const kept = stream.write(pattern(200, 7));
      controller.abort();
      expect(((await rejected) as WriteError).bytesWritten).toBe(0);
      await peer.receiveBytes(filledBytes);
      expect(digest(await peer.receiveBytes(200))).toBe(digest(pattern(200, 7)));
      expect(await within(kept, 'the other')).toBe(200);
    });

    test('what is written at once takes no notice of the time', async () => {
      const { stream, peer } = await context.acceptedStream();
      const { signal } = new AbortController();
      expect(await within(stream.writeAll(Buffer.from('abc'), { signal, timeoutMs: 0 }), 'write')).toBe(3);
      expect((await peer.receiveBytes(3)).toString()).toBe('abc');
    });

    test('all of many, in any order', async () => {
      const { stream, peer, filledBytes } = await blockedStream(context);
      const controllers = Array.from({ length: 30 }, () => new AbortController());
      const writing = controllers.map((controller, seed) =>
        stream
          .writeAll(pattern(1000, seed), controller)
          .catch((error: unknown) => (error as WriteError).bytesWritten),
      );
      const isKept = (seed: number): boolean => seed % 3 === 0;
      for (const [seed, controller] of [...controllers.entries()].reverse())
        if (!isKept(seed)) controller.abort();
      expect(stream.queuedBytes).toBe(10_000);
      await peer.receiveBytes(filledBytes);
      const wanted = Buffer.concat(
        controllers.flatMap((_, seed) => (isKept(seed) ? [pattern(1000, seed)] : [])),
      );
      expect(digest(await peer.receiveBytes(10_000))).toBe(digest(wanted));
      expect(await within(Promise.all(writing), 'all')).toEqual(
        controllers.map((_, seed) => (isKept(seed) ? 1000 : 0)),
      );
    });
  });
}
