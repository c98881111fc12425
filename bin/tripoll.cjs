#!/usr/bin/env node
'use strict';
// `npx tripoll build`: compiles the addon for this machine, where the package has none that fits.
// It takes a C++17 compiler, make and Python (on Windows: Visual Studio's build tools), and the
// node-gyp that comes with npm or pnpm, or that is installed beside this package.
// --keep leaves what the compiler has made, so that the next build takes only what has changed.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const usage = 'usage: tripoll build [--keep]    compiles the addon for this machine';

function fail(message) {
  console.error(`tripoll: ${message}`);
  process.exit(1);
}

/** Ours in the repository, the project's own, what the package manager says, npm's beside Node. */
function findNodeGyp() {
  for (const from of [root, process.cwd()]) {
    try {
      return require.resolve('node-gyp/bin/node-gyp.js', { paths: [from] });
    } catch {
      // Not there.
    }
  }
  const bundled = 'node_modules/npm/node_modules/node-gyp/bin/node-gyp.js';
  const folder = path.dirname(process.execPath);
  const files = [
    process.env.npm_config_node_gyp,
    path.join(folder, '../lib', bundled),
    path.join(folder, bundled),
  ];
  return files.find((file) => file && fs.existsSync(file));
}

/** In one step: a process that runs may have the old one mapped. */
function put(built, file) {
  const bytes = fs.readFileSync(built);
  if (fs.existsSync(file) && fs.readFileSync(file).equals(bytes)) return;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(`${file}.new`, bytes);
  fs.renameSync(`${file}.new`, file);
}

function build(keep) {
  const nodeGyp = findNodeGyp();
  if (nodeGyp === undefined) fail('node-gyp was not found: npm install --save-dev node-gyp, and again');
  const args = [
    nodeGyp,
    'configure',
    'build',
    '--release',
    '--loglevel=warn',
    '-C',
    path.join(root, 'native'),
  ];
  // `npm run --silent` would silence node-gyp's errors too.
  const env = { ...process.env, npm_config_loglevel: 'warn' };
  const { status, error } = spawnSync(process.execPath, args, { stdio: 'inherit', env });
  if (status !== 0) fail(`node-gyp failed (${error?.message ?? `exit code ${status}`})`);
  const made = path.join(root, 'native/build');
  const file = path.join(root, 'build/Release/tripoll.node');
  put(path.join(made, 'Release/tripoll.node'), file);
  if (!keep) fs.rmSync(made, { recursive: true, force: true });
  return file;
}

const [command, ...options] = process.argv.slice(2);
if (command === 'build' && options.every((option) => option === '--keep')) {
  const file = build(options.includes('--keep'));
  if (options.length === 0) console.log(`tripoll: compiled ${file}`);
} else if (command === '--help' || command === undefined) {
  console.log(usage);
} else {
  fail(`${process.argv.slice(2).join(' ')}: unknown\n${usage}`);
}
