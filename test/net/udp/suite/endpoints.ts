import { Reactor } from 'tripoll';
import { bindUdp, DatagramBatch, type SyncResult, type UdpEndpoint, type UdpHandlers } from 'tripoll/net';
import { deferred, turnOf, type Context } from '../../tools.js';
import { until, within } from '../../../support/deadline.js';
import { closed, invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import { bound, bytesOf, connected, endpoint, hostPortOf, textOf, V4 } from '../tools.js';

/** As of lib/net/udp/udp-endpoint.ts. */
const BATCHES_PER_EVENT = 4;

export function describeEndpoints(context: Context): void {
  describe('handlers', () => {
    test('a batch is lent, and goes back as it is', async () => {
      const server = endpoint(context, {
        datagrams: (self, batch) => void self.sendMany(batch),
      });
      const client = await connected(context, server);
      const batch = new DatagramBatch();
      for (let i = 0; i < 20; i++) batch.push(bytesOf(`e${i}`));
      await client.sendMany(batch);
      const texts: string[] = [];
      while (texts.length < 20) {
        await within(client.recvMany(batch), 'echo');
        for (let i = 0; i < batch.count; i++) texts.push(textOf(batch.payload(i)));
      }
      expect(texts).toEqual(Array.from({ length: 20 }, (_, i) => `e${i}`));
    });

    test('send: one datagram, to an address or to the peer', async () => {
      const peer = await bound(context);
      const free = endpoint(context, {});
      const tied = endpoint(context, {}, { peer: hostPortOf(peer) });
      expect(free.send(bytesOf('free'), hostPortOf(peer))).toBe(true);
      expect(tied.send(bytesOf('tied'))).toBe(true);
      const buffer = new Uint8Array(10);
      const texts: string[] = [];
      for (let i = 0; i < 2; i++) {
        const { lengthBytes: bytes } = await within(peer.receive(buffer), 'receive');
        texts.push(textOf(buffer.subarray(0, bytes)));
      }
      expect(texts).toEqual(['free', 'tied']);
      expect(thrownBy(() => free.send(bytesOf('x')))).toMatchObject({ code: 'EDESTADDRREQ' });
      expect(thrownBy(() => free.send(new Uint8Array(70_000), hostPortOf(peer)))).toMatchObject({
        code: 'EMSGSIZE',
        syscall: 'sendmsg',
      });
      expect(free.closed).toBe(false);
    });

    test('F35 a batch stays as it is while its handler turns another reactor by hand', async () => {
      const inner = new Reactor({ driver: 'manual' });
      context.own(inner);
      let innerCount = 0;
      const other = bindUdp(
        { host: '127.0.0.1', port: 0, reactor: inner },
        {
          datagrams: (_self, batch) => void (innerCount += batch.count),
        },
      );
      const seen: string[] = [];
      const server = endpoint(context, {
        datagrams: (_self, batch) => {
          while (innerCount === 0) inner.turn(100);
          for (let i = 0; i < batch.count; i++) seen.push(textOf(batch.payload(i)));
        },
      });
      const client = await bound(context);
      await client.send(bytesOf('theirs'), hostPortOf(other));
      await client.send(bytesOf('mine'), hostPortOf(server));
      await until(() => seen.length > 0, 'a datagram');
      expect(seen).toEqual(['mine']);
    });

    test('pause and resume', async () => {
      const got: string[] = [];
      const server = endpoint(context, {
        datagrams: (_self, batch) => {
          for (let i = 0; i < batch.count; i++) got.push(textOf(batch.payload(i)));
        },
      });
      const client = await connected(context, server);
      server.pause();
      await client.send(bytesOf('a'));
      await turnOf(context.reactor);
      await turnOf(context.reactor);
      expect(got).toEqual([]);
      server.resume();
      await until(() => got.length === 1, 'the datagram');
    });

    test('close comes once and last, also from within', async () => {
      const told: string[] = [];
      const over = deferred<Error | null>();
      const server = endpoint(context, {
        datagrams: (self) => {
          told.push('datagrams');
          self.close();
          self.close();
          told.push('closed');
        },
        close: (_self, error) => {
          told.push('close');
          over.resolve(error);
        },
      });
      const client = await connected(context, server);
      await client.send(bytesOf('x'));
      await client.send(bytesOf('y')).catch(() => 0);
      expect(await within(over.promise, 'close')).toBeNull();
      expect(told).toEqual(['datagrams', 'closed', 'close']);
      expect(server.localAddress).toBeUndefined();
      expect(thrownBy(() => server.send(bytesOf('x')))).toMatchObject(closed);
      expect(thrownBy(() => server.sendMany(new DatagramBatch()))).toMatchObject(closed);
    });

    test("bindUdp('host:port', handlers, options) is the same as with one object (friction 10)", async () => {
      const { reactor } = context;
      const came = deferred<string>();
      const handlers: UdpHandlers = {
        datagrams: (_, batch) => came.resolve(`${textOf(batch.payload(0))} ${batch.capacity}`),
      };
      const server = context.own(bindUdp(`${V4}:0`, handlers, { reactor, capacity: 3 }));
      const client = await connected(context, server);
      await client.send(bytesOf('x'));
      expect(await within(came.promise, 'datagrams')).toBe('x 3');
      const bind = bindUdp as (...values: unknown[]) => UdpEndpoint;
      for (const [target, options] of [
        [`${V4}:0`, { reactor, port: 5 }],
        [`${V4}:0`, { reactor, capcity: 5 }],
        [`${V4}:0`, null],
        [{ host: V4, port: 0, reactor }, {}],
        [7, undefined],
      ]) {
        expect(thrownBy(() => bind(target, {}, options))).toEqual(invalidType);
      }
      expect(thrownBy(() => bind('nowhere', {}))).toEqual(outOfRange);
    });

    test('what a handler throws, or rejects with, is told, and the socket goes on', async () => {
      const errors: string[] = [];
      let calls = 0;
      const server = endpoint(context, {
        datagrams: () => {
          if (++calls === 1) throw new Error('thrown');
          // Not allowed by its type; JavaScript does it all the same.
          return (calls === 2 ? Promise.reject(new Error('rejected')) : undefined) as SyncResult;
        },
        error: (_self, error) => errors.push(error.message),
      });
      const client = await connected(context, server);
      for (let i = 1; i <= 3; i++) {
        await client.send(bytesOf('x'));
        await until(() => calls === i, `call ${i}`);
      }
      await until(() => errors.length === 2, 'both errors');
      expect(errors).toEqual(['thrown', 'rejected']);
      expect(server.closed).toBe(false);
    });

    test('T47 ten datagrams more than a cap take two events, and none is lost', async () => {
      const sizes: number[] = [];
      const server = endpoint(
        context,
        { datagrams: (_self, batch) => sizes.push(batch.count) },
        { capacity: 2, slotBytes: 16 },
      );
      server.pause();
      const client = await connected(context, server);
      const total = 2 * BATCHES_PER_EVENT + 10;
      for (let i = 0; i < total; i++) await client.send(bytesOf('x'));
      const events: number[] = [];
      const { onReady } = server;
      server.onReady = function (this: UdpEndpoint, readiness: number) {
        const before = sizes.length;
        onReady.call(this, readiness);
        events.push(sizes.length - before);
      };
      server.resume();
      await until(() => sizes.reduce((sum, size) => sum + size, 0) === total, 'all of them');
      expect(Math.max(...events)).toBe(BATCHES_PER_EVENT);
      expect(events.length).toBeGreaterThan(1);
    });

    test('T07 a lent batch whose memory was transferred away is replaced', async () => {
      const got: string[] = [];
      const server = endpoint(context, {
        datagrams: (_self, batch) => {
          got.push(textOf(batch.payload(0)));
          structuredClone(null, { transfer: [batch.payload(0).buffer as ArrayBuffer] });
        },
      });
      const client = await connected(context, server);
      for (let i = 1; i <= 3; i++) {
        await client.send(bytesOf(`t${i}`));
        await until(() => got.length === i, `datagram ${i}`);
      }
      expect(got).toEqual(['t1', 't2', 't3']);
    });

    test('handlers and batch sizes are looked at', () => {
      expect(thrownBy(() => endpoint(context, { datagrams: 7 as never }))).toMatchObject({
        code: 'ERR_TRIPOLL_INVALID_ARG_TYPE',
      });
      expect(thrownBy(() => endpoint(context, {}, { capacity: 0 }))).toMatchObject(outOfRange);
      expect(thrownBy(() => endpoint(context, {}, { slotBytes: 65_537 }))).toMatchObject(outOfRange);
      expect(thrownBy(() => endpoint(context, {}, { host: 'localhost' }))).toMatchObject(outOfRange);
    });
  });
}
