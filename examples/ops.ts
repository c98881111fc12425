// A server that can be looked into: counters and times for Prometheus, a watchdog, a recorder, and
// the socket by which `npx tripoll top` and `npx tripoll trace` look in. docs/incidents.md walks
// through three nights with it. A request is a line, as ops-client sends it:
//
//   hello        is answered at once
//   block MS     computes for so long in the handler: all others wait
//   task MS      computes as long on a worker
//   relay LINE   asks a backend, which is this server again; when that refuses, a connection leaks
//
//   node out/examples/ops.js [port] [metrics port] [requests a second of a client]
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { capabilities, Reactor, type Timer } from 'tripoll';
import {
  LineDecoder,
  LineReader,
  listen,
  TcpStream,
  type TcpConnection,
  type TcpListener,
} from 'tripoll/net';
import {
  inspectRegistrations,
  Observer,
  ObserveServer,
  prometheusText,
  Recorder,
  Watchdog,
  type MetricSource,
} from 'tripoll/observe';
import { Runtime } from 'tripoll/runtime';

const HOST = '127.0.0.1';
const MAX_PORT = 65_535;
const MAX_LINE_BYTES = 1024;
const MAX_COMPUTE_MS = 10_000;
const MAX_PER_SECOND = 1_000_000;
/** What a client may ask for in a second it gets in so many parts. */
const WINDOWS_PER_SECOND = 10;
const SHUTDOWN_MS = 1000;

/** Holds its thread. This module is the entry of the workers too. */
export function compute(ms: number): number {
  const endMs = performance.now() + ms;
  let rounds = 0;
  while (performance.now() < endMs) rounds++;
  return rounds;
}

interface Tasks {
  compute: typeof compute;
}

// ---- the service ----

interface Client {
  readonly lines: LineDecoder<'utf8'>;
  /** In this window. */
  requests: number;
}

type Connection = TcpConnection<Client>;

function reply(connection: Connection, text: string): void {
  if (connection.closed || connection.writeEnded) return;
  if (!connection.write(Buffer.from(`${text}\n`))) hold(connection);
}

/** It is read no more, and what has come already waits. */
function hold(connection: Connection): void {
  connection.pause();
  connection.data.lines.stop();
}

function toMs(text: string): number {
  const ms = Number(text);
  if (!(text !== '' && ms >= 0 && ms <= MAX_COMPUTE_MS)) throw new Error(`0 to ${MAX_COMPUTE_MS} ms`);
  return ms;
}

class Service {
  readonly listener: TcpListener;
  readonly #runtime: Runtime<Tasks>;
  readonly #perWindow: number;
  /** Who has asked in this window. */
  readonly #asked = new Set<Connection>();
  readonly #timer: Timer;

  constructor(port: number, perSecond: number, runtime: Runtime<Tasks>) {
    this.#runtime = runtime;
    this.#perWindow = Math.ceil(perSecond / WINDOWS_PER_SECOND);
    this.listener = listen<Client>(
      { host: HOST, port },
      {
        open(connection) {
          const lines = new LineDecoder({ maxLengthBytes: MAX_LINE_BYTES, encoding: 'utf8' });
          connection.data = { lines, requests: 0 };
        },
        data: (connection, chunk) => {
          connection.data.lines.push(chunk, (line) => this.#onLine(connection, line));
        },
        drain: (connection) => {
          if (connection.data.requests < this.#perWindow) this.#release(connection);
        },
        // A client that resets is its own affair; one whose line is too long has ended by it.
        error: () => undefined,
        close: (connection) => void this.#asked.delete(connection),
      },
    );
    const nextWindow = () => this.#nextWindow();
    const repeatMs = 1000 / WINDOWS_PER_SECOND;
    this.#timer = Reactor.default.setTimer(repeatMs, nextWindow, { repeatMs });
  }

  #onLine(connection: Connection, line: string): void {
    this.#asked.add(connection);
    connection.data.requests++;
    if (connection.data.requests >= this.#perWindow) hold(connection);
    this.#answer(connection, line).catch((error: unknown) =>
      reply(connection, `error: ${(error as Error).message}`),
    );
  }

  #nextWindow(): void {
    const asked = [...this.#asked];
    this.#asked.clear();
    for (const connection of asked) {
      connection.data.requests = 0;
      try {
        this.#release(connection);
      } catch {
        connection.close(); // its next line is too long: in `data` that would have ended it, too
      }
    }
  }

  #release(connection: Connection): void {
    if (connection.closed) return;
    connection.resume();
    connection.data.lines.resume((line) => this.#onLine(connection, line));
  }

  /** Up to the first `await` it runs in the handler. */
  async #answer(connection: Connection, line: string): Promise<void> {
    const [, name = '', rest = ''] = /^(\S*) ?(.*)$/.exec(line)!;
    let text = `${name}: done`;
    if (name === 'block') compute(toMs(rest));
    else if (name === 'task') await this.#runtime.spawn('compute', [toMs(rest)]);
    else if (name === 'relay') text = await this.#askBackend(rest);
    else if (name !== 'hello') throw new Error('what was that?');
    reply(connection, text);
  }

