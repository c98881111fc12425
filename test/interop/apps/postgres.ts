// A program that uses PostgreSQL by `postgres`: `node postgres.js PLACE` (PostgresPlace as JSON).
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'tripoll/node';
import { load } from '../packages.js';
import { askMany, copyRows, hearAll, work } from '../postgres-app.js';
import { sayReady } from '../report.js';
import type { PostgresPlace } from '../rows.js';

type Report = Readonly<Record<string, unknown>>;
interface Query extends Promise<readonly Readonly<Record<string, unknown>>[]> {
  execute(): Query;
  cancel(): void;
  readable(): Promise<Readable>;
  writable(): Promise<Writable>;
}
interface Sql {
  (strings: TemplateStringsArray, ...values: readonly unknown[]): Query;
  json(value: unknown): unknown;
  reserve(): Promise<Sql & { release(): void }>;
  listen(channel: string, heard: (payload: string) => void): Promise<unknown>;
  notify(channel: string, payload: string): Promise<unknown>;
  end(): Promise<void>;
}
const postgres = load<(options: object) => Sql>('postgres');

const { ca, byOption, copyBytes, ...place } = JSON.parse(process.argv[2]!) as PostgresPlace;

/** A socket of ours that is connected: postgres asks for each connection. */
async function openSocket(options: {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path: string | false | undefined;
}): Promise<unknown> {
  const { host, port, path } = options;
  for (;;) {
    const socket = path ? connect(path) : connect({ host: host[0]!, port: port[0]! });
    // Its first error may come before postgres listens, and under TLS when it listens no more.
    socket.on('error', () => {});
    try {
      await once(socket, 'connect');
      return socket;
    } catch {
      // postgres never asks again for one that it was refused.
      await pause(10);
    }
  }
}

const sql = postgres({
  ...place,
  max: 10,
  /** Seconds; by itself it would wait longer each time. */
  backoff: () => 0.01,
  ...(ca === undefined ? {} : { ssl: { ca, checkServerIdentity: () => undefined } }),
  ...(byOption ? { socket: openSocket } : {}),
});

function askParametrised(): Promise<Report> {
  return askMany(
    (i, name, bytes) =>
      sql`select ${i}::int + 1 as next, ${name}::text as name, ${bytes}::bytea as bytes,
        ${sql.json({ i })}::jsonb as document`,
  );
}

async function copyInAndOut(lengthBytes: number): Promise<Report> {
  const reserved = await sql.reserve();
  await reserved`create temporary table rows (number int, text text)`;
  const copied = await copyRows(
    lengthBytes,
    () => reserved`copy rows from stdin`.writable(),
    () => reserved`copy rows to stdout`.readable(),
  );
  reserved.release();
  return copied;
}

function listen(): Promise<Report> {
  return hearAll(
    (hear) => sql.listen('tidings', hear),
    (payload) => sql.notify('tidings', payload),
  );
}

/** A request to cancel that comes before the query has begun is nothing to the server. */
async function sleeps(pid: unknown): Promise<void> {
  const ask = () => sql`select from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`;
  while ((await ask()).length === 0) await pause(1);
}

/** By another connection's query, and by the protocol's own request. */
async function cancel(): Promise<readonly unknown[]> {
  const codeOf = (query: Query): Promise<unknown> =>
    query.then(
      () => 'none',
      (error: unknown) => (error as NodeJS.ErrnoException).code,
    );
  const reserved = await sql.reserve();
  const [{ pid } = { pid: 0 }] = await reserved`select pg_backend_pid() as pid`;
  const first = codeOf(reserved`select pg_sleep(60)`.execute());
  await sleeps(pid);
  await sql`select pg_cancel_backend(${pid})`;
  const codes = [await first];
  const query = reserved`select pg_sleep(60)`.execute();
  const second = codeOf(query);
  await sleeps(pid);
  query.cancel();
  codes.push(await second);
  reserved.release();
  return codes;
}

/**
 * Asks again when the server has gone and come. Not while it goes: postgres 3.4.9 never writes again
 * on a connection that is closed in the phase in which it was made (its `nextWriteTimer` stays).
 */
async function outlive(): Promise<Report> {
  const askAll = () => Promise.allSettled(Array.from({ length: 10 }, () => sql`select 1`));
  await askAll();
  sayReady({ port: 0 });
  // Waiting for a signal keeps no process alive.
  const alive = setInterval(() => {}, 1000);
  await once(process, 'SIGUSR2');
  clearInterval(alive);
  for (;;) {
    const right = (await askAll()).filter(({ status }) => status === 'fulfilled').length;
    if (right === 10) return { after: right };
    await pause(5);
  }
}

void work(copyBytes, { askParametrised, listen, cancel, copyInAndOut, outlive, end: () => sql.end() });
