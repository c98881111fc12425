// Runs a program in a terminal of its own, and writes down what it prints, with the time, as
// script(1) does:
//   node out/examples/record-session.js session.log top      then: q
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { Pty } from 'tripoll/net';

const [log, ...command] = process.argv.slice(2);
if (log === undefined || log.startsWith('-') || command.length === 0) {
  console.error('usage: node out/examples/record-session.js <log file> <program> [argument]...');
  process.exit(2);
}

/**
 * `detached` makes it the leader of a session, and the terminal that it opens first becomes that
 * session's.
 */
function start(pty: Pty): ChildProcess {
  const words = ['-c', 'exec "$@" <"$0" >"$0" 2>&1', pty.path, ...command];
  return spawn('sh', words, { detached: true, stdio: 'ignore' });
}

async function record(pty: Pty, file: number): Promise<void> {
  const buffer = new Uint8Array(4096);
  const began = performance.now();
  for (let count = await pty.read(buffer); count > 0; count = await pty.read(buffer)) {
    const bytes = Buffer.from(buffer.subarray(0, count));
    process.stdout.write(bytes);
    writeSync(file, `${Math.round(performance.now() - began)} ms ${JSON.stringify(bytes.toString())}\n`);
  }
}

/** Keys go to the program as they are: its own terminal makes lines, echo and ctrl-C of them. */
function passKeys(pty: Pty): void {
  if (process.stdin.isTTY) process.stdin.setRawMode(true);
  process.stdin.on('data', (keys: Buffer) => {
    pty.writeAll(keys).catch(() => undefined); // it has ended
  });
}

async function main(path: string): Promise<void> {
  const { columns, rows } = process.stdout;
  using pty = Pty.open({ columns, rows });
  process.stdout.on('resize', () => pty.resize(process.stdout.columns, process.stdout.rows));
  const file = openSync(path, 'w');
  try {
    const child = start(pty);
    const exited = once(child, 'exit');
    passKeys(pty);
    await record(pty, file);
    const [code] = (await exited) as [number | null];
    process.exitCode = code ?? 1;
  } finally {
    closeSync(file);
    process.stdin.destroy();
  }
}

main(log).catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});
