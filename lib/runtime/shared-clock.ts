import { capabilities } from '../binding/capabilities.js';
import { nowMs } from '../binding/host-clock.js';

const NS_PER_MS = 1e6;
const MS_PER_S = 1000;

/** One of so many readings is not interrupted. */
const READINGS = 5;

function processMs(): number {
  const [seconds, ns] = process.hrtime();
  return seconds * MS_PER_S + ns / NS_PER_MS;
}

/** What the process's clock is ahead of this thread's, by the reading that took the least time. */
function aheadMs(): number {
  let [leastMs, ahead] = [Infinity, 0];
  for (let i = 0; i < READINGS; i++) {
    const startMs = nowMs();
    const ofProcess = processMs();
    const tookMs = nowMs() - startMs;
    if (tookMs < leastMs) [leastMs, ahead] = [tookMs, ofProcess - startMs];
  }
  return ahead;
}

/**
 * From this thread's clock to the one that all threads agree on. Node has one for all, which does
 * not heed the wall's. Bun and Deno count from when each thread began: there it is off by as much as
 * the wall's clock was set between the beginnings of two threads.
 */
const offsetMs = capabilities.runtime === 'node' ? aheadMs() : performance.timeOrigin;

/** A time of this thread's clock as a number that means the same in another thread. */
export const toSharedMs = (ms: number): number => ms + offsetMs;

/** The time that all threads agree on, with fractions. */
export const sharedNowMs = (): number => toSharedMs(nowMs());
