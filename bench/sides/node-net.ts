// Shared functions, as our handlers are: a closure per socket would be counted against node:net
// when idle.
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { enterSideProcess, listenAndAnnounce, obeyHarness } from '../side-process.js';

function onData(this: Socket, chunk: Buffer): void {
  if (this.write(chunk)) return;
  this.pause();
  this.once('drain', onDrain);
}

function onDrain(this: Socket): void {
  this.resume();
}

function onError(this: Socket): void {
  this.destroy();
}

enterSideProcess();
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', onData);
  socket.on('error', onError);
});
listenAndAnnounce(server);
obeyHarness();
