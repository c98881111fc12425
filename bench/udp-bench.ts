// UDP: CPU time per packet, received and sent, against node:dgram and against C. bench/README.md
// says how.
//   node out/bench/udp-bench.js [--rounds N] [--seconds S] [--json FILE]
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { Child } from './child.js';
import { begin, runCommand, save } from './command.js';
import { saturatedCoreShare } from './goals.js';
import type { Goal } from './goals.js';
import type { Cores } from './load.js';
import { udpPeer } from './paths.js';
import { Progress } from './progress.js';
import { median, pairedRatios, rotated, spreadOf } from './statistics.js';
import { goalRow, percent, renderGoals, renderTable } from './table.js';
import type { UdpResult } from './udp-meter.js';

const graceMs = 20_000;
const warmupS = 0.5;
const smallBytes = 64;
const largeBytes = 1200;
/** As many 1200-byte datagrams as fit one payload of 64 KB. */
const segments = 50;

interface UdpSide {
  readonly label: string;
  /** An entry of bench/sides, or a mode of udp_peer; then its own words. */
  readonly entry: 'udp-receive.js' | 'udp-send.js' | 'udp_peer';
  readonly way: string;
  readonly bytes?: number;
  readonly segments?: number;
}

interface UdpRatio extends Goal {
  readonly of: string;
  readonly to: string;
}

interface UdpPart {
  readonly title: string;
  readonly sides: Readonly<Record<string, UdpSide>>;
  readonly ratios: readonly UdpRatio[];
}

const atLeast = 'at least';
const atMost = 'at most';

const small = { bytes: smallBytes, segments: 1 };
const large = { bytes: largeBytes, segments: 1 };
const joined = { bytes: largeBytes, segments };

const peer = { entry: 'udp_peer' } as const;
const ours = { entry: 'udp-send.js' } as const;

const largeSides: UdpPart['sides'] = {
  cGso: { label: `C, sendmmsg with GSO, ${largeBytes} bytes`, way: 'send', ...peer, ...joined },
  gso: { label: `tripoll sendMany with GSO, ${largeBytes} bytes`, way: 'batches', ...ours, ...joined },
  dgramLarge: { label: `node:dgram, ${largeBytes} bytes`, way: 'dgram', ...ours, ...large },
};

const largeRatios: readonly UdpRatio[] = [
  { of: 'dgramLarge', to: 'gso', stretch: 10, direction: atLeast },
  { of: 'dgramLarge', to: 'cGso', direction: atLeast },
  { of: 'gso', to: 'cGso', direction: atMost },
];

const parts: Readonly<Record<string, UdpPart>> = {
  receive: {
    title: `UDP receive, ${smallBytes} bytes`,
    sides: {
      c: { label: 'C, recvmmsg', entry: 'udp_peer', way: 'receive' },
      handlers: { label: 'tripoll handlers', entry: 'udp-receive.js', way: 'handlers' },
      run: { label: 'tripoll handlers, run()', entry: 'udp-receive.js', way: 'run' },
      promises: { label: 'tripoll recvMany', entry: 'udp-receive.js', way: 'promises' },
      promisesRun: { label: 'tripoll recvMany, run()', entry: 'udp-receive.js', way: 'promises-run' },
      dgram: { label: 'node:dgram', entry: 'udp-receive.js', way: 'dgram' },
    },
    ratios: [
      { of: 'dgram', to: 'handlers', required: 2.5, stretch: 3, direction: atLeast },
      { of: 'dgram', to: 'promises', required: 2.5, stretch: 3, direction: atLeast },
      { of: 'handlers', to: 'c', required: 1.15, stretch: 1.05, direction: atMost },
      { of: 'run', to: 'c', required: 1.15, stretch: 1.05, direction: atMost },
      { of: 'promises', to: 'c', required: 1.15, stretch: 1.05, direction: atMost },
      { of: 'promisesRun', to: 'c', required: 1.15, stretch: 1.05, direction: atMost },
      { of: 'dgram', to: 'c', direction: atMost },
    ],
  },
  send: {
    title: 'UDP send, to a plain socket: on loopback the sender takes segments apart for it',
    sides: {
      c: { label: `C, sendmmsg, ${smallBytes} bytes`, way: 'send', ...peer, ...small },
      batches: { label: `tripoll sendMany, ${smallBytes} bytes`, way: 'batches', ...ours, ...small },
      apart: { label: `  the same, coalesce: false`, way: 'apart', ...ours, ...small },
      dgram: { label: `node:dgram, ${smallBytes} bytes`, way: 'dgram', ...ours, ...small },
      ...largeSides,
    },
    ratios: [
      { of: 'dgram', to: 'batches', required: 4, direction: atLeast },
      { of: 'dgram', to: 'apart', direction: atLeast },
      { of: 'dgram', to: 'c', direction: atLeast },
      { of: 'apart', to: 'c', direction: atMost },
      ...largeRatios,
    ],
  },
  'send-segments': {
    title: 'UDP send, to a socket that takes segments whole (UDP_GRO)',
    sides: largeSides,
    ratios: largeRatios,
  },
};

type Samples = Record<string, UdpResult[]>;

