// sleep, timeout and interval, with time that stands still.
import { interval, sleep, timeout, type TimerOptions } from 'tripoll';
import { invalidType, outOfRange, timedOut } from '../support/errors.js';
import { FakeTime, watch } from './fake-time.js';

const aborted = { name: 'AbortError', code: 'ABORT_ERR' };
const never = new Promise<never>(() => {});
const idle = { timers: 0, refs: 0 };

/** The listeners that somebody left on the signal. */
function watchListeners(signal: AbortSignal): ReadonlySet<unknown> {
  const left = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  Object.assign(signal, {
    addEventListener: (...args: Parameters<typeof addEventListener>) => {
      left.add(args[1]);
      addEventListener.apply(signal, args);
    },
    removeEventListener: (...args: Parameters<typeof removeEventListener>) => {
      left.delete(args[1]);
      removeEventListener.apply(signal, args);
    },
  });
  return left;
}

let time: FakeTime;

beforeEach(() => {
  time = new FakeTime();
});

describe('sleep', () => {
  test.each([
    [1, 0.99, 0.01],
    [10, 9.99, 0.01],
    [10.5, 10.4, 0.6], // a tick is a millisecond, rounded up
  ])('of %d ms: not after %d, but %d later', async (delayMs, early, more) => {
    const slept = watch(sleep(delayMs, { reactor: time.reactor }));
    await time.pass(early);
    expect(slept.outcome).toBe('pending');
    await time.pass(more);
    expect(slept).toEqual({ outcome: 'resolved', value: undefined });
    expect(time.reactor.inspect()).toMatchObject(idle);
  });

  test('of nothing: at the next turn, not before', async () => {
    const slept = watch(sleep(0, { reactor: time.reactor }));
    await time.settle();
    expect(slept.outcome).toBe('pending');
    await time.pass(0);
    expect(slept.outcome).toBe('resolved');
  });

  test('many at once end in the order of their times', async () => {
    const order: number[] = [];
    for (const delayMs of [30, 10, 20, 10]) {
      void sleep(delayMs, { reactor: time.reactor }).then(() => order.push(delayMs));
    }
    await time.settle();
    for (let i = 0; i < 3; i++) await time.pass(10);
    expect(order).toEqual([10, 10, 20, 30]);
  });

  test('an abort rejects it, with the reason as the cause, and takes the timer back', async () => {
    const controller = new AbortController();
    const listeners = watchListeners(controller.signal);
    const slept = watch(sleep(10, { reactor: time.reactor, signal: controller.signal }));
    await time.pass(5);
    expect(slept.outcome).toBe('pending');
    controller.abort('why');
    await time.settle();
    expect(slept).toMatchObject({ outcome: 'rejected', value: { ...aborted, cause: 'why' } });
    expect(time.reactor.inspect()).toMatchObject(idle);
    expect(listeners.size).toBe(0);
    await time.pass(10);
  });

  test('an abort before it begins, and one after it has ended', async () => {
    const { reactor } = time;
    const before = watch(sleep(10, { reactor, signal: AbortSignal.abort('early') }));
    await time.settle();
    expect(before).toMatchObject({ outcome: 'rejected', value: { ...aborted, cause: 'early' } });
    expect(reactor.inspect()).toMatchObject(idle);
    const controller = new AbortController();
    const listeners = watchListeners(controller.signal);
    const slept = watch(sleep(10, { reactor, signal: controller.signal }));
    await time.pass(10);
    expect(slept.outcome).toBe('resolved');
    expect(listeners.size).toBe(0);
    controller.abort();
    await time.settle();
    expect(slept.outcome).toBe('resolved');
  });
});

