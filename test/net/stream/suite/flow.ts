import { testReset } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { type Context, digest, expectNoSpin, failureOf, pattern, turnOf } from '../../tools.js';

export function describeFlow(context: Context): void {
  describe('flow control', () => {
    test('write is false above highWaterMarkBytes, drain comes below lowWaterMarkBytes', async () => {
      const marks = { highWaterMarkBytes: 100_000, lowWaterMarkBytes: 10_000 };
      const queuedAtDrain: number[] = [];
      const { connection, told, peer } = await context.accepted(
        { drain: (drained) => queuedAtDrain.push(drained.queuedBytes) },
        marks,
      );
      const piece = pattern(20_000);
      let sent = 0;
      do sent += piece.length;
      while (connection.write(piece));
      expect(connection.queuedBytes).toBeGreaterThan(marks.highWaterMarkBytes);
      expect(connection.queuedBytes).toBeLessThanOrEqual(marks.highWaterMarkBytes + piece.length);
      await turnOf(context.reactor);
      expect(told.events).toEqual(['open']);

      const got = await peer.receiveBytes(sent);
      await until(() => told.events.includes('drain'), 'drain');
      expect(queuedAtDrain.length).toBe(1);
      expect(queuedAtDrain[0]).toBeLessThanOrEqual(marks.lowWaterMarkBytes);
      expect(connection.queuedBytes).toBe(0);
      const pieces = Array.from({ length: sent / piece.length }, () => piece);
      expect(digest(got)).toBe(digest(Buffer.concat(pieces)));
      expect(connection.write(piece)).toBe(true);
    });

    test('above maxQueuedBytes it is destroyed with ERR_TRIPOLL_WRITE_OVERFLOW', async () => {
      const { connection, told } = await context.accepted({}, { maxQueuedBytes: 1_000_000 });
      const chunk = pattern(900_000);
      for (let i = 0; i < 1000 && !connection.closed; i++) connection.write(chunk);
      expect(connection.closed).toBe(true);
      expect(connection.queuedBytes).toBe(0);
      // Until close is told, a write is no mistake: the writer cannot know.
      expect(connection.write(chunk)).toBe(false);
      const overflow = { name: 'Error', code: 'ERR_TRIPOLL_WRITE_OVERFLOW' };
      expect(failureOf(await within(told.closed, 'close'))).toEqual(overflow);
      expect(told.errors.map(failureOf)).toEqual([overflow]);
      expect(told.events).toEqual(['open', 'error', 'close']);
    });

    test('the caller may change a chunk once write has returned', async () => {
      const { connection, peer } = await context.accepted();
      const chunk = pattern(6_000_000);
      const wanted = digest(chunk);
      connection.write(chunk);
      chunk.fill(0);
      expect(digest(await peer.receiveBytes(chunk.length))).toBe(wanted);
    });

    test('cork holds writes back, uncork sends them in order', async () => {
      const { connection, peer } = await context.accepted();
      connection.cork();
      for (let i = 0; i < 100; i++) connection.write(Buffer.from(`${i};`));
      await turnOf(context.reactor);
      expect(peer.receive()).toBeNull();
      expect(connection.queuedBytes).toBeGreaterThan(0);
      connection.uncork();
      const wanted = Array.from({ length: 100 }, (_, i) => `${i};`).join('');
      expect((await peer.receiveBytes(wanted.length)).toString()).toBe(wanted);
      expect(connection.queuedBytes).toBe(0);
    });

    test('writes of before open are sent once it is connected', async () => {
      const { listener, told } = await context.accepted({
        data: (connection, chunk) => connection.write(chunk),
      });
      const echoed: Buffer[] = [];
      const client = context.connect(listener.localAddress?.port ?? 0, {
        data: (_, chunk) => echoed.push(Buffer.from(chunk)),
      });
      client.write(Buffer.from('early '));
      client.write(Buffer.from('bird'));
      await until(() => Buffer.concat(echoed).toString() === 'early bird', 'echo');
      expect(told.errors).toEqual([]);
    });

    test('pause stops the peer, resume loses nothing', async () => {
      const { connection, told, peer } = await context.accepted({ open: (opened) => void opened.pause() });
      const sent = pattern(64_000_000);
      // What the kernel's buffers take, and not a byte more.
      let taken = 0;
      for (let more = peer.fill(sent); more > 0; more = peer.fill(sent.subarray(taken))) {
        taken += more;
        await turnOf(context.reactor);
      }
      expect(taken).toBeLessThan(sent.length);
      expect(told.events).toEqual(['open']);
      connection.resume();
      await until(() => told.received() === taken, 'all that was sent');
      expect(digest(told.bytes())).toBe(digest(sent.subarray(0, taken)));
    });

    test('pause in each data, resume later: every byte, and the end', async () => {
      const { told, peer } = await context.accepted({
        data(connection) {
          connection.pause();
          setImmediate(() => connection.resume());
        },
      });
      const sent = pattern(3_000_000);
      await peer.sendAll(sent);
      peer.endWrite();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(digest(told.bytes())).toBe(digest(sent));
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
    });

    test('pause and resume at once is nothing', async () => {
      const { told, peer } = await context.accepted({
        data: (connection) => void connection.pause().resume(),
      });
      peer.send('abc');
      await until(() => told.received() === 3, 'data');
      peer.send('def');
      await until(() => told.received() === 6, 'more data');
    });

    testReset('a paused connection does not spin when its peer has gone (T10)', async () => {
      const { connection, told, peer } = await context.accepted({ open: (opened) => void opened.pause() });
      peer.send('abc');
      peer.reset();
      await expectNoSpin(context.reactor);
      connection.resume();
      expect(failureOf(await within(told.closed, 'close'))).toEqual({ name: 'Error', code: 'ECONNRESET' });
    });
  });
}
