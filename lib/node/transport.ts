import { AsyncResource } from 'node:async_hooks';
import { closedError, errnoOf } from '../binding/errors.js';
import { nowMs } from '../binding/host-clock.js';
import { native } from '../binding/native.js';
import type { Reactor } from '../reactor/reactor.js';
import type { SocketAddress } from '../sys/address.js';
import type { StreamHandlers } from '../net/stream/connection-profile.js';
import { KEPT, type SocketConnection } from '../net/stream/socket-connection.js';
import type { SettableSocketOptions } from '../net/socket/socket-options.js';
import { asNodeError, callError } from './errors.js';

const EPIPE = errnoOf('EPIPE');

/** A connection of either family. */
export type Connection = SocketConnection<unknown, SocketAddress | string> & {
  /** Of TCP only. */
  reset?(): void;
};

/** What a write is answered with. */
type Done = (error?: Error | null) => void;

/** `{ address, port, family }`, or nothing of it, as node:net's `address()`. */
export interface SocketName {
  /** An IP address. */
  address?: string;
  /** `'IPv4'` or `'IPv6'`. */
  family?: string;
  /** 0 to 65535. */
  port?: number;
}

/**
 * Water marks by which `write` returns false as long as anything waits, and `drain` comes when
 * nothing does: streams do the counting.
 */
export const UNBUFFERED = {
  highWaterMarkBytes: 0,
  lowWaterMarkBytes: 0,
  maxQueuedBytes: Number.MAX_SAFE_INTEGER, // one chunk at a time: a stream's own `highWaterMark` bounds it
  allowHalfOpen: true, // a Duplex ends its own side
} as const;

export function sumOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

/**
 * Of a wrapped stream: a write's end is told a phase later, and what an HTTP/2 session has waiting
 * for it goes out in the phase after that.
 */
const QUIET_PHASES = 3;
/** Of one who goes on writing: an answer of headers, body and trailers takes nine. */
const MAX_PHASES = 12;

/**
 * Joins a `stream.Duplex` to a connection: bytes one way while they are wanted, one write at a time
 * the other way. As under libuv, only a connection that reads, or has a write under way, keeps the
 * process alive.
 */
export abstract class Transport {
  #connection: Connection | null = null;
  #isReading = false;
  /** The peer has ended its side, which nobody has been told. */
  #hasEnd = false;
  #writeDone: Done | null = null;
  /** The connection has closed by itself. */
  #isOver = false;
  #local: SocketName | null = null;
  #remote: SocketName | null = null;
  #bytesRead = 0;
  isRefed = true;
  /** Bytes that were handed over, whether the socket has taken them yet or not. */
  bytesDispatched = 0;
  /** Node's wrapper serves the stream (stream-wrap.ts): its answers come some phases later. */
  isWrapped = false;

  /** Takes bytes that are only lent; false when it wants no more for now. */
  protected abstract onBytes(chunk: Uint8Array): boolean;
  /** The peer has ended its side. */
  protected abstract onPeerEnd(): void;
  /** The connection is over, by this error. */
  protected abstract onFailed(error: Error): void;
  /** Bytes were moved: it is not idle. */
  abstract onActivity(): void;

  /** The connection is this transport's from here on. */
  protected attach(connection: Connection): void {
    this.#connection = connection;
    connection.data = this;
    this.#local = null;
    connection.pause();
    this.#followRefs();
  }

  /** For another connection of the same stream. */
  protected forget(): void {
    this.#connection = null;
    this.#isReading = this.#hasEnd = this.#isOver = false;
    this.#local = null;
    this.#remote = null;
    this.#bytesRead = 0;
    this.bytesDispatched = 0;
  }

  get isOpen(): boolean {
    return this.#connection !== null;
  }

  /** -1 when there is none. */
  get fd(): number {
    return this.#connection?.fd ?? -1;
  }

  /** Whether it is TCP: it can be reset, and has TCP's options. */
  get isTcp(): boolean {
    return this.#connection?.reset !== undefined;
  }

  /** Closes a TCP connection with a RST. */
  protected reset(): void {
    this.#connection?.reset?.();
  }

