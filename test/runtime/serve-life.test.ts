import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { capabilities } from 'tripoll';
import { Runtime, type Server } from '#lib/runtime/index';
import { describeServing, testServing } from '../support/applies.js';
import { runFile } from '../support/child.js';
import { until, within } from '../support/deadline.js';
import { closed, invalidType, rejectionOf } from '../support/errors.js';
import { openedSince, openFds } from '../support/fds.js';
import {
  Client,
  describeServingEach,
  endAll,
  LOOPBACK,
  serve,
  serveTasks,
  withServing,
  type Tasks,
} from './serve-rig.js';

const strategies = (['balanced', 'reuseport'] as const).filter(
  (strategy) => strategy === 'balanced' || capabilities.reusePortBalances,
);
const listensOnAll = (server: Server): boolean =>
  server.inspect().workers.every(({ listening }) => listening);

/** By the workers that have them, of those that have greeted. */
async function greeted(clients: readonly Client[]): Promise<{ worker: number; version: string }[]> {
  const lines = await Promise.all(clients.map((client) => client.line()));
  return lines.map((line) => {
    const [worker, version = ''] = line.split(' ');
    return { worker: Number(worker), version };
  });
}

const openSockets = (): number => [...openFds().values()].filter((each) => each.includes('socket')).length;

interface Gate {
  readonly entry: string;
  readonly wait: () => void;
  readonly go: () => void;
}

