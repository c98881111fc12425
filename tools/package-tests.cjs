'use strict';
// `npm run test:package`: packs the package with this machine's prebuild, and installs it into empty
// projects by the package managers of tools/package, each by its own lock file's version, with no
// compiler in the PATH; then uses it as a user would. Arguments select by name. All that it fetches
// is kept in .cache (TRIPOLL_CACHE). Its last line is "N passed, N failed".
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { cache, install, root, runLine } = require('./legs.cjs');

const minutes = 60_000;
const only = process.argv.slice(2);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tripoll-package-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));

let [passed, failed] = [0, 0];

function check(name, work) {
  if (only.length > 0 && !only.some((part) => name.includes(part))) return;
  try {
    work();
    passed++;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}: ${error.message}`);
  }
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

/** A PATH with Node alone: whoever wants a compiler, or a shell's tools, finds none. */
function pathWith(node) {
  const bin = path.join(folder, `bin-${path.basename(path.dirname(path.dirname(path.dirname(node))))}`);
  fs.mkdirSync(bin, { recursive: true });
  fs.rmSync(path.join(bin, 'node'), { force: true });
  fs.symlinkSync(node, path.join(bin, 'node'));
  return bin;
}

/** Runs it in `cwd`; returns what it printed. */
function run(cwd, [command, ...args], { node = process.execPath, env = {}, status: wanted = 0 } = {}) {
  const started = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: 3 * minutes,
    env: {
      PATH: pathWith(node),
      HOME: folder,
      CI: 'true',
      npm_config_userconfig: path.join(folder, '.npmrc'), // not this user's settings
      npm_config_registry: registry,
      npm_config_cache: path.join(cache, 'package-npm'),
      ...settings,
      ...env,
    },
  });
  const text = `${started.stdout ?? ''}${started.stderr ?? ''}${started.error?.message ?? ''}`;
  expect(
    started.status === wanted,
    `${path.basename(command)} ${args.join(' ').slice(0, 80)} ended with ${started.status}:\n${text}`,
  );
  return text;
}

/** How this machine reaches the registry. */
const registry = spawnSync('npm config get registry', {
  cwd: root,
  shell: true,
  encoding: 'utf8',
}).stdout.trim();
const settings = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => /^(https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS)$/i.test(name)),
);

function pack() {
  const line = `npm pack --silent --ignore-scripts --pack-destination ${folder}`;
  const { status, stdout } = spawnSync(line, { cwd: root, shell: true, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${line} failed`);
  const tarball = path.join(folder, stdout.trim().split('\n').at(-1));
  console.log(`the package: ${Math.round(fs.statSync(tarball).size / 1000)} kB`);
  return tarball;
}

/** An empty project; the files are written into it. */
function project(name, files = {}) {
  const at = path.join(folder, name);
  fs.mkdirSync(at, { recursive: true });
  write(at, { 'package.json': '{ "name": "user", "private": true }\n', ...files });
  return at;
}

function write(at, files) {
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(at, name), text);
}

/** An echo over TCP, and its end; prints what came back. */
const body = `
async function main() {
  const listener = await TcpListener.bind('127.0.0.1:0');
  const [stream, accepted] = await Promise.all([
    TcpStream.connect('127.0.0.1:' + listener.localAddress.port),
    listener.accept(),
  ]);
  await stream.writeAll(Buffer.from('hello'));
  const buf = new Uint8Array(16);
  const n = await accepted.stream.read(buf);
  for (const each of [stream, accepted.stream, listener]) each.close();
  return Buffer.from(buf.subarray(0, n)).toString();
}
`;
const required = `const { TcpListener, TcpStream } = require('tripoll/net');\n${body}`;
const imported = `import { TcpListener, TcpStream } from 'tripoll/net';\n${body}`;
const prints = 'main().then(console.log);\n';

function expectHello(text) {
  expect(text.trim() === 'hello', `it printed: ${text}`);
}

