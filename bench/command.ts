// What the commands of the benchmark have in common: how they begin, save and fail.
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import type { Cores } from './load.js';
import { chooseCores, describeMachine, pinRunner } from './machine.js';

export type Machine = ReturnType<typeof describeMachine>;

/** Shows the machine, and leaves the server's core to the server. */
export function begin(): { machine: Machine; cores: Cores } {
  if (process.platform !== 'linux') throw new Error('the benchmark compares with epoll: it needs Linux');
  const machine = describeMachine();
  const cores = chooseCores();
  pinRunner(cores);
  console.log(Object.values(machine).join(' · '));
  return { machine, cores };
}

export function save(file: string, record: Record<string, unknown>): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(record, null, 1)}\n`);
  process.stdout.write(`\nSaved: ${path.relative(process.cwd(), file)}\n`);
}

export function runCommand(main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    process.stderr.write(`\nbench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
}
