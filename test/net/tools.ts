// What the socket tests share: a context with a reactor of its own, connected pairs, recordings of
// what handlers were told, and a peer made of plain syscalls, which does just what a test says, at
// once.
import { createHash } from 'node:crypto';
import { capabilities, Reactor } from 'tripoll';
import { connect, listen, TcpListener, TcpStream } from 'tripoll/net';
import type {
  BindOptions,
  ConnectionOptions,
  ListenHandlers,
  ListenOptions,
  TcpConnection,
  TcpHandlers,
} from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { testIf } from '../support/applies.js';
import { canNest, hasBackend } from '../support/backends.js';
import { until, within } from '../support/deadline.js';
import { openedSince, openFds } from '../support/fds.js';
import { pollTells } from '../support/kernel.js';
import { isWine } from '../support/platform.js';

export const LOOPBACK = '127.0.0.1';

/** What a combination of driver and backend has. */
interface Features {
  /** Streams on it use edges; else levels, with interests that follow what is wanted. */
  readonly edge: boolean;
  /**
   * Urgent data and the error queue are told of: not by a kqueue without EVFILT_EXCEPT. Default:
   * yes.
   */
  readonly priority?: boolean;
  /** POLLERR of a socket: not by the poll(2) of a BSD (T19). Default: yes. */
  readonly errors?: boolean;
  /** A stranger's number is noticed: not by a poll(2) where sockets have no inode (T09). */
  readonly strangers?: boolean;
}

const LEGS = {
  'nested epoll': { driver: 'nested', backend: 'epoll', edge: true },
  'watcher epoll': { driver: 'watcher', backend: 'epoll', edge: true },
  'watcher kqueue': {
    driver: 'watcher',
    backend: 'kqueue',
    edge: true,
    priority: 'EVFILT_EXCEPT' in sys.constants,
  },
  'watcher poll': {
    driver: 'watcher',
    backend: 'poll',
    edge: false,
    errors: pollTells.errors,
    strangers: pollTells.strangers,
  },
  'watcher iocp': { driver: 'watcher', backend: 'iocp', edge: false },
} as const;

const isHere = ({ driver, backend }: (typeof LEGS)[keyof typeof LEGS]): boolean =>
  capabilities.drivers.includes(driver) && capabilities.backends.includes(backend);

/** Those that this system has. */
export const legsHere = Object.values(LEGS).filter(isHere);

type Leg = keyof typeof LEGS;

/** Where nothing is nested (Bun, Deno), epoll runs under the watcher: there it is the default. */
function legOf(leg: Leg): Leg {
  return leg === 'nested epoll' && !canNest && hasBackend('epoll') ? 'watcher epoll' : leg;
}

/**
 * The same tests on each of these drivers and backends; what this system has not is skipped by its
 * name.
 */
export function describeOn(legs: readonly Leg[], title: string, define: (context: Context) => void): void {
  for (const leg of new Set(legs.map(legOf))) {
    const { driver, backend, ...features } = LEGS[leg];
    const name = `${title}, ${leg}`;
    if (!isHere(LEGS[leg])) {
      testIf(false, 'this system has no such backend or driver')(name);
      continue;
    }
    describe(name, () => {
      const context = new Context(() => new Reactor({ driver, backend }), features);
      beforeEach(() => {
        context.setUp();
      });
      afterEach(() => context.tearDown());
      define(context);
    });
  }
}

export interface Closable {
  close(): void;
}

/**
 * A port that refuses connections: it has listened just now. One that is bound and does not listen
 * would be safe from others, but need not refuse: NetBSD and XNU drop the SYN (T66).
 */
export function refusingPort(): number {
  const { AF_INET, SOCK_STREAM, SOCK_CLOEXEC } = sys.constants;
  const fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
  const name: { port?: number } = {};
  expect(sys.bind(fd, { host: LOOPBACK, port: 0 })).toBe(0);
  expect(sys.listen(fd, 1)).toBe(0);
  sys.getsockname(fd, name);
  sys.close(fd);
  return name.port ?? 0;
}

/** A test's own reactor, and what it opened on it. */
export class Context {
  readonly features: Features;
  readonly #makeReactor: () => Reactor;
  #reactor: Reactor | null = null;
  #owned: Closable[] = [];
  #before = new Map<number, string>();

  constructor(makeReactor: () => Reactor, features: Features) {
    this.#makeReactor = makeReactor;
    this.features = features;
  }

