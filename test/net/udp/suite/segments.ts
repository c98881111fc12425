import { DatagramBatch } from 'tripoll/net';
import { native } from '#lib/binding/native';
import type { Context } from '../../tools.js';
import { within } from '../../../support/deadline.js';
import { testIf } from '../../../support/applies.js';
import { bound, bytesOf, connected, has, hostPortOf, swapped } from '../tools.js';

async function lengthsOf(socket: Awaited<ReturnType<typeof bound>>, total: number): Promise<number[]> {
  const batch = new DatagramBatch();
  const lengths: number[] = [];
  while (lengths.reduce((sum, length) => sum + length, 0) < total) {
    await within(socket.recvMany(batch), 'recvMany');
    for (let i = 0; i < batch.count; i++) lengths.push(batch.lengthBytes(i));
  }
  return lengths;
}

export function describeSegments(context: Context): void {
  describe('segments', () => {
    async function sendInSegments(bySystem: boolean): Promise<void> {
      const server = await bound(context);
      const client = await connected(context, server);
      expect(client.canSegment).toBe(has('UDP_SEGMENT'));
      const noSegments = 8;
      await swapped(
        'udpSend',
        (real) => (fd, records, payload, slotBytes, first, count, options) =>
          real(fd, records, payload, slotBytes, first, count, options | (bySystem ? 0 : noSegments)),
        async () => {
          const sent = await within(
            client.send(new Uint8Array(5000), undefined, { segmentBytes: 1200 }),
            'send',
          );
          expect(sent).toBe(5000);
          expect(await lengthsOf(server, 5000)).toEqual([1200, 1200, 1200, 1200, 200]);
          const batch = new DatagramBatch({ capacity: 3, slotBytes: 4000 });
          for (const length of [2400, 1000, 1201]) {
            batch.setSegmentBytes(batch.add(length), 1200);
          }
          expect(await within(client.sendMany(batch), 'sendMany')).toBe(3);
          expect(batch.calls).toBe(bySystem ? 1 : 5);
          expect(await lengthsOf(server, 4601)).toEqual([1200, 1200, 1000, 1200, 1]);
        },
      );
    }

    testIf(has('UDP_SEGMENT'), 'this system does not cut')(
      'one payload is several datagrams; by the system',
      () => sendInSegments(true),
    );
    test('one payload is several datagrams; by hand', () => sendInSegments(false));

    test('T45 a device that cannot: it is not asked again', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      await swapped(
        'udpSend',
        (real) => (fd, records, payload, slotBytes, first, count, options) => {
          const done = real(fd, records, payload, slotBytes, first, count, options | 8);
          // As native code says after EIO.
          new Uint32Array(records.buffer, 0, 8)[2] = 1;
          return done;
        },
        async () => {
          await client.send(new Uint8Array(3000), undefined, { segmentBytes: 1200 });
        },
      );
      expect(client.canSegment).toBe(false);
      let asked = -1;
      await swapped(
        'udpSend',
        (real) =>
          (...values) => {
            asked = values[6];
            return real(...values);
          },
        async () => {
          await client.send(new Uint8Array(3000), undefined, { segmentBytes: 1200 });
        },
      );
      expect(asked & 8).toBe(8);
      expect(await lengthsOf(server, 6000)).toEqual([1200, 1200, 600, 1200, 1200, 600]);
    });

    test('a system without UDP_SEGMENT is one that cuts by hand', async () => {
      const { setsockoptInt } = native;
      const server = await bound(context);
      native.setsockoptInt = (fd, level, name, value) =>
        name === 103 ? -92 : setsockoptInt(fd, level, name, value);
      try {
        const client = await connected(context, server);
        expect(client.canSegment).toBe(false);
        await client.send(new Uint8Array(2500), undefined, { segmentBytes: 1000 });
      } finally {
        native.setsockoptInt = setsockoptInt;
      }
      expect(await lengthsOf(server, 2500)).toEqual([1000, 1000, 500]);
    });

    async function sendAlike(coalesce: boolean): Promise<void> {
      // Who takes messages as they are sees how they were sent; who does not, no difference.
      const taking = await bound(context, { socketOptions: { udpGro: true } });
      const plain = await bound(context);
      const client = await bound(context, { coalesce });
      const whole = new DatagramBatch({ slotBytes: 65_536, capacity: 10 });
      for (const server of [taking, plain]) {
        const batch = new DatagramBatch();
        for (const length of [100, 100, 100, 30, 50]) batch.add(length, hostPortOf(server));
        expect(await within(client.sendMany(batch), 'sendMany')).toBe(5);
        expect(batch).toMatchObject({ calls: 1, failed: 0 });
      }
      const seen: number[][] = [];
      for (let bytes = 0; bytes < 380;) {
        await within(taking.recvMany(whole), 'recvMany');
        for (let i = 0; i < whole.count; i++) {
          bytes += whole.lengthBytes(i);
          seen.push([whole.lengthBytes(i), whole.segmentBytes(i)]);
        }
      }
      const joined = [
        [330, 100],
        [50, 0],
      ];
      const apart = [100, 100, 100, 30, 50].map((length) => [length, 0]);
      expect(seen).toEqual(coalesce ? joined : apart);
      expect(await lengthsOf(plain, 380)).toEqual([100, 100, 100, 30, 50]);
    }

    const testGro = testIf(has('UDP_GRO'), 'this system puts no datagrams together');
    for (const coalesce of [true, false]) {
      testGro(`alike datagrams in a row go as one message; coalesce: ${coalesce}`, () => sendAlike(coalesce));
    }

    testGro('GRO: what was sent together arrives together, with the length of its parts', async () => {
      const server = await bound(context, { socketOptions: { udpGro: true } });
      const client = await connected(context, server);
      await client.send(new Uint8Array(5000), undefined, { segmentBytes: 1200 });
      const got = await within(server.receive(new Uint8Array(65_536)), 'receive');
      expect(got).toMatchObject({ lengthBytes: 5000, segmentBytes: 1200, truncated: false });
      await client.send(bytesOf('alone'));
      const alone = await within(server.receive(new Uint8Array(65_536)), 'receive');
      expect(alone).toMatchObject({ lengthBytes: 5, segmentBytes: 0 });
    });
  });
}
