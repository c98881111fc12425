// Spawns empty tasks on one worker with a small object as argument, so many at once, for so many
// milliseconds as a line of standard input says (`go 1000`); answers how many there were (`done N`).
// argv: the pool, and how many at once. The worker of each pool is this very file.
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { Runtime } from 'tripoll/runtime';
import { checkResult, loadPeersAddon } from '../peers-addon.js';

interface Argument {
  id: number;
  name: string;
}

export function empty(_: Argument): void {}
/** Of Piscina and Tinypool. */
export default empty;

type Call = (argument: Argument) => PromiseLike<unknown>;
type PoolClass = new (options: object) => { run: Call };

function tripoll(driver: 'default' | 'run'): Call {
  const runtime = new Runtime<{ empty: typeof empty }>({ entry: __filename, workers: 1, driver });
  return (argument) => runtime.spawn('empty', [argument]);
}

/** No pool at all: a message there, and one back. */
function bareMessages(): Call {
  const worker = new Worker(__filename, { argv: ['echo'] });
  const waiting: (() => void)[] = [];
  worker.on('message', () => waiting.shift()?.());
  return (argument) =>
    new Promise<void>((resolve) => {
      waiting.push(resolve);
      worker.postMessage(argument);
    });
}

function peer(name: string, options: object): Call {
  const exported = createRequire(__filename)(name) as PoolClass & { default?: PoolClass };
  const pool = new (exported.default ?? exported)({
    filename: __filename,
    maxThreads: 1,
    minThreads: 1,
    ...options,
  });
  return (argument) => pool.run(argument);
}

const pools: Readonly<Record<string, () => Call>> = {
  tripoll: () => tripoll('default'),
  'tripoll-run': () => tripoll('run'),
  messages: bareMessages,
  piscina: () => peer('piscina', { concurrentTasksPerWorker: 64 }),
  tinypool: () => peer('tinypool', { concurrentTasksPerWorker: 64 }),
};

async function lane(call: Call, untilMs: number): Promise<number> {
  let calls = 0;
  for (; performance.now() < untilMs; calls++) await call({ id: calls, name: 'task' });
  return calls;
}

function main(): void {
  checkResult(loadPeersAddon().dieWithParent(), 'prctl');
  const call = pools[process.argv[2] ?? '']?.();
  const atOnce = Number(process.argv[3]);
  if (call === undefined) throw new Error(`no such pool: ${process.argv[2] ?? ''}`);
  writeSync(1, 'ready 1\n');
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const untilMs = performance.now() + Number(line.split(' ')[1]);
    void Promise.all(Array.from({ length: atOnce }, () => lane(call, untilMs))).then((counts) => {
      writeSync(1, `done ${counts.reduce((sum, count) => sum + count, 0)}\n`);
    });
  });
  lines.on('close', () => process.exit(0));
}

if (isMainThread) main();
else if (process.argv[2] === 'echo') parentPort?.on('message', () => parentPort?.postMessage(null));
