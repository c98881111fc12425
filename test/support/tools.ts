// Programs beside Node that tests start. tools/test-tools.json says where they come from on each
// system; what has no line there is not for that system. .ci/run installs them all.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import path from 'node:path';
import { describeIf, describeWith, type Register, type RegisterGroup, testIf, testWith } from './applies.js';
import { packageRoot } from './child.js';

/** The other systems have programs of these names with other options. */
const OF_UTIL_LINUX = ['logger', 'script', 'unshare'];

interface Source {
  readonly install: string;
  readonly packages: Readonly<Record<string, string>>;
}

const sources = JSON.parse(readFileSync(path.join(packageRoot, 'tools/test-tools.json'), 'utf8')) as Readonly<
  Record<string, Source>
>;

/** How a tool gets onto this system; undefined where it is not for it. */
function howToInstall(tool: string): string | undefined {
  for (const { install, packages } of [sources[process.platform], sources['npm']].filter(isKnown)) {
    if (packages[tool] !== undefined) return `${install} ${packages[tool]}`;
  }
  return undefined;
}

const isKnown = (source: Source | undefined): source is Source => source !== undefined;

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

/** The first of `tools` that this machine lacks, and how it is installed; '' when it has them all. */
export function missingTool(...tools: readonly string[]): string {
  const missing = tools.find((tool) => !isInstalled(tool));
  if (missing === undefined) return '';
  const how = howToInstall(missing);
  if (how === undefined) throw new Error(`${missing} has no line in tools/test-tools.json`);
  return `${missing} is not installed: ${how}`;
}

/** `test`, or a skip: one of `tools` is not for this system, or not on this machine. */
export function testWithTools(...tools: readonly string[]): Register {
  const foreign = tools.find((tool) => howToInstall(tool) === undefined);
  if (foreign !== undefined) return testIf(false, `there is no such ${foreign} for this system`);
  return testWith(missingTool(...tools));
}

/** The same for a `describe`. */
export function describeWithTools(...tools: readonly string[]): RegisterGroup {
  const foreign = tools.find((tool) => howToInstall(tool) === undefined);
  if (foreign !== undefined) return describeIf(false, `there is no such ${foreign} for this system`);
  return describeWith(missingTool(...tools));
}
