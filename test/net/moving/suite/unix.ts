// Unix sockets that go from one reactor to another.
import { attach, discardHandle, type UnixConnection } from 'tripoll/net';
import { testIf } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { closed } from '../../../support/errors.js';
import {
  hasSeqpacket,
  hasUnixSockets,
  NO_SEQPACKET,
  NO_UNIX_SOCKETS,
  testUnixMessages,
} from '../../../support/kernel.js';
import { deferred, pattern, rejection, type Context } from '../../tools.js';
import { closeAll, newPipe, unixPair } from '../../unix/tools.js';
import { detached, otherReactor, sent } from '../tools.js';

export function describeUnix(context: Context): void {
  if (!hasUnixSockets) {
    testIf(false, NO_UNIX_SOCKETS)('Unix sockets');
    return;
  }
  describe('a UnixStream', () => {
    test('bytes on their way, and a read that waits', async () => {
      const { client, server } = await unixPair(context);
      const reading = rejection(server.read(new Uint8Array(1)));
      const handle = await server.detach();
      expect([await reading, handle.kind]).toEqual([detached, 'unix']);
      await client.writeAll(Buffer.from('hello'));
      const again = context.own(attach(sent(handle), { reactor: otherReactor(context) }));
      expect(await within(again.read(new Uint8Array(8)), 'read')).toBe(5);
      await again.writeAll(Buffer.from('hi'));
      expect(await within(client.read(new Uint8Array(8)), 'read')).toBe(2);
      again.end();
      const last = await again.detach();
      expect([last.writeEnded, discardHandle(last)]).toEqual([true, true]);
      expect(await within(client.read(new Uint8Array(8)), 'the end')).toBe(0);
    });

    test('becomes a connection with handlers, and a stream again', async () => {
      const { client, server } = await unixPair(context);
      const opened = deferred<UnixConnection>();
      let received = '';
      context.own(
        attach(await server.detach(), {
          reactor: otherReactor(context),
          handlers: {
            open: opened.resolve,
            data: (_connection, chunk) => void (received += Buffer.from(chunk).toString()),
          },
        }),
      );
      await client.writeAll(Buffer.from('hello'));
      await until(() => received === 'hello', 'bytes');
      const connection = await within(opened.promise, 'open');
      const bytes = pattern(300_000);
      connection.write(bytes);
      const detaching = connection.detach();
      const buffer = new Uint8Array(65_536);
      for (let left = bytes.length; left > 0;) left -= await within(client.read(buffer), 'read');
      const again = context.own(attach(await within(detaching, 'detach'), { reactor: context.reactor }));
      again.close();
      expect(await rejection(again.detach())).toEqual(closed);
    });

    testUnixMessages(
      'fds that wait to be sent go out first, those that were received are closed',
      async () => {
        const { client, server } = await unixPair(context);
        const [readEnd, writeEnd] = newPipe();
        await client.send(Buffer.from('x'), [writeEnd]);
        await within(server.receive(new Uint8Array(1)), 'receive');
        const handle = await server.detach();
        closeAll(writeEnd);
        expect(discardHandle(handle)).toBe(true);
        closeAll(readEnd);
      },
    );

    testIf(hasSeqpacket, NO_SEQPACKET)('a seqpacket socket stays one of messages', async () => {
      const { client, server } = await unixPair(context, { type: 'seqpacket' });
      await client.write(Buffer.from('one'));
      await client.write(Buffer.from('second'));
      const handle = await server.detach();
      expect(handle.seqpacket).toBe(true);
      const again = context.own(attach(sent(handle), { reactor: otherReactor(context) }));
      expect(await within(again.read(new Uint8Array(16)), 'read')).toBe(3);
      const chunks: number[] = [];
      context.own(
        attach(await again.detach(), {
          reactor: context.reactor,
          handlers: { data: (_connection, chunk) => void chunks.push(chunk.length) },
        }),
      );
      await client.write(Buffer.from('third'));
      await until(() => chunks.length === 2, 'messages');
      expect(chunks).toEqual([6, 5]);
    });
  });
}
