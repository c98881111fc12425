import { within } from '../../../support/deadline.js';
import { digest, pattern, rejection, turnOf, type Context } from '../../tools.js';
import { blockedStream } from '../tools.js';

export function describeSplitting(context: Context): void {
  describe('split', () => {
    test('one half reads while the other writes', async () => {
      const { stream, peer } = await context.acceptedStream();
      const { reader, writer } = stream.split();
      const buffer = new Uint8Array(10);
      const reading = reader.read(buffer);
      expect(await within(writer.writeAll(Buffer.from('to')), 'writeAll')).toBe(2);
      expect(await within(writer.write(Buffer.from('peer')), 'write')).toBe(4);
      expect((await peer.receiveBytes(6)).toString()).toBe('topeer');
      peer.send('from');
      expect(await within(reading, 'read')).toBe(4);
      reader.close();
      writer.close();
      expect(stream.closed).toBe(true);
    });

    test.each(['reader', 'writer'] as const)(
      '%s closed first, with much to write: all of it arrives',
      async (first) => {
        const { stream, peer } = await context.acceptedStream();
        const { reader, writer } = stream.split();
        const bytes = [1, 2, 3].map((seed) => pattern(4_000_000, seed));
        const writing = Promise.all(bytes.map((part) => writer.writeAll(part)));
        const halves = first === 'reader' ? [reader, writer] : [writer, reader];
        for (const half of halves) {
          half.close();
          expect(stream.closed).toBe(false);
        }
        expect(digest(await peer.receiveToEnd())).toBe(digest(Buffer.concat(bytes)));
        expect(await within(writing, 'the writes')).toEqual([4_000_000, 4_000_000, 4_000_000]);
        await turnOf(context.reactor);
        expect(stream.closed).toBe(true);
      },
    );

    test('the writer closes: our side ends, the reader reads on', async () => {
      const { stream, peer } = await context.acceptedStream();
      const { reader, writer } = stream.split();
      writer.close();
      expect((await peer.receiveToEnd()).length).toBe(0);
      expect((await rejection(writer.writeAll(pattern(1))))?.code).toBe('ERR_TRIPOLL_STATE');
      peer.send('answer');
      expect(await within(reader.read(new Uint8Array(10)), 'read')).toBe(6);
      expect(stream.closed).toBe(false);
      const reading = rejection(reader.read(new Uint8Array(10)));
      reader.close();
      expect((await reading)?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect(stream.closed).toBe(true);
    });

    test('the reader closes: the writer writes on', async () => {
      const { stream, peer } = await context.acceptedStream();
      const { reader, writer } = stream.split();
      reader.close();
      reader.close();
      expect(stream.closed).toBe(false);
      expect(await within(writer.writeAll(pattern(100)), 'write')).toBe(100);
      writer.close();
      expect((await peer.receiveToEnd()).length).toBe(100);
      expect(stream.closed).toBe(true);
    });

    test('the peer ends, the reader has read that, the writer closes: the stream is closed by that', async () => {
      const { stream, peer } = await context.acceptedStream();
      const { reader, writer } = stream.split();
      peer.endWrite();
      expect(await within(reader.read(new Uint8Array(10)), 'the end')).toBe(0);
      writer.close();
      expect(stream.closed).toBe(true);
      reader.close();
    });

    test('cancellation reaches through', async () => {
      const { stream } = await blockedStream(context);
      const { reader, writer } = stream.split();
      const controller = new AbortController();
      const failures = [
        rejection(reader.read(new Uint8Array(1), controller)),
        rejection(writer.write(pattern(1), controller)),
        rejection(writer.writeAll(pattern(1), controller)),
      ];
      controller.abort();
      for (const failure of failures) expect((await failure)?.code).toBe('ABORT_ERR');
      expect((await rejection(reader.read(new Uint8Array(1), { timeoutMs: 0 })))?.code).toBe(
        'ERR_TRIPOLL_TIMEOUT',
      );
      expect(stream.closed).toBe(false);
    });

    test('an aborted write that has begun ends both halves', async () => {
      const { stream } = await context.acceptedStream();
      const { reader, writer } = stream.split();
      const controller = new AbortController();
      const reading = rejection(reader.read(new Uint8Array(1)));
      const writing = rejection(writer.writeAll(pattern(20_000_000), controller));
      controller.abort();
      expect((await writing)?.code).toBe('ABORT_ERR');
      expect((await reading)?.code).toBe('ERR_TRIPOLL_STATE');
      expect(stream.closed).toBe(true);
    });
  });
}
