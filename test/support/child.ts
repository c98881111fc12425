import { spawn, type StdioOptions } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isBun, isDeno, isWindows, slowness } from './platform.js';

/** The package's own folder, from out/test/support/. */
export const packageRoot = path.join(__dirname, '../../..');

export interface ChildOptions {
  /** For `process.argv`, from index 2 on with `runFile`, from 1 on with `runScript`. */
  args?: readonly string[];
  /** `--expose-gc` and the like. */
  nodeOptions?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /**
   * The most fds that the child may have, by the shell's `ulimit`; without it the limit of this
   * process holds.
   */
  maxFds?: number;
  /** Another program than this process's own. */
  execPath?: string;
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

/**
 * setrlimit(2) is the shell's: Node raises the soft limit to the hard one as it starts, and offers
 * no way back.
 */
function commandLine(
  nodeArguments: readonly string[],
  { maxFds, execPath = process.execPath }: ChildOptions,
): [string, string[]] {
  if (maxFds === undefined) return [execPath, [...nodeArguments]];
  return ['/bin/sh', ['-c', `ulimit -n ${maxFds}; exec "$0" "$@"`, execPath, ...nodeArguments]];
}

/** Where a child's output goes, and how it is read once the child has ended. */
interface Output {
  readonly stdio: StdioOptions;
  read(): { stdout: string; stderr: string };
}

/**
 * Files: under Wine a Node whose output is a pipe says EBADF, and in Bun the fds of such pipes are
 * closed some time after the child's `close`.
 */
function outputToFiles(): Output {
  const folder = mkdtempSync(path.join(tmpdir(), 'tripoll-child-'));
  const names = ['stdout', 'stderr'].map((name) => path.join(folder, name));
  const fds = names.map((name) => openSync(name, 'w'));
  return {
    stdio: ['ignore', ...fds],
    read() {
      for (const fd of fds) closeSync(fd);
      const [stdout = '', stderr = ''] = names.map((name) => readFileSync(name, 'utf8'));
      rmSync(folder, { recursive: true, force: true });
      return { stdout, stderr };
    },
  };
}

function run(what: readonly string[], options: ChildOptions): Promise<ChildResult> {
  const { args = [], nodeOptions = [], env = {}, deadlineMs = 15_000 } = options;
  const [command, commandArguments] = commandLine([...nodeOptions, ...what, ...args], options);
  return new Promise((resolve, reject) => {
    const files = isWindows || isBun ? outputToFiles() : null;
    const child = spawn(command, commandArguments, {
      cwd: packageRoot,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: files?.stdio ?? ['ignore', 'pipe', 'pipe'],
    });
    const result: ChildResult = { code: null, signal: null, timedOut: false, stdout: '', stderr: '' };
    const timer = setTimeout(() => {
      result.timedOut = true;
      child.kill('SIGKILL');
    }, deadlineMs * slowness);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (result.stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (result.stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...result, ...files?.read(), code, signal });
    });
  });
}

/**
 * Half a second after its start Deno opens two sockets, which may then be those that the script has
 * left itself; and it panics if it finds no fd. A listener of a signal has them opened at once.
 */
const firstLines = isDeno ? "process.on('SIGHUP', console.log).off('SIGHUP', console.log);\n" : '';

/**
 * Runs CommonJS source in a Node of its own, which finds the built package as `require('tripoll')`.
 */
export function runScript(source: string, options: ChildOptions = {}): Promise<ChildResult> {
  return run(['-e', firstLines + source], options);
}

/** Runs a compiled file, named as from `test/` and without its ending: `'native/exports-child'`. */
export function runFile(name: string, options: ChildOptions = {}): Promise<ChildResult> {
  return run([path.join(packageRoot, 'out/test', `${name}.js`)], options);
}

/** Runs the package's command, as `npx tripoll` does. */
export function runCommand(args: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  return run([path.join(packageRoot, 'bin/tripoll.cjs'), ...args], options);
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

/** What such a child printed, which is one JSON value. */
export function reportOf(result: ChildResult): unknown {
  expectCleanExit(result);
  return JSON.parse(result.stdout);
}
