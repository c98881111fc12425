import { once } from 'node:events';
import net from 'node:net';
import { listenPipe, PipeStream } from 'tripoll/net';
import { until, within } from '../../../support/deadline.js';
import { type Context, digest, echoHandlers, pattern, record } from '../../tools.js';
import { newName } from '../tools.js';

const BIG = 1_000_000;

export function describeNode(context: Context): void {
  describe('with node:net', () => {
    test('Node’s client: an echo, and its end', async () => {
      const path = newName();
      const served = record(echoHandlers);
      context.own(listenPipe({ path, reactor: context.reactor }, served.handlers as object));
      const sent = pattern(BIG);
      const chunks: Buffer[] = [];
      let received = 0;
      const client = net.connect(path);
      const closed = once(client, 'close');
      client.on('data', (chunk) => {
        chunks.push(chunk);
        received += chunk.length;
      });
      client.write(sent);
      await until(() => received === BIG, 'the echo', 30_000);
      client.end();
      await within(closed, 'close');
      expect(await within(served.closed, 'close of ours')).toBeNull();
      expect(digest(Buffer.concat(chunks))).toBe(digest(sent));
      expect(served.events.slice(-2)).toEqual(['end', 'close']);
    });

    test('Node’s server: an echo, and our end', async () => {
      const path = newName();
      let ended = false;
      const server = net.createServer((socket) => {
        socket.on('data', (chunk) => socket.write(chunk));
        socket.on('end', () => (ended = true));
        socket.on('error', () => undefined);
      });
      await new Promise<void>((resolve) => {
        server.listen(path, resolve);
      });
      const client = context.own(await PipeStream.connect(path, { reactor: context.reactor }));
      const sent = pattern(BIG);
      const writing = client.writeAll(sent);
      const echo = Buffer.alloc(BIG);
      for (let at = 0; at < BIG;) {
        const received = await within(client.read(echo.subarray(at)), 'the echo', 30_000);
        expect(received).toBeGreaterThan(0);
        at += received;
      }
      await within(writing, 'writeAll');
      client.end();
      await until(() => ended, 'Node hears the end');
      expect(digest(echo)).toBe(digest(sent));
      server.close();
      await within(once(server, 'close'), 'the server closes');
    });
  });
}
