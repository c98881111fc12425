import { checkNames } from '../../binding/validate.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import { abortedBefore, checkCancelTypes, type CancelOptions } from '../../reactor/cancellation.js';
import { withOptions } from '../socket/place.js';
import {
  checkHandlers,
  CONNECTION_NAMES,
  toConnectionProfile,
  type ConnectionProfile,
  type SocketConnectionOptions,
  type StreamHandlers,
} from '../stream/connection-profile.js';
import { adopt } from '../stream/opening.js';
import { RetriedConnect } from '../stream/retried-connect.js';
import { SocketConnection } from '../stream/socket-connection.js';
import type { StreamListener } from '../stream/stream-listener.js';
import { cannotDetach, PIPE_TRAITS, toConnectSettings } from './pipe-profile.js';
import type { PipeStream } from './pipe-stream.js';

/** Handlers of a connection by a named pipe; all are optional. */
export type PipeHandlers<Data = unknown> = StreamHandlers<PipeConnection<Data>>;

/**
 * What `connectPipe` takes besides the path. `signal` and `timeoutMs` are for the connecting: once
 * open they have no effect. `allowHalfOpen` only keeps the connection open after the peer's end,
 * for what is left to be done: nothing can be sent any more.
 */
export interface PipeConnectOptions extends SocketConnectionOptions, CancelOptions {}

/** Target of a connect, and its options. */
export interface PipeConnectTarget extends PipeConnectOptions {
  /** `\\.\pipe\name`, or `\\?\pipe\name`. */
  path: string;
}

const TARGET_NAMES = { path: true, signal: true, timeoutMs: true } as const;

/** A handler-style connection by a named pipe. `end()` ends both directions, as `PipeStream`'s. */
export class PipeConnection<Data = unknown> extends SocketConnection<Data, string> {
  readonly #path: string;

  private constructor(profile: ConnectionProfile, path: string) {
    super(profile);
    this.#path = path;
  }

  /** @internal For `PipeListener`. */
  static accepted(fd: number, profile: ConnectionProfile, path: string): void {
    const connection = new PipeConnection(profile, path);
    adopt(connection, fd);
    if (connection.isOpen) connection.onOpen();
  }

  /** @internal For `connectPipe`. */
  static connecting<Data>(
    to: PipeConnectTarget | string,
    handlers: PipeHandlers<Data>,
    options: PipeConnectOptions | undefined,
  ): PipeConnection<Data> {
    const target = withOptions<PipeConnectTarget, string>(to, options, (path) => ({ path }));
    checkNames('target', target, CONNECTION_NAMES, TARGET_NAMES);
    checkHandlers(handlers);
    checkCancelTypes(target);
    const reactor = chooseReactor(target.reactor);
    const profile = toConnectionProfile(reactor, handlers, target, null, PIPE_TRAITS);
    const connection = new PipeConnection<Data>(profile, target.path);
    const aborted = abortedBefore(target);
    const settings = toConnectSettings(target.path, target, true);
    if (aborted !== null) connection.destroy(aborted);
    else connection.connectBy(new RetriedConnect(connection, profile, settings));
    return connection;
  }

  /** The listener that accepted it; null for one that was connected. */
  get listener(): StreamListener<PipeStream, string> | null {
    return this.profile.listener as StreamListener<PipeStream, string> | null;
  }

  /** Of a pipe there is none. @throws (as rejection) ERR_TRIPOLL_UNSUPPORTED */
  detach(): Promise<never> {
    return Promise.reject(cannotDetach());
  }

  protected addressOf(): string | undefined {
    return this.fd < 0 ? undefined : this.#path;
  }
}

/**
 * Connects handler-style to a named pipe of Windows; `open` tells when it is done. A failed connect
 * is `error` and `close`, without `open`. A busy server is tried again, as by `PipeStream.connect`.
 *
 * @param target `{ path, ...options }`, or only the path with the options behind
 * @param options for a `target` that is a path
 * @throws TypeError, RangeError for wrong arguments; ENAMETOOLONG; ERR_TRIPOLL_UNSUPPORTED;
 * ERR_TRIPOLL_CLOSED
 */
export function connectPipe<Data = unknown>(
  target: PipeConnectTarget | string,
  handlers: PipeHandlers<Data>,
  options?: PipeConnectOptions,
): PipeConnection<Data> {
  return PipeConnection.connecting(target, handlers, options);
}
