// Terminates workers at random moments, for deaths-child and serve-deaths-child.
import { setTimeout as wait } from 'node:timers/promises';
import type { Runtime } from '#lib/runtime/index';
import type { Random } from '../support/random.js';

const MAX_DELAY_MS = 15;
const LOADED_SHARE = 0.8;

export async function terminateAtRandom(
  runtime: Pick<Runtime, 'metrics' | 'terminateWorker'>,
  deaths: number,
  random: Random,
): Promise<void> {
  const { workers } = runtime.metrics();
  for (let i = 0; i < deaths; i++) {
    const worker = random.below(workers.length);
    // Sometimes one that has not yet loaded its entry, or does not listen yet.
    const isLoaded = random.next() < LOADED_SHARE;
    while (isLoaded && !runtime.metrics().workers[worker]!.ready) await wait(1);
    await wait(random.next() * MAX_DELAY_MS);
    void runtime.terminateWorker(worker);
  }
}
