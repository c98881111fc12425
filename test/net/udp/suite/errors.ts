import { DatagramBatch, UdpSocket, type UdpEndpoint, type UdpOptions } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { describeIf, testIf } from '../../../support/applies.js';
import { systemBackend } from '../../../support/backends.js';
import { expectNoSpin, rejection, type Context } from '../../tools.js';
import { until, within } from '../../../support/deadline.js';
import { thrownBy } from '../../../support/errors.js';
import { isWindows } from '../../../support/platform.js';
import {
  bound,
  bytesOf,
  connected,
  deadAddress,
  endpoint,
  has,
  hostPortOf,
  swapped,
  testRefusal,
  V4,
  V6,
} from '../tools.js';

const ROOM = 100;

export function describeErrors(context: Context): void {
  async function tellHandlers(receiveErrors: boolean): Promise<void> {
    const dead = await deadAddress(context);
    const errors: NodeJS.ErrnoException[] = [];
    const client: UdpEndpoint = endpoint(
      context,
      { datagrams: () => undefined, error: (_self, error) => errors.push(error) },
      receiveErrors ? { socketOptions: { receiveErrors } } : { peer: dead },
    );
    client.send(bytesOf('x'), receiveErrors ? dead : undefined);
    await until(() => errors.length === 1, 'error');
    expect(errors[0]).toMatchObject({ code: 'ECONNREFUSED' });
    if (receiveErrors) expect(errors[0]).toMatchObject({ port: dead.port, origin: 'icmp' });
    expect(client.closed).toBe(false);
  }

  // A batch that takes datagrams one by one may meet an error behind them; recvmmsg(2) keeps it for
  // the next call. No kernel over loopback says it when it is wanted.
  const withErrorBehind = (body: () => Promise<void>): Promise<void> => {
    let told = false;
    const behind: Parameters<typeof swapped<'udpReceive'>>[1] =
      (real) =>
      (...values) => {
        const received = real(...values);
        const [, records] = values;
        if (received > 0 && !told) {
          told = true;
          new Uint32Array(records.buffer, records.byteOffset)[1] = sys.errno['ECONNREFUSED'] ?? 0;
        }
        return received;
      };
    return swapped('udpReceive', behind, body);
  };

  describe('an error behind the datagrams of a batch', () => {
    test('promises: they come first, and the next receive is told, once', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      await withErrorBehind(async () => {
        await client.send(bytesOf('first'));
        const batch = new DatagramBatch();
        expect(await within(server.recvMany(batch), 'the datagrams')).toBe(1);
        expect((await rejection(server.receive(new Uint8Array(9))))?.code).toBe('ECONNREFUSED');
        await client.send(bytesOf('2nd'));
        expect((await within(server.receive(new Uint8Array(9)), 'the next')).lengthBytes).toBe(3);
      });
    });

    test('handlers: they come first, then the error, and the endpoint goes on', async () => {
      const told: unknown[] = [];
      const server = endpoint(context, {
        datagrams: (_self, batch) => told.push(batch.count),
        error: (_self, error) => told.push((error as NodeJS.ErrnoException).code),
      });
      const client = await connected(context, server);
      await withErrorBehind(async () => {
        await client.send(bytesOf('first'));
        await until(() => told.length === 2, 'the error');
        await client.send(bytesOf('2nd'));
        await until(() => told.length === 3, 'the next');
      });
      expect(told).toEqual([1, 'ECONNREFUSED', 1]);
      expect(server.closed).toBe(false);
    });
  });

  describe('errors that come back', () => {
    for (const host of [V4, V6]) {
      testRefusal(`a connected socket hears of it by its next call, and goes on, on ${host}`, async () => {
        const dead = await deadAddress(context, host);
        const client = context.own(await UdpSocket.connect(dead, { reactor: context.reactor }));
        await client.send(bytesOf('x'));
        const failure = await rejection(within(client.receive(new Uint8Array(ROOM)), 'receive'));
        expect(failure).toMatchObject({ code: 'ECONNREFUSED' });
        // The peer's place is taken: now it answers.
        const server = context.own(await UdpSocket.bind(dead, { reactor: context.reactor }));
        await client.send(bytesOf('again'));
        expect((await within(server.receive(new Uint8Array(ROOM)), 'receive')).lengthBytes).toBe(5);
      });
    }

    testRefusal('a receive that waits is told', async () => {
      const dead = await deadAddress(context);
      const client = context.own(await UdpSocket.connect(dead, { reactor: context.reactor }));
      const waiting = rejection(client.recvMany(new DatagramBatch()));
      await client.send(bytesOf('x'));
      expect(await within(waiting, 'recvMany')).toMatchObject({ code: 'ECONNREFUSED' });
    });

    test('without it an unconnected socket hears nothing', async () => {
      const dead = await deadAddress(context);
      const client = await bound(context);
      await client.send(bytesOf('lost'), dead);
      await client.send(bytesOf('lost'), dead);
      expect(await rejection(client.receive(new Uint8Array(ROOM), { timeoutMs: 10 }))).toMatchObject({
        code: 'ERR_TRIPOLL_TIMEOUT',
      });
    });

    testRefusal('handlers: error, and the socket goes on', () => tellHandlers(false));

    testRefusal('a pending error without a reader does not spin', async () => {
      const dead = await deadAddress(context);
      const client = context.own(await UdpSocket.connect(dead, { reactor: context.reactor }));
      const aborter = new AbortController();
      const waiting = rejection(client.receive(new Uint8Array(ROOM), { signal: aborter.signal }));
      aborter.abort();
      await waiting;
      await client.send(bytesOf('x'));
      const other = await bound(context);
      const self = await connected(context, other);
      const { turns } = context.reactor.inspect();
      for (let i = 0; i < 20; i++) {
        await self.send(bytesOf('x'));
        await within(other.receive(new Uint8Array(ROOM)), 'receive');
      }
      expect(context.reactor.inspect().turns - turns).toBeLessThan(100);
      // Windows tells it to a receive alone.
      const next = isWindows ? client.receive(new Uint8Array(ROOM)) : client.send(bytesOf('y'));
      expect(await rejection(next)).toMatchObject({ code: 'ECONNREFUSED' });
    });
  });

  describe('F13 T65 a connected socket that nobody reads from is told that its peer is not there', () => {
    const [plain, queued] = [{}, { socketOptions: { receiveErrors: true } }];
    const settings: UdpOptions[] = has('IP_RECVERR') ? [plain, queued] : [plain];
    const testTold = testIf(systemBackend === 'epoll', 'a kqueue and Windows leave it to the next call');

    async function expectOnce(errors: NodeJS.ErrnoException[], dead: { port: number }): Promise<void> {
      await until(() => errors.length > 0, 'error');
      await expectNoSpin(context.reactor);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toMatchObject({ code: 'ECONNREFUSED', port: dead.port });
    }

    for (const options of settings) {
      const how = JSON.stringify(options);

      testTold(`handlers: error alone, ${how}`, async () => {
        const dead = await deadAddress(context);
        const errors: NodeJS.ErrnoException[] = [];
        const handlers = { error: (_self: UdpEndpoint, error: Error) => errors.push(error) };
        const client = endpoint(context, handlers, { peer: dead, ...options });
        client.send(bytesOf('x'));
        await expectOnce(errors, dead);
        // It was taken: the next send is not blamed for it, and is told in its turn.
        expect(client.send(bytesOf('x'))).toBe(true);
        await until(() => errors.length === 2, 'the second error');
        expect(client.closed).toBe(false);
      });

      testTold(`handlers: paused, ${how}`, async () => {
        const dead = await deadAddress(context);
        const errors: NodeJS.ErrnoException[] = [];
        const client: UdpEndpoint = endpoint(
          context,
          { datagrams: () => undefined, error: (_self, error) => errors.push(error) },
          options,
        );
        client.pause();
        // Connected when it is open already: what it waits for follows.
        client.connect(dead);
        client.send(bytesOf('x'));
        await expectOnce(errors, dead);
        client.disconnect();
        expect(client.resume().closed).toBe(false);
      });

      testTold(`promises: receiveError, ${how}`, async () => {
        const dead = await deadAddress(context);
        const client = context.own(await UdpSocket.connect(dead, { reactor: context.reactor, ...options }));
        const waiting = client.receiveError();
        await client.send(bytesOf('x'));
        expect(await within(waiting, 'receiveError')).toMatchObject({
          code: 'ECONNREFUSED',
          port: dead.port,
          origin: 'socketOptions' in options ? 'icmp' : 'none',
        });
        await client.send(bytesOf('y'));
      });
    }
  });

  const { priority, errors } = context.features;
  const hasQueue = has('IP_RECVERR') && priority !== false && errors !== false;
  describeIf(hasQueue, 'no error queue, or nothing that tells of it')(
    'errors that come back, with receiveErrors',
    () => {
      test.each([V4, V6])('whom it concerns, and who says so, on %s', async (host) => {
        const server = await bound(context, {}, host);
        const dead = await deadAddress(context, host);
        const client = await bound(context, { socketOptions: { receiveErrors: true } }, host);
        const waiting = client.receiveError();
        await client.send(bytesOf('lost'), dead);
        // A send to another, before the error was fetched, is none of its business.
        expect(await within(client.send(bytesOf('well'), hostPortOf(server)), 'send')).toBe(4);
        expect(await within(waiting, 'receiveError')).toMatchObject({
          code: 'ECONNREFUSED',
          address: dead.host,
          port: dead.port,
          origin: host === V4 ? 'icmp' : 'icmp6',
          reporter: host,
        });
        expect((await within(server.receive(new Uint8Array(ROOM)), 'receive')).lengthBytes).toBe(4);
      });

      test('a receive that waits goes on waiting: the error is not about it', async () => {
        const server = await bound(context);
        const dead = await deadAddress(context);
        const client = await bound(context, { socketOptions: { receiveErrors: true } });
        const receiving = client.receive(new Uint8Array(ROOM));
        await client.send(bytesOf('lost'), dead);
        expect(await within(client.receiveError(), 'receiveError')).toMatchObject({ port: dead.port });
        await server.send(bytesOf('ok'), hostPortOf(client));
        expect((await within(receiving, 'receive')).lengthBytes).toBe(2);
      });

      test('of errors that nobody waits for, 64 are kept', async () => {
        const dead = await deadAddress(context);
        const client = await bound(context, { socketOptions: { receiveErrors: true } });
        // A waiting receive has the socket watched.
        const receiving = rejection(client.receive(new Uint8Array(ROOM)));
        const target = client as unknown as { onQueuedError(error: Error): void };
        let count = 0;
        const { onQueuedError } = target;
        target.onQueuedError = function (error) {
          count++;
          onQueuedError.call(client, error);
        };
        for (let sent = 0; count < 70; sent++) {
          await client.send(bytesOf(`${sent}`), dead);
          await until(() => count > sent, `error ${sent}`);
        }
        for (let i = 0; i < 64; i++) await within(client.receiveError(), 'kept');
        expect(await rejection(client.receiveError({ timeoutMs: 5 }))).toMatchObject({
          code: 'ERR_TRIPOLL_TIMEOUT',
        });
        client.close();
        expect(await receiving).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      });

      test('several receiveError() wait, and are told one each', async () => {
        const client = await bound(context, { socketOptions: { receiveErrors: true } });
        const dead = await deadAddress(context);
        const waiting = [client.receiveError(), client.receiveError()];
        for (const text of ['a', 'b']) {
          await client.send(bytesOf(text), dead);
          expect(await within(waiting.shift()!, text)).toMatchObject({ code: 'ECONNREFUSED' });
        }
        const last = rejection(client.receiveError());
        client.close();
        expect(await within(last, 'last')).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      });

      test('handlers: error, and the socket goes on', () => tellHandlers(true));

      test('guard 7: an error in no queue is the receive’s that waits', async () => {
        const dead = await deadAddress(context);
        const client = context.own(await UdpSocket.connect(dead, { reactor: context.reactor }));
        const receiving = rejection(client.receive(new Uint8Array(ROOM)));
        await client.send(bytesOf('x'));
        // It came before there was a queue, and its event comes after.
        client.setOption('receiveErrors', true);
        expect(await within(receiving, 'receive')).toMatchObject({ code: 'ECONNREFUSED' });
        expect(await rejection(client.receiveError({ timeoutMs: 5 }))).toMatchObject({
          code: 'ERR_TRIPOLL_TIMEOUT',
        });
      });

      test('guard 7: an error in no queue, for which no receive waits, is receiveError’s', async () => {
        const dead = await deadAddress(context);
        const client = context.own(await UdpSocket.connect(dead, { reactor: context.reactor }));
        await client.send(bytesOf('x'));
        client.setOption('receiveErrors', true);
        const error = await within(client.receiveError(), 'the error');
        expect(error).toMatchObject({ code: 'ECONNREFUSED', origin: 'none' });
        await expectNoSpin(context.reactor);
      });

      describe('F11 T63 a send that is too long is told once by the queue', () => {
        const tooLong = new Uint8Array(65_508);
        const local = { code: 'EMSGSIZE', origin: 'local' };

        test('handlers: send and sendMany', async () => {
          const [a, b] = [await deadAddress(context), await bound(context)];
          const errors: NodeJS.ErrnoException[] = [];
          const client = endpoint(
            context,
            { error: (_self, error) => errors.push(error) },
            { socketOptions: { receiveErrors: true } },
          );
          const send = () => thrownBy(() => client.send(tooLong, hostPortOf(b)));
          expect(send()).toMatchObject({ code: 'EMSGSIZE' });
          await until(() => errors.length > 0, 'the first');
          await expectNoSpin(context.reactor);
          expect(errors).toHaveLength(1);
          // Two in one turn to one peer, and the error of another between them.
          send();
          client.send(bytesOf('lost'), a);
          send();
          const batch = new DatagramBatch({ slotBytes: 65_536 });
          for (const bytes of [1, 65_508, 1]) batch.add(bytes, hostPortOf(b));
          expect(client.sendMany(batch)).toBe(true);
          expect(batch.failed).toBe(1);
          await until(() => errors.length >= 5, 'all of them');
          await expectNoSpin(context.reactor);
          expect(errors.map(({ code }) => code).sort()).toEqual([
            'ECONNREFUSED',
            ...Array<string>(4).fill('EMSGSIZE'),
          ]);
          expect(errors[0]).toMatchObject(local);
        });

        test('promises: send and sendMany', async () => {
          const client = await bound(context, { socketOptions: { receiveErrors: true } });
          const target = hostPortOf(await bound(context));
          const waiting = client.receiveError();
          expect(await rejection(client.send(tooLong, target))).toMatchObject({ code: 'EMSGSIZE' });
          expect(await within(waiting, 'receiveError')).toMatchObject(local);
          const batch = new DatagramBatch({ slotBytes: 65_536 });
          batch.add(65_508, target);
          const next = client.receiveError();
          expect(await client.sendMany(batch)).toBe(0);
          expect(await within(next, 'the batch’s')).toMatchObject(local);
          expect(await rejection(client.receiveError({ timeoutMs: 5 }))).toMatchObject({
            code: 'ERR_TRIPOLL_TIMEOUT',
          });
        });
      });
    },
  );
}
