import fs from 'node:fs';
import path from 'node:path';
import { capabilities } from 'tripoll';
import { describeIf, testIf } from '../../../support/applies.js';
import { within } from '../../../support/deadline.js';
import { invalidType, outOfRange } from '../../../support/errors.js';
import { temporaryFolder } from '../../../support/folders.js';
import { digest, pattern, readToEnd, rejection, rejectionError, turnOf, type Context } from '../../tools.js';

const content = pattern(5_000_000, 3);

export function describeSendfile(context: Context): void {
  testIf(!capabilities.sendfile, 'the system has sendfile(2)')(
    'sendfile is refused where there is none',
    async () => {
      const { client } = await context.streamPair();
      expect((await rejection(client.sendfile(0)))?.code).toBe('ERR_TRIPOLL_UNSUPPORTED');
    },
  );

  describeIf(capabilities.sendfile, 'the system has no sendfile(2)')('sendfile', () => {
    const name = path.join(temporaryFolder(), 'content');
    let file: number;

    beforeAll(() => fs.writeFileSync(name, content));
    beforeEach(() => {
      file = fs.openSync(name, 'r');
      context.own({ close: () => fs.closeSync(file) });
    });

    test('all of a file, in order with other writes, through a socket that is full most of the time', async () => {
      const { client, server } = await context.streamPair();
      const writes = Promise.all([
        client.writeAll(Buffer.from('before')),
        client.sendfile(file),
        client.writeAll(Buffer.from('after')),
      ]);
      // The end comes behind them.
      client.end();
      const received = await readToEnd(server);
      expect(await within(writes, 'writes')).toEqual([6, content.length, 5]);
      expect(digest(received)).toBe(
        digest(Buffer.concat([Buffer.from('before'), content, Buffer.from('after')])),
      );
    });

    test('a part of it', async () => {
      const { client, server } = await context.streamPair();
      expect(await client.sendfile(file, { offsetBytes: 1000, lengthBytes: 300 })).toBe(300);
      expect(await client.sendfile(file, { offsetBytes: 10, lengthBytes: 0 })).toBe(0);
      // The file ends before.
      expect(await client.sendfile(file, { offsetBytes: content.length - 7, lengthBytes: 100 })).toBe(7);
      expect(await client.sendfile(file, { offsetBytes: content.length + 7 })).toBe(0);
      client.end();
      const expected = Buffer.concat([content.subarray(1000, 1300), content.subarray(-7)]);
      expect(digest(await readToEnd(server))).toBe(digest(expected));
    });

    test('what is no file of this kind: the stream stays as it was', async () => {
      const { client, server } = await context.streamPair();
      const closedFile = fs.openSync(name, 'r');
      fs.closeSync(closedFile);
      const error = await rejectionError(client.sendfile(closedFile));
      expect(error).toMatchObject({ code: 'EBADF', syscall: 'sendfile' });
      // A socket cannot be mapped.
      expect((await rejection(client.sendfile(server.fd)))?.code).toMatch(/EINVAL|ESPIPE/);
      expect(client.closed).toBe(false);
      await client.writeAll(Buffer.from('still here'));
      client.end();
      expect((await readToEnd(server)).toString()).toBe('still here');
    });

    test('aborted before it could begin: taken out of the queue; half-way: the stream is destroyed', async () => {
      const { client } = await context.streamPair();
      const big = client.writeAll(new Uint8Array(20_000_000));
      big.catch(() => {});
      const controller = new AbortController();
      const { signal } = controller;
      const waiting = client.sendfile(file, { signal });
      controller.abort();
      expect(await rejectionError(waiting)).toMatchObject({ code: 'ABORT_ERR', bytesWritten: 0 });
      expect(client.closed).toBe(false);
      client.close();

      const second = await context.streamPair();
      const half = rejectionError(second.client.sendfile(file, { timeoutMs: 30 }));
      await turnOf(context.reactor);
      const error = (await half) as NodeJS.ErrnoException & { bytesWritten?: number };
      expect(error.code).toBe('ERR_TRIPOLL_TIMEOUT');
      expect(error.bytesWritten).toBeGreaterThan(0);
      expect(second.client.closed).toBe(true);
    });

    test('wrong arguments, after end, after close', async () => {
      const { client } = await context.streamPair();
      expect(await rejection(client.sendfile('3' as never))).toEqual(invalidType);
      expect(await rejection(client.sendfile(file, { offsetBytes: -1 }))).toEqual(outOfRange);
      expect(await rejection(client.sendfile(file, { lengthBytes: 1.5 }))).toEqual(outOfRange);
      expect(await rejection(client.sendfile(file, 5 as never))).toEqual(invalidType);
      client.end();
      expect((await rejection(client.sendfile(file)))?.code).toBe('ERR_TRIPOLL_STATE');
      client.close();
      expect((await rejection(client.sendfile(file)))?.code).toBe('ERR_TRIPOLL_CLOSED');
    });

    test('T43 the peer has gone: EPIPE or ECONNRESET, and no signal', async () => {
      const { client, server } = await context.streamPair();
      await client.writeAll(Buffer.from('unread'));
      server.reset();
      expect((await rejection(client.sendfile(file)))?.code).toMatch(/EPIPE|ECONNRESET/);
      expect(client.closed).toBe(true);
    });
  });
}
