// Sockets that go from thread to thread: under load, and when threads end.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { Reactor } from 'tripoll';
import { attach, discardHandle, TcpListener, TcpStream, UnixStream, type SocketHandle } from 'tripoll/net';
import { ownHandle } from '#lib/net/socket/detached';
import { describeUnixMessages } from '../../support/kernel.js';
import { until, within } from '../../support/deadline.js';
import { openedSince, openFds } from '../../support/fds.js';
import { Random, testSeed } from '../../support/random.js';
import { legsHere, LOOPBACK, pattern, portOf } from '../tools.js';
import type { EchoMessage, EchoPlan, Style } from './echo-worker.js';
import type { ShufflePlan } from './shuffle-worker.js';

type Leg = (typeof legsHere)[number];
type AnyHandle = SocketHandle<'tcp' | 'unix'>;
type AnyStream = TcpStream | UnixStream;

const MOVES = 200;
const SOCKETS = 2;
const BYTES_PER_STAY = 20_000;
const DEADLINE_MS = 60_000;
const ENDED = 15;
const ROUNDS = 8;

function start(file: string, plan: EchoPlan | ShufflePlan): Worker {
  return new Worker(path.join(__dirname, file), { workerData: plan });
}

/** Sends until it is told to stop, and reads it all back: two digests. */
async function flood(stream: AnyStream, isEnough: () => boolean): Promise<[string, string]> {
  const sent = createHash('sha1');
  const received = createHash('sha1');
  const reading = (async () => {
    const buffer = new Uint8Array(100_000);
    for (;;) {
      const length = await within(stream.read(buffer), 'an echo', DEADLINE_MS);
      if (length === 0) return;
      received.update(buffer.subarray(0, length));
    }
  })();
  for (let i = 1; !isEnough(); i++) {
    const bytes = pattern(1 + ((i * 7919) % 60_000), i);
    sent.update(bytes);
    await within(stream.writeAll(bytes), 'a write', DEADLINE_MS);
  }
  stream.end();
  await reading;
  return [sent.digest('hex'), received.digest('hex')];
}

/** Two threads that give each other the sockets, by way of this one. */
class Relay {
  readonly moves: number[] = [];
  readonly errors: string[] = [];
  readonly #threads: Worker[];

  constructor({ driver, backend }: Leg, styles: readonly Style[]) {
    const plan = { driver, backend, bytes: BYTES_PER_STAY };
    this.#threads = styles.map((style, i) =>
      start('echo-worker.js', { ...plan, style, seed: testSeed() + i } satisfies EchoPlan),
    );
    this.#threads.forEach((thread, i) => {
      const next = this.#threads[(i + 1) % this.#threads.length]!;
      thread.on('message', ({ index, handle, error }: EchoMessage) => {
        if (error !== undefined) this.errors.push(error);
        if (handle === undefined) return;
        this.moves[index]!++;
        next.postMessage({ index, handle } satisfies EchoMessage);
      });
      thread.on('error', (error) => this.errors.push(error.message));
    });
  }

  begin(handle: AnyHandle): () => number {
    const index = this.moves.push(0) - 1;
    this.#threads[0]!.postMessage({ index, handle } satisfies EchoMessage);
    return () => this.moves[index]!;
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}

async function moveUnderLoad(
  leg: Leg,
  styles: readonly Style[],
  open: (reactor: Reactor) => Promise<{ client: AnyStream; handle: AnyHandle }>,
): Promise<void> {
  const { driver, backend } = leg;
  const reactor = new Reactor({ driver, backend });
  const relay = new Relay(leg, styles);
  try {
    const floods = Array.from({ length: SOCKETS }, async () => {
      const { client, handle } = await open(reactor);
      const moves = relay.begin(handle);
      const digests = await flood(client, () => moves() >= MOVES || relay.errors.length > 0);
      client.close();
      return digests;
    });
    const digests = await Promise.all(floods);
    expect(relay.errors).toEqual([]);
    for (const [sent, received] of digests) expect(received).toBe(sent);
    for (const moves of relay.moves) expect(moves).toBeGreaterThanOrEqual(MOVES);
  } finally {
    await relay.close();
    reactor.close();
  }
}

