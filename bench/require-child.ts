// Prints how long the package takes to load in this fresh process, and until it listens; Node's own
// start not included.
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import type * as net from 'tripoll/net';

const load = createRequire(__filename);
const startedMs = performance.now();
load('tripoll');
load('tripoll/net');
const loadedMs = performance.now() - startedMs;
// The rest of what a server needs comes when it is first used.
const { listen } = load('tripoll/net') as typeof net;
const listener = listen({ host: '127.0.0.1', port: 0 }, {});
const listensMs = performance.now() - startedMs;
listener.close();
console.log(loadedMs);
console.log(listensMs);
