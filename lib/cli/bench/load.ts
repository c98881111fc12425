// The load of `tripoll bench`: connections that each have one message on its way.
import { createHistogram } from 'node:perf_hooks';
import { nowMs, setTimeout } from '../../binding/host-clock.js';
import { connect, type TcpConnection } from '../../net/tcp/tcp-connection.js';
import type { Side } from './sides.js';

const NS_PER_MS = 1e6;
const NS_PER_US = 1000;
const US_PER_SECOND = 1e6;
const MS_PER_SECOND = 1000;

/** The load of a round. */
export interface Load {
  readonly connections: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** What a round has measured. */
export interface Round {
  readonly messages: number;
  readonly cpuUsPerMessage: number;
  readonly messagesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** What a connection remembers. */
interface Client {
  sentMs: number;
  missing: number;
}

/** One round against one side. @throws what ends a connection; Error when nothing came back */
export async function measure(side: Side, { connections, bytes, seconds }: Load): Promise<Round> {
  const message = new Uint8Array(bytes).fill(0x61);
  const latency = createHistogram();
  const open: TcpConnection<Client>[] = [];
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const send = (conn: TcpConnection<Client>): void => {
    conn.data = { sentMs: nowMs(), missing: bytes };
    conn.write(message);
  };
  const handlers = {
    open: send,
    data(conn: TcpConnection<Client>, chunk: Uint8Array): void {
      conn.data.missing -= chunk.length;
      if (conn.data.missing > 0) return;
      latency.record(Math.max(1, Math.round((nowMs() - conn.data.sentMs) * NS_PER_MS)));
      send(conn);
    },
    error: (_: unknown, error: Error): void => fail(error),
  };
  for (let i = 0; i < connections; i++)
    open.push(connect<Client>({ host: '127.0.0.1', port: side.port }, handlers));
  try {
    return await Promise.race([failed, watch(side, seconds, latency)]);
  } finally {
    for (const conn of open) conn.close();
  }
}

/** From the first message that has come back, so that connecting does not count. */
async function watch(
  side: Side,
  seconds: number,
  latency: ReturnType<typeof createHistogram>,
): Promise<Round> {
  for (let i = 0; latency.count === 0 && i < MS_PER_SECOND; i++) await pause(1);
  const [beginCpuUs, beginCount, beginMs] = [await side.cpuUs(), latency.count, nowMs()];
  await pause(seconds * MS_PER_SECOND);
  const [cpuUs, count, ms] = [await side.cpuUs(), latency.count, nowMs()];
  const messages = count - beginCount;
  if (messages === 0) throw new Error(`nothing came back from ${side.name} within ${seconds} s`);
  return {
    messages,
    cpuUsPerMessage: (cpuUs - beginCpuUs) / messages,
    messagesPerSecond: (messages * US_PER_SECOND) / ((ms - beginMs) * MS_PER_SECOND),
    p50Us: latency.percentile(50) / NS_PER_US,
    p99Us: latency.percentile(99) / NS_PER_US,
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
