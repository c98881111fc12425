// Resident memory for a connection that has echoed one message and is silent since: in a fresh
// server the RSS with 2000 open, after a collection, and the RSS with all, by what it grew. From
// none to 2000 the runtime's own compiler comes into memory, some MB that are no connection's. Then
// the CPU time that the server takes while nothing happens.
import { setTimeout } from 'node:timers/promises';
import { withIdleConnections } from './load.js';
import type { Cores } from './load.js';
import type { Progress } from './progress.js';
import { ServerProcess } from './server-process.js';
import type { SideName } from './sides.js';

const fewConnections = 2000;
const idleMs = 2000;

export interface IdleSample {
  readonly side: SideName;
  readonly round: number;
  readonly connections: number;
  readonly bytesPerConnection: number;
  /** CPU time in a second of silence, all connections open. */
  readonly idleCpuUsecPerSecond: number;
}

type Measured = Pick<IdleSample, 'bytesPerConnection' | 'idleCpuUsecPerSecond'>;

async function rssAfterGc(server: ServerProcess): Promise<number> {
  await server.collectGarbage();
  return server.rssBytes();
}

async function idleCpuUsecPerSecond(server: ServerProcess): Promise<number> {
  const before = server.cpuNs();
  await setTimeout(idleMs);
  return (server.cpuNs() - before) / idleMs;
}

async function measureServer(server: ServerProcess, connections: number, cores: Cores): Promise<Measured> {
  const before = await withIdleConnections(server, fewConnections, cores, () => rssAfterGc(server));
  return withIdleConnections(server, connections, cores, async () => {
    const after = await rssAfterGc(server);
    return {
      bytesPerConnection: (after - before) / (connections - fewConnections),
      idleCpuUsecPerSecond: await idleCpuUsecPerSecond(server),
    };
  });
}

export async function measureIdleRss(
  names: readonly SideName[],
  connections: number,
  rounds: number,
  cores: Cores,
  progress: Progress,
): Promise<IdleSample[]> {
  if (connections <= fewConnections) {
    throw new RangeError(`--idle-connections must be more than ${fewConnections}, got ${connections}`);
  }
  const samples: IdleSample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const side of names) {
      progress.show(`${connections} idle connections: round ${round + 1} of ${rounds}, ${side}`);
      const server = await ServerProcess.start(side, cores.server);
      try {
        samples.push({ side, round, connections, ...(await measureServer(server, connections, cores)) });
      } finally {
        await server.stop();
      }
    }
  }
  return samples;
}
