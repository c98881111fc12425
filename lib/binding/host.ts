// What a report says of the machine that it was made on.
import { availableParallelism, release } from 'node:os';

export { tmpdir as temporaryFolder } from 'node:os';

/** The machine and the runtime, in words. */
export interface Host {
  /** As `process.platform` and `process.arch`. */
  readonly platform: string;
  /** Of the system's kernel. */
  readonly release: string;
  /** 'node 22.1.0', or Bun's or Deno's. */
  readonly runtime: string;
  /** How many cores this process may use, to the runtime's knowledge. */
  readonly cores: number;
}

/** The machine and the runtime, in words. */
export function describeHost(): Host {
  const versions: Record<string, string | undefined> = process.versions;
  const name = ['bun', 'deno'].find((other) => versions[other] !== undefined) ?? 'node';
  return {
    platform: `${process.platform}-${process.arch}`,
    release: release(),
    runtime: `${name} ${versions[name] ?? ''}`,
    cores: availableParallelism(),
  };
}

/** Soft limit of open files, as the runtime's own report has it; undefined where it tells none. */
export function openFilesLimit(): number | undefined {
  const report: unknown = process.report?.getReport?.();
  const { userLimits } = (report ?? {}) as { userLimits?: { open_files?: { soft: number | 'unlimited' } } };
  const soft = userLimits?.open_files?.soft;
  return soft === 'unlimited' ? Infinity : soft;
}
