// A child process that talks in lines. No wait is without a deadline, every failure names the child
// and shows its standard error, and none outlives this process.
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const alive = new Set<ChildProcessWithoutNullStreams>();
const stderrLimit = 4000;

process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

interface LineWaiter {
  resolve(line: string): void;
  reject(error: Error): void;
}

export class Child {
  readonly #name: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<unknown>;
  #lines: string[] = [];
  #waiter: LineWaiter | null = null;
  #stderr = '';
  #failure: Error | null = null;
  #ended: string | null = null;

  constructor(
    name: string,
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
    as: Readonly<{ uid?: number; gid?: number; cwd?: string }> = {},
  ) {
    this.#name = name;
    this.#process = spawn(command, args, { env, ...as });
    alive.add(this.#process);
    this.#closed = once(this.#process, 'close').catch(() => undefined); // a failed spawn: see 'error' below
    this.#listen();
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw this.#error('could not be started');
    return this.#process.pid;
  }

  get failure(): Error | null {
    return this.#failure;
  }

  send(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  nextLine(timeoutMs: number): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(`said nothing for ${timeoutMs / 1000} s`), timeoutMs);
      const settle = () => {
        clearTimeout(timer);
        this.#waiter = null;
      };
      this.#waiter = {
        resolve: (text) => {
          settle();
          resolve(text);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
    });
  }

  /** The next line, which is `word N`: N. */
  async nextNumber(word: string, timeoutMs: number): Promise<number> {
    const line = await this.nextLine(timeoutMs);
    const number = line.startsWith(`${word} `) ? Number(line.slice(word.length)) : NaN;
    if (Number.isNaN(number)) throw this.#error(`printed '${line}' instead of '${word} N'`);
    return number;
  }

  /** All that it has said and nobody has read. @throws what ended it */
  takeLines(): string[] {
    if (this.#failure !== null) throw this.#failure;
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  /** CPU time of all its threads so far (proc(5), task/schedstat: the first number, ns). */
  cpuNs(): number {
    const tasks = `/proc/${this.pid}/task`;
    return readdirSync(tasks)
      .map((task) => Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]))
      .reduce((sum, ns) => sum + ns, 0);
  }

  /** Waits for a clean end, that is, with status 0. */
  async finish(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#fail(`did not end within ${timeoutMs / 1000} s`), timeoutMs);
    this.#process.stdin.end();
    await this.#closed;
    clearTimeout(timer);
    if (this.#ended !== 'status 0') throw this.#failure ?? this.#error(`ended with ${this.#ended}`);
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#closed;
  }

  #listen(): void {
    const child = this.#process;
    createInterface({ input: child.stdout }).on('line', (line) => this.#onLine(line));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrLimit);
    });
    child.stdin.on('error', () => undefined); // it has ended, and 'close' says how
    child.once('error', (error) => this.#fail(`could not be started: ${error.message}`));
    child.once('close', (status, signal) => {
      alive.delete(child);
      this.#ended = signal ?? `status ${status}`;
      this.#fail(`ended with ${this.#ended}`);
    });
  }

  #onLine(line: string): void {
    if (this.#waiter === null) this.#lines.push(line);
    else this.#waiter.resolve(line);
  }

  #fail(what: string): void {
    this.#failure ??= this.#error(what);
    this.#process.kill('SIGKILL');
    this.#waiter?.reject(this.#failure);
  }

  #error(what: string): Error {
    const stderr = this.#stderr.trim();
    return new Error(`${this.#name} ${what}${stderr === '' ? '' : `; its standard error:\n${stderr}`}`);
  }
}
