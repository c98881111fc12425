// The registration table and the dispatcher by themselves: what a turn may do, what is told to whom
// at the end, and what the reactor's own tests see only from afar.
import { AsyncLocalStorage } from 'node:async_hooks';
import { Interest, Mode, Readiness, type Registration } from 'tripoll';
import { native } from '#lib/binding/native';
import { toProfile } from '#lib/reactor/context';
import { Dispatcher } from '#lib/reactor/dispatcher';
import type { EventHandler } from '#lib/reactor/registration';
import { Registry, type RegistryHost } from '#lib/reactor/registry';
import { closed, thrownBy, unsupported } from '../support/errors.js';
import { errno, FakePoller } from './fake-poller.js';

const { READABLE, WRITABLE, PRIORITY } = Interest;
const TURN_BUDGET = 1024;

/** What the registry asks of its reactor, noted. */
class Host implements RegistryHost {
  inTurn = false;
  closed = false;
  refs = 0;
  wakes = 0;
  shares = 0;

  addRef(count: number): void {
    this.refs += count;
  }

  wakeOnce(): void {
    this.wakes++;
  }

  shareCounters(): void {
    this.shares++;
  }
}

interface Bench {
  readonly host: Host;
  readonly poller: FakePoller;
  readonly registry: Registry;
  readonly dispatcher: Dispatcher;
  readonly order: number[];
  add(
    fd: number,
    options?: { priority?: number; mode?: number; interest?: number } & Partial<EventHandler>,
  ): Registration;
  /** One batch of what was emitted, as a turn dispatches it. */
  dispatch(): number;
}

function bench(): Bench {
  const [host, poller, order] = [new Host(), new FakePoller(), [] as number[]];
  const registry = new Registry(host, poller);
  const dispatcher = new Dispatcher(registry, poller);
  const add: Bench['add'] = (fd, options = {}) => {
    const { priority = 0, mode = Mode.LEVEL, interest = READABLE, ...handler } = options;
    const onReady = () => void order.push(fd);
    return registry.register(fd, interest, { onReady, ...handler }, toProfile({ mode, priority }));
  };
  const dispatch = (): number => {
    host.inTurn = true;
    const ran = dispatcher.dispatch(poller.wait(0));
    host.inTurn = false;
    registry.endTurn();
    return ran;
  };
  return { host, poller, registry, dispatcher, order, add, dispatch };
}

/** What went where Node takes what nobody caught. */
let uncaught: unknown[];
const { fatalException } = native;
beforeEach(() => {
  uncaught = [];
  native.fatalException = (error) => void uncaught.push(error);
});
afterEach(() => {
  native.fatalException = fatalException;
});

test('what comes and goes is told at once, but for what a turn does, which ends by telling', () => {
  const { host, add } = bench();
  const registration = add(5);
  expect(host.shares).toBe(1);
  registration.deregister();
  expect(host.shares).toBe(2);
  host.inTurn = true;
  add(6).deregister();
  expect(host.shares).toBe(2);
});

