import { spawn } from 'node:child_process';
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
  /** If it still runs: for afterEach. */
  kill(): void;
}

const runner = (name: string): string => path.join(packageRoot, 'out/examples', `${name}.js`);

export function runExample(name: string, args: readonly string[]): Example {
  return run(process.execPath, [runner(name), ...args]);
}

/** Within a terminal of its own, which util-linux's script(1) makes. */
export function runExampleInTerminal(
  name: string,
  args: readonly string[],
  before = '',
  after = '',
): Example {
  const command = [process.execPath, runner(name), ...args].map((word) => `'${word}'`).join(' ');
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
  return {
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
}
