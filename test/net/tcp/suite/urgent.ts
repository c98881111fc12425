import { sys } from 'tripoll/raw';
import { testIf } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { invalidType, outOfRange } from '../../../support/errors.js';
import { rejection, turnOf, type Context } from '../../tools.js';
import { blockedStream } from '../../stream/tools.js';

const { MSG_OOB } = sys.constants;

export function describeUrgent(context: Context): void {
  const isTold = context.features.priority !== false;
  const testTold = testIf(isTold, 'this kqueue has no EVFILT_EXCEPT');

  describe('urgent data', () => {
    testTold('is received apart from the stream, before or after it was asked for', async () => {
      const { client, server } = await context.streamPair();
      const waiting = server.receiveUrgent();
      await client.writeAll(Buffer.from('ab'));
      await client.sendUrgent(33);
      await client.writeAll(Buffer.from('cd'));
      expect(await within(waiting, 'urgent')).toBe(33);
      const buffer = Buffer.alloc(8);
      let text = '';
      // A read stops at the mark (tcp(7)).
      while (text.length < 4) text += buffer.toString('latin1', 0, await within(server.read(buffer), 'read'));
      expect(text).toBe('abcd');

      await client.sendUrgent(34);
      await turnOf(context.reactor);
      expect(await within(server.receiveUrgent(), 'urgent')).toBe(34);
      const third = server.receiveUrgent();
      await client.sendUrgent(35);
      expect(await within(third, 'urgent')).toBe(35);
    });

    testTold('a stream that waits for it does not spin, and reads and writes go on', async () => {
      const { client, server } = await context.streamPair();
      const waiting = server.receiveUrgent();
      const buffer = new Uint8Array(65_536);
      const echo = (async () => {
        for (let total = 0; total < 1_000_000;) {
          const n = await server.read(buffer);
          total += n;
          await server.writeAll(buffer.subarray(0, n));
        }
      })();
      const sending = client.writeAll(new Uint8Array(1_000_000));
      for (let total = 0; total < 1_000_000;)
        total += await within(client.read(new Uint8Array(65_536)), 'read');
      await Promise.all([echo, sending]);
      const { turns } = context.reactor.inspect();
      await turnOf(context.reactor);
      expect(context.reactor.inspect().turns - turns).toBeLessThan(10);
      await client.sendUrgent(1);
      expect(await within(waiting, 'urgent')).toBe(1);
    });

    testTold('with urgentInline it stays in the stream', async () => {
      const { client, server } = await context.streamPair();
      server.setOption('urgentInline', true);
      const controller = new AbortController();
      const waiting = server.receiveUrgent({ signal: controller.signal });
      await client.writeAll(Buffer.from('a'));
      await client.sendUrgent(66);
      const buffer = Buffer.alloc(8);
      let text = '';
      while (text.length < 2) text += buffer.toString('latin1', 0, await within(server.read(buffer), 'read'));
      expect(text).toBe('aB');
      controller.abort();
      expect((await rejection(waiting))?.code).toBe('ABORT_ERR');
    });

    test('sent in the order of the other writes', async () => {
      const { stream, peer, filledBytes } = await blockedStream(context);
      const writes = Promise.all([
        stream.writeAll(Buffer.from('12345')),
        stream.sendUrgent(7),
        stream.writeAll(Buffer.from('67')),
      ]);
      const urgent = new Uint8Array(1);
      const ends = new Set<number>();
      let read = 0;
      await until(() => {
        // Before it is passed, or it is lost.
        sys.recv(peer.fd, urgent, 0, 1, MSG_OOB);
        const got = peer.receive(1 << 20);
        if (typeof got === 'number') throw new Error(`errno ${got}`);
        read += got?.length ?? 0;
        ends.add(read);
        return read === filledBytes + 7;
      }, 'all of it');
      await within(writes, 'writes');
      expect(urgent[0]).toBe(7);
      // A receive stops at its place.
      expect(ends.has(filledBytes + 5)).toBe(true);
    });

    test('T17 what a peer sends after an urgent byte that nobody wants is read all the same', async () => {
      const { stream, peer } = await context.acceptedStream();
      const { connection, told, peer: second } = await context.accepted();
      const reading = (async () => {
        const buffer = Buffer.alloc(16);
        let text = '';
        while (text.length < 4) text += buffer.toString('latin1', 0, await stream.read(buffer));
        return text;
      })();
      for (const { fd } of [peer, second]) {
        // One event for all of it.
        sys.send(fd, Buffer.from('ab'));
        sys.send(fd, Buffer.from('!'), 0, 1, MSG_OOB);
        sys.send(fd, Buffer.from('cd'));
      }
      expect(await within(reading, 'reads')).toBe('abcd');
      await until(() => told.received() === 4, 'data');
      expect(told.bytes().toString()).toBe('abcd');
      connection.close();
    });

    testTold('one waits at a time; timeout, close', async () => {
      const { server } = await context.streamPair();
      const waiting = server.receiveUrgent({ timeoutMs: 20 });
      expect((await rejection(server.receiveUrgent()))?.code).toBe('ERR_TRIPOLL_BUSY');
      expect((await rejection(waiting))?.code).toBe('ERR_TRIPOLL_TIMEOUT');
      const again = server.receiveUrgent();
      server.close();
      expect((await rejection(again))?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect((await rejection(server.receiveUrgent()))?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect(context.reactor.inspect().timers).toBe(0);
    });

    testIf(!isTold, 'this backend tells of urgent data')('to wait for it is refused at once', async () => {
      const { server } = await context.streamPair();
      expect((await rejection(server.receiveUrgent()))?.code).toBe('ERR_TRIPOLL_UNSUPPORTED');
    });

    test('wrong arguments', async () => {
      const { client } = await context.streamPair();
      expect(await rejection(client.sendUrgent(256))).toEqual(outOfRange);
      expect(await rejection(client.sendUrgent('x' as never))).toEqual(invalidType);
    });
  });
}
