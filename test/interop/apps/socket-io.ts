// A room of socket.io's, server and clients: `node socket-io.js TRANSPORT...`.
import { report } from '../report.js';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bodyOf, newHash } from '../body.js';
import { load } from '../packages.js';

interface Peer extends NodeJS.EventEmitter {
  readonly io: {
    readonly engine: {
      readonly transport: { readonly name: string };
      once(event: string, call: () => void): void;
    };
  };
  join(room: string): void;
  emitWithAck(event: string, ...args: unknown[]): Promise<unknown>;
  disconnect(): void;
}
interface Io extends NodeJS.EventEmitter {
  to(room: string): { emit(event: string, ...args: unknown[]): void };
  close(): Promise<void>;
}
const { Server } = load<{ Server: new (server: unknown, options: object) => Io }>('socket.io');
const { io: connectTo } = load<{ io(url: string, options: object): Peer }>('socket.io-client');

const transports = process.argv.slice(2);
const CLIENTS = 10;
const hashOf = (bytes: Buffer): string => newHash().update(bytes).digest('hex');

async function main(): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const io = new Server(server, { maxHttpBufferSize: 1e8 });
  io.on('connection', (peer: Peer) => {
    peer.join('all');
    peer.on('hash', (bytes: Buffer, answer: (hash: string, back: Buffer) => void) =>
      answer(hashOf(bytes), bytes),
    );
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clients = Array.from({ length: CLIENTS }, () => connectTo(url, { transports, forceNew: true }));
  await Promise.all(clients.map((client) => once(client, 'connect')));
  if (transports.length > 1) {
    const behind = clients.filter(({ io: { engine } }) => engine.transport.name !== transports.at(-1));
    await Promise.all(behind.map(({ io: { engine } }) => once(engine as never, 'upgrade')));
  }
  const names = new Set(clients.map(({ io: { engine } }) => engine.transport.name));
  const body = Buffer.concat([...bodyOf(1_000_000)]);
  const hashes = new Set(await Promise.all(clients.map((client) => client.emitWithAck('hash', body))));
  const heard = Promise.all(clients.map((client) => once(client, 'news')));
  io.to('all').emit('news', 'hello');
  const news = (await heard).flat();
  for (const client of clients) client.disconnect();
  await io.close();
  report({ names: [...names], hashes: [...hashes], news });
}

void main();
