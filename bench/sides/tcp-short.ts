// A server of the TCP rows: accept, one request, one reply, close. argv is tripoll,
// tripoll-deferred (TCP_DEFER_ACCEPT, which node:net does not have), tripoll-promises or node-net,
// and the core.
import { createServer, type Socket } from 'node:net';
import { listen, TcpListener, type TcpStream } from 'tripoll/net';
import { announcePort, enterSideProcess, listenAndAnnounce, obeyHarness } from '../side-process.js';

const host = '127.0.0.1';
const kind = process.argv[2];

function serveHandlers(): void {
  const listener = listen(
    { host, port: 0, ...(kind === 'tripoll-deferred' && { socketOptions: { tcpDeferAcceptSeconds: 1 } }) },
    {
      data(connection, chunk) {
        connection.write(chunk);
        connection.close();
      },
    },
  );
  announcePort(listener.localAddress?.port);
}

async function answer(stream: TcpStream): Promise<void> {
  const buffer = new Uint8Array(1024);
  const received = await stream.read(buffer);
  if (received > 0) await stream.writeAll(buffer.subarray(0, received));
  stream.close();
}

async function servePromises(): Promise<void> {
  const listener = await TcpListener.bind({ host, port: 0 });
  announcePort(listener.localAddress?.port);
  for await (const stream of listener) void answer(stream);
}

function onData(this: Socket, chunk: Buffer): void {
  this.write(chunk);
  // libuv has written it by now: a reply of 64 bytes fits the socket.
  this.destroy();
}

function onError(this: Socket): void {
  this.destroy();
}

function serveNode(): void {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', onData);
    socket.on('error', onError);
  });
  listenAndAnnounce(server);
}

enterSideProcess();
if (kind === 'node-net') serveNode();
else if (kind === 'tripoll-promises') void servePromises();
else serveHandlers();
obeyHarness();
