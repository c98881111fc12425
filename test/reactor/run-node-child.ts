// What of Node's own works under run(). Arguments: backend, whether the reactor has something
// ref'd, the port of another process's echo server, where (main or worker). Prints a line of JSON
// for each scenario, and ends by itself.
import { execFile, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import dns from 'node:dns';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises';
import { isMainThread, MessageChannel, Worker, workerData } from 'node:worker_threads';
import { type BackendName, Interest, Reactor } from 'tripoll';
import { listen } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { isWindows, isOldWine } from '../support/platform';
import { openPipe } from '../support/pairs';

const [backend, refed, portText, where] = (isMainThread ? process.argv.slice(2) : workerData) as [
  BackendName,
  string,
  string,
  string,
];
const port = Number(portText);
const host = '127.0.0.1';
const reactor = new Reactor({ backend });
const fds: number[] = [];
openPipe(fds, sys.constants['O_NONBLOCK']);
const [read = -1, write = -1] = fds;
const byte = new Uint8Array(1);

/** Runs `fn` in a handler, once, when nothing else goes on: libuv is waiting by then. */
function inHandler<T>(fn: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const registration = reactor.register(read, Interest.READABLE, {
      onReady() {
        sys.read(read, byte);
        registration.deregister();
        try {
          resolve(fn());
        } catch (error) {
          reject(error);
        }
      },
    });
    // A thread of libuv's pool, or the kernel: in any case nothing that leaves libuv something to
    // do afterwards.
    reactor.setTimer(5, () => sys.write(write, byte));
  });
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += String(chunk);
  return all;
}

/** Says so many bytes to the echo server of the other process, and counts what comes back. */
function echoBytes(socket: net.Socket, bytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let received = 0;
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (received >= bytes) socket.end();
    });
    socket.on('close', () => resolve(received));
    socket.write(Buffer.alloc(bytes));
  });
}

/** A name server that refuses every question. */
async function askNameServer(): Promise<string> {
  const server = dgram.createSocket('udp4', (question, from) => {
    const answer = Buffer.from(question);
    answer.writeUInt16BE(0x8185, 2);
    server.send(answer, from.port, from.address);
  });
  server.bind(0, host);
  await once(server, 'listening');
  const resolver = new dns.promises.Resolver();
  resolver.setServers([`${host}:${server.address().port}`]);
  const refused = await resolver
    .resolve4('example.test')
    .catch((error: unknown) => (error as NodeJS.ErrnoException).code);
  server.close();
  return String(refused);
}

function inWorker(): Promise<unknown[]> {
  const source =
    "const { parentPort: p } = require('node:worker_threads'); p.once('message', (m) => p.postMessage(m + 1))";
  const worker = new Worker(source, { eval: true });
  worker.postMessage(1);
  return Promise.all([once(worker, 'message'), once(worker, 'exit')]);
}

function useMessagePort(): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  port2.on('message', (value: number) => port2.postMessage(value + 1));
  return new Promise((resolve) => {
    port1.on('message', (value: number) => {
      if (value < 100) port1.postMessage(value);
      else {
        port1.close();
        resolve(value);
      }
    });
    port1.postMessage(0);
  });
}

