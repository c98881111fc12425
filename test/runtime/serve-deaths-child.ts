// Terminates workers of a runtime that serves at random moments, while clients connect and send.
// Arguments: a plan as JSON. Prints what it saw.
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Runtime, type Server, type ServeTarget } from '#lib/runtime/index';
import { openedSince, openFds } from '../support/fds.js';
import { Random } from '../support/random.js';
import { terminateAtRandom } from './random-deaths.js';
import type * as tasks from './serve-tasks.js';

export interface ServeDeathsPlan {
  readonly deaths: number;
  readonly seed: number;
  readonly driver: 'default' | 'run';
  readonly strategy: NonNullable<ServeTarget['strategy']>;
  readonly name: 'greet' | 'greeter';
}

export interface ServeDeathsReport {
  readonly restarts: number;
  /** Clients by their end: 'echo', 'closed', or what must not be. */
  readonly ends: Record<string, number>;
  /** Of clients that came after the last death. */
  readonly after: Record<string, number>;
  /** Connections that the server counts when no client is left. */
  readonly leftCounted: number;
  readonly leftOpen: readonly string[];
}

const WORKERS = 3;
const LANES = 12;
const AFTER = 20;
const HUNG_MS = 10_000;

const plan = JSON.parse(process.argv[2] ?? '') as ServeDeathsPlan;
const random = new Random(plan.seed);
const gone = new Set(['ECONNRESET', 'EPIPE']);
let going = true;

async function until(condition: () => boolean): Promise<boolean> {
  const end = performance.now() + HUNG_MS;
  while (!condition() && performance.now() < end) await wait(1);
  return condition();
}

/** One connection, which sends a line: how it ended. */
function echoOnce(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let [seen, end, connected] = ['', 'closed', false];
    socket.setEncoding('utf8').setTimeout(HUNG_MS, () => {
      end = `hung, ${connected ? 'connected' : 'not connected'}, having seen ${JSON.stringify(seen)}`;
      socket.destroy();
    });
    socket.on('connect', () => {
      connected = true;
      socket.write(text);
    });
    socket.on('data', (chunk: string) => {
      seen += chunk;
      // The greeting, a line, and then what it has sent.
      const echo = seen.slice(seen.indexOf('\n') + 1);
      if (!seen.includes('\n') || (echo.length < text.length && text.startsWith(echo))) return;
      end = echo === text ? 'echo' : `other bytes: ${seen}`;
      socket.destroy();
    });
    socket.on('error', ({ code = '' }: NodeJS.ErrnoException) => (end = gone.has(code) ? 'closed' : code));
    socket.on('close', () => resolve(end));
  });
}

function count(ends: Record<string, number>, end: string): void {
  ends[end] = (ends[end] ?? 0) + 1;
}

async function lane(port: number, ends: Record<string, number>): Promise<void> {
  for (let n = 0; going; n++) count(ends, await echoOnce(port, `line ${n}\n`));
}

const listensOnAll = (server: Server): boolean =>
  server.inspect().workers.every(({ listening }) => listening);

async function run(deaths: number): Promise<Omit<ServeDeathsReport, 'leftOpen'>> {
  going = true;
  const { driver, strategy, name } = plan;
  const entry = path.join(__dirname, 'serve-tasks.js');
  const runtime = new Runtime<typeof tasks>({ workers: WORKERS, entry, driver, maxRestarts: 1e9 });
  const server = await runtime.serve({ host: '127.0.0.1', port: 0, strategy }, name);
  const { port } = server.address;
  const [ends, after]: Record<string, number>[] = [{}, {}];
  const lanes = Array.from({ length: LANES }, () => lane(port, ends!));
  await terminateAtRandom(runtime, deaths, random);
  going = false;
  await Promise.all(lanes);
  await until(() => listensOnAll(server));
  const last = Array.from({ length: AFTER }, (_, n) => echoOnce(port, `last ${n}\n`));
  for (const end of await Promise.all(last)) count(after!, end);
  await until(() => server.inspect().open === 0);
  const leftCounted = server.inspect().open;
  const restarts = runtime.inspect().workers.reduce((sum, each) => sum + each.restarts, 0);
  await server.close();
  await runtime.close();
  return { restarts, ends: ends!, after: after!, leftCounted };
}

async function main(): Promise<void> {
  // What the process opens for its first threads stays.
  await run(2);
  const fds = openFds();
  const report: ServeDeathsReport = { ...(await run(plan.deaths)), leftOpen: [] };
  await until(() => openedSince(fds).length === 0);
  console.log(JSON.stringify({ ...report, leftOpen: openedSince(fds) }));
}

void main();
