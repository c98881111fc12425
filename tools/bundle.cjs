'use strict';
// Bundles lib/ into few files, dist/bundle/*.js, one for what is used together: a hundred small
// files take longer to load, and so does what nobody asked for. Every module keeps a file of its
// own in dist/, which hands out its bundle's namespace of it: the tests see what users load, once.
const fs = require('node:fs');
const path = require('node:path');
const esbuild = require('esbuild');
const ts = require('typescript');

const root = path.join(__dirname, '..');
const lib = path.join(root, 'lib');
const dist = path.join(root, 'dist');
const folder = path.join(dist, 'bundle');

/**
 * The bundles, by the modules that lead into them. A module is in the first one that reaches it, so
 * a new one finds its place by itself. An earlier bundle loads a later one when it first uses a
 * name of the modules listed there; a later one loads the earlier ones that it needs at once. So
 * whatever is evaluated at load (a class that is extended) must be in the same bundle or an earlier
 * one.
 */
const BUNDLES = {
  core: ['index', 'net/index', 'net/tcp/index', 'reactor/choose-reactor', 'reactor/iterate'], // the reactor
  // What a socket of any kind needs.
  sockets: [
    'net/socket/encoded-option',
    'net/socket/handler-call',
    'net/socket/idle-tracker',
    'net/socket/place',
    'net/socket/release-fd',
    'net/socket/resolve',
    'net/socket/resource',
    'net/socket/send-retry',
    'net/socket/socket-name',
    'net/socket/stream-calls',
    'reactor/waiter',
  ],
  // Before those that it attaches by, so that each comes with its first use.
  moving: ['net/moving/attach'],
  streams: ['net/tcp/tcp-listener', 'net/tcp/tcp-connection', 'net/stream/retried-connect'], // listening, connecting, and handlers
  promises: ['net/tcp/tcp-stream'],
  extras: [
    'net/copy/copy',
    'net/fd/async-fd',
    'net/stream/split',
    'net/stream/transfer',
    'net/tcp/deferred-handshake',
    'net/tcp/given-fd',
    'net/tcp/tcp-extras',
    'net/tcp/tcp-info',
    'net/tcp/urgent',
    'net/tcp/zero-copy',
    'reactor/ticker',
  ],
  running: ['reactor/immediate-driver', 'reactor/spinning'], // run(), where it is more than a driver
  framing: ['net/framing/index'],
  fds: [
    'binding/need-unix-messages',
    'net/message/message-receiver',
    'net/message/outgoing-fds',
    'net/message/passed-fds',
    'net/socket/listen-fds',
  ],
  unix: ['net/unix/index'],
  pipes: ['net/pipe/index'],
  sources: ['net/sources/index', 'net/message/message-pump', 'net/message/message-socket'],
  datagrams: ['net/unix/unix-datagram'],
  udp: [
    'net/udp/budget',
    'net/udp/datagram-batch',
    'net/udp/index',
    'net/udp/udp-endpoint',
    'net/udp/udp-options',
    'net/udp/udp-socket',
  ],
  raw: ['raw/index', 'sys/terminal'],
  node: ['node/index', 'node/net', 'node/cluster-worker'],
  register: ['node/register'],
  dgram: ['node/dgram'],
  runtime: ['runtime/index', 'runtime/scheduler/scheduler'],
  addon: ['binding/load-addon'], // loads it, and says why it cannot; needs none of the others
  // The command: usage and limits, then what needs the addon.
  cli: ['cli/main'],
  commands: [
    'cli/echo',
    'cli/bench/bench',
    'cli/bench/sides',
    'cli/doctor/probes',
    'cli/top/top',
    'cli/trace',
  ],
  // Loaded where there is a server.
  serving: ['runtime/serving/serving', 'runtime/serving/worker-serving'],
  // The watchdog's thread loads it alone; needs none of the others.
  watching: ['observe/watchdog/thread', 'observe/recorder/chrome-trace'],
  // A runtime's worker loads it when it is recorded.
  recording: ['observe/recorder/worker-recorder'],
  // What both ends of an ObserveServer's socket know; needs none of the others.
  attaching: ['binding/host', 'observe/server/places', 'observe/server/protocol'],
  observe: ['observe/index'],
  // Loaded where a process opts in.
  showing: ['observe/server/observe-server'],
  // Last: what all others use now and then.
  options: [
    'net/socket/detached',
    'net/socket/given-fd',
    'net/socket/ip-bytes',
    'net/socket/socket-options',
    'net/udp/given-fd',
    'sys/interface-index',
  ],
};

/**
 * Those of Node's modules that it has not loaded itself when it starts, and that cost: loaded when
 * a name of them is first read.
 */
const SLOW_BUILTINS = ['node:inspector', 'node:worker_threads'];

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20', // package.json's engines
  packages: 'external',
  keepNames: true, // a class that names itself in its body would else be _Reactor in messages
  logLevel: 'warning',
  tsconfig: path.join(lib, 'tsconfig.json'),
};