async function openTcp(reactor: Reactor): Promise<{ client: TcpStream; handle: AnyHandle }> {
  const listener = await TcpListener.bind({ host: LOOPBACK, port: 0 }, { reactor });
  const client = await TcpStream.connect({ host: LOOPBACK, port: portOf(listener) }, { reactor });
  const { stream } = await listener.accept();
  listener.close();
  return { client, handle: await stream.detach() };
}

const ways: readonly (readonly [Style, Style])[] = [
  ['promises', 'promises'],
  ['handlers', 'handlers'],
  ['promises', 'handlers'],
];

describe.each(legsHere)('moving between threads, $driver $backend', (leg) => {
  test.each(ways)(
    `T05 ${MOVES} times under load, by %s and %s: no byte is lost or doubled`,
    (...styles) => moveUnderLoad(leg, styles, openTcp),
    2 * DEADLINE_MS,
  );

  describeUnixMessages('Unix sockets', () => {
    test(
      `T05 ${MOVES} times under load: no byte is lost or doubled`,
      () =>
        moveUnderLoad(leg, ['promises', 'handlers'], async (reactor) => {
          const [client, server] = UnixStream.pair({ reactor });
          return { client, handle: await server.detach() };
        }),
      2 * DEADLINE_MS,
    );
  });
});

/** Starts threads, and ends each as `end` says; what is still open after that. */
async function endThreads(
  leg: Leg,
  end: (worker: Worker, random: Random) => Promise<void>,
): Promise<string[]> {
  const { driver, backend } = leg;
  const random = new Random(testSeed());
  const reactor = new Reactor({ driver, backend });
  const run = async (): Promise<void> => {
    const plan: ShufflePlan = { driver, backend, seed: random.below(1e9), rounds: ROUNDS };
    const worker = start('shuffle-worker.js', plan);
    const exited = once(worker, 'exit');
    const claims = random.below(3);
    worker.on('message', (handle: SocketHandle) => {
      // It may have been closed with its thread.
      if (claims > 0 && handle.kind === 'tcp') claim(handle as SocketHandle<'tcp'>, reactor);
    });
    await end(worker, random);
    await within(exited, 'the end of a thread', DEADLINE_MS);
  };
  // What Node opens with its first worker stays.
  await run();
  const before = openFds();
  for (let i = 0; i < ENDED; i++) await run();
  await until(() => openedSince(before).length === 0, 'fds closed', 5000).catch(() => undefined);
  const left = openedSince(before);
  reactor.close();
  return left;
}

function claim(handle: SocketHandle<'tcp'>, reactor: Reactor): void {
  try {
    attach(handle, { reactor }).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_TRIPOLL_CLOSED') throw error;
  }
}

describe.each(legsHere)('T50 threads that end, $driver $backend', (leg) => {
  test(
    'terminated at any moment, with sockets on their way: nothing stays open',
    async () => {
      const left = await endThreads(leg, async (worker, random) => {
        await once(worker, 'online');
        const delayMs = random.next() * 60;
        if (random.below(2) === 0) await once(worker, 'message');
        await new Promise((resolve) => {
          setTimeout(resolve, delayMs);
        });
        await worker.terminate();
      });
      expect(left).toEqual([]);
    },
    2 * DEADLINE_MS,
  );

  test(
    'by themselves, with handles that nobody has claimed: nothing stays open',
    async () => {
      expect(await endThreads(leg, () => Promise.resolve())).toEqual([]);
    },
    2 * DEADLINE_MS,
  );

  test('T56 a handle outlives its thread where another has taken it over, and only there', async () => {
    const { driver, backend } = leg;
    const reactor = new Reactor({ driver, backend });
    const plan: ShufflePlan = { driver, backend, seed: 1, rounds: 2, waits: true };
    const worker = start('shuffle-worker.js', plan);
    const handles: SocketHandle<'tcp'>[] = [];
    worker.on('message', (handle: SocketHandle<'tcp'>) => {
      handles.push(handle);
    });
    await until(() => handles.length === 3, 'handles');
    const [owned, ...others] = handles;
    expect(ownHandle(owned!)).toBe(true);
    worker.postMessage('end');
    await within(once(worker, 'exit'), 'the end of a thread');
    for (const handle of others) expect([ownHandle(handle), discardHandle(handle)]).toEqual([false, false]);
    const stream = attach(owned!, { reactor });
    // Its peer was detached by that thread too, and closed with it, or before.
    expect(await within(stream.read(new Uint8Array(1)), 'the end')).toBe(0);
    stream.close();
    reactor.close();
  });
});
