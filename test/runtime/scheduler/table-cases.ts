// The table of tasks, for the explorer: who spawns, workers that claim and finish, a death at any
// step, and what is salvaged. The scheduler is not in it: ids lie in words, from which any worker
// takes them, and whoever puts one there wakes all.
import { Cells } from '#lib/runtime/scheduler/cells';
import { Outcome, TaskTable, type SharedTable } from '#lib/runtime/table';
import type { Case, End, Program, ReplayCells, Thread, Told } from './explorer.js';

/** Task 1 has run: 101; and so on. */
export const EVENT = { RAN: 100, VALUE: 200, DIED: 300, WITHDRAWN: 400 } as const;

export interface TablePlan {
  /** The spawner's tasks, one after the other as slots are free. */
  readonly tasks: readonly number[];
  /** Slots of each thread. */
  readonly capacity: number;
  /** Of the spawner's tasks: those that it takes back, if they have not begun. */
  readonly withdrawn?: readonly number[];
  /** Tasks that worker 0 spawns at its start. */
  readonly nested?: readonly number[];
  readonly workers: number;
  /** Worker 0 may die at any step. */
  readonly isMortal?: boolean;
}

/** The words of marks behind those of slots. */
class ShiftedCells extends Cells {
  constructor(
    readonly cells: Cells,
    readonly by: number,
  ) {
    super(new SharedArrayBuffer(4));
  }

  override load(index: number): number {
    return this.cells.load(this.by + index);
  }

  override peek(index: number): number {
    return this.cells.peek(this.by + index);
  }

  override store(index: number, value: number): void {
    this.cells.store(this.by + index, value);
  }

  override exchange(index: number, value: number): number {
    return this.cells.exchange(this.by + index, value);
  }

  override or(index: number, bits: number): void {
    this.cells.or(this.by + index, bits);
  }
}

/** What a case has beside its threads. */
class World {
  readonly shared: SharedTable;
  readonly words: number;
  readonly #slotWords: number;
  readonly #queueAt: number;
  readonly #queueWords: number;
  readonly #wakingAt: number;

  constructor(readonly plan: TablePlan) {
    const { capacity, workers } = plan;
    this.shared = TaskTable.create(workers + 1, capacity);
    this.#slotWords = this.shared.slots.byteLength / 4;
    this.#queueAt = this.#slotWords + this.shared.marks.byteLength / 4;
    // Each task once, and once more after a death.
    this.#queueWords = 2 * (plan.tasks.length + (plan.nested?.length ?? 0));
    this.#wakingAt = this.#queueAt + this.#queueWords;
    this.words = this.#wakingAt + workers + 1;
  }

