import { Child } from './child.js';
import { requireEntry } from './paths.js';
import type { Progress } from './progress.js';

const timeoutMs = 10_000;

export interface RequireTimes {
  /** Milliseconds to require `tripoll` and `tripoll/net`, each time in a new process. */
  readonly requireMs: number[];
  /** The same, and until a server with handlers listens. */
  readonly listenMs: number[];
}

export async function measureRequire(
  processes: number,
  progress: Progress,
  isBefore = false,
): Promise<RequireTimes> {
  const requireMs: number[] = [];
  const listenMs: number[] = [];
  for (let i = 0; i < processes; i++) {
    progress.show(`require: process ${i + 1} of ${processes}`);
    const child = new Child('require', process.execPath, [requireEntry(isBefore)]);
    requireMs.push(Number(await child.nextLine(timeoutMs)));
    listenMs.push(Number(await child.nextLine(timeoutMs)));
    await child.finish(timeoutMs);
  }
  return { requireMs, listenMs };
}
