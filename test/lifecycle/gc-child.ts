// Events under constant garbage collection, with nothing held by the user. Needs --expose-gc.
// Arguments: driver, backend.
import { type BackendName, type DriverName, Interest, Reactor } from 'tripoll';
import { sys } from 'tripoll/raw';
import { openPipe } from '../support/pairs';

const [driver, backend, run] = process.argv.slice(2) as [DriverName, BackendName, string?];
const collect = globalThis.gc;
if (collect === undefined) throw new Error('start it with --expose-gc');
const ROUNDS = 100;
const byte = Buffer.from([7]);
const alive: WeakRef<object>[] = [];

/** Keeps nothing but weak references: what lives on is held by the library alone. */
function start(isFirst: boolean, done: () => unknown): void {
  const reactor = new Reactor({ driver, backend });
  // A thread is given to one reactor only.
  if (run === 'run' && isFirst) void reactor.run();
  const fds: number[] = [];
  openPipe(fds, sys.constants['O_NONBLOCK']);
  const [read = -1, write = -1] = fds;
  let rounds = 0;
  const registration = reactor.register(read, Interest.READABLE, {
    onReady() {
      const into = new Uint8Array(16);
      if (sys.read(read, into) !== 1 || into[0] !== 7) throw new Error('read something else');
      collect?.();
      if (++rounds < ROUNDS) reactor.setTimer(rounds % 2, () => sys.write(write, byte));
      else {
        reactor.close();
        for (const fd of fds) sys.close(fd);
        setImmediate(done);
      }
    },
  });
  alive.push(new WeakRef(reactor), new WeakRef(registration));
  setImmediate(() => setImmediate(() => sys.write(write, byte)));
}

function count(): number {
  return alive.filter((reference) => reference.deref() !== undefined).length;
}

/** Garbage of the kind that would be written over freed memory. */
function litter(): ArrayBuffer[] {
  return Array.from({ length: 50 }, () => new ArrayBuffer(12 * 1024));
}

let finished = 0;
for (let i = 0; i < 3; i++) start(i === 0, () => finished++);

const timer = setInterval(() => {
  litter();
  collect();
  if (finished < 3) return;
  // Closed and let go: collected, with all that hung on them.
  if (count() > 0 && attempts++ < 200) return;
  clearInterval(timer);
  console.log(JSON.stringify({ finished, alive: count(), whileActive }));
}, 1);
let attempts = 0;
let whileActive = 0;
setImmediate(() => {
  collect();
  whileActive = count();
});