/** With an entry that a thread, from `wait()` on, has loaded after `go()`. */
async function withGate(fn: (gate: Gate) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tripoll-slow-'));
  const [entry, gate] = [path.join(folder, 'entry.mjs'), path.join(folder, 'gate')];
  writeFileSync(
    entry,
    `import { existsSync } from 'node:fs';
     import { setTimeout } from 'node:timers/promises';
     while (existsSync(${JSON.stringify(gate)})) await setTimeout(5);
     export { greet } from ${JSON.stringify(pathToFileURL(serveTasks))};`,
  );
  try {
    await fn({ entry, wait: () => writeFileSync(gate, ''), go: () => rmSync(gate) });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const each = strategies.map((strategy) => [strategy] as const);

describeServingEach(each, 'a worker that dies under a server, strategy %s', (strategy) => {
  test('takes its own connections along, no other; its successor listens', async () => {
    await withServing({}, async (runtime) => {
      const server = await serve(runtime, 'greet', { strategy });
      const clients = await Client.many(server, 20);
      const homes = await greeted(clients);
      const dead = homes[0]!.worker;
      const { open } = server.inspect().workers[dead]!;
      await within(runtime.terminateWorker(dead), 'its end');
      for (const [i, client] of clients.entries()) {
        if (homes[i]!.worker === dead) await within(client.ended, 'the end of its connection');
        else expect(await client.ask('still\n')).toBe('still');
      }
      await until(() => listensOnAll(server), 'all that listen');
      expect(server.inspect()).toMatchObject({ lost: open, open: 20 - open });
      const served = new Set<number>();
      // Twice what the other has by then. On a busy machine it may take all from its successor.
      await until(async () => {
        const more = await Client.many(server, 40);
        for (const { worker } of await greeted(more)) served.add(worker);
        endAll(more);
        return served.size === 2;
      }, 'connections of both');
      endAll(clients);
    });
  });

  test('T118 leaves to its successor what waits in the backlog', async () => {
    await withServing({ workers: 1 }, async (runtime) => {
      const server = await serve(runtime, 'blocker', { strategy });
      const first = await Client.to(server);
      await first.line();
      expect(await first.ask('60000')).toBe('busy');
      // The system completes their handshakes; nobody accepts.
      const waiting = await Client.many(server, 10);
      expect(server.inspect().workers[0]).toMatchObject({ accepted: 1 });
      await within(runtime.terminateWorker(0), 'its end');
      for (const client of waiting) expect(await client.line()).toBe('0');
      expect(server.inspect().workers[0]).toMatchObject({ accepted: 10, open: 10 });
      endAll(waiting);
    });
  });

  test('so often that it is given up leaves its port to the others', async () => {
    await withServing({ maxRestarts: 0 }, async (runtime) => {
      const server = await serve(runtime, 'greet', { strategy });
      await within(runtime.terminateWorker(1), 'its end');
      await until(() => runtime.inspect().workers.every(({ ready }, i) => ready || i === 1), 'the other');
      await until(() => !server.inspect().workers[1]!.listening, 'that it listens no more');
      const clients = await Client.many(server, 20);
      for (const { worker } of await greeted(clients)) expect(worker).toBe(0);
      endAll(clients);
      expect(await within(server.shutdown(), 'shutdown')).toMatchObject({ closed: 0 });
    });
  });

  test('leaves its port to the others, until its successor has loaded the entry', async () => {
    await withGate(async ({ entry, wait, go }) => {
      await withServing({ entry }, async (runtime) => {
        const server = await serve(runtime, 'greet', { strategy });
        const before = openSockets();
        wait();
        await within(runtime.terminateWorker(1), 'its end');
        const meanwhile = await Client.many(server, 20);
        for (const { worker } of await greeted(meanwhile)) expect(worker).toBe(0);
        expect(server.inspect().workers[1]).toMatchObject({ listening: false });
        go();
        await until(() => listensOnAll(server), 'its successor');
        const after = await Client.many(server, 40);
        expect(new Set((await greeted(after)).map(({ worker }) => worker))).toEqual(new Set([0, 1]));
        endAll([...meanwhile, ...after]);
        // The other has closed its number of the successor's socket.
        await until(() => openSockets() <= before, 'as many sockets as before');
      });
    });
  });

  test('before it has ever listened, and is given up, leaves its port to the others', async () => {
    await withGate(async ({ entry, wait, go }) => {
      wait();
      await withServing({ entry, maxRestarts: 0 }, async (runtime) => {
        const serving = serve(runtime, 'greet', { strategy });
        await within(runtime.terminateWorker(1), 'its end');
        go();
        const servers = [await serving, await serve(runtime, 'greet', { strategy })];
        for (const server of servers) {
          const clients = await Client.many(server, 20);
          for (const { worker } of await greeted(clients)) expect(worker).toBe(0);
          endAll(clients);
        }
      });
    });
  });

  test('during a shutdown does not keep that from ending', async () => {
    await withServing({}, async (runtime) => {
      const server = await serve(runtime, 'greet', { strategy });
      const clients = await Client.many(server, 8);
      await greeted(clients);
      const { open } = server.inspect().workers[1]!;
      const result = server.shutdown();
      await within(runtime.terminateWorker(1), 'its end');
      endAll(clients);
      expect(await within(result, 'shutdown')).toEqual({ finished: 8 - open, closed: open });
    });
  });
});

describeServing('a shutdown', () => {
  test('ends with the last worker that dies', async () => {
    await withServing({ workers: 1 }, async (runtime) => {
      const server = await serve(runtime, 'greet');
      const clients = await Client.many(server, 3);
      await greeted(clients);
      const result = server.shutdown();
      await within(runtime.terminateWorker(0), 'its end');
      expect(await within(result, 'shutdown')).toEqual({ finished: 0, closed: 3 });
      endAll(clients);
    });
  });

  test('keeps the process until the last connection has ended, and no longer', async () => {
    const { stdout, ...end } = await runFile('runtime/serve-hold-child', { deadlineMs: 20_000 });
    expect(end).toEqual({ code: 0, signal: null, timedOut: false, stderr: '' });
    expect(JSON.parse(stdout || 'null')).toEqual({ finished: 1, closed: 0 });
  }, 25_000);
});

describe('reload()', () => {
  let folder: string;
  let entry: string;
  const setVersion = (version: string): void => {
    const code = `globalThis.version = '${version}'; module.exports = require(${JSON.stringify(serveTasks)});`;
    writeFileSync(entry, version === 'broken' ? `throw new Error('it does not load');` : code);
  };
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'tripoll-reload-'));
    entry = path.join(folder, 'entry.cjs');
  });
  beforeEach(() => setVersion('1'));
  afterAll(() => rmSync(folder, { recursive: true }));

  describeServingEach(each, 'strategy %s', (strategy) => {
    test('nobody is refused, old connections finish, new ones get new code', async () => {
      await withServing({ entry }, async (runtime) => {
        const server = await serve(runtime, 'greet', { strategy });
        const old = await Client.many(server, 10);
        for (const { version } of await greeted(old)) expect(version).toBe('1');
        setVersion('2');
        const reloaded = runtime.reload();
        // All the while others come, as fast as they can.
        const seen: string[] = [];
        while (seen.filter((version) => version === '2').length < 20) {
          const client = await Client.to(server);
          seen.push((await greeted([client]))[0]!.version);
          expect(await client.end()).toBe('end');
        }
        // Once new code answers, old does not any more, but for what it had accepted.
        expect(seen.slice(seen.indexOf('2')).filter((version) => version === '1').length).toBeLessThan(5);
        for (const client of old) expect(await client.ask('still\n')).toBe('still');
        expect(server.inspect()).toMatchObject({ retiring: 10, lost: 0 });
        for (const client of old) expect(await client.end()).toBe('end');
        await within(reloaded, 'the end of the old threads');
        expect(await runtime.spawn('versionOf', [])).toBe('2');
        expect(listensOnAll(server)).toBe(true);
      });
    });
  });

  testServing('T118 what waits in the backlog of a worker that goes is served', async () => {
    await withServing({ entry, workers: 1 }, async (runtime) => {
      const server = await serve(runtime, 'blocker', { strategy: strategies.at(-1) });
      const first = await Client.to(server);
      await first.line();
      expect(await first.ask('1000')).toBe('busy');
      const waiting = await Client.many(server, 10);
      const reloaded = runtime.reload();
      for (const client of waiting) expect(await client.line()).toBe('0');
      expect(await first.line()).toBe('done');
      endAll([first, ...waiting]);
      await within(reloaded, 'reload');
    });
  });

  test('tasks that run end as they are; later ones have the new code', async () => {
    await withServing({ entry }, async (runtime) => {
      const running = Array.from({ length: 8 }, () => runtime.spawn('slow', [300]));
      await until(() => runtime.metrics().workers.some(({ running: count }) => count > 0), 'their beginning');
      setVersion('2');
      const reloaded = runtime.reload();
      const versions = await within(Promise.all(running), 'what ran');
      expect(versions).toContain('1');
      await within(reloaded, 'reload');
      const later = await Promise.all(
        runtime.spawnMany(
          'versionOf',
          Array.from({ length: 20 }, () => []),
        ),
      );
      expect(new Set(later)).toEqual(new Set(['2']));
      expect(runtime.inspect().workers.map(({ restarts, ready }) => ({ restarts, ready }))).toEqual([
        { restarts: 0, ready: true },
        { restarts: 0, ready: true },
      ]);
    });
  });

  testServing('an entry that does not load changes nothing', async () => {
    await withServing({ entry }, async (runtime) => {
      const server = await serve(runtime, 'greet');
      const client = await Client.to(server);
      await greeted([client]);
      setVersion('broken');
      expect(await rejectionOf(within(runtime.reload(), 'reload'))).toMatchObject({
        code: 'ERR_TRIPOLL_ENTRY',
      });
      expect(await client.ask('still\n')).toBe('still');
      const next = await Client.to(server);
      expect((await greeted([next]))[0]).toMatchObject({ version: '1' });
      expect(await runtime.spawn('versionOf', [])).toBe('1');
      // And when it is mended, it is loaded.
      setVersion('2');
      endAll([client, next]);
      await within(runtime.reload(), 'reload');
      expect(await runtime.spawn('versionOf', [])).toBe('2');
    });
  });

  testServing('when the time is up, what is left of the old threads ends', async () => {
    await withServing({ entry }, async (runtime) => {
      const server = await serve(runtime, 'greet');
      const clients = await Client.many(server, 4);
      await greeted(clients);
      const slow = rejectionOf(runtime.spawn('slow', [60_000]));
      await until(() => runtime.metrics().workers.some(({ running }) => running === 1), 'its beginning');
      await within(runtime.reload({ timeoutMs: 20 }), 'reload');
      for (const client of clients) await within(client.ended, 'its end');
      expect(await slow).toMatchObject({ code: 'ERR_TRIPOLL_WORKER_DIED' });
      expect(server.inspect()).toMatchObject({ lost: 4, open: 0, retiring: 0 });
    });
  });

  test('several at once are one after the other, and those that wait are one', async () => {
    await withServing({ entry }, async (runtime) => {
      await runtime.ready();
      const all = Promise.all([runtime.reload(), runtime.reload(), runtime.reload()]);
      setVersion('2');
      await within(all, 'all reloads');
      expect(await runtime.spawn('versionOf', [])).toBe('2');
      expect(await rejectionOf(runtime.reload({ timeoutMs: 'x' as never }))).toMatchObject(invalidType);
    });
  });

  test('while the runtime is closed is rejected, and leaves nothing', async () => {
    const runtime = new Runtime<Tasks>({ workers: 2, entry });
    await runtime.ready();
    const reloaded = rejectionOf(runtime.reload());
    await within(runtime.close(), 'close');
    expect(await within(reloaded, 'reload')).toMatchObject(closed);
    expect(await rejectionOf(runtime.reload())).toMatchObject(closed);
  });

  testServing('under deaths of old and of new threads comes to an end', async () => {
    await withServing({ entry, maxRestarts: 1000 }, async (runtime) => {
      const server = await serve(runtime, 'greet');
      for (let i = 0; i < 6; i++) {
        const reloaded = runtime.reload({ timeoutMs: 50 });
        const settled = reloaded.then(
          () => 'done',
          (error: unknown) => (error as { code: string }).code,
        );
        for (let n = 0; n < i; n++) await nextTurn();
        await runtime.terminateWorker(i % 2);
        expect(['done', 'ERR_TRIPOLL_WORKER_DIED']).toContain(await within(settled, 'reload'));
      }
      await until(() => listensOnAll(server), 'all that listen');
      const clients = await Client.many(server, 10);
      await greeted(clients);
      endAll(clients);
    });
  });
});

