import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { testIf, testWith } from './applies.js';
import { packageRoot } from './child.js';
import { slowness } from './platform.js';
import { missingTool } from './tools.js';

export interface NamespaceOptions {
  env?: NodeJS.ProcessEnv;
  timeoutMs?: number;
}

/**
 * Root needs no user namespace around it, which some systems refuse to all; others have no other
 * way.
 */
function flags(): string {
  isRootEnough ??= spawnSync('unshare', ['-n', 'true']).status === 0;
  return isRootEnough ? '-n' : '-rn';
}
let isRootEnough: boolean | undefined;

/**
 * A shell's command in a network namespace of its own, which goes with it; `words` are its `$0`,
 * `$1` and on.
 */
export function inNamespace(
  command: string,
  words: readonly string[] = [],
  { env, timeoutMs = 15_000 }: NamespaceOptions = {},
): SpawnSyncReturns<string> {
  return spawnSync('unshare', [flags(), 'sh', '-c', command, ...words], {
    cwd: packageRoot,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: timeoutMs * slowness,
  });
}

/** What is missing for a namespace in which `setup` succeeds; '' when nothing is. */
function missingFor(setup: string): string {
  const missing = missingTool('unshare', 'ip');
  if (missing !== '') return missing;
  const { error, status, stderr } = inNamespace(setup);
  if (status === 0) return '';
  const said = error?.message ?? stderr.trim().replaceAll(/\s+/g, ' ');
  return `no network namespace, for want of rights: ${said || `${setup}: exit code ${status}`}`;
}

/**
 * `test`, where a network namespace can be made in which `setup` succeeds, and `tools` are
 * installed.
 */
export function testInNamespace(setup: string, ...tools: readonly string[]): ReturnType<typeof testIf> {
  if (process.platform !== 'linux') return testIf(false, 'network namespaces are Linux’');
  return testWith(missingTool(...tools) || missingFor(setup));
}