describe('timeout', () => {
  test('the promise’s own outcome, when that comes first', async () => {
    const { reactor } = time;
    const value = watch(
      timeout(
        sleep(5, { reactor }).then(() => 'value'),
        10,
        { reactor },
      ),
    );
    const failure = watch(timeout(Promise.reject(new Error('own')), 10, { reactor }));
    const falsy = watch(timeout(Promise.resolve(undefined), 0, { reactor }));
    await time.settle();
    await time.pass(5);
    expect(value).toEqual({ outcome: 'resolved', value: 'value' });
    expect(failure).toMatchObject({ outcome: 'rejected', value: { message: 'own' } });
    expect(falsy).toEqual({ outcome: 'resolved', value: undefined });
    expect(reactor.inspect()).toMatchObject(idle);
    await time.pass(100);
  });

  test('else a TimeoutError, not before its time', async () => {
    const { reactor } = time;
    const seen = watch(timeout(never, 10, { reactor }));
    await time.pass(9.99);
    expect(seen.outcome).toBe('pending');
    await time.pass(0.01);
    expect(seen).toMatchObject({ outcome: 'rejected', value: timedOut });
    expect(reactor.inspect()).toMatchObject(idle);
  });

  test('what the promise does after that is nobody’s uncaught error', async () => {
    const { reactor } = time;
    const late = sleep(20, { reactor }).then(() => {
      throw new Error('late');
    });
    const seen = watch(timeout(late, 10, { reactor }));
    await time.pass(10);
    await time.pass(10);
    expect(seen).toMatchObject({ outcome: 'rejected', value: timedOut });
  });

  test('any thenable will do, also one whose then() throws or calls both back', async () => {
    const { reactor } = time;
    const thenable = (then: (resolve: (value: string) => void, reject: (error: unknown) => void) => void) =>
      watch(timeout({ then } as unknown as PromiseLike<string>, 10, { reactor }));
    const seen = [
      thenable((resolve) => resolve('value')),
      thenable(() => {
        throw new Error('of then');
      }),
      thenable((resolve, reject) => {
        resolve('first');
        reject(new Error('second'));
      }),
    ];
    await time.settle();
    expect(seen).toMatchObject([
      { outcome: 'resolved', value: 'value' },
      { outcome: 'rejected', value: { message: 'of then' } },
      { outcome: 'resolved', value: 'first' },
    ]);
    expect(reactor.inspect()).toMatchObject(idle);
  });
});

describe('interval', () => {
  /** Consumes ticks until it is told to stop, each when `gate` lets it. */
  function consume(options: TimerOptions & { periodMs: number; most?: number }): {
    ticks: number[];
    end: Promise<string>;
  } {
    const { periodMs, most, ...timerOptions } = options;
    const ticks: number[] = [];
    const end = (async () => {
      for await (const tick of interval(periodMs, timerOptions)) {
        ticks.push(tick);
        if (ticks.length === most) break;
      }
      return 'left';
    })();
    return { ticks, end };
  }

  test('a tick each period, never early, at a fixed rate', async () => {
    const { reactor } = time;
    const { ticks, end } = consume({ periodMs: 10, reactor, most: 3 });
    await time.settle();
    await time.pass(9.9);
    expect(ticks).toEqual([]);
    await time.pass(4.1); // at 14: the first, late
    expect(ticks).toEqual([1]);
    await time.pass(5.9); // at 19.9
    expect(ticks).toEqual([1]);
    await time.pass(0.1); // at 20: it counts from when the first was due
    expect(ticks).toEqual([1, 1]);
    await time.pass(10);
    expect(await end).toBe('left');
    expect(ticks).toEqual([1, 1, 1]);
    expect(reactor.inspect()).toMatchObject(idle);
  });

  test('ticks that a late consumer missed are counted in one value; those that a late turn missed are one', async () => {
    const { reactor } = time;
    const iterator = interval(10, { reactor });
    const first = iterator.next();
    await time.pass(10);
    expect(await first).toEqual({ done: false, value: 1 });
    for (let i = 0; i < 4; i++) await time.pass(10);
    expect(await iterator.next()).toEqual({ done: false, value: 4 });
    const afterPause = iterator.next();
    await time.pass(55);
    expect(await afterPause).toEqual({ done: false, value: 1 });
    const inRhythm = watch(iterator.next());
    await time.pass(4.9);
    expect(inRhythm.outcome).toBe('pending');
    await time.pass(0.1);
    expect(inRhythm.outcome).toBe('resolved');
    await iterator.return();
    expect(reactor.inspect()).toMatchObject(idle);
  });

  test('the timer begins with the first next()', async () => {
    const iterator = interval(10, { reactor: time.reactor });
    expect(time.reactor.inspect()).toMatchObject(idle);
    await iterator.return();
    const another = interval(10, { reactor: time.reactor });
    const next = watch(another.next());
    await time.settle();
    expect(time.reactor.inspect()).toMatchObject({ timers: 1, refs: 1 });
    await time.pass(10);
    expect(next.outcome).toBe('resolved');
    await another.return();
  });

  test('leaving the loop ends it: by break, by return(), by an exception', async () => {
    const { reactor } = time;
    const thrown = (async () => {
      for await (const tick of interval(10, { reactor })) throw new Error(`at ${tick}`);
    })();
    const { signal } = new AbortController();
    const listeners = watchListeners(signal);
    const left = consume({ periodMs: 10, reactor, signal, most: 1 });
    const seen = watch(thrown);
    await time.settle();
    expect(reactor.inspect().timers).toBe(2);
    await time.pass(10);
    expect(await left.end).toBe('left');
    expect(listeners.size).toBe(0);
    expect(seen).toMatchObject({ outcome: 'rejected', value: { message: 'at 1' } });
    expect(reactor.inspect()).toMatchObject(idle);
  });

  test('an abort ends the wait, also that of a consumer who is not waiting just now', async () => {
    const { reactor } = time;
    const controller = new AbortController();
    const { signal } = controller;
    const listeners = watchListeners(signal);
    const waiting = consume({ periodMs: 10, reactor, signal });
    const seen = watch(waiting.end);
    const iterator = interval(10, { reactor, signal });
    const first = iterator.next();
    await time.pass(10);
    await first;
    controller.abort('why');
    await time.settle();
    expect(seen).toMatchObject({ outcome: 'rejected', value: { ...aborted, cause: 'why' } });
    await expect(iterator.next()).rejects.toMatchObject(aborted);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(waiting.ticks).toEqual([1]);
    expect(listeners.size).toBe(0);
    expect(reactor.inspect()).toMatchObject(idle);
  });

  test('an abort before it begins', async () => {
    const iterator = interval(10, { reactor: time.reactor, signal: AbortSignal.abort() });
    await expect(iterator.next()).rejects.toMatchObject(aborted);
    expect(time.reactor.inspect()).toMatchObject(idle);
  });
});

