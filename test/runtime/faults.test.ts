// What tasks and arguments can do to a runtime that it must stand.
import path from 'node:path';
import { Runtime, type RuntimeOptions } from '#lib/runtime/index';
import { until, within } from '../support/deadline.js';
import { rejectionOf } from '../support/errors.js';
import type * as tasks from './fault-tasks.js';

type Tasks = typeof tasks;
const entry = path.join(__dirname, 'fault-tasks.js');

async function withTasks(
  options: Omit<RuntimeOptions, 'entry'>,
  fn: (runtime: Runtime<Tasks>) => Promise<void>,
): Promise<void> {
  const runtime = new Runtime<Tasks>({ workers: 1, entry, ...options });
  try {
    await fn(runtime);
  } finally {
    await within(runtime.close(), 'the end of all threads');
  }
}

const newGate = (): Int32Array => new Int32Array(new SharedArrayBuffer(16));
const open = (gate: Int32Array): number => Atomics.store(gate, 0, 1);

describe('what is thrown', () => {
  test.each(['null', 'a message that is no text'])('ends a worker: %s', async (kind) => {
    await withTasks({}, async (runtime) => {
      const error = await within(rejectionOf(runtime.spawn('crashWith', [kind])), 'the death');
      expect(error).toMatchObject({ code: 'ERR_TRIPOLL_WORKER_DIED', worker: 0 });
      expect(await within(runtime.spawn('add', [1, 2]), 'the next')).toBe(3);
    });
  });

  test.each([
    ['toString', { name: 'toString', message: 'mine' }],
    ['constructor', { name: 'constructor', message: 'mine' }],
    ['getter', { message: expect.stringMatching(/got/) as string }],
    ['wide', { name: 'AggregateError', message: 'wide' }],
    ['function', { code: 'ERR_TRIPOLL_NOT_CLONEABLE' }],
    ['uncloneable cause', { name: 'RangeError', message: 'mine', cause: '[object Object]' }],
    ['uncloneable errors', { message: 'several', errors: ['() => 1', { message: 'two' }, { three: 3 }] }],
    ['errors of its own', { name: 'TypeError', message: 'mine', errors: [{ path: 'a' }] }],
    ['prototype', { name: 'Error', message: 'mine', stack: expect.any(String) as string }],
  ])('rejects the handle, and nothing dies: %s', async (kind, expected) => {
    await withTasks({}, async (runtime) => {
      const error = await within(rejectionOf(runtime.spawn('throwStrange', [kind])), 'the error');
      expect(error).toMatchObject(expected);
      const blocking = await within(rejectionOf(runtime.blocking('throwStrange', [kind])), 'the error');
      expect(blocking).toMatchObject(expected);
      expect(await within(runtime.spawn('add', [1, 2]), 'the next')).toBe(3);
      expect(runtime.metrics().workers[0]).toMatchObject({ restarts: 0 });
    });
  });

  test.each(['revoked', 'bare'])('rejects the handle, and nothing dies: %s', async (kind) => {
    await withTasks({}, async (runtime) => {
      const handle = runtime.spawn('throwStrange', [kind]);
      expect((await within(Promise.allSettled([handle]), 'an end'))[0].status).toBe('rejected');
      const blocking = runtime.blocking('throwStrange', [kind]);
      expect((await within(Promise.allSettled([blocking]), 'an end'))[0].status).toBe('rejected');
      expect(await within(runtime.spawn('add', [1, 2]), 'the next')).toBe(3);
      expect(runtime.metrics().workers[0]).toMatchObject({ restarts: 0 });
    });
  });

  test('as a plain object comes as it is, whatever it looks like', async () => {
    await withTasks({}, async (runtime) => {
      const plain = { name: 'Mine', message: 'plain', inner: { code: 1 } };
      const ends = Promise.allSettled([
        runtime.spawn('throwStrange', ['plain object']),
        runtime.blocking('throwStrange', ['plain object']),
      ]);
      const end = { status: 'rejected', reason: plain };
      expect(await within(ends, 'both ends')).toEqual([end, end]);
    });
  });

  test('keeps its class: an error with errors of its own is no AggregateError', async () => {
    await withTasks({}, async (runtime) => {
      const error = await rejectionOf(runtime.spawn('throwStrange', ['errors of its own']));
      expect([Object.getPrototypeOf(error), Object.keys(error)]).toEqual([TypeError.prototype, []]);
      const several = await rejectionOf(runtime.spawn('throwStrange', ['uncloneable errors']));
      expect(Object.getPrototypeOf(several)).toBe(AggregateError.prototype);
      const own = await rejectionOf(runtime.spawn('throwStrange', ['prototype']));
      expect(Object.getPrototypeOf(own)).toBe(Error.prototype);
    });
  });

  test.each(['throw () => 1', 'throw Object.create(null)', 'throw null'])(
    'by the entry: %s',
    async (script) => {
      const runtime = new Runtime({ entry: `data:text/javascript,${script}`, workers: 1 });
      const error = await within(rejectionOf(runtime.spawn('add', [1, 2])), 'the error');
      expect(error).toMatchObject({ code: 'ERR_TRIPOLL_ENTRY' });
      await within(runtime.close(), 'close');
    },
  );

  test('a result whose nature cannot be asked for rejects the handle', async () => {
    await withTasks({}, async (runtime) => {
      const [end] = await within(Promise.allSettled([runtime.spawn('revokedProxy', [])]), 'an end');
      expect(end.status).toBe('rejected');
      expect(runtime.metrics().workers[0]).toMatchObject({ restarts: 0 });
    });
  });

  test('by a getter of an argument, whatever it is', async () => {
    await withTasks({}, async (runtime) => {
      await runtime.ready();
      const bare = {
        get x() {
          throw Object.create(null) as Error;
        },
      };
      expect(await rejectionOf(runtime.spawn('echo', [bare]))).toMatchObject({
        code: 'ERR_TRIPOLL_NOT_CLONEABLE',
      });
      expect(runtime.metrics()).toMatchObject({ pending: 0 });
    });
  });
});

