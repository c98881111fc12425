import { Interest, Mode, Readiness } from 'tripoll';
import { closed, invalidType, outOfRange, thrownBy, unsupported } from '../support/errors.js';
import { errno } from './fake-poller.js';
import { fakeRig } from './fake-reactor.js';

const { READABLE, WRITABLE, PRIORITY } = Interest;

describe('the registration table', () => {
  test('T01 within a batch the slot of an ended registration is not given to another', () => {
    const { poller, reactor, watch } = fakeRig();
    const late = watch(5);
    let newcomer: ReturnType<typeof watch> | undefined;
    const first = watch(4, () => {
      late.registration.deregister();
      newcomer = watch(5);
    });
    poller.emit(first.registration, READABLE);
    poller.emit(late.registration, READABLE);
    expect(reactor.turn()).toBe(1);
    expect(late.seen).toEqual([]);
    expect(newcomer?.seen).toEqual([]);
    expect(newcomer?.registration.slot).not.toBe(late.registration.slot);
    expect(reactor.inspect()).toMatchObject({ registrations: 2, events: 2, staleEvents: 1 });
  });

  test('T01 an event of an ended registration does not reach who has its slot now', () => {
    const { poller, reactor, watch } = fakeRig();
    const old = watch(5);
    old.registration.deregister();
    const newcomer = watch(5);
    expect(newcomer.registration.slot).toBe(old.registration.slot);
    poller.emit(old.registration, READABLE);
    expect(reactor.turn()).toBe(0);
    expect([old.seen, newcomer.seen]).toEqual([[], []]);
    expect(reactor.inspect().staleEvents).toBe(1);
  });

  test('T01 the same by priority', () => {
    const { poller, reactor, watch } = fakeRig();
    const old = watch(5, undefined, { priority: 1 });
    old.registration.deregister();
    const newcomer = watch(5, undefined, { priority: 1 });
    expect(newcomer.registration.slot).toBe(old.registration.slot);
    poller.emit(old.registration, READABLE);
    expect(reactor.turn()).toBe(0);
    expect(newcomer.seen).toEqual([]);
    expect(reactor.inspect().staleEvents).toBe(1);
  });

  test('slots are used again after the batch', () => {
    const { poller, reactor, watch } = fakeRig();
    const own = watch(4, (registration) => registration.deregister());
    poller.emit(own.registration, READABLE);
    reactor.turn();
    expect(watch(4).registration).toMatchObject({ slot: 0, generation: 1 });
  });

  test.each(['ENOENT', 'EBADF'] as const)(
    'T02 %s on modify: onError is told, and nothing is added again',
    (code) => {
      const { poller, reactor, watch } = fakeRig();
      const lost = watch(5);
      poller.failNext('modify', code);
      lost.registration.setInterest(WRITABLE);
      expect(lost.registration.active).toBe(false);
      expect(lost.errors).toEqual([]);
      expect(reactor.inspect().refs).toBe(1); // until it has been told
      reactor.turn();
      expect(lost.errors).toMatchObject([
        { name: 'Error', code, errno: errno(code), syscall: 'poll', fd: 5 },
      ]);
      expect(poller.callsOf('add')).toHaveLength(1);
      expect(poller.callsOf('delete')).toHaveLength(1);
      expect(reactor.inspect()).toMatchObject({ registrations: 0, refs: 0 });
      expect(thrownBy(() => lost.registration.rearm())).toEqual(closed);
      // No spin: the next wait is for ever.
      reactor.turn(-1);
      expect(poller.waits).toEqual([0, -1]);
      expect(lost.errors).toHaveLength(1);
    },
  );

  test('T02 other errors of modify are thrown, and the registration stays as it was', () => {
    const { poller, reactor, watch } = fakeRig();
    const { registration } = watch(5);
    poller.failNext('modify', 'ENOMEM');
    expect(thrownBy(() => registration.setInterest(WRITABLE))).toMatchObject({
      name: 'Error',
      code: 'ENOMEM',
    });
    expect(registration).toMatchObject({ active: true, interest: READABLE });
    expect(reactor.inspect().registrations).toBe(1);
  });

  test.each([0, 3])('T02 an ERROR record with EBADF ends the registration (priority %d)', (priority) => {
    const { poller, reactor, watch } = fakeRig();
    const lost = watch(5, undefined, { priority });
    const other = watch(6);
    poller.emit(lost.registration, Readiness.ERROR | READABLE, 'EBADF');
    poller.emit(lost.registration, READABLE);
    poller.emit(other.registration, READABLE);
    reactor.turn();
    expect(lost.seen).toEqual([]);
    expect(lost.errors).toMatchObject([{ code: 'EBADF', errno: errno('EBADF'), fd: 5 }]);
    expect(lost.registration).toMatchObject({ active: false, errno: errno('EBADF') });
    expect(other.seen).toEqual([READABLE]);
    expect(poller.callsOf('add')).toHaveLength(2);
    expect(reactor.inspect()).toMatchObject({ registrations: 1, refs: 1 });
  });

  test('an ERROR record with another errno goes to onReady, and the errno with the registration', () => {
    const { poller, reactor, watch } = fakeRig();
    const errnos: number[] = [];
    const { registration, errors } = watch(5, ({ errno: seen }) => void errnos.push(seen));
    poller.emit(registration, Readiness.ERROR | READABLE, 'ECONNRESET');
    reactor.turn();
    poller.emit(registration, READABLE);
    reactor.turn();
    expect(errnos).toEqual([errno('ECONNRESET'), -0]);
    expect(errors).toEqual([]);
  });

  test('T04 an fd registered twice is EEXIST', () => {
    const { reactor, watch } = fakeRig();
    const first = watch(5);
    expect(thrownBy(() => watch(5))).toMatchObject({ name: 'Error', code: 'EEXIST' });
    expect(first.registration.active).toBe(true);
    expect(reactor.inspect()).toMatchObject({ registrations: 1, refs: 1 });
  });

  test('T05 an fd moved to another reactor and back: neither remembers too much', () => {
    const [one, two] = [fakeRig(), fakeRig()];
    const before = one.watch(5);
    before.registration.deregister();
    expect(one.poller.callsOf('delete')).toEqual([[5, 0, 0]]);
    const there = two.watch(5);
    one.poller.emit(before.registration, READABLE);
    two.poller.emit(there.registration, READABLE);
    expect([one.reactor.turn(), two.reactor.turn()]).toEqual([0, 1]);
    there.registration.deregister();
    const back = one.watch(5);
    one.poller.emit(back.registration, READABLE);
    expect(one.reactor.turn()).toBe(1);
    expect([before.seen, there.seen, back.seen]).toEqual([[], [READABLE], [READABLE]]);
  });

  test('T08 a failed register gives the slot back', () => {
    const { poller, reactor, watch } = fakeRig();
    for (let i = 0; i < 3; i++) {
      poller.failNext('add', 'ENOSPC');
      expect(thrownBy(() => watch(5))).toMatchObject({ name: 'Error', code: 'ENOSPC' });
    }
    expect(reactor.inspect()).toMatchObject({ registrations: 0, refs: 0 });
    expect(watch(5).registration).toMatchObject({ slot: 0, generation: 0 });
    expect(watch(6).registration).toMatchObject({ slot: 1, generation: 0 });
  });

  test('T08 deregister cleans up, and then reports', () => {
    const { poller, reactor, watch } = fakeRig();
    const { registration, seen } = watch(5);
    poller.failNext('delete', 'EPERM');
    expect(thrownBy(() => registration.deregister())).toMatchObject({ name: 'Error', code: 'EPERM' });
    expect(registration.active).toBe(false);
    expect(reactor.inspect()).toMatchObject({ registrations: 0, refs: 0 });
    registration.deregister(); // twice is no error, and deletes nothing
    expect(poller.callsOf('delete')).toHaveLength(1);
    poller.emit(registration, READABLE);
    reactor.turn();
    expect(seen).toEqual([]);
  });

  test('T16 EXCLUSIVE: what the system refuses is refused, without a delete and an add', () => {
    const { poller, watch } = fakeRig();
    const register =
      (mode: number, interest: number = READABLE) =>
      () =>
        watch(5, undefined, { mode, interest });
    expect(thrownBy(register(Mode.EXCLUSIVE | Mode.ONESHOT))).toEqual(unsupported);
    expect(thrownBy(register(Mode.EXCLUSIVE | Mode.EDGE_ONESHOT))).toEqual(unsupported);
    expect(thrownBy(register(Mode.EXCLUSIVE, READABLE | PRIORITY))).toEqual(unsupported);
    expect(poller.calls).toEqual([]);
    const { registration } = watch(5, undefined, { mode: Mode.EXCLUSIVE | Mode.EDGE });
    expect(thrownBy(() => registration.setInterest(WRITABLE))).toEqual(unsupported);
    expect(thrownBy(() => registration.rearm())).toEqual(unsupported);
    expect(poller.calls).toEqual([['add', 5, 0, 0, READABLE, Mode.EXCLUSIVE | Mode.EDGE]]);
    expect(registration.active).toBe(true);
  });

  test('a mode that the backend lacks is refused by name', () => {
    const { poller, reactor, watch } = fakeRig();
    poller.refuseMode(Mode.EDGE);
    expect(reactor.supports(Mode.EDGE)).toBe(false);
    expect(thrownBy(() => watch(5, undefined, { mode: Mode.EDGE }))).toEqual(unsupported);
    expect(watch(5).registration.slot).toBe(0);
  });

  test('a handler hears of what it asked for, and hints', () => {
    const { poller, reactor, watch } = fakeRig();
    const { registration, seen } = watch(5);
    poller.emit(registration, READABLE | WRITABLE | Readiness.READ_CLOSED | Readiness.ERROR);
    reactor.turn();
    poller.emit(registration, WRITABLE);
    expect(reactor.turn()).toBe(0);
    registration.setInterest(WRITABLE);
    poller.emit(registration, READABLE | WRITABLE);
    reactor.turn();
    expect(seen).toEqual([READABLE | Readiness.READ_CLOSED | Readiness.ERROR, WRITABLE]);
  });

  test('setInterest and rearm modify in place, 0 pauses', () => {
    const { poller, reactor, watch } = fakeRig();
    const { registration, seen } = watch(5, undefined, { mode: Mode.ONESHOT });
    registration.setInterest(READABLE | WRITABLE);
    registration.rearm();
    registration.setInterest(0);
    expect(poller.callsOf('modify')).toEqual([
      [5, 0, 0, READABLE | WRITABLE, Mode.ONESHOT],
      [5, 0, 0, READABLE | WRITABLE, Mode.ONESHOT],
      [5, 0, 0, 0, Mode.ONESHOT],
    ]);
    poller.emit(registration, READABLE); // was in flight when it was paused
    expect(reactor.turn()).toBe(0);
    expect(seen).toEqual([]);
  });

  test('a handler that pauses another later in the batch is obeyed', () => {
    const { poller, reactor, watch } = fakeRig();
    const later = watch(6);
    const first = watch(5, () => later.registration.setInterest(0));
    poller.emit(first.registration, READABLE);
    poller.emit(later.registration, READABLE);
    expect(reactor.turn()).toBe(1);
    expect(later.seen).toEqual([]);
  });

  test('wrong arguments of a registration', () => {
    const { registration } = fakeRig().watch(5);
    const wrong: unknown = '1';
    expect(thrownBy(() => registration.setInterest(wrong as number))).toEqual(invalidType);
    for (const interest of [-1, 8, 1.5, NaN, 2 ** 53]) {
      expect(thrownBy(() => registration.setInterest(interest))).toEqual(outOfRange);
    }
    expect(registration.interest).toBe(READABLE);
  });

  test('using a registration after deregister', () => {
    const { registration } = fakeRig().watch(5);
    registration[Symbol.dispose]();
    expect(thrownBy(() => registration.setInterest(READABLE))).toEqual(closed);
    expect(thrownBy(() => registration.rearm())).toEqual(closed);
    expect(thrownBy(() => registration.again())).toEqual(closed);
    registration.deregister();
    registration.ref().unref();
  });

  test('refs: what keeps the process alive is counted once', () => {
    const { reactor, watch } = fakeRig();
    const refs = (): number => reactor.inspect().refs;
    const one = watch(5).registration;
    const two = watch(6).registration;
    expect(refs()).toBe(2);
    expect(one.hasRef()).toBe(true);
    one.unref().unref();
    expect(one.hasRef()).toBe(false);
    expect(refs()).toBe(1);
    one.ref().ref();
    expect(refs()).toBe(2);
    one.unref();
    one.deregister();
    expect(refs()).toBe(1);
    one.ref();
    one.unref();
    expect(refs()).toBe(1);
    two.deregister();
    two.unref();
    expect(refs()).toBe(0);
  });
});
