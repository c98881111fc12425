// Wakes the poller of the main thread each time that it is told a new round, once that thread sleeps.
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { native } from '#lib/binding/native';
import { isWindows } from '../support/platform.js';

const { wakeId, turn, pid } = workerData as { wakeId: number; turn: Int32Array; pid: number };

/** A thread that waits in the kernel is in state S; its own name may hold spaces, so look behind it. */
function mainSleeps(): boolean {
  // Windows tells nobody what its threads do: there the deadline below is what makes it likely.
  if (isWindows) return false;
  const stat = readFileSync(`/proc/self/task/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('S');
}

parentPort?.postMessage('ready');
let wakes = 0;
let failed = 0;
for (let seen = 0; ;) {
  Atomics.wait(turn, 0, seen);
  const round = Atomics.load(turn, 0);
  if (round < 0) break;
  if (round === seen) continue;
  seen = round;
  // A wake that comes before the wait must end it too: what the deadline gives up is only the case "during".
  const end = performance.now() + (isWindows ? 5 : 1000);
  while (!mainSleeps() && performance.now() < end);
  if (native.wakeById(wakeId) !== 0) failed++;
  wakes++;
}
parentPort?.postMessage({ wakes, failed });
