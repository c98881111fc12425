// What is loaded when: the entries bring the reactor and TCP, all else comes with its first use
// (tools/bundle.cjs).
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { testIf } from '../support/applies.js';
import { packageRoot, runScript } from '../support/child.js';
import { isWindows } from '../support/platform.js';

const bundleFolder = path.join(packageRoot, 'dist/bundle');
const bundles = readdirSync(bundleFolder)
  .filter((file) => file.endsWith('.js'))
  .map((file) => path.basename(file, '.js'));

/**
 * For a child: `loaded()` are the bundles so far, in alphabetical order, without `addon`, which the
 * core needs at once.
 */
const loadedBundles = `
  const path = require('node:path');
  const isBundle = (file) => path.basename(path.dirname(file)) === 'bundle' && path.basename(file) !== 'addon.js';
  const loaded = () => Object.keys(require.cache).filter(isBundle).map((file) => path.basename(file, '.js')).sort();
`;

async function runChild(source: string): Promise<unknown> {
  const { stdout, stderr } = await runScript(loadedBundles + source);
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

test('the entries load the core bundle alone', async () => {
  const script = `
    const names = Object.keys({ ...require('tripoll') }).concat(Object.keys(require('tripoll/net')));
    console.log(JSON.stringify({ many: names.length > 50, loaded: loaded() }));`;
  expect(await runChild(script)).toEqual({ many: true, loaded: ['core'] });
});

test('T98 the entries load none of Node’s modules that cost', async () => {
  const script = `
    const builtins = () => process.moduleLoadList.map((name) => name.replace('NativeModule ', ''));
    const before = builtins();
    require('tripoll');
    require('tripoll/net');
    const costly = ['dns', 'net', 'stream', 'tty', 'worker_threads', 'internal/mime', 'internal/util/diff'];
    console.log(JSON.stringify(costly.filter((name) => !before.includes(name) && builtins().includes(name))));`;
  expect(await runChild(script)).toEqual([]);
});

test.each([
  { entry: 'tripoll/tcp', expected: ['core', 'promises', 'sockets', 'streams'] },
  { entry: 'tripoll/udp', expected: ['core', 'sockets', 'udp'] },
  { entry: 'tripoll/framing', expected: ['core', 'framing'] },
  { entry: 'tripoll/fd', expected: ['core', 'extras', 'fds', 'sockets', 'sources'] },
])('an import of $entry loads its own bundles alone', async ({ entry, expected }) => {
  const script = `import('${entry}').then(() => console.log(JSON.stringify(loaded())));`;
  expect(await runChild(script)).toEqual(expected);
});

test('an import of tripoll/net does not depend on what tripoll/tcp had loaded: they are one', async () => {
  const script = `Promise.all([import('tripoll/net'), import('tripoll/tcp'), import('tripoll/udp'), import('tripoll/unix'), import('tripoll/fd'), import('tripoll/framing')]).then(
    ([net, ...parts]) => console.log(JSON.stringify(parts.flatMap((part) => Object.keys(part)).filter((key) => key !== 'default' && key !== 'module.exports' && parts.some((part) => key in part && part[key] !== net[key])))));`;
  expect(await runChild(script)).toEqual([]);
});

test('the core bundle is small', () => {
  // V8 takes a millisecond to read 40 KB: these are 2.25 of the 10 ms that loading may take. The
  // addon takes 2.5, Node's own search for the files 2. If it has become too large: what a reactor
  // can do without has a place in another bundle.
  expect(statSync(path.join(bundleFolder, 'core.js')).size).toBeLessThan(90_000);
});

test.each(bundles)('the docs of lib/ are not in %s', (bundle) => {
  const lines = readFileSync(path.join(bundleFolder, `${bundle}.js`), 'utf8').split('\n');
  expect(lines.filter((line) => /^ *(\/\*\*|\*\/)/.test(line))).toEqual([]);
});

const hasLib = existsSync(path.join(packageRoot, 'lib'));
testIf(hasLib, 'what is staged has no lib/')('a stack trace names the lines of lib/', async () => {
  const script = `
    try { new (require('tripoll').Reactor)({ clocks: 1 }); } catch (error) { console.log(error.stack); }`;
  const { stdout } = await runScript(script, { nodeOptions: ['--enable-source-maps'] });
  const [, file, line] = /(lib[/\\]reactor[/\\]reactor\.ts):(\d+)/.exec(stdout) ?? [];
  const text = readFileSync(path.join(packageRoot, file ?? ''), 'utf8').split('\n')[Number(line) - 1];
  expect(text?.trim()).toBe("checkNames('options', options, REACTOR_NAMES);");
});

test('a listener with handlers takes one bundle more', async () => {
  const script = `
    const { listen } = require('tripoll/net');
    listen({ host: '127.0.0.1', port: 0 }, {}).close();
    console.log(JSON.stringify(loaded()));`;
  expect(await runChild(script)).toEqual(['core', 'sockets', 'streams']);
});

test('TCP in both styles, of both sides, needs these bundles', async () => {
  const script = `
    const { listen, connect, TcpListener, TcpStream } = require('tripoll/net');
    async function promises() {
      const listener = await TcpListener.bind('127.0.0.1:0');
      const [stream, accepted] = await Promise.all([TcpStream.connect('127.0.0.1:' + listener.localAddress.port), listener.accept()]);
      await stream.writeAll(Buffer.from('ping'));
      const bytes = await accepted.stream.read(new Uint8Array(4), { timeoutMs: 5000 });
      for (const each of [stream, accepted.stream, listener]) each.close();
      return bytes;
    }
    function handlers() {
      return new Promise((resolve, reject) => {
        const listener = listen({ host: '127.0.0.1', port: 0 }, { data: (conn, chunk) => void conn.write(chunk), error: reject });
        connect({ host: '127.0.0.1', port: listener.localAddress.port }, {
          open: (conn) => void conn.write(Buffer.from('ping')),
          data(conn, chunk) { conn.close(); listener.close(); resolve(chunk.length); },
          error: (conn, error) => reject(error),
        });
      });
    }
    Promise.all([promises(), handlers()]).then((bytes) => console.log(JSON.stringify({ bytes, loaded: loaded() })));`;
  expect(await runChild(script)).toEqual({
    bytes: [4, 4],
    loaded: ['core', 'promises', 'sockets', 'streams'],
  });
});

test.each([
  { name: 'UdpSocket', expected: ['core', 'sockets', 'udp'] },
  { name: 'bindUdp', expected: ['core', 'sockets', 'udp'] },
  { name: 'LineReader', expected: ['core', 'framing'] },
  { name: 'setOption', expected: ['core', 'options', 'sockets'] },
  { name: 'attach', expected: ['core', 'moving'] },
  { name: 'AsyncFd', expected: ['core', 'extras', 'sockets'] },
  { name: 'PipeStream', expected: ['core', 'pipes', 'promises', 'sockets', 'streams'] },
  { name: 'UnixStream', expected: ['core', 'fds', 'promises', 'sockets', 'streams', 'unix'] },
  {
    name: 'UnixDatagram',
    expected: [
      ...['core', 'datagrams', 'extras', 'fds', 'promises', 'sockets', 'sources', 'streams', 'unix'],
    ],
  },
  { name: 'TimerFd', expected: ['core', 'extras', 'fds', 'sockets', 'sources'] },
])(
  '$name loads its bundle when it is first read, and is a plain property then',
  async ({ name, expected }) => {
    const script = `
    const net = require('tripoll/net');
    const before = loaded();
    const value = net.${name};
    const { value: stored, enumerable, writable } = Object.getOwnPropertyDescriptor(net, '${name}');
    console.log(JSON.stringify({ before, after: loaded(), isStored: typeof value === 'function' && stored === value, enumerable, writable }));`;
    expect(await runChild(script)).toEqual({
      before: ['core'],
      after: expected,
      isStored: true,
      enumerable: true,
      writable: true,
    });
  },
);

test('a name of an entry can be replaced before it was read', async () => {
  const script = `
    const net = require('tripoll/net');
    net.UdpSocket = 'mine';
    console.log(JSON.stringify({ value: net.UdpSocket, loaded: loaded() }));`;
  expect(await runChild(script)).toEqual({ value: 'mine', loaded: ['core'] });
});

test('a method of a stream loads what it needs', async () => {
  const script = `
    const { TcpListener, TcpStream, ReadHalf } = require('tripoll/net');
    TcpListener.bind('127.0.0.1:0').then(async (listener) => {
      const stream = await TcpStream.connect('127.0.0.1:' + listener.localAddress.port);
      const isHalf = stream.split().reader instanceof ReadHalf;
      stream.close();
      listener.close();
      console.log(JSON.stringify({ isHalf, loaded: loaded() }));
    });`;
  expect(await runChild(script)).toEqual({
    isHalf: true,
    loaded: ['core', 'extras', 'promises', 'sockets', 'streams'],
  });
});

// A class that exists twice passes every test of its own, and fails where the two meet.
test('every module is in one bundle', () => {
  const modulesOf = (bundle: string): Set<string> => {
    const text = readFileSync(path.join(bundleFolder, `${bundle}.js`), 'utf8');
    return new Set([...text.matchAll(/^\/\/ (lib\/.*\.ts)$/gm)].map(([, file]) => file!));
  };
  const modules = bundles.flatMap((bundle) => [...modulesOf(bundle)]);
  expect(modules).toContain('lib/net/udp/udp-socket.ts');
  expect(modules.filter((file, i) => modules.indexOf(file) !== i)).toEqual([]);
});

test.each(bundles)('it does not matter that %s is loaded first', async (bundle) => {
  const script = `
    const first = require('./dist/bundle/${bundle}.js');
    const exported = new Map(['tripoll', 'tripoll/net', 'tripoll/raw'].flatMap((entry) => Object.entries(require(entry))));
    for (const other of ${JSON.stringify(bundles)}) require('./dist/bundle/' + other + '.js');
    const own = Object.entries(first).map(([name, module]) => ({ name, module, file: require('./dist/' + name + '.js') }));
    const handsOutAnother = ({ module, file }) => Object.keys(module).some((key) => module[key] !== file[key]);
    // connect and others of node:net's shape are other functions.
    const ofSockets = own.filter(({ name }) => !name.startsWith('node/'));
    const isExportedAsAnother = ([key, value]) => typeof value === 'function' && exported.has(key) && exported.get(key) !== value;
    console.log(JSON.stringify({
      files: own.filter(handsOutAnother).map(({ name }) => name),
      entries: ofSockets.flatMap(({ module }) => Object.entries(module)).filter(isExportedAsAnother).map(([key]) => key),
      loaded: loaded(),
    }));`;
  expect(await runChild(script)).toEqual({
    files: [],
    entries: [],
    loaded: bundles.filter((bundle) => bundle !== 'addon').sort(),
  });
});

test('node:tty, which costs as much as the addon, is not loaded, for a terminal neither', async () => {
  const script = `
    const isLoaded = () => process.moduleLoadList.includes('NativeModule tty');
    const { FdStream } = require('tripoll/net');
    const before = isLoaded();
    let code;
    try { FdStream.tty(require('node:fs').openSync(process.execPath), 'read'); } catch (error) { code = error.code; }
    console.log(JSON.stringify({ before, code, after: isLoaded() }));`;
  const code = isWindows ? 'ERR_TRIPOLL_UNSUPPORTED' : 'ENOTTY';
  expect(await runChild(script)).toEqual({ before: false, code, after: false });
});
