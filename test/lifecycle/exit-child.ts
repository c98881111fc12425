// What keeps a process alive. Arguments: scenario, driver, backend. Prints a line for each thing
// that happened.
import { type BackendName, type DriverName, Interest, Reactor } from 'tripoll';
import { sys } from 'tripoll/raw';
import { openPipe } from '../support/pairs';

const [scenario, driver, backend, run] = process.argv.slice(2) as [string, DriverName, BackendName, string?];
const reactor = new Reactor({ driver, backend });
if (run === 'run') void reactor.run();
const fds: number[] = [];
openPipe(fds, sys.constants['O_NONBLOCK']);
const [read = -1, write = -1] = fds;
process.on('exit', () => console.log('exit'));

function later(fn: () => void): void {
  // Does not keep the process alive: it only happens when something else does.
  setTimeout(() => {
    console.log('later');
    fn();
  }, 50).unref();
}

const scenarios: Record<string, () => void> = {
  nothing() {
    reactor.waker(() => {}).wake();
  },
  unrefd() {
    reactor.register(read, Interest.READABLE, { onReady: () => console.log('ready') }).unref();
    reactor.setTimer(60_000, () => console.log('timer')).unref();
  },
  'unref later'() {
    const registration = reactor.register(read, Interest.READABLE, { onReady: () => {} });
    later(() => registration.unref());
  },
  'deregister later'() {
    const registration = reactor.register(read, Interest.READABLE, { onReady: () => {} });
    later(() => registration.deregister());
  },
  'close later'() {
    reactor.register(read, Interest.READABLE, { onReady: () => {} });
    reactor.setTimer(60_000, () => {});
    later(() => reactor.close());
  },
  'deregister in its handler'() {
    const registration = reactor.register(read, Interest.READABLE, {
      onReady() {
        console.log('ready');
        registration.deregister();
      },
    });
    later(() => sys.write(write, Buffer.alloc(1)));
  },
  'ref again'() {
    const registration = reactor
      .register(read, Interest.READABLE, { onReady: () => {} })
      .unref()
      .ref();
    later(() => registration.deregister());
  },
  timer() {
    reactor.setTimer(500, () => console.log('timer'));
    later(() => {});
  },
  'timer cancelled'() {
    const timer = reactor.setTimer(60_000, () => console.log('timer'));
    later(() => timer.cancel());
  },
  post() {
    reactor.post(() => console.log('posted'));
  },
  'a lost fd'() {
    const onError = (error: unknown): void => console.log((error as { code: string }).code);
    const registration = reactor.register(read, Interest.READABLE, { onReady: () => {}, onError });
    sys.close(read);
    registration.rearm();
  },
};

scenarios[scenario]?.();
