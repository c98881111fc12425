// Echo by `ws`, server and clients: `node ws.js http|https`.
import { sayReady, report } from '../report.js';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import { secrets } from '../../support/secrets.js';
import { bodyOf, newHash } from '../body.js';
import { load } from '../packages.js';

interface Ws extends NodeJS.EventEmitter {
  readonly extensions: string;
  send(data: Buffer | string, options?: { fin?: boolean; binary?: boolean; compress?: boolean }): void;
  ping(data: string): void;
  close(code: number, reason: string): void;
}
interface WsServer extends NodeJS.EventEmitter {
  close(): void;
}
type WsClass = (new (url: string, options: object) => Ws) & {
  readonly WebSocketServer: new (options: object) => WsServer;
};
const WebSocket = load<WsClass>('ws');

const isSecure = process.argv[2] === 'https';
/** Around the lengths that change a frame's header, and more than any buffer. */
const SIZES_BYTES = [0, 1, 125, 126, 65_535, 65_536, 1_000_000, 16 * 1024 * 1024];

const server = isSecure ? createSecure(secrets) : createServer();
const echo = new WebSocket.WebSocketServer({ server, perMessageDeflate: { threshold: 0 } });
echo.on('connection', (socket: Ws) => {
  socket.on('message', (data: Buffer, isBinary: boolean) => socket.send(data, { binary: isBinary }));
});

async function connectClient(perMessageDeflate: boolean): Promise<Ws> {
  const { port } = server.address() as AddressInfo;
  const url = `${isSecure ? 'wss' : 'ws'}://127.0.0.1:${port}`;
  const socket = new WebSocket(url, { perMessageDeflate, rejectUnauthorized: false });
  await once(socket, 'open');
  return socket;
}

/** Sends it whole, or in frames of 10,000 bytes; resolves with whether it came back as it was. */
async function isEchoed(socket: Ws, body: Buffer, isFragmented: boolean): Promise<boolean> {
  const answer = once(socket, 'message') as Promise<[Buffer, boolean]>;
  if (isFragmented) {
    for (let at = 0; at < body.length; at += 10_000)
      socket.send(body.subarray(at, at + 10_000), { fin: false, binary: true });
    socket.send(Buffer.alloc(0), { fin: true, binary: true });
  } else socket.send(body);
  const [data, isBinary] = await answer;
  return isBinary && newHash().update(data).digest('hex') === newHash().update(body).digest('hex');
}

async function main(): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  sayReady({});
  const echoed: Record<string, boolean[]> = {};
  const closed: unknown[] = [];
  for (const isCompressed of [false, true]) {
    const socket = await connectClient(isCompressed);
    const name = socket.extensions === '' ? 'plain' : 'compressed';
    for (const isFragmented of [false, true]) {
      const results = (echoed[`${name}${isFragmented ? ', fragmented' : ''}`] = [] as boolean[]);
      for (const size of SIZES_BYTES)
        results.push(await isEchoed(socket, Buffer.concat([...bodyOf(size)]), isFragmented));
    }
    socket.send('text \u{1f41f}');
    const [text, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
    socket.ping('ping');
    const [pong] = (await once(socket, 'pong')) as [Buffer];
    socket.close(4000, 'enough');
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    closed.push([text.toString(), isBinary, pong.toString(), code, reason.toString()]);
  }
  echo.close();
  server.close();
  await once(server, 'close');
  report({ echoed, closed });
}

void main();
