// A handler without onError throws. Arguments: driver, backend, 'run' or nothing. Prints what
// happened, as JSON.
import { type BackendName, type DriverName, Interest, Reactor, type Registration } from 'tripoll';
import { sys } from 'tripoll/raw';
import { openPipe } from '../support/pairs';

const [driver, backend, run] = process.argv.slice(2) as [DriverName, BackendName, string?];
const reactor = new Reactor({ driver, backend });
if (run === 'run') void reactor.run();
const log: string[] = [];
process.on('uncaughtException', (error) => {
  log.push(`uncaught ${error.message}`);
  if (['posted', 'timer', 'waker'].every((name) => log.includes(`uncaught ${name}`))) reactor.post(end);
});

const byte = Buffer.alloc(1);
const pipes = [0, 1].map(() => {
  const fds: number[] = [];
  openPipe(fds, sys.constants['O_NONBLOCK']);
  return { read: fds[0] ?? -1, write: fds[1] ?? -1 };
});

function writeToAll(): void {
  for (const { write } of pipes) sys.write(write, byte);
}

let rounds = 0;
function onReady(_readiness: number, { fd, name }: Registration): void {
  sys.read(fd, byte);
  log.push(`ready ${name}`);
  if (name === 'good') return;
  rounds++;
  // Written from within a turn: both are in the next batch.
  if (rounds < 3) reactor.post(writeToAll);
  else finish();
  throw new Error(`handler ${rounds}`);
}

function finish(): void {
  reactor.post(() => {
    throw new Error('posted');
  });
  reactor.post(() => log.push('after posted'));
  reactor.setTimer(0, () => {
    throw new Error('timer');
  });
  const waker = reactor.waker(() => {
    throw new Error('waker');
  });
  waker.wake();
}

function end(): void {
  for (const registration of registrations) registration.deregister();
  log.push('end');
}

const registrations = pipes.map(({ read }, index) => {
  return reactor.register(read, Interest.READABLE, { onReady }, { name: index === 0 ? 'bad' : 'good' });
});
// Its onError throws too: that is uncaught as well.
const own: number[] = [];
openPipe(own, sys.constants['O_NONBLOCK']);
const second = reactor.register(own[1] ?? -1, Interest.WRITABLE, {
  onReady() {
    second.deregister();
    throw new Error('first');
  },
  onError() {
    throw new Error('second');
  },
});

reactor.post(writeToAll);
if (driver === 'manual') {
  const pump = (): void => {
    if (reactor.inspect().refs === 0) return;
    reactor.turn(1000);
    setImmediate(pump);
  };
  pump();
}
process.on('exit', () => console.log(JSON.stringify(log)));
