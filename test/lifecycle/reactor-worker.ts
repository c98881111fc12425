// A worker with a reactor in it. It says 'ready' when its reactor has seen an event.
import { parentPort, workerData } from 'node:worker_threads';
import { type BackendName, type DriverName, Interest, Reactor } from 'tripoll';
import { sys } from 'tripoll/raw';
import { openPipe } from '../support/pairs';

export interface WorkerPlan {
  readonly driver: DriverName;
  readonly backend: BackendName;
  readonly run: boolean;
  /** natural: ends by itself. idle: waits for ever. busy: events without end. */
  readonly scenario: 'natural' | 'idle' | 'busy';
}

const { driver, backend, run, scenario } = workerData as WorkerPlan;
const reactor = new Reactor({ driver, backend });
if (run) void reactor.run();
const byte = Buffer.alloc(1);
const fds: number[] = [];
openPipe(fds, sys.constants['O_NONBLOCK']);
const [read = -1, write = -1] = fds;
let seen = 0;

const registration = reactor.register(read, Interest.READABLE, {
  onReady() {
    if (scenario !== 'busy') sys.read(read, byte);
    if (++seen === 1) parentPort?.postMessage('ready');
    // Neither the reactor nor the pipe is closed: the thread's end does that.
    if (scenario === 'natural') registration.deregister();
  },
});
// A deadline in the poller, a waker, and garbage, all of which must go too.
reactor.setTimer(60_000, () => {}).unref();
reactor.waker(() => {}).wake();
sys.write(write, byte);

if (driver === 'manual') {
  const pump = (): void => {
    if (reactor.inspect().refs === 0) return;
    reactor.turn(scenario === 'idle' ? 20 : 0);
    setImmediate(pump);
  };
  pump();
}
