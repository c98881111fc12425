import path from 'node:path';
import { Field, MetricsTable } from '#lib/runtime/metrics';
import { Runtime, type RuntimeOptions } from '#lib/runtime/index';
import { until, within } from '../support/deadline.js';
import { invalidType, outOfRange, rejectionOf, thrownBy } from '../support/errors.js';
import type * as tasks from './blocking-tasks.js';

type Tasks = typeof tasks;
const entry = path.join(__dirname, 'blocking-tasks.js');

async function withTasks(
  options: Omit<RuntimeOptions, 'entry'>,
  fn: (runtime: Runtime<Tasks>) => Promise<void>,
): Promise<void> {
  const runtime = new Runtime<Tasks>({ workers: 1, blockingThreads: 1, entry, ...options });
  try {
    await fn(runtime);
  } finally {
    await within(runtime.close(), 'the end of all threads');
  }
}

const counters: Int32Array[] = [];
/** Of what has begun, and whether what spins may end. */
function newCounter(): Int32Array {
  const counter = new Int32Array(new SharedArrayBuffer(8));
  counters.push(counter);
  return counter;
}
// Deno's terminate() leaves a loop running, to the end of all tests.
afterEach(() => counters.splice(0).forEach((counter) => Atomics.store(counter, 1, 1)));
const begun = (counter: Int32Array, n = 1) => until(() => Atomics.load(counter, 0) === n, 'its beginning');

describe('a call of blocking() that is given up', () => {
  test.each(['abort', 'signal', 'timeout'])(
    'while it runs ends its thread, and another comes: by %s',
    async (by) => {
      await withTasks({}, async (runtime) => {
        const started = newCounter();
        const controller = new AbortController();
        const options =
          by === 'signal' ? { signal: controller.signal } : by === 'timeout' ? { timeoutMs: 300 } : {};
        const handle = runtime.blocking('spin', [started], options);
        const error = rejectionOf(handle);
        const next = runtime.blocking('add', [1, 2]);
        if (by !== 'timeout') await begun(started);
        if (by === 'abort') handle.abort('enough');
        if (by === 'signal') controller.abort('enough');
        expect(await within(error, 'its end')).toMatchObject(
          by === 'timeout' ? { code: 'ERR_TRIPOLL_TIMEOUT' } : { code: 'ABORT_ERR', cause: 'enough' },
        );
        // There is one thread at most.
        expect(await within(next, 'the next')).toBe(3);
        expect(runtime.inspect()).toMatchObject({ blockingThreads: 1, blockingPending: 0 });
        handle.abort();
      });
    },
  );

  test('before it begins never does', async () => {
    await withTasks({}, async (runtime) => {
      const [started, counter] = [newCounter(), newCounter()];
      const spinning = runtime.blocking('spin', [started]);
      const ends = [runtime.blocking('count', [counter]), runtime.blocking('count', [counter])];
      await begun(started);
      ends[0]!.abort();
      expect(await rejectionOf(ends[0]!)).toMatchObject({ code: 'ABORT_ERR' });
      expect(runtime.inspect()).toMatchObject({ blockingPending: 2 });
      const signal = AbortSignal.abort('before');
      expect(await rejectionOf(runtime.blocking('count', [counter], { signal }))).toMatchObject({
        code: 'ABORT_ERR',
      });
      const spun = rejectionOf(spinning);
      spinning.abort();
      await spun;
      expect(await within(ends[1]!, 'the other')).toBe(1);
    });
  });

  test('by a getter of its own arguments, or whose getter throws, leaves the pool whole', async () => {
    await withTasks({}, async (runtime) => {
      expect(await within(runtime.blocking('add', [1, 2]), 'the thread')).toBe(3);
      const inner: Promise<unknown>[] = [];
      const own = {
        get x() {
          inner.push(runtime.blocking('add', [2, 2]));
          handles[0]!.abort();
          return 1;
        },
      };
      const throwing = {
        get x(): never {
          inner.push(runtime.blocking('add', [3, 3]));
          throw new Error('got');
        },
      };
      // They wait, so that their getters are called when their handles are known.
      const first = runtime.blocking('add', [1, 1]);
      const handles = [runtime.blocking('echo', [own]), runtime.blocking('echo', [throwing])];
      const ends = Promise.all(handles.map(rejectionOf));
      expect(await within(first, 'the first')).toBe(2);
      expect(await within(ends, 'both ends')).toMatchObject([
        ...[{ code: 'ABORT_ERR' }, { code: 'ERR_TRIPOLL_NOT_CLONEABLE' }],
      ]);
      expect(await within(Promise.all(inner), 'what they called')).toEqual([4, 6]);
    });
  });
});

test('drain() waits for calls of blocking()', async () => {
  await withTasks({}, async (runtime) => {
    const cells = new Int32Array(new SharedArrayBuffer(12));
    const ends = [runtime.blocking('endWhenTold', [cells]), runtime.blocking('add', [1, 2])];
    await until(() => Atomics.load(cells, 2) === 1, 'its beginning');
    const drained = runtime.drain();
    await within(runtime.idle(), 'idle');
    expect(runtime.closed).toBe(false);
    Atomics.store(cells, 0, 1);
    Atomics.notify(cells, 0);
    await within(drained, 'drain');
    expect(await within(Promise.all(ends), 'both ends')).toEqual([1, 3]);
  });
});

test('drain() sees the calls of a task that has ended, and that they have come', async () => {
  const looks = jest.spyOn(MetricsTable.prototype, 'get');
  try {
    const counter = new Int32Array(new SharedArrayBuffer(4));
    await withTasks({ workers: 1 }, async (runtime) => {
      await within(runtime.spawn('countLater', [counter]), 'the task');
      await within(runtime.drain(), 'drain');
    });
    expect(counter[0]).toBe(1);
    const posted = looks.mock.results.filter((_, i) => looks.mock.calls[i]?.[1] === Field.CALLS);
    expect(posted.map(({ value }): unknown => value)).toContain(1);
  } finally {
    looks.mockRestore();
  }
});

