// The Redis server of the examples, on tripoll or on node:net. argv: its file, its option (`--node`,
// `--run`, or none), and the core.
import { createRequire } from 'node:module';
import { announcePort, enterSideProcess, obeyHarness } from '../side-process.js';

const [, , entry = '', option = ''] = process.argv;

enterSideProcess();
// It says where it listens.
console.log = (text: string): void => announcePort(Number(/:(\d+)$/.exec(text)?.[1]));
process.argv = [process.execPath, entry, '0', ...(option === '' ? [] : [option])];
createRequire(__filename)(entry);
obeyHarness();
