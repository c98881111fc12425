// What tripoll/node costs beneath programs that Node developers run: CPU of the server (of the
// client, for a database) per request, each side the same program.
//   node out/bench/node-bench.js [--work http,fastify,pg,resp,tls] [--rounds 7] [--seconds 2]
// wrk, redis-benchmark and PostgreSQL are Debian's, fastify and pg those of npm run test:interop.
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { Child } from './child.js';
import { begin, runCommand, save } from './command.js';
import { meets, type Goal } from './goals.js';
import type { Cores } from './load.js';
import { packageRoot, respPeer, sideFile } from './paths.js';
import { Postgres } from './postgres.js';
import { pairedRatios, rotated, spreadOf, type Spread } from './statistics.js';

const startTimeoutMs = 15_000;
const runTimeoutMs = 60_000;
const connections = 50;
const warmupSeconds = 1;
/** As many as a fast server answers in a second: redis-benchmark is given a number, not a time. */
const requestsPerSecond: Readonly<Record<string, number>> = { '1': 50_000, '16': 200_000 };

const byHook = ['--require', 'tripoll/register'];

interface Side {
  readonly name: string;
  /** A command and its arguments; the core comes after them. */
  readonly command: readonly [string, ...string[]];
}

/** Node's own arguments, the file in bench/sides, and its arguments. */
const byNode = (options: readonly string[], file: string, ...args: string[]): Side['command'] => [
  process.execPath,
  ...options,
  sideFile(file),
  ...args,
];

/** Requests that were answered in so many seconds, or about. */
type Load = (server: Child, port: number, seconds: number, cpu: number) => Promise<number>;

interface Work {
  readonly title: string;
  /**
   * Server and load take turns on one core, where neither interrupts the other: each finds all that
   * the other has sent.
   */
  readonly takesTurns?: boolean;
  readonly sides: readonly Side[];
  readonly load: Load;
  readonly ratios: readonly (readonly [of: string, to: string, goal: Goal])[];
}

const run = promisify(execFile);

/** SCHED_BATCH: who is woken waits until who runs has nothing to do (sched(7)). */
const uninterrupting = ['chrt', '--batch', '0'] as const;

async function runPinned(cpu: number, command: readonly string[]): Promise<string> {
  const { stdout } = await run('taskset', ['-c', String(cpu), ...command], { timeout: runTimeoutMs });
  return stdout;
}

const wrk =
  (scheme: 'http' | 'https'): Load =>
  async (_, port, seconds, cpu) => {
    const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`];
    const output = await runPinned(cpu, ['wrk', ...args, `${scheme}://127.0.0.1:${port}/`]);
    const requests = /(\d+) requests in/.exec(output)?.[1];
    if (requests === undefined || /Socket errors|Non-2xx/.test(output)) throw new Error(`wrk said ${output}`);
    return Number(requests);
  };

const redisBenchmark =
  (pipeline: string, takesTurns: boolean): Load =>
  async (_, port, seconds, cpu) => {
    const requests = seconds * (requestsPerSecond[pipeline] ?? 0);
    const size = ['-c', String(connections), '-n', String(requests), '-P', pipeline];
    const command = ['redis-benchmark', '-p', String(port), ...size, '-t', 'get', '--csv'];
    const output = await runPinned(cpu, [...(takesTurns ? uninterrupting : []), ...command]);
    if (!output.includes('"GET"')) throw new Error(`redis-benchmark said ${output}`);
    return requests;
  };

/** The app makes the requests itself. */
const asked: Load = async (app, _, seconds) => {
  app.send(`go ${seconds * 1000}`);
  return app.nextNumber('done', runTimeoutMs);
};

const atMost = (required: number, stretch?: number): Goal => ({
  direction: 'at most',
  required,
  ...(stretch !== undefined && { stretch }),
});
const atLeast = (required: number, stretch: number): Goal => ({ direction: 'at least', required, stretch });
const shown: Goal = { direction: 'at most' };

const hooked = (file: string, ...args: string[]): Side[] => [
  { name: 'Node', command: byNode([], file, ...args) },
  { name: 'hook', command: byNode(byHook, file, ...args) },
];

interface RespOptions {
  pipeline: string;
  goal: Goal;
  takesTurns?: boolean;
}

/** C without a database shows what its system calls leave. */
function respWork({ pipeline, goal, takesTurns = false }: RespOptions): Work {
  const entry = path.join(packageRoot, 'out/examples/resp-server.js');
  return {
    title: `RESP server, redis-benchmark -t get -P ${pipeline}${takesTurns ? ', on one core' : ''}`,
    takesTurns,
    sides: [
      { name: 'node:net', command: byNode([], 'resp.js', entry, '--node') },
      { name: 'nested', command: byNode([], 'resp.js', entry, '') },
      { name: 'run()', command: byNode([], 'resp.js', entry, '--run') },
      { name: 'C', command: [respPeer] },
    ],
    load: redisBenchmark(pipeline, takesTurns),
    ratios: [
      ['node:net', 'nested', goal],
      ['node:net', 'run()', goal],
      ['node:net', 'C', shown],
    ],
  };
}

