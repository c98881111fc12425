// Threads that stay awake between their rounds. That no wake is lost, explorer-awake.test.ts shows.
import { AsyncLocalStorage } from 'node:async_hooks';
import { Reactor } from '#lib/index';
import { Awake, type AwakeHost } from '#lib/runtime/awake';
import type { Waker } from '#lib/reactor/waker';
import { until, within } from '../support/deadline.js';
import { outOfRange, thrownBy } from '../support/errors.js';
import { Runtime } from '#lib/runtime/index';
import { tasksFile, withRuntime } from './rig.js';

interface Rig {
  readonly reactor: Reactor;
  readonly waker: Waker;
  readonly awake: Awake;
  /** What has been asked, in order. */
  readonly log: string[];
}

function withRig(host: Partial<AwakeHost>, spinUs: number, fn: (rig: Rig) => Promise<void>): Promise<void> {
  const reactor = new Reactor({ driver: 'manual' });
  const log: string[] = [];
  const waker = reactor.waker(() => awake.run());
  const noted: AwakeHost = {
    work: (isWoken) => {
      log.push(`work ${isWoken}`);
      host.work?.(isWoken);
    },
    tell: () => log.push('tell'),
    expectsWork: () => {
      log.push('expects');
      return host.expectsWork?.() ?? false;
    },
    hasWork: () => host.hasWork?.() ?? false,
    sleep: () => {
      log.push('sleep');
      return host.sleep?.() ?? true;
    },
  };
  const awake = new Awake(waker, noted, spinUs);
  return fn({ reactor, waker, awake, log }).finally(() => reactor.close());
}

/** The thread has gone to its poller `count` times. */
const slept = (log: readonly string[], count: number): Promise<void> =>
  until(() => log.filter((each) => each === 'sleep').length === count, `sleep ${count}`);

test('what comes while promises run is done without a turn; what comes in sleep needs one', async () => {
  let microtasks = 0;
  const work = (): void => {
    if (++microtasks === 1) void Promise.resolve().then(() => waker.wake());
  };
  let waker: Waker;
  await withRig({ work }, 0, async (rig) => {
    waker = rig.waker;
    waker.wake();
    rig.reactor.turn();
    await slept(rig.log, 1);
    expect(rig.log).toEqual(['work true', 'tell', 'work true', 'tell', 'sleep']);
    waker.wake();
    expect(rig.reactor.inspect().turns).toBe(1);
    rig.reactor.turn();
    await slept(rig.log, 2);
    expect(rig.log.slice(5)).toEqual(['work true', 'tell', 'sleep']);
  });
});

test('a wake between the last look and sleep is not lost', async () => {
  let sleeps = 0;
  const sleep = (): boolean => {
    if (++sleeps === 1) waker.wake();
    return true;
  };
  let waker: Waker;
  await withRig({ sleep }, 0, async (rig) => {
    waker = rig.waker;
    waker.wake();
    rig.reactor.turn();
    await slept(rig.log, 2);
    expect(rig.log).toEqual(['work true', 'tell', 'sleep', 'work true', 'tell', 'sleep']);
  });
});

test('soon() needs no turn, and carries no context of its caller', async () => {
  const storage = new AsyncLocalStorage<string>();
  const stores: unknown[] = [];
  await withRig({ work: () => stores.push(storage.getStore()) }, 0, async ({ reactor, awake, log }) => {
    storage.run('of a task', () => awake.soon());
    await slept(log, 1);
    expect(log).toEqual(['tell', 'work true', 'tell', 'sleep']);
    expect({ stores, turns: reactor.inspect().turns }).toEqual({ stores: [undefined], turns: 0 });
  });
});

test('it spins for what comes soon, and ever more seldom in vain', async () => {
  let looks = 0;
  const hasWork = (): boolean => looks > 0 && --looks === 0;
  await withRig({ hasWork, expectsWork: () => true }, 1000, async ({ reactor, waker, log }) => {
    const wakeUp = async (count: number): Promise<void> => {
      waker.wake();
      reactor.turn();
      await slept(log, count);
    };
    const spins = (): number => log.filter((each) => each === 'expects').length;
    for (let i = 1; i <= 62; i++) await wakeUp(i);
    // In rounds 1, 3, 7, 15 and 31.
    expect(spins()).toBe(5);
    looks = 3; // found by the third: the first is before the spin
    await wakeUp(63);
    // That one has found something, so that the next round spins again.
    expect(spins()).toBe(7);
    expect(log.filter((each) => each === 'work false')).toHaveLength(1);
  });
});

const nextRound = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

test('the loop comes round however much there is to do', async () => {
  let isOver = false;
  let asks = 0;
  await withRig({ hasWork: () => !isOver && ++asks < 1e6 }, 0, async ({ awake, log }) => {
    awake.soon();
    for (let i = 0; i < 3; i++) await within(nextRound(), 'a round');
    isOver = true;
    expect(asks).toBeLessThan(1e6);
    await slept(log, 1);
  });
});

test.each([0, 1000])('tasks one at a time, also from task to task, with spinUs %d', async (spinUs) => {
  await withRuntime({ workers: 2, spinUs }, async (runtime) => {
    for (let i = 0; i < 200; i++) expect(await within(runtime.spawn('add', [i, 1]), 'a sum')).toBe(i + 1);
    expect(await within(runtime.spawn('fibonacci', [10]), 'a number of Fibonacci')).toBe(55);
    expect(runtime.inspect().spinUs).toBe(spinUs);
  });
});

test('spinUs is 0 to 1000', () => {
  for (const spinUs of [-1, 1001, 0.5]) {
    expect(thrownBy(() => new Runtime({ entry: tasksFile, spinUs }))).toMatchObject(outOfRange);
  }
});
