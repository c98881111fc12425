import { join } from 'node:path';
import { threadId, Worker } from 'node:worker_threads';
import { Beat, BEAT_WORDS, DUMP, type FoundMessage, type ThreadPlan, type ToThread } from './heartbeat.js';
// What the thread runs; it does nothing here.
import './thread.js';

/** From dist/bundle/: what the thread loads, which is small. */
const ENTRY_OF_THREAD = join(__dirname, '..', 'observe', 'watchdog', 'thread.js');
/** The watchdog's thread, from the watched one's side. */
export class WatchingWorker {
  readonly words: Int32Array;
  readonly #worker: Worker;

  constructor(
    limits: Omit<ThreadPlan['tripollWatchdog'], 'beat' | 'watched'>,
    onFound: (message: FoundMessage) => void,
    onEnd: (error: Error | null) => void,
  ) {
    const beat = new SharedArrayBuffer(BEAT_WORDS * Int32Array.BYTES_PER_ELEMENT);
    this.words = new Int32Array(beat);
    this.words[Beat.FD] = -1;
    const workerData: ThreadPlan = { tripollWatchdog: { ...limits, beat, watched: threadId } };
    // Loaders and preloads of the program, by the command line or NODE_OPTIONS, are not for it.
    const bare = { execArgv: [], env: {}, name: 'tripoll-watchdog' };
    this.#worker = new Worker(ENTRY_OF_THREAD, { ...bare, workerData });
    this.#worker.on('message', onFound);
    // What it had found it tells no more. Without it the rest of the watchdog works on.
    this.#worker.on('error', (error) => onEnd(error));
    this.#worker.on('exit', () => onEnd(null));
    this.#worker.unref();
  }

  post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  /** Some time soon, what was recorded until then. */
  dump(): void {
    this.#worker.postMessage(DUMP);
  }

  close(): void {
    void this.#worker.terminate();
  }
}
