// The services of the suites. Compiled, it is what their runtimes load.
import { sleep } from 'tripoll';
import type { TcpStream } from 'tripoll/net';
import { inspectRegistrations } from 'tripoll/observe';
import { currentRuntime, type ConnectionContext, type TcpService, type UnixService } from 'tripoll/runtime';
import type * as tasks from './serve-tasks.js';

type Tasks = typeof tasks;

/** Of an entry that is rewritten for a reload, and leads to this one. */
const { version = '0' } = globalThis as { version?: string };

const encoder = new TextEncoder();

/** Longer than a client takes to hear a line, and to look at counters. */
const HOLD_MS = 100;

async function echoUntilEnd(stream: TcpStream): Promise<void> {
  const buffer = new Uint8Array(4096);
  for (;;) {
    const n = await stream.read(buffer);
    if (n === 0) return;
    await stream.writeAll(buffer.subarray(0, n));
  }
}

/** Says which worker it is on, and echoes. */
export async function greet(stream: TcpStream, context: ConnectionContext): Promise<void> {
  await stream.writeAll(encoder.encode(`${context.worker} ${version}\n`));
  await echoUntilEnd(stream);
}

/** Says how its worker's listening sockets are registered. */
export async function modes(stream: TcpStream): Promise<void> {
  const acceptors = inspectRegistrations().filter(({ kind }) => kind === 'Acceptor');
  await stream.writeAll(encoder.encode(`${acceptors.map(({ mode }) => mode).join()}\n`));
}

/** `greet` with handlers. */
export const greeter: TcpService<string> & UnixService<string> = {
  open(connection) {
    connection.write(encoder.encode(`greeter\n`));
  },
  data(connection, chunk) {
    connection.write(chunk);
  },
};

/** Perhaps it was aborted before somebody listened. */
const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** Ends what it is at when it is told to. */
export async function polite(stream: TcpStream, context: ConnectionContext): Promise<void> {
  await stream.writeAll(encoder.encode(`${context.worker}\n`));
  await aborted(context.signal);
  await stream.writeAll(encoder.encode('bye\n'));
}

/** Takes its time after it was told to end. */
export async function lingering(stream: TcpStream, { signal }: ConnectionContext): Promise<void> {
  await stream.writeAll(encoder.encode('x\n'));
  await aborted(signal);
  await sleep(300);
}

export const politeHandlers: TcpService = {
  open: (connection) => connection.write(encoder.encode('hello\n')),
  shutdown: (connection) => connection.end(encoder.encode('bye\n')),
};

/** Counts what its connections have said, wherever they are. */
export async function movable(stream: TcpStream, context: ConnectionContext): Promise<void> {
  let said = (context.state as { said: number } | undefined)?.said ?? 0;
  context.onMove = () => ({ said });
  const buffer = new Uint8Array(4096);
  for (;;) {
    const n = await stream.read(buffer);
    if (n === 0) return;
    said += n;
    await stream.writeAll(encoder.encode(`${context.worker} ${said}\n`));
  }
}

export const movableHandlers: TcpService<{ said: number }> = {
  open(connection) {
    connection.data ??= { said: 0 };
  },
  data(connection, chunk) {
    connection.data.said += chunk.length;
    connection.write(encoder.encode(`h ${connection.data.said}\n`));
  },
  move: (connection) => connection.data,
};

/**
 * Takes the whole worker for so many milliseconds as the first byte says, and then says so. So it
 * does for a moment at first, when its peer has heard of it.
 */
export async function blocker(stream: TcpStream, context: ConnectionContext): Promise<void> {
  const buffer = new Uint8Array(16);
  const told = stream.writeAll(encoder.encode(`${context.worker}\n`));
  block(HOLD_MS);
  await told;
  for (;;) {
    const n = await stream.read(buffer);
    if (n === 0) return;
    await stream.writeAll(encoder.encode('busy\n'));
    block(Number(new TextDecoder().decode(buffer.subarray(0, n))));
    await stream.writeAll(encoder.encode('done\n'));
  }
}

/** Takes the thread for so long. */
export function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Spawns for each message, as an application does. */
export async function spawning(stream: TcpStream): Promise<void> {
  const buffer = new Uint8Array(16);
  for (;;) {
    const n = await stream.read(buffer);
    if (n === 0) return;
    const sum = await currentRuntime<Tasks>().spawn('add', [n, 1]);
    await stream.writeAll(encoder.encode(`${sum}\n`));
  }
}

export const add = (a: number, b: number): number => a + b;
export const versionOf = (): string => version;

export async function slow(ms: number): Promise<string> {
  await sleep(ms);
  return version;
}

/** A mistake of the program. */
export async function mistaken(stream: TcpStream): Promise<void> {
  await stream.read(new Uint8Array(1));
  throw new TypeError('a mistake');
}

/** Leaves by what its connection is at its end. */
export async function impatient(stream: TcpStream): Promise<void> {
  await stream.writeAll(encoder.encode('x\n'));
  await stream.read(new Uint8Array(1), { timeoutMs: 1 });
}

export const exit = (code: number): never => process.exit(code);
export const notAService = 1;