describeServing('rebalance()', () => {
  test.each(['movable', 'movableHandlers'] as const)(
    '%s: moves what may move, with its state',
    async (name) => {
      await withServing({}, async (runtime) => {
        const server = await serve(runtime, name);
        const clients: Client[] = [];
        while (clients.length < 12) clients.push(await Client.to(server));
        for (const client of clients) expect(await client.ask('four')).toMatch(/ 4$/);
        await until(() => server.inspect().open === 12, 'all of them');
        // All that one worker has go, so that the other has more.
        const [first, second] = server.inspect().workers;
        await runtime.terminateWorker(first!.open < second!.open ? 0 : 1);
        const left = clients.filter((client) => !client.socket.destroyed);
        await until(() => listensOnAll(server), 'all that listen');
        const { open } = server.inspect();
        expect(open).toBeGreaterThan(1);
        const moved = await within(server.rebalance(), 'rebalance');
        expect(moved).toBe(Math.floor(open / 2));
        const [a = 0, b = 0] = server.inspect().workers.map((worker) => worker.open);
        expect(Math.abs(a - b)).toBeLessThanOrEqual(1);
        expect(server.inspect().workers.map(({ movedIn, movedOut }) => movedIn + movedOut)).toEqual([
          moved,
          moved,
        ]);
        // With all that they had said, and nothing twice.
        const answers: string[] = [];
        for (const client of left) {
          if (client.socket.destroyed) continue;
          client.socket.write('four');
          const answer = await client.line().catch(() => '');
          if (answer !== '') answers.push(answer.split(' ')[1]!);
        }
        expect(answers).toEqual(new Array(open).fill('8'));
        expect(await within(server.rebalance(), 'nothing to do')).toBe(0);
        endAll(clients);
      });
    },
  );

  test('leaves those that may not', async () => {
    await withServing({}, async (runtime) => {
      const server = await serve(runtime, 'greet');
      const clients = await Client.many(server, 8);
      await greeted(clients);
      await runtime.terminateWorker(1);
      await until(() => listensOnAll(server), 'all that listen');
      expect(await within(server.rebalance(), 'rebalance')).toBe(0);
      await server.close();
      expect(await rejectionOf(server.rebalance())).toMatchObject(closed);
      endAll(clients);
    });
  });
});

