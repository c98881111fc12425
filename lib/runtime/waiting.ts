import type { TaskHandle } from './handle.js';

/** A task that has no slot. */
export interface WaitingTask {
  readonly handle: TaskHandle;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly transfer: readonly unknown[];
}

/** What has gone is cut off when it is as much as what is left, and so much. */
const CUT_AFTER = 1024;

/** Tasks without a slot, in their order. Those that are given up count no more, and are forgotten. */
export class WaitingTasks {
  #tasks: WaitingTask[] = [];
  #first = 0;
  /** Of those from `#first` on: given up. */
  #givenUp = 0;

  get length(): number {
    return this.#tasks.length - this.#first - this.#givenUp;
  }

  push(task: WaitingTask): void {
    this.#tasks.push(task);
  }

  /** The one that has waited longest. */
  shift(): WaitingTask | undefined {
    let task: WaitingTask | undefined;
    while (task === undefined && this.#first < this.#tasks.length) {
      task = this.#tasks[this.#first++]!;
      if (!task.handle.settled) continue;
      task = undefined;
      this.#givenUp--;
    }
    this.#cut();
    return task;
  }

  /** The handle of one of them has been rejected. */
  giveUp(): void {
    this.#givenUp++;
    this.#cut();
  }

  /** All that are left. */
  clear(): WaitingTask[] {
    const tasks = this.#tasks.slice(this.#first).filter(({ handle }) => !handle.settled);
    this.#tasks = [];
    this.#first = 0;
    this.#givenUp = 0;
    return tasks;
  }

  #cut(): void {
    const { length } = this;
    const gone = this.#first + this.#givenUp;
    if (gone === 0 || (length > 0 && gone < Math.max(CUT_AFTER, length))) return;
    this.#tasks = this.clear();
  }
}
