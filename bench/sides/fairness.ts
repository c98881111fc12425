// A server under bulk senders, and what it leaves to its own loop. argv: a kind, the port of a sink
// (for proxies), the core. Standard output: `port N`, then at each tick of a 20 ms setInterval
// `tick MS BYTES`, at each of the reactor's own `timer MS BYTES`: the time since the system
// started, which the harness reads from the same clock, and the bytes so far.
import { writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { Reactor } from 'tripoll';
import { copyBidirectional, listen, TcpListener, TcpStream } from 'tripoll/net';
import { announcePort, enterSideProcess, listenAndAnnounce } from '../side-process.js';

const host = '127.0.0.1';
const periodMs = 20;
const bufferBytes = 65_536;
const [kind = '', sinkPort] = process.argv.slice(2);
const [driver, work] = kind.split('-');
const sink = { host, port: Number(sinkPort) };
let bytes = 0;

function tell(word: string): void {
  writeSync(1, `${word} ${Number(process.hrtime.bigint() / 1_000_000n)} ${bytes}\n`);
}

function makeReactor(): Reactor {
  const reactor = new Reactor({ driver: driver === 'watcher' ? 'watcher' : undefined });
  if (driver === 'run') void reactor.run();
  reactor.setTimer(periodMs, () => tell('timer'), { repeatMs: periodMs });
  return reactor;
}

async function readAll(stream: TcpStream): Promise<void> {
  const buffer = new Uint8Array(bufferBytes);
  for (let n = -1; n !== 0; bytes += n) n = await stream.read(buffer);
}

async function pass(client: TcpStream, reactor: Reactor, splice: boolean): Promise<void> {
  const server = await TcpStream.connect(sink, { reactor });
  await copyBidirectional(client, server, { splice, bufferBytes });
}

async function acceptEach(reactor: Reactor, serve: (stream: TcpStream) => Promise<void>): Promise<void> {
  const listener = await TcpListener.bind({ host, port: 0 }, { reactor });
  announcePort(listener.localAddress?.port);
  for await (const stream of listener) void serve(stream);
}

function serveByNode(): void {
  const server = createServer((client) => {
    if (work === 'discard') client.on('data', (chunk) => (bytes += chunk.length));
    else client.pipe(connect(sink));
  });
  listenAndAnnounce(server);
}

function serve(): void {
  if (driver === 'node') {
    serveByNode();
    return;
  }
  const reactor = makeReactor();
  if (work === 'handlers') {
    const data = (_: unknown, chunk: Uint8Array): void => {
      bytes += chunk.length;
    };
    announcePort(listen({ host, port: 0, reactor }, { data }).localAddress?.port);
  } else if (work === 'promises') void acceptEach(reactor, readAll);
  else void acceptEach(reactor, (stream) => pass(stream, reactor, work === 'splice'));
}

enterSideProcess();
serve();
setInterval(() => tell('tick'), periodMs);
