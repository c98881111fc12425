// fastify's hello, unchanged: by the hook or not is Node's argument. argv: the core.
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { announcePort, enterSideProcess, obeyHarness } from '../side-process.js';

interface App {
  get(path: string, handler: () => Promise<object>): void;
  listen(options: object): Promise<string>;
  readonly server: { address(): AddressInfo };
}

const { fastify } = createRequire(__filename)('fastify') as { fastify: () => App };

enterSideProcess();
const app = fastify();
app.get('/', () => Promise.resolve({ hello: 'world' }));
void app
  .listen({ host: '127.0.0.1', port: 0, backlog: 4096 })
  .then(() => announcePort(app.server.address().port));
obeyHarness();
