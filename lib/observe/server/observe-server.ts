import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { busyError, invalidArgType, unsupportedError } from '../../binding/errors.js';
import { describeHost } from '../../binding/host.js';
import { nowMs } from '../../binding/host-clock.js';
import { native } from '../../binding/native.js';
import { checkNames } from '../../binding/validate.js';
import type { UnixConnection } from '../../net/unix/unix-connection.js';
import { listenUnix, type UnixListener } from '../../net/unix/unix-listener.js';
import { Reactor } from '../../reactor/reactor.js';
import type { Recorder } from '../recorder/recorder.js';
import { checkSources, type CheckedSource, type MetricSource } from '../sources.js';
import { fileNameOf, ownFolder, ownUid } from './places.js';
import { MAX_CLIENTS, PROTOCOL, type Greeting, type Snapshot } from './protocol.js';
import { ReactorView, type Window } from './reactor-view.js';
import { Session } from './session.js';
import { Tracing } from './tracing.js';

/** Options of an `ObserveServer`. */
export interface ObserveServerOptions {
  /**
   * Where it listens; default: a file that `npx tripoll top` finds by the process's number, in a
   * folder of this user's alone: `$XDG_RUNTIME_DIR/tripoll`, or `tripoll-UID` in the temporary
   * folder.
   */
  path?: string | undefined;
  /** What it tells of, as `prometheusText` takes them; default: this thread's `Reactor.default`. */
  sources?: readonly MetricSource[] | undefined;
  /** What `npx tripoll trace` is given; default: each reactor is recorded while it is asked for. */
  recorder?: Recorder | undefined;
}

const NAMES: Readonly<Record<keyof ObserveServerOptions, true>> = {
  path: true,
  sources: true,
  recorder: true,
};
/** One process has hardly more; and what they say fits into an answer. */
const MAX_SOURCES = 64;
const MODE = 0o600;
/** Of hottest registrations, and of slowest handlers: as a screen has lines. */
const MAX_LEADERS = 20;
/** Of a name, or a program with its arguments: some lines of a terminal. */
const MAX_TEXT_LENGTH = 200;
const MS_PER_SECOND = 1000;
const ROOT = 0;

/** Whether a client may look: this process's user, and root, who may do so anyway. */
export function mayLook(peerUid: number, uid: number): boolean {
  return peerUid === uid || peerUid === ROOT;
}

/**
 * Lets `npx tripoll top` and `npx tripoll trace` look into this process, over a Unix socket which its
 * user and root alone may use: the system tells who a client is. Times are taken while there is a
 * client. It runs on a reactor of its own, keeps no process alive, and ends with the last of its
 * reactors.
 */
export class ObserveServer {
  /** Where it listens. */
  readonly path: string;
  readonly #sources: readonly CheckedSource[];
  readonly #recorder: Recorder | null;
  readonly #reactor = new Reactor();
  readonly #listener: UnixListener;
  readonly #sessions = new Map<UnixConnection, Session>();
  #views: ReactorView[] = [];
  #trace: Tracing | null = null;
  #forget: (() => void)[] = [];
  #closed = false;

  /**
   * It listens at once.
   *
   * @throws TypeError; ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_UNSUPPORTED on Windows, which does not tell
   * who a client is; EADDRINUSE where another one listens, as a second one of this thread does
   * without a `path`; EACCES when the default folder is another's; what bind(2) says
   */
  constructor(options: ObserveServerOptions = {}) {
    checkNames('options', options, NAMES);
    const { sources = [], recorder } = options;
    if (!Array.isArray(sources) || sources.length > MAX_SOURCES)
      throw invalidArgType('sources', `an array of at most ${MAX_SOURCES}`, sources);
    if (recorder !== undefined && typeof (recorder as { trace?: unknown }).trace !== 'function')
      throw invalidArgType('recorder', 'a Recorder', recorder);
    this.#sources = checkSources(sources);
    this.#recorder = recorder ?? null;
    if (native.peerCredentials === undefined)
      throw unsupportedError('an ObserveServer: this platform does not tell who a client is');
    this.path = options.path ?? join(ownFolder(), fileNameOf(process.pid, threadId));
    try {
      this.#listener = this.#listen();
    } catch (error) {
      this.#reactor.close();
      throw error;
    }
    this.#endWithReactors();
    process.once('exit', this.#onExit);
  }

  #listen(): UnixListener {
    const target = { path: this.path, reactor: this.#reactor, mode: MODE, unlinkStale: true };
    return listenUnix(
      { ...target, maxConnections: MAX_CLIENTS },
      {
        open: (connection) => this.#open(connection),
        data: (connection, chunk) => this.#sessions.get(connection)?.push(chunk),
        drain: (connection) => this.#sessions.get(connection)?.drained(),
        // A request that is none, or too long; a client that resets: its own affair.
        error: () => undefined,
        close: (connection) => this.#onGone(connection),
      },
    ).unref();
  }

  /** Its file does not outlive the process, unless that is killed. */
  readonly #onExit = (): void => this.close();

  #endWithReactors(): void {
    const open = new Set(this.#reactors());
    for (const reactor of open)
      this.#forget.push(
        reactor.registry.onClose(() => {
          open.delete(reactor);
          if (open.size === 0) this.close();
        }),
      );
  }

