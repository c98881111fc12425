import { capabilities } from '../binding/capabilities.js';
import { closedError, stateError, systemError, writeOverflowError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkBytes, checkFunction, checkInteger, checkObject } from '../binding/validate.js';
import { Reactor } from '../reactor/reactor.js';
import { splitHostPort } from '../sys/address.js';
import { getArena } from './arena.js';
import { resolve } from './resolve.js';
import { CLOSED, EAGAIN, EINTR, READS_PER_EVENT, StreamCore, type TcpOptions } from './stream-core.js';
import type { TcpListener } from './tcp-listener.js';

/** As node:net's default for sockets (getDefaultHighWaterMark()). */
const DEFAULT_HIGH_WATER_MARK_BYTES = 64 * 1024;
const DEFAULT_MAX_QUEUED_BYTES = 16 * 1024 * 1024;

/**
 * What a handler-style connection calls; all are optional. `close` comes exactly once and last. What a
 * handler throws, or an async one rejects with, destroys that connection with that error.
 */
export interface TcpHandlers<Data = unknown> {
  /** Accepted, or connected. */
  open?(connection: TcpConnection<Data>): void;
  /** Bytes came. `chunk` is lent until the handler returns; copy what you keep. */
  data?(connection: TcpConnection<Data>, chunk: Uint8Array): unknown;
  /** The write queue has fallen to `lowWaterMarkBytes`, after a `write` that returned false. */
  drain?(connection: TcpConnection<Data>): void;
  /** The peer has ended its side. Unless `allowHalfOpen`, ours ends when its writes are flushed. */
  end?(connection: TcpConnection<Data>): void;
  /** What ended the connection, before `close`. */
  error?(connection: TcpConnection<Data>, error: Error): void;
  close?(connection: TcpConnection<Data>, error: Error | null): void;
}

export interface ConnectionOptions extends TcpOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
  /** Our side stays open after the peer's end, until `end()`; default false. */
  allowHalfOpen?: boolean | undefined;
  /** `write` returns false above it; default 65536. */
  highWaterMarkBytes?: number | undefined;
  /** `drain` comes at or below it; default a quarter of the high one. */
  lowWaterMarkBytes?: number | undefined;
  /** More than this destroys the connection with ERR_TRIPOLL_WRITE_OVERFLOW; default 16 MiB. */
  maxQueuedBytes?: number | undefined;
}

export interface ConnectTarget extends ConnectionOptions {
  /** A name or an address. */
  host: string;
  port: number;
}

/** What all connections of a listener share. */
export interface ConnectionSettings {
  readonly allowHalfOpen: boolean;
  readonly highWaterMarkBytes: number;
  readonly lowWaterMarkBytes: number;
  readonly maxQueuedBytes: number;
}

export function checkHandlers(handlers: unknown): void {
  checkObject('handlers', handlers);
  for (const name of ['open', 'data', 'drain', 'end', 'error', 'close', 'drop']) {
    const handler = (handlers as Record<string, unknown>)[name];
    if (handler !== undefined) checkFunction(`handlers.${name}`, handler);
  }
}

export function toSettings(options: ConnectionOptions): ConnectionSettings {
  const { allowHalfOpen = false, highWaterMarkBytes = DEFAULT_HIGH_WATER_MARK_BYTES } = options;
  const { maxQueuedBytes = DEFAULT_MAX_QUEUED_BYTES } = options;
  checkInteger('highWaterMarkBytes', highWaterMarkBytes, 0, Number.MAX_SAFE_INTEGER);
  const { lowWaterMarkBytes = Math.floor(highWaterMarkBytes / 4) } = options;
  checkInteger('lowWaterMarkBytes', lowWaterMarkBytes, 0, highWaterMarkBytes);
  checkInteger('maxQueuedBytes', maxQueuedBytes, 0, Number.MAX_SAFE_INTEGER);
  return { allowHalfOpen, highWaterMarkBytes, lowWaterMarkBytes, maxQueuedBytes };
}

