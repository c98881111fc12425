// One of several threads that watch the same listening socket. It notes that it was woken, ends its
// registration, and makes it anew when it is told to; the main thread accepts.
import { readlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Interest, Mode, Reactor, type Registration, type SharedWaker } from 'tripoll';

export interface ExclusivePlan {
  readonly fd: number;
  readonly run: boolean;
  readonly index: number;
  readonly order: Int32Array;
  /** Calls of `onReady` so far, one number a thread. */
  readonly calls: Int32Array;
  /** How many threads have carried out the order. */
  readonly done: Int32Array;
}

/** `order` is one of these when a waker is woken. */
export const ORDER = { watch: 1, report: 2, stop: 3 } as const;

export interface Ready {
  readonly waker: SharedWaker;
  /** The kernel's number of this thread. */
  readonly threadId: string;
}

if (workerData !== null) {
  const { fd, run, index, order, calls, done } = workerData as ExclusivePlan;
  const reactor = new Reactor({ driver: 'nested', backend: 'epoll' });
  if (run) void reactor.run();
  let registration: Registration | null = null;
  const handler = {
    onReady() {
      Atomics.add(calls, index, 1);
      registration?.deregister();
      registration = null;
    },
  };
  const keepAlive = reactor.setTimer(600_000, () => {});
  const waker = reactor.waker(() => {
    switch (Atomics.load(order, 0)) {
      case ORDER.watch:
        registration ??= reactor.register(fd, Interest.READABLE, handler, {
          mode: Mode.LEVEL | Mode.EXCLUSIVE,
        });
        break;
      case ORDER.stop:
        keepAlive.cancel();
        registration?.deregister();
        reactor.stop();
        break;
    }
    Atomics.add(done, 0, 1);
  });
  const threadId = readlinkSync('/proc/thread-self').replace(/.*\//, '');
  parentPort?.postMessage({ waker: waker.share(), threadId } satisfies Ready);
}
