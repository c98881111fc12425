// Pollers, their modes, and the drivers: each waits for a datagram.
import { capabilities, type BackendName, type DriverName } from '../../binding/capabilities.js';
import { nowMs, setImmediate } from '../../binding/host-clock.js';
import { Interest, Mode } from '../../poller/flags.js';
import { Poller } from '../../poller/poller.js';
import type { Reactor } from '../../reactor/reactor.js';
import { sys } from '../../sys/sys.js';
import { expect, Low, need, withSelfSocket, type Probe } from './probe.js';

const NS_PER_MS = 1e6;
const WAIT_NS = 1000 * NS_PER_MS;
const BYTE = Uint8Array.of(1);
const SHORT_NS = 100_000;
const SHORT_WAITS = 20;
/** What a wait of 0.1 ms takes where it is rounded up to a millisecond is more than this. */
const ROUNDED_MS = 0.95;

const MODES: Readonly<Record<string, number>> = {
  level: Mode.LEVEL,
  edge: Mode.EDGE,
  oneshot: Mode.ONESHOT,
  exclusive: Mode.EXCLUSIVE,
};

/** A wait may end early with nothing. */
function waitForEvent(poller: Poller): boolean {
  const end = nowMs() + WAIT_NS / NS_PER_MS;
  do if (need(poller.wait(WAIT_NS), 'wait') > 0) return true;
  while (nowMs() < end);
  return false;
}

function tryMode(poller: Poller, fd: number, name: string, mode: number): void {
  need(poller.add(fd, 0, 1, Interest.READABLE, mode), `add, ${name}`);
  need(sys.send(fd, BYTE), 'send');
  expect(waitForEvent(poller), `${name}: no event came`);
  const repeats = mode === Mode.LEVEL || mode === Mode.EXCLUSIVE;
  if (repeats) expect(waitForEvent(poller), `${name}: the event does not repeat`);
  else expect(need(poller.wait(0), 'wait') === 0, `${name}: the event repeats`);
  need(poller.delete(fd, 0, 1), 'delete');
  need(sys.recv(fd, new Uint8Array(1)), 'recv');
}

function tryBackend(backend: BackendName): string {
  const poller = new Poller({ backend });
  try {
    const modes = Object.entries(MODES).filter(([, mode]) => poller.supports(mode));
    for (const [name, mode] of modes) withSelfSocket((fd) => tryMode(poller, fd, name, mode));
    return `modes ${modes.map(([name]) => name).join(', ')}`;
  } finally {
    poller.close();
  }
}

function tryShortWait(): string {
  const poller = new Poller();
  let best = Infinity;
  try {
    for (let i = 0; i < SHORT_WAITS; i++) {
      const begin = nowMs();
      need(poller.wait(SHORT_NS), 'wait');
      best = Math.min(best, nowMs() - begin);
    }
  } finally {
    poller.close();
  }
  const found = `a wait of 0.1 ms takes ${best.toFixed(2)} ms`;
  if (best > ROUNDED_MS) throw new Low(found);
  return found;
}

/** Until the socket's event has come to its handler, once. */
function arrival(reactor: Reactor, fd: number): Promise<void> {
  return new Promise((resolve) => {
    const registration = reactor.register(fd, Interest.READABLE, {
      onReady() {
        registration.deregister();
        resolve();
      },
    });
    need(sys.send(fd, BYTE), 'send');
  });
}

async function tryDriver(reactor: Reactor): Promise<string> {
  await withSelfSocket(async (fd) => {
    let arrived = false;
    const arriving = arrival(reactor, fd).then(() => void (arrived = true));
    while (reactor.driver === 'manual' && !arrived) {
      reactor.turn(10);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      if (reactor.closed) return;
    }
    await arriving;
  });
  return `an event came, in turn ${reactor.inspect().turns}`;
}

async function tryRun(reactor: Reactor): Promise<string> {
  const running = reactor.run();
  const { driver } = reactor.inspect();
  await withSelfSocket((fd) => arrival(reactor, fd));
  reactor.stop();
  await running;
  return `an event came, by the ${driver} driver`;
}

const RIGHTS = 'a seccomp profile or a container’s runtime may refuse its calls';

/** Of the pollers and drivers that this platform should have. */
export function pollerProbes(): Probe[] {
  const backends = capabilities.backends.map((backend) => ({
    group: 'pollers',
    name: backend,
    advice: RIGHTS,
    run: () => tryBackend(backend),
  }));
  const drivers = capabilities.drivers.map((driver: DriverName) => ({
    group: 'drivers',
    name: driver,
    advice: RIGHTS,
    driver,
    run: tryDriver,
  }));
  const short = {
    group: 'pollers',
    name: 'short waits',
    advice:
      'waits are rounded up: on Linux epoll_pwait2 is missing, in a kernel before 5.11 or by an old seccomp profile',
    run: tryShortWait,
  };
  return [...backends, short, ...drivers, { group: 'drivers', name: 'run()', advice: RIGHTS, run: tryRun }];
}
