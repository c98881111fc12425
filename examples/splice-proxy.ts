// A TCP proxy whose bytes never come into this process: pipes in the kernel pass them on
// (splice(2)); Linux.
//   node out/examples/splice-proxy.js 127.0.0.1:8081 example.org:80
import { capabilities } from 'tripoll';
import { copyBidirectional, TcpListener, TcpStream } from 'tripoll/net';

const [from, to] = process.argv.slice(2);
if (from === undefined || to === undefined) {
  console.error('usage: node out/examples/splice-proxy.js <listen-ip:port> <target-host:port>');
  process.exit(2);
}

const target = to;
const controller = new AbortController();

async function pass(client: TcpStream): Promise<void> {
  try {
    const server = await TcpStream.connect(target, { signal: controller.signal });
    // Where there is no splice(2) the bytes go through buffers.
    await copyBidirectional(client, server, { splice: capabilities.splice, signal: controller.signal });
  } catch (error) {
    if (!controller.signal.aborted) console.error((error as Error).message);
    client.reset(); // a target that cannot be reached must not look like a proper end
  }
}

async function main(listenAt: string): Promise<void> {
  const listener = await TcpListener.bind(listenAt);
  const { address, port } = listener.localAddress ?? {};
  console.log(`splice proxy on ${address}:${port} to ${target}`);
  process.once('SIGINT', () => {
    listener.close();
    controller.abort();
  });
  for await (const client of listener) void pass(client);
}

main(from).catch((error: unknown) => {
  console.error((error as Error).message);
  process.exit(1);
});
