// idleTimeoutMs in real time. How late it may be is in idle-clock.test.ts, where time is the
// test's.
import { listen, TcpStream, type ListenTarget, type StreamOptions } from 'tripoll/net';
import { until, within } from '../../../support/deadline.js';
import { invalidType, outOfRange, thrownBy, timedOut } from '../../../support/errors.js';
import { failureOf, LOOPBACK, portOf, record, rejection, type Context, type RawPeer } from '../../tools.js';
import { peerOf } from '../tools.js';
import { isOldWine } from '../../../support/platform.js';

export function describeIdling(context: Context): void {
  describe('idleTimeoutMs', () => {
    test('handlers: error and close, never early; the peer gets an end', async () => {
      const from = performance.now();
      const { told, peer } = await context.accepted({}, { idleTimeoutMs: 40 });
      expect(failureOf(await within(told.closed, 'close'))).toEqual(timedOut);
      expect(performance.now() - from).toBeGreaterThanOrEqual(40);
      expect(told.events).toEqual(['open', 'error', 'close']);
      expect((await peer.receiveToEnd()).length).toBe(0);
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('promises: a read that waits is rejected, and what comes later', async () => {
      const listener = await context.bind({ idleTimeoutMs: 40 });
      const from = performance.now(); // before it is accepted: a busy machine may take its time to tell us
      peerOf(context, listener);
      const { stream } = await within(listener.accept(), 'accept');
      expect(await rejection(stream.read(new Uint8Array(1)))).toEqual(timedOut);
      expect(performance.now() - from).toBeGreaterThanOrEqual(40);
      expect(await rejection(stream.writeAll(new Uint8Array(1)))).toEqual(timedOut);
      expect(stream.closed).toBe(true);
    });

    test('of a connection of our own, in both styles', async () => {
      const listener = context.listen();
      const told = record();
      context.connect(portOf(listener), told.handlers, { idleTimeoutMs: 30 });
      const address = { host: LOOPBACK, port: portOf(listener) };
      const stream = context.own(
        await TcpStream.connect(address, { reactor: context.reactor, idleTimeoutMs: 30 }),
      );
      expect(await rejection(stream.read(new Uint8Array(1)))).toEqual(timedOut);
      expect(failureOf(await within(told.closed, 'close'))).toEqual(timedOut);
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('200 connections, one timer; those that are silent go, the one that is not stays', async () => {
      const closed: unknown[] = [];
      let opened = 0;
      const handlers = {
        open: () => (opened += 1),
        close: (_: unknown, error: unknown) => void closed.push(error),
      };
      // Long enough that all have connected before the first is silent for so long.
      const listener = context.listen(handlers, { idleTimeoutMs: isOldWine ? 3000 : 400 });
      const peers: RawPeer[] = [];
      // No more at once than every system's backlog has: 128 (somaxconn).
      for (const count of [100, 200]) {
        while (peers.length < count) peers.push(peerOf(context, listener));
        await until(() => opened === count, 'all connections');
      }
      expect(context.reactor.inspect().timers).toBe(1);
      const [active] = peers;
      await until(() => {
        active?.send('x');
        return closed.length >= 199;
      }, 'the silent ones closed');
      expect(closed.length).toBe(199);
      expect(closed.every((error) => failureOf(error)?.code === timedOut.code)).toBe(true);
      expect(context.reactor.inspect().timers).toBe(1);
      active?.close();
      await until(() => closed.length === 200, 'the last');
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('it keeps no process alive by itself: its timer is unreferenced', async () => {
      const { connection, listener } = await context.accepted({}, { idleTimeoutMs: 60_000 });
      expect(context.reactor.inspect()).toMatchObject({ timers: 1, refs: 2 });
      connection.unref();
      listener.unref();
      expect(context.reactor.inspect()).toMatchObject({ timers: 1, refs: 0 });
    });

    test.each([
      [0, outOfRange],
      [0.5, outOfRange],
      [-1, outOfRange],
      [NaN, outOfRange],
      [2 ** 53, outOfRange],
      ['1', invalidType],
      [null, invalidType],
    ])('wrong: %p', async (idleTimeoutMs, expected) => {
      const target = { host: LOOPBACK, port: 0, reactor: context.reactor, idleTimeoutMs } as ListenTarget;
      expect(thrownBy(() => listen(target, {}))).toEqual(expected);
      const options = { reactor: context.reactor, idleTimeoutMs } as StreamOptions;
      expect(await rejection(TcpStream.connect(`${LOOPBACK}:9`, options))).toEqual(expected);
    });
  });
}
