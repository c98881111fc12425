// Sockets of both styles, and what must be so of each.
import { connect, listen, TcpListener, TcpStream } from 'tripoll/net';
import type { ConnectionOptions, ListenHandlers, TcpConnection } from 'tripoll/net';
import { OUT, SILENT_PORT, type TcpSocket } from './kernel.js';
import type { Actor, World } from './world.js';

const HOST = '127.0.0.1';
/** Nobody listens there. */
const REFUSED_PORT = 10;

const MANY_WRITES = 1100;

const NETWORK_ERRORS = ['ECONNRESET', 'EPIPE', 'ECONNREFUSED', 'ENOSPC', 'EMFILE'];
const CANCEL_ERRORS = ['ABORT_ERR', 'ERR_TRIPOLL_TIMEOUT'];
const ENDINGS = [
  ...NETWORK_ERRORS,
  ...CANCEL_ERRORS,
  'ERR_TRIPOLL_CLOSED',
  'ERR_TRIPOLL_STATE',
  'ERR_TRIPOLL_WRITE_OVERFLOW',
];

function fdOf(socket: TcpConnection | TcpStream | TcpListener): number {
  return (socket as unknown as { fd: number }).fd;
}

/** Starts something new, from within a handler. */
export type Act = () => void;

// ---- handler style ----

interface ConnectionShape {
  readonly idleTimeoutMs?: number;
  readonly allowHalfOpen: boolean;
  readonly highWaterMarkBytes: number;
  readonly maxQueuedBytes: number;
}

/** A connection with handlers, and what it may still be told. */
export class ConnectionActor implements Actor {
  isDone = false;
  connection: TcpConnection | null = null;
  #fd = -1;
  #socket: TcpSocket | null = null;
  #wasOpened = false;
  #hasEnded = false;
  #isPaused = false;
  #isCorked = false;
  #needsDrain = false;
  #userClosed = false;
  #hasErred = false;
  #userEnded = false;
  #thrown: Error | null = null;
  #activeMs = 0;

  constructor(
    readonly world: World,
    private readonly shape: ConnectionShape,
    private readonly act: Act,
  ) {}

  attach(connection: TcpConnection, fd = fdOf(connection)): void {
    this.connection = connection;
    this.#fd = fd;
    this.#socket = this.world.kernel.socketOf(fd);
  }

