// An echo server with promises, as Tokio's: each connection is a loop of its own.
//   node out/examples/tcp-echo.js [host:port]      then: nc 127.0.0.1 8080
import { TcpListener, type TcpStream } from 'tripoll/net';

const [address = '127.0.0.1:8080', ...rest] = process.argv.slice(2);
if (address.startsWith('-') || rest.length > 0) {
  console.error(
    'usage: node out/examples/tcp-echo.js [host:port]\n  host: an IP address; port 0: any that is free',
  );
  process.exit(2);
}

async function serve(accepted: TcpStream): Promise<void> {
  await using stream = accepted; // closed however this ends
  const buffer = new Uint8Array(16 * 1024);
  for (;;) {
    const received = await stream.read(buffer);
    if (received === 0) return; // the client has said all it has to say
    // Reading goes on only when this is written: a client that does not read is not read from
    // either.
    await stream.writeAll(buffer.subarray(0, received));
  }
}

async function main(): Promise<void> {
  await using listener = await TcpListener.bind(address);
  const { address: host, port } = listener.localAddress ?? {};
  console.log(`echo on ${host}:${port}`);

  const connections = new Set<TcpStream>();
  process.once('SIGINT', () => {
    listener.close(); // which ends the loop below
    for (const stream of connections) stream.close();
  });

  for await (const stream of listener) {
    connections.add(stream);
    serve(stream)
      // One connection's failure (a reset, mostly) is no other's. Closed by us is none at all.
      .catch((error: unknown) => {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code !== 'ERR_TRIPOLL_CLOSED') console.error(`connection: ${message}`);
      })
      .finally(() => connections.delete(stream));
  }
}

main().catch((error: unknown) => {
  console.error(String(error)); // a wrong address, or one that is in use
  process.exitCode = 1;
});
