// A proxy of the TCP rows: argv is tripoll-splice, tripoll-copy or node-net, the target's port, the
// bytes of tripoll's pipe or buffer, and the core. A highWaterMark of 1 MB makes node:net's pipe no
// cheaper.
import { createServer, connect, type Socket } from 'node:net';
import { copyBidirectional, TcpListener, TcpStream } from 'tripoll/net';
import { announcePort, enterSideProcess, listenAndAnnounce, obeyHarness } from '../side-process.js';

const host = '127.0.0.1';
const [kind, targetPort, bytes] = process.argv.slice(2);
const bufferBytes = Number(bytes);
const target = { host, port: Number(targetPort) };

async function pass(client: TcpStream): Promise<void> {
  const server = await TcpStream.connect(target);
  await copyBidirectional(client, server, { splice: kind === 'tripoll-splice', bufferBytes });
}

async function serveTripoll(): Promise<void> {
  const listener = await TcpListener.bind({ host, port: 0 });
  announcePort(listener.localAddress?.port);
  for await (const client of listener) void pass(client);
}

function serveNode(): void {
  const destroy = (socket: Socket) => () => socket.destroy();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ ...target, allowHalfOpen: true, noDelay: true });
    client.pipe(upstream);
    upstream.pipe(client);
    client.on('error', destroy(upstream));
    upstream.on('error', destroy(client));
  });
  listenAndAnnounce(server);
}

enterSideProcess();
if (kind === 'node-net') serveNode();
else void serveTripoll();
obeyHarness();
