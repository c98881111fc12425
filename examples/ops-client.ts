// Clients of the example ops: what its users are to it.
//   node out/examples/ops-client.js ask <port> '<request>' [times]
//   node out/examples/ops-client.js load <port> [seconds]     eight good clients, and how they are served
//   node out/examples/ops-client.js flood <port> [seconds]    one that asks for much, and never waits
import { sleep } from 'tripoll';
import { LineReader, TcpStream } from 'tripoll/net';
import { Histogram } from 'tripoll/observe';

const HOST = '127.0.0.1';
const MAX_PORT = 65_535;
const GOOD_CLIENTS = 8;
/** Between two requests of a good client. */
const PAUSE_MS = 50;
/** Of one that does not wait for answers: so many are on their way. */
const FLOOD_DEPTH = 10;
const FLOOD_REQUEST = 'block 1\n';
const MS_PER_SECOND = 1000;

const bytesOf = (text: string): Buffer => Buffer.from(text);

async function ask(port: number, request: string, times: number): Promise<void> {
  using stream = await TcpStream.connect({ host: HOST, port });
  const lines = new LineReader(stream, { encoding: 'utf8' });
  for (let i = 0; i < times; i++) {
    await stream.writeAll(bytesOf(`${request}\n`));
    console.log(await lines.read());
  }
}

async function beGood(port: number, endMs: number, onAnswer: (tookMs: number) => void): Promise<void> {
  using stream = await TcpStream.connect({ host: HOST, port });
  const lines = new LineReader(stream, { encoding: 'utf8' });
  while (performance.now() < endMs) {
    const startMs = performance.now();
    await stream.writeAll(bytesOf('hello\n'));
    await lines.read();
    onAnswer(performance.now() - startMs);
    await sleep(PAUSE_MS);
  }
}

/** A line for each second. */
async function load(port: number, seconds: number): Promise<void> {
  let times = new Histogram();
  const timer = setInterval(() => {
    const { count, ...rest } = times.summary();
    const [p50, p99, max] = [rest.p50, rest.p99, rest.max].map((ms) => ms.toFixed(1));
    console.log(`${count} answers, p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`);
    times = new Histogram();
  }, MS_PER_SECOND);
  const endMs = performance.now() + seconds * MS_PER_SECOND;
  const clients = Array.from({ length: GOOD_CLIENTS }, () => beGood(port, endMs, (ms) => times.record(ms)));
  await Promise.all(clients).finally(() => clearInterval(timer));
}

async function flood(port: number, seconds: number): Promise<void> {
  using stream = await TcpStream.connect({ host: HOST, port });
  const lines = new LineReader(stream, { encoding: 'utf8' });
  const endMs = performance.now() + seconds * MS_PER_SECOND;
  let answers = 0;
  await stream.writeAll(bytesOf(FLOOD_REQUEST.repeat(FLOOD_DEPTH)));
  while (performance.now() < endMs && (await lines.read()) !== null) {
    answers++;
    await stream.writeAll(bytesOf(FLOOD_REQUEST));
  }
  console.log(`${answers} answers in ${seconds} s`);
}

async function main(command = '', port = '', ...rest: string[]): Promise<void> {
  const word = command === 'ask' ? rest.shift() : '';
  const [count = command === 'ask' ? '1' : '10', ...more] = rest;
  const areRight = [port, count].every((text) => /^\d{1,5}$/.test(text)) && Number(port) <= MAX_PORT;
  if (areRight && word !== undefined && more.length === 0) {
    if (command === 'ask') return ask(Number(port), word, Number(count));
    if (command === 'load') return load(Number(port), Number(count));
    if (command === 'flood') return flood(Number(port), Number(count));
  }
  console.error(
    "usage: ops-client ask <port> '<request>' [times] | load <port> [seconds] | flood <port> [seconds]",
  );
  process.exit(2);
}

main(...process.argv.slice(2)).catch((error: unknown) => {
  console.error((error as Error).message);
  process.exit(1);
});
