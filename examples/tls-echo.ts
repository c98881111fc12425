// TLS by Node on tripoll's connections: an echo, in either of two ways.
//   node out/examples/tls-echo.js duplex|handover key.pem cert.pem [host:port]
//   then: openssl s_client -quiet -connect 127.0.0.1:8443
// duplex: TLS over a Socket of tripoll, which stays on the reactor. handover: the connection becomes
// Node's own, so that TLS reads it past JavaScript; not on Windows.
import { readFileSync } from 'node:fs';
import { createServer, type TLSSocket } from 'node:tls';
import { handOver, toDuplex } from 'tripoll/node';
import { listen } from 'tripoll/tcp';

const [way = '', keyFile, certFile, address = '127.0.0.1:8443', ...rest] = process.argv.slice(2);
const place = /^(\d+\.\d+\.\d+\.\d+):(\d+)$/.exec(address);
const isKnown = way === 'duplex' || way === 'handover';
if (!isKnown || keyFile === undefined || certFile === undefined || place === null || rest.length > 0) {
  console.error(
    'usage: node out/examples/tls-echo.js duplex|handover key.pem cert.pem [host:port]\n' +
      '  host: an IPv4 address; port 0: any that is free',
  );
  process.exit(2);
}

const sockets = new Set<TLSSocket>();
const tls = createServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) }, (socket) => {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
  // One connection's failure (a reset, mostly) is no other's.
  socket.on('error', (error: Error) => console.error(`connection: ${error.message}`));
  socket.pipe(socket);
});
tls.on('tlsClientError', (error: Error) => console.error(`handshake: ${error.message}`));

const listener = listen(
  { host: place[1] ?? '', port: Number(place[2]) },
  {
    open(connection) {
      // TLS has an end of its own, which is written after the peer's: hence `allowHalfOpen`.
      const socket = way === 'duplex' ? toDuplex(connection, { allowHalfOpen: true }) : handOver(connection);
      tls.emit('connection', socket);
    },
  },
);
const { address: host, port } = listener.localAddress ?? {};
console.log(`TLS echo on ${host}:${port}`);

process.once('SIGINT', () => {
  listener.close();
  for (const socket of sockets) socket.destroy();
});
