// maxConnections and blockList.
import { BlockList } from 'node:net';
import { listen, TcpListener, type DropInfo, type ListenTarget, type TcpConnection } from 'tripoll/net';
import { until, within } from '../../../support/deadline.js';
import { invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import { LOOPBACK, portOf, rejection, turnOf, type Context } from '../../tools.js';
import { peerOf } from '../tools.js';

export function describeLimits(context: Context): void {
  /** A listener that notes whom it drops. */
  function limited(options: object, host = LOOPBACK) {
    const drops: DropInfo[] = [];
    const opened: TcpConnection[] = [];
    const listeners: TcpListener[] = [];
    const listener = context.listen(
      {
        open: (connection) => void opened.push(connection),
        drop(dropping, info) {
          listeners.push(dropping);
          drops.push(info);
        },
      },
      { host, ...options },
    );
    return { listener, drops, opened, listeners };
  }

  describe('maxConnections', () => {
    test('those above it are closed and told to drop; when one goes the next gets in', async () => {
      const { listener, drops, opened, listeners } = limited({ maxConnections: 2 });
      const first = peerOf(context, listener);
      const second = peerOf(context, listener);
      const third = peerOf(context, listener);
      const ports = [third.receiveToEnd()];
      await within(Promise.all(ports), 'the third is closed');
      await until(() => opened.length === 2, 'two');
      expect(listener.connections).toBe(2);
      expect(listeners).toEqual([listener]);
      expect(drops).toEqual([
        {
          reason: 'max-connections',
          address: { address: LOOPBACK, family: 'IPv4', port: expect.any(Number) as number },
        },
      ]);
      first.close();
      await until(() => listener.connections === 1, 'one is gone');
      const fourth = peerOf(context, listener);
      await until(() => opened.length === 3, 'the next is in');
      second.send('x');
      fourth.send('x');
      opened[0]?.close();
      opened[1]?.close();
      await until(() => listener.connections === 1, 'the second is gone');
      expect(drops.length).toBe(1);
    });

    test('promises: those above it are closed, accept goes on waiting', async () => {
      const listener = await context.bind({ maxConnections: 1 });
      peerOf(context, listener);
      const { stream } = await within(listener.accept(), 'accept');
      const accepting = listener.accept();
      const refused = peerOf(context, listener);
      expect((await refused.receiveToEnd()).length).toBe(0);
      expect(listener.connections).toBe(1);
      stream.close();
      expect(listener.connections).toBe(0);
      const later = peerOf(context, listener);
      const { stream: next, address } = await within(accepting, 'the next');
      context.own(next);
      expect(address?.address).toBe(LOOPBACK);
      later.send('x');
      expect(await within(next.read(new Uint8Array(9)), 'read')).toBe(1);
    });

    test('however a connection ends, its place is free again', async () => {
      const { listener, drops, opened } = limited({ maxConnections: 1 });
      const ends: ((connection: TcpConnection, peer: ReturnType<typeof peerOf>) => void)[] = [
        (connection) => connection.close(),
        (connection) => connection.reset(),
        (_, peer) => peer.close(),
        (_, peer) => peer.reset(),
      ];
      for (const [round, end] of ends.entries()) {
        const peer = peerOf(context, listener);
        await until(() => opened.length === round + 1, 'it is in');
        end(opened[round] as TcpConnection, peer);
        await until(() => listener.connections === 0, 'its place is free');
      }
      expect(drops).toEqual([]);
    });

    test('0 takes none; a handler that closes the listener is the last to be told', async () => {
      const drops: string[] = [];
      const listener = context.listen(
        {
          drop(dropping, { reason }) {
            drops.push(reason);
            dropping.close();
          },
        },
        { maxConnections: 0 },
      );
      const peers = [1, 2, 3].map(() => peerOf(context, listener));
      await until(() => listener.closed, 'closed');
      await turnOf(context.reactor);
      expect(drops).toEqual(['max-connections']);
      expect((await peers[0]?.receiveToEnd())?.length).toBe(0);
    });

    test.each([
      [-1, outOfRange],
      [1.5, outOfRange],
      [NaN, outOfRange],
      ['1', invalidType],
      [null, invalidType],
    ])('wrong: %p', async (maxConnections, expected) => {
      const target = { host: LOOPBACK, port: 0, reactor: context.reactor, maxConnections } as ListenTarget;
      expect(thrownBy(() => listen(target, {}))).toEqual(expected);
      expect(await rejection(TcpListener.bind(`${LOOPBACK}:0`, target))).toEqual(expected);
    });
  });

  describe('blockList', () => {
    function blockingLoopback(): BlockList {
      const blockList = new BlockList();
      blockList.addSubnet('127.0.0.0', 8, 'ipv4');
      return blockList;
    }

    test('who is on it is closed and told to drop; the others come in', async () => {
      const blockList = new BlockList();
      blockList.addAddress('::1', 'ipv6');
      const { listener, drops, opened } = limited({ blockList }, '::');
      const refused = await context.stream(portOf(listener), '::1');
      expect(await within(refused.read(new Uint8Array(1)), 'the end')).toBe(0);
      expect(drops).toEqual([
        {
          reason: 'blocked',
          address: { address: '::1', family: 'IPv6', port: expect.any(Number) as number },
        },
      ]);
      peerOf(context, listener); // by IPv4
      await until(() => opened.length === 1, 'the other is in');
      expect(listener.connections).toBe(1);
    });

    test('an IPv4 peer of an IPv6 listener is known by its IPv4 address', async () => {
      const { listener, drops } = limited({ blockList: blockingLoopback() }, '::');
      const refused = peerOf(context, listener);
      expect((await refused.receiveToEnd()).length).toBe(0);
      expect(drops[0]?.reason).toBe('blocked');
    });

    test('it is asked at each connection: who is added later is kept out', async () => {
      const blockList = new BlockList();
      const { listener, drops, opened } = limited({ blockList });
      peerOf(context, listener);
      await until(() => opened.length === 1, 'it is in');
      blockList.addAddress(LOOPBACK);
      expect((await peerOf(context, listener).receiveToEnd()).length).toBe(0);
      expect(drops.length).toBe(1);
      expect(opened[0]?.closed).toBe(false);
    });

    test('promises: accept goes on waiting', async () => {
      const blockList = new BlockList();
      blockList.addAddress('::1', 'ipv6');
      const listener = await context.bind({ blockList }, '::');
      const accepting = listener.accept();
      const refused = await context.stream(portOf(listener), '::1');
      expect(await within(refused.read(new Uint8Array(1)), 'the end')).toBe(0);
      peerOf(context, listener);
      context.own((await within(accepting, 'the next')).stream);
    });

    test.each([[null], [5], [{}], [[LOOPBACK]]])('wrong: %j', async (blockList) => {
      const target = {
        host: LOOPBACK,
        port: 0,
        reactor: context.reactor,
        blockList,
      } as unknown as ListenTarget;
      expect(thrownBy(() => listen(target, {}))).toEqual(invalidType);
      expect(await rejection(TcpListener.bind(`${LOOPBACK}:0`, target))).toEqual(invalidType);
    });
  });
}