/** By `start`, or this Node: as CommonJS, as an ES module. */
function use(at, node, start = [node ?? process.execPath]) {
  const command = (file) => [...start, file];
  write(at, { 'use.cjs': required + prints, 'use.mjs': imported + prints });
  for (const file of ['use.cjs', 'use.mjs']) expectHello(run(at, command(file), { node }));
}

/** What an install says when it has done nothing but that. */
function expectQuiet(text) {
  const lines = text
    .split('\n')
    .filter((line) => /warn|error|script|blocked|ignored|gyp|deprecated/i.test(line));
  expect(lines.length === 0, `it says: ${lines.join('\n')}`);
}

/** npm 12 needs Node 24; from 26 on Node makes executables by itself. */
function nodes() {
  const modules = install('nodes', path.join(__dirname, 'runtimes/nodes'));
  const [node24, node26] = ['24', '26'].map((version) => path.join(modules, `node-${version}/bin/node`));
  return { node24, node26 };
}

function managers(tarball) {
  const modules = install('package', path.join(__dirname, 'package'));
  const bin = (name) => path.join(modules, name);
  const { node24 } = nodes();
  const bun = path.join(install('runtimes', path.join(__dirname, 'runtimes')), '@oven/bun-linux-x64/bin/bun');
  const yarn = [process.execPath, bin('@yarnpkg/cli-dist/bin/yarn.js')];
  const quietly = ['--no-audit', '--no-fund'];
  return [
    {
      name: 'npm 11',
      command: [process.execPath, bin('npm-11/bin/npm-cli.js'), 'install', ...quietly, tarball],
    },
    {
      name: 'npm 12',
      node: node24,
      command: [node24, bin('npm-12/bin/npm-cli.js'), 'install', ...quietly, tarball],
    },
    { name: 'pnpm 10', command: [process.execPath, bin('pnpm-10/bin/pnpm.cjs'), 'add', tarball] },
    { name: 'pnpm 12', command: [bin('@pnpm/exe.linux-x64/pnpm'), 'add', tarball] },
    {
      name: 'yarn 4',
      command: [...yarn, 'add', `tripoll@file:${tarball}`],
      files: { '.yarnrc.yml': 'nodeLinker: node-modules\nenableTelemetry: false\n', 'yarn.lock': '' },
    },
    // Without node_modules: packages stay in archives, but such as name systems (`os`) or have addons.
    {
      name: "yarn 4, Plug'n'Play",
      command: [...yarn, 'add', `tripoll@file:${tarball}`],
      files: {
        // Where the project is an ES module, yarn adds the loader by itself. It says that this is experimental.
        '.yarnrc.yml':
          'nodeLinker: pnp\npnpEnableEsmLoader: true\nlogFilters: [{ code: YN0092, level: discard }]\nenableTelemetry: false\n',
        'yarn.lock': '',
      },
      start: [...yarn, 'node'],
      folder: '.yarn/unplugged',
    },
    { name: 'bun', command: [bun, 'add', tarball] },
  ];
}

function tryManagers(tarball) {
  for (const { name, command, files, node, start, folder: into = 'node_modules' } of managers(tarball)) {
    check(`install by ${name}`, () => {
      const at = project(name.replace(/\W+/g, '-'), files);
      expectQuiet(run(at, command, { node }));
      const installed = fs.readdirSync(path.join(at, into), { recursive: true });
      const addons = installed.filter((file) => file.endsWith('.node'));
      expect(addons.length > 0, `no addon is in ${into}`);
      expect(!addons.some((file) => /(^|[\\/])build[\\/]/.test(file)), 'something was compiled');
      use(at, node, start);
    });
  }
}

function compilerOptions(module, moduleResolution) {
  return JSON.stringify({
    compilerOptions: {
      ...{ module, moduleResolution, target: 'ES2022', lib: ['ES2023', 'ESNext.Disposable'] },
      ...{ strict: true, noEmit: true, types: ['node'], typeRoots: [path.join(root, 'node_modules/@types')] },
    },
    files: ['use.mts', 'use.cts'],
  });
}

