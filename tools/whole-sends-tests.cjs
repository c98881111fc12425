'use strict';
// `npm run test:whole-sends`, on Linux: the suites of streams, with sends that Windows would take
// whole, of the addon as it is (test/support/whole_sends.cc, preloaded). Arguments are patterns for
// Jest. Its last line is "N passed, N failed".
const fs = require('node:fs');
const path = require('node:path');
const { failed, finish, isLoaded, listSkipped, root, run, runJest } = require('./legs.cjs');

const folder = path.join(root, 'build-whole-sends');
const library = path.join(folder, 'whole_sends.so');
const source = path.join(root, 'test/support/whole_sends.cc');
const only = process.argv.slice(2);
const patterns = only.length > 0 ? only : ['/out/test/net/(stream|tcp|unix|copy)/'];

/** More than Linux takes of one call, and as much as is given to one. */
const isWhole = `((pair, { sys }) => {
  const { AF_UNIX, SOCK_STREAM, SOCK_NONBLOCK } = sys.constants;
  sys.socketpair(pair, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  return sys.send(pair[0], Buffer.alloc(300_000)) === 256 * 1024;
})([], require('tripoll/raw'))`;

if (process.platform !== 'linux') finish([failed('build', 'it is Linux that is made to do it')]);
fs.mkdirSync(folder, { recursive: true });
const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-shared', '-fPIC'];
const compiler = process.env.CXX || 'g++';
if (!run(compiler, [...flags, '-o', library, source, '-ldl']))
  finish([failed('build', `${source} was not built`)]);
const env = { ...process.env, LD_PRELOAD: library };
if (!isLoaded(env, library, isWhole))
  finish([failed('build', 'sends are not whole: it takes CAP_NET_ADMIN')]);
const leg = runJest(path.join(folder, 'jest.json'), patterns, env);
leg.failed += listSkipped(leg.suites);
finish([leg]);
