// The design's echo, with a buffer of 64 KB instead of 1 KB: the size that every other side reads
// into. The others share one buffer among all connections; here each connection has its own, as its
// user would.
import { Reactor } from 'tripoll';
import { TcpListener } from 'tripoll/net';
import type { TcpStream } from 'tripoll/net';
import { announcePort, enterSideProcess, obeyHarness } from '../side-process.js';

const readBufferBytes = 64 * 1024;

async function echo(stream: TcpStream): Promise<void> {
  const buffer = new Uint8Array(readBufferBytes);
  try {
    for (;;) {
      const n = await stream.read(buffer);
      if (n === 0) return;
      await stream.writeAll(buffer.subarray(0, n));
    }
  } finally {
    stream.close();
  }
}

async function main(): Promise<void> {
  enterSideProcess();
  const reactor = new Reactor({ driver: 'nested' });
  const listener = await TcpListener.bind('127.0.0.1:0', { reactor });
  announcePort(listener.localAddress?.port);
  obeyHarness();
  for await (const stream of listener) {
    echo(stream).catch((error: unknown) => console.error(error));
  }
}

void main();
