// What every side's process does around its server: argv ends with the core to pin to (or -1: none);
// standard output says `port N`; then the line `gc` on standard input is answered with `gc` after a
// collection. The C peers block the only thread that could answer, so they hear nothing, and end
// with their parent.
import { writeSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { checkResult, loadPeersAddon } from './peers-addon.js';

const collections = 4; // finalizers free in one what the next can then return

export function enterSideProcess(): void {
  const addon = loadPeersAddon();
  checkResult(addon.dieWithParent(), 'prctl');
  const core = Number(process.argv.at(-1));
  if (core >= 0) checkResult(addon.pinAllThreads(core), 'sched_setaffinity');
}

export function announcePort(port: number | undefined): void {
  if (port === undefined) throw new Error('the listener has no port');
  writeSync(1, `port ${port}\n`);
}

/** Announces the port once it listens. */
export function listenAndAnnounce(server: Server): void {
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
    announcePort((server.address() as AddressInfo).port);
  });
}

export function obeyHarness(): void {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    if (line === 'gc') void collectGarbage();
  });
  lines.on('close', () => process.exit(0));
}

async function collectGarbage(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc');
  for (let i = 0; i < collections; i++) {
    globalThis.gc();
    await setTimeout(20);
  }
  writeSync(1, 'gc\n');
}