describe('what a turn may do', () => {
  test('a unit a call, and the bytes of a large one', () => {
    const { registry } = bench();
    registry.beginTurn();
    expect(registry.budget).toBe(TURN_BUDGET);
    for (let i = 1; i < TURN_BUDGET; i++) expect(registry.consumeBudget()).toBe(true);
    expect(registry.consumeBudget()).toBe(false);
    registry.beginTurn();
    registry.chargeBytes(3 * 8192 + 8191);
    expect(registry.budget).toBe(TURN_BUDGET - 3);
  });

  test('and its promises afterwards four times as much', () => {
    const { registry, dispatch } = bench();
    expect(registry.budget).toBe(TURN_BUDGET);
    dispatch();
    expect(registry.budget).toBe(4 * TURN_BUDGET);
  });

  test('a handler’s call is a unit', () => {
    const { poller, registry, dispatcher, add } = bench();
    for (const fd of [5, 6]) poller.emit(add(fd), READABLE);
    dispatcher.dispatch(poller.wait(0));
    expect(registry.budget).toBe(TURN_BUDGET - 2);
  });

  test.each([0, 1])('T58 what it leaves comes first in the next, each once (priority %d)', (priority) => {
    const { poller, registry, order, add, dispatch } = bench();
    add(9, { priority });
    const greedy = add(5, { priority, onReady: () => void (registry.budget = 0) });
    const [six, seven] = [add(6), add(7)];
    for (const registration of [greedy, six, seven]) poller.emit(registration, READABLE);
    expect(dispatch()).toBe(1);
    expect(registry.ready).toEqual([six, seven]);
    // Its event comes once more with the next batch, and another.
    poller.emit(seven, READABLE);
    greedy.deregister();
    expect(dispatch()).toBe(priority === 0 ? 3 : 2);
    expect(order).toEqual(priority === 0 ? [6, 7, 7] : [6, 7]);
    expect([registry.ready, registry.hasWork]).toEqual([[], false]);
  });

  test('T58 of the leftovers, too, it may leave some: these come before those that ask again', () => {
    const { registry, order, add, dispatch } = bench();
    const ended = add(4);
    const again = add(5, {
      onReady: (_readiness, registration) => {
        order.push(5);
        ended.deregister();
        registration.again();
        registry.budget = 0;
      },
    });
    const [six, seven] = [add(6), add(7)];
    for (const registration of [again, six, ended, seven]) registration.again();
    dispatch();
    expect([order, registry.ready]).toEqual([[5], [six, seven, again]]);
    six.deregister();
    dispatch();
    expect(order).toEqual([5, 7, 5]);
    expect(registry.ready).toEqual([again]);
  });

  test('T58 what is passed over grows a priority each turn, and then is its own again', () => {
    const { poller, registry, order, add, dispatch } = bench();
    const low = add(5, { priority: 0 });
    const high = add(6, {
      priority: 2,
      onReady: (_readiness, registration) => {
        order.push(6);
        registration.again();
        registry.budget = 0;
      },
    });
    poller.emit(low, READABLE);
    high.again();
    const ages: number[] = [];
    for (let turn = 0; turn < 3; turn++) {
      dispatch();
      ages.push(low.age);
    }
    // Of the same rank the leftover that is older comes first.
    expect([order, ages]).toEqual([
      [6, 6, 5, 6],
      [1, 2, 0],
    ]);
  });
});

describe('the dispatcher', () => {
  test('T58 what a driver had taken when it ended is kept for the next turn; stale events are counted', () => {
    const { poller, registry, dispatcher, order, add, dispatch } = bench();
    const [ended, five, six] = [add(4), add(5), add(6)];
    for (const registration of [ended, five, six, five]) poller.emit(registration, READABLE);
    poller.emit({ slot: 60, generation: 0 }, READABLE);
    ended.deregister();
    add(4);
    dispatcher.postponeBatch(poller.wait(0));
    expect([order, registry.ready, dispatcher.events, dispatcher.staleEvents]).toEqual([
      [],
      [five, six],
      5,
      2,
    ]);
    expect(dispatch()).toBe(2);
    expect(order).toEqual([5, 6]);
  });

  test.each([0, 1])('counts its events, and the stale ones (priority %d)', (priority) => {
    const { poller, dispatcher, order, add, dispatch } = bench();
    const ended = add(4);
    const last = add(6);
    const first = add(5, { priority, onReady: () => void last.deregister() });
    ended.deregister();
    // A slot that nobody has, a generation that is gone, one that ends in the batch, one that lives.
    poller.emit({ slot: 60, generation: 0 }, READABLE);
    for (const registration of [ended, first, last]) poller.emit(registration, READABLE);
    expect(dispatch()).toBe(1);
    expect([order, dispatcher.events, dispatcher.staleEvents]).toEqual([[], 4, 3]);
  });

  test.each([0, 1])(
    'a leftover that has ended is forgotten, and no stale event (priority %d)',
    (priority) => {
      const { registry, dispatcher, order, add, dispatch } = bench();
      add(4, { priority });
      const ended = add(5);
      ended.again();
      ended.deregister();
      expect(dispatch()).toBe(0);
      expect([order, registry.ready, dispatcher.staleEvents]).toEqual([[], [], 0]);
    },
  );

  test('by priority: events of one fd in one batch are one call with all of them, and one unit', () => {
    const { poller, registry, dispatcher, add, dispatch } = bench();
    const seen: number[] = [];
    const both = add(5, {
      priority: 1,
      interest: READABLE | WRITABLE,
      onReady: (readiness) => void seen.push(readiness),
    });
    poller.emit(both, READABLE);
    poller.emit(both, WRITABLE);
    expect(dispatcher.dispatch(poller.wait(0))).toBe(1);
    expect(registry.budget).toBe(TURN_BUDGET - 1);
    expect(seen).toEqual([READABLE | WRITABLE]);
    expect(dispatch()).toBe(0);
  });

  test('T02 of an ERROR with EBADF or ENOENT the registration is lost; without ERROR, or of another errno, it is not', () => {
    for (const [readiness, name, isLost] of [
      [Readiness.ERROR, 'EBADF', true],
      [Readiness.ERROR, 'ENOENT', true],
      [Readiness.ERROR, 'ECONNRESET', false],
      [READABLE, 'EBADF', false],
      [READABLE, 'ENOENT', false],
    ] as const) {
      const { poller, order, add, dispatch } = bench();
      const registration = add(5);
      poller.emit(registration, readiness, name);
      expect(dispatch()).toBe(1);
      expect([registration.active, registration.lost, registration.errno]).toEqual([
        !isLost,
        isLost,
        errno(name),
      ]);
      expect(order).toEqual(isLost ? [] : [5]);
    }
  });
});

