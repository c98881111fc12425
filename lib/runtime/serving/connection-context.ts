import type { SocketAddress } from '../../sys/address.js';
import type { TcpConnection, TcpHandlers } from '../../net/tcp/tcp-connection.js';
import type { TcpStream } from '../../net/tcp/tcp-stream.js';
import type { UnixConnection, UnixHandlers, UnixStream } from '../../net/unix/index.js';

/**
 * What a served connection can be told, besides its bytes. `onMove` is the application's own: it
 * says when its connections may go to another worker.
 */
export class ConnectionContext {
  /** Index of the worker that has the connection. */
  readonly worker: number;
  /** The peer; undefined for one that has gone already. Of a Unix socket a path, mostly ''. */
  readonly address: SocketAddress | string | undefined;
  /** What `onMove` gave at the worker that had the connection before; undefined for a new one. */
  readonly state: unknown;
  /**
   * May the connection go to another worker now? What it returns goes along, by a port, as `state`;
   * `false`: not now. It is called between two reads, and no byte is lost: those that were not read
   * are still in the socket, and a read that waits is rejected with ERR_TRIPOLL_DETACHED, by which
   * the function may leave. Without it the connection stays.
   */
  onMove: (() => unknown) | undefined;
  readonly #isStopping: () => boolean;
  #controller: AbortController | null = null;

  /** @internal */
  constructor(
    worker: number,
    address: SocketAddress | string | undefined,
    state: unknown,
    isStopping: () => boolean,
  ) {
    this.worker = worker;
    this.address = address;
    this.state = state;
    this.#isStopping = isStopping;
  }

  /**
   * Aborted when the server stops accepting, or another thread works in this one's stead: finish
   * what you are at, and leave. Made when it is first read.
   */
  get signal(): AbortSignal {
    let controller = this.#controller;
    if (controller === null) {
      controller = new AbortController();
      this.#controller = controller;
      if (this.#isStopping()) controller.abort();
    }
    return controller.signal;
  }

  /** @internal */
  stop(): void {
    this.#controller?.abort();
  }
}

/** Handlers that a service may have besides those of its connections. */
export interface ServiceHandlers<Connection> {
  /**
   * The server has stopped accepting, or another thread works in this one's stead: called once for
   * each connection that is open then. End those that wait for a request.
   */
  shutdown?(connection: Connection): unknown;
  /**
   * May the connection go to another worker now? What it returns goes along, by a port, and is
   * `connection.data` there before `open` is called; `false`: not now. Without it connections stay.
   */
  move?(connection: Connection): unknown;
}

/** The export of an entry that serves TCP, with handlers. */
export type TcpService<Data = unknown> = TcpHandlers<Data> & ServiceHandlers<TcpConnection<Data>>;
/** The export of an entry that serves Unix sockets, with handlers. */
export type UnixService<Data = unknown> = UnixHandlers<Data> & ServiceHandlers<UnixConnection<Data>>;

/** What serves: a function that is called with each connection, or handlers that all share. */
export type Service =
  | ((stream: TcpStream, context: ConnectionContext) => unknown)
  | ((stream: UnixStream, context: ConnectionContext) => unknown)
  | TcpService<never>
  | UnixService<never>;

/** The names of a module's exports that can serve. */
export type ServiceName<Tasks> = {
  [Name in keyof Tasks]: Tasks[Name] extends Service ? Name : never;
}[keyof Tasks] &
  string;