function startSide(name: string, side: UdpSide, core: number, seconds: number, port: number): Child {
  const more = side.bytes === undefined ? [] : [port, side.bytes, side.segments ?? 1];
  const times = [warmupS, seconds];
  if (side.entry === 'udp_peer')
    return new Child(name, udpPeer, [side.way, ...[core, ...times, ...more].map(String)]);
  const entry = path.join(__dirname, 'sides', side.entry);
  return new Child(name, process.execPath, [entry, side.way, ...[...times, ...more, core].map(String)]);
}

async function resultOf(child: Child, seconds: number): Promise<UdpResult> {
  const result = JSON.parse(await child.nextLine(graceMs + (warmupS + seconds) * 1000)) as UdpResult;
  await child.finish(graceMs);
  if (!(result.packets > 0 && result.cpuUsec > 0))
    throw new Error(`nothing was counted: ${JSON.stringify(result)}`);
  return result;
}

async function measureReceive(
  name: string,
  side: UdpSide,
  cores: Cores,
  seconds: number,
): Promise<UdpResult> {
  const child = startSide(name, side, cores.server, seconds, 0);
  const port = await child.nextNumber('port', graceMs);
  const flood = new Child('flood', udpPeer, ['flood', ...[cores.load, port, smallBytes].map(String)]);
  try {
    return await resultOf(child, seconds);
  } finally {
    await flood.kill();
  }
}

async function measureSend(
  name: string,
  side: UdpSide,
  cores: Cores,
  seconds: number,
  takesSegments: boolean,
): Promise<UdpResult> {
  const sink = new Child('sink', udpPeer, ['sink', String(cores.load), takesSegments ? '1' : '0']);
  try {
    const port = await sink.nextNumber('port', graceMs);
    return await resultOf(startSide(name, side, cores.server, seconds, port), seconds);
  } finally {
    await sink.kill();
  }
}

const busyOf = ({ cpuUsec, seconds }: UdpResult) => cpuUsec / 1e6 / seconds;
const nsPerPacket = ({ cpuUsec, packets }: UdpResult) => (cpuUsec * 1000) / packets;

function render(part: UdpPart, samples: Samples, rounds: number, seconds: number): string {
  const of = (name: string) => samples[name] ?? [];
  const rows = Object.entries(part.sides).map(([name, side]) => {
    const ns = spreadOf(of(name).map(nsPerPacket));
    const rate = median(of(name).map(({ packets, seconds: s }) => packets / s));
    const busy = median(of(name).map(busyOf));
    return [
      side.label,
      ns.median.toFixed(0),
      `${ns.min.toFixed(0)}..${ns.max.toFixed(0)}`,
      (rate / 1000).toFixed(0),
      percent(busy),
    ];
  });
  const ratios = part.ratios.map(({ of: a, to: b, ...goal }) => {
    const ratio = pairedRatios(of(a).map(nsPerPacket), of(b).map(nsPerPacket));
    return goalRow(`${part.sides[a]?.label} / ${part.sides[b]?.label}`, ratio, goal, 2);
  });
  const idle = Object.keys(part.sides).filter((name) => median(of(name).map(busyOf)) < saturatedCoreShare);
  const warning = idle.length === 0 ? '' : `NOT SATURATED: ${idle.join(', ')}\n`;
  return (
    `\n${part.title}: ${rounds} rounds of ${seconds} s, new processes\n${warning}\n` +
    renderTable(['side', 'CPU-ns/packet', 'min..max', 'kpackets/s', 'CPU'], rows) +
    `\n  CPU per packet, ratio in the same round\n` +
    renderGoals(ratios)
  );
}

async function measurePart(
  name: string,
  part: UdpPart,
  cores: Cores,
  plan: { rounds: number; seconds: number },
  progress: Progress,
): Promise<Samples> {
  const names = Object.keys(part.sides);
  const samples: Samples = Object.fromEntries(names.map((side) => [side, []]));
  const measure = (sideName: string, side: UdpSide): Promise<UdpResult> =>
    name === 'receive'
      ? measureReceive(sideName, side, cores, plan.seconds)
      : measureSend(sideName, side, cores, plan.seconds, name === 'send-segments');
  for (let round = 0; round < plan.rounds; round++) {
    for (const side of rotated(names, round)) {
      progress.show(`${name}: round ${round + 1} of ${plan.rounds}, ${side}`);
      const entry = part.sides[side];
      if (entry !== undefined) samples[side]?.push(await measure(side, entry));
    }
  }
  return samples;
}

const usage = `npm run bench:udp -- [options]
  --rounds 7    interleaved rounds
  --seconds 2   of each side in a round
  --json file   where to save the raw results`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '7' },
      seconds: { type: 'string', default: '2' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const plan = { rounds: Number(values.rounds), seconds: Number(values.seconds) };
  if (!(plan.rounds >= 1 && plan.seconds > 0)) throw new Error('--rounds and --seconds are positive numbers');
  const { machine, cores } = begin();
  const progress = new Progress();
  const results: Record<string, Samples> = {};
  for (const [name, part] of Object.entries(parts)) {
    results[name] = await measurePart(name, part, cores, plan, progress);
    progress.clear();
    process.stdout.write(render(part, results[name], plan.rounds, plan.seconds));
  }
  if (values.json !== undefined)
    save(values.json, { date: new Date().toISOString(), machine, plan, results });
}

runCommand(main);
