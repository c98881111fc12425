// A native file that no build compiles is dead, and one listed twice does not link: the one list
// names each file once.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { runScript } from '../support/child.js';

const root = join(__dirname, '../../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

test('native/sources.json names every native source once, and no other', () => {
  const { folders, ...lists } = JSON.parse(read('native/sources.json')) as Record<string, string[]> & {
    folders: Record<string, string[]>;
  };
  const listed = Object.values(lists as Record<string, string[]>).flat();
  const present = readdirSync(join(root, 'native'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.cc'))
    .map((name) => `native/${name.replaceAll('\\', '/')}`);
  expect(listed.sort()).toEqual(present.sort());
  const used = new Set(Object.values(folders).flat());
  expect([...used].sort()).toEqual(Object.keys(lists).sort());
});

test('both builds read that list, and name no source themselves', () => {
  for (const [file, reader] of [
    ['native/binding.gyp', 'list-sources.cjs'],
    ['CMakeLists.txt', 'native/sources.json'],
  ] as const) {
    expect(read(file)).toContain(reader);
    expect(read(file)).not.toMatch(/[\w/]+\.cc\b/);
  }
});

test('node-gyp in the repository builds what the package builds', () => {
  expect(read('binding.gyp')).toContain('"dependencies": ["native/binding.gyp:tripoll"]');
});

test('a build that fails says why, under npm run --silent too', () => {
  const env = { PATH: '', npm_config_loglevel: 'silent' };
  const args = [join(root, 'bin/tripoll.cjs'), 'build', '--keep'];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('find Python') as string });
});

/** Second names, which node:net has. */
const aliases: Readonly<Record<string, string>> = { Stream: 'Socket', createConnection: 'connect' };

/** 'tripoll', 'tripoll/net' and so on. */
const entries = Object.entries(
  (JSON.parse(read('package.json')) as { exports: Record<string, unknown> }).exports,
)
  // `tripoll/register` has no exports.
  .filter(([name, target]) => typeof target === 'object' && name !== './register')
  .map(([name]) => `tripoll${name.slice(1)}`);

test('the bundle is one: an entry and a module of it hand out the same objects, under the names they were written with', () => {
  const load = (name: string): Record<string, unknown> =>
    createRequire(__filename)(name) as Record<string, unknown>;
  expect(load('tripoll')['Reactor']).toBe(load('#lib/reactor/reactor')['Reactor']);
  for (const entry of entries) {
    const functions = Object.entries(load(entry)).filter(([, value]) => typeof value === 'function');
    expect(functions.length).toBeGreaterThan(0);
    expect(functions.map(([, value]) => (value as { name: string }).name)).toEqual(
      functions.map(([name]) => (entry.startsWith('tripoll/node') ? (aliases[name] ?? name) : name)),
    );
  }
});

test.each(entries)('%s exports the same to import as to require', async (entry) => {
  const script = `import(${JSON.stringify(entry)}).then((imported) => {
    const names = Object.keys(imported).filter((name) => name !== 'default' && name !== 'module.exports');
    const required = require(${JSON.stringify(entry)});
    console.log(names.length > 0 && names.every((name) => imported[name] === required[name]), names.length === Object.keys(required).length);
  });`;
  expect(await runScript(script)).toMatchObject({ stdout: 'true true\n', stderr: '' });
});

test("lib/binding/constant-names.ts is what tools/constant-names.cjs makes of native code's tables", () => {
  const { status, stderr } = spawnSync(process.execPath, ['tools/constant-names.cjs', '--check'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test.each(['portability-table', 'matrix'])(
  'docs/portability.md has the table that tools/%s.cjs writes',
  (tool) => {
    const { status, stderr } = spawnSync(process.execPath, [`tools/${tool}.cjs`, '--check'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  },
);
