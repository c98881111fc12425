'use strict';
// The Wines that tools/windows-tests.cjs can use: Debian 12's, 8, as it is installed; and Debian
// 13's, 10, which is nearer to Windows and runs Node 24, in a folder of the cache with a small
// Debian 13 around it. That one wants root, for debootstrap and for chroot in a mount namespace of
// its own.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./legs.cjs');

const minutes = 60_000;
const cache = path.resolve(root, process.env.TRIPOLL_CACHE || '.cache');
const debian = path.join(cache, 'debian13');
// Debian keeps wine64 there.
process.env.PATH += ':/usr/lib/wine';

const isThere = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

/** Why Wine 10 cannot be had here; '' when it can. */
function withoutWine10() {
  if (process.getuid() !== 0) return 'it takes root';
  const mount = ['sh', '-c', 'mount -t tmpfs none /mnt'];
  if (spawnSync('unshare', ['--mount', '--propagation', 'private', ...mount]).status !== 0)
    return 'nothing may be mounted in a mount namespace';
  if (!fs.existsSync(path.join(debian, 'ready')) && !isThere('debootstrap'))
    return 'debootstrap was not found (Debian: apt-get install debootstrap)';
  return '';
}

/** What no test wants: 32-bit Windows, the packages themselves, documents. */
const NEEDLESS = [
  'usr/lib/x86_64-linux-gnu/wine/i386-windows',
  'var/cache/apt',
  'var/lib/apt/lists',
  'usr/share/doc',
  'usr/share/locale',
];

/** About 130 packages: two minutes, and 700 MB afterwards. */
function installDebian() {
  if (fs.existsSync(path.join(debian, 'ready'))) return true;
  fs.rmSync(debian, { recursive: true, force: true });
  const args = ['--variant=minbase', '--include=wine64', 'trixie', debian];
  const made = spawnSync('debootstrap', args, { encoding: 'utf8', timeout: 15 * minutes });
  if (made.status !== 0) {
    console.error(`debootstrap: ${made.error?.message ?? made.stdout.split('\n').slice(-5).join('\n')}`);
    return false;
  }
  for (const name of NEEDLESS) fs.rmSync(path.join(debian, name), { recursive: true, force: true });
  // For getaddrinfo, which Windows' Node has from there.
  fs.writeFileSync(path.join(debian, 'etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n');
  fs.writeFileSync(path.join(debian, 'ready'), '');
  return true;
}

// $0 is the folder of Debian 13; then come where to be, how many folders to show there, these, and
// the command.
const ENTER = `
  cd /
  where=$1; count=$2; shift 2
  mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" || exit 99
  for i in $(seq "$count"); do
    mkdir -p "$0$1" && mount --bind "$1" "$0$1" || exit 99
    shift
  done
  exec chroot "$0" env --chdir="$where" "$@"`;

/** A Wine: its version, why it cannot be had here ('' if it can), how it is made ready and started. */
function wine8() {
  return {
    version: 8,
    missing: isThere('wine64') ? '' : 'wine64 was not found (Debian 12: apt-get install wine64)',
    install: () => true,
    toCommand: (args) => ['wine64', ...args],
  };
}

function wine10() {
  return {
    version: 10,
    missing: withoutWine10(),
    install: installDebian,
    toCommand: (args, cwd) => {
      const shown = [root, cache];
      const enter = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', ENTER, debian];
      return [...enter, cwd, String(shown.length), ...shown, 'wine64', ...args];
    },
  };
}

module.exports = { cache, isThere, wines: () => [wine10(), wine8()] };
