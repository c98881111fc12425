// A program that uses PostgreSQL by `pg`: `node pg.js PLACE` (PostgresPlace as JSON).
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { Socket } from 'tripoll/node';
import { load } from '../packages.js';
import { askMany, copyRows, hearAll, work } from '../postgres-app.js';
import { sayReady } from '../report.js';
import type { PostgresPlace } from '../rows.js';

type Report = Readonly<Record<string, unknown>>;
interface Result {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}
interface Client extends NodeJS.EventEmitter {
  readonly processID: number;
  connect(): Promise<void>;
  end(): Promise<void>;
  query(text: string, values?: readonly unknown[]): Promise<Result>;
  query<Stream extends NodeJS.ReadableStream | NodeJS.WritableStream>(stream: Stream): Stream;
  query<Query extends QueryObject>(query: Query): Query;
  cancel(client: Client, query: QueryObject): void;
  release(): void;
}
type QueryObject = NodeJS.EventEmitter;
interface Pool extends NodeJS.EventEmitter {
  connect(): Promise<Client>;
  query(text: string, values?: readonly unknown[]): Promise<Result>;
  end(): Promise<void>;
}
const { Client, Pool, Query } = load<{
  Client: new (config: object) => Client;
  Pool: new (config: object) => Pool;
  Query: new (text: string, callback: (error: NodeJS.ErrnoException | null) => void) => QueryObject;
}>('pg');
const copy = load<{ from(text: string): Writable; to(text: string): Readable }>('pg-copy-streams');

const { ca, byOption, copyBytes, ...place } = JSON.parse(process.argv[2]!) as PostgresPlace;
const config = {
  ...place,
  keepAlive: true,
  ...(ca === undefined ? {} : { ssl: { ca, checkServerIdentity: () => undefined } }),
  // pg connects it by itself.
  ...(byOption ? { stream: () => new Socket() } : {}),
};
// Its cancel() asks for what it calls deprecated.
process.noDeprecation = true;
const pool = new Pool({ ...config, max: 10 });

function askParametrised(): Promise<Report> {
  const text = 'select $1::int + 1 as next, $2::text as name, $3::bytea as bytes, $4::jsonb as document';
  return askMany(async (i, name, bytes) => (await pool.query(text, [i, name, bytes, { i }])).rows);
}

async function copyInAndOut(lengthBytes: number): Promise<Report> {
  const client = await pool.connect();
  await client.query('create temporary table rows (number int, text text)');
  const copied = await copyRows(
    lengthBytes,
    () => client.query(copy.from('copy rows from stdin')),
    () => client.query(copy.to('copy rows to stdout')),
  );
  client.release();
  return copied;
}

async function listen(): Promise<Report> {
  const client = new Client(config);
  await client.connect();
  const heard = await hearAll(
    (hear) => {
      client.on('notification', ({ payload }: { payload: string }) => hear(payload));
      return client.query('listen news');
    },
    (payload) => pool.query("select pg_notify('news', $1)", [payload]),
  );
  await client.end();
  return heard;
}

/** A request to cancel that comes before the query has begun is nothing to the server. */
async function sleeps(processID: number): Promise<void> {
  const text = "select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'";
  while ((await pool.query(text, [processID])).rows.length === 0) await pause(1);
}

/** By another connection's query, and by the protocol's own request. */
async function cancel(): Promise<readonly unknown[]> {
  const client = new Client(config);
  await client.connect();
  const first = client
    .query('select pg_sleep(60)')
    .catch((error: unknown) => (error as NodeJS.ErrnoException).code);
  await sleeps(client.processID);
  await pool.query('select pg_cancel_backend($1)', [client.processID]);
  const codes: unknown[] = [await first];
  const second = new Promise((resolve) => {
    const query = new Query('select pg_sleep(60)', (error) => resolve(error?.code));
    client.query(query);
    void sleeps(client.processID).then(() => new Client(config).cancel(client, query));
  });
  codes.push(await second);
  await client.query('select 1');
  await client.end();
  return codes;
}

/** Asks until the server has gone and come again. */
async function outlive(): Promise<Report> {
  let connects = 0;
  pool.on('connect', () => connects++);
  // Of a client that waits for a query.
  pool.on('error', () => undefined);
  const askAll = () => Promise.allSettled(Array.from({ length: 10 }, () => pool.query('select 1')));
  await askAll();
  sayReady({ port: 0 });
  for (;;) {
    const wrong = (await askAll()).filter(({ status }) => status === 'rejected').length;
    if (connects > 10 && wrong === 0) return { after: 10 };
    await pause(5);
  }
}

void work(copyBytes, { askParametrised, listen, cancel, copyInAndOut, outlive, end: () => pool.end() });
