// `tripoll bench`: what a message costs a server on tripoll, and one on node:net, on this machine.
import { integer, type Output, type Values } from '../arguments.js';
import { measure, type Load, type Round } from './load.js';
import { Side, type SideName } from './sides.js';

const SIDES: readonly SideName[] = ['tripoll', 'node:net'];
/** Rounds that are not counted: V8 compiles what is hot in them. */
const WARM_UP: Partial<Load> = { seconds: 0.5 };

type Figure = keyof Round;

function limits(values: Values): Load & { rounds: number } {
  return {
    connections: integer(values, 'connections', 1, 10_000),
    bytes: integer(values, 'bytes', 1, 1_000_000),
    rounds: integer(values, 'rounds', 1, 100),
    seconds: integer(values, 'seconds', 1, 60),
  };
}

/** Of each side, round by round, by turns: what disturbs the machine meets both. */
async function compare(load: Load, rounds: number): Promise<Map<SideName, Round[]>> {
  const sides: Side[] = [];
  try {
    for (const name of SIDES) sides.push(await Side.start(name));
    const results = new Map<SideName, Round[]>(SIDES.map((name) => [name, []]));
    for (const side of sides) await measure(side, { ...load, ...WARM_UP });
    for (let i = 0; i < rounds; i++)
      for (const side of sides) results.get(side.name)!.push(await measure(side, load));
    return results;
  } finally {
    for (const side of sides) side.stop();
  }
}

function sorted(rounds: readonly Round[], figure: Figure): number[] {
  return rounds.map((round) => round[figure]).sort((a, b) => a - b);
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const half = Math.floor(values.length / 2);
  return values.length % 2 === 1 ? values[half]! : (values[half - 1]! + values[half]!) / 2;
}

function medians(rounds: readonly Round[]): Record<Exclude<Figure, 'messages'>, number> {
  const of = (figure: Figure): number => median(sorted(rounds, figure));
  return {
    cpuUsPerMessage: of('cpuUsPerMessage'),
    messagesPerSecond: of('messagesPerSecond'),
    p50Us: of('p50Us'),
    p99Us: of('p99Us'),
  };
}

function row(cells: readonly string[]): string {
  const widths = [10, 26, 14, 14, 10, 10];
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('');
}

function describe({ connections, bytes, seconds }: Load, results: Map<SideName, Round[]>): string {
  const base = medians(results.get('node:net')!).cpuUsPerMessage;
  const rows = [...results].map(([name, rounds]) => {
    const { cpuUsPerMessage, messagesPerSecond, p50Us, p99Us } = medians(rounds);
    const all = sorted(rounds, 'cpuUsPerMessage');
    const spread = `(${all[0]!.toFixed(2)} to ${all.at(-1)!.toFixed(2)})`;
    return row([
      name,
      `${cpuUsPerMessage.toFixed(2)} µs ${spread}`,
      (cpuUsPerMessage / base).toFixed(2),
      messagesPerSecond.toFixed(0),
      `${p50Us.toFixed(0)} µs`,
      `${p99Us.toFixed(0)} µs`,
    ]);
  });
  const count = [...results.values()][0]!.length;
  return [
    `TCP echo: ${bytes} bytes, ${connections} connections, ${count} rounds of ${seconds} s by turns; medians, and the range`,
    row(['server', 'CPU a message', 'node:net = 1', 'messages a s', 'p50', 'p99']),
    ...rows,
    'The load runs on this machine too: compare the rows, and nothing else.',
  ].join('\n');
}

/** Compares, and prints a table or JSON. @throws what ends a server or a connection */
export async function bench(values: Values, output: Output): Promise<number> {
  const { rounds, ...load } = limits(values);
  const results = await compare(load, rounds);
  if (values['json'] !== true) output.print(describe(load, results));
  else {
    const sides = Object.fromEntries(
      [...results].map(([name, each]) => [name, { medians: medians(each), rounds: each }]),
    );
    output.print(JSON.stringify({ ...load, sides }, null, 2));
  }
  return 0;
}
