import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

/** From dist/bundle/: what a thread loads. */
const ENTRY_OF_THREADS = join(__dirname, '..', 'runtime', 'index.js');

export function newThread(tripollRuntime: object): Worker {
  return new Worker(ENTRY_OF_THREADS, { workerData: { tripollRuntime } });
}
