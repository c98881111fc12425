// pause and resume, cork and uncork, the water marks, when the connection is about to end.
import { until, within } from '../../../support/deadline.js';
import { invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import { digest, LOOPBACK, passedMs, pattern, rejection, turnOf, type Context } from '../../tools.js';
import { listen, type ListenTarget, type TcpConnection } from 'tripoll/net';
import { fillSocket } from '../tools.js';

export function describeFlowAtTheEnd(context: Context): void {
  describe('cork', () => {
    test('cork, write, end: all is sent, then the end', async () => {
      const { connection, told, peer } = await context.accepted();
      connection.cork();
      connection.write(Buffer.from('one '));
      connection.write(Buffer.from('two '));
      connection.end(Buffer.from('three'));
      expect((await peer.receiveToEnd()).toString()).toBe('one two three');
      connection.uncork();
      peer.close();
      expect(await within(told.closed, 'close')).toBeNull();
    });

    test('cork, write, close: what is corked is dropped', async () => {
      const { connection, told, peer } = await context.accepted();
      connection.cork();
      connection.write(Buffer.from('never'));
      connection.close();
      expect(connection.queuedBytes).toBe(0);
      connection.uncork();
      expect((await peer.receiveToEnd()).length).toBe(0);
      expect(await within(told.closed, 'close')).toBeNull();
    });

    test('corked when the peer ends: what waits is sent, as without allowHalfOpen our end does', async () => {
      const { connection, told, peer } = await context.accepted();
      connection.cork();
      connection.write(pattern(100_000));
      peer.endWrite();
      expect(digest(await peer.receiveToEnd())).toBe(digest(pattern(100_000)));
      expect(await within(told.closed, 'close')).toBeNull();
    });

    test('with allowHalfOpen it stays corked', async () => {
      const { connection, told, peer } = await context.accepted({}, { allowHalfOpen: true });
      connection.cork();
      connection.write(Buffer.from('later'));
      peer.endWrite();
      await within(told.ended, 'end');
      await turnOf(context.reactor);
      expect(peer.receive()).toBeNull();
      connection.uncork();
      connection.end();
      expect((await peer.receiveToEnd()).toString()).toBe('later');
      expect(await within(told.closed, 'close')).toBeNull();
    });

    test('above the high mark while corked: false, and drain after uncork', async () => {
      const { connection, told, peer } = await context.accepted({}, { highWaterMarkBytes: 1000 });
      connection.cork();
      expect(connection.write(pattern(1000))).toBe(true);
      expect(connection.write(pattern(1))).toBe(false);
      await turnOf(context.reactor);
      expect(told.events).toEqual(['open']);
      connection.uncork();
      // Not from inside uncork.
      expect(told.events).toEqual(['open']);
      await until(() => told.events.includes('drain'), 'drain');
      expect(told.events).toEqual(['open', 'drain']);
      expect((await peer.receiveBytes(1001)).length).toBe(1001);
    });

    test('corked and more than maxQueuedBytes: it overflows as any other', async () => {
      const { connection, told } = await context.accepted({}, { maxQueuedBytes: 1000 });
      connection.cork();
      expect(connection.write(pattern(1000))).toBe(true);
      expect(connection.write(pattern(1))).toBe(false);
      expect(await within(told.closed, 'close')).toMatchObject({ code: 'ERR_TRIPOLL_WRITE_OVERFLOW' });
      expect(told.events).toEqual(['open', 'error', 'close']);
    });
  });

  describe('pause', () => {
    test('paused with data and the end there: nothing is told before resume, then both', async () => {
      const { connection, told, peer } = await context.accepted();
      connection.pause();
      peer.send('abc');
      peer.endWrite();
      for (let i = 0; i < 5; i++) await turnOf(context.reactor);
      expect(told.events).toEqual(['open']);
      connection.resume();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
    });

    test('F23 pause in data, end() in ours: the peer still gets all, and close comes without a resume', async () => {
      const { told, peer } = await context.accepted({
        data(paused) {
          paused.pause().end(pattern(1_000_000));
        },
      });
      peer.send('abc');
      expect(digest(await peer.receiveToEnd())).toBe(digest(pattern(1_000_000)));
      peer.endWrite();
      expect(await within(told.closed, 'close')).toBeNull();
      // `drain` comes where the socket did not take all at once.
      expect(told.events.filter((event) => event !== 'drain')).toEqual(['open', 'data', 'end', 'close']);
    });

    test('F35 drain is not told from within the user’s own abort()', async () => {
      let isAborting = false;
      const drained: boolean[] = [];
      const { connection, peer } = await context.accepted(
        { drain: () => void drained.push(isAborting) },
        { highWaterMarkBytes: 1000 },
      );
      await fillSocket(context, connection.fd, peer);
      expect(connection.write(new Uint8Array(2000))).toBe(false);
      const controller = new AbortController();
      const options = { signal: controller.signal };
      const write = rejection(connection.writeWith(() => 0, 10, options));
      // Room for all that waits, of which no event has told yet.
      while (peer.receive(1 << 20) !== null);
      isAborting = true;
      controller.abort();
      isAborting = false;
      expect((await write)?.code).toBe('ABORT_ERR');
      await until(() => drained.length > 0, 'drain');
      expect(drained).toEqual([false]);
    });

    test('resume from inside another handler tells later, in a turn of its own', async () => {
      const { connection, told, peer } = await context.accepted({ drain: (paused) => void paused.resume() });
      connection.pause();
      peer.send('abc');
      await turnOf(context.reactor);
      connection.cork();
      connection.write(pattern(100_000));
      connection.uncork();
      await peer.receiveBytes(100_000);
      await until(() => told.received() === 3, 'data');
      expect(told.events).toEqual(['open', 'drain', 'data']);
    });

    test('paused and closed: what was there is not told', async () => {
      const { connection, told, peer } = await context.accepted();
      connection.pause();
      peer.send('abc');
      await turnOf(context.reactor);
      connection.close();
      connection.resume();
      await within(told.closed, 'close');
      await turnOf(context.reactor);
      expect(told.events).toEqual(['open', 'close']);
    });

    test('a paused one whose peer goes on sending does not spin', async () => {
      const { connection, told, peer } = await context.accepted();
      connection.pause();
      peer.fill(pattern(8_000_000));
      for (let i = 0; i < 10; i++) await turnOf(context.reactor);
      const { turns } = context.reactor.inspect();
      await passedMs(context.reactor, 20);
      expect(context.reactor.inspect().turns - turns).toBeLessThan(10);
      expect(told.events).toEqual(['open']);
    });
  });

  describe('water marks', () => {
    test('the low one at the high one, and both at nothing', async () => {
      for (const [highWaterMarkBytes, lowWaterMarkBytes] of [
        [5000, 5000],
        [0, 0],
      ] as const) {
        const { connection, told, peer } = await context.accepted(
          {},
          { highWaterMarkBytes, lowWaterMarkBytes },
        );
        connection.cork();
        expect(connection.write(pattern(5001))).toBe(false);
        connection.uncork();
        await peer.receiveBytes(5001);
        await until(() => told.events.includes('drain'), 'drain');
        expect(told.events).toEqual(['open', 'drain']);
      }
    });

    test('drain is told once for many writes, each time anew, and never without a false', async () => {
      const queued: number[] = [];
      const { connection, told, peer } = await context.accepted(
        { drain: (drained: TcpConnection) => void queued.push(drained.queuedBytes) },
        { highWaterMarkBytes: 100_000, lowWaterMarkBytes: 50_000 },
      );
      connection.write(pattern(100));
      await peer.receiveBytes(100);
      await turnOf(context.reactor);
      expect(told.events).toEqual(['open']);
      for (let round = 1; round <= 3; round++) {
        connection.cork();
        for (let i = 0; i < 5; i++) connection.write(pattern(2_000_000));
        connection.uncork();
        await peer.receiveBytes(10_000_000);
        await until(() => queued.length === round, 'drain');
        // What is written and gone at once needs none.
        connection.cork();
        connection.write(pattern(100));
        connection.uncork();
        await peer.receiveBytes(100);
      }
      await turnOf(context.reactor);
      expect(queued.length).toBe(3);
      expect(Math.max(...queued)).toBeLessThanOrEqual(50_000);
    });

    test('no drain of a connection that has ended', async () => {
      const { connection, told, peer } = await context.accepted({}, { highWaterMarkBytes: 10 });
      connection.write(pattern(10_000_000));
      await turnOf(context.reactor);
      connection.close();
      await within(told.closed, 'close');
      peer.close();
      expect(told.events).toEqual(['open', 'close']);
    });

    test.each([
      [{ highWaterMarkBytes: -1 }, outOfRange],
      [{ highWaterMarkBytes: 1.5 }, outOfRange],
      [{ highWaterMarkBytes: '1' }, invalidType],
      [{ lowWaterMarkBytes: 100_000 }, outOfRange],
      [{ maxQueuedBytes: -1 }, outOfRange],
      [{ maxQueuedBytes: null }, invalidType],
    ])('wrong: %j', (options, expected) => {
      const target = { host: LOOPBACK, port: 0, reactor: context.reactor, ...options };
      expect(thrownBy(() => listen(target as ListenTarget, {}))).toEqual(expected);
    });
  });
}
