import type { BlockList } from 'node:net';
import { native } from '../../binding/native.js';
import { checkFunction } from '../../binding/validate.js';
import { newContext } from '../../reactor/context.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { SocketHandle } from '../../net/socket/detached.js';
import { callLast } from '../../net/socket/handler-call.js';
import { toIdleTracker } from '../../net/socket/idle-tracker.js';
import { socketName } from '../../net/socket/socket-name.js';
import { toConnectionProfile, type ConnectionProfile } from '../../net/stream/connection-profile.js';
import {
  TCP_TRAITS,
  toStreamProfile,
  UNIX_TRAITS,
  type StreamProfile,
} from '../../net/stream/stream-profile.js';
import { checkTcpHandlers, TcpConnection } from '../../net/tcp/tcp-connection.js';
import { TcpStream } from '../../net/tcp/tcp-stream.js';
import { checkUnixHandlers, UnixConnection } from '../../net/unix/unix-connection.js';
import { UnixStream } from '../../net/unix/unix-stream.js';
import { ConnectionContext, type ServiceHandlers } from './connection-context.js';
import type { ServicePlan } from './messages.js';

/** Until what was written is out: a peer that does not read keeps its connection where it is. */
const DETACH_TIMEOUT_MS = 1000;

/** A connection that is open, for who moves or closes it. */
export interface Served {
  readonly mayMove: boolean;
  /** What goes along; false: not now. */
  askMove(): unknown;
  detach(): Promise<SocketHandle>;
  expire(error: Error): void;
}

/** What an opener needs of its service. */
export interface OpenerHost {
  readonly worker: number;
  isStopping(): boolean;
  connectionClosed(): void;
  /** What a function has thrown, whose connection is closed. */
  failed(error: unknown): void;
}

/** Makes connections of sockets, in one of the styles. */
export interface Opener {
  /** `state`: of a connection that another worker had. It does not throw, and owns the socket. */
  open(fd: number, state: unknown): void;
  openConnections(): Served[];
  /** The service stops: tells each connection that was not told. */
  stopAll(): void;
  isBlocked(fd: number, blockList: BlockList): boolean;
}

type AnyStream = TcpStream | UnixStream;
type AnyConnection = TcpConnection | UnixConnection;
type ServiceFunction = (stream: AnyStream, context: ConnectionContext) => unknown;
type AnyHandlers = ServiceHandlers<AnyConnection> & ConnectionProfile['handlers'];

/** @throws TypeError for handlers that are no functions */
export function createOpener(reactor: Reactor, plan: ServicePlan, target: unknown, host: OpenerHost): Opener {
  return typeof target === 'function'
    ? new FunctionOpener(reactor, plan, target as ServiceFunction, host)
    : new HandlersOpener(reactor, plan, target, host);
}

abstract class AnyOpener<Socket> {
  protected abstract readonly profile: StreamProfile;

  constructor(
    protected readonly reactor: Reactor,
    protected readonly plan: ServicePlan,
    protected readonly host: OpenerHost,
  ) {}

  protected get sockets(): Socket[] {
    const registrations = this.reactor.registry.withProfile(this.profile.registration);
    return registrations.map(({ handler }) => handler as unknown as Socket);
  }

  isBlocked(fd: number, blockList: BlockList): boolean {
    const peer = socketName('remote', fd);
    // One that has gone already.
    if (peer === undefined) return true;
    return blockList.check(peer.address, peer.family === 'IPv6' ? 'ipv6' : 'ipv4');
  }
}

/** What asks an application throws: then its connection stays. */
function ask(fn: () => unknown): unknown {
  try {
    return fn();
  } catch (error) {
    native.fatalException(error);
    return false;
  }
}

class HandlersOpener extends AnyOpener<AnyConnection> implements Opener {
  protected readonly profile: ConnectionProfile;
  readonly #handlers: AnyHandlers;
  readonly #told = new WeakSet();