  open(cells: Cells): TaskTable {
    return new TaskTable(this.shared, cells, new ShiftedCells(cells, this.#slotWords));
  }

  /** Word of `thread`: it has something to do. */
  waking(thread: number): number {
    return this.#wakingAt + thread;
  }

  /** Puts an id where workers look. */
  submit(cells: Cells, place: number, id: number): void {
    cells.store(this.#queueAt + place, id);
    for (let worker = 0; worker < this.plan.workers; worker++) cells.store(this.waking(worker + 1), 1);
  }

  take(cells: Cells): number {
    for (let place = 0; place < this.#queueWords; place++) {
      if (cells.load(this.#queueAt + place) === 0) continue;
      const id = cells.exchange(this.#queueAt + place, 0);
      if (id !== 0) return id;
    }
    return 0;
  }
}

/** The thread that made the runtime, with the handles of its tasks by slots. */
function spawner(world: World): Program {
  const { tasks, capacity, withdrawn = [] } = world.plan;
  return (cells, told) => {
    const table = world.open(cells);
    const handles = new Map<number, number>();
    const free = Array.from({ length: capacity }, (_, slot) => slot);
    let next = 0;
    const forget = (place: string): void =>
      cells.forget(`${place} ${next} ${free.join()} ${[...handles].join(' ')}`);
    const end = (slot: number, event: number): void => {
      told.took.push(event + handles.get(slot)!);
      handles.delete(slot);
      free.push(slot);
    };
    const spawn = (): void => {
      const [slot, task] = [free.pop()!, tasks[next]!];
      handles.set(slot, task);
      world.submit(cells, next++, table.enqueue(slot, task));
      forget('spawned');
      if (withdrawn.includes(task) && table.withdraw(slot)) end(slot, EVENT.WITHDRAWN);
    };
    for (;;) {
      while (next < tasks.length && free.length > 0) {
        forget('spawn');
        spawn();
      }
      forget('done');
      table.takeDone(0, (slot) => {
        const outcome = table.kindOf(slot);
        table.free(slot);
        end(slot, outcome === Outcome.DIED ? EVENT.DIED : EVENT.VALUE);
      });
      if (next === tasks.length && handles.size === 0) return;
      if (free.length > 0 && next < tasks.length) continue;
      forget('wait');
      cells.wait(world.waking(0));
    }
  };
}

function worker(world: World, index: number): Program {
  const { tasks, nested = [] } = world.plan;
  return (cells, told) => {
    const table = world.open(cells);
    if (index === 0) {
      for (const [i, task] of nested.entries()) {
        cells.forget(`nested ${i}`);
        world.submit(cells, tasks.length + i, table.enqueue(table.capacity + i, task));
      }
    }
    work(world, cells, told, index);
  };
}

/** Runs what there is, for ever. */
function work(world: World, cells: ReplayCells, told: Told, index: number): void {
  const table = world.open(cells);
  for (;;) {
    cells.forget('take');
    for (let id = world.take(cells); id !== 0; id = world.take(cells)) {
      runTask(world, cells, told, table, id, index);
      cells.forget('take');
    }
    cells.forget('free');
    table.takeDone(index + 1, (slot) => table.free(slot));
    cells.forget('wait');
    cells.wait(world.waking(index + 1));
  }
}

function runTask(world: World, cells: Cells, told: Told, table: TaskTable, id: number, index: number): void {
  const slot = table.claim(id, index);
  if (slot === -1) return;
  told.took.push(EVENT.RAN + table.kindOf(slot));
  table.finish(slot, index, Outcome.VALUE);
  cells.store(world.waking(table.spawnerOf(slot)), 1);
}

/** What the runtime does when the thread of worker 0 has ended, and then its successor. */
function successor(world: World): Program {
  const { tasks, nested = [] } = world.plan;
  return (cells, told) => {
    const { queued, told: threads } = world.open(cells).salvage(0, [0, 1]);
    const first = tasks.length + nested.length;
    for (const [i, id] of queued.entries()) world.submit(cells, first + i, id);
    for (const thread of threads) cells.store(world.waking(thread), 1);
    work(world, cells, told, 0);
  };
}

function checkTable(world: World, { took, dead, buffer }: End): string {
  const { tasks, nested = [], capacity, workers } = world.plan;
  const events = took.flat().sort((a, b) => a - b);
  const count = (event: number): number => events.filter((each) => each === event).length;
  for (const task of tasks) {
    const [ran, value] = [count(EVENT.RAN + task), count(EVENT.VALUE + task)];
    const [died, withdrawn] = [count(EVENT.DIED + task), count(EVENT.WITHDRAWN + task)];
    if (value + died + withdrawn !== 1) return `task ${task} was told ${value + died + withdrawn} times`;
    if (ran > 1 || (value === 1 && ran !== 1) || (withdrawn === 1 && ran !== 0))
      return `task ${task}: ${events.join(' ')}`;
    if (died === 1 && dead < 0) return `task ${task} died of nothing`;
  }
  for (const task of nested) if (count(EVENT.RAN + task) > 1) return `task ${task} ran twice`;
  const table = world.open(new Cells(buffer));
  for (let slot = 0; slot < (workers + 1) * capacity; slot++)
    if (!table.isFree(slot)) return `slot ${slot} is in use: ${events.join(' ')}`;
  return '';
}

export function tableCase(plan: TablePlan): Case {
  const world = new World(plan);
  const { workers, isMortal = false } = plan;
  const threads: Thread[] = [
    { run: spawner(world) },
    ...Array.from({ length: workers }, (_, index) => ({
      run: worker(world, index),
      isMortal: isMortal && index === 0,
    })),
    ...(isMortal ? [{ run: successor(world), isAfterDeath: true }] : []),
  ];
  return { words: world.words, threads, check: (end) => checkTable(world, end) };
}
