// Every order of the steps of the table of tasks, with a death at each: no task is lost, none is told
// twice, none runs twice, and every slot is free at the end.
import { TaskTable } from '#lib/runtime/table';
import { explore } from './explorer.js';
import { tableCase, type TablePlan } from './table-cases.js';

interface Named {
  readonly what: string;
  readonly plan: TablePlan;
}

const SMALL: readonly Named[] = [
  { what: 'a slot that is used again', plan: { tasks: [1, 2], capacity: 1, workers: 1 } },
  { what: 'two workers', plan: { tasks: [1], capacity: 1, workers: 2 } },
  { what: 'a task is taken back', plan: { tasks: [1, 2], capacity: 1, workers: 1, withdrawn: [1] } },
  { what: 'a worker dies', plan: { tasks: [1, 2], capacity: 1, workers: 1, isMortal: true } },
  {
    what: 'a worker dies, and a task is taken back',
    plan: { tasks: [1, 2], capacity: 1, workers: 1, withdrawn: [1], isMortal: true },
  },
  {
    what: 'a worker dies that has spawned',
    plan: { tasks: [1], nested: [2], capacity: 1, workers: 1, isMortal: true },
  },
];

const LARGE: readonly Named[] = [
  {
    what: 'one of two workers dies',
    plan: { tasks: [1], capacity: 1, workers: 2, isMortal: true },
  },
  { what: 'two workers, two slots', plan: { tasks: [1, 2], capacity: 2, workers: 2 } },
  {
    what: 'two workers, a task is taken back',
    plan: { tasks: [1, 2], capacity: 1, workers: 2, withdrawn: [1] },
  },
  {
    what: 'one of two workers dies, two tasks',
    plan: { tasks: [1, 2], capacity: 1, workers: 2, isMortal: true },
  },
];

const all = process.env['TRIPOLL_EXPLORE'] === 'all';

describe('the table: every order of steps', () => {
  test.each(all ? [...SMALL, ...LARGE] : SMALL)(
    '$what',
    ({ what, plan }) => {
      const { states, ends, failure } = explore(tableCase(plan), 10_000_000);
      expect(failure).toBe('');
      expect(ends).toBeGreaterThan(0);
      if (all) console.log(`${what}: ${states} states, ${ends} ends`);
    },
    600_000,
  );
});

type Name = 'claim' | 'withdraw' | 'salvage';

interface Mistake {
  readonly what: string;
  readonly name: Name;
  readonly wrong: unknown;
  /** The case that finds it. */
  readonly foundBy: string;
}

/** One wrong method each, made of the right ones. */
const MISTAKES: readonly Mistake[] = [
  {
    what: 'what is claimed is not compared with the slot’s state',
    name: 'claim',
    foundBy: 'a task is taken back',
    wrong(this: TaskTable, id: number, worker: number) {
      const slot = (id & 0xffff) - 1;
      if (this.queuedId(slot) === 0) return -1;
      this.bind(slot, this.kindOf(slot), worker);
      return slot;
    },
  },
  {
    what: 'a task is taken back that may have begun',
    name: 'withdraw',
    foundBy: 'a task is taken back',
    wrong(this: TaskTable, slot: number) {
      if (this.queuedId(slot) === 0) return false;
      this.free(slot);
      return true;
    },
  },
  {
    what: 'what the dead had finished is not told again',
    name: 'salvage',
    foundBy: 'a worker dies',
    wrong(this: TaskTable) {
      const queued: number[] = [];
      for (let slot = 0; slot < this.threads * this.capacity; slot++) {
        const id = this.queuedId(slot);
        if (id !== 0) queued.push(id);
      }
      return { queued, told: new Set<number>() };
    },
  },
];

describe('the table: a planted mistake is found', () => {
  test.each(MISTAKES)(
    '$what',
    ({ name, wrong, foundBy }) => {
      const before = Object.getOwnPropertyDescriptor(TaskTable.prototype, name)!;
      Object.defineProperty(TaskTable.prototype, name, { ...before, value: wrong });
      try {
        const { plan } = SMALL.find(({ what }) => what === foundBy)!;
        expect(explore(tableCase(plan)).failure).not.toBe('');
      } finally {
        Object.defineProperty(TaskTable.prototype, name, before);
      }
    },
    120_000,
  );
});
