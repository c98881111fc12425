import { setImmediate as immediate } from 'node:timers/promises';
import { Interest, Readiness } from 'tripoll';
import { inspectRegistrations } from 'tripoll/observe';
import { addListener } from '#lib/observe/probes';
import { TimeTaker } from '#lib/observe/time-taker';
import { fakeRig } from '../reactor/fake-reactor.js';

const { READABLE } = Interest;

function timedRig() {
  const rig = fakeRig(0);
  const clock = (): number => rig.clock.nowMs();
  const taker = new TimeTaker(clock);
  const leave = addListener(rig.reactor, taker, clock);
  return { ...rig, taker, leave };
}

test('metrics() has times while they are taken', () => {
  const { reactor, leave } = timedRig();
  expect(reactor.metrics().times).toMatchObject({ observedMs: 0, busyMs: 0, busyShare: 0 });
  leave();
  expect(reactor.metrics().times).toBeNull();
});

test('handlers, late timers and waits are distributions', () => {
  const { poller, clock, reactor, watch } = timedRig();
  const first = watch(5, () => clock.advance(8)).registration;
  const second = watch(6, () => clock.advance(2)).registration;
  reactor.setTimer(4, () => {});
  poller.emit(first, READABLE);
  poller.emit(second, READABLE);
  reactor.turn();
  reactor.turn();
  const { times } = reactor.metrics();
  expect(times).toMatchObject({
    handlerMs: { count: 2, sum: 10, min: 2, max: 8, p50: 2, p99: 8 },
    timerLateMs: { count: 1, max: 6 },
    eventsPerWait: { count: 2, sum: 2, min: 0, max: 2 },
  });
  expect(JSON.parse(JSON.stringify(times))).toEqual(times);
});

test('a turn and its promises are busy, and the wait between turns is not', async () => {
  const { clock, reactor } = timedRig();
  const turnOf = (ms: number, promiseMs: number): void => {
    reactor.post(() => {
      clock.advance(ms);
      void Promise.resolve().then(() => clock.advance(promiseMs));
    });
    reactor.turn();
  };
  turnOf(10, 20);
  await immediate();
  clock.advance(70);
  expect(reactor.metrics().times).toMatchObject({ observedMs: 100, busyMs: 30, busyShare: 0.3 });
  // Turns in a row, without promises in between.
  turnOf(1, 0);
  clock.advance(95);
  turnOf(4, 100);
  await immediate();
  expect(reactor.metrics().times).toMatchObject({ observedMs: 300, busyMs: 135 });
});

test('a turn that is running counts as far as it has come', () => {
  const { clock, reactor } = timedRig();
  let busyMs = 0;
  reactor.post(() => {
    clock.advance(5);
    busyMs = reactor.metrics().times?.busyMs ?? NaN;
  });
  reactor.turn();
  expect(busyMs).toBe(5);
});

test.each([
  ['in its handler', true],
  ['elsewhere', false],
])('keeps nothing of a registration that ends %s', (_, isWithin) => {
  const { poller, reactor, watch, taker } = timedRig();
  const { registration } = watch(5, () => isWithin && registration.deregister());
  poller.emit(registration, READABLE);
  reactor.turn();
  if (!isWithin) expect(taker.statsOf(registration)).toMatchObject({ calls: 1 });
  registration.deregister();
  expect(taker.statsOf(registration)).toBeNull();
});

describe('inspectRegistrations', () => {
  test('tells what a registration is, without an observer', () => {
    const { reactor, watch } = fakeRig();
    watch(5, undefined, { name: 'one', priority: 3, mode: 0, interest: 0 }).registration.unref();
    class Owner {
      readonly bytesRead = 7;
      readonly remoteAddress = { address: '::1', port: 80 };
      get bytesWritten(): number {
        throw new Error('not to be asked');
      }
      onReady(): void {}
    }
    reactor.register(6, READABLE, new Owner());
    const unknown = { ageMs: null, idleMs: null, calls: null, busyMs: null, slowestMs: null, stack: null };
    const list = inspectRegistrations(reactor);
    expect(list).toEqual([
      {
        ...{ fd: 5, name: 'one', kind: 'handler', peer: null, interest: [], mode: 'LEVEL', priority: 3 },
        ...{ keepsAlive: false, ready: false, bytesRead: null, bytesWritten: null, queuedBytes: null },
        ...{ ...unknown, lastReadiness: null },
      },
      {
        ...{
          fd: 6,
          name: null,
          kind: 'Owner',
          peer: '[::1]:80',
          interest: ['READABLE'],
          mode: 'LEVEL',
          priority: 0,
        },
        ...{ keepsAlive: true, ready: false, bytesRead: 7, bytesWritten: null, queuedBytes: null },
        ...{ ...unknown, lastReadiness: null },
      },
    ]);
    expect(JSON.parse(JSON.stringify(list))).toEqual(list);
  });

  test('tells age, calls and their times, with an observer', () => {
    const { poller, clock, reactor, watch } = timedRig();
    const { registration } = watch(5, () => clock.advance(3));
    clock.advance(10);
    expect(inspectRegistrations(reactor)).toMatchObject([
      { ageMs: 10, idleMs: null, lastReadiness: null, calls: 0, busyMs: 0, slowestMs: 0 },
    ]);
    poller.emit(registration, READABLE | Readiness.READ_CLOSED);
    reactor.turn();
    clock.advance(100);
    expect(inspectRegistrations(reactor)).toMatchObject([
      {
        ...{ ageMs: 113, idleMs: 100, lastReadiness: ['READABLE', 'READ_CLOSED'] },
        ...{ calls: 1, busyMs: 3, slowestMs: 3 },
      },
    ]);
  });

  test('does not know the age of what was there before, and forgets what has gone', () => {
    const { poller, clock, reactor, watch } = fakeRig(0);
    const old = watch(5).registration;
    const now = (): number => clock.nowMs();
    addListener(reactor, new TimeTaker(now), now);
    poller.emit(old, READABLE);
    reactor.turn();
    expect(inspectRegistrations(reactor)).toMatchObject([{ fd: 5, ageMs: null, calls: 1 }]);
    old.deregister();
    const next = watch(6).registration;
    expect(next.slot).toBe(old.slot);
    clock.advance(1);
    expect(inspectRegistrations(reactor)).toMatchObject([{ fd: 6, ageMs: 1, calls: 0 }]);
  });
});
