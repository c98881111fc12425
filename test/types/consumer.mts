// An ESM user: every entry resolves to its types, and the types of the entries are one and the same.
import { Reactor, Interest, Mode, capabilities, type EventHandler, type Registration } from 'tripoll';
import { listen, connect, TcpListener, TcpStream } from 'tripoll/net';
import { Epoll, sys } from 'tripoll/raw';

const handler: EventHandler = {
  onReady(readiness: number, registration: Registration) {
    if (readiness !== 0) registration.deregister();
  },
};
const reactor = new Reactor({ driver: 'manual' });
const registration: Registration = reactor.register(0, Interest.READABLE, handler, { mode: Mode.EDGE });
const handlersRun: number = reactor.turn(10);

export async function echo(address: string): Promise<number> {
  const listener: TcpListener = await TcpListener.bind(address, { reactor });
  const stream: TcpStream = await TcpStream.connect(address, { reactor });
  await stream.writeAll(new Uint8Array([1, handlersRun]));
  listener.close();
  return stream.read(new Uint8Array(16));
}

listen({ host: '127.0.0.1', port: 0 }, { data: (connection, chunk: Uint8Array) => connection.write(chunk) });
connect(
  { host: '127.0.0.1', port: 1 },
  {
    error: (_, error: Error) => {
      console.error(error.message);
    },
  },
);

// @ts-expect-error an fd is a number
reactor.register('0', Interest.READABLE, handler);
// @ts-expect-error no such driver
new Reactor({ driver: 'turbo' });

export const used: unknown[] = [registration, capabilities, Epoll, sys.close(-1)];
