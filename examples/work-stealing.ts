// Uneven work that all lies in one worker's queue, and others take from it: a live view of who does
// what. In a terminal a table that is drawn again, else a line each half second.
//   node out/examples/work-stealing.js [workers] [tasks]
import { isMainThread } from 'node:worker_threads';
import { sleep } from 'tripoll';
import { currentRuntime, currentTask, Runtime, type RuntimeMetrics } from 'tripoll/runtime';

const SMALLEST = 20_000;
const LARGEST = 400_000;
const BAR_CHARS = 20;
const TABLE_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 500;

// ---- the tasks: this module is the entry of the workers too ----

interface Counted {
  readonly primes: number;
  readonly worker: number;
}

/** Holds its worker's CPU for some milliseconds. */
export function countPrimes(below: number): Counted {
  const { worker } = currentTask();
  const composite = new Uint8Array(below);
  let primes = 0;
  for (let n = 2; n < below; n++) {
    if (composite[n] === 1) continue;
    primes++;
    for (let multiple = n * n; multiple < below; multiple += n) composite[multiple] = 1;
  }
  return { primes, worker };
}

interface Shares {
  readonly primes: number;
  /** Tasks of each worker. */
  readonly tasksOf: number[];
  /** The worker in whose queue all of them were. */
  readonly origin: number;
}

/** Puts all of the work into the queue of the worker that it runs on itself. */
export async function shareOut(tasks: number, workers: number): Promise<Shares> {
  const { worker: origin } = currentTask();
  const sizes = Array.from({ length: tasks }, (_, i) => SMALLEST + ((i * 7919) ** 2 % (LARGEST - SMALLEST)));
  const all = await Promise.all(
    currentRuntime<Tasks>().spawnMany(
      'countPrimes',
      sizes.map((size) => [size] as const),
    ),
  );
  const tasksOf = new Array<number>(workers).fill(0);
  for (const { worker } of all) tasksOf[worker]!++;
  return { primes: all.reduce((sum, { primes }) => sum + primes, 0), tasksOf, origin };
}

interface Tasks {
  countPrimes: typeof countPrimes;
  shareOut: typeof shareOut;
}

// ---- the view ----

const bar = (share: number): string => '#'.repeat(Math.round(share * BAR_CHARS)).padEnd(BAR_CHARS);

function toRows({ workers }: RuntimeMetrics): string[] {
  const rows = workers.map(
    ({ worker, tasks, queued, steals, stolenTasks, busyShare }) =>
      `${String(worker).padStart(6)} ${String(tasks).padStart(6)} ${String(queued).padStart(7)} ` +
      `${String(steals).padStart(7)} ${String(stolenTasks).padStart(7)}  |${bar(busyShare)}|`,
  );
  return ['worker  tasks  queued  steals  stolen  busy', ...rows];
}

/** Calls `draw` again and again until the returned function is called, and once more then. */
function showLive(runtime: Runtime<Tasks>): () => void {
  const { stdout } = process;
  let drawnRows = 0;
  const drawTable = (): void => {
    const rows = toRows(runtime.metrics());
    const up = drawnRows > 0 ? `\x1b[${drawnRows}A` : '';
    stdout.write(up + rows.map((row) => `${row}\x1b[K\n`).join(''));
    drawnRows = rows.length;
  };
  const printLine = (): void => {
    const parts = runtime.metrics().workers.map(({ worker, tasks, queued, stolenTasks }) => {
      return `worker ${worker}: ${tasks} tasks, ${queued} queued, ${stolenTasks} stolen`;
    });
    console.log(parts.join('; '));
  };
  const [draw, intervalMs] = stdout.isTTY ? [drawTable, TABLE_INTERVAL_MS] : [printLine, LINE_INTERVAL_MS];
  draw();
  const timer = setInterval(draw, intervalMs);
  return () => {
    clearInterval(timer);
    draw();
  };
}

async function main(workers: number, tasks: number): Promise<void> {
  await using runtime = new Runtime<Tasks>({ entry: __filename, workers });
  // So that all may take part from the first task on. A program would not wait for that.
  await runtime.ready();
  while (!runtime.metrics().workers.every(({ ready }) => ready)) await sleep(1);
  const stop = showLive(runtime);
  const begunMs = performance.now();
  const { primes, tasksOf, origin } = await runtime.spawn('shareOut', [tasks, workers]);
  const tookMs = performance.now() - begunMs;
  stop();
  console.log(`${primes} primes by ${tasks} tasks in ${tookMs.toFixed(0)} ms`);
  tasksOf.forEach((count, worker) => {
    console.log(`worker ${worker} did ${count}${worker === origin ? ', out of its own queue' : ''}`);
  });
}

const toCount = (text: string, most: number): number => {
  const count = Number(text);
  return Number.isInteger(count) && count >= 1 && count <= most ? count : NaN;
};

if (isMainThread) {
  const [workers = '2', tasks = '400', ...rest] = process.argv.slice(2);
  const counts = [toCount(workers, 256), toCount(tasks, 10_000)] as const;
  if (counts.some(Number.isNaN) || rest.length > 0) {
    console.error('usage: node out/examples/work-stealing.js [workers] [tasks]');
    process.exit(2);
  }
  void main(...counts);
}
