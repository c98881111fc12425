'use strict';
// `npm run prebuild:all`: compiles the addon for every system of the package from one Linux x64, all
// warnings as errors, twice and in two places, looks at what came out, and puts it into prebuilds/.
// For the other BSDs it only compiles, without linking. It shows that the code fits the systems' real
// headers, not that it works; only over musl C++ tests run here too. Arguments name targets
// (targets.cjs).
//
// All is in .cache/cross (TRIPOLL_CACHE names another .cache): the packages, the compilers' caches,
// the results. A second run compiles only what has changed. Its last line is "N passed, N failed".
const fs = require('node:fs');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const { install, root } = require('../legs.cjs');
const { checkAddon, runTests, loadKnown } = require('./checks.cjs');
const { cache, compileAddon, compileAlone, compileTests, place } = require('./compile.cjs');
const { TARGETS } = require('./targets.cjs');

const SOURCES = ['CMakeLists.txt', 'cmake', 'native', 'test/native', 'tools/cross/exports.map'];

function sourceFiles() {
  return SOURCES.flatMap((name) => {
    if (!fs.statSync(path.join(root, name)).isDirectory()) return [name];
    const entries = fs.readdirSync(path.join(root, name), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    return files.map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)));
  }).filter((file) => !file.startsWith(path.join('native', 'build')));
}

/**
 * A folder with the same sources: what is compiled must not depend on where. Only what has changed is
 * written, so that the next clone with this cache compiles no more than that.
 */
function copyOfSources(name) {
  const copy = path.join(cache, name);
  const files = new Set(sourceFiles());
  for (const file of files) {
    const [from, to] = [path.join(root, file), path.join(copy, file)];
    if (fs.existsSync(to) && fs.readFileSync(from).equals(fs.readFileSync(to))) continue;
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.copyFileSync(from, to);
  }
  for (const entry of fs.readdirSync(copy, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    if (entry.isFile() && !files.has(path.relative(copy, file))) fs.rmSync(file);
  }
  const modules = path.join(copy, 'node_modules');
  fs.rmSync(modules, { force: true });
  fs.symlinkSync(path.join(root, 'node_modules'), modules);
  return copy;
}

function build(modules, target, [first, second], known) {
  if (target.prebuild === undefined) {
    compileAlone(modules, target, first);
    return 'compiles, not linked';
  }
  const file = compileAddon(modules, target, first);
  const said = checkAddon(file, target, known);
  const again = fs.readFileSync(compileAddon(modules, target, second));
  if (!fs.readFileSync(file).equals(again)) throw new Error('a second build has other bytes');
  const prebuild = path.join(root, 'prebuilds', target.prebuild);
  fs.mkdirSync(path.dirname(prebuild), { recursive: true });
  fs.writeFileSync(`${prebuild}.new`, again);
  fs.renameSync(`${prebuild}.new`, prebuild);
  return `${said}, twice the same`;
}

function main() {
  const only = process.argv.slice(2);
  const targets = TARGETS.filter(({ name }) => only.length === 0 || only.includes(name));
  const modules = install('cross/npm', __dirname);
  const known = loadKnown(modules);
  const places = [
    place('first', copyOfSources('first/place')),
    place('again', copyOfSources('again/another-place')),
  ];
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
    attempt(`${target.name}, addon`, () => build(modules, target, places, known));
    if (target.tests !== true) continue;
    attempt(`${target.name}, tests`, () => runTests(compileTests(modules, target, places[0])));
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

main();