function tryTypes(at) {
  const typed = `import { TcpStream } from 'tripoll/net';
import { Reactor } from 'tripoll';
export const connect = (to: string): Promise<TcpStream> => TcpStream.connect(to);
export const isClosed: boolean = Reactor.default.closed;
`;
  write(at, { 'use.mts': typed, 'use.cts': typed });
  for (const [module, resolution] of [
    ['nodenext', 'nodenext'],
    ['preserve', 'bundler'],
  ]) {
    check(`types, ${resolution}`, () => {
      write(at, { 'tsconfig.json': compilerOptions(module, resolution) });
      run(at, [process.execPath, path.join(root, 'node_modules/typescript/bin/tsc'), '-p', '.']);
    });
  }
}

function tryNode(at) {
  check('node --test', () => {
    write(at, {
      'use.test.mjs': `${imported}import test from 'node:test';\ntest('echo', async () => { if ((await main()) !== 'hello') throw new Error(); });\n`,
    });
    run(at, [process.execPath, '--test', 'use.test.mjs']);
  });
  check('in a worker', () => {
    write(at, {
      'worker.cjs': "const { Worker } = require('node:worker_threads');\nnew Worker('./use.cjs');\n",
    });
    expectHello(run(at, [process.execPath, 'worker.cjs']));
  });
  check('--permission', () => {
    const allowed = [
      '--experimental-permission',
      '--allow-fs-read=' + fs.realpathSync(at) + '/*',
      '--allow-addons',
    ];
    const text = run(at, [process.execPath, '--no-warnings', ...allowed, 'use.cjs']);
    expectHello(text);
  });
  check('--permission, without what it needs', () => {
    const allowed = ['--experimental-permission', '--allow-fs-read=' + fs.realpathSync(at) + '/*'];
    const text = run(at, [process.execPath, ...allowed, 'use.cjs'], { status: 1 });
    expect(text.includes('--allow-addons'), text);
  });
}

function tryCommand(at) {
  check('the command', () => {
    const command = path.join(at, 'node_modules/tripoll/bin/tripoll.cjs');
    const report = JSON.parse(run(at, [process.execPath, command, 'doctor', '--json']));
    expect(report.checks.length > 10, 'doctor looked at nothing');
  });
}

function tryTestRunners(at, modules) {
  const test = 'test("echo", async () => { expect(await main()).toBe("hello"); });\n';
  check('Jest', () => {
    write(at, {
      'jest.config.cjs': "module.exports = { testMatch: ['**/use.jest.cjs'], transform: {} };\n",
      'use.jest.cjs': required + test,
    });
    run(at, [process.execPath, path.join(root, 'node_modules/jest/bin/jest.js'), '--ci']);
  });
  check('Vitest', () => {
    const vitest = path.join(modules, 'vitest');
    write(at, {
      'use.spec.mjs': `${imported}import { expect, test } from '${vitest}/dist/index.js';\n${test}`,
    });
    run(at, [process.execPath, `${vitest}/vitest.mjs`, 'run', 'use.spec']);
  });
}

/** The executable has the program, and finds the package in the node_modules beside it. */
function tryExecutable(at) {
  check('a single executable, the package beside it', () => {
    const { node26 } = nodes();
    const load = "const require = require_('node:module').createRequire(process.execPath);";
    write(at, {
      'sea.cjs': `(function (require_) {\n${load}\n${required}${prints}})(require);\n`,
      'sea.json': JSON.stringify({ main: 'sea.cjs', output: 'program', disableExperimentalSEAWarning: true }),
    });
    run(at, [node26, '--build-sea', 'sea.json']);
    expectHello(run(at, [path.join(at, 'program')]));
  });
}

/**
 * One bundler as a program: how it makes `outfile` of `input`, in a format. `external` takes the
 * package out of it; without, the bundle throws what says so.
 */
