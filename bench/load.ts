// The native load generator, run once per measurement.
import { Child } from './child.js';
import { loadGenerator } from './paths.js';

const graceMs = 20_000;

export interface Cores {
  readonly server: number;
  readonly load: number;
}

/** What a load is sent to. */
export interface LoadedServer {
  readonly port: number;
  /** Of all its processes: their CPU is added up. */
  readonly pids: readonly number[];
  explain(error: unknown): Promise<Error>;
}

export interface LoadShape {
  readonly connections: number;
  readonly sizeBytes: number;
  readonly depth: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** The load runs where the system puts it, and not on the core that is chosen for it. */
  readonly unpinned?: boolean;
}

const resultFields = [
  'messages',
  'seconds',
  'messagesPerSecond',
  'p50Usec',
  'p99Usec',
  'p999Usec',
  'maxUsec',
  'messagesPerRead',
  'emptyPollShare',
  'loadCpuShare',
  'serverCpuUsec',
  'serverCoreBusy',
  'serverCoreStolen',
] as const;

export type LoadResult = Readonly<Record<(typeof resultFields)[number], number>>;

function parseResult(line: string): LoadResult {
  const parsed = JSON.parse(line) as Partial<Record<string, unknown>>;
  for (const field of resultFields) {
    if (typeof parsed[field] !== 'number') throw new Error(`the load generator gave no ${field}: ${line}`);
  }
  return parsed as LoadResult;
}

export async function runLoad(server: LoadedServer, shape: LoadShape, cores: Cores): Promise<LoadResult> {
  const child = new Child('load generator', loadGenerator, [
    ...['--port', server.port, '--server-cpu', cores.server].map(String),
    ...server.pids.flatMap((pid) => ['--server-pid', String(pid)]),
    ...(shape.unpinned === true ? [] : ['--cpu', String(cores.load)]),
    ...['--connections', shape.connections, '--size', shape.sizeBytes, '--depth', shape.depth].map(String),
    ...['--seconds', shape.seconds, '--warmup-seconds', shape.warmupSeconds].map(String),
  ]);
  const timeoutMs = (shape.seconds + shape.warmupSeconds) * 1000 + graceMs;
  try {
    const result = parseResult(await child.nextLine(timeoutMs));
    await child.finish(graceMs);
    return result;
  } catch (error) {
    throw await server.explain(error);
  }
}

/** Opens connections that have each echoed one message, and holds them while `use` runs. */
export async function withIdleConnections<T>(
  server: LoadedServer,
  connections: number,
  cores: Cores,
  use: () => Promise<T>,
): Promise<T> {
  const child = new Child('idle load generator', loadGenerator, [
    ...['--idle', '--port', server.port, '--connections', connections, '--cpu', cores.load].map(String),
  ]);
  try {
    await child.nextLine(graceMs + connections);
    const result = await use();
    await child.finish(graceMs);
    return result;
  } catch (error) {
    throw await server.explain(error);
  }
}
