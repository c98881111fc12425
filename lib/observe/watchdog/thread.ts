import { renameSync, writeFileSync, writeSync } from 'node:fs';
import { isMainThread, parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { toChromeTrace } from '../recorder/chrome-trace.js';
import {
  Beat,
  DUMP,
  type FoundMessage,
  type OriginMessage,
  type ThreadPlan,
  type ToThread,
} from './heartbeat.js';
import { Sampler, type Finding } from './sampler.js';
import { sampleStack, type SampledStack } from './stack-sampler.js';

const STDERR_FD = 2;
/** So long the watched thread has to tell of it itself, before this one writes. */
const GRACE_MS = 1000;
/** Looks for each limit: what is found is late by that share of it. */
const LOOKS_PER_LIMIT = 4;
const MAX_INTERVAL_MS = 1000;

/** The watchdog's own thread: it looks at the heartbeat, and needs nothing of the watched thread. */
class WatchingThread {
  readonly #plan: ThreadPlan['tripollWatchdog'];
  readonly #port: MessagePort;
  readonly #words: Int32Array;
  readonly #sampler: Sampler;
  readonly #origins = new Map<number, OriginMessage>();
  #memories: readonly SharedArrayBuffer[];
  #isBusy = false;

  constructor(plan: ThreadPlan['tripollWatchdog'], port: MessagePort) {
    this.#plan = plan;
    this.#port = port;
    this.#words = new Int32Array(plan.beat);
    this.#memories = plan.dump?.memories ?? [];
    const limits = [plan.slowHandlerMs, plan.stalledMs].filter((limitMs) => limitMs > 0);
    const intervalMs = Math.min(MAX_INTERVAL_MS, Math.max(1, Math.min(...limits) / LOOKS_PER_LIMIT));
    this.#sampler = new Sampler(this.#words, plan.slowHandlerMs, plan.stalledMs, intervalMs);
    port.on('message', (message: ToThread) => this.#onMessage(message));
    setInterval(() => this.#look(), intervalMs);
  }

  #onMessage(message: ToThread): void {
    if (message === DUMP) this.#dump();
    else if ('memories' in message) this.#memories = message.memories;
    else this.#origins.set(message.origin, message);
  }

  /** Here, since to write it takes longer than a handler may. */
  #dump(): void {
    if (this.#plan.dump === null) return;
    const { file } = this.#plan.dump;
    try {
      const partial = `${file}.partial`;
      writeFileSync(partial, JSON.stringify(toChromeTrace(this.#memories, process.pid)));
      renameSync(partial, file);
    } catch (error) {
      writeText(
        `tripoll watchdog, process ${process.pid}: no trace in ${file}: ${(error as Error).message}\n`,
      );
    }
  }

  #look(): void {
    if (this.#isBusy) return;
    const finding = this.#sampler.look(performance.now());
    if (finding === null) return;
    this.#isBusy = true;
    void this.#follow(finding).finally(() => (this.#isBusy = false));
  }

  /** Takes the stack, waits whether the thread goes on and can tell of it itself; else writes of it. */
  async #follow(finding: Finding): Promise<void> {
    const { kind, work, seenMs } = finding;
    if (kind === 'slow') this.#words[Beat.FOUND] = work;
    const foundMs = performance.now();
    // Of what is running now: by the time that it is written another may be.
    const subject = this.#subject(kind);
    const sampled = await sampleStack(this.#plan.watched, () => this.#sampler.goesOn(finding));
    this.#port.postMessage({ kind, work, seenMs, ...sampled } satisfies FoundMessage);
    this.#words[Beat.TOLD]!++;
    for (;;) {
      if (!this.#sampler.goesOn(finding)) return;
      if (performance.now() - foundMs >= GRACE_MS) break;
      await new Promise((resolve) => {
        setTimeout(resolve, GRACE_MS / LOOKS_PER_LIMIT);
      });
    }
    write(subject, seenMs + performance.now() - foundMs, sampled);
    this.#dump();
  }

  /** What can be said of what the thread is in: a sentence's beginning, and lines. */
  #subject(kind: FoundMessage['kind']): Subject {
    if (kind === 'stalled') return { what: 'the reactor has not come round', where: '' };
    const fd = this.#words[Beat.FD]!;
    if (fd < 0) return { what: 'a timer has been running', where: '' };
    const { name, where } = this.#origins.get(this.#words[Beat.ORIGIN]!) ?? { name: 'a handler', where: '' };
    return { what: `${name} (fd ${fd}) has been running`, where };
  }
}

interface Subject {
  readonly what: string;
  readonly where: string;
}

function write({ what, where }: Subject, lastedMs: number, { stack, whyNoStack }: SampledStack): void {
  const head = `tripoll watchdog, process ${process.pid}: ${what} for ${Math.round(lastedMs)} ms, and goes on`;
  const stackLines = stack === null ? `no stack: ${whyNoStack}` : `it is in\n${stack}`;
  writeText(`${head}\n${stackLines}\n${where}`);
}

/** Not by `process.stderr`, which goes by way of the main thread. */
function writeText(text: string): void {
  try {
    writeSync(STDERR_FD, text);
  } catch {
    // Closed, or full: nobody is left to tell.
  }
}

const data = workerData as Partial<ThreadPlan> | null | undefined;
if (!isMainThread && parentPort !== null && data?.tripollWatchdog !== undefined)
  new WatchingThread(data.tripollWatchdog, parentPort);
