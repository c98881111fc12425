// The tables. Nothing here knows a result in advance: only the goals are fixed.
import type { EchoResult, Sample } from './echo-rounds.js';
import { idleRatios, requireGoalMs, saturatedCoreShare, timersGoal } from './goals.js';
import type { RatioGoal } from './goals.js';
import type { RequireTimes } from './require-time.js';
import type { IdleSample } from './idle-rss.js';
import { sides } from './sides.js';
import type { SideName } from './sides.js';
import { median, pairedRatios, spreadOf } from './statistics.js';
import type { Spread } from './statistics.js';
import { goalRow, percent, renderGoals, renderTable } from './table.js';
import type { FiringResult, TimerSample } from './timers.js';

function samplesOf(result: EchoResult, side: SideName): Sample[] {
  return result.samples.filter((sample) => sample.side === side).sort((a, b) => a.round - b.round);
}

function sideRow(result: EchoResult, side: SideName): string[] {
  const samples = samplesOf(result, side);
  const medianOf = (pick: (sample: Sample) => number) => median(samples.map(pick));
  const cpu = spreadOf(samples.map((sample) => sample.cpuUsecPerMessage));
  return [
    sides[side].label,
    cpu.median.toPrecision(3),
    `${cpu.min.toPrecision(3)}..${cpu.max.toPrecision(3)}`,
    (medianOf((sample) => sample.messagesPerSecond) / 1000).toFixed(1),
    medianOf((sample) => sample.p50Usec).toFixed(0),
    medianOf((sample) => sample.p99Usec).toFixed(0),
    medianOf((sample) => sample.p999Usec).toFixed(0),
    (medianOf((sample) => sample.rssBytes) / 2 ** 20).toFixed(1),
    percent(medianOf((sample) => sample.serverCoreBusy)),
  ];
}

const sideHeader = [
  'side',
  'CPU-us/msg',
  'min..max',
  'kmsg/s',
  'p50 us',
  'p99 us',
  'p99.9 us',
  'RSS MB',
  'core busy',
];

export function summarizeRatios(
  result: EchoResult,
  goals: readonly RatioGoal[],
): { goal: RatioGoal; ratio: Spread }[] {
  const cpuOf = (side: SideName) => samplesOf(result, side).map((sample) => sample.cpuUsecPerMessage);
  return goals
    .filter((goal) => result.plan.sides.includes(goal.of) && result.plan.sides.includes(goal.to))
    .map((goal) => ({ goal, ratio: pairedRatios(cpuOf(goal.of), cpuOf(goal.to)) }));
}

function describeSaturation(result: EchoResult): string {
  if (result.plan.depth !== 'calibrated') {
    return 'One message under way at a time: the core sleeps between messages, and cannot be saturated.\n';
  }
  const tried = result.calibrations.map(({ depth, leastBusy }) => {
    return `depth ${depth}: ${percent(leastBusy)}`;
  });
  const unsaturated = result.plan.sides.filter(
    (side) => median(samplesOf(result, side).map((sample) => sample.serverCoreBusy)) < saturatedCoreShare,
  );
  const warning = unsaturated.length === 0 ? '' : `NOT SATURATED in the rounds: ${unsaturated.join(', ')}\n`;
  return `Least busy core (${percent(saturatedCoreShare)} wanted of every side) at ${tried.join(', ')}\n${warning}`;
}

export function renderEcho(result: EchoResult, goals: readonly RatioGoal[]): string {
  const { plan, depth } = result;
  const title = `TCP echo: ${plan.connections} connection${plan.connections === 1 ? '' : 's'} x ${plan.sizeBytes} bytes`;
  const rounds = `${plan.rounds} rounds of ${plan.seconds} s, ${plan.freshServers ? 'new' : 'same'} processes`;
  const ratios = summarizeRatios(result, goals).map(({ goal, ratio }) =>
    goalRow(`${sides[goal.of].label} / ${sides[goal.to].label}`, ratio, goal, 2),
  );
  const ratioTable =
    ratios.length === 0 ? '' : `\n  CPU per message, ratio in the same round\n${renderGoals(ratios)}`;
  return (
    `\n${title}, depth ${depth}, ${rounds} (server on core ${plan.cores.server}, load on core ${plan.cores.load})\n` +
    `${describeSaturation(result)}\n` +
    renderTable(
      sideHeader,
      plan.sides.map((side) => sideRow(result, side)),
    ) +
    ratioTable
  );
}

/** Of the sides that were measured, and of the ratios whose two sides were. */
export function renderIdle(samples: readonly IdleSample[]): string {
  const names = [...new Set(samples.map(({ side }) => side))];
  const bytesOf = (side: SideName) =>
    samples.filter((sample) => sample.side === side).map((s) => s.bytesPerConnection);
  const rows = names.map((side) =>
    goalRow(`${sides[side].label}, bytes`, spreadOf(bytesOf(side)), { direction: 'at most' }, 0),
  );
  for (const goal of idleRatios) {
    const { of, to } = goal;
    if (!names.includes(of) || !names.includes(to)) continue;
    const ratio = pairedRatios(bytesOf(of), bytesOf(to));
    rows.push(goalRow(`${sides[of].label} / ${sides[to].label}`, ratio, goal, 3));
  }
  for (const side of names) {
    const cpu = samples.filter((sample) => sample.side === side).map((s) => s.idleCpuUsecPerSecond);
    rows.push(
      goalRow(`${sides[side].label}, CPU-us in a second`, spreadOf(cpu), { direction: 'at most' }, 0),
    );
  }
  return `\nRSS per idle connection, ${samples[0]?.connections} open, after gc\n\n${renderGoals(rows)}`;
}

export function renderRequire({ requireMs, listenMs }: RequireTimes): string {
  const rows = [
    goalRow("require('tripoll') and 'tripoll/net', ms", spreadOf(requireMs), requireGoalMs, 1),
    goalRow('the same, and a listener, ms', spreadOf(listenMs), { direction: 'at most' }, 1),
  ];
  return `\nLoading the package, ${requireMs.length} fresh processes\n\n${renderGoals(rows)}`;
}

export function renderTimers(samples: readonly TimerSample[], firing: FiringResult): string {
  const ours = samples.map((sample) => sample.setTimerNs);
  const theirs = samples.map((sample) => sample.setTimeoutNs);
  const rows = [
    goalRow('setTimer + cancel, ns', spreadOf(ours), { direction: 'at most' }, 0),
    goalRow('setTimeout + clearTimeout, ns', spreadOf(theirs), { direction: 'at most' }, 0),
    goalRow('ours / theirs', pairedRatios(ours, theirs), timersGoal, 3),
  ];
  const { timers, fired, firedTwice, early, cpuNsPerTimer } = firing;
  return (
    `\nTimers, 100,000 live on each side\n\n${renderGoals(rows)}` +
    `\n  ${timers} live timers: ${fired} fired, ${firedTwice} twice, ${early} early; ` +
    `${cpuNsPerTimer.toFixed(0)} ns CPU each to set and fire\n`
  );
}
