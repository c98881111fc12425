// The same program on node:net and on tripoll/node, which is loaded only where it is asked for.
// Shared functions, as our handlers are: a closure per socket would be counted against node:net
// when idle.
import { createRequire } from 'node:module';
import type * as net from 'node:net';
import { enterSideProcess, listenAndAnnounce, obeyHarness } from '../side-process.js';
import { onData, onError } from './echo.js';

enterSideProcess();
const { createServer } = createRequire(__filename)(process.argv[2] ?? '') as typeof net;
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', onData);
  socket.on('error', onError);
});
listenAndAnnounce(server);
obeyHarness();
