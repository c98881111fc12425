// What the tests of the adapters share: each kind of connected socket, with its peer.
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { capabilities } from 'tripoll';
import {
  connectUnix,
  UnixStream,
  type TcpConnection,
  type TcpStream,
  type UnixConnection,
} from 'tripoll/net';
import { toDuplex, type Socket } from 'tripoll/node';
import path from 'node:path';
import { within } from '../support/deadline.js';
import { temporaryFolder } from '../support/folders.js';
import { secrets } from '../support/secrets.js';
import type { Context } from '../net/tools.js';

export type Kind = 'TcpStream' | 'TcpConnection' | 'UnixStream' | 'UnixConnection' | 'Socket';
export type AnyOfThem = TcpStream | TcpConnection | UnixStream | UnixConnection | Socket;

export const kinds: readonly Kind[] = [
  'TcpStream',
  'TcpConnection',
  ...(capabilities.unixSockets ? (['UnixStream', 'UnixConnection'] as const) : []),
  'Socket',
];

/** A net.Socket of Node's, and what is connected to it. */
export interface Pair {
  readonly socket: AnyOfThem;
  readonly peer: net.Socket;
}

/** Where a server of Node's listens for the test. */
async function listenOn(
  context: Context,
  place: string | number,
): Promise<[net.Server, Promise<net.Socket>]> {
  const server = net.createServer({ allowHalfOpen: true });
  context.own({ close: () => void server.close() });
  const accepted = once(server, 'connection').then(([peer]) => peer as net.Socket);
  if (typeof place === 'number') server.listen(place, '127.0.0.1');
  else server.listen(place);
  await within(once(server, 'listening'), 'listening');
  return [server, accepted];
}

export async function pairOf(context: Context, kind: Kind): Promise<Pair> {
  const isUnix = kind.startsWith('Unix');
  const file = path.join(temporaryFolder(), 's');
  const [server, accepted] = await listenOn(context, isUnix ? file : 0);
  const port = isUnix ? 0 : (server.address() as AddressInfo).port;
  const socket = await open(context, kind, port, file);
  const peer = await within(accepted, 'accepted');
  context.own({ close: () => void peer.destroy() });
  peer.on('error', () => {});
  server.close();
  return { socket, peer };
}

/** Its handlers get nothing before somebody else takes it. */
async function open(context: Context, kind: Kind, port: number, file: string): Promise<AnyOfThem> {
  const { reactor } = context;
  if (kind === 'UnixStream') return context.own(await UnixStream.connect(file, { reactor }));
  if (kind === 'TcpStream') return context.stream(port);
  if (kind === 'Socket') {
    const socket = toDuplex(await context.stream(port), { allowHalfOpen: true });
    context.own({ close: () => void socket.destroy() });
    return socket;
  }
  return new Promise((resolve, reject) => {
    const handlers = {
      open: (connection: TcpConnection | UnixConnection) => {
        connection.pause();
        resolve(connection);
      },
      close: (_connection: unknown, error: Error | null) => {
        reject(error ?? new Error('closed'));
      },
    };
    if (kind === 'TcpConnection') context.connect(port, handlers, { allowHalfOpen: true });
    else context.own(connectUnix({ path: file, reactor, allowHalfOpen: true }, handlers));
  });
}

/** All that comes, up to the end. */
export async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await within(once(stream, 'end'), 'end');
  return Buffer.concat(chunks);
}

/** TLS to a server of the test. */
export function secureClient(socket: Duplex): tls.TLSSocket {
  return tls.connect({ socket, ca: secrets.cert, checkServerIdentity: () => undefined });
}
