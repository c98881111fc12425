// Fairness by counting: what a turn does at most, and what therefore a timer, a read or a low
// priority waits for at most. No test here looks at how long something took.
import { Interest, Mode, type Registration } from 'tripoll';
import { listen, TcpListener, type TcpConnection, type TcpStream } from 'tripoll/net';
import { READS_PER_EVENT } from '#lib/net/stream/stream-core';
import { fakeRig } from '../fake-reactor.js';
import { CALL_MS, FloodRig } from './flood-rig.js';

// As in lib: the tests say what they promise, and so repeat them.
const TURN_BUDGET = 1024;
/** Of what promises do between two turns. */
const PROMISE_BUDGET = 4 * TURN_BUDGET;
const WRITES_PER_EVENT = 16;
const ACCEPTS_PER_EVENT = 64;
const PERIOD_MS = 20;
const TURNS = 3000;
const HOST = '127.0.0.1';
const { READABLE, WRITABLE } = Interest;

describe('with sockets that never run dry', () => {
  let rig: FloodRig;
  beforeEach(() => (rig = new FloodRig()));
  afterEach(() => rig.close());

  /** An accepted connection per call of `data`'s owner; returns their fds. */
  async function accept(count: number, handlers: Parameters<typeof listen>[1]): Promise<number[]> {
    listen({ host: HOST, port: 1, reactor: rig.reactor }, handlers);
    const listenerFd = rig.latestFd;
    const fds: number[] = [];
    rig.backlog = count;
    while (rig.backlog > 0) {
      rig.emit(listenerFd, READABLE);
      await rig.turn();
    }
    const added = rig.poller.callsOf('add').map(([fd]) => fd ?? -1);
    fds.push(...added.filter((fd) => fd !== listenerFd));
    return fds;
  }

  /** A 20 ms interval: how late it was at most, in reads and writes. */
  function startInterval(): { readonly ticks: number; readonly mostLateCalls: number } {
    const result = { ticks: 0, mostLateCalls: 0 };
    const tick = (): void => {
      const lateMs = rig.clock.nowMs() - timer.expiryTick;
      result.ticks++;
      result.mostLateCalls = Math.max(result.mostLateCalls, Math.round(lateMs / CALL_MS));
    };
    const timer = rig.reactor.setTimer(PERIOD_MS, tick, { repeatMs: PERIOD_MS });
    return result;
  }

  test('T47 T58 one event of an endless flood: each turn reads its share, and no interval waits for more', async () => {
    let chunks = 0;
    const [fd = -1] = await accept(1, { data: () => chunks++ });
    const interval = startInterval();
    rig.emit(fd, READABLE);
    for (let turn = 0; turn < TURNS; turn++) expect(await rig.turn()).toBe(READS_PER_EVENT);
    expect(chunks).toBe(TURNS * READS_PER_EVENT);
    const elapsedMs = TURNS * READS_PER_EVENT * CALL_MS;
    expect(interval.ticks).toBeGreaterThanOrEqual(Math.floor(elapsedMs / PERIOD_MS) - 1);
    expect(interval.mostLateCalls).toBeLessThanOrEqual(READS_PER_EVENT);
  });

  test('T47 500 floods: a turn is cut by its budget, each flood comes again, and so does the interval', async () => {
    const chunks = new Map<TcpConnection, number>();
    const count = (connection: TcpConnection): void => {
      chunks.set(connection, (chunks.get(connection) ?? 0) + 1);
    };
    const fds = await accept(500, { data: count });
    const interval = startInterval();
    for (let at = 0; at < fds.length; at += 50) {
      for (const fd of fds.slice(at, at + 50)) rig.emit(fd, READABLE);
      await rig.turn();
    }
    const turns = 200;
    for (let turn = 0; turn < turns; turn++) expect(await rig.turn()).toBeLessThanOrEqual(TURN_BUDGET);
    expect(interval.mostLateCalls).toBeLessThanOrEqual(TURN_BUDGET);
    expect(interval.ticks).toBeGreaterThan(30);
    const each = [...chunks.values()];
    expect(each).toHaveLength(500);
    // 64 floods have their turn in each, so all have had theirs after 8.
    const share = (turns / 8) * READS_PER_EVENT;
    expect(Math.min(...each)).toBeGreaterThan(share / 2);
    expect(Math.max(...each)).toBeLessThan(share * 2);
  });

  test.each([
    ['read', (stream: TcpStream) => stream.read(new Uint8Array(16))],
    ['write', (stream: TcpStream) => stream.write(new Uint8Array(16))],
    ['writeAll', (stream: TcpStream) => stream.writeAll(new Uint8Array(16))],
  ])(
    'T47 T48 promises: a loop of %s that never has to wait lets timers and others run',
    async (_name, step) => {
      const listener = await TcpListener.bind({ host: HOST, port: 1 }, { reactor: rig.reactor });
      const accepting = listener.accept();
      const listenerFd = rig.latestFd;
      rig.backlog = 1;
      rig.emit(listenerFd, READABLE);
      await rig.turn();
      const { stream } = await accepting;
      const fd = rig.latestFd;
      rig.emit(fd, READABLE);
      await rig.turn();
      const interval = startInterval();
      let steps = 0;
      const looping = (async () => {
        for (;;) {
          await step(stream);
          steps++;
        }
      })();
      looping.catch(() => {});
      for (let turn = 0; turn < 100; turn++) {
        // The system says so once, when it is asked.
        rig.emit(fd, READABLE | WRITABLE);
        expect(await rig.turn()).toBeLessThanOrEqual(PROMISE_BUDGET + WRITES_PER_EVENT);
      }
      expect(steps).toBeGreaterThan(100);
      expect(interval.ticks).toBeGreaterThan(0);
      expect(interval.mostLateCalls).toBeLessThanOrEqual(PROMISE_BUDGET + WRITES_PER_EVENT);
    },
  );

  test('T48 writes that lead to writes do not keep reads and timers back', async () => {
    let [drains, chunks] = [0, 0];
    const fill = (connection: TcpConnection): void => {
      while (connection.write(new Uint8Array(100)));
    };
    rig.takenBytes = 60;
    const [writer = -1, reader = -1] = await accept(2, {
      open: (connection) => {
        // The first writes for ever: whatever is taken is written anew.
        if (drains++ === 0) fill(connection);
      },
      drain: (connection) => {
        drains++;
        fill(connection);
      },
      data: () => chunks++,
    });
    const interval = startInterval();
    for (let turn = 0; turn < TURNS; turn++) {
      rig.bytesLeft.set(reader, 10);
      rig.emit(reader, READABLE);
      rig.emit(writer, WRITABLE);
      await rig.turn();
      expect(rig.reads.get(reader)).toBe(1);
      // What the budget left over, and what the system told.
      expect(rig.writes.get(writer) ?? 0).toBeLessThanOrEqual(2 * WRITES_PER_EVENT + 1);
    }
    expect(chunks).toBe(TURNS);
    expect(interval.ticks).toBeGreaterThan(0);
    expect(interval.mostLateCalls).toBeLessThanOrEqual(2 * WRITES_PER_EVENT + 2);
  });

  test('a storm of connections: so many a turn are accepted, and others have theirs', async () => {
    let chunks = 0;
    const [fd = -1] = await accept(1, { data: () => chunks++ });
    listen({ host: HOST, port: 2, reactor: rig.reactor }, {});
    const listenerFd = rig.latestFd;
    const interval = startInterval();
    rig.backlog = Infinity;
    for (let turn = 0; turn < 100; turn++) {
      rig.bytesLeft.set(fd, 10);
      rig.emit(listenerFd, READABLE);
      rig.emit(fd, READABLE);
      await rig.turn();
      expect(rig.accepts).toBe(ACCEPTS_PER_EVENT);
      expect(chunks).toBe(turn + 1);
    }
    expect(interval.mostLateCalls).toBeLessThanOrEqual(ACCEPTS_PER_EVENT + 1);
  });
});

