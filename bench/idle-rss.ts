// Resident memory for a connection that has echoed one message and is silent since: fresh server, collection,
// RSS; then all the connections, collection, RSS.
import { withIdleConnections } from './load.js';
import type { Cores } from './load.js';
import type { Progress } from './progress.js';
import { ServerProcess } from './server-process.js';
import type { SideName } from './sides.js';

const warmupConnections = 100;

export interface IdleSample {
  readonly side: SideName;
  readonly round: number;
  readonly connections: number;
  readonly bytesPerConnection: number;
}

async function rssAfterGc(server: ServerProcess): Promise<number> {
  await server.collectGarbage();
  return server.rssBytes();
}

async function measureServer(server: ServerProcess, connections: number, cores: Cores): Promise<number> {
  await withIdleConnections(server, warmupConnections, cores, () => Promise.resolve());
  const before = await rssAfterGc(server);
  const after = await withIdleConnections(server, connections, cores, () => rssAfterGc(server));
  return (after - before) / connections;
}

export async function measureIdleRss(
  names: readonly SideName[],
  connections: number,
  rounds: number,
  cores: Cores,
  progress: Progress,
): Promise<IdleSample[]> {
  const samples: IdleSample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const side of names) {
      progress.show(`${connections} idle connections: round ${round + 1} of ${rounds}, ${side}`);
      const server = await ServerProcess.start(side, cores.server);
      try {
        const bytesPerConnection = await measureServer(server, connections, cores);
        samples.push({ side, round, connections, bytesPerConnection });
      } finally {
        await server.stop();
      }
    }
  }
  return samples;
}