function bundlers(modules) {
  const load = (name) => `require(${JSON.stringify(path.join(modules, name))})`;
  return {
    esbuild: `require(${JSON.stringify(path.join(root, 'node_modules/esbuild'))}).buildSync({
      entryPoints: [input], bundle: true, platform: 'node', format, outfile, external: external ? ['tripoll', 'tripoll/*'] : [] })`,
    webpack: `const isModule = format === 'esm';
      const before = isModule ? 'module ' : 'commonjs ';
      ${load('webpack')}({ mode: 'production', target: 'node', context: __dirname, entry: './' + input, experiments: { outputModule: isModule },
        externals: external ? [({ request }, done) => /^tripoll/.test(request) ? done(null, before + request) : done()] : [],
        output: { path: path.dirname(outfile), filename: path.basename(outfile), module: isModule, library: { type: isModule ? 'module' : 'commonjs2' } },
      }, (error, stats) => { if (error || stats.hasErrors()) { console.error(error ?? stats.toString()); process.exit(1); } })`,
    // Of itself it bundles neither packages nor CommonJS.
    rollup: `${load('rollup')}.rollup({ input, onwarn() {}, external: external ? [/^tripoll/, /^node:/] : [/^node:/],
        plugins: external ? [] : [${load('@rollup/plugin-node-resolve')}.nodeResolve(), ${load('@rollup/plugin-commonjs')}()],
      }).then((bundle) => bundle.write({ file: outfile, format }))`,
  };
}

/** Each bundler: with the package external, which works, and bundled, which says what to do. */
function tryBundlers(at, modules) {
  for (const [name, build] of Object.entries(bundlers(modules))) {
    for (const [format, suffix] of [
      ['cjs', 'cjs'],
      ['esm', 'mjs'],
    ]) {
      for (const external of [true, false]) {
        check(`${name}, ${format}, ${external ? 'external' : 'bundled: the error'}`, () => {
          const outfile = path.join(at, `bundled-${name}`, `${external}.${suffix}`);
          fs.mkdirSync(path.dirname(outfile), { recursive: true });
          const input = format === 'cjs' && name !== 'rollup' ? 'use.cjs' : 'use.mjs';
          const given = { input, format, outfile, external };
          const constants = Object.entries(given).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
          write(at, {
            'build.cjs': `const path = require('node:path');\nconst ${constants.join(', ')};\n${build};\n`,
          });
          run(at, [process.execPath, 'build.cjs']);
          const text = run(at, [process.execPath, outfile], { status: external ? 0 : 1 });
          if (external) expectHello(text);
          else
            expect(/ERR_TRIPOLL_NO_ADDON/.test(text) && /[Mm]ake (it|tripoll.*) external/.test(text), text);
        });
      }
    }
  }
}

function tryCheckers(tarball, modules) {
  check('publint', () => {
    const text = run(root, [
      process.execPath,
      path.join(modules, 'publint/src/cli.js'),
      'run',
      tarball,
      '--strict',
    ]);
    expect(/All good/.test(text), text);
  });
  // Of node16 on: a resolution that knows no `exports` finds the main entry alone.
  check('attw', () => {
    run(root, [
      process.execPath,
      path.join(modules, '@arethetypeswrong/cli/dist/index.js'),
      tarball,
      '--profile',
      'node16',
      '--no-color',
    ]);
  });
}

function main() {
  if (!runLine('npm run --silent build:lib')) throw new Error('the build failed');
  const prebuild = path.join(root, 'prebuilds/linux-x64/tripoll.glibc.node');
  if (!fs.existsSync(prebuild) && !runLine('npm run --silent prebuild:all -- linux-x64-glibc'))
    throw new Error('no prebuild');
  const tarball = pack();
  const modules = install('package', path.join(__dirname, 'package'));
  tryManagers(tarball);
  const at = project('user');
  run(at, [
    process.execPath,
    path.join(modules, 'npm-11/bin/npm-cli.js'),
    'install',
    '--no-audit',
    '--no-fund',
    tarball,
  ]);
  use(at);
  tryTypes(at);
  tryNode(at);
  tryCommand(at);
  tryTestRunners(at, modules);
  tryExecutable(at);
  tryBundlers(at, modules);
  tryCheckers(tarball, modules);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

main();
