// Interleaved rounds of one shape of load over all sides.
import { saturatedCoreShare } from './goals.js';
import { runLoad } from './load.js';
import type { Cores, LoadResult } from './load.js';
import type { Progress } from './progress.js';
import { ServerProcess } from './server-process.js';
import type { SideName } from './sides.js';
import { rotated } from './statistics.js';

const depths = [1, 2, 4, 8, 16];
const calibrationSeconds = 0.5;
const calibrationAttempts = 3; // another process may have had the load's core for a moment

export interface EchoPlan {
  readonly sides: readonly SideName[];
  readonly cores: Cores;
  readonly connections: number;
  readonly sizeBytes: number;
  readonly depth: number | 'calibrated';
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly freshServers: boolean; // a new process in every round
}

export interface Calibration {
  readonly depth: number;
  readonly coreBusy: Partial<Record<SideName, number>>;
  readonly leastBusy: number; // of the sides tried: the first that is not saturated ends a depth
}

export interface Sample extends LoadResult {
  readonly side: SideName;
  readonly round: number;
  readonly cpuUsecPerMessage: number;
  readonly rssBytes: number;
}

export interface EchoResult {
  readonly plan: EchoPlan;
  readonly depth: number;
  readonly calibrations: readonly Calibration[];
  readonly samples: readonly Sample[];
}

class Servers {
  readonly #plan: EchoPlan;
  readonly #running = new Map<SideName, ServerProcess>();

  constructor(plan: EchoPlan) {
    this.#plan = plan;
  }

  async get(side: SideName): Promise<ServerProcess> {
    const running = this.#running.get(side);
    if (running !== undefined) return running;
    const started = await ServerProcess.start(side, this.#plan.cores.server);
    this.#running.set(side, started);
    return started;
  }

  async stop(side: SideName): Promise<void> {
    await this.#running.get(side)?.stop();
    this.#running.delete(side);
  }

  async stopAll(): Promise<void> {
    for (const side of [...this.#running.keys()]) await this.stop(side);
  }
}

async function busiestOf(plan: EchoPlan, server: ServerProcess, depth: number): Promise<number> {
  const shape = { ...plan, depth, seconds: calibrationSeconds };
  let busiest = 0;
  for (let attempt = 0; attempt < calibrationAttempts && busiest < saturatedCoreShare; attempt++) {
    const { serverCoreBusy } = await runLoad(server, shape, plan.cores);
    busiest = Math.max(busiest, serverCoreBusy);
  }
  return busiest;
}

async function tryDepth(
  plan: EchoPlan,
  servers: Servers,
  depth: number,
  progress: Progress,
): Promise<Calibration> {
  const coreBusy: Partial<Record<SideName, number>> = {};
  let leastBusy = 1;
  for (const side of plan.sides) {
    progress.show(`${plan.connections} connections: is the core full at depth ${depth}? ${side}`);
    const busy = await busiestOf(plan, await servers.get(side), depth);
    coreBusy[side] = busy;
    leastBusy = Math.min(leastBusy, busy);
    if (leastBusy < saturatedCoreShare) break;
  }
  return { depth, coreBusy, leastBusy };
}

/** Up to the least depth that fills the server's core for every side. */
async function calibrate(plan: EchoPlan, servers: Servers, progress: Progress): Promise<Calibration[]> {
  const calibrations: Calibration[] = [];
  for (const depth of depths) {
    const calibration = await tryDepth(plan, servers, depth, progress);
    calibrations.push(calibration);
    if (calibration.leastBusy >= saturatedCoreShare) break;
  }
  return calibrations;
}

/** When no depth filled every core, the one that came nearest; the report says so. */
function chooseDepth(calibrations: readonly Calibration[]): number {
  const [first, ...others] = calibrations;
  if (first === undefined) throw new Error('no depth was tried');
  return others.reduce((best, next) => (next.leastBusy > best.leastBusy ? next : best), first).depth;
}

/**
 * Another process may have had a core for the whole of a round: then once more, and not in silence.
 */
async function loadTwiceAtMost(
  plan: EchoPlan,
  servers: Servers,
  side: SideName,
  depth: number,
): Promise<LoadResult> {
  try {
    return await runLoad(await servers.get(side), { ...plan, depth }, plan.cores);
  } catch (error) {
    console.error(`\n${String(error)}\nThis round once more, with a new server.`);
    await servers.stop(side);
    return runLoad(await servers.get(side), { ...plan, depth }, plan.cores);
  }
}

async function measureSide(
  plan: EchoPlan,
  servers: Servers,
  side: SideName,
  depth: number,
  round: number,
): Promise<Sample> {
  const load = await loadTwiceAtMost(plan, servers, side, depth);
  const server = await servers.get(side);
  const sample = {
    side,
    round,
    ...load,
    cpuUsecPerMessage: load.serverCpuUsec / load.messages,
    rssBytes: server.rssBytes(),
  };
  if (plan.freshServers) await servers.stop(side);
  return sample;
}

async function measureRounds(
  plan: EchoPlan,
  servers: Servers,
  depth: number,
  progress: Progress,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    for (const side of rotated(plan.sides, round)) {
      progress.show(
        `${plan.connections} connections, depth ${depth}: round ${round + 1} of ${plan.rounds}, ${side}`,
      );
      samples.push(await measureSide(plan, servers, side, depth, round));
    }
  }
  return samples;
}

export async function measureEcho(plan: EchoPlan, progress: Progress): Promise<EchoResult> {
  const servers = new Servers(plan);
  try {
    const calibrations = plan.depth === 'calibrated' ? await calibrate(plan, servers, progress) : [];
    const depth = plan.depth === 'calibrated' ? chooseDepth(calibrations) : plan.depth;
    if (plan.freshServers) await servers.stopAll();
    const samples = await measureRounds(plan, servers, depth, progress);
    return { plan, depth, calibrations, samples };
  } finally {
    await servers.stopAll();
  }
}
