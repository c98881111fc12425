// What the server of resp-server.ts can do: strings and lists, with Redis' own words for what is
// wrong. A value that has expired goes when it is next asked for.
import type { Replies } from './protocol.js';

interface Entry {
  /** A list is kept backwards, so that LPUSH, which queues use most, is a push. */
  value: string | string[];
  /** By Date.now(); Infinity: never. */
  expiresAtMs: number;
}

/** A key's value, in all connections' sight. */
export class Database {
  readonly #entries = new Map<string, Entry>();

  get size(): number {
    return this.#entries.size;
  }

  find(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAtMs === Infinity) return entry;
    if (entry.expiresAtMs > Date.now()) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: string | string[], expiresAtMs = Infinity): void {
    this.#entries.set(key, { value, expiresAtMs });
  }

  delete(key: string): boolean {
    return this.find(key) !== undefined && this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}

/** What a command is run with. */
interface Call {
  readonly database: Database;
  readonly replies: Replies;
  /** With the command's name. */
  readonly words: readonly string[];
}

interface Command {
  /** Words with the name: exactly so many, or at least so many if negative (as COMMAND has it). */
  readonly arity: number;
  run(call: Call): void;
}

/** Refuses a command; the message is the reply. */
class CommandError extends Error {}

const SYNTAX = 'ERR syntax error';
const NOT_INTEGER = 'ERR value is not an integer or out of range';
const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';

/** Redis' are of 64 bits; of these a number is exact. */
function toInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || String(value) !== text) throw new CommandError(NOT_INTEGER);
  return value;
}

function textOf(database: Database, key: string): string | null {
  const value = database.find(key)?.value ?? null;
  if (typeof value === 'object' && value !== null) throw new CommandError(WRONG_TYPE);
  return value;
}

function listOf(database: Database, key: string): string[] | null {
  const value = database.find(key)?.value ?? null;
  if (typeof value === 'string') throw new CommandError(WRONG_TYPE);
  return value;
}

function set({ database, replies, words }: Call): void {
  const [, key = '', value = ''] = words;
  let condition = '';
  let expiresAtMs: number | undefined;
  let isKept = false;
  for (let i = 3; i < words.length; i++) {
    const option = words[i]!.toUpperCase();
    if ((option === 'NX' || option === 'XX') && condition === '') condition = option;
    else if (option === 'KEEPTTL' && expiresAtMs === undefined) isKept = true;
    else if ((option === 'EX' || option === 'PX') && expiresAtMs === undefined && !isKept) {
      const given = words[++i];
      if (given === undefined) throw new CommandError(SYNTAX);
      const time = toInteger(given);
      if (time <= 0) throw new CommandError("ERR invalid expire time in 'set' command");
      expiresAtMs = Date.now() + (option === 'EX' ? 1000 * time : time);
    } else throw new CommandError(SYNTAX);
  }
  if (condition !== '' || isKept) {
    const entry = database.find(key);
    if (condition !== '' && (condition === 'NX') === (entry !== undefined)) {
      replies.bulk(null);
      return;
    }
    if (isKept) expiresAtMs = entry?.expiresAtMs;
  }
  database.set(key, value, expiresAtMs);
  replies.raw('+OK\r\n');
}

function add({ database, replies, words }: Call, amount: number): void {
  const [, key = ''] = words;
  const text = textOf(database, key);
  const value = (text === null ? 0 : toInteger(text)) + amount;
  if (!Number.isSafeInteger(value)) throw new CommandError('ERR increment or decrement would overflow');
  const entry = database.find(key);
  if (entry === undefined) database.set(key, String(value));
  else entry.value = String(value);
  replies.integer(value);
}

function expire({ database, replies, words }: Call, unitMs: number): void {
  const entry = database.find(words[1]!);
  const time = toInteger(words[2]!);
  if (entry !== undefined) entry.expiresAtMs = Date.now() + time * unitMs;
  replies.integer(entry === undefined ? 0 : 1);
}

function timeToLive({ database, replies, words }: Call, unitMs: number): void {
  const entry = database.find(words[1]!);
  if (entry === undefined) replies.integer(-2);
  else if (entry.expiresAtMs === Infinity) replies.integer(-1);
  else replies.integer(Math.round((entry.expiresAtMs - Date.now()) / unitMs));
}

/** How many of the keys `count` says yes to. */
function countKeys({ replies, words }: Call, count: (key: string) => boolean): void {
  let result = 0;
  for (let i = 1; i < words.length; i++) if (count(words[i]!)) result++;
  replies.integer(result);
}

function pushLeft({ database, replies, words }: Call): void {
  const [, key = ''] = words;
  const list = listOf(database, key) ?? [];
  for (let i = 2; i < words.length; i++) list.push(words[i]!);
  if (list.length === words.length - 2) database.set(key, list);
  replies.integer(list.length);
}

/** One value, from either end. */
function pop({ database, replies, words }: Call, side: 'pop' | 'shift'): void {
  const [, key = ''] = words;
  const list = listOf(database, key);
  replies.bulk(list?.[side]() ?? null);
  if (list?.length === 0) database.delete(key);
}

function range({ database, replies, words }: Call): void {
  const list = listOf(database, words[1]!) ?? [];
  const [from, to] = [words[2]!, words[3]!].map((text) => {
    const index = toInteger(text);
    return index < 0 ? Math.max(index + list.length, -1) : index;
  }) as [number, number];
  const { length } = list;
  const end = Math.min(to, length - 1);
  const start = Math.max(from, 0);
  replies.bulks(start > end ? [] : list.slice(length - 1 - end, length - start).reverse());
}