/** A handler-style TCP connection: made by `listen` and `connect`. */
export class TcpConnection<Data = unknown> extends StreamCore {
  /** The user's own. */
  data: Data | undefined = undefined;
  /** Whose `accept` made it; null for one that was connected. */
  readonly listener: TcpListener | null;
  readonly #handlers: TcpHandlers<Data>;
  readonly #settings: ConnectionSettings;
  #needsDrain = false;
  /** `close` has been told, or was called by the user: from then on a write is a mistake. */
  #ended = false;

  private constructor(
    reactor: Reactor,
    handlers: TcpHandlers<Data>,
    settings: ConnectionSettings,
    listener: TcpListener | null,
  ) {
    super(reactor);
    this.#handlers = handlers;
    this.#settings = settings;
    this.listener = listener;
  }

  /** For `TcpListener`. */
  static accepted(
    fd: number,
    useEdge: boolean,
    handlers: TcpHandlers,
    settings: ConnectionSettings,
    listener: TcpListener,
  ): TcpConnection {
    const connection = new TcpConnection(listener.reactor, handlers, settings, listener);
    connection.adopt(fd, useEdge);
    if (connection.isOpen) connection.onOpen();
    return connection;
  }

  /** For `connect`. */
  static connecting<Data>(target: ConnectTarget, handlers: TcpHandlers<Data>): TcpConnection<Data> {
    checkObject('target', target);
    checkHandlers(handlers);
    const hostPort = splitHostPort(target);
    const reactor = target.reactor ?? Reactor.default;
    if (reactor.closed) throw closedError('Reactor');
    const connection = new TcpConnection<Data>(reactor, handlers, toSettings(target), null);
    resolve(hostPort, (error, candidates) => {
      if (error !== null) connection.destroy(error);
      else if (!connection.closed) connection.connectTo(candidates, target);
    });
    return connection;
  }

  // ---- reading ----

  protected readNow(): void {
    const arena = getArena();
    for (let i = 0; i < READS_PER_EVENT; i++) {
      if (!this.isOpen || this.isPaused || this.readEnded) return;
      arena.prepare();
      const received = native.recvArena(this.fd);
      if (received > 0) {
        this.#deliver(received);
        if (received < arena.bytes && this.readShort()) return;
      } else if (received === 0) {
        this.#onEnd();
        return;
      } else if (received === EAGAIN) {
        this.readEmpty();
        return;
      } else if (received !== EINTR) {
        this.destroy(systemError(received, 'read'));
        return;
      }
    }
    this.readLater();
  }

  #deliver(length: number): void {
    const handlers = this.#handlers;
    if (handlers.data === undefined) return;
    const arena = getArena();
    try {
      const result = handlers.data(this, arena.lend(length));
      // An async handler: what it rejects with must not be lost.
      if (result !== undefined && isThenable(result)) {
        result.then(undefined, (error: unknown) => this.#onThrown(error));
      }
    } catch (error) {
      this.#onThrown(error);
    }
    if (capabilities.debug) arena.poison(length);
  }

  #onEnd(): void {
    this.markReadEnded();
    this.#call(this.#handlers.end);
    if (!this.isOpen) return;
    if (!this.#settings.allowHalfOpen) this.endWrite();
    this.finishIfDone();
  }

  /** Stops `data`, and with it, soon, the peer. */
  pause(): this {
    this.setPaused(true);
    return this;
  }

  resume(): this {
    this.setPaused(false);
    return this;
  }

  // ---- writing ----

  /**
   * Writes all of `chunk`, in order. What the socket does not take at once is copied and queued.
   *
   * @returns false when more than `highWaterMarkBytes` wait: pause until `drain`. Also false when the connection
   * has failed and `close` is about to tell.
   * @throws TypeError when it is no Uint8Array; ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_STATE after `end()`
   */
  write(chunk: Uint8Array): boolean {
    if (this.writeEnded || this.state === CLOSED) return this.#refuseWrite();
    let written = 0;
    if (this.canWriteNow) {
      const arena = getArena();
      const { length } = chunk;
      // The chunk that was just lent, sent back: native code has it already.
      written = chunk === arena.lent ? native.sendArena(this.fd, length) : native.sendFrom(this.fd, chunk);
      if (written === length) return true;
      if (written < 0) {
        if (written !== EAGAIN && written !== EINTR) {
          this.destroy(systemError(written, 'write'));
          return false;
        }
        written = 0;
      }
    }
    return this.#enqueue(chunk, written);
  }