describe('wrong arguments', () => {
  const wrongType: unknown[] = ['5', undefined, null, 1n, {}, Symbol('5')];
  const wrongValue = [-1, NaN, Infinity, -Infinity, 2 ** 53];
  const wrongOptions: unknown[] = [null, 5, 'options', () => {}];
  const wrongSignals: unknown[] = [null, 1, {}, { aborted: false }];

  const calls: [string, (ms: number, options?: TimerOptions) => Promise<unknown>][] = [
    ['sleep', (ms, options) => sleep(ms, options)],
    ['timeout', (ms, options) => timeout(never, ms, options)],
    ['interval', (ms, options) => interval(ms, options).next()],
  ];

  test.each(calls)('%s', async (name, call) => {
    const { reactor } = time;
    for (const ms of wrongType)
      await expect(call(ms as number, { reactor })).rejects.toMatchObject(invalidType);
    for (const ms of wrongValue) await expect(call(ms, { reactor })).rejects.toMatchObject(outOfRange);
    for (const options of wrongOptions) {
      await expect(call(5, options as TimerOptions)).rejects.toMatchObject(invalidType);
    }
    if (name !== 'timeout') {
      for (const signal of wrongSignals) {
        const options = { reactor, signal: signal as AbortSignal };
        await expect(call(5, options)).rejects.toMatchObject(invalidType);
      }
    }
    expect(reactor.inspect()).toMatchObject(idle);
    reactor.close();
    await expect(call(5, { reactor })).rejects.toMatchObject({ name: 'Error', code: 'ERR_TRIPOLL_CLOSED' });
  });

  test('timeout of what is no promise, and an interval without a length', async () => {
    const { reactor } = time;
    for (const promise of [undefined, null, 5, {}, { then: 1 }, () => {}]) {
      await expect(timeout(promise as unknown as Promise<void>, 5, { reactor })).rejects.toMatchObject(
        invalidType,
      );
    }
    for (const periodMs of [0, 0.5]) {
      await expect(interval(periodMs, { reactor }).next()).rejects.toMatchObject(outOfRange);
    }
    expect(reactor.inspect()).toMatchObject(idle);
  });
});
