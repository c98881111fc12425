// Prints how long the package takes to load in this fresh process, Node's own start not included.
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';

const load = createRequire(__filename);
const startedMs = performance.now();
load('tripoll');
load('tripoll/net');
console.log(performance.now() - startedMs);
