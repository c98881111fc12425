// What any promise API costs on top of handlers, for the comparison with ours: a message settles
// one promise that an async function awaits, is copied into that connection's own buffer, and its
// write is awaited once more. No checks, no cancellation, no queue.
import { Reactor } from 'tripoll';
import { listen, type TcpConnection } from 'tripoll/net';
import { announcePort, enterSideProcess, obeyHarness } from '../side-process.js';

const readBufferBytes = 64 * 1024;

let taken: (received: number) => void;
const take = (resolve: (received: number) => void): void => {
  taken = resolve;
};

class Reader {
  readonly buffer = new Uint8Array(readBufferBytes);
  settle: (received: number) => void = () => undefined;

  read(): Promise<number> {
    const promise = new Promise<number>(take);
    this.settle = taken;
    return promise;
  }
}

async function echo(connection: TcpConnection<Reader>, reader: Reader): Promise<void> {
  for (;;) {
    const n = await reader.read();
    await Promise.resolve(connection.write(reader.buffer.subarray(0, n)));
  }
}

enterSideProcess();
const listener = listen<Reader>(
  { host: '127.0.0.1', port: 0, reactor: new Reactor({ driver: 'nested' }) },
  {
    open(connection) {
      connection.data = new Reader();
      void echo(connection, connection.data);
    },
    data(connection, chunk) {
      connection.data?.buffer.set(chunk);
      connection.data?.settle(chunk.length);
    },
  },
);
announcePort(listener.localAddress?.port);
obeyHarness();
