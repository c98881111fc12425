import path from 'node:path';
import { connect as connectNode, type NetConnectOpts, type Socket } from 'node:net';
import {
  Runtime,
  type RuntimeOptions,
  type ServeTarget,
  type Server,
  type ServiceName,
} from '#lib/runtime/index';
import { describeServing } from '../support/applies.js';
import { within } from '../support/deadline.js';
import type * as tasks from './serve-tasks.js';

export type Tasks = typeof tasks;
export const serveTasks = path.join(__dirname, 'serve-tasks.js');
export const LOOPBACK = { host: '127.0.0.1', port: 0 } as const;

/** `describeServing` for each of the cases; each `%s` of the name is one value of a case. */
export function describeServingEach<First extends string, Second extends string>(
  cases: readonly (readonly [First, Second?])[],
  name: string,
  fn: (first: First, second: Second) => void,
): void {
  for (const [first, second] of cases) {
    const title = name.replace('%s', first).replace('%s', second ?? '');
    describeServing(title, () => fn(first, second!));
  }
}

/** Runs `fn` with a runtime, and closes that however it ends. */
export async function withServing(
  options: Partial<RuntimeOptions>,
  fn: (runtime: Runtime<Tasks>) => Promise<void>,
): Promise<void> {
  const runtime = new Runtime<Tasks>({ workers: 2, entry: serveTasks, ...options });
  try {
    await fn(runtime);
  } finally {
    await within(runtime.close(), 'the end of all threads');
  }
}

export function serve(
  runtime: Runtime<Tasks>,
  name: ServiceName<Tasks>,
  target: Partial<ServeTarget> = {},
): Promise<Server> {
  const where = target.path === undefined ? { ...LOOPBACK, ...target } : target;
  return within(runtime.serve(where as ServeTarget, name), 'a server');
}

/** A client of Node's own, by lines. */
export class Client {
  readonly socket: Socket;
  readonly ended: Promise<string>;
  #text = '';
  #over = false;
  #tell: (() => void)[] = [];

  constructor(target: NetConnectOpts) {
    this.socket = connectNode({ ...target, allowHalfOpen: false });
    this.socket.setEncoding('utf8');
    this.socket.on('data', (text: string) => {
      this.#text += text;
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      let how = 'end';
      this.socket.on('error', (error: NodeJS.ErrnoException) => (how = error.code ?? error.message));
      this.socket.on('close', () => {
        this.#over = true;
        this.#wake();
        resolve(how);
      });
    });
  }

  static async to(server: Server): Promise<Client> {
    const client = Client.begin(server);
    await client.connected();
    return client;
  }

  static begin({ address }: Server): Client {
    return new Client(
      typeof address === 'string' ? { path: address } : { port: address.port, host: address.address },
    );
  }

  static many(server: Server, count: number): Promise<Client[]> {
    return Promise.all(Array.from({ length: count }, () => Client.to(server)));
  }

  connected(): Promise<void> {
    return within(
      new Promise((resolve, reject) => {
        this.socket.once('connect', resolve);
        this.socket.once('error', reject);
      }),
      'a connection',
    );
  }

  #wake(): void {
    for (const tell of this.#tell.splice(0)) tell();
  }

  /** The next line; rejects when there will be none. */
  async line(): Promise<string> {
    for (;;) {
      const at = this.#text.indexOf('\n');
      if (at >= 0) {
        const line = this.#text.slice(0, at);
        this.#text = this.#text.slice(at + 1);
        return line;
      }
      if (this.#over) throw new Error('the connection is over');
      await within(
        new Promise<void>((resolve) => {
          this.#tell.push(resolve);
        }),
        'a line',
      );
    }
  }

  async ask(text: string): Promise<string> {
    this.socket.write(text);
    return this.line();
  }

  end(): Promise<string> {
    this.socket.end();
    return within(this.ended, 'the end of a connection');
  }

  destroy(): void {
    this.socket.destroy();
  }
}

export function endAll(clients: readonly Client[]): void {
  for (const client of clients) client.destroy();
}
