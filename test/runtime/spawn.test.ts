import { MessageChannel } from 'node:worker_threads';
import { currentRuntime, currentTask, moved, Runtime } from '#lib/runtime/index';
import { until, within } from '../support/deadline.js';
import { runScript } from '../support/child.js';
import { invalidType, outOfRange, rejectionOf, thrownBy } from '../support/errors.js';
import { tasksFile, tasksUrl, withRuntime, type Tasks } from './rig.js';

describe.each(['default', 'run'] as const)('a runtime under the driver %s', (driver) => {
  let runtime: Runtime<Tasks>;
  beforeAll(() => {
    runtime = new Runtime<Tasks>({ workers: 2, entry: tasksUrl, driver });
  });
  afterAll(() => within(runtime.close(), 'close'));

  test('a task is a function of the entry; its handle is a promise of what it returns', async () => {
    const handle = runtime.spawn('add', [1, 2]);
    expect(await within(handle, 'the sum')).toBe(3);
    expect(await handle).toBe(3);
    expect(await runtime.spawn('thread', [])).toBeGreaterThan(0);
    expect(await runtime.spawn('later', [1]).then((ms) => ms + 1)).toBe(2);
  });

  test.each([
    ['small ones through shared memory', { a: [1, -0, 1.5, null, undefined, true], text: 'é', 日本: '𝕏' }],
    ['long ones by a port', { text: 'x'.repeat(10_000) }],
    ['others by a port', { date: new Date(0), map: new Map([[1, new Set([2])]]), bytes: new Uint8Array(3) }],
    [
      'circles',
      (() => {
        const a: Record<string, unknown> = {};
        a['a'] = a;
        return a;
      })(),
    ],
    ['numbers that JSON loses', [NaN, -0, Infinity, -Infinity, 5e-324]],
    ['halves of surrogate pairs, and U+0000', ['\ud800', '\udc00\ud800', '\0', '\uffff']],
    ['a string that just fits, and one that does not', ['x'.repeat(480), 'é'.repeat(490), '日'.repeat(250)]],
    ['a string of a megabyte', '日'.repeat(1 << 20)],
    ['holes, and names beside elements', [[1, , 2], Object.assign([1], { name: 2 })]], // eslint-disable-line no-sparse-arrays
    ['objects without a prototype, and boxed values', [Object.create(null), Object(1), Object('a')]],
    [
      'an instance of a class',
      new (class Point {
        x = 1;
        #y = 2;
        get y() {
          return this.#y;
        }
      })(),
    ],
    ['names that objects have', { constructor: 1, toString: 2, hasOwnProperty: 3, '': 4, 7: 5 }],
    ['bigints and regular expressions', [10n ** 30n, /x/gi]],
    [
      'one thing twice in a long value',
      (() => {
        const one = { a: 'x'.repeat(600) };
        return [one, one];
      })(),
    ],
    ['objects deep within each other', Array.from({ length: 40 }).reduce<unknown>((inner) => [inner], 1)],
  ])('values arrive as structuredClone gives them: %s', async (_, value) => {
    expect(await within(runtime.spawn('echo', [value]), 'the value')).toEqual(structuredClone(value));
  });

  test('what is transferred is moved, both ways', async () => {
    const bytes = new Uint8Array(8);
    const length = await within(
      runtime.spawn('lengthOf', [bytes], { transfer: [bytes.buffer] }),
      'the length',
    );
    expect({ length, left: bytes.byteLength }).toEqual({ length: 8, left: 0 });
    expect(await runtime.spawn('giveBuffer', [16])).toHaveProperty('byteLength', 16);
    const { port1, port2 } = new MessageChannel();
    await expect(runtime.spawn('echo', [port1])).rejects.toMatchObject({ code: 'ERR_TRIPOLL_NOT_CLONEABLE' });
    port2.close();
  });

  test('an error comes as it was thrown, with the stack of its worker', async () => {
    const range = await rejectionOf(runtime.spawn('fail', ['range']));
    expect(range).toBeInstanceOf(RangeError);
    expect(range).toMatchObject({ message: 'out of it', cause: { name: 'TypeError', message: 'deeper' } });
    expect(range.stack).toContain('tasks.js');
    const custom = await rejectionOf(runtime.spawn('fail', ['custom']));
    expect(custom).toMatchObject({ name: 'CustomError', message: 'mine', code: 'E_CUSTOM' });
    const several = await rejectionOf(runtime.spawn('fail', ['aggregate']));
    expect((several as unknown as AggregateError).errors).toMatchObject([{ message: 'one' }, 'two']);
    await expect(runtime.spawn('fail', ['text'])).rejects.toBe('text');
    await expect(runtime.spawn('failAtOnce', [])).rejects.toThrow(SyntaxError);
  });

  test('a thenable that calls back twice ends its task once', async () => {
    expect(await within(runtime.spawn('twice', []), 'the first')).toBe(1);
    expect(
      await Promise.all(
        runtime.spawnMany('add', [
          [1, 1],
          [2, 2],
          [3, 3],
        ]),
      ),
    ).toEqual([2, 4, 6]);
  });

  test('a task spawns in turn', async () => {
    expect(await within(runtime.spawn('fibonacci', [12]), 'a number of Fibonacci')).toBe(144);
    expect(await within(runtime.spawn('relay', [3000]), 'results from worker to worker')).toBe(24_000);
  });

  test('ten thousand at once, in the order of their handles', async () => {
    const handles = runtime.spawnMany(
      'add',
      Array.from({ length: 10_000 }, (_, i) => [i, 1] as const),
    );
    const sums = await within(Promise.all(handles), 'ten thousand tasks', 30_000);
    expect(sums.every((sum, i) => sum === i + 1)).toBe(true);
    expect(runtime.inspect()).toMatchObject({ pending: 0, waiting: 0 });
  });

  const untilAllEnded = (): Promise<void> =>
    until(() => runtime.metrics().workers.every(({ running }) => running === 0), 'the end of all');

  test('abort() rejects at once; the task is told, and what it returns is dropped', async () => {
    const started = new Int32Array(new SharedArrayBuffer(4));
    const handle = runtime.spawn('untilAborted', [started]);
    await until(() => Atomics.load(started, 0) === 1, 'its beginning');
    handle.abort('enough');
    handle.abort('twice');
    expect(await rejectionOf(handle)).toMatchObject({
      name: 'AbortError',
      code: 'ABORT_ERR',
      cause: 'enough',
    });
    const counts = async (): Promise<number> => {
      const all = await Promise.all(
        runtime.spawnMany(
          'countAborts',
          Array.from({ length: 20 }, () => []),
        ),
      );
      return Math.max(...all);
    };
    await until(async () => (await counts()) >= 1, 'the signal');
    expect(await rejectionOf(runtime.spawn('untilAborted', [], { timeoutMs: 1 }))).toMatchObject({
      code: 'ERR_TRIPOLL_TIMEOUT',
    });
    const signal = AbortSignal.abort('before');
    expect(await rejectionOf(runtime.spawn('add', [1, 2], { signal }))).toMatchObject({ code: 'ABORT_ERR' });
    await untilAllEnded();
  });

  test('blocking() runs on threads of its own', async () => {
    const arrived = new Int32Array(new SharedArrayBuffer(4));
    const threads = await within(
      Promise.all([runtime.blocking('meet', [arrived, 2]), runtime.blocking('meet', [arrived, 2])]),
      'two that wait for each other',
    );
    expect(new Set(threads).size).toBe(2);
    await expect(runtime.blocking('fail', ['range'])).rejects.toThrow(RangeError);
    expect(await rejectionOf(runtime.blocking('nix' as 'add', [1, 2]))).toMatchObject({
      code: 'ERR_TRIPOLL_NO_SUCH_TASK',
    });
    expect(await rejectionOf(runtime.blocking('exit', [3]))).toMatchObject({
      ...{ code: 'ERR_TRIPOLL_WORKER_DIED', exitCode: 3 },
    });
    expect(await runtime.blocking('giveBuffer', [4])).toHaveProperty('byteLength', 4);
  });

  test('metrics() counts', async () => {
    await runtime.spawn('add', [1, 2]);
    await untilAllEnded();
    const { workers, ...rest } = runtime.metrics();
    expect(rest).toEqual({ pending: 0, waiting: 0, injected: 0 });
    expect(workers.map(({ worker, ready }) => ({ worker, ready }))).toEqual([
      { worker: 0, ready: true },
      { worker: 1, ready: true },
    ]);
    const total = workers.reduce((sum, { tasks }) => sum + tasks, 0);
    expect(total).toBeGreaterThan(0);
    for (const { busyMs, busyShare } of workers) {
      expect(busyMs).toBeGreaterThanOrEqual(0);
      expect(busyShare).toBeGreaterThanOrEqual(0);
      expect(busyShare).toBeLessThanOrEqual(1);
    }
  });

  test('metrics() counts the turn that a worker is in: one that a task holds up is busy', async () => {
    const arrived = new Int32Array(new SharedArrayBuffer(4));
    const busyMs = (): number => runtime.metrics().workers.reduce((sum, worker) => sum + worker.busyMs, 0);
    const handle = runtime.spawn('meet', [arrived, 2]);
    await until(() => Atomics.load(arrived, 0) === 1, 'the task runs');
    const before = busyMs();
    await until(() => busyMs() > before + 1, 'its time is counted');
    Atomics.add(arrived, 0, 1);
    await handle;
    expect(busyMs()).toBeGreaterThan(before);
    // Within a turn no two looks tell the same.
    const rests = (): boolean => {
      const first = busyMs();
      return busyMs() === first;
    };
    await until(rests, 'it rests');
  });
});