function config({ replies, words }: Call): void {
  const [, subcommand = '', name = ''] = words;
  if (subcommand.toUpperCase() !== 'GET' || words.length !== 3)
    throw new CommandError(`ERR unknown subcommand '${subcommand.slice(0, 128)}'. Try CONFIG HELP.`);
  // redis-benchmark asks for these two.
  const known: Readonly<Record<string, string>> = { save: '', appendonly: 'no' };
  const value = Object.hasOwn(known, name) ? known[name] : undefined;
  replies.bulks(value === undefined ? [] : [name, value]);
}

function client({ replies, words }: Call): void {
  const [, subcommand = ''] = words;
  const name = subcommand.toUpperCase();
  if (name === 'SETINFO' || name === 'SETNAME') replies.raw('+OK\r\n');
  else if (name === 'GETNAME') replies.bulk(null);
  else throw new CommandError(`ERR unknown subcommand '${subcommand.slice(0, 128)}'. Try CLIENT HELP.`);
}

/** A client that wants RESP3 then goes on with RESP2. */
function hello({ replies, words }: Call): void {
  if (words.length > 1 && words[1] !== '2') throw new CommandError('NOPROTO unsupported protocol version');
  if (words.length > 2)
    throw new CommandError(`ERR Syntax error in HELLO option '${words[2]!.slice(0, 128)}'`);
  replies.raw('*6\r\n');
  for (const text of ['server', 'redis', 'version', '7.0.0', 'proto']) replies.bulk(text);
  replies.integer(2);
}

function select({ replies, words }: Call): void {
  if (toInteger(words[1]!) !== 0) throw new CommandError('ERR DB index is out of range');
  replies.raw('+OK\r\n');
}

function setMany({ database, replies, words }: Call): void {
  if (words.length % 2 === 0) throw new CommandError("ERR wrong number of arguments for 'mset' command");
  for (let i = 1; i < words.length; i += 2) database.set(words[i]!, words[i + 1]!);
  replies.raw('+OK\r\n');
}

/** MGET: what is no string is null. */
function getMany({ database, replies, words }: Call): void {
  const values = words.slice(1).map((key) => database.find(key)?.value ?? null);
  replies.bulks(values.map((value) => (typeof value === 'string' ? value : null)));
}

function ping({ replies, words }: Call): void {
  if (words.length > 2) throw new CommandError("ERR wrong number of arguments for 'ping' command");
  if (words.length === 1) replies.raw('+PONG\r\n');
  else replies.bulk(words[1]!);
}

function clear({ database, replies }: Call): void {
  database.clear();
  replies.raw('+OK\r\n');
}

const INFO = '# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\nloading:0\r\n';

const commands = new Map<string, Command>(
  Object.entries({
    CLIENT: { arity: -2, run: client },
    COMMAND: { arity: -1, run: ({ replies }) => replies.bulks([]) },
    CONFIG: { arity: -2, run: config },
    DBSIZE: { arity: 1, run: ({ database, replies }) => replies.integer(database.size) },
    DECR: { arity: 2, run: (call) => add(call, -1) },
    DEL: { arity: -2, run: (call) => countKeys(call, (key) => call.database.delete(key)) },
    ECHO: { arity: 2, run: ({ replies, words }) => replies.bulk(words[1]!) },
    EXISTS: {
      arity: -2,
      run: (call) => countKeys(call, (key) => call.database.find(key) !== undefined),
    },
    EXPIRE: { arity: 3, run: (call) => expire(call, 1000) },
    FLUSHALL: { arity: -1, run: clear },
    FLUSHDB: { arity: -1, run: clear },
    GET: { arity: 2, run: ({ database, replies, words }) => replies.bulk(textOf(database, words[1]!)) },
    HELLO: { arity: -1, run: hello },
    INCR: { arity: 2, run: (call) => add(call, 1) },
    INFO: { arity: -1, run: ({ replies }) => replies.bulk(INFO) },
    LLEN: {
      arity: 2,
      run: ({ database, replies, words }) => replies.integer(listOf(database, words[1]!)?.length ?? 0),
    },
    LPOP: { arity: 2, run: (call) => pop(call, 'pop') },
    LPUSH: { arity: -3, run: pushLeft },
    LRANGE: { arity: 4, run: range },
    MGET: { arity: -2, run: getMany },
    MSET: { arity: -3, run: setMany },
    PEXPIRE: { arity: 3, run: (call) => expire(call, 1) },
    PING: { arity: -1, run: ping },
    PTTL: { arity: 2, run: (call) => timeToLive(call, 1) },
    RPOP: { arity: 2, run: (call) => pop(call, 'shift') },
    SELECT: { arity: 2, run: select },
    SET: { arity: -3, run: set },
    TTL: { arity: 2, run: (call) => timeToLive(call, 1000) },
  } satisfies Record<string, Command>),
);

/** Answers a command: each has one reply. Returns false after QUIT. */
export function answer(database: Database, replies: Replies, words: readonly string[]): boolean {
  const [name = ''] = words;
  const command = commands.get(name) ?? commands.get(name.toUpperCase());
  if (command === undefined) {
    if (name.toUpperCase() === 'QUIT') {
      replies.raw('+OK\r\n');
      return false;
    }
    const begins = words.slice(1, 4).map((word) => `'${word.slice(0, 128)}' `);
    replies.error(
      `ERR unknown command '${name.slice(0, 128)}', with args beginning with: ${begins.join('')}`,
    );
    return true;
  }
  const { arity } = command;
  if (arity < 0 ? words.length < -arity : words.length !== arity) {
    replies.error(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);
    return true;
  }
  try {
    command.run({ database, replies, words });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    replies.error(error.message);
  }
  return true;
}
