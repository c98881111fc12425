// A program that uses PostgreSQL by `pg`: `node pg.js PLACE` (PostgresPlace as JSON).
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Socket } from 'tripoll/node';
import { newHash } from '../body.js';
import { load } from '../packages.js';
import { report, sayReady } from '../report.js';
import { rowsOf, type PostgresPlace } from '../rows.js';

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

async function askParametrised(): Promise<{ queries: number; sum: number }> {
  const text = 'select $1::int + 1 as next, $2::text as name, $3::bytea as bytes, $4::jsonb as document';
  const names = Array.from({ length: 1000 }, (_, i) => `é${'x'.repeat(i)}`);
  const answers = await Promise.all(
    names.map((name, i) => pool.query(text, [i, name, Buffer.alloc(i, i), { i }])),
  );
  let sum = 0;
  for (const [i, { rows }] of answers.entries()) {
    const { next, name, bytes, document } = rows[0]!;
    if (name !== names[i] || !Buffer.alloc(i, i).equals(bytes as Buffer)) throw new Error(`answer ${i}`);
    if ((document as { i: number }).i !== i) throw new Error(`document ${i}`);
    sum += next as number;
  }
  return { queries: answers.length, sum };
}

async function copyInAndOut(lengthBytes: number): Promise<Readonly<Record<string, unknown>>> {
  const client = await pool.connect();
  await client.query('create temporary table rows (number int, text text)');
  const hashIn = newHash();
  const rows = Readable.from(rowsOf(lengthBytes, hashIn));
  await pipeline(rows, client.query(copy.from('copy rows from stdin')));
  const hashOut = newHash();
  let bytes = 0;
  for await (const chunk of client.query(copy.to('copy rows to stdout'))) {
    bytes += (chunk as Buffer).length;
    hashOut.update(chunk as Buffer);
  }
  client.release();
  return { bytes, same: hashIn.digest('hex') === hashOut.digest('hex') };
}

async function listen(): Promise<{ heard: number; inOrder: boolean }> {
  const client = new Client(config);
  await client.connect();
  const heard: string[] = [];
  const all = new Promise<void>((resolve) => {
    client.on('notification', ({ payload }: { payload: string }) => {
      if (heard.push(payload) === 100) resolve();
    });
  });
  await client.query('listen news');
  const payload = (i: number): string => `${i} ${'n'.repeat(i * 70)}`;
  for (let i = 0; i < 100; i++) await pool.query("select pg_notify('news', $1)", [payload(i)]);
  await all;
  await client.end();
  return { heard: heard.length, inOrder: heard.every((text, i) => text === payload(i)) };
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
async function outlive(): Promise<Readonly<Record<string, unknown>>> {
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

async function main(): Promise<void> {
  const done =
    copyBytes === undefined
      ? await outlive()
      : {
          ...(await askParametrised()),
          ...(await listen()),
          cancelled: await cancel(),
          copied: await copyInAndOut(copyBytes),
        };
  await pool.end();
  report(done);
}

void main();
