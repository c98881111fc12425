import { AsyncLocalStorage } from 'node:async_hooks';
import path from 'node:path';
import { Runtime } from '#lib/runtime/index';
import { until, within } from '../support/deadline.js';
import { rejectionOf } from '../support/errors.js';
import type * as tasks from './context-tasks.js';

type Tasks = typeof tasks;
const entry = path.join(__dirname, 'context-tasks.js');

async function withTasks(capacity: number, fn: (runtime: Runtime<Tasks>) => Promise<void>): Promise<void> {
  const runtime = new Runtime<Tasks>({ workers: 1, blockingThreads: 1, entry, capacity });
  try {
    await within(runtime.ready(), 'the worker');
    await fn(runtime);
  } finally {
    await within(runtime.close(), 'the end of all threads');
  }
}

describe('what AsyncLocalStorage keeps', () => {
  test('is nothing when a task begins, whatever those before it have set', async () => {
    await withTasks(16, async (runtime) => {
      // More in a turn than one, by the queue and by a port.
      for (let round = 0; round < 3; round++) {
        const enters = [
          runtime.spawn('enterAtOnce', ['at once']),
          runtime.spawn('enter', ['later']),
          runtime.spawn('enterAtOnce', ['by a port', new Uint8Array(1)]),
        ];
        const thrown = rejectionOf(runtime.spawn('enterAndThrow', ['thrown']));
        const looks = runtime.spawnMany('look', [[], [new Uint8Array(1)], []]);
        expect(await within(Promise.all(enters), 'those that set it')).toEqual([
          ...['at once', 'later', 'by a port'],
        ]);
        expect(await thrown).toMatchObject({ message: 'thrown' });
        expect(await within(Promise.all(looks), 'those that look')).toEqual(Array(3).fill('nothing'));
      }
    });
  });

  test('is nothing in what a task spawns, also where its own worker runs that without a slot', async () => {
    await withTasks(2, async (runtime) => {
      expect(await within(runtime.spawn('spawnUnder', ['outer']), 'what it saw')).toEqual([
        ...['inner', 'inner', 'inner', 'nothing', 'nothing', 'nothing', 'nothing'],
        'outer',
      ]);
    });
  });

  test('is nothing on a blocking thread', async () => {
    await withTasks(16, async (runtime) => {
      expect(await within(runtime.blocking('enterAtOnce', ['first']), 'the first')).toBe('first');
      expect(await within(runtime.blocking('look', []), 'the second')).toBe('nothing');
    });
  });

  test('is the task’s own for listeners of its signal, and theirs is nobody else’s', async () => {
    await withTasks(16, async (runtime) => {
      const started = new Int32Array(new SharedArrayBuffer(4));
      const handle = runtime.spawn('listen', [started]);
      await until(() => Atomics.load(started, 0) === 1, 'its beginning');
      handle.abort();
      expect(await rejectionOf(handle)).toMatchObject({ code: 'ABORT_ERR' });
      await until(
        async () => !(await runtime.spawn('whatTheListenerSaw', [])).startsWith('no listener'),
        'the listener',
      );
      expect(await runtime.spawn('look', [])).toBe('nothing');
    });
  });

  test('stays, where a handle is awaited, what it was there', async () => {
    const storage = new AsyncLocalStorage<number>();
    await withTasks(2, async (runtime) => {
      // More than have a place, so that many end in one turn of this thread.
      const seen = Array.from({ length: 20 }, (_, i) =>
        storage.run(i, async () => {
          await runtime.spawn('look', []);
          const first = storage.getStore();
          const second = await runtime.spawn('look', [new Uint8Array(1)]).then(() => storage.getStore());
          await runtime.blocking('look', []);
          return [first, second, storage.getStore()];
        }),
      );
      expect(await within(Promise.all(seen), 'all')).toEqual(seen.map((_, i) => [i, i, i]));
    });
  });
});
