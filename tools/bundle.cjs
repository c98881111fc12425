'use strict';
// Bundles lib/ into dist/bundle/tripoll.js, one file for all entries: fifty small files took three times as long to load. Every
// module keeps a file of its own in dist/, which hands out the bundle's namespace of it: the tests see what users load, once.
const fs = require('node:fs');
const path = require('node:path');
const esbuild = require('esbuild');

const root = path.join(__dirname, '..');
const lib = path.join(root, 'lib');
const dist = path.join(root, 'dist');

/** 'reactor/reactor' and so on, in a fixed order: the namespaces are named by it. */
function moduleNames(folder = lib) {
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) return moduleNames(file);
      return file.endsWith('.ts') ? [path.relative(lib, file).replaceAll(path.sep, '/').slice(0, -3)] : [];
    })
    .sort();
}

function write(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20', // package.json's engines
  packages: 'external',
  keepNames: true, // a class that names itself in its body would else be _Reactor in messages
  logLevel: 'warning',
  tsconfig: path.join(lib, 'tsconfig.json'),
};

/** The entries that package.json names, each with the names of what it exports. */
function entryExports() {
  const entries = Object.values(require('../package.json').exports)
    .filter((entry) => typeof entry === 'object')
    .map((entry) => path.relative('dist', entry.require.default).slice(0, -'.js'.length));
  const { metafile } = esbuild.buildSync({
    ...common,
    entryPoints: entries.map((entry) => path.join(lib, `${entry}.ts`)),
    format: 'esm',
    write: false,
    outdir: dist,
    outbase: lib,
    metafile: true,
    absWorkingDir: root,
  });
  return new Map(
    entries.map((entry) => [entry, metafile.outputs[path.posix.join('dist', `${entry}.js`)].exports]),
  );
}

/** By name where it is an entry: an ES module learns a CommonJS module's exports by reading assignments, without running it. */
function moduleText(from, index, exported) {
  const namespace = `require('${from}').m${index}`;
  if (exported === undefined) return `'use strict';\nmodule.exports = ${namespace};\n`;
  const assignments = exported.map((name) => `exports.${name} = lib.${name};\n`).join('');
  return `'use strict';\nconst lib = ${namespace};\n${assignments}`;
}

function main() {
  const names = moduleNames();
  const bundle = path.join(dist, 'bundle/tripoll.js');
  esbuild.buildSync({
    ...common,
    stdin: {
      contents: names.map((name, i) => `export * as m${i} from './${name}.js';`).join('\n'),
      resolveDir: lib,
    },
    format: 'cjs',
    sourcemap: 'linked',
    outfile: bundle,
  });
  const entries = entryExports();
  names.forEach((name, i) => {
    const file = path.join(dist, `${name}.js`);
    const target = path.relative(path.dirname(file), bundle).replaceAll(path.sep, '/');
    const from = target.startsWith('.') ? target : `./${target}`;
    write(file, moduleText(from, i, entries.get(name)));
  });
  for (const entry of entries.keys()) {
    fs.copyFileSync(path.join(lib, `${entry}.mts`), path.join(dist, `${entry}.mjs`));
  }
}

main();
