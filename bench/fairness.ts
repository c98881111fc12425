// What bulk load leaves to Node's own loop: the longest gap between two ticks of a 20 ms
// setInterval, and of the reactor's own timer, while eight senders send as fast as their core can.
// node:net, doing the same work in the same round, is the measure.
import { setTimeout } from 'node:timers/promises';
import { Child } from './child.js';
import type { Goal } from './goals.js';
import type { Cores } from './load.js';
import { sideCommand, tcpLoad } from './paths.js';
import type { Progress } from './progress.js';
import { median, pairedRatios, rotated, spreadOf, type Spread } from './statistics.js';
import { goalRow, renderGoals, renderTable } from './table.js';

const senders = 8;
/** More than they can send in a round. */
const megabytesEach = 1_000_000;
const startTimeoutMs = 15_000;
const warmupMs = 500;
const goal: Goal = { direction: 'at most', required: 2 };

const peers = ['node-discard', 'node-pipe'] as const;
const drivers = ['nested', 'watcher', 'run'] as const;
const works = {
  handlers: 'node-discard',
  promises: 'node-discard',
  copy: 'node-pipe',
  splice: 'node-pipe',
} as const;
const workNames = Object.keys(works) as (keyof typeof works)[];
const kinds = [...peers, ...drivers.flatMap((driver) => workNames.map((work) => `${driver}-${work}`))];

interface Sample {
  readonly kind: string;
  readonly round: number;
  readonly ticks: number;
  readonly worstGapMs: number;
  /** Of the reactor's own timer; node:net has none. */
  readonly worstTimerGapMs: number;
  readonly megabytesPerSecond: number;
}

interface Tick {
  readonly atMs: number;
  readonly bytes: number;
}

const nowMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

/** What the server has said, by word. */
function toTicks(lines: readonly string[]): Record<string, Tick[]> {
  const ticks: Record<string, Tick[]> = { tick: [], timer: [] };
  for (const line of lines) {
    const [word = '', atMs, bytes] = line.split(' ');
    ticks[word]?.push({ atMs: Number(atMs), bytes: Number(bytes) });
  }
  return ticks;
}

/**
 * With the stretch before the first tick, and the one after the last: one that never ticked has one
 * gap, all of it.
 */
function worstGapMs(ticks: readonly Tick[], beginMs: number, endMs: number): number {
  const times = [beginMs, ...ticks.map(({ atMs }) => atMs).filter((at) => at > beginMs), endMs];
  return Math.max(...times.slice(1).map((at, i) => at - (times[i] ?? at)));
}

async function measure(kind: string, round: number, seconds: number, cores: Cores): Promise<Sample> {
  const load = new Child('tcp_load', tcpLoad, ['flow', String(cores.load)]);
  const sinkPort = await load.nextNumber('port', startTimeoutMs);
  const server = new Child(kind, ...sideCommand('fairness.js', kind, String(sinkPort), String(cores.server)));
  try {
    const port = await server.nextNumber('port', startTimeoutMs);
    load.send(`go ${port} ${senders} ${megabytesEach}`);
    await setTimeout(warmupMs);
    const beginMs = nowMs();
    const endMs = beginMs + seconds * 1000;
    await setTimeout(seconds * 1000);
    const { tick = [], timer = [] } = toTicks(server.takeLines());
    const within = tick.filter(({ atMs }) => atMs > beginMs);
    const moved = (within.at(-1)?.bytes ?? 0) - (within[0]?.bytes ?? 0);
    return {
      kind,
      round,
      ticks: within.length,
      worstGapMs: worstGapMs(tick, beginMs, endMs),
      worstTimerGapMs: kind.startsWith('node-') ? NaN : worstGapMs(timer, beginMs, endMs),
      megabytesPerSecond: moved / 2 ** 20 / seconds,
    };
  } finally {
    await Promise.all([server.kill(), load.kill()]);
  }
}

export async function measureFairness(
  rounds: number,
  seconds: number,
  cores: Cores,
  progress: Progress,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const kind of rotated(kinds, round)) {
      progress.show(`fairness: round ${round + 1} of ${rounds}, ${kind}`);
      samples.push(await measure(kind, round, seconds, cores));
    }
  }
  return samples;
}

export function renderFairness(samples: readonly Sample[], seconds: number): string {
  const of = (kind: string) => samples.filter((s) => s.kind === kind).sort((a, b) => a.round - b.round);
  const shown = ({ median: middle, min, max }: Spread) => [middle.toFixed(0), `${min}..${max}`];
  const rows = kinds.map((kind) => {
    const mine = of(kind);
    const timers = mine.map((s) => s.worstTimerGapMs).filter((gap) => !Number.isNaN(gap));
    return [
      kind,
      median(mine.map((s) => s.ticks)).toFixed(0),
      ...shown(spreadOf(mine.map((s) => s.worstGapMs))),
      ...(timers.length === 0 ? ['-', '-'] : shown(spreadOf(timers))),
      median(mine.map((s) => s.megabytesPerSecond)).toFixed(0),
    ];
  });
  const ratios = drivers.flatMap((driver) =>
    workNames.map((work) => {
      const gaps = (kind: string) => of(kind).map((s) => s.worstGapMs);
      const kind = `${driver}-${work}`;
      return goalRow(`${kind} / ${works[work]}`, pairedRatios(gaps(kind), gaps(works[work])), goal, 2);
    }),
  );
  return (
    `\nA 20 ms interval under ${senders} bulk senders, for ${seconds} s: ticks, and the longest gap between two, in ms\n\n` +
    renderTable(['side', 'ticks', 'gap', 'min..max', 'timer', 'min..max', 'MB/s read'], rows) +
    `\n  Longest gap, ratio to node:net's in the same round\n${renderGoals(ratios)}`
  );
}