  /** The mistake of the second night: `using backend` would close it in any case. */
  async #askBackend(line: string): Promise<string> {
    const backend = await TcpStream.connect({ host: HOST, port: this.listener.localAddress!.port });
    await backend.writeAll(Buffer.from(`${line}\n`));
    const answer = await new LineReader(backend, { encoding: 'utf8' }).read();
    if (answer === null || answer.startsWith('error')) throw new Error(`the backend: ${answer}`);
    backend.close();
    return answer;
  }

  async shutdown(): Promise<void> {
    this.#timer.cancel();
    await this.listener.shutdown({ timeoutMs: SHUTDOWN_MS });
  }
}

// ---- what an operator looks through ----

function observe(runtime: Runtime<Tasks>): { readonly sources: MetricSource[]; readonly watchdog: Watchdog } {
  const sources = [{ reactor: Reactor.default, attributes: { reactor: 'main' } }, { runtime }];
  new Observer();
  const recorder = new Recorder(undefined, { runtime });
  const file = join(tmpdir(), `ops-${process.pid}.json`);
  const watchdog = new Watchdog(undefined, { dump: { recorder, file } });
  console.log(`the watchdog writes ${file}`);
  // For top and trace. Windows does not tell who a client of it is.
  if (capabilities.platform !== 'win32') new ObserveServer({ sources, recorder });
  return { sources, watchdog };
}

async function describeLeaks(watchdog: Watchdog): Promise<string> {
  const found = await watchdog.findLeaks();
  const lines = found.map(({ message, openedAt }) => `${message}\n${openedAt ?? ''}\n`);
  return `${found.length} leaked\n${lines.join('')}`;
}

/** For this machine alone: whoever may ask sees addresses of peers. */
function serveMetrics(port: number, { sources, watchdog }: ReturnType<typeof observe>): Server {
  const textOf = async (route: string): Promise<string | undefined> => {
    if (route === 'GET /metrics') return prometheusText(...sources);
    if (route === 'POST /leaks') return describeLeaks(watchdog);
    if (route !== 'GET /registrations') return undefined;
    return inspectRegistrations()
      .map((each) => `${JSON.stringify(each)}\n`)
      .join('');
  };
  const server = createServer((request, response) => {
    textOf(`${request.method} ${request.url}`).then(
      (text) => {
        response.writeHead(text === undefined ? 404 : 200, { 'content-type': 'text/plain; version=0.0.4' });
        response.end(text);
      },
      (error: unknown) => response.writeHead(500).end(`${(error as Error).message}\n`),
    );
  });
  return server.listen(port, HOST, () => {
    const { port: bound } = server.address() as { port: number };
    console.log(`metrics on http://${HOST}:${bound}/metrics`);
  });
}

function main(port: number, metricsPort: number, perSecond: number): void {
  const runtime = new Runtime<Tasks>({ entry: __filename, workers: 2 });
  const metrics = serveMetrics(metricsPort, observe(runtime));
  const service = new Service(port, perSecond, runtime);
  console.log(`process ${process.pid} listens on ${HOST}:${service.listener.localAddress?.port}`);
  const stop = async (): Promise<void> => {
    metrics.close();
    await service.shutdown();
    await runtime.close();
  };
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());
}

function toCount(text: string, least: number, most: number): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= least && count <= most) return count;
  console.error('usage: node out/examples/ops.js [port] [metrics port] [requests a second of a client]');
  process.exit(2);
}

if (isMainThread) {
  const [port = '7070', metricsPort = '7071', perSecond = String(MAX_PER_SECOND), ...rest] =
    process.argv.slice(2);
  main(
    toCount(port, 0, MAX_PORT),
    toCount(metricsPort, 0, MAX_PORT),
    toCount(rest.length > 0 ? '' : perSecond, 1, MAX_PER_SECOND),
  );
}
