import { getEventListeners } from 'node:events';
import { Reactor, type BackendName } from 'tripoll';
import { DatagramBatch, UdpSocket, type UdpEndpoint } from 'tripoll/net';
import { native } from '#lib/binding/native';
import { deferred, rejection, type Context } from '../../tools.js';
import { describeIf } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { closed, invalidType, thrownBy, timedOut } from '../../../support/errors.js';
import {
  bound,
  bytesOf,
  connected,
  deadAddress,
  endpoint,
  fullFor,
  has,
  hostPortOf,
  swapped,
} from '../tools.js';

const ROOM = 100;
const aborted = { name: 'AbortError', code: 'ABORT_ERR' };

/** Who waits, and what disarms the waiting: `signal` and `timeoutMs`. */
export function describeWaits(context: Context): void {
  const timers = (): number => context.reactor.inspect().timers;
  const ownReactor = (): Reactor => new Reactor({ backend: context.reactor.backend as BackendName });

  function oneIn(batch = new DatagramBatch()): DatagramBatch {
    batch.push(bytesOf('x'));
    return batch;
  }

  describe('what waits', () => {
    type Options = { signal?: AbortSignal; timeoutMs?: number };
    const receives: [string, (socket: UdpSocket, options: Options) => Promise<unknown>][] = [
      ['receive', (socket, options) => socket.receive(new Uint8Array(ROOM), options)],
      ['recvMany', (socket, options) => socket.recvMany(new DatagramBatch(), options)],
    ];
    const sends: typeof receives = [
      ['send', (socket, options) => socket.send(bytesOf('x'), undefined, options)],
      ['sendMany', (socket, options) => socket.sendMany(oneIn(), options)],
    ];

    test.each(receives)(
      'F2 %s that settled leaves neither timer nor listener, and the next one waits',
      async (_name, begin) => {
        const server = await bound(context);
        const client = await connected(context, server);
        const { signal } = new AbortController();
        for (let i = 0; i < 3; i++) {
          // It settles at once in one round, and by an event in the other.
          if (i === 1) await client.send(bytesOf('x'));
          const receiving = begin(server, { signal, timeoutMs: 60_000 });
          if (i !== 1) await client.send(bytesOf('x'));
          await within(receiving, 'receive');
          expect(timers()).toBe(0);
          expect(getEventListeners(signal, 'abort')).toEqual([]);
        }
      },
    );

    test.each(sends)('F2 %s likewise', async (_name, begin) => {
      const server = await bound(context);
      const client = await connected(context, server);
      const { signal } = new AbortController();
      await swapped('udpSend', fullFor(2), async () => {
        const waiting = [begin(client, { signal, timeoutMs: 60_000 }), begin(client, { timeoutMs: 60_000 })];
        expect(timers()).toBe(2);
        await within(Promise.all(waiting), 'sends');
      });
      expect(timers()).toBe(0);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    });

    test.each(sends)(
      'an aborted %s takes itself out, and the others keep their places',
      async (_name, begin) => {
        const server = await bound(context);
        const client = await connected(context, server);
        const aborter = new AbortController();
        await swapped('udpSend', fullFor(1), async () => {
          const first = client.send(bytesOf('first'));
          const second = rejection(begin(client, { signal: aborter.signal }));
          const third = client.send(bytesOf('third'));
          aborter.abort();
          expect(await within(Promise.all([first, second, third]), 'sends')).toEqual([5, aborted, 5]);
        });
      },
    );

    test.each(receives)(
      'F16 the timeout of %s on an unref’d socket keeps nothing alive',
      async (_name, begin) => {
        const reactor = ownReactor();
        const { refs } = reactor.inspect();
        const socket = await UdpSocket.bind('127.0.0.1:0', { reactor });
        const before = rejection(begin(socket, { timeoutMs: 60_000 }));
        // Unref'd after it had begun to wait, and before.
        socket.unref();
        expect(reactor.inspect().refs).toBe(refs);
        socket.close();
        const other = (await UdpSocket.bind('127.0.0.1:0', { reactor })).unref();
        const after = rejection(begin(other, { timeoutMs: 60_000 }));
        expect(reactor.inspect()).toMatchObject({ refs, timers: 1 });
        other.ref();
        expect(reactor.inspect().refs).toBeGreaterThan(refs);
        reactor.close();
        expect(await Promise.all([before, after])).toEqual([closed, closed]);
      },
    );

    test.each(sends)('F16 the timeout of %s likewise', async (_name, begin) => {
      const server = await bound(context);
      const client = (await connected(context, server)).unref();
      const { refs } = context.reactor.inspect();
      await swapped('udpSend', fullFor(Infinity), async () => {
        const waiting = rejection(begin(client, { timeoutMs: 5 }));
        expect(context.reactor.inspect()).toMatchObject({ refs, timers: 1 });
        // It fires all the same, as long as something else keeps the process.
        expect(await within(waiting, 'the timeout')).toEqual(timedOut);
      });
    });

    test('a registration that cannot be changed is a rejection, and leaves nothing waiting', async () => {
      const socket = await bound(context);
      const binding = native as { pollerModify: typeof native.pollerModify };
      const { pollerModify } = binding;
      binding.pollerModify = () => -(native.errnos['ENOMEM'] ?? 0);
      try {
        const waiting = socket.receive(new Uint8Array(ROOM), { timeoutMs: 60_000 });
        expect(await rejection(waiting)).toMatchObject({ code: 'ENOMEM' });
        expect(timers()).toBe(0);
      } finally {
        binding.pollerModify = pollerModify;
      }
      const next = socket.receive(new Uint8Array(ROOM));
      await socket.send(bytesOf('x'), hostPortOf(socket));
      expect((await within(next, 'receive')).lengthBytes).toBe(1);
    });
  });

  const { priority, errors } = context.features;
  const hasQueue = has('IP_RECVERR') && priority !== false && errors !== false;
  describeIf(hasQueue, 'no error queue, or nothing that tells of it')('receiveError', () => {
    test('F2 an error that was kept settles it at once: no timer, no listener, and the next one is told', async () => {
      const dead = await deadAddress(context);
      const client = await bound(context, { socketOptions: { receiveErrors: true } });
      const { signal } = new AbortController();
      // A waiting receive has the socket watched.
      const receiving = rejection(client.receive(new Uint8Array(ROOM)));
      const kept = deferred<null>();
      const target = client as unknown as { onQueuedError(error: Error): void };
      const { onQueuedError } = target;
      target.onQueuedError = (error) => {
        onQueuedError.call(client, error);
        kept.resolve(null);
      };
      await client.send(bytesOf('lost'), dead);
      await within(kept.promise, 'the error');
      const first = await within(client.receiveError({ signal, timeoutMs: 20 }), 'the kept one');
      expect(first).toMatchObject({ code: 'ECONNREFUSED' });
      expect(timers()).toBe(0);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
      const next = client.receiveError();
      await client.send(bytesOf('lost'), dead);
      expect(await within(next, 'the next one')).toMatchObject({ code: 'ECONNREFUSED' });
      client.close();
      await receiving;
    });

    test('F16 its timeout on an unref’d socket keeps nothing alive', async () => {
      const client = (await bound(context, { socketOptions: { receiveErrors: true } })).unref();
      const { refs } = context.reactor.inspect();
      const waiting = rejection(client.receiveError({ timeoutMs: 5 }));
      expect(context.reactor.inspect()).toMatchObject({ refs, timers: 1 });
      expect(await within(waiting, 'the timeout')).toEqual(timedOut);
    });
  });

  describe('connect by name', () => {
    const target = 'name.test:9';
    const never = () => deferred<string[]>().promise;

    test.each([{ timeoutMs: 60_000 }, {}])('F33 the reactor’s end ends it, with %j', async (options) => {
      const reactor = ownReactor();
      const connecting = rejection(UdpSocket.connect(target, { reactor, resolver: never, ...options }));
      reactor.close();
      expect(await within(connecting, 'connect')).toEqual(closed);
    });

    test('a timeout and an abort end it, and a late answer opens nothing', async () => {
      const answer = deferred<string[]>();
      const options = { reactor: context.reactor, resolver: () => answer.promise };
      const aborter = new AbortController();
      const connecting = [
        UdpSocket.connect(target, { ...options, timeoutMs: 5 }),
        UdpSocket.connect(target, { ...options, signal: aborter.signal }),
      ].map(rejection);
      expect(await within(connecting[0]!, 'the timeout')).toEqual(timedOut);
      aborter.abort();
      expect(await within(connecting[1]!, 'the abort')).toEqual(aborted);
      answer.resolve(['127.0.0.1']);
      await answer.promise;
      expect(context.reactor.inspect()).toMatchObject({ timers: 0, registrations: 0 });
    });

    test('F17 a resolver that answers nothing, or rejects with nothing: the name has no addresses', async () => {
      const { reactor } = context;
      const resolvers = [
        () => [],
        () => Promise.resolve([]),
        () => Promise.reject(undefined),
        () => Promise.reject(null),
      ];
      for (const resolver of resolvers) {
        const failure = await UdpSocket.connect(target, { reactor, resolver }).catch(
          (error: unknown) => error,
        );
        expect(failure).toMatchObject({ name: 'Error', code: 'ENOTFOUND', hostname: 'name.test' });
      }
      const reason = new Error('mine');
      const refused = UdpSocket.connect(target, { reactor, resolver: () => Promise.reject(reason) });
      await expect(refused).rejects.toBe(reason);
    });
  });

  test('F18 the reactor’s end is told as by all others: ERR_TRIPOLL_CLOSED', async () => {
    const reactor = ownReactor();
    const socket = await UdpSocket.bind('127.0.0.1:0', { reactor });
    const waiting = rejection(socket.receive(new Uint8Array(ROOM)));
    const over = deferred<Error | null>();
    endpoint(context, { close: (_self, error) => over.resolve(error) }, { reactor });
    reactor.close();
    expect(await within(waiting, 'receive')).toEqual(closed);
    expect(await within(over.promise, 'close')).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
  });

  test('F35 what is no batch is told with its code, in both styles', async () => {
    const socket = await bound(context);
    const handler: UdpEndpoint = endpoint(context, {});
    const batch = oneIn();
    for (const wrong of ['x', 7, {}, null, undefined, [], DatagramBatch.prototype] as never[]) {
      expect(await rejection(socket.recvMany(wrong))).toEqual(invalidType);
      expect(await rejection(socket.sendMany(wrong))).toEqual(invalidType);
      expect(thrownBy(() => handler.sendMany(wrong))).toEqual(invalidType);
      expect(thrownBy(() => batch.copyAddress(0, wrong, 0))).toEqual(invalidType);
    }
    await until(() => !socket.closed, 'it is open');
  });
}
