// Sends messages over many connections in turn, so many a second, and looks at each byte that comes
// back.
//   moving-load.js <port> <connections> <messages a second> <core>
// It says `ready N`, and to the line `stop`, when all echoes have come, `checked N` (messages). A
// byte that is wrong, lost or doubled ends it.
import { createInterface } from 'node:readline';
import { Reactor } from 'tripoll';
import { connect, type TcpConnection } from 'tripoll/net';
import { checkResult, loadPeersAddon } from '../peers-addon.js';

const [port = 0, connections = 0, perSecond = 0] = process.argv.slice(2).map(Number);
const messageBytes = 64;
const tickMs = 5;
const openedAtOnce = 100;

interface Line {
  readonly index: number;
  sent: number;
  /** Bytes of the last message that have not come back. */
  owed: number;
}

const lines: { connection: TcpConnection<Line>; line: Line }[] = [];
let checked = 0;
let isStopping = false;
let open = 0;

function fail(what: string): never {
  process.stderr.write(`${what}\n`);
  process.exit(1);
}

/** The bytes of a message, from the number of its connection and its own. */
function byteAt({ index, sent }: Line, at: number): number {
  return (index * 31 + sent * 17 + at * 7) & 0xff;
}

function check(line: Line, chunk: Uint8Array): void {
  if (chunk.length > line.owed) fail(`connection ${line.index} got more than it sent`);
  const from = messageBytes - line.owed;
  chunk.forEach((byte, i) => {
    if (byte !== byteAt(line, from + i)) fail(`connection ${line.index} got a wrong byte`);
  });
  line.owed -= chunk.length;
  if (line.owed === 0) checked++;
}

function send(connection: TcpConnection<Line>, line: Line): void {
  line.sent++;
  line.owed = messageBytes;
  connection.write(Uint8Array.from({ length: messageBytes }, (_, i) => byteAt(line, i)));
}

let next = 0;
/** The next ones in turn that are owed nothing. */
function sendSome(count: number): void {
  for (let i = 0; i < count && !isStopping; i++) {
    const { connection, line } = lines[next++ % lines.length]!;
    if (line.owed === 0) send(connection, line);
  }
}

function stopWhenQuiet(): void {
  if (lines.some(({ line }) => line.owed > 0)) setTimeout(stopWhenQuiet, tickMs);
  else console.log(`checked ${checked}`);
}

function openNext(): void {
  if (lines.length === connections) return;
  const line: Line = { index: lines.length, sent: 0, owed: 0 };
  const connection = connect<Line>(
    { host: '127.0.0.1', port },
    {
      open() {
        if (++open === connections) console.log(`ready ${open}`);
        openNext();
      },
      data: (_connection, chunk) => check(line, chunk),
      close: () => fail(`connection ${line.index} has ended`),
    },
  );
  lines.push({ connection, line });
}

const addon = loadPeersAddon();
checkResult(addon.dieWithParent(), 'prctl');
checkResult(addon.pinAllThreads(Number(process.argv.at(-1))), 'sched_setaffinity');
void Reactor.default.run();
for (let i = 0; i < openedAtOnce; i++) openNext();
createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line === 'go') setInterval(() => sendSome((perSecond * tickMs) / 1000), tickMs);
    if (line === 'stop') {
      isStopping = true;
      stopWhenQuiet();
    }
  })
  .on('close', () => process.exit(0));
