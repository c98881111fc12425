// What npm packs: nothing runs at an install, nothing is missing, and nothing else slips in.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../support/child.js';

interface Packed {
  readonly files: readonly { readonly path: string }[];
  readonly size: number;
}

const read = (file: string): string => readFileSync(join(packageRoot, file), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  scripts: Readonly<Record<string, string>>;
  exports: Readonly<Record<string, unknown>>;
  bin: string;
  dependencies?: unknown;
};

function pack(): Packed {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const { stdout, stderr } = spawnSync('npm', args, { cwd: packageRoot, encoding: 'utf8', shell: true });
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as Packed[])[0]!;
}

/** All that may be in it. */
const ALLOWED = [
  /^(LICENSE|README\.md|package\.json)$/,
  /^dist\/[\w/-]+\.(js|mjs|d\.ts|d\.mts)$/,
  /^bin\/tripoll\.cjs$/,
  /^native\/[\w/]+\.(cc|h)$/,
  /^native\/(binding\.gyp|list-sources\.cjs|sources\.json)$/,
  /^prebuilds\/(linux-(x64|arm64)\/tripoll\.(glibc|musl)|(darwin-(x64|arm64)|freebsd-x64|win32-x64)\/tripoll)\.node$/,
  /^docs\/([\w-]+\/)?[\w-]+\.(md|svg)$/,
];

const packed = pack();
const files = packed.files.map(({ path }) => path);

test('nothing else is in it than what is listed here', () => {
  expect(files.filter((file) => !ALLOWED.some((pattern) => pattern.test(file)))).toEqual([]);
});

test('every entry and its types, the command, and all that it compiles are in it', () => {
  const targets = [...read('package.json').matchAll(/"\.\/(dist\/[^"*]+)"/g)].map(([, file]) => file!);
  expect(targets.length).toBeGreaterThanOrEqual(4 * (Object.keys(manifest.exports).length - 1));
  const { folders, ...lists } = JSON.parse(read('native/sources.json')) as Record<string, string[]>;
  expect(folders).toBeDefined();
  const built = ['native/binding.gyp', 'native/list-sources.cjs', 'native/sources.json'];
  const needed = [...targets, manifest.bin.slice(2), ...built, ...Object.values(lists).flat()];
  expect(needed.filter((file) => !files.includes(file))).toEqual([]);
});

// Of a script npm 12 blocks it, pnpm 12 fails the install, others warn; and a binding.gyp at the
// root is one.
test('an install runs nothing, and brings nothing else', () => {
  const runAtInstall = ['preinstall', 'install', 'postinstall', 'preprepare', 'prepare', 'postprepare'];
  expect(runAtInstall.filter((name) => name in manifest.scripts)).toEqual([]);
  expect(files.filter((file) => /^[^/]*\.gyp$/.test(file))).toEqual([]);
  expect(manifest.dependencies).toBeUndefined();
});

test('it is small', () => {
  // The sources, declarations and pages are 600 KB, each of the eight prebuilds 150 to 180 KB.
  expect(packed.size).toBeLessThan(2_000_000);
});
