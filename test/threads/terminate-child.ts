// Terminates workers at random moments, a few at a time. Arguments: a plan as JSON. Prints what it
// saw.
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { driverKinds } from '../reactor/driver-rig.js';
import { openedSince, openFds } from '../support/fds.js';
import { Random } from '../support/random.js';
import type { TerminatedPlan } from './terminated-worker.js';

export interface TerminatePlan {
  readonly workers: number;
  readonly atATime: number;
  readonly seed: number;
  /** Whether the main thread has the addon, and a reactor under run(), too. */
  readonly mainRuns: boolean;
}

export interface TerminateReport {
  readonly codes: Record<number, number>;
  /** How many were terminated at which moment. */
  readonly moments: Record<string, number>;
  readonly errors: readonly string[];
  readonly leftOpen: readonly string[];
  /** Whether a wake of the main thread is still heard. */
  readonly wakerWorks: boolean;
}

const ways = driverKinds
  .filter(({ driver }) => driver !== 'manual')
  .map(({ driver, backend, run = false }) => ({ driver, backend, run }));
const MOMENTS = ['at once', 'online', 'soon', 'enough'] as const;
const SOON_MS = 60;

const plan = JSON.parse(process.argv[2] ?? '') as TerminatePlan;
const random = new Random(plan.seed);
const codes: Record<number, number> = {};
const moments: Record<string, number> = {};
const errors: string[] = [];
/** Of the main thread, and how often it was woken. */
let waker: { wake(): void; share(): TerminatedPlan['waker'] } | null = null;
let woken = 0;

async function terminateOne(): Promise<void> {
  // All that is random is drawn here, in one order, whatever the threads do.
  const [moment, delayMs] = [random.pick(MOMENTS), random.next() * SOON_MS];
  const workerData: TerminatedPlan = {
    ...random.pick(ways),
    ...{
      connections: 1 + random.below(4),
      bytes: 1 + random.below(100_000),
      messages: 1 + random.below(200),
    },
    waker: waker?.share() ?? null,
  };
  const worker = new Worker(path.join(__dirname, 'terminated-worker.js'), { workerData });
  worker.on('error', (error) => errors.push(error.stack ?? error.message));
  const exited = new Promise<number>((resolve) => {
    worker.once('exit', resolve);
  });
  const reached = new Promise<void>((resolve) => {
    if (moment === 'at once') resolve();
    else if (moment === 'online') worker.once('online', () => resolve());
    else if (moment === 'enough') worker.once('message', () => resolve());
    else worker.once('online', () => setTimeout(resolve, delayMs));
  });
  await Promise.race([reached, exited]);
  void worker.terminate();
  const code = await exited;
  codes[code] = (codes[code] ?? 0) + 1;
  moments[moment] = (moments[moment] ?? 0) + 1;
}

async function terminateMany(count: number): Promise<void> {
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await terminateOne();
  };
  await Promise.all(Array.from({ length: plan.atATime }, lane));
}

/** A thread that ends inside a wake must not leave the waker deaf. */
function isStillHeard(): Promise<boolean> {
  const before = woken;
  waker?.wake();
  return new Promise((resolve) => {
    const startMs = performance.now();
    const look = (): void => {
      if (woken > before || waker === null) resolve(true);
      else if (performance.now() > startMs + 5000) resolve(false);
      else setTimeout(look, 1);
    };
    look();
  });
}

async function main(): Promise<void> {
  if (plan.mainRuns) {
    const { Reactor } = await import('tripoll');
    const reactor = new Reactor();
    waker = reactor.waker(() => woken++);
    void reactor.run();
  }
  // What Node opens with its first workers stays.
  await terminateMany(plan.atATime);
  const before = openFds();
  await terminateMany(plan.workers - plan.atATime);
  // Bun's own: a thread that ends while it reads its program leaves that open.
  const program = ` -> ${realpathSync(process.execPath)}`;
  const leftOpen = openedSince(before).filter((each) => !each.endsWith(program));
  const report: TerminateReport = { codes, moments, errors, leftOpen, wakerWorks: await isStillHeard() };
  console.log(JSON.stringify(report));
}

void main();
