// What becomes of a number that a source has opened and closed: it is nobody's, whatever the runtime
// believes of it.
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { FdStream } from 'tripoll/fd';
import { sys } from 'tripoll/raw';
import { testAnyFd } from '../../support/applies.js';
import { packageRoot } from '../../support/child.js';
import { within } from '../../support/deadline.js';
import { makeFifo } from '../../support/fifo.js';
import { temporaryFolder } from '../../support/folders.js';

const { AF_INET, SOCK_STREAM, SOCK_CLOEXEC, F_GETFD, F_DUPFD_CLOEXEC } = sys.constants;
const folder = temporaryFolder();

testAnyFd('T82 the next file that gets the number stays open', () => {
  const stream = FdStream.open(makeFifo(path.join(folder, 'reopened')), 'both');
  const { fd } = stream;
  stream.close();
  const others: number[] = [];
  for (let other = -1; other !== fd && others.length < 100; others.push(other))
    other = openSync('/dev/null', 'r');
  expect(others).toContain(fd);
  for (const other of others) expect(sys.fcntl(other, F_GETFD)).toBeGreaterThanOrEqual(0);
  for (const other of others) closeSync(other);
});

testAnyFd('T82 the end of the worker that opened it closes no other file of that number', async () => {
  const name = makeFifo(path.join(folder, 'worker'));
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { FdStream } = require(workerData.root + '/dist/net/index.js');
    const stream = FdStream.open(workerData.name, 'both');
    const { fd } = stream;
    stream.close();
    parentPort.postMessage(fd);
    parentPort.once('message', () => process.exit());
  `;
  const worker = new Worker(source, { eval: true, workerData: { root: packageRoot, name } });
  const [fd] = (await within(once(worker, 'message'), 'the number')) as [number];
  const socket = sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
  const stranger = socket === fd ? socket : sys.fcntl(socket, F_DUPFD_CLOEXEC, fd);
  expect(stranger).toBe(fd);
  const ended = once(worker, 'exit');
  worker.postMessage('end');
  await within(ended, 'exit');
  expect(sys.fcntl(stranger, F_GETFD)).toBeGreaterThanOrEqual(0);
  for (const one of new Set([socket, stranger])) sys.close(one);
});
