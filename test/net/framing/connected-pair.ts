import { TcpListener } from '#lib/net/tcp/tcp-listener';
import { TcpStream } from '#lib/net/tcp/tcp-stream';

/** Two ends of one connection, whose listener is closed already. */
export async function connectedPair(): Promise<{ client: TcpStream; stream: TcpStream }> {
  const listener = await TcpListener.bind('127.0.0.1:0');
  const { port } = listener.localAddress!;
  const [client, { stream }] = await Promise.all([
    TcpStream.connect({ host: '127.0.0.1', port }),
    listener.accept(),
  ]);
  listener.close();
  return { client, stream };
}