describe('the table', () => {
  test('knows whether anybody has a priority, by which batches run as they come', () => {
    const { registry, poller, add } = bench();
    const [none, one, seven] = [add(4), add(5, { priority: 1 }), add(6, { priority: 7 })];
    poller.failNext('add', 'ENOSPC');
    expect(() => add(7, { priority: 1 })).toThrow();
    expect(registry.prioritized).toBe(2);
    none.deregister();
    one.deregister();
    expect(registry.prioritized).toBe(1);
    seven.deregister();
    expect(registry.prioritized).toBe(0);
  });

  test('a system that lacks a mode is told from one that refuses an fd', () => {
    const { poller, add } = bench();
    poller.failNext('add', 'ENOTSUP');
    expect(thrownBy(() => add(5))).toEqual(unsupported);
    poller.failNext('add', 'EPERM');
    expect(thrownBy(() => add(5))).toMatchObject({ code: 'EPERM', syscall: 'register' });
  });

  test('what the system refuses names the call and the fd', () => {
    const { poller, add } = bench();
    const registration = add(5);
    for (const [method, syscall, call] of [
      ['add', 'register', () => add(5)],
      ['modify', 'modify', () => registration.setInterest(WRITABLE)],
      ['delete', 'deregister', () => registration.deregister()],
    ] as const) {
      poller.failNext(method, 'ENOMEM');
      expect(call).toThrow(expect.objectContaining({ code: 'ENOMEM', syscall, fd: 5 }) as Error);
    }
  });

  test('T02 deregister says whether the number is still the file that was registered', () => {
    const { poller, add } = bench();
    expect(add(5).deregister()).toBe(true);
    const stray = add(6);
    poller.delete = () => 1;
    expect(stray.deregister()).toBe(false);
  });

  test('slots are given out again at once outside of a turn, and within one after it', () => {
    const { host, registry, add } = bench();
    const { slot } = add(5);
    registry.slab.slots[slot]!.deregister();
    expect(add(5).slot).toBe(slot);
    host.inTurn = true;
    registry.slab.slots[slot]!.deregister();
    expect(add(5).slot).not.toBe(slot);
    registry.endTurn();
    expect(add(6).slot).toBe(slot);
  });

  test('finds those that share a profile: a listener’s connections', () => {
    const { registry, add } = bench();
    const profile = toProfile({ mode: Mode.LEVEL, priority: 0 });
    const handler = { onReady: () => undefined };
    const one = registry.register(4, READABLE, handler, profile);
    const ended = registry.register(5, READABLE, handler, profile);
    add(6);
    const two = registry.register(7, READABLE, handler, profile);
    ended.deregister();
    expect(one.findWithProfile(profile)).toEqual([one, two]);
  });

  test('T02 one that is lost says so, and its error comes in the context of its register', () => {
    const { host, registry, poller, add } = bench();
    const storage = new AsyncLocalStorage<string>();
    const told: unknown[] = [];
    const onError = (error: unknown) => told.push(storage.getStore(), (error as NodeJS.ErrnoException).code);
    const registration = storage.run('register', () => add(5, { onError }));
    poller.failNext('modify', 'EBADF');
    storage.run('elsewhere', () => registration.setInterest(WRITABLE));
    expect([registration.lost, registration.deregister(), told, host.refs]).toEqual([true, false, [], 1]);
    expect([registry.runDeferred(), told, host.refs]).toEqual([1, ['register', 'EBADF'], 0]);
    expect(registry.runDeferred()).toBe(0);
    expect(host.refs).toBe(0);
  });

  test('T81 of a file that forgets its events the interest is looked at again', () => {
    const { poller, add } = bench();
    const registration = add(5);
    registration.setInterest(PRIORITY);
    registration.noteForgetful();
    expect(thrownBy(() => registration.setInterest(PRIORITY))).toEqual(unsupported);
    registration.setInterest(READABLE);
    expect(poller.callsOf('modify')).toHaveLength(2);
  });

  test('an EXCLUSIVE one cannot be modified', () => {
    const { poller, add } = bench();
    const registration = add(5, { mode: Mode.EXCLUSIVE | Mode.EDGE });
    expect(thrownBy(() => registration.setInterest(WRITABLE))).toEqual(unsupported);
    expect(poller.callsOf('modify')).toEqual([]);
  });
});

