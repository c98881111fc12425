import {
  type BackendName,
  capabilities,
  type DriverName,
  type EventHandler,
  Reactor,
  type Registration,
} from 'tripoll';
import { sys } from 'tripoll/raw';
import { canNest, hasEdge, systemBackend } from '../support/backends.js';
import { within } from '../support/deadline.js';
import { openPipe, openPipeAt, openSocketPair } from '../support/pairs.js';

/** One way to run a reactor: the suite is a function of this. */
export interface DriverKind {
  readonly driver: DriverName;
  readonly backend: BackendName;
  readonly edge: boolean;
  /** Under `run()`: inverted on epoll, else immediates. */
  readonly run?: boolean;
}

const allKinds: readonly DriverKind[] = [
  { driver: 'nested', backend: systemBackend, edge: true },
  { driver: 'watcher', backend: systemBackend, edge: hasEdge },
  { driver: 'watcher', backend: 'poll', edge: false },
  { driver: 'manual', backend: systemBackend, edge: hasEdge },
  { driver: 'manual', backend: 'poll', edge: false },
  { driver: canNest ? 'nested' : 'watcher', backend: systemBackend, edge: hasEdge, run: true },
  { driver: 'watcher', backend: 'poll', edge: false, run: true },
];

/** Those that this platform has. */
export const driverKinds = allKinds.filter(
  ({ driver, backend }) => (driver !== 'nested' || canNest) && capabilities.backends.includes(backend),
);

export const namedDriverKinds = driverKinds.map((kind) => {
  const { driver, backend, run } = kind;
  return [`${run === true ? 'run() of ' : ''}${driver} on ${backend}`, kind] as const;
});

const { O_NONBLOCK, SOCK_NONBLOCK } = sys.constants;
const byte = Buffer.from([1]);

/** A real reactor, driven as its kind says until `close`, and fds that `close` closes. */
export class DriverRig {
  readonly reactor: Reactor;
  readonly #fds: number[] = [];
  #closed = false;

  constructor(kind: DriverKind) {
    this.reactor = new Reactor({ driver: kind.driver, backend: kind.backend });
    if (kind.driver === 'manual') this.#pump();
    if (kind.run === true) void this.reactor.run();
  }

  /** Turns by hand, from Node's own loop, so that it goes on too. */
  #pump(): void {
    setImmediate(() => {
      if (this.#closed || this.reactor.closed) return;
      this.reactor.turn(5);
      this.#pump();
    });
  }

  pipe(): { read: number; write: number } {
    const fds: number[] = [];
    openPipe(fds, O_NONBLOCK);
    return this.#own(fds);
  }

  /** A pipe whose read end has this number, which was just closed. */
  pipeAt(wanted: number): { read: number; write: number } {
    const fds: number[] = [];
    openPipeAt(wanted, fds, O_NONBLOCK);
    return this.#own(fds);
  }

  socketPair(): { read: number; write: number } {
    const fds: number[] = [];
    openSocketPair(fds, SOCK_NONBLOCK);
    return this.#own(fds);
  }

  #own(fds: number[]): { read: number; write: number } {
    this.#fds.push(...fds);
    return { read: fds[0] ?? -1, write: fds[1] ?? -1 };
  }

  /** The test closes it itself. */
  disown(fd: number): void {
    this.#fds.splice(this.#fds.indexOf(fd), 1);
  }

  /** Runs `fn` in a turn: what it makes ready is in one batch, for nobody waits meanwhile. */
  inTurn(fn: () => void): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.reactor.post(() => {
        fn();
        resolve();
      });
    });
    return within(done, 'a posted function');
  }

  /** Some turns with a wait that could find something: what has not come by then does not come. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      const marker = this.pipe();
      await new Promise<void>((resolve) => {
        const registration = this.reactor.register(marker.read, 1, {
          onReady() {
            registration.deregister();
            resolve();
          },
        });
        sys.write(marker.write, byte);
      });
    }
  }

  close(): void {
    this.#closed = true;
    this.reactor.close();
    for (const fd of this.#fds.splice(0)) sys.close(fd);
  }
}

export function writeByte(fd: number): void {
  if (sys.write(fd, byte) !== 1) throw new Error('the pipe is full');
}

/** A handler that counts its calls, and a promise for the n-th. */
export class Calls implements EventHandler {
  readonly seen: number[] = [];
  readonly errors: unknown[] = [];
  #waiting: { count: number; resolve: () => void } | null = null;
  readonly #then: ((registration: Registration) => void) | undefined;

  constructor(then?: (registration: Registration) => void) {
    this.#then = then;
  }

  get count(): number {
    return this.seen.length + this.errors.length;
  }

  onReady(readiness: number, registration: Registration): void {
    this.#then?.(registration);
    this.seen.push(readiness);
    this.#check();
  }

  onError(error: unknown): void {
    this.errors.push(error);
    this.#check();
  }

  #check(): void {
    if (this.#waiting !== null && this.count >= this.#waiting.count) this.#waiting.resolve();
  }

  /** Until it was called so often in all. */
  reach(count: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#waiting = { count, resolve };
    });
    this.#check();
    return within(reached, `call ${count} of a handler (${this.count} so far)`);
  }
}
