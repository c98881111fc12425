import path from 'node:path';
import { capabilities } from 'tripoll';
import { Runtime } from '#lib/runtime/index';
import { runFile } from '../support/child.js';
import { until, within } from '../support/deadline.js';
import { rejectionOf } from '../support/errors.js';
import { testSeed } from '../support/random.js';
import type { DeathsPlan, DeathsReport } from './deaths-child.js';
import { tasksFile, withRuntime, type Tasks } from './rig.js';

/** In all; a thousand where TRIPOLL_DEATHS=1000. */
const DEATHS = Number(process.env['TRIPOLL_DEATHS'] ?? '100');
const DEADLINE_MS = 60_000 + 500 * DEATHS;

const kinds = capabilities.backends.flatMap((backend) => [
  { backend, driver: 'default' as const },
  { backend, driver: 'run' as const },
]);

describe('T50 workers that are terminated at random moments', () => {
  test.each(kinds)(
    'on $backend, driver $driver: no task is lost, none hangs, and nothing stays behind',
    async ({ backend, driver }) => {
      const deaths = Math.ceil(DEATHS / kinds.length);
      const plan: DeathsPlan = { deaths, seed: testSeed(), driver };
      const { code, signal, timedOut, stdout, stderr } = await runFile('runtime/deaths-child', {
        ...{ args: [JSON.stringify(plan)], env: { TRIPOLL_BACKEND: backend }, deadlineMs: DEADLINE_MS },
      });
      expect({ code, signal, timedOut, stderr }).toEqual({
        ...{ code: 0, signal: null, timedOut: false, stderr: '' },
      });
      const { ends, restarts, ...report } = JSON.parse(stdout) as DeathsReport;
      expect(report).toEqual({ deaths, wrong: [], worksOn: true, leftOpen: [], leftThreads: 0 });
      expect(Object.keys(ends).filter((end) => end !== 'value')).toEqual(['ERR_TRIPOLL_WORKER_DIED']);
      expect(ends['value']).toBeGreaterThan(0);
      // Some moments fall on a thread that is ending already.
      expect(restarts).toBeGreaterThan(deaths / 4);
    },
    DEADLINE_MS + 5000,
  );
});

describe('a worker that dies', () => {
  test('rejects what it ran, and goes on with what was queued', async () => {
    await withRuntime({ workers: 1, tasksPerWorker: 2 }, async (runtime) => {
      await runtime.ready();
      const running = ['hold', 'hold'].map(() => runtime.spawn('hold', []));
      const queued = runtime.spawnMany('add', [
        [1, 1],
        [2, 2],
        [3, 3],
      ]);
      await until(() => runtime.metrics().workers[0]!.running === 2, 'two that run');
      const errors = Promise.all(running.map(rejectionOf));
      await runtime.terminateWorker(0);
      for (const error of await within(errors, 'two errors')) {
        expect(error).toMatchObject({ code: 'ERR_TRIPOLL_WORKER_DIED', worker: 0, exitCode: 1 });
      }
      expect(await within(Promise.all(queued), 'what was queued')).toEqual([2, 4, 6]);
      expect(runtime.metrics().workers[0]).toMatchObject({ restarts: 1 });
    });
  });

  test('by itself, says how in the error', async () => {
    await withRuntime({ workers: 1 }, async (runtime) => {
      expect(await rejectionOf(runtime.spawn('exit', [7]))).toMatchObject({ exitCode: 7, worker: 0 });
      const crashed = await rejectionOf(runtime.spawn('crash', ['boom']));
      expect(crashed).toMatchObject({ exitCode: 1, cause: { message: 'boom' } });
      expect(await runtime.spawn('add', [1, 2])).toBe(3);
    });
  });

  test('so often without a task done is given up, and with the last all tasks are', async () => {
    const entry = path.join(__dirname, 'dying-tasks.js');
    const runtime = new Runtime({ workers: 2, entry, maxRestarts: 2 });
    const error = await within(
      (async () => {
        for (;;) {
          const each = await rejectionOf(runtime.spawn('wait', []));
          if (!('exitCode' in each)) return each;
        }
      })(),
      'an end of trying',
    );
    expect(error).toMatchObject({ code: 'ERR_TRIPOLL_WORKER_DIED' });
    expect(error.message).toMatch(/no worker is left/);
    await within(runtime.close(), 'close');
  });

  test('under what it has spawned: that runs, and nobody is told', async () => {
    const runtime = new Runtime<Tasks>({ workers: 2, entry: tasksFile, capacity: 4, maxRestarts: 100 });
    for (let i = 0; i < 6; i++) {
      const nested = rejectionOf(runtime.spawn('spawnAndExit', [3]));
      expect(await within(nested, 'its death')).toMatchObject({ code: 'ERR_TRIPOLL_WORKER_DIED' });
    }
    // Six times three of four slots: they have been freed.
    expect(await within(runtime.spawn('fibonacci', [8]), 'a number of Fibonacci')).toBe(21);
    await within(runtime.close(), 'close');
  });
});
