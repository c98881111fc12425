// F28: what stands in the pages compiles under a consumer's strict settings, and runs.
import dgram from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { capabilities } from 'tripoll';
import { testIf } from '../support/applies.js';
import { hasBackend } from '../support/backends.js';
import { until, within } from '../support/deadline.js';
import { makeFifo } from '../support/fifo.js';
import { temporaryFolder } from '../support/folders.js';
import { expectExit, freePort, runModule, type Example } from './example.js';
import { compileSnippets, findSnippets, makeConsumer, moduleOf } from './snippets.js';

const snippets = findSnippets();
const folder = temporaryFolder();
makeConsumer(folder);
let complaints: string[] = [];
beforeAll(() => {
  complaints = compileSnippets(folder, snippets);
}, 60_000);

test('F28 each snippet compiles under strict settings', () => {
  expect(snippets.length).toBeGreaterThan(7);
  expect(complaints.join('\n')).toBe('');
});

/** Starts a snippet, with the names in it replaced by those of the test. */
type Start = (replaced?: Readonly<Record<string, string>>) => Example;

/** A fifo in the test's folder. */
function newFifo(): string {
  return makeFifo(path.join(temporaryFolder(), 'fifo'));
}

/** Connects as soon as somebody listens. */
async function connectTo(port: number): Promise<net.Socket> {
  let socket = new net.Socket();
  await until(async () => {
    socket = net.connect(port, '127.0.0.1');
    return once(socket, 'connect').then(
      () => true,
      () => false,
    );
  }, `a listener on port ${port}`);
  return socket;
}

async function expectEcho(socket: net.Socket): Promise<void> {
  socket.write('hello');
  const [chunk] = (await within(once(socket, 'data'), 'the echo')) as [Buffer];
  expect(chunk.toString()).toBe('hello');
  socket.destroy();
}

async function echoes(start: Start): Promise<void> {
  const port = await freePort();
  const running = start({ '8080': String(port) });
  await expectEcho(await connectTo(port));
  await expectEcho(await connectTo(port));
  expect(running.errors()).toBe('');
}

async function bindDatagrams(): Promise<{ socket: dgram.Socket; port: number }> {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { socket, port: socket.address().port };
}

/** How the snippets run that do not end by themselves, or need somebody else. */
const drivers: Record<string, (start: Start) => Promise<void>> = {
  'README.md: An echo server, 1': echoes,
  'README.md: An echo server, 2': echoes,
  'docs/guide/2-a-first-server.md: 2. A first server, 1': echoes,
  'docs/guide/3-handlers.md: 3. Handlers, 1': echoes,

  async 'docs/guide/4-udp.md: 4. UDP, 1'(start) {
    const { socket } = await bindDatagrams();
    const port = await freePort();
    const running = start({ '9999': String(port), '0.0.0.0': '127.0.0.1' });
    const answers: string[] = [];
    socket.on('message', (message) => answers.push(message.toString()));
    await until(() => {
      socket.send('hello', port, '127.0.0.1'); // lost until it is bound
      return answers.length > 0;
    }, 'an answer');
    expect(answers[0]).toBe('hello');
    expect(running.errors()).toBe('');
    socket.close();
  },

  async 'docs/guide/4-udp.md: 4. UDP, 2'(start) {
    const { socket, port } = await bindDatagrams();
    socket.on('message', (message, { port: sender }) => socket.send(message, sender, '127.0.0.1'));
    await expectExit(start({ '9999': String(port) }), 0, '');
    socket.close();
  },

  async 'docs/guide/5-any-fd.md: Unix sockets, and passing fds, 1'(start) {
    const running = start({ '/run/app.sock': path.join(temporaryFolder(), 'app.sock') });
    await running.printed(new RegExp(`pid: ${running.pid ?? 0}`));
    await expectExit(running, 0, '');
  },

  async 'docs/guide/5-any-fd.md: 5. Any file descriptor, 1'(start) {
    const fifo = newFifo();
    const running = start({ '/tmp/events.fifo': fifo });
    const writer = await open(fifo, 'w');
    await writer.write('hello');
    await running.printed(/hello/);
    await writer.close();
    await expectExit(running, 0, '');
  },

  async 'docs/guide/5-any-fd.md: With promises, 1'(start) {
    const fifo = newFifo();
    const watched = temporaryFolder();
    const running = start({ '/tmp/events.fifo': fifo, '/etc': watched });
    const writer = await open(fifo, 'w');
    await writer.write('hello');
    await running.printed(/hello/);
    await until(() => {
      writeFileSync(path.join(watched, 'hosts'), ''); // not heard until it is watched
      return running.output().includes('hosts');
    }, 'the name of a file');
    expect(running.errors()).toBe('');
    await writer.close();
  },

  async 'docs/node.md: A server of Node on a listener, 1'(start) {
    const port = await freePort();
    const running = start({ '8080': String(port) });
    (await connectTo(port)).destroy();
    const response = await fetch(`http://127.0.0.1:${port}/`);
    expect(await response.text()).toBe('hello, 127.0.0.1\n');
    expect(running.errors()).toBe('');
  },

  async 'docs/guide/2-a-first-server.md: What goes wrong, 1'(start) {
    const running = start({ '127.0.0.1:1': `127.0.0.1:${await freePort()}` });
    await running.printed(/^nobody listens there$/m);
    await expectExit(running, 0, '');
  },

  async 'docs/guide/10-operations.md: Options, 1'(start) {
    const server = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = await freePort();
    const target = `localhost:${(server.address() as AddressInfo).port}`;
    const running = start({ '0.0.0.0:8080': `127.0.0.1:${port}`, 'example.org:80': target });
    await expectEcho(await connectTo(port));
    expect(running.errors()).toBe('');
    server.close();
  },
};

// What the snippets show is Linux's in good part: inotify, splice. The kqueue backend's leg runs on
// Linux too.
const epollTest = testIf(hasBackend('epoll'), 'the snippets are run where epoll is');
const onNode = testIf(
  capabilities.runtime === 'node' && hasBackend('epoll'),
  'it is about Node’s own sockets',
);
const ABOUT_NODE = [
  "docs/guide/8-nodes-shapes.md: 8. Node's shapes, 2",
  'docs/node.md: A server of Node on a listener, 1',
  'docs/node.md: Streams in other shapes, 3',
];
const named = new Map(snippets.map((snippet, index) => [snippet.name, { snippet, index }]));

for (const [name, { snippet, index }] of named) {
  if (snippet.notRun !== '') {
    testIf(false, snippet.notRun)(`F28 ${name}: it runs`);
    continue;
  }
  const register = ABOUT_NODE.includes(name) ? onNode : epollTest;
  register(`F28 ${name}: it runs`, async () => {
    const start: Start = (replaced = {}) => runModule(moduleOf(folder, index, replaced));
    const drive = drivers[name] ?? ((run: Start) => expectExit(run(), 0, ''));
    await drive(start);
  });
}

test('F28 no test is for a snippet that is gone', () => {
  expect([...Object.keys(drivers), ...ABOUT_NODE].filter((name) => !named.has(name))).toEqual([]);
});

test('F28 each that is not run is known, and says why', () => {
  const skipped = snippets.filter(({ notRun }) => notRun !== '');
  expect(skipped.map(({ name }) => name)).toEqual([]);
});
