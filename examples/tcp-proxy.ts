// A TCP proxy with handlers, the fast path: bytes go on as they come, without a promise.
//   node out/examples/tcp-proxy.js 127.0.0.1:8081 example.org:80
import { connect, listen, type TcpConnection, type TcpHandlers } from 'tripoll/net';

/** `host:port`, and `[v6]:port`. */
function split(address: string | undefined): { host: string; port: number } {
  const [, v6, host = v6, port] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(address ?? '') ?? [];
  if (host !== undefined) return { host, port: Number(port) };
  console.error('usage: node out/examples/tcp-proxy.js <listen-ip:port> <target-host:port>');
  process.exit(2);
}

/** `data`, the user's own field of a connection, holds the other end. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the way to say that it holds its like
interface Side extends TcpConnection<Side> {}

const sides = new Set<Side>();

// Both ends have the same rules.
const relay: TcpHandlers<Side> = {
  data(side, chunk) {
    // False: the other end takes no more for now. Stop reading, and with that, soon, stop this
    // peer.
    if (!side.data.write(chunk)) side.pause();
  },
  drain(side) {
    side.data?.resume(); // there is room again
  },
  end(side) {
    side.data?.end(); // half-close is passed on, behind what is queued; the other direction may have more to say
  },
  error(side, error) {
    console.error(error.message);
    side.data?.reset(); // what failed here must not look like a proper end over there
  },
  close(side) {
    sides.delete(side);
  },
};

const target = split(process.argv[3]);
const listener = listen<Side>(
  // By default our side would end as soon as the peer has ended its own.
  { ...split(process.argv[2]), allowHalfOpen: true },
  {
    ...relay,
    open(client) {
      const server = connect<Side>({ ...target, allowHalfOpen: true }, relay);
      // What is written before it is connected is queued.
      client.data = server;
      server.data = client;
      sides.add(client).add(server);
    },
  },
);
const { address, port } = listener.localAddress ?? {};
console.log(`proxy on ${address}:${port} to ${target.host}:${target.port}`);

process.once('SIGINT', () => {
  listener.close();
  for (const side of sides) side.close();
});
