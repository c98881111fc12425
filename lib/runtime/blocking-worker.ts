import type { MessagePort, Transferable } from 'node:worker_threads';
import { newContext } from '../reactor/context.js';
import { loadEntry } from './load-tasks.js';
import type { BlockingAnswer, BlockingPlan, BlockingTask } from './messages.js';
import { notCloneable } from './errors.js';
import { transferOf } from './moved.js';
import { describeThrown } from './remote-error.js';

/** A thread of the pool for what blocks, from its own side: one task after the other. */
export async function answerTasks({ entry }: BlockingPlan, port: MessagePort): Promise<void> {
  const { tasks } = await loadEntry(entry);
  const names = [...tasks.keys()];
  const answer = (message: BlockingAnswer, transfer: readonly Transferable[] = []) =>
    port.postMessage(message, transfer);
  // In a context of its own, as on a worker: what `AsyncLocalStorage` keeps is not left to the next.
  port.on('message', ({ name, args }: BlockingTask) =>
    newContext().runInAsyncScope(() => void run(name, args)),
  );
  answer({ kind: 'ready' });

  async function run(name: string, args: readonly unknown[]): Promise<void> {
    const task = tasks.get(name);
    if (task === undefined) {
      answer({ kind: 'unknown', names });
      return;
    }
    let value: unknown;
    let failed = false;
    try {
      value = await task(...args);
    } catch (error) {
      failed = true;
      value = describeThrown(error);
    }
    const transfer = failed ? [] : transferOf(value);
    try {
      answer({ kind: 'result', failed, value, transfer }, transfer);
    } catch (error) {
      const thrown = describeThrown(notCloneable('the result', name, error));
      answer({ kind: 'result', failed: true, value: thrown, transfer: [] });
    }
  }
}
