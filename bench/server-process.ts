import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Child } from './child.js';
import type { LoadedServer } from './load.js';
import { sideEntry } from './paths.js';
import { sides } from './sides.js';
import type { SideName } from './sides.js';

const startTimeoutMs = 15_000;
const answerTimeoutMs = 30_000;
const obituaryMs = 300;

export class ServerProcess implements LoadedServer {
  readonly port: number;
  readonly #name: string;
  readonly #child: Child;

  static async start(name: SideName, cpu: number): Promise<ServerProcess> {
    const side = sides[name];
    return ServerProcess.launch(name, sideEntry(name, side.entry), [...side.args, String(cpu)]);
  }

  /** A side that is not among those of the echo rounds. */
  static async launch(name: string, entry: string, args: readonly string[]): Promise<ServerProcess> {
    const child = new Child(`side ${name}`, process.execPath, ['--expose-gc', entry, ...args]);
    return new ServerProcess(name, child, await child.nextNumber('port', startTimeoutMs));
  }

  private constructor(name: string, child: Child, port: number) {
    this.#name = name;
    this.#child = child;
    this.port = port;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** With those that its main thread has started (proc(5), task/children). */
  get pids(): number[] {
    const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8');
    return [this.pid, ...children.split(' ').filter(Boolean).map(Number)];
  }

  /** Its answer to a line. Not of the C peers: they never return to JavaScript. */
  ask(line: string): Promise<string> {
    this.#child.send(line);
    return this.#child.nextLine(answerTimeoutMs);
  }

  async collectGarbage(): Promise<void> {
    await this.ask('gc');
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
