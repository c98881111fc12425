import { DatagramBatch, type UdpEndpoint } from 'tripoll/net';
import { expectNoSpin, rejection, type Context } from '../../tools.js';
import { until, within } from '../../../support/deadline.js';
import { native } from '#lib/binding/native';
import { RETRY_MS } from '#lib/net/socket/send-retry';
import { bound, bytesOf, connected, endpoint, fullFor, hostPortOf, swapped, textOf } from '../tools.js';

const FOR_EVER = Infinity;
const { EAGAIN, ENOBUFS } = native.errnos;

/** A socket whose buffer is full: loopback's never is, so the call is swapped. */
export function describeFull(context: Context): void {
  describe('a full socket', () => {
    test('send waits until it is writable, and keeps the order', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      await swapped('udpSend', fullFor(5), async () => {
        const sends = ['a', 'b', 'c'].map((text) => client.send(bytesOf(text)));
        const batch = new DatagramBatch();
        batch.push(bytesOf('d'));
        expect(await within(Promise.all(sends), 'sends')).toEqual([1, 1, 1]);
        expect(await within(client.sendMany(batch), 'sendMany')).toBe(1);
      });
      const got = new DatagramBatch();
      let texts = '';
      while (texts.length < 4) {
        await within(server.recvMany(got), 'recvMany');
        for (let i = 0; i < got.count; i++) texts += textOf(got.payload(i));
      }
      expect(texts).toBe('abcd');
    });

    test('sendMany goes on where it stopped', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const batch = new DatagramBatch();
      for (let i = 0; i < 9; i++) batch.push(bytesOf(String(i)));
      const calls: [number, number][] = [];
      await swapped(
        'udpSend',
        (real) => (fd, records, payload, slotBytes, first, count, options) => {
          calls.push([first, count]);
          // Three of them, then full.
          if (calls.length % 2 === 0) return -EAGAIN;
          return real(fd, records, payload, slotBytes, first, Math.min(3, count), options);
        },
        async () => {
          expect(await within(client.sendMany(batch), 'sendMany')).toBe(9);
        },
      );
      expect(calls.map(([first]) => first)).toEqual([0, 3, 3, 6, 6]);
    });

    test('an aborted send was not sent, and those behind it go', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const aborter = new AbortController();
      let full = true;
      await swapped(
        'udpSend',
        (real) =>
          (...values) =>
            full ? -EAGAIN : real(...values),
        async () => {
          const first = client.send(bytesOf('first'), undefined, { signal: aborter.signal });
          const second = client.send(bytesOf('2nd'));
          aborter.abort();
          expect(await rejection(first)).toEqual({ name: 'AbortError', code: 'ABORT_ERR' });
          full = false;
          expect(await within(second, 'second')).toBe(3);
        },
      );
      expect((await within(server.receive(new Uint8Array(9)), 'receive')).lengthBytes).toBe(3);
    });

    test('T62 ENOBUFS is no failure: sends wait, in order, without a spin', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      let [calls, isFull] = [0, true];
      await swapped(
        'udpSend',
        (real) =>
          (...values) => {
            calls++;
            return isFull ? -ENOBUFS : real(...values);
          },
        async () => {
          const sends = ['a', 'b'].map((text) => client.send(bytesOf(text)));
          const batch = new DatagramBatch();
          batch.push(bytesOf('c'));
          sends.push(client.sendMany(batch));
          // The socket is writable all the time.
          await expectNoSpin(context.reactor);
          expect(calls).toBeLessThan(20);
          isFull = false;
          expect(await within(Promise.all(sends), 'sends')).toEqual([1, 1, 1]);
        },
      );
      const buffer = new Uint8Array(9);
      for (const wanted of ['a', 'b', 'c']) {
        const { lengthBytes } = await within(server.receive(buffer), 'receive');
        expect(textOf(buffer.subarray(0, lengthBytes))).toBe(wanted);
      }
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('T62 handlers: ENOBUFS is false, drain comes a little later, and a close ends the wait', async () => {
      const server = await bound(context);
      let [drains, isFull] = [0, true];
      const drain = (self: UdpEndpoint): void => {
        drains++;
        self.send(bytesOf('later'));
      };
      const client = endpoint(context, { drain }, { peer: hostPortOf(server) });
      const closed = endpoint(context, {}, { peer: hostPortOf(server) });
      await swapped(
        'udpSend',
        (real) =>
          (...values) =>
            isFull ? -ENOBUFS : real(...values),
        async () => {
          const batch = new DatagramBatch();
          batch.push(bytesOf('x'));
          expect([closed.sendMany(batch), closed.send(bytesOf('y'))]).toEqual([false, false]);
          closed.close();
          const startMs = performance.now();
          expect(client.send(bytesOf('now'))).toBe(false);
          expect(context.reactor.inspect().timers).toBe(1);
          await expectNoSpin(context.reactor);
          expect(drains).toBeLessThanOrEqual((performance.now() - startMs) / RETRY_MS);
          isFull = false;
          const buffer = new Uint8Array(9);
          const { lengthBytes } = await within(server.receive(buffer), 'receive');
          expect(textOf(buffer.subarray(0, lengthBytes))).toBe('later');
        },
      );
    });

    test('as many wait as may, and a close rejects them all', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      await swapped('udpSend', fullFor(FOR_EVER), async () => {
        const waiting = Array.from({ length: 1024 }, () => rejection(client.send(bytesOf('x'))));
        expect(await rejection(client.send(bytesOf('y')))).toEqual({
          name: 'Error',
          code: 'ERR_TRIPOLL_BUSY',
        });
        client.close();
        const codes = new Set((await within(Promise.all(waiting), 'all')).map((failure) => failure?.code));
        expect([...codes]).toEqual(['ERR_TRIPOLL_CLOSED']);
      });
    });

    test('handlers: false, nothing is queued, and drain says when', async () => {
      const server = await bound(context);
      let drains = 0;
      const client = endpoint(
        context,
        {
          drain: (self) => {
            drains++;
            self.send(bytesOf('later'));
          },
        },
        { peer: hostPortOf(server) },
      );
      await swapped('udpSend', fullFor(1), async () => {
        expect(client.send(bytesOf('now'))).toBe(false);
        await until(() => drains === 1, 'drain');
      });
      const buffer = new Uint8Array(9);
      const { lengthBytes: bytes } = await within(server.receive(buffer), 'receive');
      expect(textOf(buffer.subarray(0, bytes))).toBe('later');
      // Told once, not for as long as it is writable: a turn or two have passed.
      expect(drains).toBe(1);
    });

    test('handlers: sendMany says how far it came', async () => {
      const server = await bound(context);
      const batch = new DatagramBatch();
      for (let i = 0; i < 4; i++) batch.push(bytesOf(String(i)));
      let done = false;
      const client = endpoint(
        context,
        { drain: (self) => void (done = self.sendMany(batch)) },
        { peer: hostPortOf(server) },
      );
      let calls = 0;
      await swapped(
        'udpSend',
        (real) => (fd, records, payload, slotBytes, first, count, options) => {
          if (++calls === 2) return -EAGAIN;
          return real(fd, records, payload, slotBytes, first, calls === 1 ? 1 : count, options);
        },
        async () => {
          expect(client.sendMany(batch)).toBe(false);
          expect(batch.settled).toBe(1);
          await until(() => done, 'the rest');
        },
      );
      expect(batch).toMatchObject({ settled: 4, failed: 0 });
    });
  });
}
