// TLS, each message answered by one: over Node's own sockets, over our Duplex, or over Node's own
// again, which tripoll has accepted (handOver). argv: Node, Duplex or handOver, and the core. The
// answer is one of HTTP, so that wrk can ask.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import { announcePort, enterSideProcess, listenAndAnnounce, obeyHarness } from '../side-process.js';

const host = '127.0.0.1';
const backlog = 4096;
const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n'.padEnd(99, '.'));

function makeKey(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(path.join(tmpdir(), 'tripoll-bench-'));
  const [key, cert] = ['key', 'cert'].map((name) => path.join(folder, name)) as [string, string];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=bench'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const made = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(folder, { recursive: true });
  return made;
}

function onData(this: TLSSocket): void {
  this.write(answer);
}

function onError(this: TLSSocket): void {
  this.destroy();
}

enterSideProcess();
const server = createServer({ ...makeKey(), noDelay: true }, (socket) => {
  socket.on('data', onData);
  socket.on('error', onError);
});
const take = (socket: unknown): boolean => server.emit('connection', socket as Socket);

async function serveDuplex(): Promise<void> {
  const node = await import('tripoll/node');
  const below = node.createServer({ noDelay: true, allowHalfOpen: true }, take);
  below.listen({ host, port: 0, backlog }, () => announcePort((below.address() as { port: number }).port));
}

async function serveHandedOver(): Promise<void> {
  const { handOver } = await import('tripoll/node');
  const { TcpListener } = await import('tripoll/tcp');
  const listener = await TcpListener.bind({ host, port: 0 }, { backlog });
  announcePort(listener.localAddress?.port);
  for await (const stream of listener) take(handOver(stream));
}

if (process.argv[2] === 'Duplex') void serveDuplex();
else if (process.argv[2] === 'handOver') void serveHandedOver();
else listenAndAnnounce(server);
obeyHarness();
