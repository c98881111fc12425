// The bench-only addon. All functions return n >= 0 or a negative errno; a Run blocks its thread
// for good.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import { peersAddon } from './paths.js';

export interface PeersAddon {
  rawEpollListen(): number;
  rawEpollRun(): number;
  rawEpollSpin(): number;
  libuvTunedListen(): number;
  libuvTunedRun(): number;
  libuvNaiveListen(): number;
  libuvNaiveRun(): number;
  pinAllThreads(cpu: number): number;
  dieWithParent(): number;
  allowedCpus(): number[] | number;
}

export function loadPeersAddon(): PeersAddon {
  if (!existsSync(peersAddon)) throw new Error('the bench addon is not built: run `npm run build:bench`');
  return createRequire(__filename)(peersAddon) as PeersAddon;
}

export function checkResult(result: number, what: string): number {
  if (result < 0) throw new Error(`${what}: ${getSystemErrorName(result)}`);
  return result;
}