  #live(): TcpConnection {
    if (this.connection === null) throw new Error('not attached');
    return this.connection;
  }

  // ---- what it is told ----

  /** Checks that `name` may come now. */
  #hear(name: string): void {
    const { world } = this;
    world.note(`connection ${this.#socket?.id} hears ${name}`);
    if (this.isDone) world.fail('after-close', `${name} after close`);
    if (!world.inTurn && !world.reactor.closed) world.fail('outside-turn', `${name} outside of a turn`);
    if (name === 'close' || name === 'error') return;
    if (this.#userClosed) world.fail('after-user-close', `${name} after close() or reset()`);
    if (this.#hasErred) world.fail('after-error', `${name} after error`);
    if (name !== 'open' && !this.#wasOpened) world.fail('before-open', `${name} before open`);
    // What counts is bytes; those that we wrote only make it live longer.
    if (name === 'open' || name === 'data') this.#activeMs = world.clock.nowMs();
  }

  /** After a handler: more of the same, or an exception. */
  #doMore(): void {
    if (this.world.isQuiet) return;
    this.act();
    if (!this.world.chance(0.01) || this.#thrown !== null || this.isDone || this.#live().closed) return;
    this.#thrown = this.world.mistake();
    throw this.#thrown;
  }

  onOpen(): void {
    this.#hear('open');
    if (this.#wasOpened) this.world.fail('open-twice', 'open twice');
    this.#wasOpened = true;
    this.#doMore();
  }

  onData(chunk: Uint8Array): void {
    this.#hear('data');
    if (this.#isPaused) this.world.fail('data-while-paused', 'data after pause()');
    if (this.#hasEnded) this.world.fail('data-after-end', 'data after end');
    if (chunk.length === 0) this.world.fail('empty-data', 'data without a byte');
    const peer = this.#socket?.peer;
    if (peer === undefined || peer === null) this.world.fail('bytes', 'bytes from nowhere');
    else this.world.ledgerOf(peer).receive(chunk);
    if (!this.world.isQuiet && this.world.chance(0.3)) this.write(chunk);
    if (!this.world.isQuiet && this.world.chance(0.1)) this.pause();
    this.#doMore();
  }

  onDrain(): void {
    this.#hear('drain');
    if (!this.#needsDrain) this.world.fail('drain-unasked', 'drain without a write that returned false');
    this.#needsDrain = false;
    this.#doMore();
  }

  onEnd(): void {
    this.#hear('end');
    if (this.#hasEnded) this.world.fail('end-twice', 'end twice');
    this.#hasEnded = true;
    if (this.#socket !== null) this.world.noteEnd(this.#socket);
    this.#doMore();
  }

  onError(error: Error): void {
    this.#hear('error');
    if (this.#hasErred) this.world.fail('error-twice', 'error twice');
    this.#hasErred = true;
    this.#checkReason(error);
  }

  #checkReason(error: Error): void {
    if (error === this.#thrown) {
      this.world.takeMistake(error);
      return;
    }
    this.world.expectCode(error, ENDINGS, 'connection');
    const { code } = error as { code?: string };
    const { idleTimeoutMs } = this.shape;
    if (code !== 'ERR_TRIPOLL_TIMEOUT' || !this.#wasOpened) return;
    if (idleTimeoutMs === undefined) this.world.fail('idle', 'an idle timeout that nobody set');
    else if (this.world.clock.nowMs() - this.#activeMs < idleTimeoutMs) this.world.fail('idle', 'too early');
  }

  onClose(error: Error | null): void {
    this.#hear('close');
    if ((error !== null) !== this.#hasErred) this.world.fail('close', 'error and close do not agree');
    if (!this.#live().closed) this.world.fail('close', 'told close while it is open');
    this.isDone = true;
    this.#cut();
    if (!this.world.isQuiet) this.act();
  }

  #cut(): void {
    const socket = this.#socket;
    if (socket !== null && !socket.outbound.finByShutdown) this.world.ledgerOf(socket).cut();
  }

  // ---- what a program does to it ----

  write(bytes: Uint8Array): void {
    const connection = this.#live();
    if (this.#socket === null) return;
    const ledger = this.world.ledgerOf(this.#socket);
    // A lent chunk is overwritten by and by.
    const segment = ledger.push(bytes.slice(), true);
    try {
      const hasRoom = connection.write(bytes);
      if (connection.closed) ledger.cut();
      else if (!hasRoom) this.#needsDrain = true;
      else if (connection.queuedBytes > this.shape.highWaterMarkBytes)
        this.world.fail('high-water', 'true above it');
    } catch (error) {
      ledger.withdraw(segment);
      const codes =
        this.#userClosed || this.isDone ? ['ERR_TRIPOLL_CLOSED', 'ERR_TRIPOLL_STATE'] : ['ERR_TRIPOLL_STATE'];
      this.world.expectCode(error, codes, 'write()');
      if (!connection.writeEnded && !connection.closed) this.world.fail('write', 'refused for no reason');
    }
  }

  end(): void {
    this.#userEnded = true;
    // Once; what is corked after that stays so.
    if (!this.#live().writeEnded) this.#isCorked = false;
    this.#live().end();
  }

  pause(): void {
    if (!this.#live().closed) this.#isPaused = true;
    this.#live().pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#live().resume();
  }

  cork(): void {
    this.#isCorked = true;
    this.#live().cork();
  }

  uncork(): void {
    this.#isCorked = false;
    this.#live().uncork();
  }

  reset(): void {
    this.#userClosed = true;
    this.#live().reset();
  }

  toggleRef(): void {
    if (this.world.chance(0.5)) this.#live().ref();
    else this.#live().unref();
  }

  close(): void {
    this.#userClosed = true;
    this.connection?.close();
  }

  release(): void {
    if (this.#live().closed) return;
    this.resume();
    this.uncork();
  }

  finish(): void {
    if (!this.#live().closed) this.end();
  }

  /** More than one event's budget of vectored writes. */
  writeMany(): void {
    this.cork();
    for (let i = 0; i < MANY_WRITES; i++) this.write(this.world.byte());
    this.uncork();
  }

  // ---- what must be so when nothing moves ----

  checkRest(): void {
    const connection = this.connection;
    if (connection === null || this.isDone) return;
    if (connection.closed) this.world.fail('stuck-close', 'closed, and close was not told');
    const socket = this.world.kernel.socketOf(this.#wasOpened ? fdOf(connection) : this.#fd);
    if (socket === null || socket !== this.#socket) {
      this.world.fail('fd', 'an open connection has another fd than at first');
      return;
    }
    const what = this.#whatIsStuck(connection, socket);
    if (what !== null) this.world.fail(`stuck-${what}`, `socket ${socket.id}: ${describeSocket(socket)}`);
  }

  #whatIsStuck(connection: TcpConnection, socket: TcpSocket): string | null {
    if (!this.#wasOpened) return socket.state === 'connecting' ? null : 'connect';
    if (socket.isReadable && !this.#isPaused && !this.#hasEnded) return 'read';
    if (this.#isCorked) return null;
    if (connection.queuedBytes > 0 && (socket.pollMask() & OUT) !== 0) return 'write';
    if (this.#needsDrain && connection.queuedBytes === 0) return 'drain';
    const hasToEnd = this.#userEnded || (this.#hasEnded && !this.shape.allowHalfOpen);
    const canEnd = connection.queuedBytes === 0 && socket.state === 'connected' && !socket.writeShut;
    if (hasToEnd && canEnd) return 'end';
    if (this.#hasEnded && socket.writeShut) return 'both-ended';
    return null;
  }
}

export function isConnection(actor: Actor): actor is ConnectionActor {
  return actor instanceof ConnectionActor && actor.connection !== null;
}

function describeSocket(socket: TcpSocket): string {
  const { state, arrivedBytes, finArrived, error, writeShut, outbound } = socket;
  return JSON.stringify({
    state,
    arrivedBytes,
    finArrived,
    error,
    writeShut,
    free: outbound.free,
    of: outbound.sendBytes,
  });
}

function randomShape(world: World): ConnectionShape & ConnectionOptions {
  const { random } = world;
  const highWaterMarkBytes = random.pick([0, 100, 5000, 64 * 1024]);
  return {
    reactor: world.reactor,
    allowHalfOpen: world.chance(0.5),
    highWaterMarkBytes,
    ...(world.chance(0.5) && { lowWaterMarkBytes: random.below(highWaterMarkBytes + 1) }),
    maxQueuedBytes: random.pick([30_000, 1_000_000, 1_000_000]),
    ...(world.chance(0.2) && { idleTimeoutMs: 1 + random.below(400) }),
  };
}

/** Handlers that lead each connection to its actor. */
function handlersFor(actorOf: (connection: TcpConnection) => ConnectionActor): ListenHandlers {
  return {
    open: (connection) => actorOf(connection).onOpen(),
    data: (connection, chunk) => actorOf(connection).onData(chunk),
    drain: (connection) => actorOf(connection).onDrain(),
    end: (connection) => actorOf(connection).onEnd(),
    error: (connection, error) => actorOf(connection).onError(error),
    close: (connection, error) => actorOf(connection).onClose(error),
  };
}

export function startConnect(world: World, act: Act): void {
  const port = pickPort(world);
  const shape = randomShape(world);
  const actor = new ConnectionActor(world, shape, act);
  const cancel = randomCancel(world);
  const target = { host: HOST, port, ...shape, ...cancel };
  world.kernel.lastConnectFd = -1;
  const connection = connect(
    target,
    handlersFor(() => actor),
  );
  actor.attach(connection, world.kernel.lastConnectFd);
  world.note(`connect to ${port}: fd ${world.kernel.lastConnectFd}`);
  world.add(actor);
}

function pickPort(world: World): number {
  if (world.chance(0.04)) return SILENT_PORT;
  const listener = world.chance(0.08) ? null : world.pickActor(isListener);
  return listener?.port ?? REFUSED_PORT;
}

function randomCancel(world: World): { signal?: AbortSignal; timeoutMs?: number } {
  const cancel: { signal?: AbortSignal; timeoutMs?: number } = {};
  if (world.chance(0.2)) cancel.timeoutMs = world.random.below(50);
  if (world.chance(0.2)) {
    const controller = new AbortController();
    cancel.signal = controller.signal;
    world.later(() => controller.abort());
  }
  return cancel;
}

// ---- promise style ----

/** A stream with promises. */
export class StreamActor implements Actor {
  readonly #world: World;
  readonly #socket: TcpSocket | null;
  /** Reads again as soon as a read has settled. */
  #readsOn = false;
  #isReading = false;
  #hasEnded = false;
  #writes = 0;
  #userEnded = false;

  constructor(
    world: World,
    readonly stream: TcpStream,
  ) {
    this.#world = world;
    this.#socket = world.kernel.socketOf(fdOf(stream));
  }

  get isDone(): boolean {
    return this.stream.closed;
  }

  read(): void {
    const world = this.#world;
    // Within a turn a read may have settled already without our having heard of it.
    if (this.#isReading && world.inTurn) return;
    const buffer = new Uint8Array(1 + world.random.below(world.random.pick([10, 1000, 10_000])));
    const cancel = randomCancel(world);
    const dueMs = world.clock.nowMs() + (cancel.timeoutMs ?? 0);
    if (this.#isReading) {
      this.#readInVain(buffer);
      return;
    }
    this.#isReading = true;
    const options = cancel.signal === undefined && cancel.timeoutMs === undefined ? undefined : cancel;
    world
      .track(this.stream.read(buffer, options), 'read', () => this.stream.closed)
      .then(
        (received) => {
          this.#isReading = false;
          this.#take(buffer, received);
        },
        (error: unknown) => {
          this.#isReading = false;
          world.expectCode(error, ENDINGS, 'read');
          if (!this.isDone) checkCancelled(world, error, cancel, dueMs);
          // Only the read has ended: what comes is for the next.
          if (CANCEL_ERRORS.includes((error as { code: string }).code) && this.#readsOn && !this.isDone)
            this.read();
        },
      );
  }

  #readInVain(buffer: Uint8Array): void {
    this.#world
      .track(this.stream.read(buffer), 'second read', () => true)
      .then(
        () => this.#world.fail('busy', 'two reads at a time'),
        (error: unknown) => this.#world.expectCode(error, ['ERR_TRIPOLL_BUSY'], 'second read'),
      );
  }

  #take(buffer: Uint8Array, received: number): void {
    const world = this.#world;
    world.note(`stream ${this.#socket?.id} read ${received}`);
    if (received === 0) {
      this.#hasEnded = true;
      if (this.#socket !== null) world.noteEnd(this.#socket);
      return;
    }
    if (this.#hasEnded) world.fail('data-after-end', 'bytes after the end of a stream');
    const peer = this.#socket?.peer;
    if (peer === undefined || peer === null) world.fail('bytes', 'bytes from nowhere');
    else world.ledgerOf(peer).receive(buffer.subarray(0, received));
    if (this.#readsOn && !this.isDone) this.read();
  }

  readOn(): void {
    this.#readsOn = true;
    if (!this.#isReading && !this.#hasEnded) this.read();
  }

  write(all: boolean): void {
    const world = this.#world;
    if (this.#socket === null || this.isDone) return;
    const ledger = world.ledgerOf(this.#socket);
    const bytes = world.bytes();
    const segment = ledger.push(bytes, all);
    const cancel = randomCancel(world);
    const dueMs = world.clock.nowMs() + (cancel.timeoutMs ?? 0);
    const options = cancel.signal === undefined && cancel.timeoutMs === undefined ? undefined : cancel;
    const promise = all ? this.stream.writeAll(bytes, options) : this.stream.write(bytes, options);
    this.#writes++;
    world
      .track(promise, all ? 'writeAll' : 'write', () => this.stream.closed)
      .then(
        (written) => {
          this.#writes--;
          world.note(`stream ${this.#socket?.id} wrote ${written} of ${bytes.length}`);
          if (all && written !== bytes.length)
            world.fail('write', `writeAll wrote ${written} of ${bytes.length}`);
          if (written > bytes.length) world.fail('write', `wrote ${written} of ${bytes.length}`);
          if (written === 0 && bytes.length > 0) world.fail('write', 'wrote nothing');
          ledger.settle(segment, written);
        },
        (error: unknown) => {
          this.#writes--;
          world.expectCode(error, ENDINGS, 'write');
          if (!this.isDone) checkCancelled(world, error, cancel, dueMs);
          const { bytesWritten, message } = error as { bytesWritten?: number; message: string };
          if (bytesWritten !== undefined) ledger.settle(segment, bytesWritten);
          if (this.#userEnded && message.includes('after end')) ledger.withdraw(segment);
          if (bytesWritten !== undefined && bytesWritten > 0 && !this.isDone) {
            world.fail('half-write', 'a write was aborted half-way, and its stream goes on');
          }
          if (this.isDone) this.#cut();
        },
      );
  }

  #cut(): void {
    const socket = this.#socket;
    if (socket !== null && !socket.outbound.finByShutdown) this.#world.ledgerOf(socket).cut();
  }

  end(): void {
    this.#userEnded = true;
    this.stream.end();
  }

  reset(): void {
    this.stream.reset();
  }

  toggleRef(): void {
    if (this.#world.chance(0.5)) this.stream.ref();
    else this.stream.unref();
  }

  close(): void {
    this.stream.close();
    this.#cut();
  }

  release(): void {
    if (!this.isDone) this.readOn();
  }

  finish(): void {
    if (!this.isDone) this.end();
  }

  checkStep(): void {
    if (this.isDone) this.#cut();
  }

  checkRest(): void {
    if (this.isDone) return;
    const socket = this.#world.kernel.socketOf(fdOf(this.stream));
    if (socket === null || socket !== this.#socket) {
      this.#world.fail('fd', 'an open stream has another fd than at first');
      return;
    }
    const what = this.#whatIsStuck(socket);
    if (what !== null) this.#world.fail(`stuck-${what}`, `stream ${socket.id}: ${describeSocket(socket)}`);
  }

  #whatIsStuck(socket: TcpSocket): string | null {
    if (this.#isReading && socket.isReadable) return 'read';
    if (this.#writes > 0 && (socket.pollMask() & OUT) !== 0) return 'write';
    if (this.#writes === 0 && this.stream.queuedBytes > 0) return 'queue';
    if (this.#userEnded && this.#writes === 0 && !socket.writeShut && socket.state === 'connected')
      return 'end';
    if (this.#hasEnded && socket.writeShut) return 'both-ended';
    return null;
  }
}

export function isStream(actor: Actor): actor is StreamActor {
  return actor instanceof StreamActor;
}

function checkCancelled(
  world: World,
  error: unknown,
  cancel: { signal?: AbortSignal; timeoutMs?: number },
  dueMs: number,
): void {
  const { code } = error as { code: string };
  if (code === 'ABORT_ERR' && cancel.signal?.aborted !== true) world.fail('abort', 'aborted by nobody');
  if (code !== 'ERR_TRIPOLL_TIMEOUT' || cancel.timeoutMs === undefined) return;
  if (world.clock.nowMs() < dueMs) world.fail('timer-early', 'timed out too early');
}

export function startStream(world: World): void {
  const port = pickPort(world);
  const idle = world.chance(0.1) ? { idleTimeoutMs: 1 + world.random.below(400) } : {};
  const controller = new AbortController();
  const cancel = { ...randomCancel(world), signal: controller.signal };
  const dueMs = world.clock.nowMs() + (cancel.timeoutMs ?? 0);
  const promise = TcpStream.connect({ host: HOST, port }, { reactor: world.reactor, ...idle, ...cancel });
  const attempt = { isDone: false, close: () => controller.abort() };
  world.add(attempt);
  if (world.chance(0.1)) world.later(() => controller.abort());
  const isOver = (): boolean => world.reactor.closed;
  world.track(promise, 'connect', isOver).then(
    (stream) => {
      attempt.isDone = true;
      world.add(new StreamActor(world, stream));
    },
    (error: unknown) => {
      attempt.isDone = true;
      world.expectCode(error, ENDINGS, 'connect');
      checkCancelled(world, error, cancel, dueMs);
    },
  );
}

// ---- listeners ----

export class ListenerActor implements Actor {
  readonly port: number;
  #accepting = 0;

  constructor(
    private readonly world: World,
    readonly listener: TcpListener,
    readonly isPromise: boolean,
  ) {
    this.port = listener.localAddress?.port ?? 0;
  }

  get isDone(): boolean {
    return this.listener.closed;
  }

  accept(): void {
    const { world } = this;
    const cancel = randomCancel(world);
    const dueMs = world.clock.nowMs() + (cancel.timeoutMs ?? 0);
    this.#accepting++;
    world
      .track(this.listener.accept(cancel), 'accept', () => this.listener.closed)
      .then(
        ({ stream }) => {
          this.#accepting--;
          world.note(`accepted fd ${fdOf(stream)}`);
          world.add(new StreamActor(world, stream));
        },
        (error: unknown) => {
          this.#accepting--;
          const codes = ['ERR_TRIPOLL_CLOSED', 'EMFILE', 'ENFILE', 'ENOBUFS', ...CANCEL_ERRORS];
          if (!this.isPromise) codes.push('ERR_TRIPOLL_STATE');
          world.expectCode(error, codes, 'accept');
          checkCancelled(world, error, cancel, dueMs);
        },
      );
  }

  toggleRef(): void {
    if (this.world.chance(0.5)) this.listener.ref();
    else this.listener.unref();
  }

  close(): void {
    this.listener.close();
  }

  checkRest(): void {
    if (this.isDone) return;
    const waiting = this.world.kernel.waitingAt(this.port);
    const isWanted = !this.isPromise || this.#accepting > 0;
    if (waiting > 0 && isWanted) this.world.fail('stuck-accept', `${waiting} wait at port ${this.port}`);
  }
}

export function isListener(actor: Actor): actor is ListenerActor {
  return actor instanceof ListenerActor;
}

export function startListen(world: World, act: Act): void {
  const shape = randomShape(world);
  const actors = new WeakMap<TcpConnection, ConnectionActor>();
  const actorOf = (connection: TcpConnection): ConnectionActor => {
    let actor = actors.get(connection);
    if (actor === undefined) {
      actors.set(connection, (actor = new ConnectionActor(world, shape, act)));
      actor.attach(connection);
      world.add(actor);
    }
    return actor;
  };
  const maxConnections = world.chance(0.2) ? world.random.below(5) : Infinity;
  const handlers: ListenHandlers = {
    ...handlersFor(actorOf),
    drop: ({ connections }, { reason }) => {
      if (reason === 'max-connections' && connections < maxConnections)
        world.fail('drop', 'dropped below the limit');
      if (reason === 'no-fd') world.note('dropped: no fd');
    },
  };
  const backlog = world.random.pick([1, 2, 128]);
  const limit = maxConnections === Infinity ? {} : { maxConnections };
  tryListen(world, () => {
    const listener = listen({ host: HOST, port: 0, backlog, ...shape, ...limit }, handlers);
    world.add(new ListenerActor(world, listener, false));
  });
}

function tryListen(world: World, open: () => void): void {
  try {
    open();
  } catch (error) {
    world.expectCode(error, ['EMFILE', 'ENOSPC'], 'listen');
  }
}

export function startBind(world: World): void {
  const idle = world.chance(0.1) ? { idleTimeoutMs: 1 + world.random.below(400) } : {};
  const backlog = world.random.pick([1, 2, 128]);
  const promise = TcpListener.bind({ host: HOST, port: 0 }, { reactor: world.reactor, backlog, ...idle });
  world
    .track(promise, 'bind', () => true)
    .then(
      (listener) => world.add(new ListenerActor(world, listener, true)),
      (error: unknown) => world.expectCode(error, ['EMFILE', 'ENOSPC', 'ERR_TRIPOLL_CLOSED'], 'bind'),
    );
}
