// Starts and ends workers with reactors in them, and counts the fds of the process before and
// after. Arguments: a plan as JSON. Prints the exit codes and what stayed open.
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { openedSince, openFds } from '../support/fds.js';
import type { WorkerPlan } from './reactor-worker.js';

export interface WorkersPlan extends WorkerPlan {
  readonly rounds: number;
  /** So many workers at a time. */
  readonly workers: number;
  /** Whether the main thread loads the addon as well, and has a reactor of its own. */
  readonly mainLoads: boolean;
  /** exit: the main thread calls process.exit() as soon as all are ready. */
  readonly end: 'natural' | 'terminate' | 'exit';
}

export interface WorkersReport {
  readonly codes: readonly number[];
  readonly leftOpen: readonly string[];
}

const plan = JSON.parse(process.argv[2] ?? '') as WorkersPlan;

function start(): { ready: Promise<void>; exited: Promise<number>; worker: Worker } {
  const worker = new Worker(path.join(__dirname, 'reactor-worker.js'), { workerData: plan });
  const exited = new Promise<number>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', resolve);
  });
  const ready = new Promise<void>((resolve) => {
    worker.once('message', () => resolve());
  });
  return { ready, exited, worker };
}

async function round(): Promise<number[]> {
  const started = Array.from({ length: plan.workers }, start);
  await Promise.all(started.map(({ ready, exited }) => Promise.race([ready, exited])));
  if (plan.end === 'exit') process.exit(0);
  if (plan.end === 'terminate') await Promise.all(started.map(({ worker }) => worker.terminate()));
  return Promise.all(started.map(({ exited }) => exited));
}

async function main(): Promise<void> {
  if (plan.mainLoads) {
    const { Reactor } = await import('tripoll');
    const reactor = new Reactor({ driver: plan.driver, backend: plan.backend });
    reactor.setTimer(60_000, () => {}).unref();
  }
  // What Node opens with its first worker stays.
  await round();
  const before = openFds();
  const codes: number[] = [];
  for (let i = 0; i < plan.rounds; i++) codes.push(...(await round()));
  const report: WorkersReport = { codes, leftOpen: openedSince(before) };
  console.log(JSON.stringify(report));
}

void main();
