import { Interest, Mode, Reactor, type Registration } from 'tripoll';
import type { ReactorProbe } from '#lib/reactor/probe';
import { fakeRig, type FakeRig } from './fake-reactor.js';

const { READABLE, WRITABLE } = Interest;

/** Notes each call as one line. */
class Notes implements ReactorProbe {
  readonly lines: string[] = [];
  turnStart(events: number): void {
    this.lines.push(`turnStart ${events}`);
  }
  dispatchStart(ran: number): void {
    this.lines.push(`dispatchStart ${ran}`);
  }
  turnEnd(ran: number): void {
    this.lines.push(`turnEnd ${ran}`);
  }
  handlerStart({ fd }: Registration, readiness: number): void {
    this.lines.push(`handlerStart ${fd} ${readiness}`);
  }
  handlerEnd({ fd }: Registration): void {
    this.lines.push(`handlerEnd ${fd}`);
  }
  timerStart(_timer: unknown, lateMs: number): void {
    this.lines.push(`timerStart ${lateMs}`);
  }
  timerEnd(): void {
    this.lines.push('timerEnd');
  }
  registered({ fd }: Registration): void {
    this.lines.push(`registered ${fd}`);
  }
  deregistered({ fd, active }: Registration): void {
    this.lines.push(`deregistered ${fd} ${active}`);
  }
  times(): null {
    return null;
  }
}

function probedRig() {
  const rig = fakeRig();
  const notes = new Notes();
  rig.reactor.registry.probe = notes;
  return { ...rig, lines: notes.lines };
}

describe('the probe', () => {
  test('sees a turn in its order, and a handler end that has thrown', () => {
    const { poller, reactor, watch, lines } = probedRig();
    const first = watch(5, () => {
      throw new Error('in a handler');
    });
    const second = watch(6);
    poller.emit(first.registration, READABLE);
    poller.emit(second.registration, READABLE);
    reactor.post(() => lines.push('posted'));
    reactor.setTimer(0, () => lines.push('timer'));
    reactor.turn();
    expect(first.errors).toHaveLength(1);
    expect(lines).toEqual([
      ...['registered 5', 'registered 6'],
      ...['turnStart 2', 'posted', 'dispatchStart 1'],
      ...[`handlerStart 5 ${READABLE}`, 'handlerEnd 5', `handlerStart 6 ${READABLE}`, 'handlerEnd 6'],
      ...['timerStart 0', 'timer', 'timerEnd', 'turnEnd 4'],
    ]);
  });

  test('is told how late a timer is, whatever fired before it', () => {
    const { clock, reactor, lines } = probedRig();
    reactor.setTimer(10, () => clock.advance(50));
    reactor.setTimer(12, () => {});
    clock.advance(15);
    reactor.turn();
    expect(lines.filter((line) => line.startsWith('timerStart'))).toEqual(['timerStart 5', 'timerStart 53']);
  });

  test.each<[string, (rig: FakeRig, registration: Registration) => void]>([
    ['is deregistered', (_, registration) => void registration.deregister()],
    [
      'is lost',
      ({ poller }, registration) => {
        poller.forget(registration.fd);
        registration.setInterest(WRITABLE);
      },
    ],
    ['outlives its reactor', ({ reactor }) => reactor.close()],
  ])('hears once of the end of a registration that %s', (_, end) => {
    const { lines, ...rig } = probedRig();
    const { registration } = rig.watch(5);
    end(rig, registration);
    registration.deregister();
    expect(lines).toEqual(['registered 5', 'deregistered 5 false']);
  });

  test('does not hear of one that the system refused', () => {
    const { poller, watch, lines } = probedRig();
    poller.failNext('add', 'EBADF');
    expect(() => watch(5)).toThrow();
    expect(lines).toEqual([]);
  });

  test('that is put in place, or taken away, in a handler sees no half of a call', () => {
    const { poller, reactor, watch } = fakeRig();
    const notes = new Notes();
    const { registration } = watch(5, () => {
      const { registry } = reactor;
      registry.probe = registry.probe === null ? notes : null;
    });
    for (let i = 0; i < 2; i++) {
      poller.emit(registration, READABLE);
      reactor.turn();
    }
    expect(notes.lines).toEqual(['turnStart 1', `handlerStart 5 ${READABLE}`, 'handlerEnd 5', 'turnEnd 1']);
  });
});

describe('metrics', () => {
  test('count turns, events, calls of handlers and of timers', () => {
    const { poller, reactor, watch } = fakeRig();
    const { registration } = watch(5);
    poller.emit(registration, READABLE);
    reactor.setTimer(0, () => {});
    reactor.post(() => {});
    reactor.turn();
    reactor.turn();
    reactor.setTimer(5, () => {});
    const { syscalls, bytesRead, bytesWritten, ...own } = reactor.metrics();
    // Of the thread, whatever else has run in it.
    expect([typeof syscalls, typeof bytesRead, typeof bytesWritten]).toEqual(['object', 'number', 'number']);
    expect(own).toEqual({
      ...{
        spinLooks: 0,
        spinSleeps: 0,
        registrations: 1,
        timers: 1,
        ready: 0,
        turns: 2,
        emptyTurns: 1,
        exhaustedTurns: 0,
      },
      ...{ events: 1, staleEvents: 0, spuriousEvents: 0, handlerCalls: 1, timerCalls: 1, wakes: 0 },
      times: null,
    });
    const inspection = reactor.inspect();
    expect(inspection).toMatchObject({ handlerCalls: 1, timerCalls: 1, backend: 'fake', refs: 2 });
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
  });

  test('count how often it woke its own poller, once for all that was posted', () => {
    const reactor = new Reactor();
    for (let i = 0; i < 3; i++) reactor.post(() => {});
    expect(reactor.metrics().wakes).toBe(1);
    reactor.close();
  });

  test('tell what nobody waited for apart from what came too late', () => {
    const { poller, reactor, watch } = fakeRig();
    const paused = watch(5);
    const gone = watch(6);
    poller.emit(paused.registration, READABLE);
    poller.emit(gone.registration, READABLE);
    paused.registration.setInterest(0);
    gone.registration.deregister();
    reactor.turn();
    expect(reactor.metrics()).toMatchObject({
      events: 2,
      spuriousEvents: 1,
      staleEvents: 1,
      handlerCalls: 0,
    });
  });

  test('count turns whose budget was used up', () => {
    const { poller, reactor, watch } = fakeRig();
    const { registration } = watch(
      5,
      () => {
        while (reactor.registry.consumeBudget());
      },
      { mode: Mode.EDGE },
    );
    poller.emit(registration, READABLE);
    reactor.turn();
    reactor.turn();
    expect(reactor.metrics().exhaustedTurns).toBe(1);
  });
});
