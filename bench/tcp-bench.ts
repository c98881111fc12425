// The two TCP rows: a proxy by splice, CPU per byte; accept, one request, close: connections per
// CPU second.
//   node out/bench/tcp-bench.js [--work splice,short] [--rounds 7] [--json file]
import { parseArgs } from 'node:util';
import { Child } from './child.js';
import { begin, runCommand, save } from './command.js';
import type { Cores } from './load.js';
import { sideCommand, tcpLoad, tcpPeer } from './paths.js';
import { pairedRatios, rotated, spreadOf, type Spread } from './statistics.js';

const startTimeoutMs = 15_000;
const runTimeoutMs = 60_000;
/**
 * The default of `copyBidirectional`, and of a pipe; and the most that a user without privileges
 * may ask for.
 */
const pipeSizes = [65_536, 1_048_576] as const;
const flowConnections = 4;
const flowMegabytes = 400;
const shortConnections = 50;
const shortMs = 1000;

interface Side {
  readonly name: string;
  /** `port`: of the sink, for a proxy. */
  command(cpu: number, port: number): [string, string[]];
}

const kindOf = (pipeBytes: number): string => `pipe of ${pipeBytes / 1024} KiB`;

const proxies: Side[] = [
  ...pipeSizes.flatMap((pipeBytes) => [
    {
      name: `C splice, ${kindOf(pipeBytes)}`,
      command: (cpu: number, port: number): [string, string[]] => [
        tcpPeer,
        ['splice', String(cpu), String(port), String(pipeBytes)],
      ],
    },
    {
      name: `tripoll splice, ${kindOf(pipeBytes)}`,
      command: (cpu: number, port: number) =>
        sideCommand('tcp-proxy.js', 'tripoll-splice', String(port), String(pipeBytes), String(cpu)),
    },
  ]),
  ...['tripoll-copy', 'node-net'].map((name) => ({
    name,
    command: (cpu: number, port: number) =>
      sideCommand('tcp-proxy.js', name, String(port), '65536', String(cpu)),
  })),
];

const servers: Side[] = [
  { name: 'C epoll', command: (cpu) => [tcpPeer, ['short', String(cpu)]] },
  { name: 'C epoll, deferred', command: (cpu) => [tcpPeer, ['short-defer', String(cpu)]] },
  ...['tripoll', 'tripoll-deferred', 'tripoll-promises', 'node-net'].map((name) => ({
    name,
    command: (cpu: number) => sideCommand('tcp-short.js', name, String(cpu)),
  })),
];

/**
 * CPU nanoseconds per byte, or per connection, of one side in one round: a process of its own,
 * warmed up.
 */
async function measure(
  side: Side,
  load: Child,
  sinkPort: number,
  order: string,
  warmup: string,
  cores: Cores,
): Promise<number> {
  const [command, args] = side.command(cores.server, sinkPort);
  const server = new Child(side.name, command, args);
  try {
    const port = await server.nextNumber('port', startTimeoutMs);
    load.send(`go ${port} ${warmup}`);
    await load.nextNumber('done', runTimeoutMs);
    const before = server.cpuNs();
    load.send(`go ${port} ${order}`);
    const count = await load.nextNumber('done', runTimeoutMs);
    return (server.cpuNs() - before) / count;
  } finally {
    await server.kill();
  }
}

type Samples = Record<string, number[]>;

interface Work {
  readonly sides: readonly Side[];
  readonly order: string;
  readonly warmup: string;
  readonly isFlow: boolean;
}

const works: Record<'splice' | 'short', Work> = {
  splice: {
    sides: proxies,
    order: `${flowConnections} ${flowMegabytes}`,
    warmup: `${flowConnections} 20`,
    isFlow: true,
  },
  short: {
    sides: servers,
    order: `${shortConnections} ${shortMs}`,
    warmup: `${shortConnections} 300`,
    isFlow: false,
  },
};

async function run({ sides, order, warmup, isFlow }: Work, rounds: number, cores: Cores): Promise<Samples> {
  const samples: Samples = Object.fromEntries(sides.map(({ name }) => [name, []]));
  const load = new Child('tcp_load', tcpLoad, [isFlow ? 'flow' : 'short', String(cores.load)]);
  const sinkPort = isFlow ? await load.nextNumber('port', startTimeoutMs) : 0;
  if (!isFlow) await load.nextLine(startTimeoutMs); // "ready"
  for (let round = 0; round < rounds; round++) {
    for (const side of rotated(sides, round)) {
      samples[side.name]?.push(await measure(side, load, sinkPort, order, warmup, cores));
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  await load.finish(startTimeoutMs);
  return samples;
}

const show = ({ median, min, max }: Spread): string =>
  `${median.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`;

function ratio(samples: Samples, of: string, to: string): string {
  return `${of} / ${to}: ${show(pairedRatios(samples[of] ?? [], samples[to] ?? []))}`;
}

function report(
  title: string,
  samples: Samples,
  toShown: (ns: number) => number,
  ratios: [string, string][],
): void {
  console.log(title);
  for (const [name, values] of Object.entries(samples)) {
    console.log(`  ${name.padEnd(32)} ${show(spreadOf(values.map(toShown)))}`);
  }
  console.log('  CPU ratios, paired by round: median (least to greatest)');
  for (const [of, to] of ratios) console.log(`    ${ratio(samples, of, to)}`);
}

const usage = `npm run bench:tcp -- [options]
  --work splice,short   a proxy of writes of 64 KB; accept, one request, close
  --rounds 7            interleaved rounds
  --json file           where to save the raw results`;

async function main(): Promise<void> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { work: string, rounds: string, json: string, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    console.log(usage);
    return;
  }
  const rounds = Number(values.rounds ?? '7');
  const wanted = (values.work ?? 'splice,short').split(',');
  const { machine, cores } = begin();
  const results: Record<string, Samples> = {};
  if (wanted.includes('splice')) {
    const samples = (results['splice'] = await run(works.splice, rounds, cores));
    report(
      `proxy, ${flowConnections} connections, writes of 64 KB: CPU-µs per MB`,
      samples,
      (ns) => (ns * 2 ** 20) / 1000,
      [
        ...pipeSizes.map(kindOf).flatMap((kind): [string, string][] => [
          ['node-net', `tripoll splice, ${kind}`],
          ['node-net', `C splice, ${kind}`],
          [`tripoll splice, ${kind}`, `C splice, ${kind}`],
        ]),
        ['node-net', 'tripoll-copy'],
      ],
    );
  }
  if (wanted.includes('short')) {
    const samples = (results['short'] = await run(works.short, rounds, cores));
    report(
      'accept, one request, close: connections per CPU second (deferred: TCP_DEFER_ACCEPT, which node:net has not)',
      samples,
      (ns) => 1e9 / ns,
      [
        ['node-net', 'tripoll'],
        ['node-net', 'C epoll'],
        ['tripoll', 'C epoll'],
        ['node-net', 'tripoll-promises'],
        ['node-net', 'tripoll-deferred'],
        ['node-net', 'C epoll, deferred'],
        ['tripoll-deferred', 'C epoll, deferred'],
      ],
    );
  }
  if (values.json !== undefined) save(values.json, { machine, rounds, cpuNs: results });
}

runCommand(main);
