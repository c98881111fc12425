import { Interest } from '../../poller/flags.js';
import { HandlerPump } from '../fd/handler-pump.js';
import type { SourceCalls, SourceHandlers } from '../fd/source-calls.js';
import type { SyncResult } from '../socket/handler-call.js';
import type { MessageSocket, ReceivedMessage } from './message-socket.js';

/**
 * The longest that a datagram of the internet can be, and more than a Unix socket takes by default
 * at once.
 */
const BUFFER_BYTES = 64 * 1024;

/** What a handler-style message socket calls. */
export interface MessageHandlers<Socket, Message> extends SourceHandlers<Socket> {
  /**
   * A message came. `chunk` is lent until the handler returns, which is no async function; copy
   * what you keep.
   */
  message(socket: Socket, chunk: Uint8Array, info: Message): SyncResult;
}

type AnySocket<Message extends ReceivedMessage<unknown>> = MessageSocket<unknown, never, Message>;

let shared: Uint8Array | null = null;

/**
 * Calls the handlers of one socket from now on. All sockets of a thread receive into one buffer,
 * one after the other.
 */
export function pumpMessages<Socket extends AnySocket<Message>, Message extends ReceivedMessage<unknown>>(
  socket: Socket,
  handlers: MessageHandlers<Socket, Message>,
): void {
  new HandlerPump(socket, handlers, (calls) => receiveOne(socket, handlers, calls)).start();
}

/** False when there was none. */
function receiveOne<Socket extends AnySocket<Message>, Message extends ReceivedMessage<unknown>>(
  socket: Socket,
  handlers: MessageHandlers<Socket, Message>,
  calls: SourceCalls<Socket>,
): boolean {
  // A borrower may have transferred it away.
  if (shared === null || shared.length === 0) shared = new Uint8Array(BUFFER_BYTES);
  const buffer = shared;
  const message = socket.tryReceive(buffer);
  if (message === null) {
    socket.io.clearReady(Interest.READABLE);
    return false;
  }
  const chunk = buffer.subarray(0, message.lengthBytes);
  // While it is lent, a reactor that the handler turns by hand takes another (F35).
  shared = null;
  calls.call(() => handlers.message(socket, chunk, message));
  shared = buffer;
  return true;
}
