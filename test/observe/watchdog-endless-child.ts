// Starts itself once more, with a handler that never returns, and prints what is written of it.
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Interest, Reactor } from 'tripoll';
import { Watchdog } from 'tripoll/observe';
import { sys } from 'tripoll/raw';
import { until } from '../support/deadline.js';
import { openPipe } from '../support/pairs.js';

function neverReturns(): never {
  for (;;) performance.now();
}

function runForEver(): void {
  const reactor = Reactor.default;
  new Watchdog(reactor, { slowHandlerMs: 50 });
  const fds: number[] = [];
  openPipe(fds, sys.constants.O_NONBLOCK);
  const [read = -1, write = -1] = fds;
  reactor.register(read, Interest.READABLE, { onReady: neverReturns }, { name: 'the endless one' });
  sys.write(write, new Uint8Array(1));
}

async function watchOne(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tripoll-endless-'));
  const file = path.join(folder, 'stderr');
  // A file: what is written into it can be read whoever still runs.
  const child = spawn(process.execPath, [__filename, 'endless'], {
    stdio: ['ignore', 'ignore', openSync(file, 'w')],
  });
  const text = (): string => readFileSync(file, 'utf8');
  try {
    await until(() => /registered\n.*\n/.test(text()), 'what the watchdog writes', 40_000);
  } finally {
    console.log(text());
    child.kill('SIGKILL');
    await new Promise((resolve) => {
      child.once('exit', resolve);
    });
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[2] === 'endless') runForEver();
else void watchOne().then(() => process.exit(0));
