import { DatagramBatch } from 'tripoll/net';
import type { Context } from '../../tools.js';
import { within } from '../../../support/deadline.js';
import { hasManyLoopbacks, testLoopbacks } from '../../../support/kernel.js';
import { testIf } from '../../../support/applies.js';
import { isWindows } from '../../../support/platform.js';
import {
  bound,
  bytesOf,
  connected,
  endpoint,
  has,
  heedsTos,
  hostPortOf,
  testSentControl,
  V4,
  V6,
} from '../tools.js';

const ROOM = 100;
const TOS = 0xb9; // expedited forwarding, and ECT(1)

export function describeAncillary(context: Context): void {
  const eachHost = (name: string, run: (host: string) => Promise<void>): void => {
    for (const host of [V4, V6]) testSentControl(`${name}, on ${host}`, () => run(host));
  };

  describe('what comes with a datagram', () => {
    test.each([V4, V6])('nothing unless it was asked for, on %s', async (host) => {
      const server = await bound(context, {}, host);
      const client = await connected(context, server, { socketOptions: { ttl: 9 } });
      await client.send(bytesOf('x'));
      const got = await within(server.receive(new Uint8Array(ROOM)), 'receive');
      const { destination, interfaceIndex, tos, ttl, timestampNs } = got;
      expect([destination, interfaceIndex, tos, ttl, timestampNs]).toEqual(Array(5).fill(undefined));
    });

    for (const host of [V4, V6]) {
      test(`destination, interface, and what the sender’s socket has, on ${host}`, async () => {
        const all = { socketOptions: { receivePacketInfo: true, receiveTos: true, receiveTtl: true } };
        const server = await bound(context, all, host);
        const tosThere = heedsTos && (host === V4 || has('IPV6_TCLASS'));
        const client = await connected(context, server, {
          socketOptions: { ttl: 33, ...(tosThere ? { tos: TOS } : {}) },
        });
        await client.send(bytesOf('x'));
        const got = await within(server.receive(new Uint8Array(ROOM)), 'receive');
        expect(got).toMatchObject({ destination: host, interfaceIndex: 1, tos: tosThere ? TOS : 0, ttl: 33 });
      });
    }

    testIf(has('SO_TIMESTAMPNS'), 'this system does not tell when')('the time it came', async () => {
      const server = await bound(context, { socketOptions: { receiveTimestamps: true } });
      const client = await connected(context, server);
      const before = BigInt(Date.now() - 1) * 1_000_000n;
      await client.send(bytesOf('x'));
      const { timestampNs } = await within(server.receive(new Uint8Array(ROOM)), 'receive');
      expect(timestampNs).toBeGreaterThanOrEqual(before);
      expect(timestampNs).toBeLessThan(before + 60_000_000_000n);
    });

    eachHost('destination, interface, TOS and ECN, TTL of one datagram', async (host) => {
      const all = { socketOptions: { receivePacketInfo: true, receiveTos: true, receiveTtl: true } };
      const server = await bound(context, all, host);
      const client = await connected(context, server);
      await client.send(bytesOf('x'), undefined, { tos: TOS, ttl: 33 });
      const got = await within(server.receive(new Uint8Array(ROOM)), 'receive');
      expect(got).toMatchObject({ destination: host, interfaceIndex: 1, tos: TOS, ttl: 33 });
      await client.send(bytesOf('y'));
      const batch = new DatagramBatch();
      await within(server.recvMany(batch), 'recvMany');
      // The socket's own, not those of the one before.
      expect([batch.tos(0), batch.ecn(0), batch.ttl(0)]).toEqual([0, 0, isWindows ? 128 : 64]);
    });

    test('IPv4 on an IPv6 socket tells the same', async () => {
      const server = await bound(
        context,
        { socketOptions: { receivePacketInfo: true, receiveTos: true, receiveTtl: true } },
        '::',
      );
      const client = await bound(context, { socketOptions: { tos: 2, ttl: 9 } });
      await client.send(bytesOf('x'), { host: V4, port: hostPortOf(server).port });
      const got = await within(server.receive(new Uint8Array(ROOM)), 'receive');
      expect(got).toMatchObject({ destination: '::ffff:127.0.0.1', tos: heedsTos ? 2 : 0, ttl: 9 });
    });

    eachHost('the socket’s own TTL, and a batch’s TOS and TTL of one datagram', async (host) => {
      const server = await bound(context, { socketOptions: { receiveTos: true, receiveTtl: true } }, host);
      const client = await connected(context, server, { socketOptions: { ttl: 7 } });
      const batch = new DatagramBatch();
      batch.push(bytesOf('own'));
      batch.push(bytesOf('set'));
      batch.setTos(1, 16);
      batch.setTtl(1, 17);
      await client.sendMany(batch);
      const got = new DatagramBatch();
      const seen: unknown[] = [];
      while (seen.length < 2) {
        await within(server.recvMany(got), 'recvMany');
        for (let i = 0; i < got.count; i++) seen.push([got.tos(i), got.ttl(i)]);
      }
      expect(seen).toEqual([
        [0, 7],
        [16, 17],
      ]);
    });

    const testSources = hasManyLoopbacks ? testSentControl : testLoopbacks;
    testSources('an answer comes from where the question went, on a socket with many addresses', async () => {
      const answering = endpoint(
        context,
        {
          datagrams: (self, batch) => {
            for (let i = 0; i < batch.count; i++) batch.replyFromDestination(i);
            self.sendMany(batch);
          },
        },
        { host: '0.0.0.0', socketOptions: { receivePacketInfo: true } },
      );
      const client = await bound(context);
      const { port } = hostPortOf(answering);
      const buffer = new Uint8Array(ROOM);
      for (const host of ['127.0.0.5', '127.0.0.6']) {
        await client.send(bytesOf('x'), { host, port });
        expect((await within(client.receive(buffer), 'answer')).address).toMatchObject({ address: host });
      }
    });

    testSources('a source is chosen for one datagram', async () => {
      const server = await bound(context);
      const client = await bound(context, {}, '0.0.0.0');
      await client.send(bytesOf('x'), hostPortOf(server), { source: '127.0.0.9' });
      const buffer = new Uint8Array(ROOM);
      expect((await within(server.receive(buffer), 'receive')).address).toMatchObject({
        address: '127.0.0.9',
      });
      const batch = new DatagramBatch();
      batch.push(bytesOf('y'), hostPortOf(server));
      batch.setSource(0, '127.0.0.8');
      await client.sendMany(batch);
      expect((await within(server.receive(buffer), 'receive')).address).toMatchObject({
        address: '127.0.0.8',
      });
    });
  });
}
