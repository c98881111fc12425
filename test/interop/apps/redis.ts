// A program that uses Redis: `node redis.js ioredis|redis PLACE` (RedisPlace as JSON).
import { connect, type Socket } from 'tripoll/node';
import { bodyOf, newHash } from '../body.js';
import { load } from '../packages.js';
import { report } from '../report.js';

/** Where the server is, and how it is reached. */
export interface RedisPlace {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  /** The certificate that the server must have; without it, no TLS. */
  readonly ca?: string;
  /** Whether ioredis is given its sockets by a Connector of ours. */
  readonly byOption: boolean;
  readonly valueBytes: number;
}

/** What both clients can do, in the words of neither. */
interface Client {
  /** As many INCR of a key, in one pipeline; resolves with the last one's answer. */
  pipeline(key: string, count: number): Promise<number>;
  set(key: string, value: Buffer): Promise<unknown>;
  get(key: string): Promise<Buffer>;
  publish(channel: string, message: string): Promise<unknown>;
  /** Resolves when it is subscribed. */
  subscribe(channel: string, heard: (message: string) => void): Promise<unknown>;
  close(): Promise<unknown>;
}

const [, , name, given] = process.argv;
const { byOption, ca, valueBytes, ...place } = JSON.parse(given!) as RedisPlace;
const tls = ca === undefined ? undefined : { ca, checkServerIdentity: () => undefined };

interface IoRedis {
  readonly Redis: new (options: object) => {
    pipeline(): { incr(key: string): void; exec(): Promise<readonly (readonly [Error | null, number])[]> };
    set(key: string, value: Buffer): Promise<unknown>;
    getBuffer(key: string): Promise<Buffer>;
    publish(channel: string, message: string): Promise<unknown>;
    subscribe(channel: string): Promise<unknown>;
    on(event: 'message', listener: (channel: string, message: string) => void): void;
    quit(): Promise<unknown>;
  };
  readonly AbstractConnector: new (disconnectTimeoutMs: number) => {
    connecting: boolean;
    stream: unknown;
  };
}

function openIoRedis(): Promise<Client> {
  const { Redis, AbstractConnector } = load<IoRedis>('ioredis');
  class Connector extends AbstractConnector {
    constructor() {
      super(1000);
    }

    connect(): Promise<Socket> {
      this.connecting = true;
      const socket = connect(place);
      this.stream = socket;
      return Promise.resolve(socket);
    }
  }
  const redis = new Redis({ ...place, tls, ...(byOption ? { Connector } : {}) });
  return Promise.resolve({
    async pipeline(key, count) {
      const pipeline = redis.pipeline();
      for (let i = 0; i < count; i++) pipeline.incr(key);
      return (await pipeline.exec()).at(-1)![1];
    },
    set: (key, value) => redis.set(key, value),
    get: (key) => redis.getBuffer(key),
    publish: (channel, message) => redis.publish(channel, message),
    subscribe(channel, heard) {
      redis.on('message', (_channel, message) => heard(message));
      return redis.subscribe(channel);
    },
    close: () => redis.quit(),
  } satisfies Client);
}

interface NodeRedis {
  readonly RESP_TYPES: { readonly BLOB_STRING: number };
  createClient(options: object): {
    connect(): Promise<unknown>;
    incr(key: string): Promise<number>;
    set(key: string, value: Buffer): Promise<unknown>;
    withTypeMapping(mapping: object): { get(key: string): Promise<Buffer> };
    publish(channel: string, message: string): Promise<unknown>;
    subscribe(channel: string, heard: (message: string) => void): Promise<unknown>;
    on(event: 'error', listener: (error: Error) => void): void;
    close(): Promise<unknown>;
  };
}

async function openNodeRedis(): Promise<Client> {
  const { createClient, RESP_TYPES } = load<NodeRedis>('redis');
  const client = createClient({ socket: { ...place, ...(tls === undefined ? {} : { tls: true, ...tls }) } });
  client.on('error', (error) => console.error(error));
  await client.connect();
  return {
    // What is asked for in one turn goes out together.
    pipeline: async (key, count) =>
      (await Promise.all(Array.from({ length: count }, () => client.incr(key)))).at(-1)!,
    set: (key, value) => client.set(key, value),
    get: (key) => client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get(key),
    publish: (channel, message) => client.publish(channel, message),
    subscribe: (channel, heard) => client.subscribe(channel, heard),
    close: () => client.close(),
  };
}

const MESSAGES = 1000;

async function main(): Promise<void> {
  const open = name === 'ioredis' ? openIoRedis : openNodeRedis;
  const [client, subscriber] = [await open(), await open()];
  const key = `${name}:${String(process.pid)}`;
  const last = await client.pipeline(key, 10_000);

  const heard: string[] = [];
  let onAll = (): void => undefined;
  const all = new Promise<void>((resolve) => {
    onAll = resolve;
  });
  await subscriber.subscribe('news', (message) => {
    if (heard.push(message) === MESSAGES) onAll();
  });
  const message = (i: number): string => `${i} ${'é'.repeat(i)}`;
  await Promise.all(Array.from({ length: MESSAGES }, (_, i) => client.publish('news', message(i))));
  await all;

  const value = Buffer.concat([...bodyOf(valueBytes)]);
  await client.set(`${key}:value`, value);
  const got = await client.get(`${key}:value`);
  const same = newHash().update(got).digest('hex') === newHash().update(value).digest('hex');
  await Promise.all([client.close(), subscriber.close()]);
  report({
    last,
    inOrder: heard.every((text, i) => text === message(i)),
    valueBytes: got.length,
    same,
  });
}

void main();
