import { getEventListeners } from 'node:events';
import { Reactor } from 'tripoll';
import { Waiter } from '#lib/reactor/waiter';
import { rejection } from '../net/tools.js';
import { closed, timedOut } from '../support/errors.js';
import { within } from '../support/deadline.js';

const aborted = { name: 'AbortError', code: 'ABORT_ERR' };

describe('a waiter', () => {
  let reactor: Reactor;
  let cancelled = 0;
  const onCancel = (): void => {
    cancelled++;
  };
  beforeEach(() => {
    reactor = new Reactor();
    cancelled = 0;
  });
  afterEach(() => reactor.close());

  function expectDisarmed(signal?: AbortSignal): void {
    expect(reactor.inspect().timers).toBe(0);
    const { onceClosed } = reactor.registry as unknown as { onceClosed: Set<unknown> };
    expect(onceClosed.size).toBe(0);
    if (signal !== undefined) expect(getEventListeners(signal, 'abort')).toEqual([]);
  }

  test.each(['resolve', 'reject'] as const)('%s settles it once, and disarms it', async (how) => {
    const { signal } = new AbortController();
    const waiter = new Waiter<number>().arm({ signal, timeoutMs: 60_000 }, reactor, onCancel);
    expect(reactor.inspect().timers).toBe(1);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    waiter[how](7);
    waiter.resolve(8);
    waiter.reject(9);
    expectDisarmed(signal);
    expect(waiter.settled).toBe(true);
    await expect(how === 'resolve' ? waiter.promise : waiter.promise.catch(Number)).resolves.toBe(7);
    expect(cancelled).toBe(0);
  });

  test('an abort and a timeout reject it, and tell its owner once', async () => {
    const aborter = new AbortController();
    const { signal } = aborter;
    const first = new Waiter().arm({ signal, timeoutMs: 60_000 }, reactor, onCancel);
    const second = new Waiter().arm(
      { signal: new AbortController().signal, timeoutMs: 1 },
      reactor,
      onCancel,
    );
    aborter.abort();
    expect(await rejection(first.promise)).toEqual(aborted);
    expect(cancelled).toBe(1);
    expect(await rejection(within(second.promise, 'the timeout'))).toEqual(timedOut);
    expect(cancelled).toBe(2);
    expectDisarmed(signal);
  });

  test('F2 one that has settled before it is armed leaves neither timer nor listener', () => {
    const { signal } = new AbortController();
    const waiter = new Waiter<number>();
    waiter.resolve(1);
    waiter.arm({ signal, timeoutMs: 5 }, reactor, onCancel);
    expectDisarmed(signal);
    waiter.armAlone({ signal, timeoutMs: 5 }, reactor, onCancel);
    expectDisarmed(signal);
  });

  test('F2 one that settles while it is being armed leaves neither', async () => {
    const waiter = new Waiter<number>();
    const removed: unknown[] = [];
    const signal = {
      aborted: false,
      // A polyfill may run anything here.
      addEventListener: () => waiter.resolve(1),
      removeEventListener: (_name: string, listener: unknown) => removed.push(listener),
    } as unknown as AbortSignal;
    waiter.arm({ signal, timeoutMs: 60_000 }, reactor, onCancel);
    expect(await waiter.promise).toBe(1);
    expectDisarmed();
    expect(removed).toHaveLength(1);
    expect(cancelled).toBe(0);
  });

  test('a signal that was aborted before it is armed rejects it', async () => {
    const signal = AbortSignal.abort();
    const waiter = new Waiter().arm({ signal, timeoutMs: 60_000 }, reactor, onCancel);
    expect(await rejection(waiter.promise)).toEqual(aborted);
    expect(cancelled).toBe(1);
    expectDisarmed(signal);
  });

  test('a listener that cannot be set rejects it, and leaves no timer', async () => {
    const signal = {
      aborted: false,
      addEventListener: () => {
        throw new RangeError('no');
      },
      removeEventListener: () => undefined,
    } as unknown as AbortSignal;
    const waiter = new Waiter().arm({ signal, timeoutMs: 60_000 }, reactor, onCancel);
    expect(await rejection(waiter.promise)).toMatchObject({ name: 'RangeError' });
    expectDisarmed();
  });

  test('a reactor that has closed rejects it', async () => {
    reactor.close();
    const waiter = new Waiter().arm({ timeoutMs: 5 }, reactor, onCancel);
    expect(await rejection(waiter.promise)).toEqual(closed);
    expect(cancelled).toBe(1);
  });

  test('F16 its timeout keeps nothing alive: its owner’s registration does', () => {
    const waiter = new Waiter<number>().arm({ timeoutMs: 60_000 }, reactor, onCancel);
    expect(reactor.inspect()).toMatchObject({ timers: 1, refs: 0 });
    waiter.resolve(1);
    expectDisarmed();
    expect(reactor.inspect().refs).toBe(0);
  });

  test('F33 without a registration its timeout does, and the reactor’s end rejects it', async () => {
    const waiters = [{ timeoutMs: 60_000 }, {}].map((options) =>
      new Waiter().armAlone(options, reactor, onCancel),
    );
    expect(reactor.inspect()).toMatchObject({ timers: 1, refs: 1 });
    reactor.close();
    expect(await Promise.all(waiters.map(({ promise }) => rejection(promise)))).toEqual([closed, closed]);
    expect(cancelled).toBe(2);
  });

  test('F33 one that has settled is not told of the reactor’s end', async () => {
    const waiter = new Waiter<number>().armAlone({ timeoutMs: 60_000 }, reactor, onCancel);
    waiter.resolve(1);
    expectDisarmed();
    reactor.close();
    expect(await waiter.promise).toBe(1);
    expect(cancelled).toBe(0);
  });
});
