// Terminates workers of a runtime at random moments, under tasks of all kinds. Arguments: a plan as
// JSON. Prints what it saw.
import { Runtime } from '#lib/runtime/index';
import { openedSince, openFds } from '../support/fds.js';
import { Random } from '../support/random.js';
import { threadIds } from '../support/threads.js';
import { terminateAtRandom } from './random-deaths.js';
import { tasksFile, type Tasks } from './rig.js';

export interface DeathsPlan {
  readonly deaths: number;
  readonly seed: number;
  readonly driver: 'default' | 'run';
}

export interface DeathsReport {
  readonly deaths: number;
  readonly restarts: number;
  /** Of tasks, by their end: 'value', or the code of an error. */
  readonly ends: Record<string, number>;
  /** Values that were not what they should be. */
  readonly wrong: readonly string[];
  /** Whether all tasks after the last death have ended well. */
  readonly worksOn: boolean;
  readonly leftOpen: readonly string[];
  readonly leftThreads: number;
}

const WORKERS = 3;
/** Few, so that a slot that is lost is missed. */
const CAPACITY = 16;
const LANES = 40;

const plan = JSON.parse(process.argv[2] ?? '') as DeathsPlan;
const random = new Random(plan.seed);
const ends: Record<string, number> = {};
const wrong: string[] = [];
let going = true;

type Spawn = (runtime: Runtime<Tasks>, n: number) => Promise<boolean>;
const kinds: readonly Spawn[] = [
  async (runtime, n) => (await runtime.spawn('add', [n, 1])) === n + 1,
  async (runtime, n) => ((await runtime.spawn('echo', [{ n, text: 'a' }])) as { n: number }).n === n,
  async (runtime) => (await runtime.spawn('repeat', ['x', 2000])).length === 2000,
  async (runtime, n) => (await runtime.spawn('lengthOf', [new Uint8Array(n % 5000)])) === n % 5000,
  async (runtime) => (await runtime.spawn('later', [1])) === 1,
  async (runtime) => (await runtime.spawn('fibonacci', [6])) === 8,
  async (runtime) => (await runtime.spawn('relay', [1000])) === 8000,
];

async function lane(runtime: Runtime<Tasks>, first: number): Promise<void> {
  for (let n = first; going; n++) {
    let end = 'value';
    try {
      if (!(await kinds[n % kinds.length]!(runtime, n))) wrong.push(`task ${n} of kind ${n % kinds.length}`);
    } catch (error) {
      end = (error as { code?: string }).code ?? String(error);
    }
    ends[end] = (ends[end] ?? 0) + 1;
  }
}

async function run(deaths: number): Promise<{ restarts: number; worksOn: boolean }> {
  going = true;
  const runtime = new Runtime<Tasks>({
    ...{ workers: WORKERS, entry: tasksFile, capacity: CAPACITY, driver: plan.driver },
    maxRestarts: 1e9,
  });
  const lanes = Array.from({ length: LANES }, (_, i) => lane(runtime, i));
  await terminateAtRandom(runtime, deaths, random);
  going = false;
  await Promise.all(lanes);
  const last = await Promise.allSettled([
    ...runtime.spawnMany(
      'add',
      Array.from({ length: 4 * CAPACITY }, () => [1, 1] as const),
    ),
    runtime.spawn('fibonacci', [12]),
  ]);
  const { workers } = runtime.inspect();
  await runtime.close();
  return {
    restarts: workers.reduce((sum, { restarts }) => sum + restarts, 0),
    worksOn: last.every(({ status }) => status === 'fulfilled'),
  };
}

async function main(): Promise<void> {
  // What the process opens for its first threads stays.
  await run(2);
  const [fds, before] = [openFds(), threadIds().length];
  const { restarts, worksOn } = await run(plan.deaths);
  const report: DeathsReport = {
    ...{ deaths: plan.deaths, restarts, ends, wrong, worksOn },
    leftOpen: openedSince(fds),
    leftThreads: threadIds().length - before,
  };
  console.log(JSON.stringify(report));
}

void main();
