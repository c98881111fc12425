import { unknownOptionError } from '../../binding/errors.js';
import { checkBoolean, checkInteger, checkObject } from '../../binding/validate.js';
import { withOptions } from '../socket/place.js';
import {
  checkHandlers,
  type ConnectionProfile,
  type SocketConnectionOptions,
} from '../stream/connection-profile.js';
import type { DropHandlers } from '../stream/listen-options.js';
import { StreamListener, type AcceptedStream } from '../stream/stream-listener.js';
import type { StreamProfile } from '../stream/stream-profile.js';
import { PipeConnection, type PipeHandlers } from './pipe-connection.js';
import { checkPipeName, listenAt } from './pipe-name.js';
import { PIPE_TRAITS } from './pipe-profile.js';
import { PipeStream } from './pipe-stream.js';

/** Each is an instance of the pipe, which costs some of the system's memory while it waits. */
const DEFAULT_BACKLOG = 8;
/** As many as a name can be limited to (CreateNamedPipe's nMaxInstances). */
const MAX_BACKLOG = 254;

/** Options of a listener on a named pipe, in both styles. */
export interface PipeListenOptions extends SocketConnectionOptions {
  /**
   * How many clients can connect before one is accepted, 1 to 254; default 8. One more hears that
   * the pipe is busy, and tries again.
   */
  backlog?: number | undefined;
  /** As of `StreamListenOptions`. */
  maxConnections?: number | undefined;
  /** Whether other machines may connect. Default false: PIPE_REJECT_REMOTE_CLIENTS. */
  allowRemote?: boolean | undefined;
}

/** Where, and how, `listenPipe` listens. */
export interface PipeListenTarget extends PipeListenOptions {
  /** `\\.\pipe\name`, or `\\?\pipe\name`. */
  path: string;
}

/** Handlers of `listenPipe`: those of its connections, and `drop`. */
export type PipeListenHandlers<Data = unknown> = PipeHandlers<Data> & DropHandlers<PipeListener, string>;
/** Options of `PipeListener.bind`. */
export type PipeListenerBindOptions = PipeListenOptions & DropHandlers<PipeListener, string>;
/** What `PipeListener.accept` gives. */
export type PipeAccepted = AcceptedStream<PipeStream, string>;

const NAMES = { path: true, allowRemote: true } as const;

/**
 * Accepts connections by a named pipe of Windows, for handlers (`listenPipe`) or for promises
 * (`PipeListener.bind`). Its connections keep the name in use when it has closed. Who may connect
 * is what Windows says by default: its own user and administrators; others may only read.
 */
export class PipeListener extends StreamListener<PipeStream, string, PipeConnection> {
  readonly #path: string;

  private constructor(path: string, options: PipeListenerBindOptions, handlers: PipeListenHandlers | null) {
    // What all stream listeners take, and a pipe has not.
    for (const name of ['socketOptions', 'acceptedSocketOptions']) {
      if (Object.hasOwn(options, name)) throw unknownOptionError(name);
    }
    const { backlog = DEFAULT_BACKLOG, allowRemote = false } = options;
    checkInteger('backlog', backlog, 1, MAX_BACKLOG);
    checkBoolean('allowRemote', allowRemote);
    checkPipeName(path, 'listen');
    super({
      options,
      handlers,
      names: NAMES,
      traits: PIPE_TRAITS,
      open: () => listenAt(path, backlog, allowRemote),
    });
    this.#path = path;
  }

  /**
   * Listens for promises: `accept()`, or `for await (const stream of listener)`.
   *
   * @param path `\\.\pipe\name`, or `\\?\pipe\name`
   * @throws (as rejection) TypeError; RangeError for another name; ENAMETOOLONG; EADDRINUSE when
   * the name has a server already, or a connection of one that has closed, and what else
   * CreateNamedPipe says; ERR_TRIPOLL_UNSUPPORTED where `capabilities.namedPipes` is false
   */
  static override bind(path: string, options: PipeListenerBindOptions = {}): Promise<PipeListener> {
    // Synchronous work under a promise, so that bad input is a rejection here too.
    return new Promise((resolve) => {
      checkObject('options', options);
      resolve(new PipeListener(path, options, null));
    });
  }

  /** @internal For `listenPipe`. */
  static listening(
    place: PipeListenTarget | string,
    handlers: PipeListenHandlers,
    options: PipeListenOptions | undefined,
  ): PipeListener {
    const target = withOptions<PipeListenTarget, string>(place, options, (path) => ({ path }));
    checkHandlers(handlers);
    return new PipeListener(target.path, target, handlers);
  }

  protected toConnection(fd: number, profile: ConnectionProfile): void {
    PipeConnection.accepted(fd, profile, this.#path);
  }

  protected toStream(fd: number, profile: StreamProfile): PipeStream {
    return PipeStream.accepted(fd, profile, this.#path);
  }

  protected nameOf(_side: 'local' | 'remote', fd: number): string | undefined {
    return fd < 0 ? undefined : this.#path;
  }
}

/**
 * Listens handler-style on a named pipe of Windows. All connections share `handlers`.
 *
 * @param target `{ path, ...options }`, or only the path with the options behind
 * @param options for a `target` that is a path
 * @throws TypeError, RangeError for wrong arguments; as `PipeListener.bind`; ERR_TRIPOLL_CLOSED
 */
export function listenPipe<Data = unknown>(
  target: PipeListenTarget | string,
  handlers: PipeListenHandlers<Data>,
  options?: PipeListenOptions,
): PipeListener {
  return PipeListener.listening(target, handlers, options);
}