  constructor(reactor: Reactor, plan: ServicePlan, target: unknown, host: OpenerHost) {
    super(reactor, plan, host);
    if (plan.kind === 'tcp') checkTcpHandlers(target, reactor);
    else checkUnixHandlers(target);
    this.#handlers = target as AnyHandlers;
    const { shutdown, move } = this.#handlers;
    if (shutdown !== undefined) checkFunction('handlers.shutdown', shutdown);
    if (move !== undefined) checkFunction('handlers.move', move);
    const traits = plan.kind === 'tcp' ? TCP_TRAITS : UNIX_TRAITS;
    const owner = { connectionClosed: () => host.connectionClosed() };
    this.profile = toConnectionProfile(reactor, this.#handlers, plan.connection, owner, traits);
  }

  open(fd: number, state: unknown): void {
    const { profile, plan } = this;
    const connection =
      plan.kind === 'tcp' ? TcpConnection.given(fd, profile) : UnixConnection.given(fd, profile);
    if (!connection.isOpen) {
      native.close(fd);
      return;
    }
    if (state !== undefined) connection.data = state;
    connection.onOpen();
    if (this.host.isStopping()) this.#tell(connection);
  }

  openConnections(): Served[] {
    return this.sockets.map((connection) => ({
      mayMove: this.#handlers.move !== undefined && !connection.writeEnded && !connection.readEnded,
      askMove: () => ask(() => this.#handlers.move?.(connection)),
      detach: () => connection.detach({ timeoutMs: DETACH_TIMEOUT_MS }),
      expire: (error) => connection.expire(error),
    }));
  }

  stopAll(): void {
    for (const connection of this.sockets) this.#tell(connection);
  }

  #tell(connection: AnyConnection): void {
    if (this.#handlers.shutdown === undefined || this.#told.has(connection) || !connection.isOpen) return;
    this.#told.add(connection);
    callLast(() => this.#handlers.shutdown?.(connection));
  }
}

class FunctionOpener extends AnyOpener<AnyStream> implements Opener {
  protected readonly profile: StreamProfile;
  readonly #fn: ServiceFunction;
  readonly #contexts = new WeakMap<AnyStream, ConnectionContext>();

  constructor(reactor: Reactor, plan: ServicePlan, fn: ServiceFunction, host: OpenerHost) {
    super(reactor, plan, host);
    this.#fn = fn;
    const owner = { connectionClosed: () => host.connectionClosed() };
    const traits = plan.kind === 'tcp' ? TCP_TRAITS : UNIX_TRAITS;
    this.profile = toStreamProfile(reactor, toIdleTracker(reactor, plan.connection), owner, traits);
  }

  open(fd: number, state: unknown): void {
    const { profile, plan, host } = this;
    const stream = plan.kind === 'tcp' ? TcpStream.accepted(fd, profile) : UnixStream.accepted(fd, profile);
    if (stream.closed) return;
    const context = new ConnectionContext(host.worker, stream.remoteAddress, state, () => host.isStopping());
    this.#contexts.set(stream, context);
    // One of its own: what `AsyncLocalStorage` keeps is not left to the next connection.
    newContext().runInAsyncScope(() => this.#call(stream, context));
  }

  #call(stream: AnyStream, context: ConnectionContext): void {
    let result: unknown;
    try {
      result = this.#fn(stream, context);
    } catch (error) {
      this.#failed(stream, error);
      return;
    }
    // Who returns no promise keeps the stream, and closes it.
    if (typeof (result as Partial<PromiseLike<unknown>> | null | undefined)?.then !== 'function') return;
    void Promise.resolve(result).then(
      () => stream.close(),
      (error: unknown) => this.#failed(stream, error),
    );
  }

  #failed(stream: AnyStream, error: unknown): void {
    stream.close();
    this.host.failed(error);
  }

  openConnections(): Served[] {
    return this.sockets.map((stream) => {
      const context = this.#contexts.get(stream);
      return {
        mayMove: context?.onMove !== undefined && !stream.writeEnded && !stream.readEnded,
        askMove: () => ask(() => context?.onMove?.()),
        detach: () => stream.detach({ timeoutMs: DETACH_TIMEOUT_MS }),
        expire: (error) => stream.expire(error),
      };
    });
  }

  stopAll(): void {
    for (const stream of this.sockets) this.#contexts.get(stream)?.stop();
  }
}