  #reactors(): Reactor[] {
    return this.#sources.flatMap(({ reactor }) => (reactor === null ? [] : [reactor]));
  }

  // ---- clients ----

  #open(connection: UnixConnection): void {
    connection.unref();
    const { uid } = connection.peerCredentials;
    if (!mayLook(uid, ownUid())) {
      connection.destroy(null);
      return;
    }
    if (this.#views.length === 0) this.#startLooking();
    this.#sessions.set(connection, new Session(this.#host, connection));
  }

  #startLooking(): void {
    this.#views = this.#sources.flatMap(({ reactor, attributes }) => {
      if (reactor === null || reactor.closed) return [];
      return [new ReactorView(reactor, nameOf(attributes, 'reactor'))];
    });
  }

  #onGone(connection: UnixConnection): void {
    this.#sessions.get(connection)?.end();
    this.#sessions.delete(connection);
    if (this.#sessions.size === 0) this.#stopLooking();
  }

  #stopLooking(): void {
    for (const view of this.#views) view.close();
    this.#views = [];
  }

  readonly #host = {
    greeting: greet(),
    snapshot: (windows: Map<ReactorView, Window>) => this.#snapshot(windows),
    startTrace: (seconds: number, done: (memories: readonly SharedArrayBuffer[]) => void) =>
      this.#startTrace(seconds, done),
  };

  #snapshot(windows: Map<ReactorView, Window>): Snapshot {
    const now = nowMs();
    const reactors = this.#views.map((view) => {
      const { told, window } = view.snapshot(windows.get(view));
      windows.set(view, window);
      return told;
    });
    const leaders = this.#views.map((view) => view.leaders(now, MAX_LEADERS));
    const { user, system } = process.cpuUsage();
    return {
      ...{ nowMs: now, uptimeMs: process.uptime() * MS_PER_SECOND, cpuUs: user + system },
      ...{ rssBytes: process.memoryUsage.rss(), reactors },
      runtimes: this.#sources.flatMap(({ runtime, attributes }) =>
        runtime === null ? [] : [{ name: nameOf(attributes, 'runtime'), ...runtime.metrics() }],
      ),
      hottest: most(
        leaders.flatMap(({ hottest }) => hottest),
        ({ busyShare }) => busyShare,
      ),
      slowest: most(
        leaders.flatMap(({ slowest }) => slowest),
        ({ tookMs }) => tookMs,
      ),
    };
  }

  #startTrace(seconds: number, done: (memories: readonly SharedArrayBuffer[]) => void): { cancel(): void } {
    if (this.#trace !== null) throw busyError('another client is tracing');
    const over = (): void => {
      if (this.#trace === trace) this.#trace = null;
    };
    const trace = new Tracing(this.#recorder, this.#reactors(), this.#reactor, seconds, (memories) => {
      over();
      done(memories);
    });
    this.#trace = trace;
    return {
      cancel(): void {
        over();
        trace.cancel();
      },
    };
  }

  // ---- the end ----

  /** Whether it has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Listens no more, and lets its clients go. May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    process.off('exit', this.#onExit);
    for (const forget of this.#forget) forget();
    this.#forget = [];
    this.#listener.close();
    // Which ends the connections, and so their sessions.
    this.#reactor.close();
    this.#stopLooking();
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** What it is told as: its attribute of that name, else all of them. */
function nameOf(attributes: CheckedSource['attributes'], kind: 'reactor' | 'runtime'): string {
  const all = Object.values(attributes).join(' ');
  return String(attributes[kind] ?? (all === '' ? kind : all)).slice(0, MAX_TEXT_LENGTH);
}

function most<T>(all: readonly T[], measure: (each: T) => number): T[] {
  return [...all].sort((one, other) => measure(other) - measure(one)).slice(0, MAX_LEADERS);
}

function greet(): Greeting {
  const { runtime } = describeHost();
  const program = process.argv.slice(1).join(' ').slice(0, MAX_TEXT_LENGTH);
  return { tripoll: PROTOCOL, pid: process.pid, thread: threadId, runtime, program };
}
