// Timers: setTimer and cancel against setTimeout and clearTimeout, with many live ones around; and
// a million that each fire once. In this process, CPU time by the process's own clock.
import { Reactor } from 'tripoll';

const liveTimers = 100_000;
const operations = 200_000;
const farMs = 3_600_000;
const spreadMs = 60_000;

export interface TimerSample {
  readonly setTimerNs: number;
  readonly setTimeoutNs: number;
}

function cpuNsPerOperation(operate: (i: number) => void): number {
  const before = process.cpuUsage();
  for (let i = 0; i < operations; i++) operate(i);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / operations;
}

function nothing(): void {
  // What is measured is the timer, not its callback.
}

/** One pair of each, in turn; delays spread over a minute, as idle timeouts are. */
export function measureTimers(rounds: number): TimerSample[] {
  const reactor = new Reactor({ driver: 'manual' });
  const live = Array.from({ length: liveTimers }, (_, i) =>
    reactor.setTimer(farMs + (i % spreadMs), nothing),
  );
  const theirs = Array.from({ length: liveTimers }, (_, i) => setTimeout(nothing, farMs + (i % spreadMs)));
  const samples: TimerSample[] = [];
  for (let round = 0; round <= rounds; round++) {
    const setTimerNs = cpuNsPerOperation((i) => reactor.setTimer(1000 + (i % spreadMs), nothing).cancel());
    const setTimeoutNs = cpuNsPerOperation((i) => clearTimeout(setTimeout(nothing, 1000 + (i % spreadMs))));
    // The first round warms up.
    if (round > 0) samples.push({ setTimerNs, setTimeoutNs });
  }
  for (const timer of live) timer.cancel();
  theirs.forEach(clearTimeout);
  reactor.close();
  return samples;
}

export interface FiringResult {
  readonly timers: number;
  readonly fired: number;
  readonly firedTwice: number;
  readonly early: number;
  readonly cpuNsPerTimer: number;
}

/** Sets `timers` over two seconds and turns until all have fired. */
export function measureFiring(timers: number): FiringResult {
  const reactor = new Reactor({ driver: 'manual' });
  const counts = new Uint8Array(timers);
  const windowMs = 2000;
  let fired = 0;
  let early = 0;
  const before = process.cpuUsage();
  for (let i = 0; i < timers; i++) {
    const delayMs = 1 + (i % windowMs);
    const dueMs = performance.now() + delayMs;
    reactor.setTimer(delayMs, () => {
      counts[i] = (counts[i] ?? 0) + 1;
      fired++;
      if (performance.now() < dueMs) early++;
    });
  }
  // Bounded: the last is due after the window, and a turn waits at most for the next.
  const endMs = performance.now() + windowMs + 10_000;
  while (fired < timers && performance.now() < endMs) reactor.turn(100);
  reactor.turn(0);
  const { user, system } = process.cpuUsage(before);
  reactor.close();
  const firedTwice = counts.filter((count) => count > 1).length;
  return { timers, fired, firedTwice, early, cpuNsPerTimer: ((user + system) * 1000) / timers };
}
