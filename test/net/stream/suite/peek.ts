import { within } from '../../../support/deadline.js';
import { invalidType, outOfRange } from '../../../support/errors.js';
import { rejection, type Context } from '../../tools.js';

export function describePeek(context: Context): void {
  describe('peek', () => {
    test('shows what comes, and leaves it', async () => {
      const { client, server } = await context.streamPair();
      const buffer = Buffer.alloc(16);
      const peeking = server.peek(buffer);
      await client.writeAll(Buffer.from('hello'));
      expect(await within(peeking, 'peek')).toBe(5);
      expect(buffer.toString('latin1', 0, 5)).toBe('hello');
      // Again at once, and then for good.
      expect(await within(server.peek(buffer.subarray(0, 2)), 'peek')).toBe(2);
      expect(await within(server.read(buffer.fill(0)), 'read')).toBe(5);
      expect(buffer.toString('latin1', 0, 5)).toBe('hello');
      const waiting = server.peek(buffer);
      await client.writeAll(Buffer.from('!'));
      expect(await within(waiting, 'peek')).toBe(1);
      expect(await within(server.read(buffer), 'read')).toBe(1);
    });

    test('0 at the end, for it and for the read after it', async () => {
      const { client, server } = await context.streamPair();
      client.end();
      expect(await within(server.peek(new Uint8Array(4)), 'peek')).toBe(0);
      expect(await within(server.read(new Uint8Array(4)), 'read')).toBe(0);
    });

    test('one reader at a time; aborting it loses nothing', async () => {
      const { client, server } = await context.streamPair();
      const controller = new AbortController();
      const peeking = server.peek(new Uint8Array(4), { signal: controller.signal });
      expect((await rejection(server.read(new Uint8Array(4))))?.code).toBe('ERR_TRIPOLL_BUSY');
      controller.abort();
      expect((await rejection(peeking))?.code).toBe('ABORT_ERR');
      await client.writeAll(Buffer.from('abc'));
      expect(await within(server.read(new Uint8Array(4)), 'read')).toBe(3);
    });

    test('wrong arguments, and a closed stream', async () => {
      const { client, server } = await context.streamPair();
      expect(await rejection(server.peek('x' as never))).toEqual(invalidType);
      expect(await rejection(server.peek(new Uint8Array(0)))).toEqual(outOfRange);
      const waiting = server.peek(new Uint8Array(1));
      server.close();
      expect((await rejection(waiting))?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect((await rejection(server.peek(new Uint8Array(1))))?.code).toBe('ERR_TRIPOLL_CLOSED');
      client.close();
    });
  });
}
