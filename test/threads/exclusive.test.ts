import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { Waker } from 'tripoll';
import { sys } from 'tripoll/raw';
import { testIf } from '../support/applies.js';
import { canNest } from '../support/backends.js';
import { until, within } from '../support/deadline.js';
import { type ExclusivePlan, ORDER, type Ready } from './exclusive-worker.js';

const THREADS = 8;
const CONNECTIONS = 200;
const DEADLINE_MS = 60_000;
const { AF_INET, SOCK_STREAM, SOCK_NONBLOCK } = sys.constants;

function check(result: number): number {
  if (result < 0) throw new Error(`errno ${-result}`);
  return result;
}

function sharedInts(count: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
}

interface Thread {
  readonly worker: Worker;
  readonly waker: Waker;
  readonly threadId: string;
}

/** Several threads that watch one listening socket, and what they were woken for. */
class Watchers {
  readonly #fd = check(sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK));
  readonly #address: { host: string; port: number };
  readonly #order = sharedInts(1);
  readonly #calls = sharedInts(THREADS);
  readonly #done = sharedInts(1);
  #threads: Thread[] = [];

  constructor() {
    check(sys.bind(this.#fd, '127.0.0.1:0'));
    check(sys.listen(this.#fd, 128));
    const name: { port?: number } = {};
    check(sys.getsockname(this.#fd, name));
    this.#address = { host: '127.0.0.1', port: name.port! };
  }

  async start(run: boolean): Promise<void> {
    const [order, calls, done] = [this.#order, this.#calls, this.#done];
    const starting = Array.from({ length: THREADS }, async (_, index): Promise<Thread> => {
      const workerData: ExclusivePlan = { fd: this.#fd, run, index, order, calls, done };
      const worker = new Worker(path.join(__dirname, 'exclusive-worker.js'), { workerData });
      const [ready] = (await once(worker, 'message')) as [Ready];
      return { worker, waker: Waker.from(ready.waker), threadId: ready.threadId };
    });
    this.#threads = await within(Promise.all(starting), 'the threads', DEADLINE_MS);
  }

  async command(order: number): Promise<void> {
    Atomics.store(this.#done, 0, 0);
    Atomics.store(this.#order, 0, order);
    for (const { waker } of this.#threads) waker.wake();
    await until(() => Atomics.load(this.#done, 0) === THREADS, `order ${order}`);
  }

  #count(): number {
    return this.#calls.reduce((sum, _, index) => sum + Atomics.load(this.#calls, index), 0);
  }

  /**
   * A thread that waits in the kernel is in state S; its own name may hold spaces, so look behind
   * it.
   */
  #allWait(): boolean {
    return this.#threads.every(({ threadId }) => {
      const stat = readFileSync(`/proc/self/task/${threadId}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')') + 2).startsWith('S');
    });
  }

  /** One connection, while all threads watch and wait: how many of them were woken for it. */
  async wakesOfOne(): Promise<number> {
    await this.command(ORDER.watch);
    await until(() => this.#allWait(), 'all threads to wait');
    const before = this.#count();
    const client = check(sys.socket(AF_INET, SOCK_STREAM));
    check(sys.connect(client, this.#address)); // blocks until it is in the listener's queue
    await until(() => this.#count() > before, 'a thread that heard of it');
    // Whoever was woken by the connection has called its handler before it answers.
    await this.command(ORDER.report);
    const wakes = this.#count() - before;
    for (const fd of [check(sys.accept4(this.#fd, 0)), client]) sys.close(fd);
    return wakes;
  }

  async stop(): Promise<void> {
    const ended = this.#threads.map(({ worker }) => once(worker, 'exit'));
    await this.command(ORDER.stop);
    await within(Promise.all(ended), 'the end of the threads', DEADLINE_MS);
    sys.close(this.#fd);
  }
}

async function countWakes(run: boolean): Promise<number> {
  const watchers = new Watchers();
  await watchers.start(run);
  let wakes = 0;
  for (let i = 0; i < CONNECTIONS; i++) wakes += await watchers.wakesOfOne();
  await watchers.stop();
  return wakes;
}

testIf(canNest, 'it compares with the nested driver')(
  'EXCLUSIVE (epoll) under run(): a connection wakes one of the threads, where nested wakes all',
  async () => {
    const inverted = (await countWakes(true)) / CONNECTIONS;
    const nested = (await countWakes(false)) / CONNECTIONS;
    console.info(`wakes per connection, ${THREADS} threads: run() ${inverted}, nested ${nested}`);
    expect(inverted).toBeGreaterThanOrEqual(1);
    // One, but for threads that the kernel found between two waits.
    expect(inverted).toBeLessThan(2);
    expect(inverted).toBeLessThan(nested / 2);
  },
  2 * DEADLINE_MS,
);
