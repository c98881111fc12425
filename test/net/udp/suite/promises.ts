import { DatagramBatch, UdpSocket } from 'tripoll/net';
import { native } from '#lib/binding/native';
import { expectNoSpin, rejection, type Context } from '../../tools.js';
import { within } from '../../../support/deadline.js';
import {
  bound,
  bytesOf,
  connected,
  deadAddress,
  hostPortOf,
  isLinux,
  swapped,
  textOf,
  V4,
  V6,
} from '../tools.js';

const ROOM = 100;
/** Of lib/reactor/registry.ts: what promises may do between two turns. */
const PROMISE_BUDGET = 4096;

export function describePromises(context: Context): void {
  describe('promises', () => {
    test.each([V4, V6])('a datagram there and back on %s', async (host) => {
      const server = await bound(context, {}, host);
      const client = await connected(context, server);
      expect(client.remoteAddress).toMatchObject({ address: host, port: server.localAddress?.port });
      const buffer = new Uint8Array(ROOM);
      const receiving = server.receive(buffer);
      expect(await within(client.send(bytesOf('hello')), 'send')).toBe(5);
      const received = await within(receiving, 'receive');
      expect(received).toMatchObject({ lengthBytes: 5, truncated: false, wireBytes: 5, segmentBytes: 0 });
      expect(textOf(buffer.subarray(0, 5))).toBe('hello');
      expect(received.address).toEqual(client.localAddress);
      const { address, port } = received.address ?? { address: '', port: 0 };
      await within(server.send(bytesOf('back'), { host: address, port }), 'answer');
      expect((await within(client.receive(buffer), 'answer')).lengthBytes).toBe(4);
      expect(textOf(buffer.subarray(0, 4))).toBe('back');
    });

    test('T15 who receives in a loop changes its registration no more than once; who stops, once more', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const buffer = new Uint8Array(ROOM);
      const modify = jest.spyOn(native, 'pollerModify');
      try {
        for (let i = 0; i < 20; i++) {
          const receiving = server.receive(buffer);
          await client.send(bytesOf('x'));
          await within(receiving, 'receive');
        }
        expect(modify).toHaveBeenCalledTimes(1);
        // For nobody: level mode would be told of it for ever.
        await client.send(bytesOf('kept'));
        await expectNoSpin(context.reactor);
        expect(modify).toHaveBeenCalledTimes(2);
        expect((await within(server.receive(buffer), 'receive')).lengthBytes).toBe(4);
      } finally {
        modify.mockRestore();
      }
    });

    test('a name is resolved by the resolver that is passed', async () => {
      const server = await bound(context);
      const asked: string[] = [];
      const resolver = (host: string) => {
        asked.push(host);
        return ['127.0.0.1'];
      };
      const { port } = hostPortOf(server);
      const target = { host: 'name.test', port };
      const client = context.own(await UdpSocket.connect(target, { reactor: context.reactor, resolver }));
      expect(asked).toEqual(['name.test']);
      expect(client.remoteAddress).toMatchObject({ address: '127.0.0.1', port });
      await expect(UdpSocket.connect(target, { resolver: 1 as never })).rejects.toMatchObject({
        name: 'TypeError',
        code: 'ERR_TRIPOLL_INVALID_ARG_TYPE',
      });
    });

    test('an IPv6 socket takes IPv4, or not, as it was asked', async () => {
      const both = await bound(context, {}, '::');
      const { port } = hostPortOf(both);
      const client = await bound(context);
      await client.send(bytesOf('4'), { host: V4, port });
      const got = await within(both.receive(new Uint8Array(ROOM)), 'receive');
      expect(got.address).toMatchObject({ address: '::ffff:127.0.0.1', family: 'IPv6' });
      const only = await bound(context, { ipv6Only: true }, '::');
      const again = UdpSocket.bind({ host: V4, port: hostPortOf(only).port }, { reactor: context.reactor });
      expect(context.own(await again).closed).toBe(false);
    });

    test('a name is looked up', async () => {
      const server = await bound(context);
      const { port } = hostPortOf(server);
      const client = context.own(
        await UdpSocket.connect(`localhost:${port}`, { reactor: context.reactor, localAddress: `${V4}:0` }),
      );
      await client.send(bytesOf('by name'));
      expect((await within(server.receive(new Uint8Array(ROOM)), 'receive')).lengthBytes).toBe(7);
    });

    test('datagrams keep their borders and their order, an empty one is one', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      for (const text of ['a', '', 'bcd', 'e']) await client.send(bytesOf(text));
      const buffer = new Uint8Array(ROOM);
      const got: string[] = [];
      for (let i = 0; i < 4; i++) {
        const { lengthBytes: bytes } = await within(server.receive(buffer), 'receive');
        got.push(textOf(buffer.subarray(0, bytes)));
      }
      expect(got).toEqual(['a', '', 'bcd', 'e']);
    });

    test('what is longer than the buffer is told with its length', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      await client.send(bytesOf('0123456789'));
      await client.send(bytesOf('next'));
      const buffer = new Uint8Array(4);
      expect(await within(server.receive(buffer), 'receive')).toMatchObject({
        lengthBytes: 4,
        truncated: true,
        wireBytes: isLinux ? 10 : 4,
      });
      expect(textOf(buffer)).toBe('0123');
      // Its end is lost, as everywhere; the next one is whole.
      expect(await within(server.receive(buffer), 'receive')).toMatchObject({
        lengthBytes: 4,
        truncated: false,
      });
      expect(textOf(buffer)).toBe('next');
    });

    test('several receives wait, and are served in order: whole things queue (friction 10)', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const buffers = [1, 2, 3].map(() => new Uint8Array(ROOM));
      const batch = new DatagramBatch({ capacity: 2 });
      const [first, second] = [server.receive(buffers[0]!), server.receive(buffers[1]!)];
      const many = server.recvMany(batch);
      const last = server.receive(buffers[2]!);
      for (const text of ['a', 'bb', 'ccc']) await client.send(bytesOf(text));
      expect((await within(first, 'first')).lengthBytes).toBe(1);
      expect((await within(second, 'second')).lengthBytes).toBe(2);
      expect(await within(many, 'recvMany')).toBeGreaterThan(0);
      await client.send(bytesOf('dddd'));
      await client.send(bytesOf('dddd'));
      expect((await within(last, 'last')).lengthBytes).toBe(4);
      expect(textOf(batch.payload(0))).toBe('ccc');
      expect(buffers.map((buffer) => textOf(buffer.subarray(0, 2)))).toEqual(['a\0', 'bb', 'dd']);
    });

    test('an aborted receive leaves its datagram to the next that waits; 1024 may wait', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const aborter = new AbortController();
      const aborted = rejection(server.receive(new Uint8Array(ROOM), { signal: aborter.signal }));
      const waiting = Array.from({ length: 1023 }, () => server.receive(new Uint8Array(ROOM)));
      expect(await rejection(server.receive(new Uint8Array(ROOM)))).toEqual({
        name: 'Error',
        code: 'ERR_TRIPOLL_BUSY',
      });
      aborter.abort();
      expect(await aborted).toEqual({ name: 'AbortError', code: 'ABORT_ERR' });
      await client.send(bytesOf('x'));
      expect((await within(waiting[0]!, 'the next')).lengthBytes).toBe(1);
      const rest = Promise.all(waiting.slice(1).map((promise) => rejection(promise)));
      server.close();
      expect(new Set((await rest).map((failure) => failure?.code))).toEqual(new Set(['ERR_TRIPOLL_CLOSED']));
    });

    test('abort and timeout of a receive lose nothing', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const buffer = new Uint8Array(ROOM);
      const aborter = new AbortController();
      const aborted = server.receive(buffer, { signal: aborter.signal });
      aborter.abort();
      expect(await rejection(aborted)).toEqual({ name: 'AbortError', code: 'ABORT_ERR' });
      expect(await rejection(server.receive(buffer, { timeoutMs: 5 }))).toEqual({
        name: 'TimeoutError',
        code: 'ERR_TRIPOLL_TIMEOUT',
      });
      await client.send(bytesOf('kept'));
      expect((await within(server.receive(buffer), 'receive')).lengthBytes).toBe(4);
    });

    test('connect and disconnect change whom it hears', async () => {
      // A port that was asked for; one that the system chose would be given up by disconnect.
      const address = await deadAddress(context);
      const server = context.own(await UdpSocket.bind(address, { reactor: context.reactor }));
      const [friend, stranger] = [await bound(context), await bound(context)];
      server.connect(hostPortOf(friend));
      expect(server.remoteAddress).toMatchObject({ port: hostPortOf(friend).port });
      const target = hostPortOf(server);
      await stranger.send(bytesOf('stranger'), target);
      await friend.send(bytesOf('friend'), target);
      const buffer = new Uint8Array(ROOM);
      expect((await within(server.receive(buffer), 'receive')).lengthBytes).toBe(6);
      server.disconnect();
      expect(server.remoteAddress).toBeUndefined();
      expect(server.localAddress).toMatchObject({ port: target.port });
      expect(await rejection(server.send(bytesOf('x')))).toMatchObject({ code: 'EDESTADDRREQ' });
      await stranger.send(bytesOf('heard now'), target);
      expect((await within(server.receive(buffer), 'receive')).lengthBytes).toBe(9);
    });

    test('T47 a loop of receives that never has to wait lets others run', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      // It stays readable, for nobody takes it: a flood without an end.
      await client.send(bytesOf('x'));
      const { turns } = context.reactor.inspect();
      await swapped(
        'udpReceive',
        () => () => 1,
        async () => {
          const buffer = new Uint8Array(ROOM);
          for (let i = 0; i < 3 * PROMISE_BUDGET; i++) await server.receive(buffer);
        },
      );
      expect(context.reactor.inspect().turns - turns).toBeGreaterThanOrEqual(2);
    });

    test('T47 a batch counts for what is in it', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      await client.send(bytesOf('x'));
      const { turns } = context.reactor.inspect();
      await swapped(
        'udpReceive',
        () => () => 64,
        async () => {
          const batch = new DatagramBatch();
          for (let i = 0; i < (3 * PROMISE_BUDGET) / 16; i++) await server.recvMany(batch);
        },
      );
      expect(context.reactor.inspect().turns - turns).toBeGreaterThanOrEqual(2);
    });

    test('T48 a loop of sends that never has to wait lets others run', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const { turns } = context.reactor.inspect();
      await swapped(
        'udpSend',
        () => () => 1,
        async () => {
          const payload = bytesOf('x');
          for (let i = 0; i < 3 * PROMISE_BUDGET; i++) await client.send(payload);
        },
      );
      expect(context.reactor.inspect().turns - turns).toBeGreaterThanOrEqual(2);
    });
  });
}
