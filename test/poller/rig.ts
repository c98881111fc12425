import type { Poller } from 'tripoll';
import { type PollerContract, Readiness } from 'tripoll';
import { type ConstantName, type ErrnoName, sys } from 'tripoll/raw';
import { untilSync } from '../support/deadline';
import { openPipe, openSocketPair } from '../support/pairs';

const { constants: c, errno } = sys;

export function constant(name: ConstantName): number {
  const value = c[name];
  if (value === undefined) throw new Error(`no constant ${name}`);
  return value;
}

/** -errno by name, as calls return it. */
export function minus(name: ErrnoName): number {
  const value = errno[name];
  if (value === undefined) throw new Error(`no errno ${name}`);
  return -value;
}

export interface ExpectedEvent {
  slot: number;
  generation?: number;
  /** Flags that must be set. */
  readiness: number;
  /** Flags that must not be. */
  without?: number;
}

export interface SeenEvent {
  slot: number;
  generation: number;
  readiness: number;
  errno: number;
}

const NS_PER_MS = 1e6;

export function nowNs(): number {
  return Number(process.hrtime.bigint());
}

export function eventsOf(poller: PollerContract, count: number): SeenEvent[] {
  const { events } = poller;
  return Array.from({ length: count }, (_, i) => ({
    slot: events.slot(i),
    generation: events.generation(i),
    readiness: events.readiness(i),
    errno: events.errno(i),
  }));
}

/** One wait, which must not fail. */
export function waitOnce(poller: PollerContract, timeoutMs: number): SeenEvent[] {
  const count = poller.wait(timeoutMs * NS_PER_MS);
  expect(count).toBeGreaterThanOrEqual(0);
  return eventsOf(poller, count);
}

function matches(seen: SeenEvent, wanted: ExpectedEvent): boolean {
  return (
    seen.slot === wanted.slot &&
    (wanted.generation === undefined || seen.generation === wanted.generation) &&
    (seen.readiness & wanted.readiness) === wanted.readiness &&
    (seen.readiness & (wanted.without ?? 0)) === 0
  );
}

/** Waits until each has come. Others may come too: spurious events are allowed. */
export function expectEvents(poller: PollerContract, wanted: readonly ExpectedEvent[]): SeenEvent[] {
  let missing = [...wanted];
  const all: SeenEvent[] = [];
  try {
    untilSync(
      () => {
        const seen = waitOnce(poller, 20);
        all.push(...seen);
        missing = missing.filter((one) => !seen.some((event) => matches(event, one)));
        return missing.length === 0;
      },
      'the events',
      3000,
    );
  } catch {
    throw new Error(`missing ${JSON.stringify(missing)}, seen ${JSON.stringify(all.slice(0, 10))}`);
  }
  return all;
}

/** Not one event comes, spurious ones included. Local readiness is immediate: the wait is short. */
export function expectNoEvents(poller: PollerContract): void {
  expect(waitOnce(poller, 0)).toEqual([]);
  expect(waitOnce(poller, 2)).toEqual([]);
}

/** Pollers and fds of one test, all closed at its end. */
export class Rig {
  readonly pollers: Poller[] = [];
  readonly #fds = new Set<number>();
  readonly #factory: () => Poller;

  constructor(factory: () => Poller) {
    this.#factory = factory;
  }

  poller(): Poller {
    const poller = this.#factory();
    this.pollers.push(poller);
    return poller;
  }

  own(fd: number): number {
    expect(fd).toBeGreaterThanOrEqual(0);
    this.#fds.add(fd);
    return fd;
  }

  close(fd: number): void {
    this.#fds.delete(fd);
    expect(sys.close(fd)).toBe(0);
  }

  #pair(fill: (out: number[]) => number): [number, number] {
    const out: number[] = [];
    expect(fill(out)).toBe(0);
    const [first = -1, second = -1] = out;
    return [this.own(first), this.own(second)];
  }

  /** [read end, write end] */
  pipe(): [number, number] {
    return this.#pair((out) => openPipe(out, constant('O_NONBLOCK') | constant('O_CLOEXEC')));
  }

  sockets(): [number, number] {
    return this.#pair((out) => openSocketPair(out, constant('SOCK_NONBLOCK') | constant('SOCK_CLOEXEC')));
  }

  tcpSocket(): number {
    const type = constant('SOCK_STREAM') | constant('SOCK_NONBLOCK') | constant('SOCK_CLOEXEC');
    return this.own(sys.socket(constant('AF_INET'), type));
  }

  /** Bound, so that it can be waited for. */
  udpSocket(): number {
    const type = constant('SOCK_DGRAM') | constant('SOCK_NONBLOCK') | constant('SOCK_CLOEXEC');
    const fd = this.own(sys.socket(constant('AF_INET'), type));
    expect(sys.bind(fd, '127.0.0.1:0')).toBe(0);
    return fd;
  }

  /** A listening socket and its port. */
  tcpListener(): [number, number] {
    const listener = this.tcpSocket();
    expect(sys.bind(listener, '127.0.0.1:0')).toBe(0);
    expect(sys.listen(listener, 16)).toBe(0);
    const name: { port?: number } = {};
    expect(sys.getsockname(listener, name)).toBe(0);
    return [listener, name.port ?? 0];
  }

  /** Two ends of a TCP connection over the loopback. */
  tcp(): [number, number] {
    const [listener, port] = this.tcpListener();
    const client = this.tcpSocket();
    expect(sys.connect(client, { host: '127.0.0.1', port })).toBe(minus('EINPROGRESS'));
    let server = -1;
    untilSync(() => {
      server = sys.accept4(listener, constant('SOCK_NONBLOCK') | constant('SOCK_CLOEXEC'));
      return server >= 0;
    }, 'a connection');
    this.close(listener);
    return [client, this.own(server)];
  }

  /** Another number for the same open file. */
  duplicate(fd: number): number {
    return this.own(sys.fcntl(fd, constant('F_DUPFD_CLOEXEC'), 0));
  }

  /** Gives the number `wanted`, which must be free, to the file of `fd`. */
  reuseNumber(wanted: number, fd: number): void {
    const got = this.own(sys.fcntl(fd, constant('F_DUPFD_CLOEXEC'), wanted));
    expect(got).toBe(wanted);
  }

  end(): void {
    for (const poller of this.pollers) poller.close();
    for (const fd of this.#fds) sys.close(fd);
    this.#fds.clear();
  }
}

export function send(fd: number, text = 'x'): void {
  const bytes = Buffer.from(text);
  expect(sys.write(fd, bytes)).toBe(bytes.length);
}

/** Writes until EAGAIN. */
export function fill(fd: number): void {
  const buffer = new Uint8Array(65_536);
  for (const length of [65_536, 4096, 1]) {
    while (sys.write(fd, buffer, 0, length) > 0);
  }
}

/** Closes with RST instead of FIN. */
export function reset(rig: Rig, fd: number): void {
  const linger = new Int32Array([1, 0]); // on, 0 seconds
  const bytes = new Uint8Array(linger.buffer);
  expect(sys.setsockopt(fd, constant('SOL_SOCKET'), constant('SO_LINGER'), bytes)).toBe(0);
  rig.close(fd);
}

/** For messages: `READABLE | ERROR`. */
export function flagNames(readiness: number): string {
  return Object.entries(Readiness)
    .filter(([, flag]) => (readiness & flag) !== 0)
    .map(([name]) => name)
    .join(' | ');
}
