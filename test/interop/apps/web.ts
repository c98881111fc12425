// A hello of a framework's: `node web.js fastify|express`.
import { reportAtEnd, sayReady } from '../report.js';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { Readable } from 'node:stream';
import { bodyOf } from '../body.js';
import { load } from '../packages.js';

interface Fastify {
  readonly server: Server;
  get(route: string, handler: (request: Asked, reply: Reply) => unknown): void;
  post(route: string, handler: (request: Asked, reply: Reply) => unknown): void;
  listen(place: { port: number; host: string }): Promise<string>;
  close(): Promise<void>;
}
interface Asked {
  readonly body: unknown;
  readonly ip: string;
  readonly params: Readonly<Record<string, string>>;
}
interface Reply {
  type(mime: string): Reply;
  send(body: unknown): unknown;
  json(body: unknown): unknown;
}
interface Express {
  use(handler: unknown): void;
  get(route: string, handler: (request: Asked, reply: Reply & NodeJS.WritableStream) => unknown): void;
  post(route: string, handler: (request: Asked, reply: Reply) => unknown): void;
  listen(port: number, host: string, listening: () => void): Server;
}

async function serveFastify(): Promise<void> {
  const app = load<(options: object) => Fastify>('fastify')({ forceCloseConnections: 'idle' });
  app.get('/', (request) => ({ hello: 'world', ip: request.ip }));
  app.post('/echo', (request) => request.body);
  app.get('/bytes/:count', (request, reply) =>
    reply.type('application/octet-stream').send(Readable.from(bodyOf(Number(request.params['count'])))),
  );
  await app.listen({ port: 0, host: '127.0.0.1' });
  sayReady({ port: (app.server.address() as AddressInfo).port });
  reportAtEnd(async () => {
    await app.close();
    return {};
  });
}

function serveExpress(): void {
  const express = load<(() => Express) & { json(options: object): unknown }>('express');
  const app = express();
  app.use(express.json({ limit: '2mb' }));
  app.get('/', (request, reply) => reply.json({ hello: 'world', ip: request.ip }));
  app.post('/echo', (request, reply) => reply.json(request.body));
  app.get('/bytes/:count', (request, reply) => {
    reply.type('application/octet-stream');
    return Readable.from(bodyOf(Number(request.params['count']))).pipe(reply);
  });
  const server = app.listen(0, '127.0.0.1', () => sayReady({ port: (server.address() as AddressInfo).port }));
  reportAtEnd(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve({}));
      }),
  );
}

if (process.argv[2] === 'fastify') void serveFastify();
else serveExpress();
