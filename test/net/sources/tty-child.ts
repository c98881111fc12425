// In a terminal: reads a line from it, says so, and leaves without closing anything.
import { readFileSync } from 'node:fs';
import { FdStream } from 'tripoll/net';

async function main(): Promise<void> {
  const input = FdStream.tty(0, 'read');
  console.log(/flags:\s*\d+/.exec(readFileSync('/proc/self/fdinfo/0', 'utf8'))?.[0]);
  console.log('ready');
  const buffer = new Uint8Array(100);
  const length = await input.read(buffer);
  console.log(`got ${Buffer.from(buffer.subarray(0, length)).toString()}`);
  process.exit(0);
}

void main();
