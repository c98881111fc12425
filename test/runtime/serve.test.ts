import { existsSync, readFileSync } from 'node:fs';
import { BlockList, createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { capabilities, Mode, Reactor } from 'tripoll';
import { type ServeTarget, type Server } from '#lib/runtime/index';
import { describeServing, testIf } from '../support/applies.js';
import { until, within } from '../support/deadline.js';
import { invalidType, outOfRange, rejectionOf, unsupported } from '../support/errors.js';
import { temporaryFolder } from '../support/folders.js';
import { threadIds } from '../support/threads.js';
import { Client, describeServingEach, endAll, LOOPBACK, serve, withServing } from './serve-rig.js';

type Strategy = NonNullable<ServeTarget['strategy']>;
const hasExclusive = Reactor.default.supports(Mode.LEVEL | Mode.EXCLUSIVE);
const strategies: readonly (readonly [Strategy, 'default' | 'run'])[] = [
  ['balanced', 'default'],
  ['balanced', 'run'],
  ...(capabilities.reusePortBalances ? [['reuseport', 'default'] as const] : []),
  ...(hasExclusive ? [['exclusive', 'run'] as const] : []),
];
const sum = (
  server: Server,
  of: 'open' | 'accepted' | 'handedOver' | 'wakes' | 'stolen' | 'dropped',
): number => server.inspect().workers.reduce((total, worker) => total + worker[of], 0);

/** How often each thread has gone to sleep, once all of them sleep; Linux. */
async function sleepsOf(threads: readonly string[]): Promise<number[]> {
  const statuses = (): string[] => threads.map((id) => readFileSync(`/proc/self/task/${id}/status`, 'utf8'));
  let seen: string[] = [];
  await until(() => {
    seen = statuses();
    return seen.every((status) => status.includes('State:\tS'));
  }, 'all threads to sleep');
  return seen.map((status) => Number(/^voluntary_ctxt_switches:\t(\d+)$/m.exec(status)![1]));
}

describeServingEach(strategies, 'serving by the strategy %s, driver %s', (strategy, driver) => {
  test('one port for all workers; each connection is served once, and counted', async () => {
    await withServing({ driver }, async (runtime) => {
      const server = await serve(runtime, 'greet', { strategy });
      expect(server.address).toMatchObject({ address: '127.0.0.1', family: 'IPv4' });
      expect(server.strategy).toBe(strategy);
      const clients = await Client.many(server, 40);
      const greetings = await Promise.all(clients.map((client) => client.line()));
      expect(await clients[0]!.ask('hello\n')).toBe('hello');
      const { workers } = server.inspect();
      expect(workers.map(({ listening }) => listening)).toEqual([true, true]);
      for (const { worker, open } of workers) {
        expect(greetings.filter((line) => line.startsWith(`${worker} `))).toHaveLength(open);
      }
      expect(sum(server, 'accepted')).toBe(40);
      expect(sum(server, 'open')).toBe(40);
      // Two that accept at once see what the other counts a step late; and those that were stolen
      // from a worker that was late had been given to it for balance.
      const [a = 0, b = 0] = workers.map(({ open }) => open);
      if (strategy === 'balanced') expect(Math.abs(a - b)).toBeLessThanOrEqual(3 + 2 * sum(server, 'stolen'));
      endAll(clients);
      await until(() => server.inspect().open === 0, 'the end of all');
      await within(server.close(), 'close');
    });
  });

  test('with handlers, that all connections of a worker share', async () => {
    await withServing({ driver }, async (runtime) => {
      const server = await serve(runtime, 'greeter', { strategy });
      const clients = await Client.many(server, 10);
      for (const client of clients) expect(await client.line()).toBe('greeter');
      for (const client of clients) expect(await client.ask('x\n')).toBe('x');
      for (const client of clients) expect(await client.end()).toBe('end');
      await until(() => server.inspect().open === 0, 'the end of all');
    });
  });

  test('shutdown() accepts what waits, tells connections, and counts how they end', async () => {
    await withServing({ driver }, async (runtime) => {
      for (const name of ['polite', 'politeHandlers'] as const) {
        const server = await serve(runtime, name, { strategy });
        const { address } = server;
        const clients = await Client.many(server, 10);
        for (const client of clients) await client.line();
        const result = within(server.shutdown(), 'the end of all');
        for (const client of clients) {
          expect(await client.line()).toBe('bye');
          client.socket.end();
        }
        expect(await result).toEqual({ finished: 10, closed: 0 });
        expect(server.closed).toBe(true);
        expect(server.address).toEqual(address);
        expect(await server.shutdown()).toEqual({ finished: 10, closed: 0 });
      }
    });
  });

  test('shutdown({ signal }) closes the rest, and nobody can connect any more', async () => {
    await withServing({ driver }, async (runtime) => {
      const server = await serve(runtime, 'greet', { strategy });
      const { port } = server.address as AddressInfo;
      const clients = await Client.many(server, 6);
      for (const client of clients) await client.line();
      const controller = new AbortController();
      const result = within(server.shutdown({ signal: controller.signal }), 'the end');
      await clients[0]!.end();
      await until(() => server.inspect().open === 5, 'the end of one');
      controller.abort();
      expect(await result).toEqual({ finished: 1, closed: 5 });
      await Promise.all(clients.map((client) => within(client.ended, 'its end')));
      expect(await new Client({ host: '127.0.0.1', port }).ended).toBe('ECONNREFUSED');
    });
  });

  test('close() does not wait for anybody', async () => {
    await withServing({ driver }, async (runtime) => {
      const server = await serve(runtime, 'greeter', { strategy });
      const clients = await Client.many(server, 4);
      for (const client of clients) await client.line();
      // A peer that does not read keeps nobody.
      for (const client of clients) client.socket.pause();
      await within(server.close(), 'close');
      expect(server.inspect()).toMatchObject({ closed: true, open: 0 });
      endAll(clients);
    });
  });

  test('maxConnections is of all workers', async () => {
    await withServing({ driver }, async (runtime) => {
      const server = await serve(runtime, 'greet', { strategy, maxConnections: 4 });
      const clients = await Client.many(server, 4);
      for (const client of clients) await client.line();
      const more = await Client.many(server, 3);
      for (const client of more) await within(client.ended, 'a refused connection');
      expect(server.inspect().open).toBe(4);
      expect(sum(server, 'dropped')).toBe(3);
      await clients[0]!.end();
      await until(() => server.inspect().open === 3, 'a place');
      const next = await Client.to(server);
      await next.line();
      endAll([...clients, next]);
    });
  });

  test('a Unix socket, whose file goes with the server', async () => {
    if (!capabilities.unixSockets || strategy === 'reuseport') return;
    const file = path.join(temporaryFolder(), 'served.sock');
    await withServing({ driver }, async (runtime) => {
      const server = await serve(runtime, 'greeter', { path: file, strategy });
      expect(server.address).toBe(file);
      const clients = await Client.many(server, 8);
      for (const client of clients) expect(await client.line()).toBe('greeter');
      expect(sum(server, 'open')).toBe(8);
      endAll(clients);
      await within(server.close(), 'close');
      expect(existsSync(file)).toBe(false);
    });
  });
});

describeServing('strategies', () => {
  test('balanced: the loads never differ by more than one, whoever accepts', async () => {
    await withServing({ workers: 3 }, async (runtime) => {
      const server = await serve(runtime, 'greet', { strategy: 'balanced' });
      const clients: Client[] = [];
      for (let i = 0; i < 15; i++) {
        const client = await Client.to(server);
        await client.line();
        clients.push(client);
        const open = server.inspect().workers.map((worker) => worker.open);
        const allowed = 1 + 2 * sum(server, 'stolen');
        expect(Math.max(...open) - Math.min(...open)).toBeLessThanOrEqual(allowed);
      }
      // Those that are gone make room where they were.
      const onFirst = clients.filter((_, i) => i % 2 === 0);
      for (const client of onFirst) await client.end();
      await until(() => server.inspect().open === 7, 'their end');
      // One after the other: two workers that accept at once may choose the same third.
      const more: Client[] = [];
      while (more.length < 8) {
        const client = await Client.to(server);
        await client.line();
        more.push(client);
      }
      if (sum(server, 'stolen') === 0)
        expect(server.inspect().workers.map((worker) => worker.open)).toEqual([5, 5, 5]);
      endAll([...clients, ...more]);
    });
  });

  test('balanced: what a busy worker has not begun with, an idle one takes', async () => {
    await withServing({}, async (runtime) => {
      const server = await serve(runtime, 'blocker', { strategy: 'balanced' });
      const first = [await Client.to(server)];
      const busy = Number(await first[0]!.line());
      // One more there, so that the next are given to the one that will be busy.
      while (server.inspect().workers[1 - busy]!.open < 2) {
        const client = await Client.to(server);
        await client.line();
        first.push(client);
      }
      // Its next answer comes when the thread is free again; all that comes before is the other's.
      expect(await first[0]!.ask('3000')).toBe('busy');
      const idle = () => server.inspect().workers[1 - busy]!;
      const { stolen, handedOver } = idle();
      const others: Client[] = [];
      for (let i = 0; i < 6; i++) {
        const client = await Client.to(server);
        expect(await client.line()).toBe(String(1 - busy));
        // Counted before it is used: its worker is held up now.
        expect(idle().stolen - stolen).toBe(idle().handedOver - handedOver);
        others.push(client);
      }
      expect(idle().stolen - stolen).toBeGreaterThanOrEqual(1);
      endAll(others);
      expect(await first[0]!.line()).toBe('done');
      endAll(first);
    });
  });

  testIf(hasExclusive, 'EXCLUSIVE is Linux’ own')('exclusive: a connection wakes few', async () => {
    const workers = 4;
    const others = new Set(threadIds());
    await withServing({ driver: 'run', workers }, async (runtime) => {
      const server = await serve(runtime, 'greet', { strategy: 'exclusive' });
      const threads = threadIds().filter((id) => !others.has(id));
      const clients: Client[] = [];
      let woken = 0;
      for (let i = 0; i < 30; i++) {
        // The counters of the server tell only of who came while the connection still waited.
        const before = await sleepsOf(threads);
        const client = await Client.to(server);
        await client.line();
        clients.push(client);
        const after = await sleepsOf(threads);
        woken += after.filter((sleeps, thread) => sleeps > before[thread]!).length;
      }
      expect(sum(server, 'wakes')).toBeGreaterThanOrEqual(30);
      // Were all woken it would be four a connection.
      expect(woken / 30).toBeGreaterThanOrEqual(1);
      expect(woken / 30).toBeLessThan(2);
      endAll(clients);
    });
  });

  test.each([
    ['default', 'LEVEL'],
    ['run', hasExclusive ? 'LEVEL | EXCLUSIVE' : 'LEVEL'],
  ] as const)('balanced, driver %s: its sockets are registered as %s', async (driver, mode) => {
    await withServing({ driver }, async (runtime) => {
      const server = await serve(runtime, 'modes', { strategy: 'balanced' });
      expect(await (await Client.to(server)).line()).toBe(mode);
    });
  });

  test('what this system lacks is refused, never imitated', async () => {
    await withServing({ driver: 'default' }, async (runtime) => {
      // Where its poller sleeps in another thread, or in libuv's, as well.
      expect(await rejectionOf(serve(runtime, 'greet', { strategy: 'exclusive' }))).toMatchObject(
        unsupported,
      );
      if (!capabilities.reusePortBalances)
        expect(await rejectionOf(serve(runtime, 'greet', { strategy: 'reuseport' }))).toMatchObject(
          unsupported,
        );
      const path = '/tmp/never-bound.sock';
      expect(await rejectionOf(serve(runtime, 'greeter', { path, strategy: 'reuseport' }))).toMatchObject(
        unsupported,
      );
      expect(existsSync(path)).toBe(false);
    });
  });

  test('without one: balanced', async () => {
    await withServing({ workers: 1 }, async (runtime) => {
      expect((await serve(runtime, 'greet')).strategy).toBe('balanced');
    });
  });
});

testIf(!capabilities.sharedListeners, 'this system serves')(
  'where threads cannot share a listening socket serve() is rejected, and tasks run',
  async () => {
    await withServing({ workers: 1 }, async (runtime) => {
      expect(await rejectionOf(runtime.serve(LOOPBACK, 'greet'))).toMatchObject(unsupported);
      expect(await rejectionOf(runtime.serve(null as never, 'greet'))).toMatchObject(invalidType);
      expect(await runtime.spawn('add', [1, 2])).toBe(3);
    });
  },
);

class OwnList {
  check(): boolean {
    return false;
  }
}

describeServing('what is wrong', () => {
  test.each([
    ['no options', null, invalidType],
    ['an option of another name', { ...LOOPBACK, hots: 1 }, { name: 'TypeError' }],
    ['a path and a host', { ...LOOPBACK, path: '/x' }, invalidType],
    ['a port that is none', { host: '127.0.0.1', port: 70_000 }, outOfRange],
    ['a strategy that is none', { ...LOOPBACK, strategy: 'random' }, outOfRange],
    ['a count below 0', { ...LOOPBACK, maxConnections: -1 }, outOfRange],
    [
      'water marks the wrong way round',
      { ...LOOPBACK, highWaterMarkBytes: 1, lowWaterMarkBytes: 2 },
      outOfRange,
    ],
    ['a list that checks nothing', { ...LOOPBACK, blockList: {} }, invalidType],
    [
      'a list that no port takes',
      { ...LOOPBACK, blockList: { check: () => false } },
      { code: 'ERR_TRIPOLL_NOT_CLONEABLE' },
    ],
    ['a list that is lost on the way', { ...LOOPBACK, blockList: new OwnList() }, invalidType],
    [
      'an option of sockets that is none',
      { ...LOOPBACK, acceptedSocketOptions: { nope: 1 } },
      { name: 'TypeError' },
    ],
  ])('%s', async (_, target, error) => {
    await withServing({ workers: 1 }, async (runtime) => {
      expect(await rejectionOf(runtime.serve(target as never, 'greet'))).toMatchObject(error);
      // And the runtime is as good as before.
      expect(await runtime.spawn('add', [1, 2])).toBe(3);
    });
  });

  test('an export that is not there, or serves nothing', async () => {
    await withServing({ workers: 1 }, async (runtime) => {
      for (const name of ['nobody', 'notAService'])
        expect(await rejectionOf(runtime.serve(LOOPBACK, name as never))).toMatchObject({
          code: 'ERR_TRIPOLL_NO_SUCH_TASK',
        });
      expect(await rejectionOf(runtime.serve(LOOPBACK, 1 as never))).toMatchObject(invalidType);
    });
  });

  test('a list that is refused leaves the port free', async () => {
    await withServing({ workers: 1 }, async (runtime) => {
      const first = await serve(runtime, 'greet');
      const { port } = first.address as AddressInfo;
      await first[Symbol.asyncDispose]();
      const blockList = new OwnList() as never;
      expect(await rejectionOf(serve(runtime, 'greet', { port, blockList }))).toMatchObject(invalidType);
      expect((await serve(runtime, 'greet', { port })).address).toMatchObject({ port });
    });
  });

  test('an address that is in use', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve);
    });
    const { port } = other.address() as AddressInfo;
    await withServing({ workers: 1 }, async (runtime) => {
      expect(await rejectionOf(serve(runtime, 'greet', { port }))).toMatchObject({ code: 'EADDRINUSE' });
    });
    other.close();
  });

  test('an entry that cannot be loaded; a runtime that is closed', async () => {
    await withServing({ workers: 1, entry: path.join(__dirname, 'nowhere.js') }, async (runtime) => {
      expect(await rejectionOf(runtime.serve(LOOPBACK, 'greet'))).toMatchObject({
        code: 'ERR_TRIPOLL_ENTRY',
      });
    });
    await withServing({ workers: 1 }, async (runtime) => {
      await runtime.close();
      expect(await rejectionOf(runtime.serve(LOOPBACK, 'greet'))).toMatchObject({
        code: 'ERR_TRIPOLL_CLOSED',
      });
    });
  });
});

