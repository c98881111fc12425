// What a task on a worker thread costs: CPU of the whole process per empty task, by tripoll/runtime,
// by a bare port, and by other pools.
//   node out/bench/runtime-bench.js [--rounds 7] [--seconds 2] [--peers FOLDER] [--json FILE]
// FOLDER is one in which `npm install piscina tinypool` was run; without it these are left out.
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { Child } from './child.js';
import { runCommand, save } from './command.js';
import type { Goal } from './goals.js';
import { describeMachine } from './machine.js';
import { sideFile } from './paths.js';
import { pairedRatios, rotated, spreadOf } from './statistics.js';
import { goalRow, renderGoals } from './table.js';

const startTimeoutMs = 15_000;
const graceMs = 20_000;
/** Until the young generation of each heap has its size, too. */
const warmupSeconds = 3;

const ours = ['tripoll', 'tripoll-run'];
const peers = ['piscina', 'tinypool'];

interface Work {
  readonly title: string;
  readonly atOnce: number;
  readonly ratios: readonly (readonly [of: string, to: string, goal: Goal])[];
}

const atMost = (required: number, stretch: number): Goal => ({ direction: 'at most', required, stretch });

const works: readonly Work[] = [
  {
    title: '64 at once',
    atOnce: 64,
    ratios: [
      ['tripoll', 'messages', atMost(1 / 3, 1 / 5)],
      ['tripoll', 'piscina', atMost(0.1, 0.05)],
      ['tripoll-run', 'messages', { direction: 'at most' }],
    ],
  },
  {
    title: 'one at a time',
    atOnce: 1,
    ratios: [
      ['tripoll', 'messages', { direction: 'at most', required: 1 }],
      ['tripoll', 'piscina', atMost(0.8, 0.6)],
      ['tripoll-run', 'messages', { direction: 'at most' }],
    ],
  },
];

/** CPU-ns a task. */
async function measure(
  pool: string,
  atOnce: number,
  seconds: number,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const args = [sideFile('tasks.js'), pool, String(atOnce)];
  const side = new Child(pool, process.execPath, args, env);
  const run = async (forSeconds: number): Promise<number> => {
    side.send(`go ${forSeconds * 1000}`);
    return side.nextNumber('done', forSeconds * 1000 + graceMs);
  };
  try {
    await side.nextNumber('ready', startTimeoutMs);
    await run(warmupSeconds);
    const before = side.cpuNs();
    const tasks = await run(seconds);
    return (side.cpuNs() - before) / tasks;
  } finally {
    await side.kill();
  }
}

const skewedTasks = 400;
/** Until what runs between two tasks of a millisecond, seldom enough, is compiled. */
const skewedWarmups = 4;

/** Time of a skewed load to the ideal: of tasks of 1 ms, nine of ten spawned on one of two workers. */
async function measureSkewed(env: NodeJS.ProcessEnv): Promise<number> {
  const side = new Child('skewed', process.execPath, [sideFile('skewed.js')], env);
  const run = async (): Promise<number> => {
    side.send(`go ${skewedTasks}`);
    return side.nextNumber('done', graceMs);
  };
  try {
    await side.nextNumber('ready', startTimeoutMs);
    for (let i = 0; i < skewedWarmups; i++) await run();
    return (await run()) / 1000;
  } finally {
    await side.kill();
  }
}

async function skewed(rounds: number, env: NodeJS.ProcessEnv): Promise<number[]> {
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) ratios.push(await measureSkewed(env));
  console.log(`\n${skewedTasks} tasks of 1 ms, nine of ten spawned on one of two workers\n`);
  console.log(renderGoals([goalRow('time / ideal', spreadOf(ratios), atMost(1.1, 1.03), 3)]));
  return ratios;
}

type Samples = Record<string, number[]>;

function report({ title, ratios }: Work, samples: Samples): void {
  const costs = Object.entries(samples).map(([pool, ns]) =>
    goalRow(`${pool}, CPU-µs a task`, spreadOf(ns.map((each) => each / 1000)), { direction: 'at most' }, 2),
  );
  const rows = ratios
    .filter(([of, to]) => samples[of] !== undefined && samples[to] !== undefined)
    .map(([of, to, goal]) => goalRow(`${of} / ${to}`, pairedRatios(samples[of]!, samples[to]!), goal, 3));
  console.log(`\nEmpty tasks on one worker, ${title}\n\n${renderGoals([...costs, ...rows])}`);
}

async function main(): Promise<void> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({ options: { rounds: string, seconds: string, peers: string, json: string } });
  const [rounds, seconds] = [Number(values.rounds ?? '7'), Number(values.seconds ?? '2')];
  const pools = [...ours, 'messages', ...(values.peers === undefined ? [] : peers)];
  const env = { ...process.env };
  if (values.peers !== undefined) env['NODE_PATH'] = path.resolve(values.peers, 'node_modules');
  // Nothing is pinned: two threads are what is measured.
  const machine = describeMachine();
  console.log(Object.values(machine).join(' · '));
  const results: Record<string, Samples> = {};
  for (const work of works) {
    const samples: Samples = Object.fromEntries(pools.map((pool) => [pool, []]));
    for (let round = 0; round < rounds; round++) {
      for (const pool of rotated(pools, round))
        samples[pool]!.push(await measure(pool, work.atOnce, seconds, env));
      process.stderr.write(`${work.title}: round ${round + 1} of ${rounds}\n`);
    }
    report(work, samples);
    results[work.title] = samples;
  }
  results['skewed'] = { 'time to ideal': await skewed(rounds, env) };
  if (values.json !== undefined) save(values.json, { machine, rounds, seconds, results });
}

runCommand(main);