describe('bad input', () => {
  test('wrong options, names and arguments have errors with codes', async () => {
    const wrongTypes: unknown[] = [
      undefined,
      {},
      { entry: 1 },
      { entry: './relative.js' },
      { entry: tasksFile, nix: 1 },
    ];
    for (const options of wrongTypes)
      expect(thrownBy(() => new Runtime(options as never))).toMatchObject(invalidType);
    for (const more of [
      { workers: 0 },
      { workers: 257 },
      { capacity: 0 },
      { driver: 'nix' },
      { maxWaiting: -1 },
    ])
      expect(thrownBy(() => new Runtime({ entry: tasksFile, ...more } as never))).toMatchObject(outOfRange);
    await withRuntime({}, async (runtime) => {
      expect(thrownBy(() => runtime.spawn(1 as never, [] as never))).toMatchObject(invalidType);
      expect(thrownBy(() => runtime.spawn('add', 1 as never))).toMatchObject(invalidType);
      expect(thrownBy(() => runtime.spawn('add', [1, 2], { nix: 1 } as never))).toMatchObject(invalidType);
      expect(thrownBy(() => runtime.spawn('add', [1, 2], { transfer: 1 } as never))).toMatchObject(
        invalidType,
      );
      expect(thrownBy(() => runtime.spawn('add', [1, 2], { timeoutMs: -1 }))).toMatchObject(outOfRange);
      expect(thrownBy(() => runtime.spawnMany('add', 1 as never))).toMatchObject(invalidType);
      expect(thrownBy(() => moved(1 as never, []))).toMatchObject(invalidType);
      for (const name of ['nix', 'notAFunction', '__proto__', 'toString']) {
        const error = await rejectionOf(runtime.spawn(name as 'add', [1, 2]));
        expect(error).toMatchObject({ code: 'ERR_TRIPOLL_NO_SUCH_TASK' });
      }
      const getter = {
        get x() {
          throw new Error('got');
        },
      };
      for (const value of [() => 1, Symbol('s'), getter]) {
        const error = await rejectionOf(runtime.spawn('echo', [value]));
        expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_TRIPOLL_NOT_CLONEABLE' });
      }
      const error = await rejectionOf(runtime.spawn('giveFunction', []));
      expect(error).toMatchObject({ code: 'ERR_TRIPOLL_NOT_CLONEABLE' });
      expect(await rejectionOf(runtime.spawn('contextAfterAwait', []))).toMatchObject({
        code: 'ERR_TRIPOLL_STATE',
      });
    });
  });

  test('outside of a worker there is no current runtime, and no task', () => {
    expect(thrownBy(() => currentRuntime())).toMatchObject({ code: 'ERR_TRIPOLL_STATE' });
    expect(thrownBy(() => currentTask())).toMatchObject({ code: 'ERR_TRIPOLL_STATE' });
  });

  test.each([
    ['is not there', 'file:///tripoll-has-no-such-file.js'],
    ['throws', 'data:text/javascript,throw new Error("at load")'],
    ['is no JavaScript', 'data:text/javascript,%7B%7B'],
  ])('an entry that %s', async (_, entry) => {
    const runtime = new Runtime({ entry, workers: 2 });
    const spawned = runtime.spawn('add', [1, 2]);
    expect(await rejectionOf(spawned)).toMatchObject({ code: 'ERR_TRIPOLL_ENTRY' });
    expect(await rejectionOf(runtime.ready())).toMatchObject({ code: 'ERR_TRIPOLL_ENTRY' });
    expect(await rejectionOf(runtime.spawn('add', [1, 2]))).toMatchObject({ code: 'ERR_TRIPOLL_ENTRY' });
    expect(await rejectionOf(runtime.blocking('add', [1, 2]))).toMatchObject({ code: 'ERR_TRIPOLL_ENTRY' });
    await within(runtime.close(), 'close');
  });
});

