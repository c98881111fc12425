import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { Reactor, type SharedWaker, Waker } from 'tripoll';
import { sys } from 'tripoll/raw';
import { drain, openPipe } from '../support/pairs.js';
import { DriverRig, type DriverKind, namedDriverKinds } from '../reactor/driver-rig.js';
import { until, untilSync, within } from '../support/deadline.js';
import { invalidType, thrownBy } from '../support/errors.js';
import { openedSince, openFds } from '../support/fds.js';
import { Random, testSeed } from '../support/random.js';
import type { WakePlan } from './waker-worker.js';

const THREADS = 4;
const WAKES = 1_000_000;
const LOCKSTEPS = 2000;
const CLOSE_ROUNDS = 10;
const WAKERS_PER_ROUND = 200;
const PIPES = 20;
const DEADLINE_MS = 60_000;

function sharedInts(count: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
}

function sum(counts: Int32Array): number {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += Atomics.load(counts, i);
  return total;
}

describe.each(namedDriverKinds)('wakers in other threads, of %s', (name, kind: DriverKind) => {
  let workers: Worker[];

  beforeAll(() => {
    workers = Array.from({ length: THREADS }, () => new Worker(path.join(__dirname, 'waker-worker.js')));
  });

  afterAll(() => Promise.all(workers.map((worker) => worker.terminate())));

  interface Orders {
    readonly counts: Int32Array;
    readonly heard: Int32Array;
    /** What each thread answered. */
    readonly answers: Promise<string[]>;
    begin(): void;
  }

  function order(to: readonly Worker[], plan: Pick<WakePlan, 'kind' | 'wakers' | 'wakes'>): Orders {
    const [counts, heard, gate] = [sharedInts(to.length), sharedInts(to.length), sharedInts(1)];
    const answers = to.map(async (worker, index) => {
      const answer = once(worker, 'message');
      worker.postMessage({ ...plan, index, counts, heard, gate } satisfies WakePlan);
      return (await answer)[0] as string;
    });
    const begin = (): void => {
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
    };
    return { counts, heard, answers: Promise.all(answers), begin };
  }

  test(
    'of a million wakes by four threads none is lost, and those before a turn are one',
    async () => {
      const rig = new DriverRig(kind);
      try {
        let seen = 0;
        let onWakes = 0;
        const waker = rig.reactor.waker(() => {
          onWakes++;
          seen = sum(orders.counts);
        });
        const orders = order(workers, { kind: 'storm', wakers: [waker.share()], wakes: WAKES / THREADS });
        orders.begin();
        const answers = await within(orders.answers, 'a million wakes', DEADLINE_MS);
        expect(answers).toEqual(Array(THREADS).fill('done'));
        await until(() => seen === WAKES, 'an onWake after the last wake');
        await rig.settle();
        expect(onWakes).toBeGreaterThan(0);
        // Far fewer even where each turn is short: the thread that wakes pays for it.
        expect(onWakes).toBeLessThan(WAKES / 2);
        const before = onWakes;
        await rig.settle();
        expect(onWakes).toBe(before);
        console.info(`${name}: ${WAKES} wakes, ${onWakes} onWake, ${(WAKES / onWakes).toFixed(1)} to 1`);
      } finally {
        rig.close();
      }
    },
    2 * DEADLINE_MS,
  );

  test(
    'each wake of a thread that waits to be heard is heard',
    async () => {
      const rig = new DriverRig(kind);
      try {
        const waker = rig.reactor.waker(() => {
          for (let i = 0; i < THREADS; i++) {
            Atomics.store(orders.heard, i, Atomics.load(orders.counts, i));
            Atomics.notify(orders.heard, i);
          }
        });
        const orders = order(workers, { kind: 'lockstep', wakers: [waker.share()], wakes: LOCKSTEPS });
        orders.begin();
        const answers = await within(orders.answers, `${LOCKSTEPS} wakes, one by one`, DEADLINE_MS);
        expect(answers).toEqual(Array(THREADS).fill('done'));
        expect(sum(orders.heard)).toBe(LOCKSTEPS * THREADS);
      } finally {
        rig.close();
      }
    },
    2 * DEADLINE_MS,
  );

  /** Opened at once after a close: they get the numbers that it has given back. */
  function openPipes(): { read: number; write: number }[] {
    return Array.from({ length: PIPES }, () => {
      const fds: number[] = [];
      openPipe(fds, sys.constants['O_NONBLOCK']);
      return { read: fds[0] ?? -1, write: fds[1] ?? -1 };
    });
  }

  /**
   * Closes the reactor when the thread has woken so many of its wakers, and has what was written
   * into its old numbers.
   */
  async function closeWhileWoken(closeAfter: number): Promise<{ written: number; reused: boolean }> {
    const before = openFds();
    const reactor = new Reactor({ driver: kind.driver, backend: kind.backend });
    if (kind.run === true) void reactor.run();
    const numbers = openedSince(before).map((line) => parseInt(line, 10));
    const wakers: SharedWaker[] = Array.from({ length: WAKERS_PER_ROUND }, () => reactor.waker().share());
    const orders = order([workers[0]!], { kind: 'each', wakers, wakes: 0 });
    if (closeAfter > 0) orders.begin();
    untilSync(() => sum(orders.counts) >= closeAfter, `${closeAfter} wakes`);
    reactor.close();
    const pipes = openPipes();
    if (closeAfter === 0) orders.begin();
    try {
      expect(await within(orders.answers, 'the thread', DEADLINE_MS)).toEqual(['done']);
      expect(sum(orders.counts)).toBe(WAKERS_PER_ROUND);
      const written = pipes.reduce((total, { read }) => total + drain(read), 0);
      const reused = numbers.every((fd) => pipes.some(({ read, write }) => fd === read || fd === write));
      return { written, reused };
    } finally {
      for (const { read, write } of pipes) [read, write].forEach((fd) => sys.close(fd));
    }
  }

  test('T56 wakers of a closed reactor write nothing into fds that have its old numbers', async () => {
    expect(await closeWhileWoken(0)).toEqual({ written: 0, reused: true });
  });

  test('T56 nor those that are woken while it closes', async () => {
    const random = new Random(testSeed());
    for (let i = 0; i < CLOSE_ROUNDS; i++) {
      const closeAfter = 1 + random.below(WAKERS_PER_ROUND - 1);
      expect(await closeWhileWoken(closeAfter)).toEqual({ written: 0, reused: true });
    }
  });
});