describe('what is spawned while values are written', () => {
  test('by a getter of an argument, leaves both whole', async () => {
    await withTasks({}, async (runtime) => {
      await runtime.ready();
      const inner: Promise<unknown>[] = [];
      const value = {
        first: 'first',
        get second() {
          inner.push(runtime.spawn('echo', ['inner']));
          return 'second';
        },
        third: 'third',
      };
      const outer = await within(runtime.spawn('echo', [value]), 'the outer one');
      expect(outer).toEqual({ first: 'first', second: 'second', third: 'third' });
      expect(await within(Promise.all(inner), 'the inner one')).toEqual(['inner']);
    });
  });

  test('by a getter of a result, leaves both whole', async () => {
    await withTasks({}, async (runtime) => {
      const result = await within(runtime.spawn('spawningResult', []), 'the result');
      expect(result).toEqual({ first: 'first', second: 'second', third: 'third' });
    });
  });

  test('a getter that closes the runtime, or gives its own task up', async () => {
    await withTasks({ capacity: 1 }, async (runtime) => {
      await runtime.ready();
      const gate = newGate();
      const holding = runtime.spawn('wait', [gate]);
      const own = runtime.spawn('echo', [
        {
          get x() {
            own.abort();
            return 1;
          },
        },
      ]);
      open(gate);
      await within(holding, 'the first');
      expect(await within(rejectionOf(own), 'its end')).toMatchObject({ code: 'ABORT_ERR' });
      expect(await within(runtime.spawn('add', [1, 2]), 'the next')).toBe(3);
      expect(runtime.metrics()).toMatchObject({ pending: 0 });
      let closing: Promise<void> | undefined;
      const closer = {
        get x() {
          closing = runtime.close();
          return 1;
        },
      };
      expect(await within(rejectionOf(runtime.spawn('echo', [closer])), 'its end')).toMatchObject({
        code: 'ERR_TRIPOLL_CLOSED',
      });
      await within(closing!, 'close');
    });
  });
});

describe('what is given up', () => {
  test('before it begins never does, though it is bound to a worker', async () => {
    await withTasks({ tasksPerWorker: 1 }, async (runtime) => {
      const gate = newGate();
      const holding = runtime.spawn('wait', [gate]);
      await until(() => runtime.metrics().workers[0]!.running === 1, 'its beginning');
      const bound = runtime.spawn('runWith', [new Uint8Array(8)]);
      bound.abort();
      expect(await rejectionOf(bound)).toMatchObject({ code: 'ABORT_ERR' });
      open(gate);
      await holding;
      expect(await within(runtime.spawn('countRuns', []), 'the count')).toBe(0);
    });
  });

  test('hears of it, though its signal is read later', async () => {
    await withTasks({}, async (runtime) => {
      const state = newGate();
      const handle = runtime.spawn('lateSignal', [state]);
      await until(() => Atomics.load(state, 1) === 1, 'its beginning');
      handle.abort();
      expect(await rejectionOf(handle)).toMatchObject({ code: 'ABORT_ERR' });
      open(state);
      await until(() => Atomics.load(state, 2) !== 0, 'its look');
      expect(Atomics.load(state, 2)).toBe(1);
    });
  });

  test('while it waits for a place, counts no more among those that may', async () => {
    await withTasks({ capacity: 1, maxWaiting: 2 }, async (runtime) => {
      await runtime.ready();
      const gate = newGate();
      const holding = runtime.spawn('wait', [gate]);
      for (let i = 0; i < 5000; i++) {
        const waiting = runtime.spawn('add', [1, 2]);
        waiting.abort();
        expect(await rejectionOf(waiting)).toMatchObject({ code: 'ABORT_ERR' });
      }
      expect(runtime.metrics()).toMatchObject({ waiting: 0, pending: 1 });
      const last = runtime.spawn('add', [1, 2]);
      open(gate);
      await holding;
      expect(await within(last, 'the last')).toBe(3);
    });
  });

  test('fills the queue of all: what comes then is run when there is room, and nobody else ends', async () => {
    await withTasks({ capacity: 2, tasksPerWorker: 1 }, async (runtime) => {
      const gate = newGate();
      const holding = runtime.spawn('endAndBlock', [gate]);
      await until(() => runtime.metrics().workers[0]!.running === 1, 'its beginning');
      // The queue of all has eight places; the ids of what was given up stay in it.
      for (let i = 0; i < 100; i++) {
        const given = runtime.spawn('add', [i, 1]);
        given.abort();
        expect(await rejectionOf(given)).toMatchObject({ code: 'ABORT_ERR' });
      }
      const last = runtime.spawn('add', [1, 2]);
      open(gate);
      await holding;
      expect(await within(last, 'the last')).toBe(3);
    });
  });

  test('by the thousand, for the blocking pool, as it cannot be cloned', async () => {
    await withTasks({ blockingThreads: 1 }, async (runtime) => {
      const all = Array.from({ length: 20_000 }, () => runtime.blocking('echo', [() => 1]));
      for (const end of await within(Promise.allSettled(all), 'all ends'))
        expect(end).toMatchObject({ reason: { code: 'ERR_TRIPOLL_NOT_CLONEABLE' } });
      expect(await within(runtime.blocking('add', [1, 2]), 'the next')).toBe(3);
    });
  });
});
