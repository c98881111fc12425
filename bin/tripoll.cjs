#!/usr/bin/env node
'use strict';
// `npx tripoll`: `build` is here, since it works before there is anything else; the other commands
// are lib/cli.
// `build` compiles the addon for this machine, where the package has none that fits. It takes a
// C++17 compiler, make and Python (on Windows: Visual Studio's build tools), and the node-gyp that
// comes with npm or pnpm, or that is installed beside this package.
// --keep leaves what the compiler has made, so that the next build takes only what has changed.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const usage = 'usage: tripoll build [--keep]    compiles the addon for this machine';

function fail(message, status = 1) {
  console.error(`tripoll: ${message}`);
  process.exit(status);
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

function runBuild(options) {
  if (options.includes('--help') || options.includes('-h')) return console.log(usage);
  const unknown = options.find((option) => option !== '--keep');
  if (unknown !== undefined) fail(`build: there is no option ${unknown}\n${usage}`, 2);
  const file = build(options.includes('--keep'));
  if (options.length === 0) console.log(`tripoll: compiled ${file}`);
}

/** Ends with its status even if something is left, when what it printed has gone out. */
async function runCommand(args) {
  const { main } = require('../dist/cli/main.js');
  // Whoever reads no further has enough: `tripoll doctor | head`.
  process.stdout.on('error', () => process.exit(0));
  const output = {
    print: (text) => process.stdout.write(`${text}\n`),
    complain: (text) => process.stderr.write(`${text}\n`),
    rows: () => (process.stdout.isTTY ? process.stdout.rows : undefined),
  };
  const status = await main(args, require('../package.json').version, output);
  process.stdout.write('', () => process.exit(status));
}

const [command, ...options] = process.argv.slice(2);
if (command === 'build') runBuild(options);
else void runCommand(process.argv.slice(2));
