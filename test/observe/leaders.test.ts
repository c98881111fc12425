// Which registrations and calls an ObserveServer names first, and the times between two looks.
import { Interest } from 'tripoll';
import { Histogram } from '#lib/observe/index';
import { HotRegistrations } from '#lib/observe/server/hot-registrations';
import { SlowCalls } from '#lib/observe/server/slow-calls';
import { fakeRig } from '../reactor/fake-reactor.js';

const statsWith = (calls: number, busyMs: number) => ({ calls, busyMs, sinceMs: 0 }) as never;

describe('HotRegistrations', () => {
  test('rates are of what came between two looks', () => {
    const { reactor, watch } = fakeRig();
    const registrations = [5, 6, 7].map((fd) => watch(fd).registration);
    const counts = new Map(registrations.map((each) => [each, { calls: 0, busyMs: 0 }]));
    const hot = new HotRegistrations(reactor, (each) => {
      const { calls, busyMs } = counts.get(each)!;
      return statsWith(calls, busyMs);
    });
    hot.look(1000);
    expect(hot.list('main', 20)).toEqual([]);
    counts.set(registrations[0]!, { calls: 10, busyMs: 100 });
    counts.set(registrations[2]!, { calls: 4, busyMs: 500 });
    hot.look(3000);
    expect(hot.list('main', 20)).toMatchObject([
      { fd: 7, callsPerSecond: 2, busyShare: 0.25 },
      { fd: 5, callsPerSecond: 5, busyShare: 0.05 },
    ]);
    expect(hot.list('main', 1)).toMatchObject([{ fd: 7 }]);
    // Too early for a rate that says anything.
    hot.look(3010);
    expect(hot.list('main', 20)).toHaveLength(2);
    hot.look(4000);
    expect(hot.list('main', 20)).toEqual([]);
    reactor.close();
  });

  test("a slot's next registration has nothing of the one before", () => {
    const { reactor, watch } = fakeRig();
    const first = watch(5).registration;
    const hot = new HotRegistrations(reactor, (each) => statsWith(each === first ? 100 : 1, 0));
    hot.look(0);
    hot.look(1000);
    first.deregister();
    reactor.turn();
    const second = watch(6).registration;
    expect(second.slot).toBe(first.slot);
    expect(hot.list('main', 20)).toEqual([]);
    hot.look(2000);
    expect(hot.list('main', 20)).toMatchObject([{ fd: 6, callsPerSecond: 0.5 }]);
    reactor.close();
  });

  test('of many, each look is at some, and all have their turn', () => {
    const { reactor, watch } = fakeRig();
    for (let fd = 1; fd <= 10_000; fd++) watch(fd);
    const looked = new Map<number, number>();
    const hot = new HotRegistrations(reactor, ({ fd }) => {
      looked.set(fd, (looked.get(fd) ?? 0) + 1);
      return null;
    });
    hot.look(1000);
    expect(looked.size).toBe(4096);
    hot.look(2000);
    hot.look(3000);
    expect(looked.size).toBe(10_000);
    expect(Math.max(...looked.values())).toBe(2);
    reactor.close();
  });

  test('tells the other end, and asks a handler nothing that it cannot answer', () => {
    const { reactor } = fakeRig();
    const peers = [
      { address: '127.0.0.1', port: 80 },
      { address: '::1', port: 80 },
      '/tmp/a.sock',
      '',
      7,
      undefined,
    ];
    peers.forEach((remoteAddress, i) => {
      const handler = { onReady: () => undefined, remoteAddress, bytesRead: i };
      reactor.register(i + 1, Interest.READABLE, handler);
    });
    const hostile = {
      onReady: () => undefined,
      get remoteAddress(): never {
        throw new Error('no');
      },
    };
    reactor.register(99, Interest.READABLE, hostile);
    const hot = new HotRegistrations(reactor, ({ fd }) => statsWith(1, 100 - fd));
    hot.look(1000);
    expect(hot.list('main', 20).map(({ peer }) => peer)).toEqual([
      '127.0.0.1:80',
      '[::1]:80',
      '/tmp/a.sock',
      null,
      null,
      null,
      null,
    ]);
    reactor.close();
  });
});

describe('SlowCalls', () => {
  test('the sixteen slowest of the last minute, of each registration its slowest', () => {
    const { reactor, watch } = fakeRig();
    const registrations = Array.from({ length: 20 }, (_, i) => watch(i + 1).registration);
    const slow = new SlowCalls();
    registrations.forEach((each, i) => slow.handlerEnd(1000, each, 1, 1000 - i));
    slow.handlerEnd(1001, registrations[19]!, 1, 1000);
    const tookMs = slow.list('main', 1001).map((call) => call.tookMs);
    expect(tookMs).toEqual(Array.from({ length: 16 }, (_, i) => 19 - i));
    slow.handlerEnd(50_000, registrations[5]!, 1, 49_000);
    expect(slow.list('main', 50_500)[0]).toMatchObject({ fd: 6, tookMs: 1000, agoMs: 500 });
    expect(slow.list('main', 61_500)).toMatchObject([{ fd: 6 }]);
    expect(slow.list('main', 200_000)).toEqual([]);
    // What was too quick beside those counts now.
    slow.handlerEnd(200_001, registrations[0]!, 1, 200_000);
    expect(slow.list('main', 200_001)).toMatchObject([{ fd: 1, tookMs: 1 }]);
    reactor.close();
  });

  test('tells the peer, for which the system is asked once', () => {
    const { reactor } = fakeRig();
    let asked = 0;
    const handler = {
      get remoteAddress() {
        asked++;
        return { address: '192.0.2.1', port: 4000 };
      },
      onReady() {},
    };
    const registration = reactor.register(5, Interest.READABLE, handler);
    const slow = new SlowCalls();
    for (const startMs of [999, 998, 997]) slow.handlerEnd(1000, registration, 1, startMs);
    expect(slow.list('main', 1000)).toMatchObject([{ fd: 5, peer: '192.0.2.1:4000', tookMs: 3 }]);
    expect(asked).toBe(1);
    reactor.close();
  });

  test('timers too, by the name of what they call', () => {
    const slow = new SlowCalls();
    function sweep(): void {}
    const timer = { callback: sweep } as never;
    slow.timerEnd(500, timer);
    expect(slow.list('main', 500)).toEqual([]);
    slow.timerStart(1000);
    slow.timerEnd(1007, timer);
    expect(slow.list('main', 1010)).toEqual([
      { reactor: 'main', fd: -1, name: 'timer sweep', peer: null, tookMs: 7, agoMs: 3 },
    ]);
  });
});

test('a histogram tells what came since a copy of it', () => {
  const histogram = new Histogram();
  for (const value of [0, 1, 1000]) histogram.record(value);
  const earlier = histogram.copy();
  expect(earlier.summary()).toMatchObject({ count: 3, sum: 1001, min: 0, max: 1000 });
  expect(histogram.since(earlier).summary()).toEqual(new Histogram().summary());
  for (const value of [2, 4]) histogram.record(value);
  const { count, sum, min, max, p50 } = histogram.since(earlier).summary();
  expect({ count, sum }).toEqual({ count: 2, sum: 6 });
  for (const [told, value] of [
    [min, 2],
    [max, 4],
    [p50, 2],
  ] as const)
    expect(Math.abs(told - value)).toBeLessThanOrEqual(value * 0.016);
  expect(earlier.count).toBe(3);
});
