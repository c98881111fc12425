// Sends a message on each connection once in a period, some of them heavy: these come more often, as
// far as they are answered, and hold the server up. What is measured is how long the others wait,
// from when a message was due, so that what a held-up connection could not send in time counts too.
// All connections come in an order of chance, while those before them are served already.
//   uneven-load.js <port> <connections> <heavy ones> <period, ms> <seed> <seconds>
// It prints one line of JSON, an UnevenResult.
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { connect, type TcpConnection } from 'tripoll/net';
import { checkResult, loadPeersAddon } from '../peers-addon.js';
import { heavyMark, markAt, messageBytes, sequenceAt, workerAt } from './uneven.js';

export interface UnevenResult {
  readonly messages: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly workers: readonly WorkerShare[];
}

/** What a worker had. */
export interface WorkerShare {
  connections: number;
  heavy: number;
  messages: number;
}

interface Line {
  readonly isHeavy: boolean;
  /** Its last answer's. */
  worker: number;
  nextAtMs: number;
  sent: number;
  /** When the messages were due that wait; the first of them is under way if `isBusy`. */
  readonly dueAtMs: number[];
  isBusy: boolean;
  readonly answer: Buffer;
  received: number;
}

const [port = 0, connections = 0, heavyOnes = 0, periodMs = 0, seed = 0, seconds = 0] = process.argv
  .slice(2)
  .map(Number);
const heavyPeriodMs = 5;
const tickMs = 1;
const openingMs = 50;
const openTimeoutMs = 20_000;
const warmupMs = 500;

const lines: [TcpConnection<Line>, Line][] = [];
const waitedMs: number[] = [];
const messagesBy = new Map<number, number>();
let opened = 0;
let answered = 0;
let isMeasuring = false;

function fail(what: string): never {
  process.stderr.write(`${what}\n`);
  process.exit(1);
}

let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
/** 0 to 1, by xorshift: the same for all sides of a round. */
function chance(): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
}

/** Which of the connections are heavy. */
function drawHeavy(): boolean[] {
  const order = Array.from({ length: connections }, (_, i) => ({ i, at: chance() }));
  order.sort((a, b) => a.at - b.at);
  const heavy = new Array<boolean>(connections).fill(false);
  for (const { i } of order.slice(0, heavyOnes)) heavy[i] = true;
  return heavy;
}

function record(line: Line, dueAtMs: number, now: number): void {
  if (!isMeasuring) return;
  messagesBy.set(line.worker, (messagesBy.get(line.worker) ?? 0) + 1);
  if (!line.isHeavy) waitedMs.push(now - dueAtMs);
}

function send(connection: TcpConnection<Line>, line: Line): void {
  if (line.isBusy || line.dueAtMs.length === 0) return;
  const message = Buffer.alloc(messageBytes);
  message[markAt] = line.isHeavy ? heavyMark : 0;
  message.writeUInt32LE(++line.sent, sequenceAt);
  line.isBusy = true;
  connection.write(message);
}

function onData(connection: TcpConnection<Line>, chunk: Uint8Array): void {
  const line = connection.data;
  if (line.received + chunk.length > messageBytes) fail('more came back than was sent');
  line.answer.set(chunk, line.received);
  line.received += chunk.length;
  if (line.received < messageBytes) return;
  if (line.answer.readUInt32LE(sequenceAt) !== line.sent) fail('another message came back than was sent');
  if (line.sent === 1) answered++;
  line.received = 0;
  line.isBusy = false;
  line.worker = line.answer[workerAt]!;
  record(line, line.dueAtMs.shift()!, performance.now());
  send(connection, line);
}

const handlers = {
  open(connection: TcpConnection<Line>) {
    const line = connection.data;
    // Somewhere in its period: they are not all due at once.
    line.nextAtMs = performance.now() + periodMs * chance();
    opened++;
  },
  data: onData,
  close: () => fail('a connection has ended'),
};

/** A tick that comes late makes messages due late, and none of them twice: that is not the server's. */
function fallDue(line: Line, now: number): void {
  if (line.nextAtMs > now) return;
  line.nextAtMs = Math.max(line.nextAtMs + (line.isHeavy ? heavyPeriodMs : periodMs), now);
  if (!line.isHeavy || line.dueAtMs.length === 0) line.dueAtMs.push(now);
}

function tick(): void {
  const now = performance.now();
  for (const [connection, line] of lines) {
    fallDue(line, now);
    send(connection, line);
  }
}

function openSome(heavy: readonly boolean[], count: number): void {
  for (const isHeavy of heavy.slice(lines.length, lines.length + count)) {
    const connection = connect<Line>({ host: '127.0.0.1', port }, handlers);
    const line: Line = {
      ...{ isHeavy, worker: -1, nextAtMs: Infinity, sent: 0, dueAtMs: [], isBusy: false },
      ...{ answer: Buffer.alloc(messageBytes), received: 0 },
    };
    connection.data = line;
    lines.push([connection, line]);
  }
}

function shares(): WorkerShare[] {
  const workers = new Map<number, WorkerShare>();
  for (const [, { worker, isHeavy }] of lines) {
    const share = workers.get(worker) ?? { connections: 0, heavy: 0, messages: messagesBy.get(worker) ?? 0 };
    share.connections++;
    if (isHeavy) share.heavy++;
    workers.set(worker, share);
  }
  return [...workers.values()];
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/** What has not been answered by now has waited so long at least. */
function result(): UnevenResult {
  const now = performance.now();
  for (const [, line] of lines)
    if (!line.isHeavy) waitedMs.push(...line.dueAtMs.map((dueAtMs) => now - dueAtMs));
  const sorted = waitedMs.sort((a, b) => a - b);
  return {
    messages: sorted.length,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    maxMs: quantile(sorted, 1),
    workers: shares(),
  };
}

async function main(): Promise<void> {
  checkResult(loadPeersAddon().dieWithParent(), 'prctl');
  const heavy = drawHeavy();
  const perTick = Math.ceil((connections * tickMs) / openingMs);
  setInterval(() => {
    openSome(heavy, perTick);
    tick();
  }, tickMs);
  const untilMs = performance.now() + openTimeoutMs;
  while (answered < connections) {
    if (performance.now() > untilMs) fail(`${opened} of ${connections} are open, ${answered} answered`);
    await setTimeout(tickMs);
  }
  await setTimeout(warmupMs);
  isMeasuring = true;
  await setTimeout(seconds * 1000);
  writeSync(1, `${JSON.stringify(result())}\n`);
  process.exit(0);
}

void main();