test('drain() waits for a call that has not come yet', async () => {
  let looks = 0;
  let isUnderWay = true;
  const { get } = MetricsTable.prototype;
  const changed = jest.spyOn(MetricsTable.prototype, 'get').mockImplementation(function (
    this: MetricsTable,
    worker,
    field,
  ) {
    if (field === Field.CALLS) looks++;
    return field === Field.CALLS && isUnderWay ? 1 : get.call(this, worker, field);
  });
  try {
    await withTasks({}, async (runtime) => {
      expect(await within(runtime.spawn('add', [1, 2]), 'the task')).toBe(3);
      const drained = runtime.drain();
      await until(() => looks >= 3, 'three looks');
      expect(runtime.closed).toBe(false);
      isUnderWay = false;
      await within(drained, 'drain');
    });
  } finally {
    changed.mockRestore();
  }
});

test('blocking() moves what is transferred, both ways', async () => {
  await withTasks({}, async (runtime) => {
    const bytes = new Uint8Array(8);
    const length = runtime.blocking('lengthOf', [bytes], { transfer: [bytes.buffer] });
    expect(await within(length, 'the length')).toBe(8);
    expect(bytes.byteLength).toBe(0);
    expect((await runtime.blocking('giveBytes', [3])).length).toBe(3);
    const twice = runtime.blocking('echo', [1], { transfer: [bytes.buffer, bytes.buffer] });
    expect(await rejectionOf(twice)).toMatchObject({ code: 'ERR_TRIPOLL_NOT_CLONEABLE' });
  });
});

test('blocking() refuses wrong arguments as spawn() does', async () => {
  await withTasks({}, async (runtime) => {
    const wrong = [
      () => runtime.blocking(1 as never, [] as never),
      () => runtime.blocking('add', 1 as never),
      () => runtime.blocking('add', [1, 2], { nix: 1 } as never),
      () => runtime.blocking('add', [1, 2], { transfer: 1 } as never),
      () => runtime.blocking('add', [1, 2], { signal: 1 } as never),
    ];
    for (const call of wrong) expect(thrownBy(call)).toMatchObject(invalidType);
    expect(thrownBy(() => runtime.blocking('add', [1, 2], { timeoutMs: -1 }))).toMatchObject(outOfRange);
    expect(runtime.inspect()).toMatchObject({ blockingPending: 0, blockingThreads: 0 });
  });
});

test('as many wait as may: threads that are not busy take theirs', async () => {
  await withTasks({ maxWaiting: 1 }, async (runtime) => {
    const started = newCounter();
    const spinning = runtime.blocking('spin', [started]);
    const spun = rejectionOf(spinning);
    await begun(started);
    const waiting = runtime.blocking('add', [1, 2]);
    expect(await rejectionOf(runtime.blocking('add', [1, 2]))).toMatchObject({ code: 'ERR_TRIPOLL_BUSY' });
    spinning.abort();
    await spun;
    expect(await within(waiting, 'the one that waits')).toBe(3);
  });
  await withTasks({ maxWaiting: 0 }, async (runtime) => {
    expect(await within(runtime.blocking('add', [1, 2]), 'the first')).toBe(3);
  });
});

describe('blocking() in a task', () => {
  test('gives what it gives elsewhere', async () => {
    await withTasks({ blockingThreads: 2 }, async (runtime) => {
      const ends = await within(runtime.spawn('callAll', []), 'all ends');
      expect(ends).toMatchObject([
        ...[{ value: 3 }, { value: 8 }, { value: [0, 100_000, 7] }],
        { name: 'RangeError', message: 'out of it', cause: 'deeper' },
        { code: 'ERR_TRIPOLL_NO_SUCH_TASK' },
        { code: 'ERR_TRIPOLL_WORKER_DIED' },
        { code: 'ERR_TRIPOLL_NOT_CLONEABLE' },
        { value: 1 },
      ]);
      expect(await runtime.blocking('whatIsCurrent', [])).toEqual(['ERR_TRIPOLL_STATE', 'ERR_TRIPOLL_STATE']);
    });
  });

  test('can be aborted', async () => {
    await withTasks({}, async (runtime) => {
      const end = runtime.spawn('abortSpin', [newCounter()]);
      expect(await within(end, 'its end')).toMatchObject({ code: 'ABORT_ERR' });
      expect(await within(runtime.blocking('add', [1, 2]), 'the next')).toBe(3);
    });
  });

  test('outlives its worker, and its successor hears nothing of it', async () => {
    await withTasks({ blockingThreads: 2 }, async (runtime) => {
      const started = newCounter();
      const awaiting = rejectionOf(runtime.spawn('awaitSpin', [started]));
      await begun(started);
      await runtime.terminateWorker(0);
      expect(await within(awaiting, 'its death')).toMatchObject({ code: 'ERR_TRIPOLL_WORKER_DIED' });
      expect(runtime.inspect()).toMatchObject({ blockingPending: 1 });
      expect(await within(runtime.spawn('callMany', [3]), 'others')).toEqual(['3', '3', '3']);
    });
  });

  test('is bounded as elsewhere', async () => {
    await withTasks({ maxWaiting: 2 }, async (runtime) => {
      await runtime.ready();
      const ends = await within(runtime.spawn('callMany', [5]), 'all ends');
      expect(ends).toEqual(['3', '3', '3', 'ERR_TRIPOLL_BUSY', 'ERR_TRIPOLL_BUSY']);
    });
  });
});
