import { existsSync, readFileSync } from 'node:fs';
import * as os from 'node:os';
import { checkResult, loadPeersAddon } from './peers-addon.js';
import type { Cores } from './load.js';

export function describeMachine(): Record<string, string | number> {
  return {
    cpuModel: os.cpus()[0]?.model ?? 'unknown',
    cpus: os.cpus().length,
    memoryMb: Math.round(os.totalmem() / 2 ** 20),
    kernel: `${os.type()} ${os.release()} ${os.machine()}`,
    node: process.version,
    libuv: process.versions.uv,
  };
}

// "0-1,4" -> 0, 1, 4
function parseCpuList(text: string): number[] {
  return text.split(',').flatMap((range) => {
    const [first = NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

function siblingsOf(cpu: number): number[] {
  const file = `/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`;
  return existsSync(file) ? parseCpuList(readFileSync(file, 'utf8').trim()) : [cpu];
}

/** Two cores that this process may use, not two threads of one core if that can be had. */
export function chooseCores(): Cores {
  const allowed = loadPeersAddon().allowedCpus();
  if (typeof allowed === 'number') throw new Error(`sched_getaffinity: ${allowed}`);
  const [server, ...others] = allowed;
  if (server === undefined) throw new Error('this process may use no core');
  const load = others.find((cpu) => !siblingsOf(server).includes(cpu)) ?? others[0];
  if (load === undefined)
    throw new Error('the benchmark needs two cores: one for the server, one for the load');
  return { server, load };
}

/**
 * The runner sleeps while a side is measured; what little it does is kept off the server's core.
 */
export function pinRunner(cores: Cores): void {
  checkResult(loadPeersAddon().pinAllThreads(cores.load), 'sched_setaffinity');
}
