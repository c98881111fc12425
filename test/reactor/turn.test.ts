import { AsyncLocalStorage } from 'node:async_hooks';
import { Interest, Mode, Reactor, type Registration } from 'tripoll';
import { closed, invalidType, outOfRange, state, thrownBy, unsupported } from '../support/errors.js';
import { FakePoller } from './fake-poller.js';
import { fakeRig } from './fake-reactor.js';

const { READABLE } = Interest;
const NS_PER_MS = 1e6;

afterEach(() => jest.restoreAllMocks());

describe('a turn', () => {
  test('returns how many callbacks ran, and counts', () => {
    const { poller, reactor, watch } = fakeRig();
    const { registration } = watch(5);
    poller.emit(registration, READABLE);
    reactor.post(() => {});
    reactor.setTimer(0, () => {});
    expect(reactor.turn()).toBe(3);
    expect(reactor.turn()).toBe(0);
    expect(reactor.inspect()).toMatchObject({
      backend: 'fake',
      driver: 'manual',
      closed: false,
      turns: 2,
      emptyTurns: 1,
      events: 1,
      ready: 0,
      timers: 0,
    });
  });

  test('waits as long as it is told, rounded up to nanoseconds', () => {
    const { poller, reactor } = fakeRig();
    reactor.turn();
    reactor.turn(0.0000001);
    reactor.turn(1.5);
    reactor.turn(-1);
    reactor.turn(9_007_199_254_740);
    expect(poller.waits).toEqual([0, 1, 1.5 * NS_PER_MS, -1, Number.MAX_SAFE_INTEGER]);
  });

  test('a wait that fails is thrown, and the next turn works', () => {
    const { poller, reactor, watch } = fakeRig();
    const { registration, seen } = watch(5);
    poller.failNext('wait', 'EINVAL');
    expect(thrownBy(() => reactor.turn())).toMatchObject({ name: 'Error', code: 'EINVAL' });
    poller.emit(registration, READABLE);
    expect(reactor.turn()).toBe(1);
    expect(seen).toEqual([READABLE]);
  });

  test('T53 turn inside a turn throws, and corrupts nothing', () => {
    const { poller, reactor, watch } = fakeRig();
    const thrown: unknown[] = [];
    const reenter = (): void => void thrown.push(thrownBy(() => reactor.turn()));
    const first = watch(5, reenter);
    const second = watch(6);
    poller.emit(first.registration, READABLE);
    poller.emit(second.registration, READABLE);
    reactor.post(reenter);
    reactor.setTimer(0, reenter);
    reactor.registry.defer(reenter);
    expect(reactor.turn()).toBe(5);
    expect(thrown).toEqual([state, state, state, state]);
    expect([first.seen, second.seen]).toEqual([[READABLE], [READABLE]]);
    expect(poller.waits).toHaveLength(1);
    expect(reactor.turn()).toBe(0);
    expect(reactor.inspect()).toMatchObject({ turns: 2, registrations: 2, refs: 2 });
  });

  test.each([
    ['as it came', undefined],
    ['by priority', 2],
  ])('T52 a handler ends itself, and another later in the batch (%s)', (_name, priority) => {
    const { poller, reactor, watch } = fakeRig();
    const options = priority === undefined ? {} : { priority };
    const order: number[] = [];
    const note = ({ fd }: Registration): void => void order.push(fd);
    const victim = watch(7, note, options);
    const first = watch(
      5,
      (registration) => {
        note(registration);
        registration.deregister();
        victim.registration.deregister();
      },
      options,
    );
    const last = watch(8, note, options);
    for (const { registration } of [first, victim, first, last]) poller.emit(registration, READABLE);
    expect(reactor.turn()).toBe(2);
    expect(order).toEqual([5, 8]);
    expect(reactor.inspect()).toMatchObject({ registrations: 1, refs: 1 });
    expect(reactor.inspect().staleEvents).toBeGreaterThan(0);
  });

  test.each([0, 2])('T52 a handler closes the reactor (priority %d)', (priority) => {
    const { poller, reactor, watch } = fakeRig();
    const ran: string[] = [];
    const first = watch(5, () => reactor.close(), { priority });
    const later = watch(6, undefined, { priority });
    poller.emit(first.registration, READABLE);
    poller.emit(later.registration, READABLE);
    reactor.setTimer(0, () => ran.push('timer'));
    reactor.registry.defer(() => ran.push('deferred'));
    expect(reactor.turn()).toBe(2);
    expect(later.seen).toEqual([]);
    // Deferred work tells of endings: it is not dropped.
    expect(ran).toEqual(['deferred']);
    expect(thrownBy(() => reactor.turn())).toEqual(closed);
    expect(reactor.inspect()).toMatchObject({ registrations: 0, timers: 0, refs: 0 });
  });

  test('T52 posted work closes the reactor: the rest of it is dropped', () => {
    const { poller, reactor, watch } = fakeRig();
    const ran: string[] = [];
    const { registration, seen } = watch(5);
    poller.emit(registration, READABLE);
    reactor.post(() => reactor.close());
    reactor.post(() => ran.push('posted'));
    reactor.turn();
    expect(ran).toEqual([]);
    expect(seen).toEqual([]);
  });

  test('T52 a timer closes the reactor: those that are due too do not fire', () => {
    const { reactor } = fakeRig();
    const ran: string[] = [];
    reactor.setTimer(0, () => reactor.close(), { repeatMs: 5 });
    reactor.setTimer(0, () => ran.push('timer'));
    reactor.turn();
    expect(ran).toEqual([]);
    expect(reactor.inspect()).toMatchObject({ timers: 0, refs: 0 });
  });

  test('T12 T58 again(): the next turn carries on, without a new event', () => {
    const { poller, reactor, watch } = fakeRig();
    let left = 2;
    const edge = watch(5, (registration) => left-- > 0 && registration.again(), { mode: Mode.EDGE });
    poller.emit(edge.registration, READABLE);
    expect(reactor.turn(-1)).toBe(1);
    expect(edge.seen).toHaveLength(1); // not in the same turn: others come first
    expect(reactor.inspect().ready).toBe(1);
    expect(reactor.turn(-1)).toBe(1);
    expect(reactor.turn(-1)).toBe(1);
    expect(reactor.turn(0)).toBe(0);
    expect(edge.seen).toEqual([READABLE, READABLE, READABLE]);
    // While something is left over the wait is none.
    expect(poller.waits).toEqual([-1, 0, 0, 0]);
  });

  test('T58 again() from outside a turn, before any event, and more than once', () => {
    const { poller, reactor, watch } = fakeRig();
    const { registration, seen } = watch(5);
    registration.again();
    registration.again();
    expect(reactor.turn(-1)).toBe(1);
    expect(seen).toEqual([READABLE]);
    expect(poller.waits).toEqual([0]);
  });

  test.each([0, 1])('T58 what ended meanwhile is not carried on (priority %d)', (priority) => {
    const { poller, reactor, watch } = fakeRig();
    const { registration, seen } = watch(5, (self) => self.again(), { priority });
    poller.emit(registration, READABLE);
    reactor.turn();
    registration.deregister();
    expect(reactor.turn()).toBe(0);
    expect(seen).toHaveLength(1);
  });

  test('T12 a handler that always carries on does not keep events and timers of others back', () => {
    const { poller, clock, reactor, watch } = fakeRig();
    const greedy = watch(5, (registration) => registration.again());
    const other = watch(6);
    let ticks = 0;
    reactor.setTimer(1, () => ticks++, { repeatMs: 1 });
    poller.emit(greedy.registration, READABLE);
    for (let turn = 0; turn < 10; turn++) {
      clock.advance(1);
      poller.emit(other.registration, READABLE);
      reactor.turn(-1);
    }
    expect(greedy.seen).toHaveLength(10);
    expect(other.seen).toHaveLength(10);
    expect(ticks).toBe(10);
  });

  test('handlers run by priority, then by arrival, leftovers first', () => {
    const { poller, reactor, watch } = fakeRig();
    const order: string[] = [];
    const add = (fd: number, name: string, priority: number): Registration =>
      watch(fd, ({ name: own }) => void order.push(own ?? ''), { name, priority }).registration;
    const all = [add(1, 'c0', 0), add(2, 'b3', 3), add(3, 'd0', 0), add(4, 'a7', 7), add(5, 'e3', 3)];
    for (const registration of all) poller.emit(registration, READABLE);
    const leftover = add(6, 'left3', 3);
    leftover.again();
    expect(reactor.turn()).toBe(6);
    expect(order).toEqual(['a7', 'left3', 'b3', 'e3', 'c0', 'd0']);
    order.length = 0;
    for (const registration of all.slice(1)) registration.deregister();
    leftover.deregister();
    poller.emit(all[0] as Registration, READABLE);
    reactor.turn();
    expect(order).toEqual(['c0']);
  });

  test('without priorities handlers run as their events came', () => {
    const { poller, reactor, watch } = fakeRig();
    const order: number[] = [];
    const add = (fd: number): Registration => watch(fd, (own) => void order.push(own.fd)).registration;
    const [a, b, c] = [add(1), add(2), add(3)];
    for (const registration of [c, a, b]) poller.emit(registration, READABLE);
    reactor.turn();
    expect(order).toEqual([3, 1, 2]);
  });

  test('post: in order, in the next turn and before its handlers; posted by posted: the turn after', () => {
    const { poller, reactor, watch } = fakeRig();
    const order: string[] = [];
    const { registration } = watch(5, () => {
      order.push('ready');
      reactor.post(() => order.push('from handler'));
    });
    reactor.post(() => {
      order.push('first');
      reactor.post(() => order.push('nested'));
    });
    reactor.post(() => order.push('second'));
    poller.emit(registration, READABLE);
    expect(reactor.inspect().refs).toBe(2);
    expect(reactor.turn(-1)).toBe(3);
    expect(order).toEqual(['first', 'second', 'ready']);
    expect(reactor.turn(-1)).toBe(2);
    expect(order.slice(3)).toEqual(['nested', 'from handler']);
    expect(reactor.inspect().refs).toBe(1);
    expect(poller.waits).toEqual([0, 0]);
  });

  test('defer: at the end of this turn, after all handlers and timers; deferred by deferred: the next', () => {
    const { poller, reactor, watch } = fakeRig();
    const order: string[] = [];
    const first = watch(5, () => {
      reactor.registry.defer(() => {
        order.push('deferred');
        reactor.registry.defer(() => order.push('nested'));
      });
      order.push('one');
    });
    const second = watch(6, () => order.push('two'));
    reactor.setTimer(0, () => order.push('timer'));
    poller.emit(first.registration, READABLE);
    poller.emit(second.registration, READABLE);
    reactor.turn(-1);
    expect(order).toEqual(['one', 'two', 'timer', 'deferred']);
    expect(reactor.inspect().refs).toBe(3);
    reactor.turn(-1);
    expect(order[4]).toBe('nested');
    expect(poller.waits).toEqual([0, 0]);
    reactor.close();
    reactor.registry.defer(() => order.push('after close'));
    expect(order[5]).toBe('after close');
  });

  test('T55 what a handler throws goes to its onError, and the rest of the batch runs', () => {
    const { poller, reactor, watch } = fakeRig();
    const problem = new Error('handler');
    const bad = watch(5, () => {
      throw problem;
    });
    const good = watch(6);
    poller.emit(bad.registration, READABLE);
    poller.emit(good.registration, READABLE);
    expect(reactor.turn()).toBe(2);
    expect(bad.errors).toEqual([problem]);
    expect(good.seen).toEqual([READABLE]);
    // It stays registered: what the error means is for its handler to say.
    expect(bad.registration.active).toBe(true);
    poller.emit(bad.registration, READABLE);
    reactor.turn();
    expect(bad.errors).toEqual([problem, problem]);
  });

  test('T49 many turns in a row that reach nobody are counted and reported, once', () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { poller, reactor, watch } = fakeRig();
    const ended = watch(5).registration;
    ended.deregister();
    const { registration } = watch(6);
    const spin = (turns: number): void => {
      for (let i = 0; i < turns; i++) {
        poller.emit(ended, READABLE);
        reactor.turn();
      }
    };
    spin(511);
    poller.emit(registration, READABLE);
    reactor.turn(); // something real: not in a row
    spin(511);
    expect(emitWarning).not.toHaveBeenCalled();
    spin(600);
    expect(emitWarning.mock.calls).toEqual([
      [expect.stringContaining('512 turns'), { type: 'TripollWarning', code: 'ERR_TRIPOLL_SPIN' }],
    ]);
    expect(reactor.inspect()).toMatchObject({ emptyTurns: 1622, staleEvents: 1622 });
  });

  test('T49 idle turns are counted and no reason to warn', () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { reactor } = fakeRig();
    for (let i = 0; i < 2000; i++) reactor.turn();
    expect(reactor.inspect().emptyTurns).toBe(2000);
    expect(emitWarning).not.toHaveBeenCalled();
  });

  test('wakers: any number of wakes is one onWake, in the next turn', () => {
    const { reactor } = fakeRig();
    let woken = 0;
    const waker = reactor.waker(() => {
      woken++;
      if (woken === 2) waker.wake();
    });
    const silent = reactor.waker();
    silent.wake();
    waker.wake();
    waker.wake();
    expect(reactor.turn()).toBe(1);
    expect(reactor.turn()).toBe(0);
    waker.wake();
    expect(reactor.turn()).toBe(1);
    expect(reactor.turn()).toBe(1); // woken from its own onWake: the turn after
    expect(woken).toBe(3);
    expect(reactor.inspect().refs).toBe(0);
    waker.close();
    waker[Symbol.dispose]();
    expect(thrownBy(() => waker.wake())).toEqual(closed);
  });

  test('turn(): wrong arguments and the wrong driver', () => {
    const { reactor } = fakeRig();
    const wrong: unknown = '5';
    expect(thrownBy(() => reactor.turn(wrong as number))).toEqual(invalidType);
    for (const timeoutMs of [2 ** 53, -2, -0.5, NaN, Infinity]) {
      expect(thrownBy(() => reactor.turn(timeoutMs))).toEqual(outOfRange);
    }
    const poller = new FakePoller();
    expect(thrownBy(() => new Reactor({ poller, driver: 'watcher' }))).toEqual(unsupported);
  });
});

