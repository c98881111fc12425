'use strict';
// The package as an install has it, with the addons of all systems, for the legs that run on these.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root, runLine } = require('./legs.cjs');

/**
 * Makes all prebuilds, or these targets' (seconds, where nothing has changed), and packs; returns the
 * unpacked folder.
 */
function unpack(targets = []) {
  const folder = path.join(root, 'out/packed');
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const line = `npm pack --silent --ignore-scripts --pack-destination ${JSON.stringify(folder)}`;
  const steps = [
    'npm run --silent build:lib',
    ['npm run --silent prebuild:all --', ...targets].join(' '),
    line,
  ];
  if (!steps.every((step) => runLine(step))) throw new Error('the package was not packed');
  const [tarball] = fs.readdirSync(folder);
  const { status } = spawnSync('tar', ['-xzf', tarball], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error('tar could not unpack the package');
  return path.join(folder, 'package');
}

module.exports = { unpack };