describe('bounds', () => {
  test('a full table: spawn waits, trySpawn says false, and maxWaiting is the end', async () => {
    await withRuntime({ workers: 1, capacity: 4, maxWaiting: 2, tasksPerWorker: 2 }, async (runtime) => {
      await runtime.ready();
      const holding = [1, 2, 3, 4].map(() => runtime.spawn('hold', []));
      expect(runtime.trySpawn('add', [1, 2])).toBe(false);
      const waiting = [1, 2].map((n) => runtime.spawn('add', [n, 1]));
      expect(runtime.inspect()).toMatchObject({ pending: 6, waiting: 2 });
      expect(await rejectionOf(runtime.spawn('add', [1, 2]))).toMatchObject({ code: 'ERR_TRIPOLL_BUSY' });
      // One that waits is given up: nobody runs it.
      waiting[0]!.abort();
      expect(await rejectionOf(waiting[0]!)).toMatchObject({ code: 'ABORT_ERR' });
      // Two run, as many as may; the others are taken back before they begin.
      await until(() => runtime.metrics().workers[0]!.running === 2, 'two that run');
      expect(await Promise.race([waiting[1]!, Promise.resolve(null)])).toBe(null);
      holding.forEach((handle) => handle.abort());
      for (const handle of holding) expect(await rejectionOf(handle)).toMatchObject({ code: 'ABORT_ERR' });
      expect(runtime.metrics().workers[0]!.tasks).toBe(2);
      // The two that run do so still: nobody had told them of a signal.
      waiting[1]!.abort();
      expect(await rejectionOf(waiting[1]!)).toMatchObject({ code: 'ABORT_ERR' });
    });
  });

  test('tasks that wait for what they have spawned leave room for that', async () => {
    await withRuntime({ workers: 1, tasksPerWorker: 1 }, async (runtime) => {
      expect(await within(runtime.spawn('fibonacci', [8]), 'a number of Fibonacci')).toBe(21);
    });
  });

  test('many tasks run at once on one worker, and others on its loop', async () => {
    await withRuntime({ workers: 1, tasksPerWorker: 100 }, async (runtime) => {
      const holding = Array.from({ length: 50 }, () => runtime.spawn('hold', []));
      await until(async () => (await runtime.spawn('held', [])) === 50, 'fifty that run');
      await runtime.spawn('letGo', []);
      await within(Promise.all(holding), 'their end');
    });
  });
});

