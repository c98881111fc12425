// One end of the socket of an `ObserveServer`. By node:net, so that it needs no addon.
import { connect, type Socket } from 'node:net';
import {
  MAX_ANSWER_BYTES,
  MAX_CLIENTS,
  PROTOCOL,
  type Answer,
  type Greeting,
  type Request,
  type Snapshot,
} from '../../observe/server/protocol.js';

/** Of a process of this machine, be it ever so busy: one that is held up sends nothing at all. */
export const GREETING_MS = 2000;
/** Without a byte for so long a trace is given up. */
const SILENCE_MS = 10_000;
const MS_PER_SECOND = 1000;
/** Of one recorder's ring, which has 48 MiB at most. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
/** Of all rings: 64 reactors have 3 MiB each, and what is more than this makes no JSON that a string holds. */
const MAX_TRACE_BYTES = 512 * 1024 * 1024;

/** What is told without a stack. */
function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

interface Waiting {
  /** True when it is the last. */
  onAnswer(answer: Answer): boolean;
  reject(error: Error): void;
}

/** A process that is being looked at. */
export class Client {
  readonly #path: string;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #greeted: ((greeting: Greeting) => void) | null = null;
  #greeting: Greeting | null = null;
  #rest = '';
  #requests = 0;
  #ended: Error | null = null;
  #onEnd: (error: Error) => void = () => undefined;

