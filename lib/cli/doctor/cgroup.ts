// The limits of this process's control groups: the tightest from its own up to the root, since each
// above it holds too. Version 2, and version 1 where a controller is still on that.
import { numberOf, numbersOf, type Read } from './proc.js';

const MOUNT = '/sys/fs/cgroup';
/** Version 1 says "no limit" by the largest number of whole pages. */
const V1_NO_LIMIT = 2 ** 62;

/** A limit, and what is in use of it there. */
export interface Usage {
  readonly limit: number;
  readonly used: number | undefined;
}

/** The folders from this process's own group up. */
function foldersOf(read: Read, controller: string): string[] {
  const lines = (read('/proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'));
  const v1 = lines.find(([, names = '']) => names.split(',').includes(controller));
  const group = v1 ?? lines.find(([, names]) => names === '');
  if (group === undefined) return [];
  const root = v1 === undefined ? MOUNT : `${MOUNT}/${v1[1]!}`;
  // In a container the path may be the host's, which is not there: then only the root is.
  const parts = group.slice(2).join(':').split('/').filter(Boolean);
  return parts.map((_, i) => `${root}/${parts.slice(0, parts.length - i).join('/')}`).concat(root);
}

function tightest(
  read: Read,
  controller: string,
  limitOf: (folder: string) => number | undefined,
  used: readonly string[],
): Usage | undefined {
  let found: Usage | undefined;
  for (const folder of foldersOf(read, controller)) {
    const limit = limitOf(folder);
    if (limit === undefined || (found !== undefined && found.limit <= limit)) continue;
    const inUse = used.map((file) => numberOf(read, `${folder}/${file}`));
    found = { limit, used: inUse.find((count) => count !== undefined) };
  }
  return found;
}

/** In cores: a quota of time for each period. Undefined where there is no control group to read. */
export function cpuQuota(read: Read): number | undefined {
  const limitOf = (folder: string): number | undefined => {
    const [quota, period] = numbersOf(read, `${folder}/cpu.max`);
    if (quota !== undefined && period !== undefined) return quota / period;
    const quotaUs = numberOf(read, `${folder}/cpu.cfs_quota_us`);
    const periodUs = numberOf(read, `${folder}/cpu.cfs_period_us`);
    if (quotaUs === undefined || periodUs === undefined) return undefined;
    return quotaUs < 0 ? Infinity : quotaUs / periodUs;
  };
  return tightest(read, 'cpu', limitOf, [])?.limit;
}

/** In bytes; the memory of sockets counts. */
export function memoryUsage(read: Read): Usage | undefined {
  const limitOf = (folder: string): number | undefined => {
    const limit = numberOf(read, `${folder}/memory.max`) ?? numberOf(read, `${folder}/memory.limit_in_bytes`);
    return limit !== undefined && limit >= V1_NO_LIMIT ? Infinity : limit;
  };
  return tightest(read, 'memory', limitOf, ['memory.current', 'memory.usage_in_bytes']);
}

/** In threads. */
export function pidsUsage(read: Read): Usage | undefined {
  return tightest(read, 'pids', (folder) => numberOf(read, `${folder}/pids.max`), ['pids.current']);
}
