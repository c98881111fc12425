// Small cases of the scheduler's parts, for the explorer, and what must be true at their ends.
import { Cells } from '#lib/runtime/scheduler/cells';
import { Injector } from '#lib/runtime/scheduler/injector';
import { LocalQueue } from '#lib/runtime/scheduler/local-queue';
import { createScheduler, Scheduler } from '#lib/runtime/scheduler/scheduler';
import { Idle } from '#lib/runtime/scheduler/idle';
import { Parts } from '#lib/runtime/scheduler/parts';
import { forgetWithin, type Case, type End, type Program, type Thread, type Told } from './explorer.js';

forgetWithin(LocalQueue.prototype, ['length', 'push', 'pop', 'stealFrom', 'drain', 'copyFrom']);
forgetWithin(Injector.prototype, ['length', 'push', 'pop']);
forgetWithin(Idle.prototype, [
  'chooseSleeper',
  'startSearching',
  'stopSearching',
  'park',
  'unpark',
  'forget',
]);
forgetWithin(Parts.prototype, ['notify', 'hasWork']);

/** Each of `expected` must be there once, and nothing else; '' when it is so. */
function compareTasks(actual: readonly number[], expected: readonly number[]): string {
  const sorted = (tasks: readonly number[]): string => [...tasks].sort((a, b) => a - b).join(' ');
  const [has, wants] = [sorted(actual), sorted(expected)];
  return has === wants ? '' : `tasks ${has}, expected ${wants}`;
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Takes at most as many as ever were put in: what gives without end must not hang a test. */
function takeAll(pop: () => number): number[] {
  const tasks: number[] = [];
  for (let task = pop(); task !== 0 && tasks.length < 100; task = pop()) tasks.push(task);
  return tasks;
}

function note(told: Told, task: number): void {
  if (task !== 0) told.took.push(task);
}

// ---- a ring, and who steals from it ----

const RING_WORDS = 16;

/** The ring of a thread, in the memory of a case of rings alone. */
function ringOf(cells: Cells, thread: number, capacity: number): LocalQueue {
  const at = thread * RING_WORDS;
  return new LocalQueue(cells, at, at + 1, at + 2, capacity);
}

export interface RingPlan {
  readonly capacity: number;
  /** What the owner does: a task to push, or 0 for a pop. */
  readonly owner: readonly number[];
  /** How often each thief steals. */
  readonly thieves: readonly number[];
}

/** The positions begin just before they wrap at 32 bits, and the slots in their middle. */
const FIRST_POSITION = -1;

export function ringCase({ capacity, owner, thieves }: RingPlan): Case {
  const threads: Thread[] = thieves.map((steals, i) => ({
    run(cells, told) {
      const [ring, own] = [ringOf(cells, 0, capacity), ringOf(cells, i + 1, capacity)];
      for (let j = 0; j < steals; j++) {
        cells.forget(`${j}`);
        note(told, own.stealFrom(ring));
      }
      for (const task of takeAll(() => own.pop())) note(told, task);
    },
  }));
  const runOwner: Program = (cells, told) => {
    const ring = ringOf(cells, 0, capacity);
    for (const [i, task] of owner.entries()) {
      cells.forget(`${i}`);
      if (task === 0) note(told, ring.pop());
      // Full: whoever pushes has it still.
      else if (!ring.push(task)) note(told, task);
    }
  };
  return {
    words: (thieves.length + 1) * RING_WORDS,
    initial: [
      [0, FIRST_POSITION],
      [1, FIRST_POSITION],
    ],
    threads: [{ run: runOwner }, ...threads],
    check({ took, waiting, buffer }) {
      const ring = ringOf(new Cells(buffer), 0, capacity);
      const all = [...took.flat(), ...takeAll(() => ring.pop())];
      return waiting.length > 0
        ? 'a thread waits'
        : compareTasks(
            all,
            owner.filter((task) => task !== 0),
          );
    },
  };
}

/**
 * A worker whose ring of two is full pushes on, so that half of it goes to the injector, while a
 * thief steals and a consumer takes from the injector.
 */
export function overflowCase(pushes: number, steals: number, pops: number): Case {
  const buffer = createScheduler({ workers: 2, ringCapacity: 2, injectorCapacity: 2 });
  const open = (cells: Cells): Scheduler => new Scheduler(buffer, () => {}, cells);
  const tasks = range(1, pushes);
  const owner: Program = (cells, told) => {
    const queue = open(cells).worker(0);
    for (const task of tasks) {
      cells.forget(`${task}`);
      if (!queue.push(task)) note(told, task);
    }
  };
  const thief: Program = (cells, told) => {
    const [victim, own] = open(cells).parts.rings;
    for (let i = 0; i < steals; i++) {
      cells.forget(`steal ${i}`);
      note(told, own!.stealFrom(victim!));
      for (const task of takeAll(() => own!.pop())) note(told, task);
    }
  };
  const consumer: Program = (cells, told) => {
    const { injector } = open(cells).parts;
    for (let i = 0; i < pops; i++) {
      cells.forget(`pop ${i}`);
      note(told, injector.pop());
    }
  };
  return {
    words: buffer.byteLength / Int32Array.BYTES_PER_ELEMENT,
    initial: initialWords(buffer),
    threads: [{ run: owner }, { run: thief }, { run: consumer }],
    check({ took, waiting, buffer: end }) {
      const scheduler = new Scheduler(end, () => {});
      const queue = scheduler.worker(0);
      const left = takeAll(() => queue.next());
      return waiting.length > 0 ? 'a thread waits' : compareTasks([...took.flat(), ...left], tasks);
    },
  };
}

// ---- the injector ----

export interface InjectorPlan {
  readonly capacity: number;
  /** Tasks that are in it at the start. */
  readonly filled?: readonly number[];
  /** Tasks that each producer pushes. */
  readonly producers: readonly (readonly number[])[];
  /** How often each consumer pops. */
  readonly consumers: readonly number[];
  /** How many each of some more consumers takes at once. */
  readonly takers?: readonly number[];
  /** Any one of them may die between any two steps. */
  readonly areMortal?: boolean;
}

export function injectorCase(plan: InjectorPlan): Case {
  const { capacity, filled = [], producers, consumers, takers = [], areMortal = false } = plan;
  const expected = [...filled, ...producers.flat()];
  const start = new SharedArrayBuffer((2 + capacity) * Int32Array.BYTES_PER_ELEMENT);
  const injectorOf = (cells: Cells): Injector => new Injector(cells, 0, 1, 2, capacity);
  const pushers = producers.map((tasks): Program => (cells, told) => {
    const injector = injectorOf(cells);
    for (const task of tasks) {
      cells.forget(`${task}`);
      if (!injector.push(task)) note(told, task);
    }
  });
  const poppers = consumers.map((pops): Program => (cells, told) => {
    const injector = injectorOf(cells);
    for (let i = 0; i < pops; i++) {
      cells.forget(`${i}`);
      note(told, injector.pop());
    }
  });
  const bulk = takers.map((most): Program => (cells, told) => {
    const others: number[] = [];
    note(
      told,
      injectorOf(cells).popSome(most, (task) => others.push(task)),
    );
    for (const task of others) note(told, task);
  });
  const programs = [...pushers, ...poppers, ...bulk];
  for (const task of filled) injectorOf(new Cells(start)).push(task);
  return {
    words: 2 + capacity,
    initial: initialWords(start),
    threads: programs.map((run) => ({ run, isMortal: areMortal })),
    check({ took, dead, buffer }) {
      const injector = injectorOf(new Cells(buffer));
      const left = takeAll(() => injector.pop());
      if (dead < 0) return compareTasks([...took.flat(), ...left], expected);
      // The dead one's push or pop may or may not have been. All else is as ever: what it held is
      // one task at most, or as many as it takes at once, and the queue still takes as many as it
      // has slots.
      const all = [...took.flat(), ...left];
      const lost = expected.filter((task) => !all.includes(task));
      const own = producers[dead]?.length ?? takers[dead - pushers.length - poppers.length] ?? 1;
      if (new Set(all).size !== all.length) return `a task twice: ${all.join(' ')}`;
      if (lost.length > own) return `lost: ${lost.join(' ')}`;
      // What it had put in may come to light with the next push.
      const fill = (): number[] => range(101, 100 + capacity).filter((task) => injector.push(task));
      fill();
      takeAll(() => injector.pop());
      return compareTasks(fill(), range(101, 100 + capacity));
    },
  };
}

// ---- the scheduler: workers that run until nothing is left, then sleep ----

export interface SchedulerPlan {
  readonly workers: number;
  /** Workers that have threads; by default all. The others never begin. */
  readonly awake?: readonly number[];
  /** Tasks that each other thread injects. */
  readonly injectors?: readonly (readonly number[])[];
  /** Tasks that are in the injector at the start. */
  readonly filled?: readonly number[];
  /** A worker takes no more than so many, and then does nothing for ever. */
  readonly bounds?: Readonly<Record<number, number>>;
  /** Tasks that a worker pushes at its start. */
  readonly starts?: Readonly<Record<number, readonly number[]>>;
  /** Tasks that a worker pushes when it has been given this one. */
  readonly children?: Readonly<Record<number, readonly number[]>>;
  /** Tasks that are put in after a death only. */
  readonly late?: readonly number[];
  readonly ringCapacity?: number;
  readonly injectorCapacity?: number;
  /** Workers whose threads may die. A thread that notices puts in again what nobody has run. */
  readonly mortal?: readonly number[];
}

/** After the scheduler's words: whether a worker is to be woken, then who has claimed each task. */
class ExtraWords {
  constructor(
    readonly start: number,
    readonly workers: number,
  ) {}

  waking(worker: number): number {
    return this.start + worker;
  }

  claim(task: number): number {
    return this.start + this.workers + task;
  }
}

/** The runtime's rule: an id is run by whoever claims it first. */
function claim(cells: Cells, told: Told, extra: ExtraWords, task: number, hasClaims: boolean): void {
  if (!hasClaims || cells.compareExchange(extra.claim(task), 0, 1) === 0) note(told, task);
}

interface Built {
  readonly extra: ExtraWords;
  readonly open: (cells: Cells) => Scheduler;
  readonly hasClaims: boolean;
}

/** What the runtime's executor does, without running anything. */
function workerProgram({ extra, open, hasClaims }: Built, worker: number, plan: SchedulerPlan): Program {
  const { starts = {}, children = {}, bounds = {} } = plan;
  const bound = bounds[worker] ?? Infinity;
  return (cells, told) => {
    let taken = 0;
    const queue = open(cells).worker(worker);
    // A queue remembers whether it searches, which its last step into or out of that has said. What
    // else it remembers matters for three workers, or many pushes, only: in which order it asks
    // others, and how often it has polled the LIFO slot.
    const isPlain = (plan.awake?.length ?? plan.workers) <= 2 && tasksOf(plan).length <= 3;
    const forget = (place: string): void => {
      const searches = (cells.lastSum >>> ((worker % 16) + 16)) & 1;
      if (isPlain) cells.forget(`${place} ${searches} ${bound === Infinity ? '' : taken}`);
    };
    const push = (task: number): void => {
      if (!queue.push(task)) claim(cells, told, extra, task, hasClaims);
    };
    starts[worker]?.forEach(push);
    for (;;) {
      while (taken < bound) {
        forget('next');
        const task = queue.next();
        if (task === 0) break;
        taken++;
        claim(cells, told, extra, task, hasClaims);
        children[task]?.forEach(push);
      }
      if (taken >= bound) {
        queue.rest();
        forget('full');
        cells.wait(extra.waking(worker));
        continue;
      }
      // The promises of tasks run here; then it looks for a moment before it sleeps.
      queue.rest();
      forget('look');
      if (queue.search() && queue.hasWork()) continue;
      forget('park');
      if (queue.park()) {
        forget('wait');
        cells.wait(extra.waking(worker));
        queue.unparked();
      }
    }
  };
}

function tasksOf({ filled = [], injectors = [], starts = {}, children = {} }: SchedulerPlan): number[] {
  return [[filled], injectors, Object.values(starts), Object.values(children)].flat(2);
}

function injectorProgram({ extra, open, hasClaims }: Built, tasks: readonly number[]): Program {
  return (cells, told) => {
    const scheduler = open(cells);
    for (const task of tasks) {
      cells.forget(`${task}`);
      if (!scheduler.inject(task)) claim(cells, told, extra, task, hasClaims);
    }
  };
}

/** What the runtime does when a worker's thread has ended. */
function undertaker({ extra, open }: Built, worker: number, tasks: readonly number[]): Program {
  return (cells) => {
    const scheduler = open(cells);
    scheduler.abandon(worker);
    for (const task of tasks) {
      cells.forget(`${task}`);
      if (cells.load(extra.claim(task)) === 0) scheduler.inject(task);
    }
  };
}

function initialWords(buffer: SharedArrayBuffer): [number, number][] {
  return [...new Int32Array(buffer).entries()].filter(([, value]) => value !== 0);
}

/** What is wrong when nobody can go on: all workers must sleep, and nothing be left. */
function checkScheduler(
  { took, waiting, buffer, dead }: End,
  workers: number,
  tasks: readonly number[],
): string {
  const alive = range(0, workers - 1).filter((thread) => thread !== dead);
  if (waiting.join() !== alive.join()) return `threads ${waiting.join()} wait, not the workers`;
  const { injector, workers: lengths } = new Scheduler(buffer, () => {}).lengths();
  const wrong = compareTasks(took.flat(), tasks);
  return wrong === '' ? '' : `all sleep: ${wrong}; in the queues: ${injector}, ${lengths.join(', ')}`;
}

export function schedulerCase(plan: SchedulerPlan): Case {
  const { workers, ringCapacity = 4, injectorCapacity = 4, mortal = [], injectors = [] } = plan;
  const awake = plan.awake ?? range(0, workers - 1);
  const buffer = createScheduler({ workers, ringCapacity, injectorCapacity });
  for (const task of plan.filled ?? []) new Scheduler(buffer, () => {}).inject(task);
  const extra = new ExtraWords(buffer.byteLength / Int32Array.BYTES_PER_ELEMENT, workers);
  const { late = [] } = plan;
  const tasks = tasksOf(plan);
  const open = (cells: Cells): Scheduler => {
    return new Scheduler(buffer, (worker) => cells.store(extra.waking(worker), 1), cells);
  };
  const built = { extra, open, hasClaims: mortal.length > 0 };
  const threads: Thread[] = [
    ...awake.map((worker) => ({
      run: workerProgram(built, worker, plan),
      isMortal: mortal.includes(worker),
    })),
    ...injectors.map((each) => ({ run: injectorProgram(built, each) })),
    ...mortal.map((worker) => ({ run: undertaker(built, worker, [...tasks, ...late]), isAfterDeath: true })),
  ];
  return {
    words: extra.claim(Math.max(0, ...tasks, ...late)) + 1,
    initial: initialWords(buffer),
    threads,
    check: (end) => checkScheduler(end, awake.length, end.dead < 0 ? tasks : [...tasks, ...late]),
  };
}
