// Any fd in the reactor, without a stream around it: a FIFO, and the terminal if there is one.
//   mkfifo /tmp/fifo; node out/examples/poll-any-fd.js /tmp/fifo      then, elsewhere: echo hello > /tmp/fifo
import { closeSync, constants, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import { Interest, Reactor, type Registration } from 'tripoll';
import { sys } from 'tripoll/raw';

const [path, ...rest] = process.argv.slice(2);
if (path === undefined || path.startsWith('-') || rest.length > 0) {
  console.error(
    'usage: node out/examples/poll-any-fd.js <fifo>\n  reads it, and standard input when that is a terminal',
  );
  process.exit(2);
}

const reactor = Reactor.default;
const { F_GETFL, F_SETFL, O_NONBLOCK } = sys.constants;
const { EAGAIN, EINTR } = sys.errno;
const buffer = new Uint8Array(4096);
const decoder = new TextDecoder();

/** Reads `fd` whenever there is something; `onEnd` when there will be nothing more. */
function watch(fd: number, name: string, onEnd: () => void): Registration {
  return reactor.register(
    fd,
    Interest.READABLE,
    {
      onReady(_, registration) {
        // Once per event: the mode is LEVEL, which tells us again while there is more.
        const received = sys.read(fd, buffer);
        if (received > 0) console.log(`${name}: ${decoder.decode(buffer.subarray(0, received)).trimEnd()}`);
        // Readiness is a hint: another reader may have been faster.
        else if (received !== -EAGAIN && received !== -EINTR) {
          registration.deregister(); // before the fd is closed
          onEnd();
        }
      },
    },
    { name },
  );
}

// Opened for writing too, so that it does not end with its last writer. `register` changes no
// flags: the open does.
const fifo = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
const registrations = [watch(fifo, 'fifo', stop)];

// A terminal is shared with the shell: its flags are changed for all, and must be put back.
let flagsBefore = -1;
if (isatty(0)) {
  flagsBefore = sys.fcntl(0, F_GETFL);
  sys.fcntl(0, F_SETFL, flagsBefore | O_NONBLOCK);
  registrations.push(watch(0, 'tty', stop)); // ctrl-D
}
console.log(
  `watching ${registrations.map((registration) => registration.name).join(' and ')}; ctrl-C ends it`,
);

function stop(): void {
  for (const registration of registrations.splice(0)) registration.deregister();
  closeSync(fifo);
  // With no registration left the reactor keeps nothing alive, and the process ends.
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
process.once('exit', () => {
  if (flagsBefore !== -1) sys.fcntl(0, F_SETFL, flagsBefore);
});
