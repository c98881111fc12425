// A program that uses MariaDB by `mysql2`: `node mysql2.js PLACE` (MysqlPlace as JSON).
import { connect } from 'tripoll/node';
import { bodyOf, newHash } from '../body.js';
import { load } from '../packages.js';
import { report } from '../report.js';

/** Where the server is, and how it is reached. */
export interface MysqlPlace {
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  readonly user: string;
  readonly password: string;
  /** The certificate that the server must have; without it, no TLS. */
  readonly ca?: string;
  /** Whether it is given its sockets by our `connect`. */
  readonly byOption: boolean;
}

type Row = Readonly<Record<string, unknown>>;
interface Connection {
  readonly threadId: number;
  release(): void;
  query(text: string, values?: readonly unknown[]): Promise<readonly [readonly Row[]]>;
  readonly connection: { query(text: string): { stream(): AsyncIterable<Row> } };
}
interface Pool {
  execute(text: string, values: readonly unknown[]): Promise<readonly [readonly Row[]]>;
  query(text: string, values?: readonly unknown[]): Promise<readonly [readonly Row[]]>;
  getConnection(): Promise<Connection>;
  end(): Promise<void>;
}
const { createPool } = load<{ createPool(options: object): Pool }>('mysql2/promise');

const { ca, byOption, ...place } = JSON.parse(process.argv[2]!) as MysqlPlace;
const { host, port } = place;
const pool = createPool({
  ...place,
  connectionLimit: 10,
  // Who asks for no name gets no check of it: the certificate has to be this one.
  ...(ca === undefined ? {} : { ssl: { ca, verifyIdentity: false } }),
  ...(byOption ? { stream: () => connect({ host: host!, port: port! }) } : {}),
});

async function askPrepared(): Promise<{ queries: number; sum: number }> {
  const names = Array.from({ length: 1000 }, (_, i) => `é${'x'.repeat(i)}`);
  const answers = await Promise.all(
    names.map((name, i) => pool.execute('select ? + 1 as next, ? as name', [i, name])),
  );
  let sum = 0;
  for (const [i, [rows]] of answers.entries()) {
    const { next, name } = rows[0]!;
    if (name !== names[i]) throw new Error(`answer ${i}`);
    sum += Number(next);
  }
  return { queries: answers.length, sum };
}

const VALUE_BYTES = 24_000_000;

/** More than a packet of the protocol, of 16 MB, holds. */
async function sendLarge(): Promise<boolean> {
  const value = Buffer.concat([...bodyOf(VALUE_BYTES)]);
  const [[row]] = await pool.query('select ? as value', [value]);
  const hashOf = (bytes: Buffer): string => newHash().update(bytes).digest('hex');
  return hashOf(Buffer.from(row!['value'] as Buffer)) === hashOf(value);
}

/** Rows that are read as they come, by a reader that is slower than the server. */
async function stream(connection: Connection): Promise<number> {
  const text = "select seq, repeat('r', 200) as text from mysql.seq_1_to_100000";
  let last = 0;
  for await (const { seq } of connection.connection.query(text).stream()) {
    if (Number(seq) !== last + 1) throw new Error(`row ${String(seq)} after ${last}`);
    last++;
  }
  return last;
}

async function kill(connection: Connection): Promise<unknown> {
  const asked = connection.query('select sleep(60) as broken').then(
    ([[row]]) => row,
    (error: unknown) => ({ broken: (error as { errno: number }).errno === 1317 ? 1 : 0 }),
  );
  const sleeps = "select id from information_schema.processlist where id = ? and info like 'select sleep%'";
  while ((await pool.query(sleeps, [connection.threadId]))[0].length === 0);
  await pool.query(`kill query ${connection.threadId}`);
  return asked;
}

async function main(): Promise<void> {
  const done = { ...(await askPrepared()), large: await sendLarge() };
  const connection = await pool.getConnection();
  const rows = await stream(connection);
  const killed = await kill(connection);
  const [[row]] = await connection.query("show status like 'Ssl_version'");
  connection.release();
  await pool.end();
  report({ ...done, rows, killed, secured: row!['Value'] !== '' });
}

void main();
