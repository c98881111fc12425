// A client of PostgreSQL on tripoll's promises: it logs in (trust, or SCRAM-SHA-256), sends one
// query with parameters, and prints its rows with tabs between the columns.
//
//   node out/examples/postgres-on-tripoll.js postgres://user:password@host:5432/database \
//     'select $1::int + $2::int as sum' 40 2
//
// The protocol: https://www.postgresql.org/docs/current/protocol.html. No TLS, and no older login.
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { BufferedReader } from 'tripoll/framing';
import { TcpStream } from 'tripoll/tcp';

const PROTOCOL = 0x0003_0000;
const CONNECT_MS = 10_000;
/** Until an answer's next message. */
const ANSWER_MS = 30_000;
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
/** PostgreSQL's own are 4096; a server could ask for hours. */
const MAX_ITERATIONS = 1_000_000;
const SCRAM = 'SCRAM-SHA-256';
/** Codes of an authentication request ('R'). */
const LOGIN = { done: 0, offer: 10, challenge: 11, proof: 12 };

// ---- messages ----

const cstring = (text: string): Buffer => Buffer.from(`${text}\0`);

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** Type, length with itself, and what is in it; the first message of all has no type. */
function message(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

interface Message {
  readonly type: string;
  readonly body: Buffer;
}

/** A message's texts, which end with a zero each. */
function textsOf(body: Buffer): string[] {
  return body.toString().split('\0').slice(0, -1);
}

/** `severity: message (code)`, of an error or a notice: a letter before each field. */
function problemOf(body: Buffer): string {
  const fields = new Map(textsOf(body).map((field) => [field.slice(0, 1), field.slice(1)]));
  return `${fields.get('S')}: ${fields.get('M')} (${fields.get('C')})`;
}

// ---- SCRAM (RFC 5802, 7677) ----

const deriveKey = promisify(pbkdf2);
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** `r=…,s=…` as a record. */
function attributesOf(text: string): Partial<Record<string, string>> {
  return Object.fromEntries(text.split(',').map((part) => [part.slice(0, 1), part.slice(2)]));
}

class Scram {
  readonly #password: string;
  readonly #nonce = randomBytes(18).toString('base64');
  #signature: Buffer = Buffer.alloc(0);

  constructor(password: string) {
    this.#password = password;
  }

  /** PostgreSQL knows the user already. */
  get first(): string {
    return `n=,r=${this.#nonce}`;
  }

  async answer(challenge: string): Promise<string> {
    const { r: nonce = '', s: salt = '', i: iterations = '' } = attributesOf(challenge);
    const count = Number(iterations);
    if (!nonce.startsWith(this.#nonce) || !Number.isInteger(count) || count < 1 || count > MAX_ITERATIONS)
      throw new Error('a challenge that no honest server sends');
    const salted = await deriveKey(this.#password, Buffer.from(salt, 'base64'), count, 32, 'sha256');
    const final = `c=${Buffer.from('n,,').toString('base64')},r=${nonce}`;
    const all = `${this.first},${challenge},${final}`;
    const clientKey = hmac(salted, 'Client Key');
    const mask = hmac(createHash('sha256').update(clientKey).digest(), all);
    this.#signature = hmac(hmac(salted, 'Server Key'), all);
    const proof = clientKey.map((byte, i) => byte ^ (mask[i] ?? 0));
    return `${final},p=${Buffer.from(proof).toString('base64')}`;
  }

  /** The server has to know the password too. */
  check(proof: string): void {
    const signature = Buffer.from(attributesOf(proof)['v'] ?? '', 'base64');
    if (signature.length !== this.#signature.length || !timingSafeEqual(signature, this.#signature))
      throw new Error('the server does not know the password');
  }
}

// ---- a connection ----

interface Rows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

class Client {
  readonly #stream: TcpStream;
  readonly #reader: BufferedReader;

  private constructor(stream: TcpStream) {
    this.#stream = stream;
    this.#reader = new BufferedReader(stream, { maxBufferedBytes: MAX_MESSAGE_BYTES });
  }

  static async connect({ hostname, port, username, password, pathname }: URL): Promise<Client> {
    const place = { host: hostname, port: Number(port === '' ? 5432 : port) };
    const client = new Client(await TcpStream.connect(place, { timeoutMs: CONNECT_MS }));
    try {
      const user = decodeURIComponent(username);
      const database = decodeURIComponent(pathname.slice(1)) || user;
      await client.#logIn(user, database, decodeURIComponent(password));
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  async #logIn(user: string, database: string, password: string): Promise<void> {
    const names = ['user', user, 'database', database, 'client_encoding', 'UTF8', ''];
    await this.#stream.writeAll(message('', int32(PROTOCOL), ...names.map(cstring)));
    const scram = new Scram(password);
    for (;;) {
      const { type, body } = await this.#next();
      if (type === 'Z') return;
      if (type === 'R') await this.#authenticate(body.readInt32BE(), body.subarray(4), scram);
    }
  }

  async #authenticate(code: number, body: Buffer, scram: Scram): Promise<void> {
    if (code === LOGIN.offer && textsOf(body).includes(SCRAM)) {
      const first = Buffer.from(`n,,${scram.first}`);
      await this.#stream.writeAll(message('p', cstring(SCRAM), int32(first.length), first));
    } else if (code === LOGIN.challenge) {
      await this.#stream.writeAll(message('p', Buffer.from(await scram.answer(body.toString()))));
    } else if (code === LOGIN.proof) scram.check(body.toString());
    else if (code !== LOGIN.done) throw new Error('the server wants a login that this example has not');
  }

  /** Parse, Bind, Describe, Execute and Sync in one write. */
  async query(text: string, values: readonly string[]): Promise<Rows> {
    const bound = values.map((value) => Buffer.from(value));
    const parameters = bound.flatMap((value) => [int32(value.length), value]);
    const unnamed = cstring('');
    await this.#stream.writeAll(
      Buffer.concat([
        message('P', unnamed, cstring(text), int16(0)),
        message('B', unnamed, unnamed, int16(0), int16(bound.length), ...parameters, int16(0)),
        message('D', Buffer.from('P'), unnamed),
        message('E', unnamed, int32(0)),
        message('S'),
      ]),
    );
    let columns: string[] = [];
    const rows: (string | null)[][] = [];
    for (;;) {
      const { type, body } = await this.#next();
      if (type === 'T') columns = columnsOf(body);
      else if (type === 'D') rows.push(valuesOf(body));
      else if (type === 'Z') return { columns, rows };
    }
  }

  /** The next message that is no news of the session; an error is thrown. */
  async #next(): Promise<Message> {
    for (;;) {
      const head = Buffer.from(await this.#reader.readExactly(5, { timeoutMs: ANSWER_MS }));
      const length = head.readInt32BE(1) - 4;
      if (length < 0 || length > MAX_MESSAGE_BYTES) throw new Error(`a message of ${length} bytes`);
      const body = Buffer.from(await this.#reader.readExactly(length, { timeoutMs: ANSWER_MS }));
      const type = head.toString('latin1', 0, 1);
      if (type === 'E') throw new Error(problemOf(body));
      if (type === 'N') console.error(problemOf(body));
      else return { type, body };
    }
  }

  async end(): Promise<void> {
    await this.#stream.writeAll(message('X'));
    this.close();
  }

  close(): void {
    this.#stream.close();
  }
}

/** A name that ends with a zero, and 18 bytes of types, for each. */
function columnsOf(body: Buffer): string[] {
  const columns: string[] = [];
  for (let i = 0, at = 2; i < body.readInt16BE(); i++) {
    const end = body.indexOf(0, at);
    columns.push(body.toString('utf8', at, end));
    at = end + 19;
  }
  return columns;
}

/** A length and so many bytes for each; -1 is null. */
function valuesOf(body: Buffer): (string | null)[] {
  const values: (string | null)[] = [];
  for (let i = 0, at = 2; i < body.readInt16BE(); i++) {
    const length = body.readInt32BE(at);
    at += 4;
    values.push(length < 0 ? null : body.toString('utf8', at, at + length));
    at += Math.max(length, 0);
  }
  return values;
}

async function main(place = '', text?: string, ...values: string[]): Promise<void> {
  if (!URL.canParse(place) || text === undefined)
    throw new Error('usage: postgres-on-tripoll.js postgres://user:password@host/database <query> [value…]');
  const client = await Client.connect(new URL(place));
  try {
    const { columns, rows } = await client.query(text, values);
    for (const row of [columns, ...rows]) console.log(row.map((value) => value ?? 'NULL').join('\t'));
    await client.end();
  } finally {
    client.close();
  }
}

main(...process.argv.slice(2)).catch((error: unknown) => {
  console.error((error as Error).message);
  process.exit(1);
});
