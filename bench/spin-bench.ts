// Ping-pong of one connection while the server spins before it sleeps, beside C that does the same,
// and beside those that sleep at once. bench/README.md says how.
//   node out/bench/spin-bench.js [--rounds 7] [--seconds 1] [--json FILE]
import { parseArgs } from 'node:util';
import { begin, runCommand, save } from './command.js';
import type { Goal } from './goals.js';
import { runLoad, type Cores, type LoadResult } from './load.js';
import { parseCount, parseNumber } from './options.js';
import { sideFile } from './paths.js';
import { ServerProcess } from './server-process.js';
import { median, pairedRatios, rotated } from './statistics.js';
import { goalRow, percent, renderGoals, renderTable } from './table.js';

const warmupSeconds = 0.3;
const sizeBytes = 64;
const asC: Goal = { required: 1.1, direction: 'at most' };

const sides = {
  cSpin: { label: 'C epoll, spinning', entry: 'native-peer.js', args: ['rawEpoll', 'spin'] },
  spin: { label: 'tripoll, run({ spinUs })', entry: 'tripoll-handlers.js', args: ['spin'] },
  c: { label: 'C epoll', entry: 'native-peer.js', args: ['rawEpoll'] },
  run: { label: 'tripoll, run()', entry: 'tripoll-handlers.js', args: ['run'] },
  nested: { label: 'tripoll, nested', entry: 'tripoll-handlers.js', args: ['nested'] },
  node: { label: 'node:net', entry: 'node-net.js', args: ['node:net'] },
} as const;
type SideName = keyof typeof sides;
const names = Object.keys(sides) as SideName[];

type Results = Record<SideName, LoadResult[]>;

async function measure(name: SideName, seconds: number, cores: Cores): Promise<LoadResult> {
  const { label, entry, args } = sides[name];
  const server = await ServerProcess.launch(label, sideFile(entry), [...args, String(cores.server)]);
  try {
    const shape = { connections: 1, depth: 1, sizeBytes, seconds, warmupSeconds };
    return await runLoad(server, shape, cores);
  } finally {
    await server.stop();
  }
}

function render(results: Results): string {
  const of = (name: SideName, field: keyof LoadResult): number[] =>
    results[name].map((result) => result[field]);
  const header = ['', 'p50 µs', 'p99', 'p99.9', 'CPU µs a message', 'core busy'];
  const fields = ['p50Usec', 'p99Usec', 'p999Usec'] as const;
  const rows = names.map((name) => [
    sides[name].label,
    ...fields.map((field) => median(of(name, field)).toFixed(1)),
    median(results[name].map((result) => result.serverCpuUsec / result.messages)).toFixed(1),
    percent(median(of(name, 'serverCoreBusy'))),
  ]);
  const ratio = (a: SideName, b: SideName, goal: Goal): string[] =>
    goalRow(
      `p50, ${sides[a].label} to ${sides[b].label}`,
      pairedRatios(of(a, 'p50Usec'), of(b, 'p50Usec')),
      goal,
      2,
    );
  const none: Goal = { direction: 'at most' };
  const goals = [ratio('spin', 'cSpin', asC), ratio('spin', 'run', none), ratio('cSpin', 'c', none)];
  return `${renderTable(header, rows)}\n${renderGoals(goals)}`;
}

async function main(): Promise<void> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({ options: { rounds: string, seconds: string, json: string } });
  const rounds = parseCount(values.rounds ?? '7', 'rounds');
  const seconds = parseNumber(values.seconds ?? '1', 'seconds', 0.1);
  const date = new Date().toISOString();
  const { machine, cores } = begin();
  const results = Object.fromEntries(names.map((name) => [name, [] as LoadResult[]])) as Results;
  for (let round = 0; round < rounds; round++)
    for (const name of rotated(names, round)) results[name].push(await measure(name, seconds, cores));
  process.stdout.write(
    `\nOne connection, ${sizeBytes} bytes, medians of ${rounds} rounds\n\n${render(results)}`,
  );
  if (values.json !== undefined) save(values.json, { date, machine, rounds, seconds, results });
}

runCommand(main);
