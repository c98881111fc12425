// The scheduler's code with one mistake each, put in place of the right one for a test.
import { Idle } from '#lib/runtime/scheduler/idle';
import { Injector } from '#lib/runtime/scheduler/injector';
import { LocalQueue } from '#lib/runtime/scheduler/local-queue';
import { Parts } from '#lib/runtime/scheduler/parts';
import { WorkerQueue } from '#lib/runtime/scheduler/worker-queue';

export interface Mutant {
  readonly name: string;
  /** Cases of explorer.test.ts that find it soon: one by every order of steps, one by chance. */
  readonly foundBy: readonly [every: string, chance: string];
  /** The mistake is made from now on; gives what takes it back. */
  readonly apply: () => () => void;
}

function replace<T extends object, K extends keyof T & string>(
  prototype: T,
  name: K,
  value: T[K] & ((this: T, ...args: never[]) => unknown),
): () => () => void {
  return () => {
    const before = Object.getOwnPropertyDescriptor(prototype, name)!;
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
    return () => {
      Object.defineProperty(prototype, name, before);
    };
  };
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'take stores the head plainly',
    foundBy: ['ring: owner and two thieves', 'ring: owner and three thieves'],
    apply: replace(LocalQueue.prototype, 'take', function (head, count) {
      this.cells.store(this.head, head + count);
      return true;
    }),
  },
  {
    name: 'a thief forgets the wrap',
    foundBy: ['ring: owner and a thief', 'ring: owner and three thieves'],
    apply: replace(LocalQueue.prototype, 'copyFrom', function (victim, head, count, tail) {
      for (let i = 1; i < count; i++) {
        const task = this.cells.load(victim.slots + (head & victim.mask) + i);
        this.cells.write(this.slots + ((tail + i - 1) & this.mask), task);
      }
      return this.cells.load(victim.slots + (head & victim.mask));
    }),
  },
  {
    name: 'push publishes before it writes',
    foundBy: ['ring: owner and two thieves', 'ring: owner and three thieves'],
    apply: replace(LocalQueue.prototype, 'push', function (task) {
      const tail = this.cells.read(this.tail);
      if (((tail - this.cells.load(this.head)) | 0) >= this.capacity) return false;
      this.cells.store(this.tail, (tail + 1) | 0);
      this.cells.write(this.slots + (tail & this.mask), task);
      return true;
    }),
  },
  {
    name: 'the injector takes a task out without an exchange',
    foundBy: ['injector: full, two consumers', 'injector: three producers, three consumers, one dies'],
    apply: replace(Injector.prototype, 'pop', function () {
      const head = this.cells.load(this.head);
      if (head === this.cells.load(this.tail)) return 0;
      const slot = this.slots + (head & this.mask);
      const task = this.cells.load(slot);
      this.cells.store(slot, this.emptyAt((head + this.capacity) | 0));
      this.cells.compareExchange(this.head, head, (head + 1) | 0);
      return Math.max(0, task);
    }),
  },
  {
    name: 'who takes several tasks out of the injector does so without an exchange',
    foundBy: [
      'injector: one takes two at once, one takes one',
      'injector: two producers, two consumers, two that take some',
    ],
    apply: replace(Injector.prototype, 'popSome', function (most, keep) {
      const head = this.cells.load(this.head);
      const count = Math.min(most, (this.cells.load(this.tail) - head) | 0);
      const found: number[] = [];
      for (let i = 0; i < count; i++) {
        const position = (head + i) | 0;
        const slot = this.slots + (position & this.mask);
        const task = this.cells.load(slot);
        const next = this.emptyAt((position + this.capacity) | 0);
        if (task <= 0) break;
        this.cells.store(slot, next);
        found.push(task);
      }
      this.cells.compareExchange(this.head, head, (head + found.length) | 0);
      for (const task of found.slice(1)) keep(task);
      return found[0] ?? 0;
    }),
  },
  {
    name: 'nobody moves the tail of a dead producer on',
    foundBy: [
      'injector: two producers, one dies, or the consumer',
      'injector: three producers, three consumers, one dies',
    ],
    apply: replace(Injector.prototype, 'isFullAt', function () {
      return true;
    }),
  },
  {
    name: 'who is about to sleep does not look once more',
    foundBy: ['park against inject', 'a worker and who injects'],
    apply: replace(Parts.prototype, 'hasWork', function () {
      return false;
    }),
  },
  {
    name: 'a worker says that it sleeps after it has looked',
    foundBy: ['park against inject', 'a worker and who injects'],
    apply: replace(Idle.prototype, 'park', function (worker, isSearching) {
      // As if the words were looked at, and the bit set then: the look comes too early.
      if (isSearching) this.stopSearching(worker);
      this.cells.add(this.wordOf(worker), 1 << (worker % 16));
      return false;
    }),
  },
  {
    name: 'abandon forgets that the dead searched',
    foundBy: ['two workers: one dies, whatever it does, then work comes', 'two workers, one dies'],
    apply: replace(Idle.prototype, 'forget', function (worker) {
      const word = this.wordOf(worker);
      const before = this.cells.load(word);
      this.cells.compareExchange(word, before, before & ~(1 << (worker % 16)));
    }),
  },
  {
    name: 'nobody wakes whom the dead had chosen',
    foundBy: ['two workers: one that is stolen from dies', 'two workers, one dies'],
    apply: replace(Idle.prototype, 'isChosen', function () {
      return false;
    }),
  },
  {
    name: 'a worker that has looked for a moment sleeps without another look',
    foundBy: ['park against inject', 'a worker and who injects'],
    apply: replace(WorkerQueue.prototype, 'park', function () {
      return true;
    }),
  },
];

export function mutantNamed(name: string): Mutant | undefined {
  return MUTANTS.find((mutant) => mutant.name === name);
}
