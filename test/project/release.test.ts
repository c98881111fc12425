// What is published is what CHANGELOG.md says: a release without its section, or without an addon,
// is refused.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { packageRoot } from '../support/child.js';
import { temporaryFolder } from '../support/folders.js';

const { TARGETS } = createRequire(__filename)(path.join(packageRoot, 'tools/cross/targets.cjs')) as {
  TARGETS: readonly { readonly prebuild?: string }[];
};

const CHANGES = '# Changes\n\n## Unreleased\n\n- A thing.\n\n## 0.1.0\n\nThe first.\n';

/** A project to release, and `release` in it: what it says, and '' when all is well. */
function makeProject(): { folder: string; release: (...args: string[]) => string } {
  const folder = temporaryFolder();
  const put = (name: string, text: string): void => {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  };
  put('CHANGELOG.md', CHANGES);
  put('package.json', JSON.stringify({ name: 'x', version: '0.1.0' }, null, 2));
  const lock = { version: '0.1.0', packages: { '': { version: '0.1.0' }, y: { version: '0.1.0' } } };
  put('package-lock.json', JSON.stringify(lock, null, 2));
  for (const { prebuild } of TARGETS) if (prebuild !== undefined) put(`prebuilds/${prebuild}`, '');
  const script = path.join(packageRoot, 'tools/release.cjs');
  const env = { ...process.env, TRIPOLL_RELEASE_ROOT: folder, GITHUB_REF_TYPE: '' };
  const release = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      env,
      encoding: 'utf8',
    });
    expect(status === 0).toBe(stderr === '');
    return stderr + stdout;
  };
  return { folder, release };
}

test('what is unreleased becomes the section of a version, which can then be published', () => {
  const { folder, release } = makeProject();
  expect(release('check')).toContain('unreleased');
  expect(release('prepare', '0.2.0')).toBe('');
  const changes = readFileSync(path.join(folder, 'CHANGELOG.md'), 'utf8');
  expect(changes).toMatch(/^## Unreleased\n\n## 0\.2\.0 \(\d{4}-\d\d-\d\d\)\n\n- A thing\.$/m);
  expect(release('notes')).toBe('- A thing.\n');
  expect(release('check')).toBe('');
  const lock = JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8')) as object;
  expect(lock).toEqual({
    ...{ version: '0.2.0' },
    packages: { '': { version: '0.2.0' }, y: { version: '0.1.0' } },
  });
});

test('a version twice, and one that is none, are refused', () => {
  const { release } = makeProject();
  expect(release('prepare', '0.1.0')).toContain('already');
  expect(release('prepare', 'next')).toContain('usage');
});

test('a release without an addon is refused, by its name', () => {
  const { folder, release } = makeProject();
  release('prepare', '0.2.0');
  const missing = path.join('prebuilds', 'darwin-arm64');
  spawnSync('rm', ['-r', path.join(folder, missing)]);
  expect(release('check')).toContain('prebuilds/ lacks darwin-arm64/tripoll.node');
});

test('npm asks before it publishes', () => {
  const { scripts } = JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8')) as {
    scripts: Readonly<Record<string, string>>;
  };
  expect(scripts['prepublishOnly']).toBe('node tools/release.cjs check');
});