/** 'reactor/reactor' of a file's path. */
const moduleName = (file) =>
  path.relative(lib, path.resolve(root, file)).replaceAll(path.sep, '/').slice(0, -3);

function moduleNames() {
  return fs
    .readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => moduleName(path.join(lib, file)))
    .sort();
}

/** The package's entries: 'index', 'net/index' and so on. */
function entryNames() {
  return Object.values(require('../package.json').exports)
    .filter((entry) => typeof entry === 'object')
    .map((entry) => path.relative('dist', entry.require.default).replaceAll(path.sep, '/').slice(0, -3));
}

/** Of each module: which it imports, types aside, and the names that it exports. */
async function analyse(names) {
  const { metafile } = await esbuild.build({
    ...common,
    entryPoints: names.map((name) => path.join(lib, `${name}.ts`)),
    format: 'esm',
    splitting: true,
    write: false,
    outdir: dist,
    outbase: lib,
    metafile: true,
  });
  const modules = new Map();
  for (const { entryPoint, exports } of Object.values(metafile.outputs)) {
    if (entryPoint === undefined) continue;
    const imports = metafile.inputs[entryPoint].imports.filter((imported) => imported.external !== true);
    modules.set(moduleName(entryPoint), {
      // A module without exports has this one, to esbuild.
      exports: exports.filter((name) => name !== 'default'),
      imports: imports.map((imported) => moduleName(imported.path)),
    });
  }
  return modules;
}

/**
 * Module -> the name of its bundle. What no bundle leads to has types only, or is reached by tests
 * alone: the last takes it.
 */
function assign(modules) {
  const bundleOf = new Map();
  const heads = new Set(Object.values(BUNDLES).flat());
  const take = (name, bundle) => {
    if (bundleOf.has(name)) return;
    if (!modules.has(name)) throw new Error(`tools/bundle.cjs: lib/${name}.ts does not exist`);
    bundleOf.set(name, bundle);
    for (const imported of modules.get(name).imports) if (!heads.has(imported)) take(imported, bundle);
  };
  for (const [bundle, ownHeads] of Object.entries(BUNDLES)) for (const head of ownHeads) take(head, bundle);
  for (const name of modules.keys()) take(name, Object.keys(BUNDLES).at(-1));
  return bundleOf;
}

/** An earlier bundle's module: it has been evaluated, so its exports are constants here. */
function earlierModule(name, bundle, exported) {
  const constants = exported.map((key) => `export const ${key} = lib.${key};`).join('\n');
  return `const lib = require('./${bundle}.js')['${name}'];\n${constants}`;
}

/** A module that is loaded when a name of it is first read; `LAZY` is how. */
function lazyModule(source, exported) {
  return `module.exports = __lazy(() => ${source}, ${JSON.stringify(exported)});`;
}

/** In each bundle once, and not in each lazy module. */
const LAZY =
  'var __lazy = (load, names, lib) => names.reduce((all, key) => Object.defineProperty(all, key, ' +
  '{ enumerable: true, get: () => (lib ??= load())[key] }), {});';

/** Takes what another bundle has from there. */
function otherBundles(current, modules, bundleOf) {
  const order = Object.keys(BUNDLES);
  const textOf = (name) => {
    if (SLOW_BUILTINS.includes(name)) return lazyModule(`require('${name}')`, Object.keys(require(name)));
    const bundle = bundleOf.get(name);
    const { exports: exported } = modules.get(name);
    if (order.indexOf(bundle) < order.indexOf(current)) return earlierModule(name, bundle, exported);
    return lazyModule(`require('./${bundle}.js')['${name}']`, exported);
  };
  return {
    name: 'other-bundles',
    setup(build) {
      build.onResolve({ filter: /^(\.\.?\/|node:)/ }, ({ path: target, resolveDir, namespace }) => {
        if (namespace === 'other') return { path: target, external: true };
        if (target.startsWith('node:')) {
          return SLOW_BUILTINS.includes(target) ? { path: target, namespace: 'other' } : undefined;
        }
        const name = moduleName(path.resolve(resolveDir, target.replace(/\.js$/, '.ts')));
        return bundleOf.get(name) === current ? undefined : { path: name, namespace: 'other' };
      });
      build.onLoad({ filter: /.*/, namespace: 'other' }, ({ path: name }) => ({
        contents: textOf(name),
        loader: 'js',
        resolveDir: lib,
      }));
    },
  };
}

async function writeBundle(bundle, modules, bundleOf) {
  const own = [...modules.keys()].filter((name) => bundleOf.get(name) === bundle);
  await esbuild.build({
    ...common,
    stdin: {
      contents: own.map((name) => `export * as '${name}' from './${name}.js';`).join('\n'),
      resolveDir: lib,
    },
    format: 'cjs',
    sourcemap: 'linked',
    outfile: path.join(folder, `${bundle}.js`),
    plugins: [otherBundles(bundle, modules, bundleOf)],
  });
  const file = path.join(folder, `${bundle}.js`);
  fs.writeFileSync(file, makeCheaper(withoutDocs(fs.readFileSync(file, 'utf8'))));
}

