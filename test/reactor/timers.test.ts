import { Poller, Reactor, type Timer } from 'tripoll';
import { invalidType, outOfRange, thrownBy } from '../support/errors.js';
import { FakeClock } from './fake-clock.js';
import { fakeRig } from './fake-reactor.js';

const NS_PER_MS = 1e6;

describe('timers', () => {
  test('fire once, never early, in the order of their times', () => {
    const { clock, reactor } = fakeRig(1000.25);
    const order: string[] = [];
    reactor.setTimer(3, () => order.push('c'));
    reactor.setTimer(1, () => order.push('a'));
    reactor.setTimer(1, () => order.push('b'));
    expect(reactor.turn()).toBe(0);
    clock.advance(0.99); // 0.01 ms early
    expect(reactor.turn()).toBe(0);
    clock.advance(0.76); // a tick is a millisecond, rounded up: at 1002
    expect(reactor.turn()).toBe(2);
    clock.advance(10);
    expect(reactor.turn()).toBe(1);
    clock.advance(1000);
    expect(reactor.turn()).toBe(0);
    expect(order).toEqual(['a', 'b', 'c']);
    expect(reactor.inspect()).toMatchObject({ timers: 0, refs: 0 });
  });

  test('never early and in order, whatever the delays', () => {
    const { clock, reactor } = fakeRig(0.5);
    let seed = 42;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return (seed / 2147483648) * below;
    };
    const wrong: string[] = [];
    let last = 0;
    let fired = 0;
    for (let i = 0; i < 2000; i++) {
      const delayMs = random(i % 3 === 0 ? 10 : i % 3 === 1 ? 10_000 : 10_000_000);
      const dueMs = clock.nowMs() + delayMs;
      reactor.setTimer(delayMs, () => {
        fired++;
        if (clock.nowMs() < dueMs) wrong.push(`early: ${dueMs} at ${clock.nowMs()}`);
        if (Math.ceil(dueMs) < last) wrong.push(`out of order: ${dueMs} after ${last}`);
        last = Math.ceil(dueMs);
      });
    }
    while (reactor.inspect().timers > 0) {
      clock.advance(random(20_000));
      last = 0;
      reactor.turn();
    }
    expect(wrong).toEqual([]);
    expect(fired).toBe(2000);
  });

  test('T57 a wait is cut to the next timer, rounded up, whatever longer time was asked', () => {
    const { poller, clock, reactor } = fakeRig();
    const far = reactor.setTimer(60_000, () => {});
    reactor.turn(-1);
    reactor.setTimer(10, () => {}).unref();
    reactor.turn(-1);
    reactor.turn(4);
    clock.advance(9.75);
    reactor.turn(5000);
    clock.advance(5);
    reactor.turn(-1); // due: no wait
    far.cancel();
    reactor.turn(-1);
    expect(poller.waits).toEqual([
      60_000 * NS_PER_MS,
      10 * NS_PER_MS,
      4 * NS_PER_MS,
      0.25 * NS_PER_MS,
      0,
      -1,
    ]);
  });

  test('T57 a timer that is set while the poller waits fires at the turn after', () => {
    const { poller, clock, reactor } = fakeRig();
    let fired = 0;
    poller.onWait = () => {
      poller.onWait = null;
      reactor.setTimer(2, () => fired++);
    };
    reactor.turn(10);
    clock.advance(2);
    reactor.turn(-1);
    expect(poller.waits).toEqual([10 * NS_PER_MS, 0]);
    expect(fired).toBe(1);
  });

  test('repeatMs: a fixed rate, counted from when it was due', () => {
    const { clock, reactor } = fakeRig();
    const at: number[] = [];
    reactor.setTimer(5, () => at.push(clock.nowMs()), { repeatMs: 10 });
    for (let i = 0; i < 60; i++) {
      clock.advance(0.75);
      reactor.turn();
    }
    expect(at).toEqual([1005.25, 1015, 1025.5, 1035.25, 1045]);
  });

  test('repeatMs: missed ticks are one, and the rhythm is kept', () => {
    const { clock, reactor } = fakeRig();
    const at: number[] = [];
    const timer = reactor.setTimer(10, () => at.push(clock.nowMs()), { repeatMs: 10 });
    clock.advance(47);
    expect(reactor.turn()).toBe(1);
    clock.advance(2);
    expect(reactor.turn()).toBe(0);
    clock.advance(1);
    expect(reactor.turn()).toBe(1);
    expect(at).toEqual([1047, 1050]);
    expect(timer.active).toBe(true);
    timer.cancel();
    clock.advance(100);
    expect(reactor.turn()).toBe(0);
  });

  test('a timer that cancels itself, also a repeating one', () => {
    const { clock, reactor } = fakeRig();
    let fired = 0;
    const timer: Timer = reactor.setTimer(
      1,
      () => {
        fired++;
        timer.cancel();
      },
      { repeatMs: 1 },
    );
    for (let i = 0; i < 5; i++) {
      clock.advance(1);
      reactor.turn();
    }
    expect(fired).toBe(1);
    expect(timer.active).toBe(false);
    expect(reactor.inspect()).toMatchObject({ timers: 0, refs: 0 });
    timer.reschedule(1);
    clock.advance(1);
    reactor.turn();
    expect(fired).toBe(2);
  });

  test('a timer cancels another that is due in the same turn', () => {
    const { clock, reactor } = fakeRig();
    let fired = 0;
    reactor.setTimer(1, () => victim.cancel());
    const victim = reactor.setTimer(1, () => fired++);
    clock.advance(1);
    expect(reactor.turn()).toBe(1);
    expect(fired).toBe(0);
    expect(reactor.inspect()).toMatchObject({ timers: 0, refs: 0 });
  });

  test('reschedule: earlier, later, after it fired, from its own callback', () => {
    const { clock, reactor } = fakeRig();
    const at: number[] = [];
    const timer: Timer = reactor.setTimer(10, () => {
      at.push(clock.nowMs() - 1000);
      if (at.length === 2) timer.reschedule(3);
    });
    const step = (count: number): void => {
      for (let i = 0; i < count; i++) {
        clock.advance(1);
        reactor.turn();
      }
    };
    timer.reschedule(20);
    step(15);
    timer.reschedule(1);
    step(10);
    timer.reschedule(2);
    step(10);
    expect(at).toEqual([16, 27, 30]);
    expect(reactor.inspect()).toMatchObject({ timers: 0, refs: 0 });
  });

  test('reschedule of a repeating timer from its own callback keeps one rhythm', () => {
    const { clock, reactor } = fakeRig();
    const at: number[] = [];
    const timer: Timer = reactor.setTimer(
      10,
      () => {
        at.push(clock.nowMs() - 1000);
        if (at.length === 1) timer.reschedule(15);
      },
      { repeatMs: 10 },
    );
    for (let i = 0; i < 40; i++) {
      clock.advance(1);
      reactor.turn();
    }
    expect(at).toEqual([10, 25, 35]);
    expect(reactor.inspect()).toMatchObject({ timers: 1, refs: 1 });
  });

  test('a timer that its callback sets anew with 0 waits for the next turn', () => {
    const { clock, reactor } = fakeRig();
    let fired = 0;
    const again = (): void => {
      if (++fired < 100) reactor.setTimer(0, again);
    };
    reactor.setTimer(0, again);
    expect(reactor.turn()).toBe(1);
    clock.advance(1);
    expect(reactor.turn()).toBe(1);
    expect(fired).toBe(2);
  });

  test('refs: a timer counts while it waits', () => {
    const { clock, reactor } = fakeRig();
    const refs = (): number => reactor.inspect().refs;
    const seen: number[] = [];
    const timer: Timer = reactor.setTimer(1, () => seen.push(refs()), { repeatMs: 1 });
    expect(refs()).toBe(1);
    timer.unref().unref();
    expect(refs()).toBe(0);
    clock.advance(1);
    reactor.turn();
    expect(refs()).toBe(0);
    timer.ref().ref();
    expect(refs()).toBe(1);
    clock.advance(1);
    reactor.turn();
    expect(refs()).toBe(1);
    timer.reschedule(5);
    expect(refs()).toBe(1);
    timer.cancel();
    timer.cancel();
    expect(refs()).toBe(0);
    timer.unref().ref();
    expect(refs()).toBe(0);
    timer.reschedule(1);
    expect(refs()).toBe(1);
  });

  test('wrong arguments', () => {
    const { reactor } = fakeRig();
    const fn = (): void => {};
    const wrong: unknown = '5';
    const timer = reactor.setTimer(0, fn);
    expect(thrownBy(() => reactor.setTimer(wrong as number, fn))).toEqual(invalidType);
    expect(thrownBy(() => reactor.setTimer(1, wrong as () => void))).toEqual(invalidType);
    expect(thrownBy(() => reactor.setTimer(1, fn, wrong as object))).toEqual(invalidType);
    expect(thrownBy(() => reactor.setTimer(1, fn, { repeatMs: wrong as number }))).toEqual(invalidType);
    expect(thrownBy(() => timer.reschedule(wrong as number))).toEqual(invalidType);
    for (const delayMs of [2 ** 53, -1, NaN, Infinity]) {
      expect(thrownBy(() => reactor.setTimer(delayMs, fn))).toEqual(outOfRange);
      expect(thrownBy(() => timer.reschedule(delayMs))).toEqual(outOfRange);
      expect(thrownBy(() => reactor.setTimer(1, fn, { repeatMs: delayMs }))).toEqual(outOfRange);
    }
    expect(thrownBy(() => reactor.setTimer(1, fn, { repeatMs: 0 }))).toEqual(outOfRange);
    expect(reactor.inspect()).toMatchObject({ timers: 1, refs: 1 });
  });

  test('T57 a timer further away than a poller can be told is armed again on the way', async () => {
    const setDeadline = jest.spyOn(Poller.prototype, 'setDeadline');
    const clock = new FakeClock();
    const reactor = new Reactor({ driver: 'watcher', clock });
    const turn = (): Promise<void> =>
      new Promise((resolve) => {
        reactor.post(resolve);
      });
    try {
      reactor.setTimer(9_007_199_254_740, () => {});
      await turn();
      expect(setDeadline.mock.calls).toEqual([[Number.MAX_SAFE_INTEGER]]);
      clock.advance(105 * 24 * 3600 * 1000);
      await turn();
      await turn();
      expect(setDeadline.mock.calls).toHaveLength(2);
    } finally {
      reactor.close();
      setDeadline.mockRestore();
    }
  });
});