  get bytesRead(): number {
    return this.#connection?.bytesRead ?? this.#bytesRead;
  }

  /** Bytes of the write under way that the socket has not taken. */
  get queuedBytes(): number {
    return this.#connection?.queuedBytes ?? 0;
  }

  /** The time, read once for all that an event sets off. */
  protected turnTimeMs(): number {
    return this.#connection?.reactor.turnTimeMs() ?? nowMs();
  }

  // ---- names ----

  get local(): SocketName {
    this.#local ??= toName(this.#connection?.localAddress);
    return this.#local ?? {};
  }

  get remote(): SocketName {
    this.#remote ??= toName(this.#connection?.remoteAddress);
    return this.#remote ?? {};
  }

  /** Both sides are about to have ended, by which the connection closes: who asks may ask later. */
  #keepNames(): void {
    this.#local ??= toName(this.#connection?.localAddress);
    this.#remote ??= toName(this.#connection?.remoteAddress);
  }

  // ---- options ----

  /** Sets an option of TCP; what the socket says to it is nobody's concern, as under node:net. */
  setOption<Name extends keyof SettableSocketOptions>(name: Name, value: SettableSocketOptions[Name]): void {
    if (!this.isTcp) return;
    try {
      this.#connection?.setOption(name, value);
    } catch {
      // Closed, or reset, which a read or a write tells.
    }
  }

  setRefed(refed: boolean): void {
    this.isRefed = refed;
    this.#followRefs();
  }

  #followRefs(): void {
    if (this.isRefed && (this.#isReading || this.#writeDone !== null)) this.#connection?.ref();
    else this.#connection?.unref();
  }

  // ---- reading ----

  get isReading(): boolean {
    return this.#isReading;
  }

  /** Gives what was held back before; false when it is stopped again. */
  protected abstract deliverRest(): boolean;

  startReading(): void {
    if (this.#isReading || this.#connection === null) return;
    this.#isReading = true;
    if (!this.deliverRest()) this.stopReading();
    else if (this.#hasEnd) this.#tellEnd();
    else {
      this.#followRefs();
      this.#connection?.resume();
    }
  }

  stopReading(): void {
    if (!this.#isReading) return;
    this.#isReading = false;
    this.#connection?.pause();
    this.#followRefs();
  }

  // ---- writing ----

  /** One write at a time: `done` comes before the next. */
  protected write(chunk: Uint8Array, done: Done): void {
    const connection = this.#beginWrite(chunk.length, done);
    // A stream's chunk stays as it is until its write is answered.
    if (connection !== null) this.#finishWrite(connection.write(chunk, KEPT), done);
  }

  protected writev(chunks: readonly Uint8Array[], done: Done): void {
    const connection = this.#beginWrite(sumOf(chunks), done);
    if (connection !== null) this.#finishWrite(connection.writev(chunks), done);
  }

  /** Null when there is nothing to write to, which `done` is told, now or later. */
  #beginWrite(bytes: number, done: Done): Connection | null {
    const connection = this.#connection;
    if (connection === null || this.#isOver) {
      done(callError(EPIPE, 'write'));
      return null;
    }
    if (connection.closed) {
      // It has failed, and the turn's end will tell why.
      this.#writeDone = AsyncResource.bind(done);
      return null;
    }
    this.bytesDispatched += bytes;
    return connection;
  }

  #finishWrite(isTaken: boolean, done: Done): void {
    if (isTaken) {
      done();
      return;
    }
    // Else it would be called in the context of the connection's events.
    this.#writeDone = AsyncResource.bind(done);
    this.#followRefs();
  }

  /** All has been written: ends our side. As under libuv it is done in a later phase of the loop. */
  endWriting(done: Done): void {
    const connection = this.#connection;
    if (connection !== null && !connection.closed) {
      if (connection.readEnded) this.#keepNames();
      connection.end();
    }
    setImmediate(done);
  }

  /**
   * Gives the connection's fd away, of which nothing more is told here.
   *
   * @throws ERR_TRIPOLL_BUSY while a write waits; ERR_TRIPOLL_CLOSED, also before it is connected
   */
  release(): { fd: number; reactor: Reactor; isTcp: boolean } {
    const connection = this.#connection;
    if (connection === null) throw closedError('Socket');
    const { isTcp } = this;
    const { reactor } = connection;
    this.#keepNames();
    const fd = connection.intoFd();
    this.#isReading = this.#hasEnd = false;
    this.close();
    return { fd, reactor, isTcp };
  }

  /** Ends it at once. */
  protected close(): void {
    const connection = this.#connection;
    const done = this.#writeDone;
    if (connection === null) return;
    this.#bytesRead = connection.bytesRead;
    this.#connection = null;
    this.#writeDone = null;
    connection.data = undefined;
    connection.close();
    // Not within the call: what was written before is told in a tick of its own.
    if (done !== null) setImmediate(done, null);
  }

  // ---- what the connection tells ----

  onData(chunk: Uint8Array): void {
    this.onActivity();
    if (!this.onBytes(chunk)) this.stopReading();
  }

  onDrain(): void {
    const done = this.#writeDone;
    if (done === null) return;
    this.#writeDone = null;
    this.#followRefs();
    this.onActivity();
    done();
  }

  /**
   * Who does not read hears of the end when it would be read; others after all that the last bytes
   * have set off, as of a call of its own: an answer to them is written before the end is seen.
   */
  onEnd(): void {
    if (this.#connection?.writeEnded === true) this.#keepNames();
    this.#hasEnd = true;
    if (this.isWrapped) this.#tellEndWhenQuiet(QUIET_PHASES, MAX_PHASES);
    else this.#tellEndWhenQuiet(1, 1);
  }

  /** Once so many phases of the loop have gone by without a write, or `left` in all. */
  #tellEndWhenQuiet(phases: number, left: number): void {
    const { bytesDispatched } = this;
    setImmediate(() => {
      if (!this.#hasEnd || !this.#isReading) return;
      const isQuiet = bytesDispatched === this.bytesDispatched;
      if (left <= 1 || (isQuiet && phases <= 1)) this.#tellEnd();
      else this.#tellEndWhenQuiet(isQuiet ? phases - 1 : QUIET_PHASES, left - 1);
    });
  }

  #tellEnd(): void {
    this.#hasEnd = this.#isReading = false;
    this.onPeerEnd();
    this.#followRefs();
  }

  /** It is over: by itself when both sides have ended, or by an error. */
  onClose(error: Error | null): void {
    const done = this.#writeDone;
    const { readEnded = false } = this.#connection ?? {};
    this.#writeDone = null;
    this.#isOver = true;
    if (this.#connection !== null) this.#bytesRead = this.#connection.bytesRead;
    // Under libuv nobody looks at a socket whose end was read: only a write tells that it broke.
    if (error === null || (readEnded && done === null)) {
      done?.();
      return;
    }
    const reason = asNodeError(error);
    // Not at once either: it would take bytes away that were read just now.
    setImmediate(() => {
      if (this.#connection === null) return;
      if (done === null) this.onFailed(reason);
      else done(reason);
    });
  }
}

function toName(name: SocketAddress | string | undefined): SocketName | null {
  if (name === undefined) return null;
  if (typeof name === 'string') return {};
  const { address, port, family, scopeId = 0 } = name;
  return { address: scopeId === 0 ? address : `${address}%${scopeId}`, family, port };
}

/** Calls on behalf of an event: what a listener of the stream throws is uncaught, as node:net's. */
function tell(connection: Connection, call: (transport: Transport) => void): void {
  const transport = connection.data as Transport | undefined;
  if (transport === undefined) return;
  try {
    call(transport);
  } catch (error) {
    native.fatalException(error);
  }
}

/** The handlers of a connection that has a transport. */
export const TRANSPORT_HANDLERS: StreamHandlers<Connection> = {
  data(connection, chunk) {
    const transport = connection.data as Transport | undefined;
    try {
      transport?.onData(chunk);
    } catch (error) {
      native.fatalException(error);
    }
  },
  drain: (connection) => tell(connection, (transport) => transport.onDrain()),
  end: (connection) => tell(connection, (transport) => transport.onEnd()),
  close: (connection, error) => tell(connection, (transport) => transport.onClose(error)),
};
