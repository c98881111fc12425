// Threads that stay awake between their rounds (lib/runtime/awake.ts), for the explorer: workers on
// the scheduler, and who waits for what comes of their tasks. A wake that costs a system call is a
// word of its own here.
import { WakeWord } from '#lib/reactor/wake-word';
import { fallAsleep } from '#lib/runtime/awake';
import type { Cells } from '#lib/runtime/scheduler/cells';
import { createScheduler, Scheduler } from '#lib/runtime/scheduler/scheduler';
import './cases.js'; // what is forgotten within the scheduler's methods
import type { Case, End, Program, ReplayCells } from './explorer.js';

export interface AwakePlan {
  readonly workers: number;
  /** What each spawner injects; it waits until all of that is done. */
  readonly spawners: readonly (readonly number[])[];
  /** How often a thread looks before it sleeps. */
  readonly looks: number;
}

/** A waker's word among the others. */
class ModelWord extends WakeWord {
  constructor(
    readonly cells: Cells,
    readonly index: number,
  ) {
    super(new SharedArrayBuffer(4));
  }

  override load(): number {
    return this.cells.load(this.index);
  }

  override exchange(value: number): number {
    return this.cells.exchange(this.index, value);
  }
}

/** The words behind the scheduler's: of each thread a waker, whether it is woken, what is done. */
class World {
  readonly words: number;
  readonly buffer: SharedArrayBuffer;
  readonly #start: number;

  constructor(readonly plan: AwakePlan) {
    this.buffer = createScheduler({ workers: plan.workers, ringCapacity: 4, injectorCapacity: 4 });
    this.#start = this.buffer.byteLength / Int32Array.BYTES_PER_ELEMENT;
    this.words = this.#start + 3 * (plan.workers + plan.spawners.length);
  }

  wordOf(cells: Cells, thread: number): WakeWord {
    return new ModelWord(cells, this.#start + 3 * thread);
  }

  /** The system's part of a wake. */
  waking(thread: number): number {
    return this.#start + 3 * thread + 1;
  }

  marks(thread: number): number {
    return this.#start + 3 * thread + 2;
  }

  wake(cells: Cells, thread: number): void {
    if (this.wordOf(cells, thread).wake()) cells.store(this.waking(thread), 1);
  }

  open(cells: Cells): Scheduler {
    return new Scheduler(this.buffer, (worker) => this.wake(cells, worker), cells);
  }

  /** The thread that spawned a task. */
  spawnerOf(task: number): number {
    return this.plan.workers + this.plan.spawners.findIndex((tasks) => tasks.includes(task));
  }
}

/** A thread of the runtime: rounds until it falls asleep, for ever. `host.work` is a round's. */
function rounds(
  world: World,
  cells: ReplayCells,
  thread: number,
  host: {
    state: () => string;
    work: () => void;
    hasWork: () => boolean;
    sleep: () => boolean;
    spin: () => boolean;
  },
): void {
  const word = world.wordOf(cells, thread);
  const { looks } = world.plan;
  const spin = (): boolean => {
    for (let i = 0; i < looks; i++) if (word.woken || host.spin()) return true;
    return false;
  };
  for (;;) {
    do {
      cells.forget(`round ${host.state()}`);
      word.hold();
      host.work();
    } while (!fallAsleep(word, host, spin));
    cells.forget('asleep');
    cells.wait(world.waking(thread));
    word.take();
  }
}

function worker(world: World, index: number): Program {
  return (cells, told) => {
    const queue = world.open(cells).worker(index);
    let isParked = false;
    const done: number[] = [];
    const tell = (): void => {
      for (const task of done.splice(0)) world.wake(cells, world.spawnerOf(task));
    };
    rounds(world, cells, index, {
      // Whether it searches its last step into or out of that has said.
      state: () => `${isParked} ${(cells.lastSum >>> (index + 16)) & 1}`,
      work: () => {
        if (isParked) queue.unparked();
        isParked = false;
        for (let task = queue.next(); task !== 0; task = queue.next()) {
          told.took.push(task);
          cells.or(world.marks(world.spawnerOf(task)), 1 << task);
          done.push(task);
        }
        queue.rest();
        tell();
      },
      hasWork: () => queue.hasWork(),
      spin: () => queue.search() && queue.hasWork(),
      sleep: () => (isParked = queue.park()),
    });
  };
}

/** What it has been told of: 101 for task 1. */
export const DONE = 100;

function spawner(world: World, index: number): Program {
  const thread = world.plan.workers + index;
  return (cells, told) => {
    const scheduler = world.open(cells);
    for (const task of world.plan.spawners[index]!) scheduler.inject(task);
    rounds(world, cells, thread, {
      state: () => '',
      work: () => {
        const marks = cells.exchange(world.marks(thread), 0);
        for (let task = 1; task < 32; task++) if ((marks & (1 << task)) !== 0) told.took.push(DONE + task);
      },
      hasWork: () => false,
      spin: () => false,
      sleep: () => true,
    });
  };
}

function check({ workers, spawners }: AwakePlan, { took, waiting }: End): string {
  if (waiting.length !== workers + spawners.length) return 'a thread has ended';
  const tasks = spawners.flat();
  const wanted = [...tasks, ...tasks.map((task) => DONE + task)].join(' ');
  const has = took
    .flat()
    .sort((a, b) => a - b)
    .join(' ');
  return has === wanted ? '' : `all sleep: ${has}, expected ${wanted}`;
}

export function awakeCase(plan: AwakePlan): Case {
  const world = new World(plan);
  const start = [...new Int32Array(world.buffer).entries()];
  return {
    words: world.words,
    initial: start.filter(([, value]) => value !== 0),
    threads: [
      ...Array.from({ length: plan.workers }, (_, index) => ({ run: worker(world, index) })),
      ...plan.spawners.map((_, index) => ({ run: spawner(world, index) })),
    ],
    check: (end) => check(plan, end),
  };
}