describeServing('the end of a runtime', () => {
  test('drain() lets connections and tasks end, then closes', async () => {
    const runtime = new Runtime<Tasks>({ workers: 2, entry: serveTasks });
    const servers = [await serve(runtime, 'polite'), await serve(runtime, 'politeHandlers')];
    const clients = (await Promise.all(servers.map((server) => Client.many(server, 5)))).flat();
    for (const client of clients) await client.line();
    const slow = runtime.spawn('slow', [100]);
    const result = within(runtime.drain(), 'drain');
    for (const client of clients) {
      expect(await client.line()).toBe('bye');
      client.socket.end();
    }
    expect(await result).toEqual({ finished: 10, closed: 0 });
    expect(await slow).toBeDefined();
    expect(runtime.closed).toBe(true);
  });

  test('drain({ timeoutMs }) waits no longer', async () => {
    const runtime = new Runtime<Tasks>({ workers: 2, entry: serveTasks });
    const server = await serve(runtime, 'greet');
    const clients = await Client.many(server, 5);
    await greeted(clients);
    const slow = rejectionOf(runtime.spawn('slow', [60_000]));
    const { closed: count } = await within(runtime.drain({ timeoutMs: 50 }), 'drain');
    expect(count).toBe(5);
    expect(await slow).toMatchObject(closed);
    for (const client of clients) await within(client.ended, 'its end');
    expect(
      await rejectionOf(new Runtime<Tasks>({ entry: serveTasks }).drain({ signal: 1 as never })),
    ).toMatchObject(invalidType);
  });

  test('close() leaves no fd, with servers open, connections, and some on their way', async () => {
    const round = async (): Promise<void> => {
      const runtime = new Runtime<Tasks>({ workers: 2, entry: serveTasks });
      const clients: Client[] = [];
      for (const strategy of strategies) {
        const server = await serve(runtime, 'movable', { strategy });
        clients.push(...(await Client.many(server, 6)));
        void server.rebalance().catch(() => undefined);
      }
      void runtime.reload().catch(() => undefined);
      void runtime.serve(LOOPBACK, 'greet').catch(() => undefined);
      await within(runtime.close(), 'close');
      await Promise.all(clients.map((client) => within(client.ended, 'the end of a connection')));
    };
    // What the process opens for its first threads stays.
    await round();
    const before = openFds();
    for (let i = 0; i < 3; i++) await round();
    await until(() => openedSince(before).length === 0, 'all fds closed');
  });

  test('a server keeps the process, unless it is unref’d', async () => {
    await withServing({ workers: 1 }, async (runtime) => {
      const server = await serve(runtime, 'greet');
      expect(server.unref().ref()).toBe(server);
      await server[Symbol.asyncDispose]();
      expect(server.closed).toBe(true);
    });
  });
});
