import { Child } from './child.js';
import { requireEntry } from './paths.js';
import type { Progress } from './progress.js';

const timeoutMs = 10_000;

/** Milliseconds to require `tripoll` and `tripoll/net`, each time in a new process. */
export async function measureRequire(
  processes: number,
  progress: Progress,
  isBefore = false,
): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < processes; i++) {
    progress.show(`require: process ${i + 1} of ${processes}`);
    const child = new Child('require', process.execPath, [requireEntry(isBefore)]);
    times.push(Number(await child.nextLine(timeoutMs)));
    await child.finish(timeoutMs);
  }
  return times;
}