describe('priorities', () => {
  test.each([1, 6, 7])('T58 one at 0 is never passed over for ever by floods at %d', (priority) => {
    const { poller, reactor, watch } = fakeRig();
    const low = watch(5);
    const spend = (registration: Registration): void => {
      while (reactor.registry.consumeBudget());
      registration.again();
    };
    for (let fd = 6; fd < 12; fd++)
      poller.emit(watch(fd, spend, { priority, mode: Mode.EDGE }).registration, READABLE);
    poller.emit(low.registration, READABLE);
    const waits: number[] = [];
    for (let round = 0; round < 20; round++) {
      let turns = 0;
      while (low.seen.length === round && turns < 100) {
        reactor.turn(0);
        turns++;
      }
      waits.push(turns);
      poller.emit(low.registration, READABLE);
    }
    // It grows a priority each turn that it is passed over; at the highest it comes after those
    // before it.
    expect(Math.max(...waits)).toBeLessThanOrEqual(8 + 6);
  });

  test('T58 what a budget leaves over is carried on without a new event, and without a wait', async () => {
    const { poller, reactor, watch } = fakeRig();
    const flood = watch(5, () => {
      while (reactor.registry.consumeBudget());
    });
    const late = [6, 7, 8].map((fd) => watch(fd));
    for (const { registration } of [flood, ...late]) poller.emit(registration, READABLE);
    expect(reactor.turn(-1)).toBe(1);
    expect(reactor.inspect().ready).toBe(3);
    expect(reactor.turn(-1)).toBe(3);
    expect(late.map(({ seen }) => seen)).toEqual([[READABLE], [READABLE], [READABLE]]);
    expect(poller.waits).toEqual([-1, 0]);
  });
});
