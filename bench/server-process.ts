import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Child } from './child.js';
import { sideEntry } from './paths.js';
import { sides } from './sides.js';
import type { SideName } from './sides.js';

const startTimeoutMs = 15_000;
const gcTimeoutMs = 30_000;
const obituaryMs = 300;

export class ServerProcess {
  readonly port: number;
  readonly #name: SideName;
  readonly #child: Child;

  static async start(name: SideName, cpu: number): Promise<ServerProcess> {
    const side = sides[name];
    const entry = sideEntry(name, side.entry);
    const child = new Child(`side ${name}`, process.execPath, [
      '--expose-gc',
      entry,
      ...side.args,
      String(cpu),
    ]);
    return new ServerProcess(name, child, await child.nextNumber('port', startTimeoutMs));
  }

  private constructor(name: SideName, child: Child, port: number) {
    this.#name = name;
    this.#child = child;
    this.port = port;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Not for the C peers: they never return to JavaScript. */
  async collectGarbage(): Promise<void> {
    this.#child.send('gc');
    await this.#child.nextLine(gcTimeoutMs);
  }

  rssBytes(): number {
    const text = readFileSync(`/proc/${this.pid}/smaps_rollup`, 'utf8');
    const kilobytes = /^Rss:\s+(\d+) kB$/m.exec(text)?.[1];
    if (kilobytes === undefined) throw new Error('smaps_rollup has no Rss');
    return Number(kilobytes) * 1024;
  }

  /** CPU time of all its threads so far. */
  cpuNs(): number {
    return this.#child.cpuNs();
  }

  /** What the load met is the symptom; how the server ended, if it did, is the cause. */
  async explain(error: unknown): Promise<Error> {
    await setTimeout(obituaryMs);
    const symptom = error instanceof Error ? error.message : String(error);
    const cause = this.#child.failure === null ? '' : `\n${this.#child.failure.message}`;
    return new Error(`side ${this.#name}: ${symptom}${cause}`);
  }

  stop(): Promise<void> {
    return this.#child.kill();
  }
}
