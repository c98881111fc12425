// The tables of the serving bench.
import type { Goal } from './goals.js';
import {
  serveSides,
  workers,
  type EchoSample,
  type ServeSideName,
  type UnevenSample,
} from './serve-rounds.js';
import { median, pairedRatios, spreadOf, type Spread } from './statistics.js';
import { goalRow, percent, renderGoals, renderTable } from './table.js';

const shown: Goal = { direction: 'at most' };
const belowCluster: Goal = { direction: 'at most', required: 1 };

const echoRatios: readonly (readonly [of: ServeSideName, to: ServeSideName, goal: Goal])[] = [
  ['balanced', 'cluster', belowCluster],
  ['reuseport', 'cluster', belowCluster],
  ['balanced-run', 'cluster', belowCluster],
  ['exclusive', 'cluster', belowCluster],
  ['cluster-tripoll', 'cluster', shown],
  ['balanced', 'cluster-tripoll', shown],
  ['balanced', 'one', shown],
];

const range = ({ min, max }: Spread, digits: number): string =>
  `${min.toFixed(digits)}..${max.toFixed(digits)}`;
const cells = (spread: Spread, digits: number): string[] => [
  spread.median.toFixed(digits),
  range(spread, digits),
];

const namesIn = (samples: readonly { side: ServeSideName }[]): ServeSideName[] =>
  (Object.keys(serveSides) as ServeSideName[]).filter((name) => samples.some(({ side }) => side === name));

export function renderEcho(placement: string, samples: readonly EchoSample[]): string {
  const of = (side: ServeSideName): EchoSample[] => samples.filter((sample) => sample.side === side);
  const cpuOf = (side: ServeSideName): number[] => of(side).map((sample) => sample.cpuUsecPerMessage);
  const names = namesIn(samples);
  const rows = names.map((side) => [
    serveSides[side].label,
    ...cells(spreadOf(cpuOf(side)), 2),
    ...cells(spreadOf(of(side).map((sample) => sample.messagesPerSecond / 1000)), 1),
    ...cells(spreadOf(of(side).map((sample) => sample.p99Usec / 1000)), 2),
  ]);
  const ratios = echoRatios
    .filter(([a, b]) => names.includes(a) && names.includes(b))
    .map(([a, b, goal]) =>
      goalRow(`${serveSides[a].label} / ${serveSides[b].label}`, pairedRatios(cpuOf(a), cpuOf(b)), goal, 2),
    );
  const header = ['side', 'CPU-us/msg', 'min..max', 'kmsg/s', 'min..max', 'p99 ms', 'min..max'];
  return (
    `\nTCP echo, 50 connections x 64 bytes, ${workers} workers; ${placement}\n\n` +
    renderTable(header, rows) +
    `\n  CPU per message, ratio in the same round\n${renderGoals(ratios)}`
  );
}

/** What the worker that has least has of all: half of them would be even. */
function leastShare({ workers: shares }: UnevenSample, key: 'connections' | 'messages'): number {
  const each = shares.map((share) => share[key]);
  // A worker that has none has not been heard of.
  const least = each.length < workers ? 0 : Math.min(...each);
  return least / each.reduce((sum, one) => sum + one, 0);
}

function unevenRow(label: string, samples: readonly UnevenSample[]): string[] {
  const shares = (key: 'connections' | 'messages'): string => {
    const { median: middle, min, max } = spreadOf(samples.map((sample) => leastShare(sample, key)));
    return `${percent(middle)} (${(min * 100).toFixed(0)}..${(max * 100).toFixed(0)})`;
  };
  const accepting = samples.flatMap((sample) => (sample.accepting === null ? [] : [sample.accepting]));
  const perConnection = (key: 'wakes' | 'handedOver' | 'stolen'): string =>
    accepting.length === 0 ? '-' : median(accepting.map((one) => one[key])).toFixed(2);
  const mostHeavy = samples.map((sample) => Math.max(...sample.workers.map(({ heavy }) => heavy)));
  return [
    label,
    median(samples.map((sample) => sample.p50Ms)).toFixed(2),
    ...cells(spreadOf(samples.map((sample) => sample.p99Ms)), 2),
    shares('connections'),
    shares('messages'),
    median(mostHeavy).toString(),
    ...(['wakes', 'handedOver', 'stolen'] as const).map(perConnection),
  ];
}

const unevenHeader = [
  'side',
  'p50 ms',
  'p99 ms',
  'min..max',
  'connections %',
  'messages %',
  'heavy',
  'wakes',
  'given',
  'stolen',
];

/** `floor`: the same server without heavy connections. */
export function renderUneven(
  title: string,
  samples: readonly UnevenSample[],
  floor: readonly UnevenSample[],
): string {
  const rows = namesIn(samples).map((name) =>
    unevenRow(
      serveSides[name].label,
      samples.filter(({ side }) => side === name),
    ),
  );
  if (floor.length > 0) rows.push(unevenRow(`${serveSides[floor[0]!.side].label}, none heavy`, floor));
  return (
    `\n${title}; nothing pinned\n` +
    'Medians. connections, messages: of the worker that had fewest, of all (min..max); heavy: most on one\n' +
    'worker; wakes of the listening socket, given to another, stolen: a connection\n\n' +
    renderTable(unevenHeader, rows)
  );
}