/**
 * Docs are for who reads lib/, or the declarations: V8 would read them at each load. Their lines stay,
 * empty, so that the source map holds.
 */
function withoutDocs(text) {
  const cuts = new Map();
  const visit = (node) => {
    ts.forEachLeadingCommentRange(text, node.pos, (start, end, kind) => {
      const lineStart = text.lastIndexOf('\n', start) + 1;
      const isAlone = text.slice(lineStart, start).trim() === '';
      if (isAlone && kind === ts.SyntaxKind.MultiLineCommentTrivia) cuts.set(lineStart, end);
    });
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('bundle.js', text, ts.ScriptTarget.Latest));
  let [result, kept] = ['', 0];
  for (const [start, end] of [...cuts].sort(([one], [other]) => one - other)) {
    result += text.slice(kept, start) + text.slice(start, end).replace(/[^\n]/g, '');
    kept = end;
  }
  return result + text.slice(kept);
}

/**
 * What esbuild writes costs at load what it need not: a module's namespace is made when another
 * bundle, or a test, asks for it, since most never are; and an earlier bundle is looked for once,
 * and not for each of its modules. Lines stay where they are, for the source map.
 */
function makeCheaper(bundled) {
  let text = bundled;
  for (const [, name] of [...text.matchAll(/^var (\w+_exports) = \{\};$/gm)]) {
    // Three places: where it is declared, filled and handed out. One that is filled further stays.
    if (text.split(new RegExp(`\\b${name}\\b`)).length !== 4 || name === 'stdin_exports') continue;
    const [declared, get] = [`var ${name} = {};\n__export(${name}, {`, `get_${name}`];
    // Handed out first: what is declared then reads the same.
    text = text
      .replace(new RegExp(`\\(\\) => ${name}\\b`), `() => ${get}()`)
      .replace(declared, `var ${name};\nvar ${get} = () => ${name} ??= __filled({`);
  }
  const earlier = new Set();
  text = text.replace(/^(var lib\d* = )require\("\.\/(\w+)\.js"\)\[/gm, (_, start, bundle) => {
    earlier.add(bundle);
    return `${start}__in_${bundle}[`;
  });
  const found = [...earlier].map((bundle) => ` var __in_${bundle} = require("./${bundle}.js");`);
  const filled = 'var __filled = (all, target = {}) => (__export(target, all), target);';
  return text
    .replace('"use strict";', `"use strict"; ${LAZY}${found.join('')}`)
    .replace(/^ {4}"use strict";$/gm, '') // of a lazy module, in a file that is strict
    .replace(/^var __export = /m, `${filled} var __export = `);
}

/** What addon-error.ts says of a bundle, where not even its folder is known. */
const IN_ES_MODULE =
  'tripoll: a bundler has put it into an ES module, where it finds no addon. ' +
  'Make tripoll and tripoll/* external, so that they are loaded from node_modules.';

/**
 * An entry's exports are read when they are first asked for, since that may load a bundle. The last
 * line never runs: it is how an ES module learns a CommonJS module's names, without running it
 * (https://github.com/nodejs/cjs-module-lexer).
 */
function entryText(namespace, exported) {
  return `'use strict';
if (typeof __dirname === 'undefined') {
  throw Object.assign(new Error('${IN_ES_MODULE}'), { code: 'ERR_TRIPOLL_NO_ADDON' });
}
const lib = ${namespace};
for (const name of ${JSON.stringify(exported)}) {
  const set = (value) => Object.defineProperty(exports, name, { value, writable: true, enumerable: true, configurable: true });
  const get = () => {
    const value = lib[name];
    set(value);
    return value;
  };
  Object.defineProperty(exports, name, { get, set, enumerable: true, configurable: true });
}
0 && (module.exports = { ${exported.join(', ')} });
`;
}

function writeModule(name, bundle, { exports: exported }, isEntry) {
  const file = path.join(dist, `${name}.js`);
  const target = path
    .relative(path.dirname(file), path.join(folder, `${bundle}.js`))
    .replaceAll(path.sep, '/');
  const namespace = `require('${target.startsWith('.') ? target : `./${target}`}')['${name}']`;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(
    file,
    isEntry ? entryText(namespace, exported) : `'use strict';\nmodule.exports = ${namespace};\n`,
  );
}

async function main() {
  fs.rmSync(folder, { recursive: true, force: true });
  const modules = await analyse(moduleNames());
  const bundleOf = assign(modules);
  for (const bundle of Object.keys(BUNDLES)) await writeBundle(bundle, modules, bundleOf);
  const entries = entryNames();
  for (const [name, module] of modules) writeModule(name, bundleOf.get(name), module, entries.includes(name));
  for (const entry of entries)
    fs.copyFileSync(path.join(lib, `${entry}.mts`), path.join(dist, `${entry}.mjs`));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
