// What every promise of the sockets does with `{ signal, timeoutMs }`.
import type { CancelOptions } from 'tripoll';
import { TcpStream } from 'tripoll/net';
import { within } from '../../../support/deadline.js';
import { invalidType, outOfRange, timedOut } from '../../../support/errors.js';
import {
  failureOf,
  LOOPBACK,
  pattern,
  rejection,
  rejectionError,
  turnOf,
  type Context,
} from '../../tools.js';
import { blockedStream, DeafPort, heldBy, listenersOf, peerOf } from '../tools.js';

/** One that has to wait, until `letGo` lets it succeed, or `breakIt` ends what it waits on. */
interface Waiting {
  start(options: unknown): Promise<unknown>;
  /** Undefined where it cannot be made to succeed. */
  letGo?(): void | Promise<void>;
  breakIt?(): void;
}

const loose = (options: unknown): CancelOptions => options as CancelOptions;

type SetUp = (context: Context) => Promise<Waiting>;

const writing =
  (name: 'write' | 'writeAll'): SetUp =>
  async (context) => {
    const { stream, peer, filledBytes } = await blockedStream(context);
    return {
      start: (options) => stream[name](pattern(100), loose(options)),
      letGo: async () => {
        await peer.receiveBytes(filledBytes);
      },
      breakIt: () => stream.close(),
    };
  };

const operations: [string, SetUp][] = [
  [
    'connect',
    (context) => {
      const { port } = context.own(new DeafPort());
      const { reactor } = context;
      return Promise.resolve({
        start: (options) => TcpStream.connect({ host: LOOPBACK, port }, merge({ reactor }, options)),
      });
    },
  ],
  [
    'connect to a name',
    async (context) => {
      const listener = await context.bind();
      const { port = 0 } = listener.localAddress ?? {};
      const { reactor } = context;
      return {
        start: async (options) => {
          const connecting = TcpStream.connect({ host: 'localhost', port }, merge({ reactor }, options));
          context.own(await connecting);
        },
        letGo: () => {},
      };
    },
  ],
  [
    'accept',
    async (context) => {
      const listener = await context.bind();
      return {
        start: async (options) => context.own((await listener.accept(loose(options))).stream),
        letGo: () => void peerOf(context, listener),
        breakIt: () => listener.close(),
      };
    },
  ],
  [
    'read',
    async (context) => {
      const { stream, peer } = await context.acceptedStream();
      return {
        start: (options) => stream.read(new Uint8Array(10), loose(options)),
        letGo: () => void peer.send('x'),
        breakIt: () => stream.close(),
      };
    },
  ],
  ['write', writing('write')],
  ['writeAll', writing('writeAll')],
];

function merge(base: object, options: unknown): CancelOptions {
  return typeof options === 'object' && options !== null ? { ...base, ...options } : loose(options);
}

const aborted = { name: 'AbortError', code: 'ABORT_ERR' };

const badOptions: [string, unknown, object][] = [
  ['null', null, invalidType],
  ['a number', 5, invalidType],
  ['a timeout that is a string', { timeoutMs: '5' }, invalidType],
  ['a negative timeout', { timeoutMs: -1 }, outOfRange],
  ['a timeout of NaN', { timeoutMs: NaN }, outOfRange],
  ['an endless timeout', { timeoutMs: Infinity }, outOfRange],
  ['a timeout of 2^53', { timeoutMs: 2 ** 53 }, outOfRange],
  ['a signal that is an object', { signal: {} }, invalidType],
  ['a signal that is null', { signal: null }, invalidType],
];

