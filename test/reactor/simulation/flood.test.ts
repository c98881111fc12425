// A real flood, told by counting: how many reads came between an interval's tick being due and the
// tick.
import { Reactor } from 'tripoll';
import { listen, TcpListener } from 'tripoll/net';
import { READS_PER_EVENT } from '#lib/net/stream/stream-core';
import { native } from '#lib/binding/native';
import { runScript } from '../../support/child.js';
import { within } from '../../support/deadline.js';

// As in lib.
const PROMISE_BUDGET = 4096;
const PERIOD_MS = 20;
const HOST = '127.0.0.1';

describe('a real flood over loopback', () => {
  /** Sends as fast as the system takes it, until it is cut off: no event loop, blocking calls. */
  const SENDER = `
    const { sys } = require('tripoll/raw');
    const { AF_INET, SOCK_STREAM } = sys.constants;
    const fd = sys.socket(AF_INET, SOCK_STREAM);
    const error = sys.connect(fd, '${HOST}:' + process.argv[1]);
    if (error < 0) throw new Error('connect ' + error);
    const chunk = new Uint8Array(1 << 20);
    while (sys.send(fd, chunk) > 0);
  `;
  const TICKS = 25;

  /**
   * Some ticks of a 20 ms interval; returns how many reads came while one of them was due, at most.
   */
  async function countLateReads(reactor: Reactor): Promise<number> {
    let [ticks, lateReads, mostLateReads] = [0, 0, 0];
    const { recvArena, recvInto } = native;
    const counted =
      <Args extends unknown[]>(call: (...args: Args) => number) =>
      (...args: Args): number => {
        if (performance.now() >= timer.expiryTick) lateReads++;
        return call(...args);
      };
    let onEnough: () => void;
    const enough = new Promise<void>((resolve) => {
      onEnough = resolve;
    });
    const tick = (): void => {
      mostLateReads = Math.max(mostLateReads, lateReads);
      lateReads = 0;
      if (++ticks === TICKS) onEnough();
    };
    const timer = reactor.setTimer(PERIOD_MS, tick, { repeatMs: PERIOD_MS });
    Object.assign(native, { recvArena: counted(recvArena), recvInto: counted(recvInto) });
    try {
      await enough;
    } finally {
      Object.assign(native, { recvArena, recvInto });
      timer.cancel();
    }
    return mostLateReads;
  }

  test('T47 with handlers: a 20 ms interval waits for two events of it at most', async () => {
    const reactor = new Reactor();
    let bytes = 0;
    let onFirst: () => void;
    const flooded = new Promise<void>((resolve) => {
      onFirst = resolve;
    });
    const listener = listen(
      { host: HOST, port: 0, reactor },
      {
        data(_, chunk) {
          bytes += chunk.length;
          onFirst();
        },
      },
    );
    const sender = runScript(SENDER, { args: [String(listener.localAddress?.port)] });
    try {
      await within(flooded, 'the first bytes');
      const late = await within(countLateReads(reactor), 'ticks');
      // One that the budget had left over, and one that the system told.
      expect(late).toBeLessThanOrEqual(2 * READS_PER_EVENT);
      expect(bytes).toBeGreaterThan(1 << 20);
    } finally {
      reactor.close();
      listener.close();
    }
    expect(await sender).toMatchObject({ code: 0, stderr: '' });
  });

  test('T47 with promises: a 20 ms interval waits for one budget of it at most', async () => {
    const reactor = new Reactor();
    const listener = await TcpListener.bind({ host: HOST, port: 0 }, { reactor });
    const sender = runScript(SENDER, { args: [String(listener.localAddress?.port)] });
    const { stream } = await within(listener.accept(), 'accept');
    let bytes = 0;
    const reading = (async () => {
      const buffer = new Uint8Array(4096);
      for (;;) bytes += await stream.read(buffer);
    })();
    reading.catch(() => {});
    try {
      const late = await within(countLateReads(reactor), 'ticks');
      // Those of one budget, and the first of the turn in which the timer fires.
      expect(late).toBeLessThanOrEqual(PROMISE_BUDGET + 1);
      expect(bytes).toBeGreaterThan(1 << 20);
    } finally {
      reactor.close();
    }
    expect(await sender).toMatchObject({ code: 0, stderr: '' });
  });
});
