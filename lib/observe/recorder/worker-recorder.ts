// What a worker's thread of a runtime loads when it is recorded (RuntimeObserver.module).
import { threadId } from 'node:worker_threads';
import type { ObservedWorker } from '../../runtime/probe.js';
import { addListener } from '../probes.js';
import { Recording } from './recording.js';
import { RingWriter } from './ring.js';

/** What is posted to it. */
export interface WorkerPlan {
  readonly memory: SharedArrayBuffer;
  /** How many workers the runtime has. */
  readonly workers: number;
}

/** Records the reactor and the tasks of this thread; returns what ends it. */
export function observeWorker(worker: ObservedWorker, { memory, workers }: WorkerPlan): () => void {
  const recording = new Recording(new RingWriter(memory, threadId, performance.timeOrigin), workers);
  const detach = addListener(worker.reactor, recording);
  worker.setProbe(recording);
  return () => {
    detach();
    worker.setProbe(null);
  };
}