describe('a budget', () => {
  const BUDGET = 1024; // as many as a batch has

  test.each([0, 1])(
    'T12 T58 what is above it comes in the next turn, without a wait (priority %d)',
    (priority) => {
      const { poller, reactor, watch } = fakeRig();
      const order: number[] = [];
      const again = watch(5, (own) => own.again(), { priority });
      // As a socket does that reads in a loop: all but one unit.
      const greedy = watch(6, () => {
        for (let i = 0; i < BUDGET - 1; i++) reactor.registry.consumeBudget();
      });
      const late = [7, 8].map((fd) => watch(fd, () => void order.push(fd)));
      poller.emit(again.registration, READABLE);
      poller.emit(greedy.registration, READABLE);
      for (const { registration } of late) poller.emit(registration, READABLE);
      let ticks = 0;
      reactor.setTimer(0, () => ticks++);
      expect(reactor.turn(-1)).toBe(3);
      expect([order, ticks]).toEqual([[], 1]);
      expect(reactor.turn(-1)).toBe(3);
      expect(order).toEqual([7, 8]);
      expect(poller.waits).toEqual([0, 0]);
    },
  );

  test('T12 the lowest priority is not starved by higher ones', () => {
    const { poller, reactor, watch } = fakeRig();
    const greedy = watch(
      5,
      (own) => {
        own.again();
        for (let i = 0; i < BUDGET; i++) reactor.registry.consumeBudget();
      },
      { priority: 7 },
    );
    const low = watch(6);
    poller.emit(greedy.registration, READABLE);
    poller.emit(low.registration, READABLE);
    for (let turn = 0; turn < 10; turn++) reactor.turn();
    expect(low.seen).toEqual([READABLE]);
    expect(greedy.seen.length).toBeGreaterThanOrEqual(8);
  });
});

