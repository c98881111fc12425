// Wakes the poller of the main thread each time that it is told a new round, once that thread
// sleeps.
import { existsSync, readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { native } from '#lib/binding/native';

const { wakeId, turn, pid } = workerData as { wakeId: number; turn: Int32Array; pid: number };

const statFile = `/proc/self/task/${pid}/stat`;
const canLook = existsSync(statFile);
const MOMENT_MS = 5;

/**
 * A thread that waits in the kernel is in state S; its own name may hold spaces, so look behind it.
 */
function mainSleeps(sinceMs: number): boolean {
  // Where the system does not tell, it is given a moment to get there.
  if (!canLook) return performance.now() > sinceMs + MOMENT_MS;
  const stat = readFileSync(statFile, 'utf8');
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
  // A wake that comes before the wait must end it too: what the deadline gives up is only the case
  // "during".
  const start = performance.now();
  while (!mainSleeps(start) && performance.now() < start + 1000);
  if (native.wakeById(wakeId) !== 0) failed++;
  wakes++;
}
parentPort?.postMessage({ wakes, failed });
