'use strict';
// `npm run test:prebuilds`: packs the package with all its addons, and lets each that something on
// this Linux x64 can load be loaded there, without any other: the speed of a serial line, an echo
// over TCP and UDP on each backend, and in a worker (tools/prebuilds/use.cjs). Arguments select by
// name. What this machine lacks for one is listed. Its last line is "N passed, N failed".
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const hosts = require('./hosts.cjs');
const { failed, finish } = require('./legs.cjs');
const { unpack } = require('./packed.cjs');
const { NODES, fetchNode, programsOf, startNode, wines } = require('./wine.cjs');

const minutes = 60_000;

/** By the newest Wine that can be had here, and the newest Node that it can run. */
function wine() {
  return wines().find(({ missing, install }) => missing === '' && install());
}

function underWine(folder) {
  const found = wine();
  const start = programsOf(found, folder);
  const exe = fetchNode(NODES.filter(({ leastWine }) => found.version >= leastWine).at(-1));
  startNode(start, exe);
  const { ok, stdout, stderr } = start([exe, 'use.cjs'], { show: false });
  return { ok, text: `${stdout}${stderr}` };
}

function direct({ command, env }) {
  return (folder) => {
    const [program, ...args] = command;
    const { status, stdout, stderr, error } = spawnSync(program, [...args, 'use.cjs'], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 3 * minutes,
      env: { ...process.env, TRIPOLL_PREBUILD: undefined, ...env },
    });
    return { ok: status === 0, text: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` };
  };
}

/** Each addon, and where it is loaded. Those of macOS and FreeBSD nothing here can load. */
const HOSTS = [
  {
    prebuild: 'linux-x64/tripoll.glibc.node',
    name: `Node ${process.versions.node}`,
    missing: () => '',
    start: () => direct({ command: [process.execPath] }),
  },
  {
    prebuild: 'linux-x64/tripoll.musl.node',
    name: 'Bun for musl',
    missing: hosts.withoutMusl,
    start: () => direct(hosts.muslX64()),
  },
  {
    prebuild: 'linux-arm64/tripoll.glibc.node',
    name: 'Node for arm64, under qemu',
    missing: hosts.withoutArm64,
    start: () => direct({ command: hosts.nodeForArm64() }),
  },
  {
    prebuild: 'linux-arm64/tripoll.musl.node',
    name: 'Bun for arm64 and musl, under qemu',
    missing: hosts.withoutArm64,
    start: () => direct(hosts.muslArm64()),
  },
  {
    prebuild: 'win32-x64/tripoll.node',
    name: "Windows' Node, under Wine",
    missing: () =>
      wine() === undefined
        ? wines()
            .map(({ missing }) => missing)
            .join('; ')
        : '',
    start: () => underWine,
  },
];

/** The addon is told by its own folder: a package that has no other. */
function packageWith(packed, prebuild) {
  const folder = path.join(packed, '../one', path.dirname(prebuild), path.basename(prebuild, '.node'));
  const at = path.join(folder, 'package');
  fs.mkdirSync(folder, { recursive: true });
  fs.cpSync(packed, at, { recursive: true, filter: (from) => !from.endsWith('.node') });
  fs.mkdirSync(path.join(at, 'prebuilds', path.dirname(prebuild)), { recursive: true });
  fs.copyFileSync(path.join(packed, 'prebuilds', prebuild), path.join(at, 'prebuilds', prebuild));
  fs.copyFileSync(path.join(__dirname, 'prebuilds/use.cjs'), path.join(folder, 'use.cjs'));
  return folder;
}

/** What it said it has loaded and done; throws what went wrong. */
function load(packed, { prebuild, start }) {
  const { ok, text } = start()(packageWith(packed, prebuild));
  if (!ok) throw new Error(text);
  const { platform, arch, addons, done } = JSON.parse(text.trim().split('\n').at(-1));
  const [loaded = ''] = addons.map((file) => file.replaceAll('\\', '/'));
  if (!loaded.endsWith(`/prebuilds/${prebuild}`)) throw new Error(`it has loaded ${addons}`);
  return `${platform}-${arch}: ${done.join('; ')}`;
}

function runHost(packed, host) {
  const name = `${host.prebuild}, ${host.name}`;
  const reason = host.missing();
  if (reason !== '') return { name, passed: 0, failed: 0, notRun: [{ name, reason }] };
  try {
    console.log(`ok      ${name}: ${load(packed, host)}`);
    return { name, passed: 1, failed: 0 };
  } catch (error) {
    return failed(name, `FAILED  ${name}: ${error.message}`);
  }
}

const words = process.argv.slice(2);
const asked = HOSTS.filter(
  ({ prebuild, name }) => words.length === 0 || words.some((word) => `${prebuild} ${name}`.includes(word)),
);
const packed = process.env.TRIPOLL_PREBUILD || unpack();
finish(asked.map((host) => runHost(packed, host)));
