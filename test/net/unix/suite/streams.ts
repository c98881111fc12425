import { closeSync, openSync, writeFileSync } from 'node:fs';
import { capabilities, type CancelOptions } from 'tripoll';
import { connectUnix, copyBidirectional, listenUnix, UnixStream, type UnixConnection } from 'tripoll/net';
import { native } from '#lib/binding/native';
import { testIf } from '../../../support/applies.js';
import { testUnixMessages } from '../../../support/kernel.js';
import { isWindows } from '../../../support/platform.js';
import { until, within } from '../../../support/deadline.js';
import { closed, thrownBy } from '../../../support/errors.js';
import {
  type Context,
  digest,
  echoHandlers,
  failureOf,
  pattern,
  readToEnd,
  record,
  type Recording,
  rejection,
} from '../../tools.js';
import { bindUnix, isSocketFile, newPath, unixPair } from '../tools.js';

const BIG = 4 * 1024 * 1024;

const testFullBacklog = testIf(!isWindows, 'Windows does not say that a backlog is full: it refuses');

export function describeStreams(context: Context): void {
  describe('streams', () => {
    test('4 MB both ways, promises', async () => {
      const { client, server } = await unixPair(context);
      const sent = pattern(BIG);
      const echo = (async () => {
        const buffer = new Uint8Array(65_536);
        for (let n = await server.read(buffer); n > 0; n = await server.read(buffer)) {
          await server.writeAll(buffer.subarray(0, n));
        }
        server.end();
      })();
      const reading = readToEnd(client);
      await within(client.writeAll(sent), 'writeAll');
      client.end();
      expect(digest(await within(reading, 'the echo'))).toBe(digest(sent));
      await within(echo, 'the server');
    });

    test('handlers: peek before data; the listener shuts down, and its name is gone at once', async () => {
      const path = newPath();
      const buffer = Buffer.alloc(8);
      const peeked: number[] = [];
      const told = record();
      const open = (connection: UnixConnection) =>
        connection.peek(buffer).then((length) => void peeked.push(length, told.received()));
      const handlers = { ...(told.handlers as object), open };
      const listener = context.own(listenUnix({ path, reactor: context.reactor }, handlers));
      const client = context.own(await UnixStream.connect(path, { reactor: context.reactor }));
      await client.writeAll(Buffer.from('hello'));
      await until(() => told.received() === 5, 'data');
      expect(peeked).toEqual([5, 0]);
      const shutting = listener.shutdown({ timeoutMs: 50 });
      expect(isSocketFile(path)).toBe(false);
      expect(await within(shutting, 'shutdown')).toEqual({ finished: 0, closed: 1 });
      expect(await within(client.read(buffer), 'the end')).toBe(0);
    });

    testIf(
      capabilities.sendfile && capabilities.platform === 'linux',
      'sendfile(2) takes no Unix sockets here',
    )('handlers: a file, in order with other writes', async () => {
      const { listener, path } = await bindUnix(context);
      const connection = connectUnix({ path, reactor: context.reactor }, {});
      const { stream } = await within(listener.accept(), 'accept');
      context.own(stream);
      const name = newPath();
      const content = pattern(1_000_000);
      writeFileSync(name, content);
      const file = openSync(name, 'r');
      const reading = readToEnd(stream);
      connection.write(Buffer.from('<'));
      const sending = connection.sendfile(file);
      connection.end(Buffer.from('>'));
      expect(await within(sending, 'sendfile')).toBe(content.length);
      closeSync(file);
      const expected = Buffer.concat([Buffer.from('<'), content, Buffer.from('>')]);
      expect(digest(await within(reading, 'the end'))).toBe(digest(expected));
      connection.close();
    });

    test('4 MB both ways, handlers', async () => {
      const path = newPath();
      const served = record(echoHandlers);
      const listener = context.own(listenUnix({ path, reactor: context.reactor }, served.handlers as object));
      const sent = pattern(BIG);
      let at = 0;
      const pump = (connection: { write(chunk: Uint8Array): boolean; end(): void }): void => {
        while (at < sent.length) {
          const piece = sent.subarray(at, at + 50_000);
          at += piece.length;
          if (!connection.write(piece)) return;
        }
        connection.end();
      };
      const told = record({ open: pump, drain: pump });
      context.own(connectUnix({ path, reactor: context.reactor }, told.handlers as object));
      expect(await within(told.closed, 'close')).toBeNull();
      expect(await within(served.closed, 'close of the server')).toBeNull();
      expect(digest(told.bytes())).toBe(digest(sent));
      expect(told.events.filter((event) => event !== 'drain' && event !== 'data')).toEqual([
        'open',
        'end',
        'close',
      ]);
      listener.close();
    });

    test('open comes before the first data, and the listener is known', async () => {
      const path = newPath();
      const listener = context.own(
        listenUnix(
          { path, reactor: context.reactor },
          {
            open(connection) {
              expect(connection.listener).toBe(listener);
              connection.end(Buffer.from('at once'));
            },
          },
        ),
      );
      const told = record({
        open(opened) {
          expect(opened.listener).toBeNull();
          expect(opened.remoteAddress).toBe(path);
        },
      });
      connectUnix({ path, reactor: context.reactor }, told.handlers as object);
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
      expect(told.bytes().toString()).toBe('at once');
    });

    test('T104 a failed connect: error and close without open; a rejection', async () => {
      const path = newPath();
      const told = record();
      connectUnix({ path, reactor: context.reactor }, told.handlers as object);
      expect(await within(told.closed, 'close')).toMatchObject({ code: 'ENOENT', syscall: 'connect' });
      expect(told.events).toEqual(['error', 'close']);
      expect(await rejection(UnixStream.connect(path, { reactor: context.reactor }))).toMatchObject({
        code: 'ENOENT',
      });
    });

    test('T102 addresses of both ends', async () => {
      const { listener, path } = await bindUnix(context);
      const [client, { stream: server, address }] = await within(
        Promise.all([UnixStream.connect(path, { reactor: context.reactor }), listener.accept()]),
        'connect',
      );
      context.own(client);
      context.own(server);
      expect(listener.localAddress).toBe(path);
      expect(client.remoteAddress).toBe(path);
      expect(client.localAddress).toBe('');
      expect(server.localAddress).toBe(path);
      expect(address).toBe('');
      client.close();
      expect(client.localAddress).toBeUndefined();
    });

    const hasCredentials = native.peerCredentials !== undefined;

    testIf(hasCredentials, 'the addon has no SO_PEERCRED here')('credentials of both ends', async () => {
      const { client, server } = await unixPair(context);
      const own = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
      expect(client.peerCredentials).toEqual(own);
      expect(server.peerCredentials).toEqual(own);
      client.close();
      expect(thrownBy(() => client.peerCredentials).code).toBe('ERR_TRIPOLL_CLOSED');
    });

    testIf(!hasCredentials, 'the addon has SO_PEERCRED')('credentials are refused', async () => {
      const { client } = await unixPair(context);
      expect(thrownBy(() => client.peerCredentials).code).toBe('ERR_TRIPOLL_UNSUPPORTED');
    });

    testUnixMessages('a pair, split and copied, ends on both sides', async () => {
      const [a, b] = UnixStream.pair({ reactor: context.reactor });
      const [c, d] = UnixStream.pair({ reactor: context.reactor });
      const copying = copyBidirectional(b, c);
      await a.writeAll(Buffer.from('over two pairs'));
      a.end();
      expect((await within(readToEnd(d), 'the copy')).toString()).toBe('over two pairs');
      d.close();
      expect(await within(copying, 'the end')).toEqual({ bytesFromA: 14, bytesFromB: 0 });
      a.close();
    });

    testFullBacklog(
      'F35 a full backlog: EAGAIN at once, or ERR_TRIPOLL_TIMEOUT after timeoutMs',
      async () => {
        const { listener, path } = await bindUnix(context, { backlog: 0 });
        const connect = (timeoutMs: number): Promise<UnixStream> =>
          UnixStream.connect(path, { reactor: context.reactor, timeoutMs });
        const full = { code: 'EAGAIN', syscall: 'connect', address: path };
        expect(await fillBacklog(context, path)).toMatchObject(full);
        expect(await rejection(connect(25))).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
        const patient = connect(10_000);
        const { stream } = await within(listener.accept(), 'accept');
        context.own(stream);
        context.own(await within(patient, 'the retry'));
      },
    );

    testFullBacklog(
      'F35 handlers at a full backlog: EAGAIN, ERR_TRIPOLL_TIMEOUT, open once there is room; F33 told of the reactor’s end',
      async () => {
        const { listener, path } = await bindUnix(context, { backlog: 0 });
        await fillBacklog(context, path);
        const start = (options: CancelOptions): Recording => {
          const told = record();
          context.own(connectUnix({ path, reactor: context.reactor, ...options }, told.handlers as object));
          return told;
        };
        const full = { code: 'EAGAIN', syscall: 'connect', address: path };
        expect(await within(start({}).closed, 'close')).toMatchObject(full);
        const late = { code: 'ERR_TRIPOLL_TIMEOUT' };
        expect(await within(start({ timeoutMs: 25 }).closed, 'close')).toMatchObject(late);
        const controller = new AbortController();
        const aborted = start({ timeoutMs: 10_000, signal: controller.signal });
        controller.abort();
        expect(await within(aborted.closed, 'close')).toMatchObject({ code: 'ABORT_ERR' });
        const patient = start({ timeoutMs: 10_000 });
        context.own((await within(listener.accept(), 'accept')).stream);
        await within(patient.opened, 'open');

        const waiting = [
          rejection(UnixStream.connect(path, { reactor: context.reactor, timeoutMs: 10_000 })),
          start({ timeoutMs: 10_000 }).closed.then(failureOf),
        ];
        context.reactor.close();
        expect(await within(Promise.all(waiting), 'the reactor’s end')).toEqual([closed, closed]);
      },
    );

    test('cancelling a connect, a read and an accept', async () => {
      const { listener, path } = await bindUnix(context);
      const aborted = { reactor: context.reactor, signal: AbortSignal.abort() };
      expect(await rejection(UnixStream.connect(path, aborted))).toMatchObject({ code: 'ABORT_ERR' });
      expect(await rejection(listener.accept({ timeoutMs: 1 }))).toMatchObject({
        code: 'ERR_TRIPOLL_TIMEOUT',
      });
      const { client } = await unixPair(context);
      const take = capabilities.unixMessages ? client.receive.bind(client) : client.read.bind(client);
      const late = take(new Uint8Array(10), { timeoutMs: 1 });
      expect(await rejection(take(new Uint8Array(1)))).toMatchObject({ code: 'ERR_TRIPOLL_BUSY' });
      expect(await rejection(late)).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
    });

    test('maxConnections drops the next one', async () => {
      const path = newPath();
      const { reactor } = context;
      let reason = '';
      const drop = (_: unknown, info: { reason: string }): void => {
        reason = info.reason;
      };
      context.own(listenUnix({ path, reactor, maxConnections: 1 }, { drop }));
      const first = context.own(await UnixStream.connect(path, { reactor }));
      const second = context.own(await UnixStream.connect(path, { reactor }));
      expect(await within(second.read(new Uint8Array(1)), 'the dropped one')).toBe(0);
      expect(reason).toBe('max-connections');
      first.close();
    });

    test('an idle connection times out', async () => {
      const path = newPath();
      const { reactor } = context;
      const told = record();
      context.own(listenUnix({ path, reactor, idleTimeoutMs: 20 }, told.handlers as object));
      const stream = context.own(await UnixStream.connect(path, { reactor }));
      expect(await within(told.closed, 'idle')).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
      expect(await within(stream.read(new Uint8Array(1)), 'its peer')).toBe(0);
    });

    test('wrong arguments', async () => {
      const { reactor } = context;
      const wrong = 3 as unknown as string;
      expect(await rejection(UnixStream.connect(wrong, { reactor }))).toMatchObject({ name: 'TypeError' });
      expect(await rejection(UnixStream.connect('', { reactor }))).toMatchObject({ name: 'RangeError' });
      const type = 'dgram' as 'stream';
      expect(await rejection(UnixStream.connect('/x', { reactor, type }))).toMatchObject({
        name: 'RangeError',
      });
      expect(() => listenUnix({ path: '/x', reactor }, { fds: 1 as never })).toThrow(TypeError);
      expect(() => connectUnix({ path: wrong, reactor }, {})).toThrow(TypeError);
    });
  });
}

/** Connects until there is no room: what the last one failed with. */
async function fillBacklog(context: Context, path: string): Promise<unknown> {
  const { reactor } = context;
  // As many as net.core.somaxconn allows, at the most.
  for (let i = 0; i < 5000; i++) {
    try {
      context.own(await UnixStream.connect(path, { reactor, timeoutMs: 0 }));
    } catch (error) {
      return error;
    }
  }
  throw new Error('the backlog takes 5000');
}
