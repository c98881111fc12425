// An echo over both styles, a timer and a deadline, for runtimes other than Node. Prints what came
// back, and ends.
import { Reactor, sleep } from 'tripoll';
import { listen, TcpStream } from 'tripoll/net';

async function main(): Promise<void> {
  const listener = listen({ host: '127.0.0.1', port: 0 }, { data: (peer, chunk) => void peer.write(chunk) });
  const port = listener.localAddress?.port ?? 0;
  const stream = await TcpStream.connect({ host: '127.0.0.1', port });
  await sleep(1);
  await stream.writeAll(new TextEncoder().encode('hello'));
  const buffer = new Uint8Array(16);
  const received = await stream.read(buffer);
  const late = await stream
    .read(buffer, { timeoutMs: 1 })
    .catch((error: unknown) => (error as { code: string }).code);
  stream.close();
  listener.close();
  const { backend, driver } = Reactor.default.inspect();
  console.log(
    JSON.stringify({ backend, driver, text: Buffer.from(buffer.subarray(0, received)).toString(), late }),
  );
}

void main();