describe('the context of a caller', () => {
  test('is that of register, setTimer and post', () => {
    const { poller, clock, reactor, watch } = fakeRig();
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const note = (): void => void seen.push(storage.getStore());
    const { registration } = storage.run('register', () => watch(5, note));
    storage.run('post', () => reactor.post(note));
    storage.run('timer', () => reactor.setTimer(1, note));
    poller.emit(registration, READABLE);
    clock.advance(1);
    storage.run('turn', () => reactor.turn());
    expect(seen).toEqual(['post', 'register', 'timer']);
  });
});

describe('close', () => {
  test('everything throws ERR_TRIPOLL_CLOSED afterwards; closing and ending twice are fine', () => {
    const { poller, reactor, watch } = fakeRig();
    const { registration, seen } = watch(5);
    const timer = reactor.setTimer(5, () => {});
    const waker = reactor.waker(() => {});
    reactor.post(() => seen.push(-1));
    poller.emit(registration, READABLE);
    reactor.close();
    reactor.close();
    reactor[Symbol.dispose]();
    expect(poller.callsOf('close')).toHaveLength(1);
    expect(reactor.closed).toBe(true);
    expect(reactor.inspect()).toMatchObject({ closed: true, registrations: 0, timers: 0, ready: 0, refs: 0 });
    const uses: (() => unknown)[] = [
      () => reactor.turn(),
      () => watch(6),
      () => reactor.supports(Mode.LEVEL),
      () => reactor.post(() => {}),
      () => reactor.setTimer(0, () => {}),
      () => reactor.waker(),
      () => registration.setInterest(READABLE),
      () => registration.rearm(),
      () => registration.again(),
      () => timer.reschedule(1),
      () => waker.wake(),
    ];
    for (const use of uses) expect(thrownBy(use)).toEqual(closed);
    registration.deregister();
    registration.unref();
    timer.cancel();
    timer.unref();
    waker.close();
    expect(timer.active).toBe(false);
    expect(seen).toEqual([]);
    expect(reactor.inspect().refs).toBe(0);
  });

  test('owners of fds are told, each whatever another does', () => {
    const { poller, reactor, watch } = fakeRig();
    const order: string[] = [];
    const register = (fd: number, onReactorClose: (registration: Registration) => void): Registration =>
      reactor.register(fd, READABLE, { onReady: () => {}, onReactorClose });
    register(4, (registration) => {
      order.push(`4 ${registration.active}`);
      registration.deregister();
      other.deregister();
      reactor.close();
      order.push(String(thrownBy(() => watch(9)).code));
    });
    const other = register(5, () => void order.push('5'));
    register(6, () => void order.push('6'));
    reactor.close();
    expect(order).toEqual(['4 false', 'ERR_TRIPOLL_CLOSED', '6']);
    // Nothing touches the poller after its end.
    expect(poller.calls.at(-1)).toEqual(['close']);
  });

  test('an error of a lost fd is still told when the reactor closes first', () => {
    const { poller, reactor, watch } = fakeRig();
    const lost = watch(5);
    poller.failNext('modify', 'EBADF');
    lost.registration.rearm();
    reactor.close();
    expect(lost.errors).toMatchObject([{ name: 'Error', code: 'EBADF' }]);
  });
});
