// Tasks of 1 ms of CPU on two workers, nine of ten spawned on one of them. A line of standard input
// says how many (`go 400`); answers with the time that all took to the ideal, in thousandths (`done
// 1020`). Ideal is half of the sum of what the tasks took, each measured by itself, so that other
// load on the machine counts on both sides.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isMainThread } from 'node:worker_threads';
import { currentRuntime, Runtime } from 'tripoll/runtime';
import { checkResult, loadPeersAddon } from '../peers-addon.js';

const taskMs = 1;
const workers = 2;
const skew = 0.9;

interface Tasks {
  burn: typeof burn;
  burnMany: typeof burnMany;
}

/** Some ten µs of work. */
const stepsBetweenLooks = 10_000;
let product = 1;

/**
 * How long it took, in ms. It looks at the clock seldom, since each look makes garbage: a task that
 * did nothing else filled 250 KB a ms, and what was measured then was collecting it.
 */
export function burn(forMs: number): number {
  const startMs = performance.now();
  while (performance.now() - startMs < forMs)
    for (let i = 0; i < stepsBetweenLooks; i++) product = (Math.imul(product, 31) + i) | 0;
  return performance.now() - startMs;
}

/** Spawns so many on this task's worker; how long they took, in sum. */
export async function burnMany(count: number, forMs: number): Promise<number> {
  const each = Array.from({ length: count }, (): [number] => [forMs]);
  return sum(await Promise.all(currentRuntime<Tasks>().spawnMany('burn', each)));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

async function measure(runtime: Runtime<Tasks>, count: number): Promise<number> {
  const onOne = Math.round(skew * count);
  const startMs = performance.now();
  const tookMs = sum(
    await Promise.all([
      runtime.spawn('burnMany', [onOne, taskMs]),
      ...runtime.spawnMany(
        'burn',
        Array.from({ length: count - onOne }, () => [taskMs]),
      ),
    ]),
  );
  return (performance.now() - startMs) / (tookMs / workers);
}

function main(): void {
  checkResult(loadPeersAddon().dieWithParent(), 'prctl');
  const runtime = new Runtime<Tasks>({ entry: __filename, workers });
  writeSync(1, 'ready 1\n');
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    void measure(runtime, Number(line.split(' ')[1])).then((ratio) => {
      writeSync(1, `done ${Math.round(1000 * ratio)}\n`);
    });
  });
  lines.on('close', () => process.exit(0));
}

if (isMainThread) main();
