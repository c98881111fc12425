import { errnosOf, type TripollError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { Interest } from '../../poller/flags.js';
import type { MessageSocket, ReceivedMessage } from './message-socket.js';

/** Messages of one event before others get their turn (T47). */
const MESSAGES_PER_EVENT = 16;
/** The longest that a datagram of the internet can be, and more than a Unix socket takes by default at once. */
const BUFFER_BYTES = 64 * 1024;
/** The fd itself is broken. */
const FATAL = errnosOf('EBADF', 'ENOTSOCK');

/** What a handler-style message socket calls. */
export interface MessageHandlers<Socket, Address> {
  /** A message came. `chunk` is lent until the handler returns; copy what you keep. */
  message(socket: Socket, chunk: Uint8Array, info: ReceivedMessage<Address>): unknown;
  /**
   * What a receive failed with, or what a handler threw or rejected with. The socket goes on. Without it, what a handler
   * throws is uncaught.
   */
  error?(socket: Socket, error: Error): unknown;
  /** It has closed; once, and last. */
  close?(socket: Socket): unknown;
}

let shared: Uint8Array | null = null;

/** Calls the handlers of one socket. All sockets of a thread receive into one buffer, one after the other. */
export class MessagePump<Socket extends MessageSocket<Address>, Address> {
  readonly #socket: Socket;
  readonly #handlers: MessageHandlers<Socket, Address>;

  constructor(socket: Socket, handlers: MessageHandlers<Socket, Address>) {
    this.#socket = socket;
    this.#handlers = handlers;
  }

  start(): void {
    this.#socket.onEnd = () => {
      const { close } = this.#handlers;
      if (close !== undefined) this.#socket.reactor.defer(() => this.#call(() => close(this.#socket), true));
    };
    this.#socket.io.watch(Interest.READABLE, () => this.#receiveAll());
  }

  #receiveAll(): void {
    const socket = this.#socket;
    for (let i = 0; i < MESSAGES_PER_EVENT; i++) {
      if (socket.closed) return;
      if (i > 0 && !socket.reactor.spend()) break;
      // A borrower may have transferred it away.
      if (shared === null || shared.length === 0) shared = new Uint8Array(BUFFER_BYTES);
      const buffer = shared;
      let message: ReceivedMessage<Address> | null;
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
      this.#call(() => this.#handlers.message(socket, buffer.subarray(0, received.length), received), false);
    }
    socket.io.again(Interest.READABLE);
  }

  #onFailure(error: TripollError): void {
    if (FATAL.has(error.errno ?? 0)) this.#socket.close();
    this.#tell(error);
  }

  #tell(error: Error): void {
    const { error: handler } = this.#handlers;
    if (handler === undefined) {
      // A message that was lost on its way is no mistake of the program's: a system error has an errno.
      if ((error as Partial<TripollError>).errno === undefined) native.fatalException(error);
      return;
    }
    this.#call(() => handler(this.#socket, error), true);
  }

  /** `isLast`: there is nobody else to be told of what it throws. */
  #call(handler: () => unknown, isLast: boolean): void {
    const onThrown = (error: unknown): void => {
      if (isLast) native.fatalException(error);
      else this.#tell(error as Error);
    };
    try {
      const result = handler();
      if (typeof (result as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function') {
        (result as PromiseLike<unknown>).then(undefined, onThrown);
      }
    } catch (error) {
      onThrown(error);
    }
  }
}