describeServing('a connection', () => {
  test('that is blocked is closed at once', async () => {
    const blockList = new BlockList();
    blockList.addAddress('127.0.0.1');
    await withServing({}, async (runtime) => {
      const server = await serve(runtime, 'greet', { blockList });
      const client = await Client.to(server);
      await within(client.ended, 'its end');
      expect(sum(server, 'dropped')).toBe(1);
      expect(server.inspect().open).toBe(0);
    });
    const others = new BlockList();
    others.addAddress('127.0.0.2');
    await withServing({}, async (runtime) => {
      const server = await serve(runtime, 'greet', { blockList: others });
      expect(await (await Client.to(server)).line()).toMatch(/./);
      expect(sum(server, 'dropped')).toBe(0);
    });
  });

  test('is closed when the promise of its function is settled, and by what it throws of itself', async () => {
    await withServing({ workers: 1 }, async (runtime) => {
      const server = await serve(runtime, 'impatient');
      const client = await Client.to(server);
      expect(await client.line()).toBe('x');
      expect(await within(client.ended, 'its end')).toBe('end');
      expect(runtime.inspect().workers[0]).toMatchObject({ restarts: 0 });
    });
  });

  test('may spawn tasks', async () => {
    await withServing({}, async (runtime) => {
      const server = await serve(runtime, 'spawning');
      const clients = await Client.many(server, 4);
      for (const client of clients) expect(await client.ask('abc')).toBe('4');
      endAll(clients);
    });
  });

  test('whose function makes a mistake takes its worker with it, which comes back', async () => {
    await withServing({}, async (runtime) => {
      const server = await serve(runtime, 'mistaken');
      const client = await Client.to(server);
      client.socket.write('x');
      await within(client.ended, 'its end');
      await until(() => runtime.inspect().workers.some(({ restarts }) => restarts === 1), 'a new thread');
      await until(() => server.inspect().workers.every(({ listening }) => listening), 'all that listen');
    });
  });
});
