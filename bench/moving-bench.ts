// CPU of moving live connections between two threads, while they echo: what the server takes beyond
// what its echoes take without moves, for each move. Each byte is looked at.
//   node out/bench/moving-bench.js [--connections 10000] [--moves 4] [--rounds 5] [--json file]
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Child } from './child.js';
import { runCommand, save } from './command.js';
import type { Cores } from './load.js';
import { chooseCores, describeMachine } from './machine.js';
import { sideCommand } from './paths.js';
import { rotated, spreadOf, type Spread } from './statistics.js';

const styles = ['handlers', 'promises'] as const;
const startTimeoutMs = 60_000;
const runTimeoutMs = 60_000;
const quietMs = 3000;
const messagesPerSecond = 4000;
const requiredUsec = 60;
const stretchUsec = 25;

interface Sample {
  readonly style: string;
  readonly usecPerMove: number;
  readonly usecPerEcho: number;
  readonly echoesWhileMoving: number;
  readonly checkedMessages: number;
}

interface Work {
  readonly cpuNs: number;
  readonly echoes: number;
}

async function workOf(server: Child): Promise<Work> {
  server.send('count');
  return { echoes: await server.nextNumber('echoed', runTimeoutMs), cpuNs: server.cpuNs() };
}

const since = (before: Work, after: Work): Work => ({
  cpuNs: after.cpuNs - before.cpuNs,
  echoes: after.echoes - before.echoes,
});

async function measure(style: string, connections: number, moves: number, cores: Cores): Promise<Sample> {
  const server = new Child(style, ...sideCommand('moving-server.js', style, String(connections)));
  let load: Child | null = null;
  try {
    const port = await server.nextNumber('port', startTimeoutMs);
    const counts = [port, connections, messagesPerSecond, cores.load].map(String);
    load = new Child('moving-load', ...sideCommand('moving-load.js', ...counts));
    await load.nextNumber('ready', startTimeoutMs);
    await server.nextNumber('ready', startTimeoutMs);
    load.send('go');
    await setTimeout(quietMs);
    // Once for the compiler's sake.
    await move(server);
    const first = await workOf(server);
    await setTimeout(quietMs);
    const quiet = await workOf(server);
    for (let i = 0; i < moves; i++) await move(server);
    const moving = since(quiet, await workOf(server));
    const still = since(first, quiet);
    load.send('stop');
    const checkedMessages = await load.nextNumber('checked', runTimeoutMs);
    const nsPerEcho = still.cpuNs / still.echoes;
    return {
      style,
      usecPerMove: (moving.cpuNs - moving.echoes * nsPerEcho) / (moves * connections) / 1000,
      usecPerEcho: nsPerEcho / 1000,
      echoesWhileMoving: moving.echoes,
      checkedMessages,
    };
  } finally {
    await Promise.all([server.kill(), load?.kill()]);
  }
}

async function move(server: Child): Promise<void> {
  server.send('move');
  await server.nextNumber('moved', runTimeoutMs);
}

const show = ({ median, min, max }: Spread): string =>
  `${median.toFixed(1)} (${min.toFixed(1)} to ${max.toFixed(1)})`;

function report(samples: readonly Sample[], connections: number, moves: number): void {
  console.log(
    `${connections} connections under load, moved ${moves} times: CPU-µs, median (least to greatest)`,
  );
  for (const style of styles) {
    const mine = samples.filter((sample) => sample.style === style);
    const spread = spreadOf(mine.map(({ usecPerMove }) => usecPerMove));
    const goal =
      spread.median <= stretchUsec ? 'stretch met' : spread.median <= requiredUsec ? 'met' : 'missed';
    const echoes = mine.reduce((sum, { echoesWhileMoving }) => sum + echoesWhileMoving, 0);
    console.log(
      `  ${style.padEnd(10)} a move ${show(spread)}, at most ${requiredUsec} (${stretchUsec}): ${goal}; ` +
        `an echo ${show(spreadOf(mine.map(({ usecPerEcho }) => usecPerEcho)))}; ${echoes} echoes meanwhile`,
    );
  }
  const checked = samples.reduce((sum, { checkedMessages }) => sum + checkedMessages, 0);
  console.log(`  ${checked} messages checked: no byte lost, wrong or doubled`);
}

const usage = `npm run bench:moving -- [options]
  --connections 10000   --moves 4   how often all of them move in a round
  --rounds 5            interleaved rounds
  --json file           where to save the raw results`;

async function main(): Promise<void> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      connections: string,
      moves: string,
      rounds: string,
      json: string,
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    console.log(usage);
    return;
  }
  const connections = Number(values.connections ?? '10000');
  const moves = Number(values.moves ?? '4');
  const rounds = Number(values.rounds ?? '5');
  if (process.platform !== 'linux') throw new Error('CPU times are read from /proc: it needs Linux');
  const machine = describeMachine();
  console.log(Object.values(machine).join(' · '));
  // Nothing but the load is pinned: the server is two threads.
  const cores = chooseCores();
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const style of rotated(styles, round)) samples.push(await measure(style, connections, moves, cores));
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  report(samples, connections, moves);
  if (values.json !== undefined) save(values.json, { machine, connections, moves, rounds, samples });
}

runCommand(main);
