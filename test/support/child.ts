import { spawn } from 'node:child_process';
import path from 'node:path';

/** The package's own folder, from out/test/support/. */
export const packageRoot = path.join(__dirname, '../../..');

export interface ChildOptions {
  /** For `process.argv`, from index 2 on with `runFile`, from 1 on with `runScript`. */
  args?: readonly string[];
  /** `--expose-gc` and the like. */
  nodeOptions?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** The most fds that the child may have, by the shell's `ulimit`; without it the limit of this process holds. */
  maxFds?: number;
  /** After it the child is killed: `timedOut` is true, `signal` SIGKILL. */
  deadlineMs?: number;
}

export interface ChildResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  timedOut: boolean;
  stdout: string;
  stderr: string;
}

/** setrlimit(2) is the shell's: Node raises the soft limit to the hard one as it starts, and offers no way back. */
function commandLine(nodeArguments: readonly string[], maxFds: number | undefined): [string, string[]] {
  if (maxFds === undefined) return [process.execPath, [...nodeArguments]];
  return ['/bin/sh', ['-c', `ulimit -n ${maxFds}; exec "$0" "$@"`, process.execPath, ...nodeArguments]];
}

function run(what: readonly string[], options: ChildOptions): Promise<ChildResult> {
  const { args = [], nodeOptions = [], env = {}, maxFds, deadlineMs = 15_000 } = options;
  const [command, commandArguments] = commandLine([...nodeOptions, ...what, ...args], maxFds);
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArguments, {
      cwd: packageRoot,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const result: ChildResult = { code: null, signal: null, timedOut: false, stdout: '', stderr: '' };
    const timer = setTimeout(() => {
      result.timedOut = true;
      child.kill('SIGKILL');
    }, deadlineMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => (result.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (result.stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...result, code, signal });
    });
  });
}

/** Runs CommonJS source in a Node of its own, which finds the built package as `require('tripoll')`. */
export function runScript(source: string, options: ChildOptions = {}): Promise<ChildResult> {
  return run(['-e', source], options);
}

/** Runs a compiled file, named as from `test/` and without its ending: `'native/exports-child'`. */
export function runFile(name: string, options: ChildOptions = {}): Promise<ChildResult> {
  return run([path.join(packageRoot, 'out/test', `${name}.js`)], options);
}

/** A child that did its work, in one comparison that shows all of it when it did not. */
export function expectCleanExit(result: ChildResult): void {
  expect({ ...result, stdout: '' }).toEqual({
    code: 0,
    signal: null,
    timedOut: false,
    stdout: '',
    stderr: '',
  });
}
