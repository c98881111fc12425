'use strict';
// `npm run test:interop`, on Linux: real programs on tripoll (test/interop). npm's packages come
// from tools/interop's lock file into .cache (TRIPOLL_CACHE). Programs come from Debian
// (tools/interop/debian.json): root has those that are missing installed; for others the tests that
// need them are skipped by name. Arguments are patterns for Jest. Its last line is "N passed, N
// failed".
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { failed, finish, install, listSkipped, root, runJest } = require('./legs.cjs');

const programs = require('./interop/debian.json');

const POLICY = '/usr/sbin/policy-rc.d';

/** Where Debian has programs beside a user's PATH. */
function programFolders() {
  const postgres = '/usr/lib/postgresql';
  const versions = fs.existsSync(postgres) ? fs.readdirSync(postgres) : [];
  return ['/usr/sbin', ...versions.map((version) => path.join(postgres, version, 'bin'))];
}

function pathWithFolders() {
  return [process.env.PATH, ...programFolders()].join(path.delimiter);
}

function missingPackages() {
  const folders = pathWithFolders().split(path.delimiter);
  const isThere = (name) => folders.some((folder) => fs.existsSync(path.join(folder, name)));
  const missing = Object.entries(programs).filter(([name]) => !isThere(name));
  return [...new Set(missing.map(([, name]) => name))];
}

/**
 * By apt, which starts no service meanwhile: the tests start their own servers, and a machine's are
 * nobody's business here (policy-rc.d, of Debian's invoke-rc.d; a machine that has one keeps it).
 */
function installPackages(packages) {
  const isPolicyOurs = !fs.existsSync(POLICY);
  if (isPolicyOurs) fs.writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const apt = (...args) => spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
    apt('update', '-qq');
    apt('install', '-y', '-qq', '--no-install-recommends', ...packages);
  } finally {
    if (isPolicyOurs) fs.rmSync(POLICY);
  }
}

if (process.platform !== 'linux') finish([failed('start', 'its programs are those of Debian')]);
const missing = missingPackages();
if (missing.length > 0 && process.getuid() === 0 && fs.existsSync('/etc/debian_version'))
  installPackages(missing);
const env = {
  ...process.env,
  NODE_PATH: install('interop', path.join(root, 'tools/interop')),
  PATH: pathWithFolders(),
  TRIPOLL_INTEROP: '1',
};
const only = process.argv.slice(2);
const leg = runJest(
  path.join(root, 'out/jest-interop.json'),
  only.length > 0 ? only : ['/out/test/interop/'],
  env,
);
leg.failed += listSkipped(leg.suites);
finish([leg]);