describe('work that is left over', () => {
  test('wakes the driver from outside of a turn; within one the turn’s end does', () => {
    const { host, registry, add } = bench();
    const registration = add(5);
    registry.requeue(registration, READABLE);
    expect([host.wakes, registry.hasWork]).toEqual([1, true]);
    registry.defer(() => undefined);
    expect(host.wakes).toBe(2);
    host.inTurn = true;
    registry.requeue(registration, READABLE);
    registry.defer(() => undefined);
    expect([host.wakes, registry.ready]).toEqual([2, [registration]]);
  });

  test('deferred: keeps the process alive until it has run, and is work', () => {
    const { host, registry } = bench();
    const ran: number[] = [];
    expect(registry.hasWork).toBe(false);
    registry.defer(() => ran.push(1));
    registry.defer(() => ran.push(2));
    expect([host.refs, registry.hasWork]).toEqual([1, true]);
    expect([registry.runDeferred(), ran, host.refs, registry.hasWork]).toEqual([2, [1, 2], 0, false]);
  });

  test('deferred after the end runs at once', () => {
    const { host, registry } = bench();
    const ran: number[] = [];
    host.closed = true;
    registry.defer(() => ran.push(1));
    expect([ran, host.refs, host.wakes]).toEqual([[1], 0, 0]);
  });
});

describe('the end', () => {
  test('whoever has no registration is told, unless he has taken it back, also while others are told', () => {
    const { host, registry } = bench();
    const told: string[] = [];
    const takeBack = registry.onClose(() => told.push('taken back'));
    registry.onClose(() => {
      told.push('one');
      later();
      throw new Error('one');
    });
    const later = registry.onClose(() => told.push('later'));
    registry.onClose(() => told.push('last'));
    takeBack();
    host.closed = true;
    registry.tellClosed();
    registry.tellClosed();
    expect([told, uncaught]).toMatchObject([['one', 'last'], [{ message: 'one' }]]);
    expect(thrownBy(() => registry.onClose(() => undefined))).toEqual(closed);
    expect(thrownBy(() => registry.checkOpen())).toEqual(closed);
  });

  test('handlers are told, and one that throws keeps it from nobody', () => {
    const { host, registry, poller, add } = bench();
    const told: number[] = [];
    const onReactorClose = ({ fd }: Registration): void => {
      told.push(fd);
      if (fd === 5) throw new Error('five');
    };
    add(4);
    const all = [5, 6].map((fd) => add(fd, { onReactorClose }));
    registry.requeue(all[0]!, READABLE);
    host.closed = true;
    registry.abandonAll();
    expect([told, uncaught]).toMatchObject([[5, 6], [{ message: 'five' }]]);
    expect(poller.callsOf('delete')).toHaveLength(3);
    expect([host.refs, registry.slab.size, registry.ready]).toEqual([0, 0, []]);
  });

  test('T02 an owner whose number is a stranger’s by now hears that it is lost', () => {
    const { registry, poller, add } = bench();
    const lost: boolean[] = [];
    const onReactorClose = (registration: Registration): void => void lost.push(registration.lost);
    for (const fd of [5, 6]) add(fd, { onReactorClose });
    poller.delete = (fd) => (fd === 5 ? 1 : 0);
    registry.abandonAll();
    expect(lost).toEqual([true, false]);
  });
});

describe('what a handler throws', () => {
  const boom = new Error('boom');
  const onReady = (): void => {
    throw boom;
  };

  test('goes to its onError', () => {
    const { poller, add, dispatch } = bench();
    const told: unknown[] = [];
    const registration = add(5, { onReady, onError: (...all) => told.push(...all) });
    poller.emit(registration, READABLE);
    expect(dispatch()).toBe(1);
    expect([told, uncaught]).toEqual([[boom, registration], []]);
  });

  test('without one it goes where Node takes what nobody caught, and so does what onError throws', () => {
    const { poller, add, dispatch } = bench();
    const second = new Error('second');
    const onError = (): void => {
      throw second;
    };
    for (const registration of [add(5, { onReady }), add(6, { onReady, onError })])
      poller.emit(registration, READABLE);
    expect(dispatch()).toBe(2);
    expect(uncaught).toEqual([boom, second]);
  });
});