export function describeCancellation(context: Context): void {
  describe.each(operations)('cancellation of %s', (name, setUp) => {
    test('aborted before: rejected at once, with the reason as the cause, and nothing is started', async () => {
      const waiting = await setUp(context);
      await turnOf(context.reactor);
      const before = context.reactor.inspect();
      const reason = new Error('why');
      const signal = AbortSignal.abort(reason);
      let error: NodeJS.ErrnoException | undefined;
      waiting.start({ signal, timeoutMs: 5000 }).catch((rejected: unknown) => {
        error = rejected as NodeJS.ErrnoException;
      });
      const { registrations, ...held } = context.reactor.inspect();
      expect({ registrations, timers: held.timers, refs: held.refs }).toEqual({
        registrations: before.registrations,
        timers: before.timers,
        refs: before.refs,
      });
      // Microtasks alone: no turn of the reactor is needed.
      for (let i = 0; i < 10; i++) await Promise.resolve();
      expect(failureOf(error)).toEqual(aborted);
      expect(error?.cause).toBe(reason);
      expect(listenersOf(signal)).toBe(0);
    });

    test('aborted in the middle: rejected, and nothing is left behind', async () => {
      const waiting = await setUp(context);
      await turnOf(context.reactor);
      const before = heldBy(context.reactor);
      const controller = new AbortController();
      const { signal } = controller;
      const rejected = rejectionError(waiting.start({ signal, timeoutMs: 60_000 }));
      expect(listenersOf(signal)).toBe(1);
      expect(context.reactor.inspect().timers).toBe(before.timers + 1);
      const reason = new Error('why');
      controller.abort(reason);
      const error = await rejected;
      expect(failureOf(error)).toEqual(aborted);
      expect(error.cause).toBe(reason);
      expect(listenersOf(signal)).toBe(0);
      await turnOf(context.reactor);
      expect(heldBy(context.reactor)).toEqual(before);
    });

    test('the time is up: rejected, never early, and nothing is left behind', async () => {
      const waiting = await setUp(context);
      await turnOf(context.reactor);
      const before = heldBy(context.reactor);
      const { signal } = new AbortController();
      if (name === 'connect to a name') return; // it may be faster than that
      const start = performance.now();
      expect(await rejection(waiting.start({ signal, timeoutMs: 15 }))).toEqual(timedOut);
      expect(performance.now() - start).toBeGreaterThanOrEqual(15);
      expect(listenersOf(signal)).toBe(0);
      await turnOf(context.reactor);
      expect(heldBy(context.reactor)).toEqual(before);
    });

    test('it succeeds, or fails by itself: nothing is left behind, and a later abort does nothing', async () => {
      for (const how of ['letGo', 'breakIt'] as const) {
        const waiting = await setUp(context);
        const end = waiting[how];
        if (end === undefined) continue;
        await turnOf(context.reactor);
        const { timers } = context.reactor.inspect();
        const controller = new AbortController();
        const { signal } = controller;
        const settled = waiting.start({ signal, timeoutMs: 60_000 }).then(
          () => 'letGo',
          (error: unknown) =>
            (error as NodeJS.ErrnoException).code === 'ERR_TRIPOLL_CLOSED' ? 'breakIt' : error,
        );
        await end();
        expect(await within(settled, how)).toBe(how);
        expect(listenersOf(signal)).toBe(0);
        expect(context.reactor.inspect().timers).toBe(timers);
        controller.abort();
      }
    });

    test.each(badOptions)('wrong options are a rejection: %s', async (_, options, expected) => {
      const waiting = await setUp(context);
      const before = context.reactor.inspect().timers;
      expect(await rejection(waiting.start(options))).toEqual(expected);
      expect(context.reactor.inspect().timers).toBe(before);
    });

    test('one signal for many', async () => {
      const waiting = await setUp(context);
      const controller = new AbortController();
      const { signal } = controller;
      const several = Array.from({ length: 5 }, () => rejection(waiting.start({ signal })));
      controller.abort();
      for (const one of several) {
        const failure = await one;
        // A second read at a time is refused anyway.
        expect([aborted.code, 'ERR_TRIPOLL_BUSY']).toContain(failure?.code);
      }
      expect(listenersOf(signal)).toBe(0);
    });
  });
}
