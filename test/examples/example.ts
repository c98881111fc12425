import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import { packageRoot } from '../support/child.js';
import { within } from '../support/deadline.js';

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** An example, as a user runs it. */
export interface Example {
  readonly pid: number | undefined;
  /** All that it has printed. */
  output(): string;
  errors(): string;
  /** What `pattern` matches in what it prints, once it does. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  write(text: string): void;
  endInput(): void;
  interrupt(): void;
  readonly exited: Promise<Exit>;
  kill(): void;
}

const started = new Set<Example>();
afterEach(() => {
  for (const example of started) example.kill();
  started.clear();
});

export const exampleFile = (name: string): string => path.join(packageRoot, 'out/examples', `${name}.js`);

export function runExample(name: string, args: readonly string[]): Example {
  return run(process.execPath, [exampleFile(name), ...args]);
}

/** A module of a user's, who has installed the package. */
export function runModule(file: string): Example {
  return run(process.execPath, [file]);
}

/** The same, once it has printed where it listens; the first group of `listening` is the port. */
export async function startServer(
  name: string,
  args: readonly string[],
  listening: RegExp,
): Promise<{ running: Example; port: number }> {
  const running = runExample(name, args);
  const [, port] = await running.printed(listening);
  return { running, port: Number(port) };
}

/** Waits for its end; `said` is in what it wrote to stderr, and '' when that is nothing. */
export async function expectExit(running: Example, code: number, said?: string): Promise<void> {
  expect(await within(running.exited, 'exit')).toEqual({ code, signal: null });
  if (said === '') expect(running.errors()).toBe('');
  else if (said !== undefined) expect(running.errors()).toContain(said);
}

/** Within a terminal of its own, which util-linux's script(1) makes. */
export function runExampleInTerminal(
  name: string,
  args: readonly string[],
  before = '',
  after = '',
): Example {
  const command = [process.execPath, exampleFile(name), ...args].map((word) => `'${word}'`).join(' ');
  return run('script', ['-qec', `${before} ${command}; ${after}`, '/dev/null']);
}

function run(command: string, args: readonly string[]): Example {
  const child = spawn(command, args, { cwd: packageRoot, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    for (const listener of listeners) listener();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.stdin.on('error', () => {}); // it may have gone before we write
  const exited = new Promise<Exit>((resolve) => {
    child.on('close', (code, signal) => {
      resolve({ code, signal });
      for (const listener of listeners) listener();
    });
  });
  const example: Example = {
    pid: child.pid,
    output: () => output,
    errors: () => errors,
    printed(pattern) {
      const found = new Promise<RegExpExecArray>((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(output);
          if (match !== null) resolve(match);
          else if (child.exitCode !== null)
            reject(new Error(`it ended without ${String(pattern)}: ${output}${errors}`));
        };
        listeners.add(look);
        look();
      });
      return within(found, `output ${String(pattern)}`);
    },
    write: (text) => child.stdin.write(text),
    endInput: () => child.stdin.end(),
    interrupt: () => child.kill('SIGINT'),
    exited,
    kill: () => child.kill('SIGKILL'),
  };
  started.add(example);
  return example;
}

/**
 * Below what any system gives away by itself (32768 on, or 49152): no other test's port 0 or
 * connect() takes it.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

/** Of the loopback; nobody listens there, nor will before the caller. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < 20; i++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`no free port from ${FIRST_PORT} to ${LAST_PORT} in 20 attempts`);
}

/** What another program prints, once it has ended well. */
export function runTool(command: string, args: readonly string[]): Promise<string> {
  return within(
    new Promise((resolve, reject) => {
      execFile(command, args, { timeout: 15_000, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
        if (error !== null) reject(new Error(`${error.message}\n${stdout}${stderr}`));
        else resolve(stdout);
      });
    }),
    command,
    18_000,
  );
}