  #refuseWrite(): boolean {
    if (this.#ended) throw closedError('TcpConnection');
    if (this.state === CLOSED) return false;
    throw stateError('write() after end()');
  }

  #enqueue(chunk: Uint8Array, offset: number): boolean {
    checkBytes('chunk', chunk);
    const queuedBytes = this.queuedBytes + chunk.length - offset;
    const { maxQueuedBytes, highWaterMarkBytes } = this.#settings;
    if (queuedBytes > maxQueuedBytes) {
      this.destroy(writeOverflowError(queuedBytes, maxQueuedBytes));
      return false;
    }
    if (chunk.length > offset) this.ensureQueue().push(chunk.slice(offset), null);
    this.armWrite();
    if (queuedBytes <= highWaterMarkBytes) return true;
    this.#needsDrain = true;
    return false;
  }

  /** Holds writes back until `uncork`, which sends them together. */
  cork(): void {
    this.setCorked(true);
  }

  uncork(): void {
    this.setCorked(false);
  }

  /**
   * Ends our side when all has been written, `chunk` the last. The peer may go on sending.
   *
   * @throws as `write`
   */
  end(chunk?: Uint8Array): void {
    if (chunk !== undefined) this.write(chunk);
    this.endWrite();
  }

  // ---- the end ----

  /** Closes at once; what is queued is dropped. May be called twice. */
  close(): void {
    this.#ended = true;
    this.destroy(null);
  }

  /** Closes with a RST. */
  reset(): void {
    this.#ended = true;
    this.resetNow();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // ---- what the core tells ----

  protected onOpen(): void {
    this.#call(this.#handlers.open);
  }

  protected onFlushed(): void {
    if (!this.#needsDrain || this.queuedBytes > this.#settings.lowWaterMarkBytes) return;
    this.#needsDrain = false;
    this.#call(this.#handlers.drain);
  }

  protected onDestroyed(error: Error | null): void {
    // Not from in here: the user's own call may be what destroyed it.
    this.reactor.defer(() => {
      this.#ended = true;
      const { error: onError, close: onClose } = this.#handlers;
      if (error !== null && onError !== undefined) callLast(() => onError.call(this.#handlers, this, error));
      if (onClose !== undefined) callLast(() => onClose.call(this.#handlers, this, error));
      this.listener?.connectionClosed();
    });
  }

  #call(handler: ((connection: TcpConnection<Data>) => unknown) | undefined): void {
    if (handler === undefined) return;
    try {
      const result = handler.call(this.#handlers, this);
      if (isThenable(result)) result.then(undefined, (error: unknown) => this.#onThrown(error));
    } catch (error) {
      this.#onThrown(error);
    }
  }

  #onThrown(thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : stateError(`a handler threw ${String(thrown)}`);
    // A mistake of the program, not of the network: nobody to tell it to is no reason to hide it.
    if (this.#handlers.error === undefined || this.closed) native.fatalException(error);
    this.destroy(error);
  }
}

/** After `close` there is nobody left to destroy: what is thrown is uncaught. */
function callLast(handler: () => unknown): void {
  try {
    const result = handler();
    if (isThenable(result)) result.then(undefined, (error: unknown) => native.fatalException(error));
  } catch (error) {
    native.fatalException(error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
}

/**
 * Connects handler-style; returns at once, `open` tells when it is done. A failed connect is `error` and
 * `close`, without `open`.
 *
 * @param target `host` may be a name, whose addresses are tried in turn
 * @throws TypeError, RangeError for wrong arguments; ERR_TRIPOLL_CLOSED
 */
export function connect<Data = unknown>(target: ConnectTarget, handlers: TcpHandlers<Data>): TcpConnection<Data> {
  return TcpConnection.connecting(target, handlers);
}
