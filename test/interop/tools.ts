// Starts the programs and apps of test/interop, and stops them at the end. tools/interop-tests.cjs
// installs them: Debian's programs are in its PATH, npm's packages in its NODE_PATH.
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../examples/example.js';
import { testWith, type Register } from '../support/applies.js';
import { packageRoot } from '../support/child.js';
import { within } from '../support/deadline.js';
import { slowness } from '../support/platform.js';

// Of no range that connect() takes from: a server that is down for a moment finds it free again.
export { freePort };

const debian = JSON.parse(
  readFileSync(path.join(packageRoot, 'tools/interop/debian.json'), 'utf8'),
) as Readonly<Record<string, string>>;

function isInPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** `test`, or a skip that says which of Debian's programs is missing. */
export function testWithPrograms(...programs: readonly string[]): Register {
  const unknown = programs.find((program) => debian[program] === undefined);
  if (unknown !== undefined) throw new Error(`${unknown} has no line in tools/interop/debian.json`);
  const missing = programs.find((program) => !isInPath(program));
  return testWith(
    missing === undefined ? '' : `${missing} is not installed: apt-get install ${debian[missing]}`,
  );
}

// ---- what is taken away at the end ----

const running = new Set<ChildProcess>();
const folders: string[] = [];

afterAll(async () => {
  const exits = [...running].map((child) => once(child, 'close'));
  for (const child of running) kill(child, 'SIGKILL');
  await within(Promise.all(exits), 'the end of what was started');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Of its process group: runuser, or a shell, has children of its own. */
function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** A new folder, which `user` owns; short enough for the name of a Unix socket. */
export function folderFor(user?: { uid: number; gid: number }): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'tripoll-'));
  folders.push(folder);
  chmodSync(folder, 0o755);
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  return folder;
}

/** Writes a file into a folder, which only its owner reads; returns its path. */
export function writerIn(
  folder: string,
  user?: { uid: number; gid: number },
): (name: string, text: string) => string {
  return (name, text) => {
    const file = path.join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    if (user !== undefined) chownSync(file, user.uid, user.gid);
    return file;
  };
}

/**
 * `nobody`, for programs that refuse root (PostgreSQL); undefined where this process is not root.
 */
export function nobody(): { uid: number; gid: number } | undefined {
  return process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined;
}

// ---- programs ----

/** A program has no event for being ready. */
const ASK_AGAIN_MS = 10;

export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** As whom; default as this process. */
  readonly user?: { uid: number; gid: number } | undefined;
  /** Bytes for its standard input, which has none by default. */
  readonly input?: string | Uint8Array;
  /** After it the program is killed, and the call rejects. */
  readonly deadlineMs?: number;
}

