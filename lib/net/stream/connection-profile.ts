import type { HandlerError } from '../../binding/errors.js';
import { checkFunction, checkInteger, checkObject } from '../../binding/validate.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { SyncResult } from '../socket/handler-call.js';
import { toIdleTracker } from '../socket/idle-tracker.js';
import { toStreamProfile, type StreamProfile, type StreamTraits } from './stream-profile.js';

/** As node:net's default for sockets (getDefaultHighWaterMark()). */
const DEFAULT_HIGH_WATER_MARK_BYTES = 64 * 1024;
const DEFAULT_MAX_QUEUED_BYTES = 16 * 1024 * 1024;

/**
 * What a handler-style connection calls; all are optional. `close` comes exactly once and last.
 * What a handler throws, or an async one rejects with, destroys that connection with that error.
 */
export interface StreamHandlers<Connection> {
  /** Accepted, or connected. */
  open?(connection: Connection): unknown;
  /**
   * Bytes came. `chunk` is lent until the handler returns; copy what you keep. That is why an async
   * function is a type error here: after its first `await` the chunk holds other bytes.
   */
  data?(connection: Connection, chunk: Uint8Array): SyncResult;
  /** The write queue has fallen to `lowWaterMarkBytes`, after a `write` that returned false. */
  drain?(connection: Connection): unknown;
  /** The peer has ended its side. Unless `allowHalfOpen`, ours ends when its writes are flushed. */
  end?(connection: Connection): unknown;
  /** What ended the connection, before `close`. */
  error?(connection: Connection, error: HandlerError): unknown;
  /** It is over: called once, and last; `error` is what ended it, or null. */
  close?(connection: Connection, error: HandlerError | null): unknown;
}

/** Options of a handler-style connection of any family. */
export interface SocketConnectionOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
  /** Our side stays open after the peer's end, until `end()`; default false. */
  allowHalfOpen?: boolean | undefined;
  /** `write` returns false above it; default 65536. */
  highWaterMarkBytes?: number | undefined;
  /** `drain` comes at or below it; default a quarter of the high one. */
  lowWaterMarkBytes?: number | undefined;
  /**
   * More than this destroys the connection with ERR_TRIPOLL_WRITE_OVERFLOW; default 16 MiB. What
   * queued writes take beside their bytes counts too, where it is much: of more than 64 that cannot
   * be joined, 400 bytes each.
   */
  maxQueuedBytes?: number | undefined;
  /**
   * A connection that for so long has neither received bytes nor got any written, paused or not, is
   * destroyed with a TimeoutError, ERR_TRIPOLL_TIMEOUT; found late by at most a quarter of it.
   * Bytes that only wait to be written are no activity. Default: never.
   */
  idleTimeoutMs?: number | undefined;
}

/** Names of `SocketConnectionOptions`. */
export const CONNECTION_NAMES: Readonly<Record<keyof SocketConnectionOptions, true>> = {
  reactor: true,
  allowHalfOpen: true,
  highWaterMarkBytes: true,
  lowWaterMarkBytes: true,
  maxQueuedBytes: true,
  idleTimeoutMs: true,
};

/** The options, with their defaults. */
interface ConnectionSettings {
  /** Whether our side stays open after the peer's end. */
  readonly allowHalfOpen: boolean;
  /** Above it `write` returns false. */
  readonly highWaterMarkBytes: number;
  /** At or below it `drain` comes. */
  readonly lowWaterMarkBytes: number;
  /** Above it the connection is destroyed. */
  readonly maxQueuedBytes: number;
}

/** What all connections of a listener share. */
export interface ConnectionProfile extends StreamProfile {
  /** The handlers that its connections call. */
  readonly handlers: StreamHandlers<never>;
  /** The options of its connections. */
  readonly settings: ConnectionSettings;
  /** The listener that accepted them; null for one that was connected. */
  readonly listener: object | null;
}

export function toConnectionProfile(
  reactor: Reactor,
  handlers: StreamHandlers<never>,
  options: SocketConnectionOptions,
  owner: StreamProfile['owner'],
  traits: StreamTraits,
  listener: object | null = null,
): ConnectionProfile {
  const settings = toSettings(options);
  return {
    ...toStreamProfile(reactor, toIdleTracker(reactor, options), owner, traits),
    handlers,
    settings,
    listener,
  };
}

export function checkHandlers(handlers: unknown): void {
  checkObject('handlers', handlers);
  for (const name of ['open', 'data', 'drain', 'end', 'error', 'close', 'drop']) {
    const handler = (handlers as Record<string, unknown>)[name];
    if (handler !== undefined) checkFunction(`handlers.${name}`, handler);
  }
}

export function toSettings(options: SocketConnectionOptions): ConnectionSettings {
  const { allowHalfOpen = false, highWaterMarkBytes = DEFAULT_HIGH_WATER_MARK_BYTES } = options;
  const { maxQueuedBytes = DEFAULT_MAX_QUEUED_BYTES } = options;
  checkInteger('highWaterMarkBytes', highWaterMarkBytes, 0, Number.MAX_SAFE_INTEGER);
  const { lowWaterMarkBytes = Math.floor(highWaterMarkBytes / 4) } = options;
  checkInteger('lowWaterMarkBytes', lowWaterMarkBytes, 0, highWaterMarkBytes);
  checkInteger('maxQueuedBytes', maxQueuedBytes, 0, Number.MAX_SAFE_INTEGER);
  return { allowHalfOpen, highWaterMarkBytes, lowWaterMarkBytes, maxQueuedBytes };
}