describe('share() and from()', () => {
  test('what share() gives is cloneable, holds no fd, and makes the same waker', async () => {
    const reactor = new Reactor({ driver: 'manual' });
    let woken = 0;
    const waker = reactor.waker(() => woken++);
    const shared = structuredClone(waker.share());
    expect(Object.keys(shared).sort()).toEqual(['buffer', 'id']);
    const other = Waker.from(shared);
    other.wake();
    other.wake();
    waker.wake();
    reactor.turn(1000);
    expect(woken).toBe(1);
    // Its own close ends nothing but itself.
    other.close();
    expect(thrownBy(() => other.wake()).code).toBe('ERR_TRIPOLL_CLOSED');
    Waker.from(other.share()).wake();
    reactor.turn(1000);
    expect(woken).toBe(2);
    reactor.close();
    Waker.from(shared).wake();
    expect(woken).toBe(2);
  });

  test('from() refuses what share() did not give', () => {
    const buffer = new SharedArrayBuffer(4);
    const wrong: unknown[] = [
      ...[undefined, null, 1, 'waker', {}, [], { id: 1 }, { buffer }, { id: '1', buffer }],
      ...[
        { id: 1, buffer: new ArrayBuffer(4) },
        { id: 1, buffer: new SharedArrayBuffer(8) },
      ],
      ...[{ id: 1, buffer: new Int32Array(buffer) }],
    ];
    for (const shared of wrong)
      expect(thrownBy(() => Waker.from(shared as SharedWaker))).toEqual(invalidType);
  });

  test('an id that no reactor ever had wakes nobody', () => {
    for (const id of [0, -1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      expect(() => Waker.from({ id, buffer: new SharedArrayBuffer(4) }).wake()).not.toThrow();
    }
  });
});