/** A program that runs. */
export interface Program {
  readonly child: ChildProcess;
  /** What it has written, both streams, so far. */
  output(): string;
  /** Ends it by `signal` (SIGTERM); resolves with its code, or the name of the signal. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

interface Started extends Program {
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly closed: Promise<number | string>;
}

function start(command: string, options: ProgramOptions): Started {
  const { args = [], env = {}, cwd = packageRoot, user, input } = options;
  const how: SpawnOptions = {
    cwd,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    detached: true,
    ...user,
  };
  const child = spawn(command, args, {
    ...how,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  const written = { stdout: '', stderr: '', all: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
      written.all += text;
    });
  }
  child.stdin?.on('error', () => undefined).end(input);
  const closed = new Promise<number | string>((resolve, reject) => {
    child.on('error', (error) => {
      running.delete(child);
      reject(error);
    });
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve(code ?? signal!);
    });
  });
  closed.catch(() => undefined);
  const stop = (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> => {
    if (running.has(child)) kill(child, signal);
    return within(closed, `the end of ${command}: ${written.all}`);
  };
  const [stdout, stderr, output] = (['stdout', 'stderr', 'all'] as const).map((name) => () => written[name]);
  return { child, closed, stop, stdout: stdout!, stderr: stderr!, output: output! };
}

/** What a program that ended has said. */
export interface ProgramResult {
  /** Its exit code, or the name of the signal that ended it. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function runProgram(command: string, options: ProgramOptions = {}): Promise<ProgramResult> {
  const { closed, stop, stdout, stderr, output } = start(command, options);
  const { deadlineMs = 15_000 } = options;
  try {
    const code = await within(closed, `${command} ${(options.args ?? []).join(' ')}`, deadlineMs);
    return { code, stdout: stdout(), stderr: stderr() };
  } catch (error) {
    await stop('SIGKILL');
    throw new Error(`${(error as Error).message}\n${output()}`, { cause: error });
  }
}

/** The same of one that has to end well; resolves with its standard output. */
export async function outputOf(command: string, options: ProgramOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runProgram(command, options);
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

/**
 * Starts a server, and waits until it is ready: `isReady` is asked again and again with what it has
 * written. One that ends before is an error, with its words.
 */
export async function startProgram(
  command: string,
  isReady: (output: string) => boolean | Promise<boolean>,
  options: ProgramOptions = {},
): Promise<Program> {
  const program = start(command, options);
  let end: number | string | undefined;
  void program.closed.then(
    (code) => (end = code),
    (error: unknown) => (end = String(error)),
  );
  const deadline = performance.now() + (options.deadlineMs ?? 15_000) * slowness;
  while (!(await isReady(program.output()))) {
    if (end !== undefined) throw new Error(`${command} ended with ${end}: ${program.output()}`);
    if (performance.now() > deadline) {
      await program.stop('SIGKILL');
      throw new Error(`${command} was not ready in time: ${program.output()}`);
    }
    await pause(ASK_AGAIN_MS);
  }
  return program;
}

/** Whether something accepts connections at a port of 127.0.0.1, or at a path. */
export async function accepts(place: number | string): Promise<boolean> {
  const socket = typeof place === 'number' ? connect(place, '127.0.0.1') : connect(place);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

// ---- apps ----

export interface AppOptions extends ProgramOptions {
  /** Without `node --require tripoll/register`. */
  readonly isPlain?: boolean;
}

/** What every app reports beside its own: see test/interop/report.ts. */
export interface Report {
  /** Sockets that tripoll accepted, and that it connected. */
  readonly tripoll: { readonly accepted: number; readonly connected: number };
  readonly [name: string]: unknown;
}

/** An app that serves. */
export interface App {
  /** What it said of itself when it was ready. */
  readonly ready: Readonly<Record<string, unknown>> & { readonly port: number };
  readonly program: Program;
  /** Ends it by SIGTERM; resolves with its report. */
  stop(): Promise<Report>;
}

function appArguments(name: string, { isPlain = false, args = [] }: AppOptions): string[] {
  const file = path.join(packageRoot, 'out/test/interop/apps', `${name}.js`);
  return [...(isPlain ? [] : ['--require', 'tripoll/register']), file, ...args];
}

function lastLine(text: string): unknown {
  return JSON.parse(text.trimEnd().split('\n').at(-1)!);
}

/** Runs test/interop/apps/NAME.ts to its end; resolves with its report. */
export async function runApp(name: string, options: AppOptions = {}): Promise<Report> {
  const args = appArguments(name, options);
  const { code, stdout, stderr } = await runProgram(process.execPath, { ...options, args });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return lastLine(stdout) as Report;
}

/** Starts test/interop/apps/NAME.ts, which says when it is ready. */
export async function startApp(name: string, options: AppOptions = {}): Promise<App> {
  const program = await startProgram(process.execPath, (output) => output.includes('\n'), {
    ...options,
    args: appArguments(name, options),
  });
  const [first] = program.output().split('\n', 1);
  return {
    ready: JSON.parse(first!) as App['ready'],
    program,
    stop: async () => {
      const code = await program.stop();
      if (code !== 0) throw new Error(`${name} ended with ${code}: ${program.output()}`);
      return lastLine(program.output()) as Report;
    },
  };
}
