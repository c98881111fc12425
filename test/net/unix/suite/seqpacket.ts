import { connectUnix, copyBidirectional, listenUnix, UnixStream, type UnixConnection } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { describeIf, testIf } from '../../../support/applies.js';
import { systemBackend } from '../../../support/backends.js';
import { within } from '../../../support/deadline.js';
import { thrownBy } from '../../../support/errors.js';
import { openedSince, openFds } from '../../../support/fds.js';
import { hasSeqpacket, NO_SEQPACKET } from '../../../support/kernel.js';
import { record, rejection, rejectionError, turnOf, type Context } from '../../tools.js';
import { bindUnix, closeAll, newPath, newPipe, unixPair } from '../tools.js';

const { SOL_SOCKET, SO_SNDBUF } = sys.constants;
const type = 'seqpacket' as const;

export function describeSeqpacket(context: Context): void {
  describeIf(hasSeqpacket, NO_SEQPACKET)('seqpacket', () => {
    test('each write is one read, also those that had to wait', async () => {
      const { client, server } = await unixPair(context, { type });
      const count = 2000;
      const writes: Promise<number>[] = [];
      for (let i = 0; i < count; i++) writes.push(client.writeAll(Buffer.from(`message ${i}`)));
      expect(client.queuedBytes).toBeGreaterThan(0); // else nothing had to wait
      const buffer = new Uint8Array(100);
      for (let i = 0; i < count; i++) {
        const length = await within(server.read(buffer), `message ${i}`);
        expect(Buffer.from(buffer.subarray(0, length)).toString()).toBe(`message ${i}`);
      }
      await within(Promise.all(writes), 'writes');
      client.end();
      expect(await within(server.read(buffer), 'the end')).toBe(0);
    });

    test('handlers: a chunk a message, many in one turn', async () => {
      const path = newPath();
      const chunks: string[] = [];
      const told = record({ data: (_, chunk) => void chunks.push(Buffer.from(chunk).toString()) });
      context.own(listenUnix({ path, type, reactor: context.reactor }, told.handlers as object));
      const client = connectUnix({ path, type, reactor: context.reactor }, {});
      context.own(client);
      const sent = Array.from({ length: 1000 }, (_, i) => `m${i}`);
      for (const text of sent) client.write(Buffer.from(text));
      client.end();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(chunks).toEqual(sent);
    });

    test('a message that is longer than the buffer is reported, and the next one is whole', async () => {
      const { client, server } = await unixPair(context, { type });
      for (const text of ['much too long', 'too long, too', 'short']) await client.write(Buffer.from(text));
      const buffer = new Uint8Array(8);
      const first = await within(server.receive(buffer), 'the first');
      expect(first).toMatchObject({ lengthBytes: 8, truncated: true });
      expect(await rejection(server.read(buffer))).toMatchObject({ code: 'EMSGSIZE' });
      const third = await within(server.receive(buffer), 'the third');
      expect(third).toMatchObject({ lengthBytes: 5, truncated: false });
    });

    test('a copy of connections with handlers keeps messages apart; one that its buffer cannot hold ends it', async () => {
      const { reactor } = context;
      /** A stream outside, and the connection inside that talks to it. */
      const side = async () => {
        const { listener, path } = await bindUnix(context, { type });
        const inside = context.own(connectUnix({ path, type, reactor }, {}));
        return { inside, outside: context.own((await within(listener.accept(), 'accept')).stream) };
      };
      const [a, b] = [await side(), await side()];
      const copying = copyBidirectional(a.inside, b.inside, { bufferBytes: 8 });
      copying.catch(() => {});
      for (const text of ['one', 'two', '12345678', '123456789']) await a.outside.write(Buffer.from(text));
      const buffer = new Uint8Array(20);
      for (const length of [3, 3, 8]) expect(await within(b.outside.read(buffer), 'read')).toBe(length);
      expect(await rejection(copying)).toMatchObject({ code: 'EMSGSIZE' });
    });

    test('T46 one that does not fit the arena and has fds: they are closed', async () => {
      const path = newPath();
      const told = record();
      const handlers = { ...told.handlers, fds: () => undefined } as object;
      context.own(listenUnix({ path, type, reactor: context.reactor }, handlers));
      const client = context.own(await UnixStream.connect(path, { type, reactor: context.reactor }));
      const [readEnd, writeEnd] = newPipe();
      const before = openFds();
      await client.send(new Uint8Array(65_537), [writeEnd, writeEnd]);
      expect(await within(told.closed, 'close')).toMatchObject({ code: 'EMSGSIZE' });
      expect(openedSince(before).filter((line) => line.includes('pipe'))).toEqual([]);
      closeAll(readEnd, writeEnd);
    });

    test('a message that does not fit the arena ends a connection with handlers', async () => {
      const path = newPath();
      const told = record();
      context.own(listenUnix({ path, type, reactor: context.reactor }, told.handlers as object));
      const client = context.own(await UnixStream.connect(path, { type, reactor: context.reactor }));
      await client.write(new Uint8Array(65_537));
      expect(await within(told.closed, 'close')).toMatchObject({ code: 'EMSGSIZE' });
      expect(told.received()).toBe(0);
    });

    test('too long a message is refused, and the stream is as good as before', async () => {
      const { client, server } = await unixPair(context, { type });
      const { fd } = client as unknown as { fd: number };
      sys.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, 4096);
      expect(await rejection(client.write(new Uint8Array(100_000)))).toMatchObject({ code: 'EMSGSIZE' });
      expect(await rejection(client.write(new Uint8Array(0)))).toMatchObject({ name: 'RangeError' });
      await client.write(Buffer.from('fits'));
      expect(await within(server.read(new Uint8Array(10)), 'read')).toBe(4);
    });

    const fill = Buffer.alloc(1000, 'f');
    const tooLong = new Uint8Array(100_000);

    async function readAll(server: UnixStream, last: string): Promise<string[]> {
      const buffer = new Uint8Array(2000);
      for (const texts: string[] = []; ;) {
        const length = await within(server.read(buffer), 'read');
        const text = Buffer.from(buffer.subarray(0, length)).toString();
        if (text !== fill.toString()) texts.push(text);
        if (text === last || length === 0) return texts;
      }
    }

    test.each([
      ['alone', 0],
      ['behind writes that wait', 50],
    ])('F7 T74 promises: too long a message, %s, rejects its own promise alone', async (_, fillers) => {
      const { client, server } = await unixPair(context, { type });
      sys.setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, 4096);
      const [readEnd, writeEnd] = newPipe();
      const before = openFds();
      const filled = Array.from({ length: fillers }, () => client.write(fill));
      const { queuedBytes } = client;
      expect(queuedBytes > 0).toBe(fillers > 0);
      const writes = [
        client.write(Buffer.from('before')),
        client.write(tooLong),
        client.send(tooLong, [writeEnd]),
        client.writeAll(Buffer.from('after')),
        client.write(tooLong),
        client.writeAll(Buffer.from('last')),
      ].map((promise) => promise.catch((error: unknown) => (error as NodeJS.ErrnoException).code));
      expect(await readAll(server, 'last')).toEqual(['before', 'after', 'last']);
      expect(await Promise.all(writes)).toEqual([6, 'EMSGSIZE', 'EMSGSIZE', 5, 'EMSGSIZE', 4]);
      expect((await Promise.all(filled)).every((length) => length === fill.length)).toBe(true);
      expect([client.closed, client.queuedBytes]).toEqual([false, 0]);
      expect(openedSince(before)).toEqual([]);
      closeAll(readEnd, writeEnd);
    });

    test.each([
      ['alone', 0, false],
      ['behind writes that wait', 50, false],
      ['corked', 0, true],
    ])(
      'F7 T74 handlers: write and send of too long a message throw, %s, and the connection lives',
      async (_, fillers, isCorked) => {
        const { listener, path } = await bindUnix(context, { type });
        const told = record();
        const opened = new Promise<UnixConnection>((resolve) => {
          const handlers = { ...told.handlers, open: resolve } as object;
          context.own(connectUnix({ path, type, reactor: context.reactor }, handlers));
        });
        const server = context.own((await within(listener.accept(), 'accept')).stream);
        const client = await within(opened, 'open');
        sys.setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, 4096);
        const [readEnd, writeEnd] = newPipe();
        const before = openFds();
        if (isCorked) client.cork();
        for (let i = 0; i < fillers; i++) client.write(fill);
        expect(client.queuedBytes > 0).toBe(fillers > 0);
        const refused = { name: 'Error', code: 'EMSGSIZE', syscall: 'write', errno: -sys.errno.EMSGSIZE };
        client.write(Buffer.from('before'));
        expect(thrownBy(() => client.write(tooLong))).toEqual(refused);
        expect(thrownBy(() => client.send(tooLong, [writeEnd]))).toEqual(refused);
        client.write(Buffer.from('after'));
        expect(thrownBy(() => client.write(tooLong))).toEqual(refused);
        client.write(Buffer.from('last'));
        if (isCorked) client.uncork();
        expect(await readAll(server, 'last')).toEqual(['before', 'after', 'last']);
        expect([client.closed, client.queuedBytes, told.events]).toEqual([false, 0, []]);
        expect(openedSince(before)).toEqual([]);
        closeAll(readEnd, writeEnd);
      },
    );

    // The imitation of kqueue has Linux's sockets, which keep 32 bytes of the buffer, and the
    // constants of a BSD.
    const testLimit = testIf(systemBackend === 'epoll', 'the limit is taken from Linux’s unix_dgram_sendmsg');
    testLimit(
      'F7 T74 the longest message: what waits is judged as the system judges what does not',
      async () => {
        const { listener, path } = await bindUnix(context, { type });
        const client = context.own(connectUnix({ path, type, reactor: context.reactor }, {}));
        const server = context.own((await within(listener.accept(), 'accept')).stream);
        sys.setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, 8192);
        const takes = (length: number): boolean => {
          try {
            client.write(new Uint8Array(length));
            return true;
          } catch {
            return false;
          }
        };
        const longest = (): number => {
          let [fits, fails] = [1, 100_000];
          while (fails - fits > 1) {
            const middle = (fits + fails) >> 1;
            if (takes(middle)) fits = middle;
            else fails = middle;
            sys.recv(server.fd, new Uint8Array(1));
          }
          return fits;
        };
        await turnOf(context.reactor);
        const direct = longest();
        expect(direct).toBeLessThan(2 * 8192);
        client.cork();
        expect(longest()).toBe(direct);
        client.close();
      },
    );

    test('another type at the other end is EPROTOTYPE', async () => {
      const { path } = await bindUnix(context, { type });
      expect(await rejectionError(UnixStream.connect(path, { reactor: context.reactor }))).toMatchObject({
        code: 'EPROTOTYPE',
        address: path,
      });
    });
  });
}
