import { busyError, outOfRange } from '../../binding/errors.js';
import { LineDecoder } from '../../net/framing/line-decoder.js';
import type { UnixConnection } from '../../net/unix/unix-connection.js';
import type { ReactorView, Window } from './reactor-view.js';
import {
  MAX_REQUEST_BYTES,
  MAX_TRACE_SECONDS,
  type Answer,
  type Greeting,
  type Request,
  type Snapshot,
} from './protocol.js';

/** What a client's session asks of its server. */
export interface SessionHost {
  readonly greeting: Greeting;
  /** For one client: the windows are those of its last one, and become those of its next. */
  snapshot(windows: Map<ReactorView, Window>): Snapshot;
  /** One at a time. @throws ERR_TRIPOLL_BUSY, ERR_TRIPOLL_CLOSED; EMFILE and the like */
  startTrace(seconds: number, done: (memories: readonly SharedArrayBuffer[]) => void): { cancel(): void };
}

/** Of memory, in a line of an answer: a multiple of 3, as base64 has it. */
const PIECE_BYTES = 192 * 1024;

/** One client of an `ObserveServer`. */
export class Session {
  readonly #host: SessionHost;
  readonly #connection: UnixConnection;
  readonly #decoder = new LineDecoder({ maxLengthBytes: MAX_REQUEST_BYTES, encoding: 'utf8' });
  readonly #windows = new Map<ReactorView, Window>();
  #trace: { cancel(): void } | null = null;
  /** What is left to send of a trace: taken as the client takes it. */
  #sending: Iterator<Answer> | null = null;

  constructor(host: SessionHost, connection: UnixConnection) {
    this.#host = host;
    this.#connection = connection;
    this.#write(host.greeting);
  }

  /** Bytes came. */
  push(chunk: Uint8Array): void {
    this.#decoder.push(chunk, this.#onLine);
  }

  /** The client has read. */
  drained(): void {
    this.#connection.resume();
    this.#decoder.resume(this.#onLine);
    this.#sendMore();
  }

  /** It is over. */
  end(): void {
    this.#trace?.cancel();
    this.#trace = null;
    this.#sending = null;
  }

  readonly #onLine = (line: string): void => {
    let id: number | null = null;
    try {
      const value = (JSON.parse(line) ?? {}) as Fields;
      if (typeof value.id !== 'number') throw outOfRange('id', 'a number', value.id);
      id = value.id;
      this.#onRequest(toRequest(value.id, value));
    } catch (error) {
      const { code = 'ERR_TRIPOLL_INVALID_FRAME', message } = error as Error & { code?: string };
      this.#answer({ id, error: { code, message } });
    }
  };

  #onRequest(request: Request): void {
    const { id } = request;
    if (request.ask === 'metrics') {
      this.#answer({ id, metrics: this.#host.snapshot(this.#windows) });
      return;
    }
    if (this.#trace !== null) throw busyError('this client has asked for a trace already');
    this.#trace = this.#host.startTrace(request.seconds, (memories) => {
      this.#sending = answersOf(id, memories);
      this.#sendMore();
    });
  }

  /** As much as the client takes. */
  #sendMore(): void {
    while (this.#sending !== null) {
      const { done = false, value } = this.#sending.next() as IteratorResult<Answer, undefined>;
      if (done) {
        this.#sending = null;
        this.#trace = null;
      } else if (!this.#write(value!)) return;
    }
  }

  /** Who does not read is not read from: what waits is bounded. */
  #answer(answer: Answer): void {
    if (this.#write(answer)) return;
    this.#connection.pause();
    this.#decoder.stop();
  }

  /** False when the client has to read first, or has gone. */
  #write(line: Answer | Greeting): boolean {
    return !this.#connection.closed && this.#connection.write(Buffer.from(`${JSON.stringify(line)}\n`));
  }
}

/** What a request has, be it right or wrong. */
type Fields = Partial<Record<'id' | 'ask' | 'seconds', unknown>>;

/** @throws RangeError */
function toRequest(id: number, { ask, seconds }: Fields): Request {
  if (ask === 'metrics') return { id, ask };
  if (ask !== 'trace') throw outOfRange('ask', `'metrics' or 'trace'`, ask);
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= MAX_TRACE_SECONDS))
    throw outOfRange('seconds', `a number from 0 to ${MAX_TRACE_SECONDS}`, seconds);
  return { id, ask, seconds };
}

function* answersOf(id: number, memories: readonly SharedArrayBuffer[]): Generator<Answer, undefined> {
  for (const memory of memories) {
    // As it is in one moment: the recorder may go on while it is being sent.
    const copy = Buffer.from(memory.slice(0));
    yield { id, memoryBytes: copy.length };
    for (let at = 0; at < copy.length; at += PIECE_BYTES)
      yield { id, base64: copy.subarray(at, at + PIECE_BYTES).toString('base64') };
  }
  yield { id, end: true };
  return undefined;
}