  private constructor(path: string) {
    this.#path = path;
    this.#socket = connect({ path });
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text) => this.#push(String(text)));
    // Who greeted was there: it has gone, by whatever call that shows.
    this.#socket.on('error', (error) => this.#end(this.#greeting === null ? error : this.#lost()));
    this.#socket.on('close', () => this.#end(this.#lost()));
  }

  /**
   * When it has greeted.
   *
   * @throws (as rejection) ENOENT, ECONNREFUSED and what else connect(2) says; ETIMEDOUT when nothing
   * comes; EPROTO when that is no greeting, or of another version; ECONNRESET
   */
  static async connect(path: string, deadlineMs = GREETING_MS): Promise<Client> {
    const client = new Client(path);
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        client.#onEnd = reject;
        client.#greeted = () => resolve();
        const silent = failure('ETIMEDOUT', `${path} does not answer: its thread is held up`);
        timer = setTimeout(() => client.#end(silent), deadlineMs);
      });
      return client;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Who it is. */
  get greeting(): Greeting {
    return this.#greeting!;
  }

  /** What it is doing; the times in it since the last call. @throws (as rejection) what `connect` does */
  metrics(): Promise<Snapshot> {
    return new Promise((resolve, reject) => {
      const onAnswer = (answer: Answer): boolean => {
        if ('metrics' in answer) resolve(answer.metrics);
        else reject(unexpected());
        return true;
      };
      this.#ask({ id: ++this.#requests, ask: 'metrics' }, { onAnswer, reject });
    });
  }

  /**
   * The memories of its recorders, after `seconds`.
   *
   * @throws (as rejection) what `connect` does; ERR_TRIPOLL_BUSY while somebody else is tracing
   */
  async trace(seconds: number): Promise<SharedArrayBuffer[]> {
    const memories = new Memories();
    // It says nothing while it records.
    this.#socket.setTimeout(seconds * MS_PER_SECOND + SILENCE_MS, () =>
      this.#end(failure('ETIMEDOUT', `${this.#path} does not answer: its thread is held up`)),
    );
    await new Promise<void>((resolve, reject) => {
      const onAnswer = (answer: Answer): boolean => {
        if (!('end' in answer)) return memories.take(answer);
        resolve();
        return true;
      };
      this.#ask({ id: ++this.#requests, ask: 'trace', seconds }, { onAnswer, reject });
    });
    return memories.all();
  }

  /** For so long; less if the process ends. @throws (as rejection) ECONNRESET */
  pause(delayMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, delayMs);
      this.#onEnd = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      if (this.#ended !== null) this.#onEnd(this.#ended);
    });
  }

  /** No more of it. */
  close(): void {
    this.#end(failure('ECONNABORTED', 'closed'));
  }

  #ask(request: Request, waiting: Waiting): void {
    if (this.#ended !== null) {
      waiting.reject(this.#ended);
      return;
    }
    this.#waiting.set(request.id, waiting);
    this.#socket.write(`${JSON.stringify(request)}\n`);
  }

  #push(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    try {
      for (const line of lines) this.#onLine(JSON.parse(line) as Answer | Greeting);
      if (this.#rest.length > MAX_ANSWER_BYTES) throw unexpected();
    } catch (error) {
      this.#end((error as { code?: unknown }).code === undefined ? unexpected() : (error as Error));
    }
  }

  #onLine(line: Answer | Greeting): void {
    if (this.#greeting === null) {
      this.#onGreeting(line as Partial<Greeting>);
      return;
    }
    const answer = line as Answer;
    const waiting = this.#waiting.get(answer.id ?? 0);
    if (waiting === undefined) throw unexpected();
    if ('error' in answer) {
      this.#waiting.delete(answer.id ?? 0);
      waiting.reject(failure(answer.error.code, answer.error.message));
    } else if (waiting.onAnswer(answer)) this.#waiting.delete(answer.id);
  }

  #onGreeting(greeting: Partial<Greeting>): void {
    const { tripoll, pid, thread, runtime, program } = greeting;
    const isOne = typeof pid === 'number' && typeof thread === 'number' && typeof tripoll === 'number';
    if (!isOne || typeof runtime !== 'string' || typeof program !== 'string') throw unexpected();
    const version: number = tripoll;
    if (version !== PROTOCOL)
      throw failure('EPROTO', `${this.#path} speaks version ${version}, and this is ${PROTOCOL}`);
    this.#greeting = { tripoll, pid, thread, runtime, program };
    this.#greeted?.(this.#greeting);
  }

  #lost(): Error {
    if (this.#greeting !== null)
      return failure(
        'ECONNRESET',
        `process ${this.#greeting.pid} has ended, or its ObserveServer was closed`,
      );
    const message = `${this.#path} lets nobody in but its own user and root, and ${MAX_CLIENTS} clients at most`;
    return failure('ECONNRESET', message);
  }

  #end(error: Error): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#socket.destroy();
    this.#onEnd(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function unexpected(): Error {
  return failure('EPROTO', 'what answers there is no ObserveServer of this version of tripoll');
}

/** What comes of a trace, put together. */
class Memories {
  readonly #memories: { readonly memory: SharedArrayBuffer; filled: number }[] = [];
  #bytes = 0;

  /** False: it is never the last. @throws EPROTO */
  take(answer: Answer): false {
    if ('memoryBytes' in answer) this.#begin(answer.memoryBytes);
    else if ('base64' in answer) this.#fill(Buffer.from(answer.base64, 'base64'));
    else throw unexpected();
    return false;
  }

  #begin(bytes: number): void {
    this.#bytes += bytes;
    if (!(bytes > 0 && bytes <= MAX_MEMORY_BYTES && this.#bytes <= MAX_TRACE_BYTES)) throw unexpected();
    this.#memories.push({ memory: new SharedArrayBuffer(bytes), filled: 0 });
  }

  #fill(bytes: Uint8Array): void {
    const last = this.#memories.at(-1);
    if (last === undefined || last.filled + bytes.length > last.memory.byteLength) throw unexpected();
    new Uint8Array(last.memory).set(bytes, last.filled);
    last.filled += bytes.length;
  }

  /** @throws EPROTO */
  all(): SharedArrayBuffer[] {
    if (this.#memories.some(({ memory, filled }) => filled !== memory.byteLength)) throw unexpected();
    return this.#memories.map(({ memory }) => memory);
  }
}
