// http hello: Node's own listen, which is tripoll's under the hook, or serveHttp. argv: listen or
// serveHttp, and the core.
import { createServer } from 'node:http';
import { announcePort, enterSideProcess, listenAndAnnounce, obeyHarness } from '../side-process.js';

const host = '127.0.0.1';

enterSideProcess();
const server = createServer((_, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end('hello');
});
server.keepAliveTimeout = 60_000;
if (process.argv[2] === 'serveHttp') void serve();
else listenAndAnnounce(server);
obeyHarness();

async function serve(): Promise<void> {
  const { serveHttp } = await import('tripoll/node');
  const { TcpListener } = await import('tripoll/tcp');
  const listener = await TcpListener.bind({ host, port: 0 }, { backlog: 4096 });
  serveHttp(listener, server);
  announcePort(listener.localAddress?.port);
}
