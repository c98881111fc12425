// A server on all workers of a runtime, beside one worker and node:cluster: CPU per echoed message,
// how long light connections wait beside heavy ones, and who has how many.
//   node out/bench/serve-bench.js [--parts echo,uneven,even] [--rounds 5] [--seconds 1] [--json FILE]
import { parseArgs } from 'node:util';
import { runCommand, save } from './command.js';
import { chooseCores, describeMachine } from './machine.js';
import { parseCount, parseNames, parseNumber } from './options.js';
import { Progress } from './progress.js';
import { renderEcho, renderUneven } from './serve-report.js';
import {
  measureEcho,
  measureUneven,
  placements,
  serveSides,
  type EchoSample,
  type ServeSideName,
  type UnevenLoad,
  type UnevenSample,
} from './serve-rounds.js';
import { rotated } from './statistics.js';

const partNames = ['echo', 'uneven', 'even'] as const;
type PartName = (typeof partNames)[number];
const isPartName = (name: string): name is PartName => (partNames as readonly string[]).includes(name);

const echoSides = Object.keys(serveSides) as ServeSideName[];
const strategies: readonly ServeSideName[] = ['balanced', 'reuseport', 'exclusive', 'cluster'];

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
}

const progress = new Progress();

/** Another process may have had the cores for seconds: then once more, and not in silence. */
async function twiceAtMost<T>(measure: () => Promise<T>): Promise<T> {
  try {
    return await measure();
  } catch (error) {
    console.error(`\n${String(error)}\nThis round once more.`);
    return measure();
  }
}

async function interleaved<Side, Sample>(
  title: string,
  sides: readonly Side[],
  { rounds }: Plan,
  measure: (side: Side, round: number) => Promise<Sample>,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const side of rotated(sides, round)) {
      progress.show(`${title}: round ${round + 1} of ${rounds}`);
      samples.push(await twiceAtMost(() => measure(side, round)));
    }
  }
  progress.clear();
  return samples;
}

async function echo(plan: Plan): Promise<EchoSample[]> {
  const cores = chooseCores();
  const all: EchoSample[] = [];
  for (const placement of placements) {
    const samples = await interleaved(placement.title, echoSides, plan, (side, round) =>
      measureEcho(side, round, placement, plan.seconds, cores),
    );
    process.stdout.write(renderEcho(placement.title, samples));
    all.push(...samples);
  }
  return all;
}

const few: Omit<UnevenLoad, 'seconds'> = { connections: 50, heavy: 5, periodMs: 10 };
const many: Omit<UnevenLoad, 'seconds'> = { connections: 1000, heavy: 0, periodMs: 100 };

async function uneven(plan: Plan): Promise<UnevenSample[]> {
  const load = { ...few, seconds: 2 * plan.seconds };
  const sides = [...strategies, 'floor' as const];
  const samples = await interleaved('uneven', sides, plan, (side, round) =>
    side === 'floor'
      ? measureUneven('balanced', round, { ...load, heavy: 0 })
      : measureUneven(side, round, load),
  );
  const title =
    `${few.connections} connections, one message in ${few.periodMs} ms each, but ${few.heavy} of them ` +
    'one in 5 ms that holds its worker for 1 ms:\nhow long the light ones wait';
  const floor = samples.filter((sample) => sample.load.heavy === 0);
  const heavy = samples.filter((sample) => sample.load.heavy > 0);
  process.stdout.write(renderUneven(title, heavy, floor));
  return samples;
}

async function even(plan: Plan): Promise<UnevenSample[]> {
  const load = { ...many, seconds: plan.seconds / 2 };
  const samples = await interleaved('even', strategies, plan, (side, round) =>
    measureUneven(side, round, load),
  );
  const title = `${many.connections} connections that are alike, one message in ${many.periodMs} ms each`;
  process.stdout.write(renderUneven(title, samples, []));
  return samples;
}

const parts: Readonly<Record<PartName, (plan: Plan) => Promise<readonly unknown[]>>> = { echo, uneven, even };

const method = `CPU is that of all threads of all processes of a server, by their clocks. Two workers and the load share
two cores, of which the load's spins in the echo part: what two cores give beyond one, throughput here
cannot show. CPU per message can.`;

const usage = `npm run bench:serve -- [options]
  --parts ${partNames.join(',')}
  --rounds 5            interleaved rounds
  --seconds 1           of an echo measurement; twice as long for uneven, half for even
  --json file           where to save the raw results`;

async function main(): Promise<void> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { parts: string, rounds: string, seconds: string, json: string, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    console.log(usage);
    return;
  }
  const names = parseNames(values.parts ?? partNames.join(','), 'parts', partNames, isPartName);
  const plan: Plan = {
    rounds: parseCount(values.rounds ?? '5', 'rounds'),
    seconds: parseNumber(values.seconds ?? '1', 'seconds', 0.1),
  };
  if (process.platform !== 'linux') throw new Error('CPU times are read from /proc: it needs Linux');
  const date = new Date().toISOString();
  const machine = describeMachine();
  console.log(`${Object.values(machine).join(' · ')}\n\n${method}`);
  const results: Record<string, readonly unknown[]> = {};
  for (const name of names) results[name] = await parts[name](plan);
  if (values.json !== undefined) save(values.json, { date, machine, ...plan, results });
}

runCommand(main);
