// The echo that the sides have in common: shared functions, in the style of each library.
import type { Socket } from 'node:net';
import type { TcpHandlers } from 'tripoll/net';

export const echo: TcpHandlers = {
  data(connection, chunk) {
    if (!connection.write(chunk)) connection.pause();
  },
  drain(connection) {
    connection.resume();
  },
};

function onDrain(this: Socket): void {
  this.resume();
}

/** For a socket of node:net, or of its shape. */
export function onData(this: Socket, chunk: Buffer): void {
  if (this.write(chunk)) return;
  this.pause();
  this.once('drain', onDrain);
}

export function onError(this: Socket): void {
  this.destroy();
}
