import { errnosOf, type HandlerError, type TripollError } from '../../binding/errors.js';
import { Interest } from '../../poller/flags.js';
import { newContext } from '../../reactor/context.js';
import { callLast, HandlerCalls, type SyncResult } from '../socket/handler-call.js';
import type { MessageSocket, ReceivedMessage } from './message-socket.js';

/** Messages of one event before others get their turn (T47). */
const MESSAGES_PER_EVENT = 16;
/** The longest that a datagram of the internet can be, and more than a Unix socket takes by default at once. */
const BUFFER_BYTES = 64 * 1024;
/** The fd itself is broken. */
const FATAL = errnosOf('EBADF', 'ENOTSOCK');

/** What a handler-style message socket calls. */
export interface MessageHandlers<Socket, Message> {
  /** A message came. `chunk` is lent until the handler returns, which is no async function; copy what you keep. */
  message(socket: Socket, chunk: Uint8Array, info: Message): SyncResult;
  /**
   * What a receive failed with, or what a handler threw or rejected with. The socket goes on. Without it, what a handler
   * throws is uncaught.
   */
  error?(socket: Socket, error: HandlerError): unknown;
  /** It has closed; once, and last. */
  close?(socket: Socket): unknown;
}

let shared: Uint8Array | null = null;

/** Calls the handlers of one socket. All sockets of a thread receive into one buffer, one after the other. */
export class MessagePump<
  Socket extends MessageSocket<unknown, never, Message>,
  Message extends ReceivedMessage<unknown>,
> {
  static readonly #calls = new HandlerCalls<MessagePump<never, never>>({
    isClosed: (pump) => pump.#isClosed,
    hearsErrors: (pump) => pump.#handlers.error !== undefined,
    // One message that the program cannot take must not end the socket for all others.
    onThrown: (pump, error) => pump.#tell(error),
  });
  readonly #socket: Socket;
  readonly #handlers: MessageHandlers<Socket, Message>;
  readonly #context = newContext();

  constructor(socket: Socket, handlers: MessageHandlers<Socket, Message>) {
    this.#socket = socket;
    this.#handlers = handlers;
  }

  get #isClosed(): boolean {
    return this.#socket.closed;
  }

  start(): void {
    this.#socket.onEnd = () => this.#onEnd();
    this.#socket.io.watch(Interest.READABLE, () => this.#receiveAll());
  }

  #onEnd(): void {
    if (this.#handlers.close === undefined) return;
    // Not from in here: the user's own call may be what closed it.
    this.#socket.reactor.registry.defer(() =>
      this.#context.runInAsyncScope(() => callLast(() => this.#handlers.close?.(this.#socket))),
    );
  }

  #receiveAll(): void {
    const socket = this.#socket;
    for (let i = 0; i < MESSAGES_PER_EVENT; i++) {
      if (socket.closed) return;
      if (i > 0 && !socket.reactor.registry.consumeBudget()) break;
      // A borrower may have transferred it away.
      if (shared === null || shared.length === 0) shared = new Uint8Array(BUFFER_BYTES);
      const buffer = shared;
      let message: Message | null;
      try {
        message = socket.tryReceive(buffer);
      } catch (error) {
        this.#onFailure(error as TripollError);
        continue;
      }
      if (message === null) {
        socket.io.clearReady(Interest.READABLE);
        return;
      }
      const received = message;
      const chunk = buffer.subarray(0, received.lengthBytes);
      // While it is lent, a reactor that the handler turns by hand takes another (F35).
      shared = null;
      MessagePump.#calls.call(this as never, () => this.#handlers.message(socket, chunk, received));
      shared = buffer;
    }
    socket.io.requeue(Interest.READABLE);
  }

  /** What a receive failed with; what a message was lost by is no mistake of the program's, and never uncaught. */
  #onFailure(error: TripollError): void {
    this.#tell(error);
    if (FATAL.has(error.errno ?? 0)) this.#socket.close();
  }

  #tell(error: Error): void {
    if (this.#handlers.error === undefined || this.#isClosed) return;
    callLast(() => this.#handlers.error?.(this.#socket, error));
  }
}
