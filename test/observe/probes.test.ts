import { setImmediate as immediate } from 'node:timers/promises';
import { Interest, type Registration } from 'tripoll';
import { addListener, Listener } from '#lib/observe/probes';
import { fakeRig } from '../reactor/fake-reactor.js';
import { closed, thrownBy } from '../support/errors.js';

const { READABLE } = Interest;

/** Notes the time of each call. */
class Times extends Listener {
  readonly seen: [call: string, nowMs: number][] = [];
  override turnStart(nowMs: number): void {
    this.seen.push(['turnStart', nowMs]);
  }
  override turnEnd(nowMs: number): void {
    this.seen.push(['turnEnd', nowMs]);
  }
  override turnSettled(nowMs: number): void {
    this.seen.push(['turnSettled', nowMs]);
  }
  override handlerStart(nowMs: number, { fd }: Registration): void {
    this.seen.push([`handlerStart ${fd}`, nowMs]);
  }
  override handlerEnd(nowMs: number, { fd }: Registration): void {
    this.seen.push([`handlerEnd ${fd}`, nowMs]);
  }
  override timerStart(nowMs: number): void {
    this.seen.push(['timerStart', nowMs]);
  }
  override timerEnd(nowMs: number): void {
    this.seen.push(['timerEnd', nowMs]);
  }
}

test('a handler begins when the one before it has ended, and the first by the clock', () => {
  const { poller, clock, reactor, watch } = fakeRig(0);
  const listener = new Times();
  addListener(reactor, listener, () => clock.nowMs());
  reactor.post(() => clock.advance(1));
  const takes10 = (): void => clock.advance(10);
  for (const fd of [5, 6]) poller.emit(watch(fd, takes10).registration, READABLE);
  reactor.setTimer(0, () => clock.advance(100));
  reactor.turn();
  expect(listener.seen).toEqual([
    ['turnStart', 0],
    ['handlerStart 5', 1],
    ['handlerEnd 5', 11],
    ['handlerStart 6', 11],
    ['handlerEnd 6', 21],
    ['timerStart', 21],
    ['timerEnd', 121],
    ['turnEnd', 121],
  ]);
  reactor.close();
});

test('a turn ends when what was put off to its end has run', () => {
  const { poller, clock, reactor, watch } = fakeRig(0);
  const listener = new Times();
  addListener(reactor, listener, () => clock.nowMs());
  const { registration } = watch(5, () => reactor.registry.defer(() => clock.advance(7)));
  poller.emit(registration, READABLE);
  reactor.turn();
  expect(listener.seen.slice(-2)).toEqual([
    ['handlerEnd 5', 0],
    ['turnEnd', 7],
  ]);
  reactor.close();
});

test('a turn is settled when the promises that followed from it have run, once for turns in a row', async () => {
  const { clock, reactor } = fakeRig(0);
  const listener = new Times();
  addListener(reactor, listener, () => clock.nowMs());
  for (let i = 0; i < 2; i++) {
    reactor.post(
      () =>
        void (async () => {
          for (let waits = 0; waits < 5; waits++) await Promise.resolve();
          clock.advance(10);
        })(),
    );
    reactor.turn();
  }
  expect(listener.seen.map(([call]) => call)).not.toContain('turnSettled');
  await immediate();
  expect(listener.seen.filter(([call]) => call === 'turnSettled')).toEqual([['turnSettled', 20]]);
  reactor.close();
});

test('a turn in which nothing ran is settled at once', () => {
  const { reactor } = fakeRig(0);
  const listener = new Times();
  addListener(reactor, listener);
  reactor.turn();
  expect(listener.seen.map(([call]) => call)).toEqual(['turnStart', 'turnEnd', 'turnSettled']);
  reactor.close();
});

test('listeners come and go, and leave no probe behind', () => {
  const { poller, reactor, watch } = fakeRig(0);
  const [first, second] = [new Times(), new Times()];
  const leave: (() => void)[] = [];
  const { registration } = watch(5, () => leave.pop()?.());
  leave.push(addListener(reactor, first), addListener(reactor, second));
  for (let i = 0; i < 3; i++) {
    poller.emit(registration, READABLE);
    reactor.turn();
  }
  expect(second.seen.map(([call]) => call)).toEqual(['turnStart', 'handlerStart 5']);
  expect(first.seen.map(([call]) => call)).toEqual([
    ...['turnStart', 'handlerStart 5', 'handlerEnd 5', 'turnEnd'],
    ...['turnStart', 'handlerStart 5'],
  ]);
  expect(reactor.registry.probe).toBeNull();
  reactor.close();
});

test('nobody listens to a closed reactor', () => {
  const { reactor } = fakeRig();
  reactor.close();
  expect(thrownBy(() => addListener(reactor, new Times()))).toMatchObject(closed);
  expect(reactor.registry.probe).toBeNull();
});
