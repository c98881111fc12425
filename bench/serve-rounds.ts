// The sides of the serving bench, and one measurement of each.
import { Child } from './child.js';
import { runLoad, type Cores, type LoadResult } from './load.js';
import { sideCommand, sideFile } from './paths.js';
import { ServerProcess } from './server-process.js';
import type { UnevenResult } from './sides/uneven-load.js';

export type { UnevenResult };

export const workers = 2;
const graceMs = 40_000;
/** Each worker echoes half of the messages, and has its code compiled by them. */
const warmupSeconds = 1;
const connections = 50;
const sizeBytes = 64;

interface ServeSide {
  readonly label: string;
  readonly file: string;
  readonly args: readonly string[];
}

const runtime = (label: string, strategy: string, driver: 'default' | 'run', count = workers): ServeSide => ({
  label,
  file: 'serve.js',
  args: [strategy, driver, String(count)],
});

/** A server process each, or that and its children. */
export const serveSides = {
  one: runtime('serve, 1 worker', 'balanced', 'default', 1),
  balanced: runtime('serve, balanced', 'balanced', 'default'),
  reuseport: runtime('serve, reuseport', 'reuseport', 'default'),
  'balanced-run': runtime('serve, balanced, run()', 'balanced', 'run'),
  exclusive: runtime('serve, exclusive, run()', 'exclusive', 'run'),
  cluster: { label: 'cluster, node:net', file: 'cluster.js', args: ['node-net', String(workers)] },
  'cluster-tripoll': { label: 'cluster, tripoll', file: 'cluster.js', args: ['tripoll', String(workers)] },
} as const satisfies Record<string, ServeSide>;

export type ServeSideName = keyof typeof serveSides;

/** What runs where. */
export interface Placement {
  readonly title: string;
  readonly isShared: boolean;
}

export const placements: readonly Placement[] = [
  { title: 'server and load on both cores, nothing pinned', isShared: true },
  { title: 'the whole server on one core, the load on the other', isShared: false },
];

const notPinned = -1;

async function withServer<T>(
  name: ServeSideName,
  service: 'echo' | 'uneven',
  cpu: number,
  use: (server: ServerProcess) => Promise<T>,
): Promise<T> {
  const { file, args } = serveSides[name];
  const server = await ServerProcess.launch(name, sideFile(file), [service, ...args, String(cpu)]);
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

export interface EchoSample extends LoadResult {
  readonly side: ServeSideName;
  readonly round: number;
  readonly placement: string;
  readonly cpuUsecPerMessage: number;
}

export async function measureEcho(
  side: ServeSideName,
  round: number,
  placement: Placement,
  seconds: number,
  cores: Cores,
): Promise<EchoSample> {
  const { isShared, title } = placement;
  const shape = { connections, sizeBytes, depth: 1, seconds, warmupSeconds, unpinned: isShared };
  return withServer(side, 'echo', isShared ? notPinned : cores.server, async (server) => {
    const load = await runLoad(server, shape, cores);
    const cpuUsecPerMessage = load.serverCpuUsec / load.messages;
    return { side, round, placement: title, ...load, cpuUsecPerMessage };
  });
}

/** Connections that are not served alike. */
export interface UnevenLoad {
  readonly connections: number;
  readonly heavy: number;
  readonly periodMs: number;
  readonly seconds: number;
}

/** Of all workers together, for a connection; not known of a cluster. */
interface Accepting {
  readonly wakes: number;
  readonly handedOver: number;
  readonly stolen: number;
}

export interface UnevenSample extends UnevenResult {
  readonly side: ServeSideName;
  readonly round: number;
  readonly load: UnevenLoad;
  readonly accepting: Accepting | null;
}

async function inspect(server: ServerProcess, accepted: number): Promise<Accepting> {
  const all = JSON.parse(await server.ask('inspect')) as Accepting[];
  const each = (key: keyof Accepting): number => all.reduce((sum, one) => sum + one[key], 0) / accepted;
  return { wakes: each('wakes'), handedOver: each('handedOver'), stolen: each('stolen') };
}

/** Nothing is pinned: neither fills a core. */
export async function measureUneven(
  side: ServeSideName,
  round: number,
  load: UnevenLoad,
): Promise<UnevenSample> {
  return withServer(side, 'uneven', notPinned, async (server) => {
    const shape = [load.connections, load.heavy, load.periodMs, round, load.seconds];
    const child = new Child('load', ...sideCommand('uneven-load.js', ...[server.port, ...shape].map(String)));
    try {
      const result = JSON.parse(await child.nextLine(load.seconds * 1000 + graceMs)) as UnevenResult;
      const isOurs = serveSides[side].file === 'serve.js';
      const accepting = isOurs ? await inspect(server, load.connections) : null;
      return { side, round, load, ...result, accepting };
    } catch (error) {
      throw await server.explain(error);
    } finally {
      await child.kill();
    }
  });
}
