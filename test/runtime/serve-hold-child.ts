// A server stops while its only connection lingers, and nothing else keeps the process: it has to
// live until the connection has ended, and no longer. Prints how the connection ended.
import { once } from 'node:events';
import { connect } from 'node:net';
import path from 'node:path';
import { Runtime } from '#lib/runtime/index';
import type * as tasks from './serve-tasks.js';

async function main(): Promise<void> {
  const runtime = new Runtime<typeof tasks>({ workers: 1, entry: path.join(__dirname, 'serve-tasks.js') });
  const server = await runtime.serve({ host: '127.0.0.1', port: 0 }, 'lingering');
  const client = connect(server.address.port, server.address.address).unref();
  await once(client, 'data');
  console.log(JSON.stringify(await server.shutdown()));
}

void main();
