// A server of bodies, as Node's users write it: `node http-server.js http|https|h2|h2c OPTIONS`, the
// latter as JSON; with a `path` among them it listens there. GET /bytes/N gives N bytes, with ?chunked without saying how many; POST /hash
// says what came, POST /echo sends it back; GET /state says what the server has seen.
import { reportAtEnd, sayReady } from '../report.js';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { createSecureServer, createServer as createHttp2 } from 'node:http2';
import { readdirSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { secrets } from '../../support/secrets.js';
import { bodyOf, newHash } from '../body.js';

const [, , kind = 'http', given = '{}'] = process.argv;
const options = JSON.parse(given) as Readonly<Record<string, number | string>>;
const seen = { requests: 0, uploads: 0, connections: 0, continues: 0, upgrades: 0, aborted: 0 };

function sendBytes(request: IncomingMessage, response: ServerResponse, lengthBytes: number): void {
  if (!request.url!.includes('chunked')) response.setHeader('content-length', lengthBytes);
  const body = Readable.from(bodyOf(lengthBytes));
  response.on('close', () => {
    if (!response.writableFinished) seen.aborted++;
    body.destroy();
  });
  body.pipe(response);
}

function sendHash(request: IncomingMessage, response: ServerResponse): void {
  const hash = newHash();
  seen.uploads++;
  let lengthBytes = 0;
  request.on('data', (chunk: Buffer) => {
    lengthBytes += chunk.length;
    hash.update(chunk);
  });
  request.on('close', () => {
    if (!request.complete) seen.aborted++;
  });
  request.on('end', () => {
    const { headers, httpVersion } = request;
    const framing =
      headers['transfer-encoding'] ?? (headers['content-length'] === undefined ? 'none' : 'length');
    response.end(JSON.stringify({ lengthBytes, hash: hash.digest('hex'), framing, httpVersion }));
  });
}

async function sendState(response: ServerResponse): Promise<void> {
  const open = await promisify(server.getConnections.bind(server))();
  response.end(JSON.stringify({ ...seen, open, fds: readdirSync('/proc/self/fd').length }));
}

function onRequest(request: IncomingMessage, response: ServerResponse): void {
  seen.requests++;
  const [, route, count] = /^\/(\w+)(?:\/(\d+))?/.exec(request.url!) ?? [];
  if (route === 'bytes') sendBytes(request, response, Number(count));
  else if (route === 'hash') sendHash(request, response);
  else if (route === 'echo') request.pipe(response);
  else if (route === 'state') void sendState(response);
  else response.end('hello\n');
}

const MAKERS: Record<string, () => unknown> = {
  http: () => createServer(options, onRequest),
  https: () => createSecure({ ...options, ...secrets }, onRequest),
  h2: () => createSecureServer({ ...options, ...secrets, allowHTTP1: true }, onRequest as never),
  h2c: () => createHttp2(options, onRequest as never),
};
const server = MAKERS[kind]!() as Server;

server.on('connection', () => seen.connections++);
if (kind === 'http') {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    seen.continues++;
    response.writeContinue();
    onRequest(request, response);
  });
  server.on('upgrade', (_request: IncomingMessage, socket: Socket, head: Buffer) => {
    seen.upgrades++;
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
    socket.write(head);
    socket.pipe(socket);
  });
}
const place = options['path'] === undefined ? { port: 0, host: '127.0.0.1' } : { path: options['path'] };
server.listen(place, () => sayReady({ port: (server.address() as AddressInfo).port }));
reportAtEnd(
  () =>
    new Promise((resolve) => {
      server.close(() => resolve({ ...seen }));
      if (kind.startsWith('http')) server.closeIdleConnections();
    }),
);
