import type { Transferable } from 'node:worker_threads';
import { invalidArgType } from '../binding/errors.js';
import { checkNames } from '../binding/validate.js';
import { abortedBefore, checkCancelTypes, watchCancel, type CancelOptions } from '../reactor/cancellation.js';
import type { Reactor } from '../reactor/reactor.js';
import type { BlockingCalls } from './blocking-calls.js';
import type { TaskHandle } from './handle.js';
import type { Sender } from './sender.js';
import type { AnyTasks, TaskArguments, TaskName, TaskResult } from './task-types.js';

/** Options of `spawn`. */
export interface SpawnOptions extends CancelOptions {
  /**
   * What of the arguments is moved, not copied: ports, array buffers. The task then goes to one
   * worker by a port, and no other can steal it.
   */
  transfer?: readonly Transferable[] | undefined;
}

const SPAWN_NAMES: Readonly<Record<keyof SpawnOptions, true>> = {
  ...{ signal: true, timeoutMs: true, transfer: true },
};
const NO_OPTIONS: SpawnOptions = {};

/** Spawns tasks on the workers of a runtime: from the thread that made it, or from a task. */
export class TaskSpawner<Tasks = AnyTasks> {
  /** @internal */
  readonly sender: Sender;
  /** @internal For timers. */
  readonly reactor: Reactor;
  readonly #blocking: BlockingCalls;

  /** @internal */
  constructor(sender: Sender, reactor: Reactor, blocking: BlockingCalls) {
    this.sender = sender;
    this.reactor = reactor;
    this.#blocking = blocking;
  }

  /**
   * Runs a function of the entry on some worker, with copies of the arguments. While the table is
   * full it waits for a place, with up to `maxWaiting` others; its arguments are copied when it has
   * one, so they must not be changed before.
   *
   * @param args plain values of up to 496 bytes go through shared memory; all that can be cloned
   * otherwise goes by a port, to a worker that is chosen now
   * @returns a promise of what the function returns, or of what its promise is fulfilled with
   * @throws TypeError, RangeError for wrong arguments. The handle is rejected with
   * ERR_TRIPOLL_NO_SUCH_TASK, ERR_TRIPOLL_NOT_CLONEABLE, ERR_TRIPOLL_BUSY (more than `maxWaiting`),
   * ERR_TRIPOLL_WORKER_DIED, ERR_TRIPOLL_ENTRY, ERR_TRIPOLL_CLOSED, ABORT_ERR, ERR_TRIPOLL_TIMEOUT;
   * and with what the function threw
   */
  spawn<Name extends TaskName<Tasks>>(
    name: Name,
    args: TaskArguments<Tasks, Name>,
    options: SpawnOptions = NO_OPTIONS,
  ): TaskHandle<TaskResult<Tasks, Name>> {
    checkTask(name, args);
    if (options === NO_OPTIONS) return this.sender.spawn(name, args) as never;
    return this.#with(options, (transfer) => this.sender.spawn(name, args, transfer)) as never;
  }

  #with(options: SpawnOptions, run: (transfer?: readonly unknown[]) => TaskHandle): TaskHandle {
    checkNames('options', options, SPAWN_NAMES);
    checkCancelTypes(options);
    const { transfer, signal, timeoutMs } = options;
    if (transfer !== undefined && !Array.isArray(transfer))
      throw invalidArgType('transfer', 'an array', transfer);
    const aborted = abortedBefore(options);
    if (aborted !== null) return this.sender.refuse(aborted);
    const handle = run(transfer);
    if ((signal !== undefined || timeoutMs !== undefined) && !handle.settled) {
      handle.stopWatch = watchCancel(options, this.reactor, (error) => handle.cancel(error));
    }
    return handle;
  }

  /**
   * The same, where there is a place at once.
   *
   * @returns false when there is none
   * @throws as `spawn`
   */
  trySpawn<Name extends TaskName<Tasks>>(
    name: Name,
    args: TaskArguments<Tasks, Name>,
    options: SpawnOptions = NO_OPTIONS,
  ): TaskHandle<TaskResult<Tasks, Name>> | false {
    checkTask(name, args);
    return this.sender.hasRoom && this.spawn(name, args, options);
  }

  /**
   * Spawns the same function once for each list of arguments.
   *
   * @returns the handles, in that order
   * @throws as `spawn`
   */
  spawnMany<Name extends TaskName<Tasks>>(
    name: Name,
    argsOfEach: readonly TaskArguments<Tasks, Name>[],
    options: Omit<SpawnOptions, 'transfer'> = NO_OPTIONS,
  ): TaskHandle<TaskResult<Tasks, Name>>[] {
    if (!Array.isArray(argsOfEach)) throw invalidArgType('argsOfEach', 'an array', argsOfEach);
    // All are looked at before the first is spawned.
    for (const args of argsOfEach) checkTask(name, args);
    const each = argsOfEach as readonly TaskArguments<Tasks, Name>[];
    return each.map((args) => this.spawn(name, args, options));
  }

  /**
   * Runs a function of the entry on a thread that it may block: one of a pool apart, where each
   * does one thing at a time. Arguments and result go by a port; those of a task go through the
   * thread that made the runtime. All threads begin their calls in their order.
   *
   * Nothing but its end stops a thread that is blocked. So when the handle is aborted, by `abort()`,
   * a signal or a timeout, the thread that runs the function is terminated, between any two of its
   * instructions, and another is begun when there is more to do. One that is in a call of the system
   * (`execSync`) ends when that returns, and keeps its place until then. Within the function there
   * is no `currentTask()`, and no `currentRuntime()`.
   *
   * @returns a promise as that of `spawn`
   * @throws as `spawn`. The handle is rejected as that of `spawn`; with ERR_TRIPOLL_BUSY when more
   * than `maxWaiting` calls of all threads wait
   */
  blocking<Name extends TaskName<Tasks>>(
    name: Name,
    args: TaskArguments<Tasks, Name>,
    options: SpawnOptions = NO_OPTIONS,
  ): TaskHandle<TaskResult<Tasks, Name>> {
    checkTask(name, args);
    if (options === NO_OPTIONS) return this.#blocking.run(name, args) as never;
    return this.#with(options, (transfer) => this.#blocking.run(name, args, transfer)) as never;
  }
}

/** @throws TypeError */
function checkTask(name: unknown, args: unknown): void {
  if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
  if (!Array.isArray(args)) throw invalidArgType('args', 'an array', args);
}
