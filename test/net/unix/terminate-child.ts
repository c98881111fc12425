// A worker that receives two pipes, takes one, and is terminated while it waits.
import assert from 'node:assert';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { UnixListener, UnixStream } from 'tripoll/net';
import { sys } from 'tripoll/raw';

const { O_NONBLOCK, O_CLOEXEC } = sys.constants;

async function worker(): Promise<void> {
  const stream = await UnixStream.connect(workerData as string);
  const { fds } = await stream.receive(new Uint8Array(10));
  assert.strictEqual(fds.count, 2);
  parentPort!.postMessage(fds.take(0));
  await stream.read(new Uint8Array(1)); // for ever
}

function newPipe(): [number, number] {
  const fds: number[] = [];
  assert.strictEqual(sys.pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
  return fds as [number, number];
}

async function main(): Promise<void> {
  const listener = await UnixListener.bind(path.join(tmpdir(), `tripoll-terminate-${process.pid}`));
  const thread = new Worker(__filename, { workerData: listener.localAddress });
  const { stream } = await listener.accept();
  const taken = newPipe();
  const untaken = newPipe();
  const message = once(thread, 'message') as Promise<[number]>;
  await stream.send(Buffer.from('x'), [taken[1], untaken[1]]);
  const [takenFd] = await message;
  for (const [, writeEnd] of [taken, untaken]) sys.close(writeEnd);
  await thread.terminate();
  // A pipe ends when its last writer has been closed.
  const buffer = new Uint8Array(10);
  const isClosed = ([readEnd]: [number, number]): boolean => sys.read(readEnd, buffer) === 0;
  console.log(
    `untaken ${isClosed(untaken) ? 'closed' : 'open'}, taken ${isClosed(taken) ? 'closed' : 'open'}`,
  );
  sys.close(takenFd);
  assert(isClosed(taken));
  stream.close();
  listener.close();
}

void (isMainThread ? main() : worker());
