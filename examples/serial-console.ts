// A console of a serial line: what is typed is sent, line by line, what comes is printed. It ends
// with the input or by SIGINT.
//   node out/examples/serial-console.js /dev/ttyUSB0 115200
import { SerialPort, signal } from 'tripoll/net';

const [path, rate, ...rest] = process.argv.slice(2);
if (path === undefined || rate === undefined || path.startsWith('-') || rest.length > 0) {
  console.error('usage: node out/examples/serial-console.js <device> <baud rate>');
  process.exit(2);
}

async function print(port: SerialPort): Promise<void> {
  const buffer = new Uint8Array(4096);
  for (;;) {
    const count = await port.read(buffer);
    if (count === 0) return;
    process.stdout.write(Buffer.from(buffer.subarray(0, count)));
  }
}

async function send(port: SerialPort): Promise<void> {
  for await (const chunk of process.stdin) await port.writeAll(chunk as Buffer);
}

async function main(device: string): Promise<void> {
  const port = SerialPort.open(device, { baudRate: Number(rate) });
  const ends = signal(['SIGINT', 'SIGTERM']);
  try {
    console.error(`${device} at ${port.baudRate} baud`);
    await Promise.race([print(port), send(port), ends.next()]);
  } finally {
    ends.close();
    port.close();
    process.stdin.destroy();
  }
}

main(path).catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});