  get reactor(): Reactor {
    if (this.#reactor === null) throw new Error('only within a test');
    return this.#reactor;
  }

  /** To be closed when the test is over, if it is not by then. */
  own<T extends Closable>(closable: T): T {
    this.#owned.push(closable);
    return closable;
  }

  setUp(): void {
    this.#before = openFds();
    this.#owned = [];
    this.#reactor = this.#makeReactor();
  }

  /** Nothing that a test leaves behind may stay open: neither here nor in the system. */
  async tearDown(): Promise<void> {
    for (const closable of this.#owned) closable.close();
    const { reactor } = this;
    this.#reactor = null;
    try {
      // Sockets close by themselves, or because their peer did, not because their reactor does.
      await until(() => reactor.inspect().registrations === 0, 'sockets closed', 2000).catch(() => {});
      expect({ registrations: reactor.inspect().registrations }).toEqual({ registrations: 0 });
    } finally {
      // Or a test that fails would keep its process alive.
      reactor.close();
    }
    // The driver's own fds go with its libuv handles, a moment later.
    await until(() => openedSince(this.#before).length === 0, 'fds closed', 2000).catch(() => {});
    expect(openedSince(this.#before)).toEqual([]);
  }

  /** A handler-style listener on a port of the system's choice. */
  listen(handlers: ListenHandlers = {}, options: ListenOptions & { host?: string } = {}): TcpListener {
    const target = { host: LOOPBACK, port: 0, reactor: this.reactor, ...options };
    return this.own(listen(target, handlers));
  }

  bind(options: BindOptions = {}, host = LOOPBACK): Promise<TcpListener> {
    const bound = TcpListener.bind({ host, port: 0 }, { reactor: this.reactor, ...options });
    return bound.then((listener) => this.own(listener));
  }

  connect(
    port: number,
    handlers: TcpHandlers = {},
    options: ConnectionOptions & { host?: string } = {},
  ): TcpConnection {
    return this.own(connect({ host: LOOPBACK, port, reactor: this.reactor, ...options }, handlers));
  }

  stream(port: number, host = LOOPBACK): Promise<TcpStream> {
    return TcpStream.connect({ host, port }, { reactor: this.reactor }).then((stream) => this.own(stream));
  }

  /** A handler-style connection that a listener of ours accepted, and its raw peer. */
  async accepted(
    overrides: TcpHandlers = {},
    options: ListenOptions = {},
  ): Promise<{ connection: TcpConnection; told: Recording; peer: RawPeer; listener: TcpListener }> {
    const told = record(overrides);
    const listener = this.listen(told.handlers, options);
    const peer = this.own(new RawPeer(portOf(listener)));
    const connection = this.own(await within(told.opened, 'open'));
    return { connection, told, peer, listener };
  }

  /** The same, promise-style. */
  async acceptedStream(): Promise<{ stream: TcpStream; peer: RawPeer }> {
    const listener = await this.bind();
    const peer = this.own(new RawPeer(portOf(listener)));
    const { stream } = await within(listener.accept(), 'accept');
    listener.close();
    return { stream: this.own(stream), peer };
  }

  /** Both ends promise-style. */
  async streamPair(host = LOOPBACK): Promise<{ client: TcpStream; server: TcpStream }> {
    const listener = await this.bind({}, host);
    const [client, { stream }] = await within(
      Promise.all([this.stream(portOf(listener), host), listener.accept()]),
      'connected pair',
    );
    listener.close();
    return { client, server: this.own(stream) };
  }
}

export function portOf(listener: TcpListener): number {
  const address = listener.localAddress;
  if (address === undefined) throw new Error('the listener is closed');
  return address.port;
}

// ---- what handlers were told ----

interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((take) => {
    resolve = take;
  });
  return { promise, resolve };
}

/** Handlers that note what they are told, in order; `data` once for any number in a row. */
export interface Recording {
  readonly handlers: TcpHandlers;
  readonly events: string[];
  readonly errors: Error[];
  /** Copies, since chunks are lent. */
  readonly chunks: Buffer[];
  readonly opened: Promise<TcpConnection>;
  readonly ended: Promise<void>;
  readonly closed: Promise<Error | null>;
  bytes(): Buffer;
  received(): number;
}

/** Sends back what comes, and stops reading while the peer does. */
export const echoHandlers: TcpHandlers = {
  data(connection, chunk) {
    if (!connection.write(chunk)) connection.pause();
  },
  drain(connection) {
    connection.resume();
  },
};

export function record(overrides: TcpHandlers = {}): Recording {
  const opened = deferred<TcpConnection>();
  const ended = deferred<undefined>();
  const closed = deferred<Error | null>();
  const events: string[] = [];
  const errors: Error[] = [];
  const chunks: Buffer[] = [];
  let received = 0;
  const handlers: TcpHandlers = {
    open(connection) {
      events.push('open');
      opened.resolve(connection);
      return overrides.open?.(connection);
    },
    data(connection, chunk) {
      if (events.at(-1) !== 'data') events.push('data');
      chunks.push(Buffer.from(chunk));
      received += chunk.length;
      return overrides.data?.(connection, chunk);
    },
    drain(connection) {
      events.push('drain');
      return overrides.drain?.(connection);
    },
    end(connection) {
      events.push('end');
      ended.resolve(undefined);
      return overrides.end?.(connection);
    },
    error(connection, error) {
      events.push('error');
      errors.push(error);
      overrides.error?.(connection, error);
    },
    close(connection, error) {
      events.push('close');
      closed.resolve(error);
      overrides.close?.(connection, error);
    },
  };
  return {
    handlers,
    events,
    errors,
    chunks,
    opened: opened.promise,
    ended: ended.promise,
    closed: closed.promise,
    bytes: () => Buffer.concat(chunks),
    received: () => received,
  };
}

export interface Failure {
  name: string;
  code: string | undefined;
}

/** The stable fields of an error, for a comparison. */
export function failureOf(error: unknown): Failure | null {
  if (error === null || error === undefined) return null;
  const { name, code } = error as NodeJS.ErrnoException;
  return { name, code };
}

/** What `promise` rejects with, in the fields that are stable. */
export async function rejection(promise: Promise<unknown>): Promise<Failure | null> {
  return failureOf(await rejectionError(promise));
}

export async function rejectionError(promise: Promise<unknown>): Promise<NodeJS.ErrnoException> {
  let value: unknown;
  try {
    value = await within(promise, 'rejection');
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error(`nothing was rejected, it resolved to ${String(value)}`);
}

// ---- bytes ----

// Taken out of the global object once: in Jest's realm each look-up there costs more than the sum.
const { imul } = Math;

/** Bytes that differ from place to place: one that is lost, doubled or moved shows. */
export function pattern(length: number, seed = 1): Buffer {
  const words = new Int32Array(Math.ceil(length / 4));
  let state = seed | 0;
  for (let i = 0; i < words.length; i++) {
    state = (imul(state, 1_664_525) + 1_013_904_223) | 0;
    words[i] = state ^ (state >>> 15);
  }
  return Buffer.from(words.buffer, 0, length);
}

export function digest(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex');
}

// ---- the inside of a stream, for what no user can do ----

interface Inside {
  fd: number;
  registration: { interest: number; setInterest(interest: number): void };
}

export function fdOf(stream: TcpConnection | TcpStream): number {
  return (stream as unknown as Inside).fd;
}

export function setInterest(stream: TcpConnection | TcpStream, interest: number): void {
  (stream as unknown as Inside).registration.setInterest(interest);
}

export async function readToEnd(stream: { read(buffer: Uint8Array): Promise<number> }): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const buffer = new Uint8Array(100_000);
  for (;;) {
    const received = await within(stream.read(buffer), 'read');
    if (received === 0) return Buffer.concat(chunks);
    chunks.push(Buffer.from(buffer.subarray(0, received)));
  }
}

/** Readiness that no event brought (T44): delivered in the next turn. */
export function pretendReady(stream: TcpConnection | TcpStream, readiness: number): void {
  const { registration } = stream as unknown as Inside;
  stream.reactor.registry.requeue(registration as Parameters<Reactor['registry']['requeue']>[0], readiness);
}

/**
 * The same for all that is registered: what is still being connected has no stream's registration
 * yet.
 */
export function pretendAllReady(reactor: Reactor, readiness: number): void {
  type Slot = Parameters<Reactor['registry']['requeue']>[0] | undefined;
  const { slots } = (reactor as unknown as { registry: { slab: { slots: Slot[] } } }).registry.slab;
  for (const registration of slots) {
    if (registration?.active === true) reactor.registry.requeue(registration, readiness);
  }
}

/** The handlers of one whole turn have run. */
export function turnOf(reactor: Reactor): Promise<void> {
  return within(
    new Promise((resolve) => {
      reactor.post(() => reactor.post(resolve));
    }),
    'a turn',
  );
}

/** No sleep: so long must nothing happen, or not often. */
export function passedMs(reactor: Reactor, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    reactor.setTimer(delayMs, resolve);
  });
}

/** Without an event to tell of, the reactor sleeps. */
export async function expectNoSpin(reactor: Reactor): Promise<void> {
  for (let i = 0; i < 20; i++) await turnOf(reactor);
  const { turns } = reactor.inspect();
  await passedMs(reactor, 20);
  // The timer's own turn, and what is left of those before it.
  expect(reactor.inspect().turns - turns).toBeLessThan(10);
}

// ---- a peer of plain syscalls ----

const { AF_INET, SOCK_STREAM, SOCK_CLOEXEC, F_SETFL, O_NONBLOCK } = sys.constants;
const { SOL_SOCKET, SO_LINGER, SHUT_WR } = sys.constants;
const { EAGAIN } = sys.errno;
const NO_LINGER = new Uint8Array(new Int32Array([1, 0]).buffer);

function check(result: number, what: string): number {
  if (result < 0) throw new Error(`${what}: errno ${-result}`);
  return result;
}

/** One for all: what is asked for is much more than some systems have at a time. */
const receiveBuffer = new Uint8Array(1 << 20);

/**
 * Wine's server takes a reset's error out of the kernel, and so does who reads: one who reads while
 * the server is about it is told the end instead (of 150 reads, 5). Having answered twice, it has
 * seen to what there was before.
 */
function askWineTwice(): void {
  for (let i = 0; i < 2; i++) check(sys.close(check(sys.socket(AF_INET, SOCK_STREAM), 'socket')), 'close');
}

/**
 * Connected when it is made: the kernel completes a connection on loopback before it is accepted.
 */
export class RawPeer implements Closable {
  fd: number;

  constructor(port: number) {
    this.fd = check(sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC), 'socket');
    const error = sys.connect(this.fd, { host: LOOPBACK, port });
    if (error < 0) this.close();
    check(error, 'connect');
    check(sys.fcntl(this.fd, F_SETFL, O_NONBLOCK), 'fcntl');
  }

  /** How many bytes it took. */
  send(bytes: Uint8Array | string): number {
    const sent = sys.send(this.fd, typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    return sent === -EAGAIN ? 0 : check(sent, 'send');
  }

  /** As much as fits until it has to wait. */
  fill(bytes: Uint8Array): number {
    let sent = 0;
    for (let n = this.send(bytes); n > 0; n = this.send(bytes.subarray(sent))) {
      sent += n;
      if (sent === bytes.length) break;
    }
    return sent;
  }

  async sendAll(bytes: Uint8Array): Promise<void> {
    let sent = 0;
    await until(() => (sent += this.fill(bytes.subarray(sent))) === bytes.length, 'peer sends all');
  }

  /**
   * What can be read now, at most `length`: null when there is nothing, a negative errno when it
   * failed.
   */
  receive(length = 65_536): Buffer | number | null {
    const received = sys.recv(this.fd, receiveBuffer, 0, Math.min(length, receiveBuffer.length));
    if (received === -EAGAIN) return null;
    return received < 0 ? received : Buffer.from(receiveBuffer.subarray(0, received));
  }

  /** Exactly so many bytes. */
  async receiveBytes(length: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let left = length;
    await until(() => {
      while (left > 0) {
        const got = this.receive(Math.min(left, 1 << 20));
        if (got === null) return false;
        if (typeof got === 'number' || got.length === 0)
          throw new Error(`peer lost ${left} bytes: ${String(got)}`);
        chunks.push(got);
        left -= got.length;
      }
      return true;
    }, `peer receives ${length} bytes`);
    return Buffer.concat(chunks);
  }

  /** All up to the end; a reset is an error. */
  async receiveToEnd(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    await until(() => {
      for (;;) {
        const got = this.receive(1 << 20);
        if (got === null) return false;
        if (typeof got === 'number') throw new Error(`peer receives: errno ${-got}`);
        if (got.length === 0) return true;
        chunks.push(got);
      }
    }, 'peer receives the end');
    return Buffer.concat(chunks);
  }

  /** Reads on, until it fails: with which errno. */
  async receiveError(): Promise<number> {
    let errno = 0;
    await until(() => {
      const got = this.receive();
      if (typeof got === 'number') errno = -got;
      else if (got?.length === 0) throw new Error('peer got an end, no error');
      return errno !== 0;
    }, 'peer receives an error');
    return errno;
  }

  endWrite(): void {
    check(sys.shutdown(this.fd, SHUT_WR), 'shutdown');
  }

  /** Ends with a RST. */
  reset(): void {
    check(sys.setsockopt(this.fd, SOL_SOCKET, SO_LINGER, NO_LINGER), 'setsockopt');
    this.close();
    if (isWine) askWineTwice();
  }

  close(): void {
    if (this.fd < 0) return;
    sys.close(this.fd);
    this.fd = -1;
  }
}
