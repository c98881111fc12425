// A server on all workers of a runtime.
//   serve.js echo|uneven balanced|reuseport|exclusive default|run <workers> <core, or -1>
// It says `port N`; to the line `inspect` what the server tells of its workers, as JSON.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isMainThread, threadId } from 'node:worker_threads';
import { Runtime, type Strategy, type TcpService } from 'tripoll/runtime';
import { announcePort, enterSideProcess } from '../side-process.js';
import { echo } from './echo.js';
import { answer } from './uneven.js';

export { echo };

export const uneven: TcpService = {
  data(connection, chunk) {
    connection.write(answer(chunk, threadId));
  },
};

interface Entry {
  echo: typeof echo;
  uneven: typeof uneven;
}

async function main(): Promise<void> {
  const [service, strategy, driver, workers] = process.argv.slice(2);
  enterSideProcess();
  const runtime = new Runtime<Entry>({
    entry: __filename,
    workers: Number(workers),
    driver: driver as 'default' | 'run',
  });
  const server = await runtime.serve(
    { host: '127.0.0.1', port: 0, strategy: strategy as Strategy },
    service as keyof Entry,
  );
  announcePort(server.address.port);
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      if (line === 'inspect') writeSync(1, `${JSON.stringify(server.inspect().workers)}\n`);
    })
    .on('close', () => process.exit(0));
}

if (isMainThread) void main();
