// Somebody closes fds of a reactor's own. Arguments: which of them ('wake' or 'all'), how it ends,
// driver, backend, run. Prints 'closed' when the reactor could be closed, and 'exit' when the
// process ends.
import { type BackendName, type DriverName, Interest, Reactor } from 'tripoll';
import { sys } from 'tripoll/raw';
import { openFds } from '../support/fds';
import { openPipe } from '../support/pairs';

const [which, end, driver, backend, run] = process.argv.slice(2) as [
  string,
  string,
  DriverName,
  BackendName,
  string?,
];
const fds: number[] = [];
openPipe(fds, sys.constants.O_NONBLOCK);
const before = openFds();
const reactor = new Reactor({ driver, backend });
const own = [...openFds()].filter(([fd, target]) => before.get(fd) !== target);
reactor.register(fds[0] ?? -1, Interest.READABLE, { onReady: () => {} });
if (run === 'run') void reactor.run();
process.on('exit', () => console.log('exit'));

// By then the driver waits.
setTimeout(() => {
  for (const [fd, target] of own) {
    if (which === 'all' || /eventfd\]$|pipe:/.test(target)) sys.close(fd);
  }
  if (end === 'exit') process.exit();
  reactor.close();
  console.log('closed');
}, 50);
