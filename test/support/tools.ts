// Programs beside Node that tests start. tools/test-tools.json says where they come from; .ci/run
// installs them all.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from './child.js';

/** The other systems have programs of these names with other options. */
const OF_UTIL_LINUX = ['logger', 'script', 'unshare'];

type Installers = Record<'apt' | 'npm', Record<string, string>>;

function howToInstall(tool: string): string {
  const list = readFileSync(path.join(packageRoot, 'tools/test-tools.json'), 'utf8');
  const { apt, npm } = JSON.parse(list) as Installers;
  if (apt[tool] !== undefined) return `apt-get install ${apt[tool]}`;
  if (npm[tool] !== undefined) return `npm install --global ${npm[tool]}`;
  throw new Error(`${tool} has no line in tools/test-tools.json`);
}

function isInPath(tool: string): boolean {
  const names = process.platform === 'win32' ? [`${tool}.exe`, `${tool}.cmd`] : [tool];
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return folders.some((folder) =>
    names.some((name) => {
      try {
        accessSync(path.join(folder, name), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }),
  );
}

function isInstalled(tool: string): boolean {
  if (!isInPath(tool)) return false;
  if (!OF_UTIL_LINUX.includes(tool)) return true;
  return spawnSync(tool, ['--version'], { encoding: 'utf8' }).stdout.includes('util-linux');
}

/**
 * The first of `tools` that this machine lacks, and how it is installed; '' when it has them all.
 * For `testWith`.
 */
export function missingTool(...tools: readonly string[]): string {
  const missing = tools.find((tool) => !isInstalled(tool));
  return missing === undefined ? '' : `${missing} is not installed: ${howToInstall(missing)}`;
}