const works: Readonly<Record<string, Work>> = {
  http: {
    title: 'http hello, wrk',
    sides: [
      ...hooked('http.js', 'listen'),
      { name: 'serveHttp', command: byNode([], 'http.js', 'serveHttp') },
    ],
    load: wrk('http'),
    ratios: [
      ['serveHttp', 'Node', atMost(1, 0.92)],
      ['hook', 'Node', shown],
    ],
  },
  fastify: {
    title: 'fastify hello, wrk',
    sides: hooked('fastify.js'),
    load: wrk('http'),
    ratios: [['hook', 'Node', atMost(1, 0.95)]],
  },
  pg: {
    title: 'pg, select 1 by a pool of 10',
    sides: hooked('pg.js'),
    load: asked,
    ratios: [['hook', 'Node', atMost(1, 0.95)]],
  },
  'resp-1': respWork({ pipeline: '1', goal: atLeast(1.4, 1.6) }),
  'resp-1-turns': respWork({ pipeline: '1', goal: atLeast(1.4, 1.6), takesTurns: true }),
  'resp-16': respWork({ pipeline: '16', goal: atLeast(1.4, 2) }),
  tls: {
    title: 'TLS, a message of 100 bytes answered by one, wrk',
    sides: [
      { name: 'Node', command: byNode([], 'tls.js', 'Node') },
      { name: 'Duplex', command: byNode([], 'tls.js', 'Duplex') },
      { name: 'handOver', command: byNode([], 'tls.js', 'handOver') },
    ],
    load: wrk('https'),
    ratios: [
      ['Duplex', 'Node', shown],
      ['handOver', 'Node', atMost(1)],
    ],
  },
};

interface Sample {
  readonly cpuNs: number;
  /** Of one core, while it was measured. */
  readonly busyShare: number;
}

async function measure(
  { name, command }: Side,
  { load, takesTurns = false }: Work,
  seconds: number,
  cores: Cores,
  env: NodeJS.ProcessEnv,
): Promise<Sample> {
  const [file, ...args] = [...(takesTurns ? uninterrupting : []), ...command, String(cores.server)];
  const loadCore = takesTurns ? cores.server : cores.load;
  const server = new Child(name, file, args, env);
  try {
    const port = await server.nextNumber('port', startTimeoutMs);
    await load(server, port, warmupSeconds, loadCore);
    const before = { ns: server.cpuNs(), ms: performance.now() };
    const requests = await load(server, port, seconds, loadCore);
    const ns = server.cpuNs() - before.ns;
    return { cpuNs: ns / requests, busyShare: ns / 1e6 / (performance.now() - before.ms) };
  } finally {
    await server.kill();
  }
}

type Samples = Record<string, Sample[]>;

async function runWork(
  work: Work,
  rounds: number,
  seconds: number,
  cores: Cores,
  env: NodeJS.ProcessEnv,
): Promise<Samples> {
  const samples: Samples = Object.fromEntries(work.sides.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of rotated(work.sides, round))
      samples[side.name]?.push(await measure(side, work, seconds, cores, env));
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  return samples;
}

const show = ({ median, min, max }: Spread): string =>
  `${median.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`;

function verdict({ median }: Spread, { required, stretch, direction }: Goal): string {
  if (required === undefined) return '';
  const met = meets(median, required, direction) ? 'met' : 'MISSED';
  return `; goal ${direction} ${required}: ${met}${stretch === undefined ? '' : `, stretch ${stretch}`}`;
}

function report({ title, ratios }: Work, samples: Samples): void {
  console.log(`${title}: CPU-µs a request, and how busy its core was`);
  for (const [name, all] of Object.entries(samples)) {
    const cpu = show(spreadOf(all.map(({ cpuNs }) => cpuNs / 1000)));
    console.log(`  ${name.padEnd(12)} ${cpu}, ${show(spreadOf(all.map(({ busyShare }) => busyShare)))}`);
  }
  console.log('  CPU ratios, paired by round: median (least to greatest)');
  const values = (name: string): number[] => (samples[name] ?? []).map(({ cpuNs }) => cpuNs);
  for (const [of, to, goal] of ratios) {
    const ratio = pairedRatios(values(of), values(to));
    console.log(`    ${of} / ${to}: ${show(ratio)}${verdict(ratio, goal)}`);
  }
}

const usage = `npm run bench:node -- [options]
  --work ${Object.keys(works).join(',')}
  --rounds 7            interleaved rounds
  --seconds 2           of each measurement
  --json file           where to save the raw results`;

async function main(): Promise<void> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { work: string, rounds: string, seconds: string, json: string, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    console.log(usage);
    return;
  }
  const rounds = Number(values.rounds ?? '7');
  const seconds = Number(values.seconds ?? '2');
  const names = (values.work ?? Object.keys(works).join(',')).split(',');
  const chosen = names.map((name): [string, Work] => {
    const work = works[name];
    if (work === undefined) throw new Error(`no such work: ${name}\n${usage}`);
    return [name, work];
  });
  const { machine, cores } = begin();
  const postgres = names.includes('pg') ? await Postgres.start(cores.load) : null;
  const results: Record<string, Samples> = {};
  try {
    const env = { ...process.env, NODE_PATH: interopModules(), ...postgres?.env };
    for (const [name, work] of chosen) {
      const samples = (results[name] = await runWork(work, rounds, seconds, cores, env));
      report(work, samples);
    }
  } finally {
    await postgres?.stop();
  }
  if (values.json !== undefined) save(values.json, { machine, rounds, seconds, results });
}

/** fastify and pg, as the leg of real programs has them. */
function interopModules(): string {
  const legs = createRequire(__filename)(path.join(packageRoot, 'tools/legs.cjs')) as {
    install(name: string, from: string): string;
  };
  return legs.install('interop', path.join(packageRoot, 'tools/interop'));
}

runCommand(main);