const scenarios: Readonly<Record<string, () => Promise<unknown>>> = {
  async timers() {
    const order: string[] = [];
    setImmediate(() => order.push('immediate'));
    process.nextTick(() => order.push('tick'));
    await Promise.resolve().then(() => order.push('microtask'));
    await immediate();
    const startMs = performance.now();
    await delay(20);
    const late = performance.now() - startMs;
    let ticks = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (++ticks < 5) return;
        clearInterval(timer);
        resolve();
      }, 2);
    });
    return [...order, late >= 19 && late < 2000, ticks];
  },
  async fs() {
    const file = await fs.promises.readFile(__filename, 'utf8');
    const size = await new Promise((resolve, reject) => {
      fs.stat(__filename, (error, stats) => (error === null ? resolve(stats.size) : reject(error)));
    });
    return [
      file.length > 100,
      size === Buffer.byteLength(file),
      (await text(fs.createReadStream(__filename))) === file,
    ];
  },
  async dns() {
    const { address } = await dns.promises.lookup(host);
    return [address, await askNameServer()];
  },
  'message port': useMessagePort,
  async 'child process'() {
    const output = await new Promise((resolve, reject) => {
      execFile(process.execPath, ['-p', '1 + 1'], (error, stdout) =>
        error === null ? resolve(stdout) : reject(error),
      );
    });
    const child = spawn(process.execPath, ['-e', 'process.stdin.pipe(process.stdout)'], { stdio: 'pipe' });
    child.stdin.end('through the child');
    const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number]>]);
    return [output, said, code];
  },
  worker: inWorker,
  async 'net to itself'() {
    const server = net.createServer((socket) => socket.pipe(socket)).listen(0, host);
    await once(server, 'listening');
    const client = net.connect((server.address() as net.AddressInfo).port, host);
    const received = await echoBytes(client, 100_000);
    server.close();
    await once(server, 'close');
    return received;
  },
  async 'net to our listener'() {
    const listener = listen(
      { host, port: 0, reactor },
      { data: (connection, chunk) => void connection.write(chunk) },
    );
    const received = await echoBytes(net.connect(listener.localAddress!.port, host), 100_000);
    listener.close();
    return received;
  },
  'net from a handler': () => inHandler(() => echoBytes(net.connect(port, host), 10)),
  async 'a large write from a handler'() {
    const socket = net.connect(port, host);
    await once(socket, 'connect');
    return inHandler(() => echoBytes(socket, 4_000_000));
  },
  async 'resume() in a handler'() {
    const socket = net.connect(port, host);
    await once(socket, 'connect');
    let received = '';
    socket.on('data', (chunk) => (received += String(chunk)));
    socket.pause();
    socket.write('held back');
    return inHandler(async () => {
      socket.resume();
      while (received.length < 9) await once(socket, 'data');
      socket.destroy();
      return received;
    });
  },
  async 'a server and a datagram from a handler'() {
    const socket = dgram.createSocket('udp4');
    const server = net.createServer((peer) => peer.end('hello'));
    await inHandler(() => {
      server.listen(0, host);
      socket.bind(0, host);
    });
    if (!server.listening) await once(server, 'listening');
    const said = await inHandler(() => text(net.connect((server.address() as net.AddressInfo).port, host)));
    server.close();
    const message = await inHandler(() => {
      socket.send('datagram', socket.address().port, host);
      return once(socket, 'message') as Promise<[Buffer]>;
    });
    socket.close();
    return [said, String(message[0])];
  },
  async 'everything else from a handler'() {
    const all = await inHandler(() =>
      Promise.all([
        fs.promises.readFile(__filename).then(({ length }) => length > 0),
        delay(5, 'timer'),
        immediate('immediate'),
        dns.promises.lookup(host).then(({ address }) => address),
        useMessagePort(),
        inWorker(),
      ]),
    );
    return all;
  },
  async 'from a timer, a post and onWake'() {
    const received: number[] = [];
    const say = async (): Promise<void> => void received.push(await echoBytes(net.connect(port, host), 10));
    await new Promise<void>((resolve) => {
      reactor.setTimer(5, () => resolve(say()));
    });
    await new Promise<void>((resolve) => {
      reactor.setTimer(5, () => reactor.post(() => resolve(say())));
    });
    await new Promise<void>((resolve) => {
      const waker = reactor.waker(() => resolve(say()));
      reactor.setTimer(5, () => waker.wake());
    });
    return received;
  },
  async 'what is not ref’d'() {
    await new Promise<void>((resolve) => {
      reactor.setTimer(5, resolve).unref();
    });
    const seen: number[] = [];
    const registration = reactor.register(write, Interest.WRITABLE, {
      onReady(readiness) {
        seen.push(readiness);
        registration.deregister();
        reactor.setTimer(5, heard).unref();
      },
    });
    let heard = (): void => {};
    registration.unref();
    await new Promise<void>((resolve) => {
      heard = resolve;
    });
    return seen;
  },
  async signal() {
    if (!isMainThread) return null;
    const heard = once(process, 'SIGUSR2');
    process.kill(process.pid, 'SIGUSR2');
    return heard;
  },
  async console() {
    console.log('"1"');
    await immediate();
    console.log('"2"');
    return 'said';
  },
};

async function main(): Promise<void> {
  const source = reactor.setTimer(600_000, () => {});
  if (refed !== 'ref') source.unref();
  const ended = reactor.run();
  // Node's own: some of what is awaited below keeps nothing alive.
  const keepAlive = setTimeout(() => {}, 600_000);
  for (const [name, scenario] of Object.entries(scenarios)) {
    if ((isWindows && name === 'signal') || (isOldWine && name === 'child process')) continue;
    // From a turn of the loop that run() has, not from the one in which it began.
    await delay(1);
    const seen = await scenario();
    console.log(JSON.stringify({ name, seen, driver: reactor.inspect().driver }));
  }
  // From here on nothing is ref'd: it must end though run() has not.
  clearTimeout(keepAlive);
  source.cancel();
  void ended;
}

if (isMainThread && where === 'worker') {
  const worker = new Worker(__filename, { workerData: process.argv.slice(2) });
  worker.on('error', (error) => {
    throw error;
  });
} else void main();
