// A client's session: bytes in, replies out, and who has to wait. A transport of any kind serves it.
import { answer, type Database } from './commands.js';
import { CommandParser, ProtocolError, type Replies, type ReplySink } from './protocol.js';

/** What a session needs of a connection. */
export interface Transport extends ReplySink {
  /** Stops bytes, until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends it when all is sent. */
  end(): void;
}

export class Session {
  readonly #parser = new CommandParser();
  /** What a client had sent already when it had to be stopped. */
  #held: Buffer | null = null;
  #isOver = false;

  constructor(
    readonly database: Database,
    readonly replies: Replies,
    readonly transport: Transport,
  ) {}

  /** Answers what `chunk` asks for, in one write; the chunk is not kept. */
  take(chunk: Buffer): void {
    if (this.#isOver) return;
    const { replies, transport } = this;
    replies.begin(transport);
    this.#parser.begin(chunk);
    try {
      this.#answerAll();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      replies.error(`ERR ${error.message}`);
      this.#isOver = true;
    }
    const isTaken = replies.flush();
    if (this.#isOver) transport.end();
    else if (!isTaken) {
      // Who does not read is not read from, and gets no more answers: what is held is a chunk.
      const rest = this.#parser.rest();
      this.#held = rest.length > 0 ? Buffer.from(rest) : null;
      transport.pause();
    }
  }

  #answerAll(): void {
    const { replies } = this;
    while (!replies.isFull) {
      const words = this.#parser.next();
      if (words === null) return;
      if (answer(this.database, replies, words)) continue;
      this.#isOver = true;
      return;
    }
  }

  /** The client has read. */
  drain(): void {
    const held = this.#held;
    this.#held = null;
    this.transport.resume();
    if (held !== null) this.take(held);
  }
}
