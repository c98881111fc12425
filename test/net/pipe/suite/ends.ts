import path from 'node:path';
import { Interest, Mode, Poller } from 'tripoll';
import { connectPipe, PipeStream } from 'tripoll/net';
import { errnoOf } from '#lib/binding/errors';
import { native } from '#lib/binding/native';
import { runScript, expectCleanExit, packageRoot } from '../../../support/child.js';
import { until, within } from '../../../support/deadline.js';
import { closed, thrownBy } from '../../../support/errors.js';
import { countHandles } from '../../../support/fds.js';
import { type Context, digest, expectNoSpin, pattern, readToEnd, record, rejection } from '../../tools.js';
import { bindPipe, newName, pipePair } from '../tools.js';

const script = (body: string): string => `
  const { Reactor } = require(${JSON.stringify(packageRoot)});
  const { PipeListener, PipeStream } = require(${JSON.stringify(path.join(packageRoot, 'dist/net'))});
  const name = process.argv[1];
  ${body}`;

export function describeEnds(context: Context): void {
  describe('ends', () => {
    test('end() comes after all bytes, and ends both directions', async () => {
      const { client, server } = await pipePair(context);
      const sent = pattern(1_000_000);
      const writing = client.writeAll(sent);
      client.end();
      await expectNoSpin(context.reactor);
      expect(digest(await within(readToEnd(server), 'all of it'))).toBe(digest(sent));
      await within(writing, 'writeAll');
      const buffer = Buffer.alloc(8);
      expect(await within(client.read(buffer), 'our own end')).toBe(0);
      expect({ client: client.closed, readEnded: server.readEnded }).toEqual({
        client: true,
        readEnded: true,
      });
      expect(await rejection(server.writeAll(buffer))).toMatchObject({ code: 'EPIPE' });
    });

    test('what has come before end() is still read', async () => {
      const { client, server } = await pipePair(context);
      await server.writeAll(Buffer.from('late answer'));
      await within(client.readable(), 'the answer');
      client.end();
      expect((await within(readToEnd(client), 'the end')).toString()).toBe('late answer');
      expect((await within(readToEnd(server), 'the end')).toString()).toBe('');
    });

    test('handlers: bytes, end, close; ours ends with the peer’s', async () => {
      const { listener, path: at } = await bindPipe(context);
      const told = record();
      const connection = connectPipe({ path: at, reactor: context.reactor }, told.handlers as object);
      const { stream } = await within(listener.accept(), 'accept');
      context.own(stream);
      await stream.writeAll(Buffer.from('bye'));
      stream.end();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
      expect(thrownBy(() => connection.write(Buffer.from('x')))).toEqual(closed);
    });

    test('F23 a paused connection hears that its peer is gone, unless bytes wait before it', async () => {
      const { listener, path: at } = await bindPipe(context);
      for (const bytes of ['', 'unread']) {
        const told = record({ open: (connection) => void connection.pause() });
        const connection = connectPipe({ path: at, reactor: context.reactor }, told.handlers as object);
        const { stream } = await within(listener.accept(), 'accept');
        context.own(stream);
        await within(told.opened, 'open');
        await stream.writeAll(Buffer.from(bytes));
        stream.close();
        if (bytes !== '') {
          await expectNoSpin(context.reactor);
          expect(told.events).toEqual(['open']);
          connection.resume();
        }
        expect(await within(told.closed, 'close')).toBeNull();
        expect(told.bytes().toString()).toBe(bytes);
      }
    });

    test('T100 what was written is not lost by a close at once', async () => {
      const { client, server } = await pipePair(context);
      const sent = pattern(128 * 1024);
      await within(client.writeAll(sent), 'both buffers');
      client.close();
      expect(digest(await within(readToEnd(server), 'all of it'))).toBe(digest(sent));
    });

    test('T33 T100 closing with reads and writes under way leaves no handle behind', async () => {
      const round = async (): Promise<void> => {
        const pairs = await Promise.all(Array.from({ length: 5 }, () => pipePair(context)));
        const waiting = pairs.flatMap(({ client, server }) => [
          rejection(server.writeAll(pattern(300_000))),
          rejection(client.writeAll(pattern(300_000))),
        ]);
        const { client, server } = await pipePair(context);
        waiting.push(rejection(client.read(Buffer.alloc(10))), rejection(server.read(Buffer.alloc(10))));
        await expectNoSpin(context.reactor);
        for (const pair of [...pairs, { client, server }]) {
          pair.client.close();
          pair.server.close();
        }
        for (const end of await within(Promise.all(waiting), 'the rejections')) expect(end).toEqual(closed);
      };
      await round();
      await expectNoSpin(context.reactor);
      const before = countHandles();
      // 12 ends each. The runtime's own handles come and go.
      for (let i = 0; i < 5; i++) await round();
      await until(() => countHandles() < before + 12, 'handles closed');
    });

    test('T33 a reactor that closes with all under way, and a thread that is terminated', async () => {
      const at = newName();
      const result = await runScript(
        script(`
          const { Worker, isMainThread } = require('node:worker_threads');
          const work = async (done) => {
            const reactor = new Reactor();
            const listener = await PipeListener.bind(name, { reactor });
            const streams = [];
            for (let i = 0; i < 10; i++) {
              const [one, { stream }] = await Promise.all([PipeStream.connect(name, { reactor }), listener.accept()]);
              streams.push(one, stream);
              one.writeAll(Buffer.alloc(1e6)).catch(() => {});
              stream.read(Buffer.alloc(1)).then(() => stream.writeAll(Buffer.alloc(1e6))).catch(() => {});
            }
            listener.accept().catch(() => {});
            await done(reactor);
          };
          (async () => {
            for (let i = 0; i < 3; i++) await work((reactor) => reactor.close());
            const worker = new Worker(
              'const name = ' + JSON.stringify(name) + '; const { Reactor } = require(' +
              ${JSON.stringify(JSON.stringify(packageRoot))} + '); const { PipeListener, PipeStream } = require(' +
              ${JSON.stringify(JSON.stringify(path.join(packageRoot, 'dist/net')))} + '); (' + work +
              ')(() => require("node:worker_threads").parentPort.postMessage(1));', { eval: true });
            await new Promise((resolve) => worker.once('message', resolve));
            await worker.terminate();
            const again = await PipeListener.bind(name);
            again.close();
            console.log('free again');
          })();`),
        { args: [at] },
      );
      expectCleanExit(result);
      expect(result.stdout).toBe('free again\n');
    });

    test('a process that ends: its bytes, then the end; a server likewise', async () => {
      const { listener, path: at } = await bindPipe(context);
      const body = `PipeStream.connect(name).then(async (stream) => {
        await stream.writeAll(Buffer.from('last words'));
        process.exit(0);
      });`;
      const child = runScript(script(body), { args: [at] });
      const { stream } = await within(listener.accept(), 'accept');
      context.own(stream);
      expect((await within(readToEnd(stream), 'the end')).toString()).toBe('last words');
      expectCleanExit(await child);
      const served = newName();
      const server = runScript(
        script(`PipeListener.bind(name).then(async (listener) => {
          const { stream } = await listener.accept();
          await stream.read(Buffer.alloc(1));
          process.exit(0);
        });`),
        { args: [served] },
      );
      let client: PipeStream | null = null;
      await until(async () => {
        client = await PipeStream.connect(served, { reactor: context.reactor }).catch(() => null);
        return client !== null;
      }, 'the child listens');
      const connected = context.own(client as unknown as PipeStream);
      const ended = new Promise((resolve) => {
        connected.peerSignal.addEventListener('abort', resolve);
      });
      await connected.writeAll(Buffer.from('x'));
      await within(ended, 'the server’s end');
      expect(await within(connected.read(Buffer.alloc(4)), 'the end')).toBe(0);
      expectCleanExit(await server);
    });

    test('a client that came and went before it was accepted: its bytes are there', async () => {
      const { listener, path: at } = await bindPipe(context);
      const client = await PipeStream.connect(at, { reactor: context.reactor });
      await client.writeAll(Buffer.from('in passing'));
      client.close();
      const { stream } = await within(listener.accept(), 'accept');
      context.own(stream);
      expect((await within(readToEnd(stream), 'the end')).toString()).toBe('in passing');
    });

    test('a listener that closes: who waits is told, and who was not accepted hears the end', async () => {
      const { listener, path: at } = await bindPipe(context);
      const client = context.own(await PipeStream.connect(at, { reactor: context.reactor }));
      const other = context.own(await PipeStream.connect(at, { reactor: context.reactor }));
      const { stream } = await within(listener.accept(), 'accept');
      listener.close();
      expect(await rejection(listener.accept())).toEqual(closed);
      const ends = await within(
        Promise.race([client.read(Buffer.alloc(1)), other.read(Buffer.alloc(1))]),
        'the end of one',
      );
      expect(ends).toBe(0);
      for (const one of [client, other, stream]) one.close();
      expect(await rejection(PipeStream.connect(at, { reactor: context.reactor }))).toMatchObject({
        code: 'ENOENT',
      });
    });

    test('an idle connection ends by its time limit', async () => {
      const { listener, path: at } = await bindPipe(context);
      const client = await PipeStream.connect(at, { reactor: context.reactor, idleTimeoutMs: 50 });
      context.own((await within(listener.accept(), 'accept')).stream);
      expect(await rejection(within(client.read(Buffer.alloc(1)), 'the time limit'))).toMatchObject({
        code: 'ERR_TRIPOLL_TIMEOUT',
      });
    });

    test('T30 a pipe stays with its first poller; T02 one that is closed behind us is told once', async () => {
      const { client, server } = await pipePair(context);
      const poller = context.own(new Poller({ backend: 'iocp' }));
      expect(poller.add(client.fd, 1, 0, Interest.READABLE, Mode.LEVEL)).toBe(errnoOf('EINVAL'));
      const reading = rejection(server.read(Buffer.alloc(1)));
      native.close(server.fd);
      expect(await within(reading, 'the error')).toMatchObject({ code: 'EBADF' });
      await expectNoSpin(context.reactor);
    });
  });
}
