// `signal` and `timeoutMs` of the handler-style connect, which tells by `error` and `close`.
import type { CancelOptions } from 'tripoll';
import { connect, type TcpConnection } from 'tripoll/net';
import { within } from '../../../support/deadline.js';
import { invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import { failureOf, LOOPBACK, portOf, record, turnOf, type Context, type Recording } from '../../tools.js';
import { DeafPort, heldBy, listenersOf } from '../../stream/tools.js';

export function describeConnecting(context: Context): void {
  function start(
    port: number,
    options: CancelOptions,
    host = LOOPBACK,
  ): { connection: TcpConnection; told: Recording } {
    const told = record();
    const target = { host, port, reactor: context.reactor, ...options };
    return { connection: context.own(connect(target, told.handlers)), told };
  }

  describe('cancellation of connect with handlers', () => {
    test('aborted before: error and close, later; no socket is made', async () => {
      const { port } = context.own(new DeafPort());
      const reason = new Error('why');
      const { connection, told } = start(port, { signal: AbortSignal.abort(reason), timeoutMs: 5 });
      expect(told.events).toEqual([]);
      expect(connection.closed).toBe(true);
      expect(context.reactor.inspect()).toMatchObject({ registrations: 0, timers: 0 });
      const error = await within(told.closed, 'close');
      expect(failureOf(error)).toEqual({ name: 'AbortError', code: 'ABORT_ERR' });
      expect(error?.cause).toBe(reason);
      expect(told.events).toEqual(['error', 'close']);
    });

    test('aborted in the middle', async () => {
      const { port } = context.own(new DeafPort());
      const controller = new AbortController();
      const { signal } = controller;
      const { connection, told } = start(port, { signal });
      await turnOf(context.reactor);
      expect(context.reactor.inspect().registrations).toBe(1);
      const reason = { any: 'value' };
      controller.abort(reason);
      expect(connection.closed).toBe(true);
      const error = await within(told.closed, 'close');
      expect(failureOf(error)).toEqual({ name: 'AbortError', code: 'ABORT_ERR' });
      expect(error?.cause).toBe(reason);
      expect(told.events).toEqual(['error', 'close']);
      expect(listenersOf(signal)).toBe(0);
    });

    test('aborted while the name is looked up', async () => {
      const listener = context.listen();
      const controller = new AbortController();
      const { told } = start(portOf(listener), { signal: controller.signal }, 'localhost');
      controller.abort();
      expect(failureOf(await within(told.closed, 'close'))?.code).toBe('ABORT_ERR');
      expect(told.events).toEqual(['error', 'close']);
    });

    test('the time is up', async () => {
      const { port } = context.own(new DeafPort());
      const { signal } = new AbortController();
      const from = performance.now();
      const { told } = start(port, { signal, timeoutMs: 15 });
      const error = await within(told.closed, 'close');
      expect(performance.now() - from).toBeGreaterThanOrEqual(15);
      expect(failureOf(error)).toEqual({ name: 'TimeoutError', code: 'ERR_TRIPOLL_TIMEOUT' });
      expect(told.events).toEqual(['error', 'close']);
      expect(listenersOf(signal)).toBe(0);
    });

    test('once it is open they have no effect, and nothing is left of them', async () => {
      const listener = context.listen({ data: (accepted, chunk) => accepted.write(chunk) });
      const controller = new AbortController();
      const { signal } = controller;
      const { connection, told } = start(portOf(listener), { signal, timeoutMs: 60_000 });
      await within(told.opened, 'open');
      expect(listenersOf(signal)).toBe(0);
      expect(context.reactor.inspect().timers).toBe(0);
      controller.abort();
      connection.end(Buffer.from('still here'));
      await within(told.closed, 'close');
      expect(told.bytes().toString()).toBe('still here');
      expect(told.errors).toEqual([]);
    });

    test('refused, closed, or reset by us: nothing is left of them', async () => {
      const { port } = context.own(new DeafPort());
      for (const how of ['close', 'reset'] as const) {
        const { signal } = new AbortController();
        const { connection, told } = start(port, { signal, timeoutMs: 60_000 });
        connection[how]();
        expect(await within(told.closed, 'close')).toBeNull();
        expect(listenersOf(signal)).toBe(0);
      }
      const { signal } = new AbortController();
      const { told } = start(9, { signal, timeoutMs: 60_000 }, '255.255.255.255');
      expect(failureOf(await within(told.closed, 'close'))?.code).toBeDefined();
      expect(listenersOf(signal)).toBe(0);
      await turnOf(context.reactor);
      expect(heldBy(context.reactor)).toEqual({ timers: 0, refs: 0 });
    });

    test.each([
      [{ timeoutMs: '5' }, invalidType],
      [{ timeoutMs: -1 }, outOfRange],
      [{ timeoutMs: NaN }, outOfRange],
      [{ signal: {} }, invalidType],
      [{ signal: null }, invalidType],
    ])('wrong options are thrown: %j', (options, expected) => {
      expect(thrownBy(() => start(9, options as CancelOptions))).toEqual(expected);
      expect(context.reactor.inspect()).toMatchObject({ registrations: 0, timers: 0, refs: 0 });
    });
  });
}
