import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { packageRoot } from './child.js';

export interface NamespaceOptions {
  /** For unshare(1). */
  flags?: string;
  env?: NodeJS.ProcessEnv;
  timeoutMs?: number;
}

/** A shell's command in a network namespace of its own, which goes with it; `words` are its `$0`, `$1` and on. */
export function inNamespace(
  command: string,
  words: readonly string[] = [],
  { flags = '-n', env, timeoutMs = 15_000 }: NamespaceOptions = {},
): SpawnSyncReturns<string> {
  return spawnSync('unshare', [flags, 'sh', '-c', command, ...words], {
    cwd: packageRoot,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: timeoutMs,
  });
}

/** Why no namespace can be made here in which `setup` succeeds; '' when one can. */
export function whyNoNamespace(setup: string): string {
  const { error, status, stderr } = inNamespace(setup);
  if (error !== undefined) return error.message;
  return status === 0 ? '' : stderr.trim() || `${setup}: exit code ${status}`;
}
