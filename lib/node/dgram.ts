import { Socket, type MessageListener } from './dgram/socket.js';
import type { SocketOptions, SocketType } from './dgram/state.js';

// The exports of node:dgram.

/** A new socket, which is not bound yet; `listener` is told of each message. */
function createSocket(type: SocketType | SocketOptions, listener?: MessageListener): Socket {
  return new Socket(type, listener);
}

export { createSocket, Socket };
export type { BindOptions } from './dgram/binding.js';
export type { SocketOptions, SocketType } from './dgram/state.js';
export type { RemoteInfo } from './dgram/transport.js';
