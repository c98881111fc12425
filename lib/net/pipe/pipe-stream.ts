import { checkNames } from '../../binding/validate.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import { checkCancel, type CancelOptions } from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';
import { toIdleTracker } from '../socket/idle-tracker.js';
import { adopt } from '../stream/opening.js';
import { RetriedConnect } from '../stream/retried-connect.js';
import { SocketStream } from '../stream/socket-stream.js';
import { STREAM_NAMES, toStreamProfile, type StreamProfile } from '../stream/stream-profile.js';
import { cannotDetach, PIPE_TRAITS, toConnectSettings } from './pipe-profile.js';

/** Options of a named pipe with promises. */
export interface PipeStreamOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
  /**
   * Milliseconds without bytes after which it is destroyed, as in `ConnectionOptions`. Default:
   * never.
   */
  idleTimeoutMs?: number | undefined;
}

/**
 * A named pipe of Windows with promises. Both its addresses are the pipe's name.
 *
 * A pipe has no half-close: `end()` ends both directions, as soon as all that was written is out
 * and what has come by then is read. It belongs to its reactor for life: `intoFd` gives a number
 * that only a stream of the same reactor could use. Options of sockets are ENOTSOCK.
 */
export class PipeStream extends SocketStream<string> {
  readonly #path: string;

  private constructor(profile: StreamProfile, path: string) {
    super(profile);
    this.#path = path;
  }

  /**
   * Connects. A server that has no instance free is tried again every 10 ms, until `timeoutMs`, or
   * for 30 s without it. The server is told who this process's user is, and cannot act in its name
   * (SECURITY_IDENTIFICATION).
   *
   * @param path `\\.\pipe\name`, or `\\?\pipe\name`
   * @throws (as rejection) TypeError; RangeError for another name; ENAMETOOLONG; ENOENT when nobody
   * listens, EACCES, EBUSY and what else CreateFile says; ABORT_ERR, ERR_TRIPOLL_TIMEOUT;
   * ERR_TRIPOLL_UNSUPPORTED where `capabilities.namedPipes` is false
   */
  static async connect(path: string, options: PipeStreamOptions & CancelOptions = {}): Promise<PipeStream> {
    checkNames('options', options, STREAM_NAMES, { signal: true, timeoutMs: true });
    checkCancel(options);
    const reactor = chooseReactor(options.reactor);
    const profile = toStreamProfile(reactor, toIdleTracker(reactor, options), null, PIPE_TRAITS);
    const stream = new PipeStream(profile, path);
    const settings = toConnectSettings(path, options, false);
    return stream.whenOpen(() => stream.connectBy(new RetriedConnect(stream, profile, settings)));
  }

  /** @internal For `PipeListener`. */
  static accepted(fd: number, profile: StreamProfile, path: string): PipeStream {
    const stream = new PipeStream(profile, path);
    adopt(stream, fd);
    return stream;
  }

  /** Of a pipe there is none. @throws (as rejection) ERR_TRIPOLL_UNSUPPORTED */
  detach(): Promise<never> {
    return Promise.reject(cannotDetach());
  }

  protected addressOf(): string | undefined {
    return this.fd < 0 ? undefined : this.#path;
  }
}
