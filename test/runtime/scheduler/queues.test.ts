// The rules of a worker's queue, in one thread.
import { readLayout } from '#lib/runtime/scheduler/layout';
import { createScheduler, Scheduler, type WorkerQueue } from '#lib/runtime/scheduler/scheduler';

interface Rig {
  readonly scheduler: Scheduler;
  readonly queues: readonly WorkerQueue[];
  readonly woken: number[];
}

function newRig(workers: number, injectorCapacity = 1024): Rig {
  const woken: number[] = [];
  const scheduler = new Scheduler(createScheduler({ workers, injectorCapacity }), (worker) => {
    woken.push(worker);
  });
  const queues = Array.from({ length: workers }, (_, worker) => scheduler.worker(worker));
  return { scheduler, queues, woken };
}

function takeAll(queue: WorkerQueue): number[] {
  const tasks: number[] = [];
  for (let task = queue.next(); task !== 0; task = queue.next()) tasks.push(task);
  return tasks;
}

test('the newest comes out first, three in a row at most, then the oldest', () => {
  const { queues } = newRig(1);
  const queue = queues[0]!;
  for (const task of [1, 2, 3]) queue.push(task);
  expect([queue.next(), queue.next()]).toEqual([3, 1]);
  const row: number[] = [];
  for (let task = 10; task < 15; task++) {
    queue.push(task);
    row.push(queue.next());
  }
  expect(row).toEqual([10, 11, 12, 2, 14]);
  expect(takeAll(queue)).toEqual([13]);
});

test('a full ring moves its older half and the task behind it to the injector, and then says no', () => {
  const { scheduler, queues } = newRig(1, 256);
  for (let task = 1; task <= 257; task++) queues[0]!.push(task);
  expect(scheduler.lengths()).toEqual({ injector: 0, workers: [257] });
  queues[0]!.push(258);
  expect(scheduler.lengths()).toEqual({ injector: 129, workers: [129] });
  let task = 258;
  while (queues[0]!.push(task + 1)) task++;
  expect(scheduler.lengths()).toEqual({ injector: 256, workers: [257] });
  expect(new Set(takeAll(queues[0]!)).size).toBe(task);
});

test('a thief takes half, and not the LIFO slot', () => {
  const { scheduler, queues } = newRig(2);
  for (let task = 1; task <= 9; task++) queues[0]!.push(task);
  expect(queues[1]!.next()).toBe(1);
  expect(scheduler.lengths().workers).toEqual([5, 3]);
  expect(queues[1]!.stats).toMatchObject({ steals: 1, stolenTasks: 4, polls: 1 });
});

test('at most half of the workers search', () => {
  const buffer = createScheduler({ workers: 4, injectorCapacity: 16 });
  const scheduler = new Scheduler(buffer, () => {});
  const queues = [0, 1, 2, 3].map((worker) => scheduler.worker(worker));
  expect(queues.map((queue) => queue.next())).toEqual([0, 0, 0, 0]);
  expect(new Int32Array(buffer)[readLayout(buffer).idle]! >>> 16).toBe(0b0011);
});

test('an inject wakes one sleeper, and none while one searches; who finds the last wakes another', () => {
  const { scheduler, queues, woken } = newRig(3);
  for (const queue of queues) queue.park();
  scheduler.inject(1);
  scheduler.inject(2);
  expect(woken).toEqual([0]);
  queues[0]!.unparked();
  expect(queues[0]!.next()).toBe(1);
  expect(woken).toEqual([0, 1]);
});

test('who is about to sleep looks once more', () => {
  const { scheduler, queues, woken } = newRig(1);
  expect(queues[0]!.next()).toBe(0);
  scheduler.inject(1);
  expect(woken).toEqual([]);
  expect(queues[0]!.park()).toBe(false);
  expect(queues[0]!.next()).toBe(1);
});

test('the injector is looked at as often as the mean of the tasks says: 61, from 2 to 127', () => {
  const { queues } = newRig(1);
  const queue = queues[0]!;
  const intervalAfter = (pollUs: number): number => {
    for (let i = 0; i < 100; i++) {
      queue.push(1);
      queue.next();
    }
    queue.tune(100 * pollUs);
    return queue.stats.injectorInterval;
  };
  expect(queue.stats.injectorInterval).toBe(61);
  expect([0.1, 1000, 10].map(intervalAfter)).toEqual([127, 2, 19]);
});

test('own tasks do not keep those of all waiting', () => {
  const { scheduler, queues } = newRig(1);
  for (let task = 1; task <= 100; task++) queues[0]!.push(task);
  scheduler.inject(1000);
  expect(takeAll(queues[0]!).indexOf(1000)).toBe(60);
});

test('abandon gives what the dead had, and wakes another for what is left', () => {
  const { scheduler, queues, woken } = newRig(2);
  queues[1]!.park();
  for (const task of [1, 2, 3]) queues[0]!.push(task);
  scheduler.inject(4);
  expect(woken).toEqual([1]);
  woken.length = 0;
  expect(scheduler.abandon(0).sort()).toEqual([1, 2, 3]);
  // It was chosen and has not come: it is woken again.
  expect(woken).toContain(1);
  expect(scheduler.lengths()).toEqual({ injector: 1, workers: [0, 0] });
  const successor = scheduler.worker(0);
  expect(successor.next()).toBe(4);
});

test('more than sixteen workers: each is woken by the one before that found something', () => {
  const { scheduler, queues, woken } = newRig(40);
  for (const queue of queues) queue.park();
  for (const [worker, queue] of queues.entries()) {
    scheduler.inject(worker + 1);
    expect(woken.at(-1)).toBe(worker);
    queue.unparked();
    expect(queue.next()).toBe(worker + 1);
  }
  expect(woken).toHaveLength(40);
});
