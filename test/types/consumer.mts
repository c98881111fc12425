// An ESM user: every entry resolves to its types, and the types of the entries are one and the
// same.
import { Reactor, Interest, Mode, capabilities, type EventHandler, type Registration } from 'tripoll';
import { listen, connect, FrameDecoder, FrameReader, UNFINISHED } from 'tripoll/net';
import { TcpConnection, TcpListener, TcpStream } from 'tripoll/net';
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

/**
 * A format of one's own: the members that a subclass needs are published, though they are
 * protected.
 */
class JsonLines extends FrameDecoder<string | null> {
  constructor() {
    super({ maxLengthBytes: 100 }, 65_536);
    this.tailBytes = this.maxOverheadBytes = 1;
  }

  protected scan(piece: Uint8Array, from: number): number {
    const at = piece.indexOf(0x0a, from);
    return at === -1 ? UNFINISHED : at + 1;
  }

  protected resetScan(): void {}

  protected toFrame(bytes: Uint8Array, start: number, end: number): string | null {
    return JSON.parse(new TextDecoder().decode(this.toBytes(bytes, start, end))) as string | null;
  }
}

export async function readJson(stream: TcpStream): Promise<(string | null)[]> {
  const reader = new FrameReader(stream, new JsonLines());
  const frames: (string | null)[] = [];
  for await (const frame of reader) frames.push(frame);
  // @ts-expect-error its null may be a frame
  await reader.read();
  return frames;
}

// @ts-expect-error it has no toFrame
export class Unfinished extends FrameDecoder<string> {
  protected scan(): number {
    return UNFINISHED;
  }
  protected resetScan(): void {}
}

// @ts-expect-error only listen() and connect() make one
new TcpConnection();
// @ts-expect-error what accepts one calls this
export const accepted: unknown = TcpConnection.accepted;

// @ts-expect-error an fd is a number
reactor.register('0', Interest.READABLE, handler);
// @ts-expect-error no such driver
new Reactor({ driver: 'turbo' });

export const used: unknown[] = [Unfinished, registration, capabilities, Epoll, sys.close(-1)];