describe('the end', () => {
  test('close() rejects what is pending, and whatever is spawned later', async () => {
    const runtime = new Runtime<Tasks>({ workers: 2, entry: tasksFile });
    await runtime.ready();
    const running = runtime.spawn('hold', []);
    const blocked = runtime.blocking('block', [60_000]);
    const caught = Promise.all([rejectionOf(running), rejectionOf(blocked)]);
    await until(() => runtime.metrics().workers.some(({ running: count }) => count === 1), 'its beginning');
    await within(runtime.close(), 'close');
    await runtime.close();
    for (const error of await caught) expect(error).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
    expect(runtime.closed).toBe(true);
    expect(await rejectionOf(runtime.spawn('add', [1, 2]))).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
    expect(await rejectionOf(runtime.blocking('add', [1, 2]))).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
    expect(await rejectionOf(runtime.ready())).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
  });

  test('close() before any worker is ready', async () => {
    const runtime = new Runtime<Tasks>({ workers: 2, entry: tasksFile });
    const spawned = rejectionOf(runtime.spawn('add', [1, 2]));
    await within(runtime.close(), 'close');
    expect(await spawned).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
  });

  test('idle() waits for all that is pending', async () => {
    await withRuntime({}, async (runtime) => {
      let ended = 0;
      for (const handle of runtime.spawnMany('later', [[5], [1], [3]])) void handle.then(() => ended++);
      await within(runtime.idle(), 'all');
      await Promise.resolve();
      expect(ended).toBe(3);
      await runtime[Symbol.asyncDispose]();
    });
  });

  test('a rejection that nobody hears of is told as any other', async () => {
    const script = `
      const { Runtime } = require('tripoll/runtime');
      const runtime = new Runtime({ workers: 1, entry: process.env.ENTRY });
      process.on('unhandledRejection', (error) => runtime.close().then(() => console.log(error.message)));
      runtime.spawn('failAtOnce', []);`;
    const { stdout, stderr } = await runScript(script, { env: { ENTRY: tasksFile } });
    expect({ stdout, stderr }).toEqual({ stdout: 'at once\n', stderr: '' });
  });

  describe('a turn of tasks that are long', () => {
    /** On a machine that is busy they may be longer than they say: it must be so once. */
    const ATTEMPTS = 20;

    async function turnsOf(runtime: Runtime<Tasks>, tasksMs: number[]): Promise<number> {
      await within(runtime.spawn('block', [1]), 'one before');
      const before = runtime.metrics().workers[0]!.turns;
      const handles = runtime.spawnMany(
        'block',
        tasksMs.map((ms) => [ms]),
      );
      await within(Promise.all(handles), 'all');
      return runtime.metrics().workers[0]!.turns - before;
    }

    test('has eight of them, if that takes no more than 8 ms', async () => {
      await withRuntime({ workers: 1 }, async (each) => {
        let turns = Infinity;
        const tasksMs = Array.from({ length: 32 }, () => 0.3);
        for (let i = 0; i < ATTEMPTS && turns > 8; i++) turns = await turnsOf(each, tasksMs);
        expect(turns).toBeLessThanOrEqual(8);
      });
    });

    test('is over after 8 ms', async () => {
      await withRuntime({ workers: 1 }, async (each) => {
        // The first may still be of the turn of the one before.
        expect(await turnsOf(each, [9, 9, 9, 9])).toBeGreaterThanOrEqual(3);
      });
    });

    test('tells what has ended before the next begins, and has counted it', async () => {
      await withRuntime({ workers: 1 }, async (each) => {
        let isEarly = false;
        let spawned = 0;
        for (let i = 0; i < ATTEMPTS && !isEarly; i++) {
          await within(each.spawn('block', [1]), 'one before');
          const [first, second] = each.spawnMany('block', [[1], [100]]);
          await within(first!, 'the first');
          spawned += 3;
          expect(each.metrics().workers[0]!.tasks).toBeGreaterThanOrEqual(spawned - 1);
          await new Promise((resolve) => {
            setImmediate(resolve);
          });
          isEarly = !second!.settled;
          await within(second!, 'the second');
        }
        expect(isEarly).toBe(true);
      });
    });
  });

  test('drain() waits for what a worker has spawned and nobody awaits', async () => {
    const runtime = new Runtime<Tasks>({ workers: 2, entry: tasksFile });
    const cells = new Int32Array(new SharedArrayBuffer(8));
    await within(runtime.spawn('leaveBehind', [cells]), 'a task that leaves another');
    const drained = runtime.drain();
    // This thread has no task.
    await within(runtime.idle(), 'idle');
    expect(runtime.closed).toBe(false);
    Atomics.store(cells, 0, 1);
    await within(drained, 'drain');
    expect([...cells]).toEqual([1, 1]);
    expect(runtime.closed).toBe(true);
  });

  test('drain({ timeoutMs }) waits for it no longer', async () => {
    const runtime = new Runtime<Tasks>({ workers: 1, entry: tasksFile });
    const cells = new Int32Array(new SharedArrayBuffer(8));
    await within(runtime.spawn('leaveBehind', [cells]), 'a task that leaves another');
    await within(runtime.drain({ timeoutMs: 20 }), 'drain');
    expect([...cells]).toEqual([0, 0]);
  });

  test('tasks keep the process alive, idle workers do not', async () => {
    const script = `
      const { Runtime } = require('tripoll/runtime');
      const runtime = new Runtime({ workers: 2, entry: process.env.ENTRY });
      runtime.blocking('add', [1, 1]).then(console.log);
      runtime.spawn('later', [50]).then(console.log);`;
    const { code, timedOut, stdout, stderr } = await runScript(script, { env: { ENTRY: tasksFile } });
    expect({ code, timedOut, stderr }).toEqual({ code: 0, timedOut: false, stderr: '' });
    expect(stdout.trim().split('\n').sort()).toEqual(['2', '50']);
  });
});
