import { EAGAIN } from '../../binding/errnos.js';
import {
  closedError,
  detachedError,
  stateError,
  systemError,
  type TripollError,
} from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkFunction, checkInteger, checkNames } from '../../binding/validate.js';
import { Interest, Mode } from '../../poller/flags.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import type { EventHandler, Registration } from '../../reactor/registration.js';
import { toProfile } from '../../reactor/context.js';
import { Waiter } from '../../reactor/waiter.js';
import type { Reactor } from '../../reactor/reactor.js';
import { iterate } from '../../reactor/iterate.js';
import { detachFd, type HandleDetails, type SocketHandle } from '../socket/detached.js';
import { callLast } from '../socket/handler-call.js';
import { toIdleTracker } from '../socket/idle-tracker.js';
import {
  DROP_NAME,
  LISTEN_NAMES,
  type DropHandlers,
  type DropInfo,
  type StreamListenOptions,
} from './listen-options.js';
import {
  shutdown,
  type ShutdownHost,
  type ShutdownOptions,
  type ShutdownResult,
} from './listener-shutdown.js';
import { LEFTOVERS, Resource } from '../socket/resource.js';
import { giveFd, releaseFd } from '../socket/release-fd.js';
import { checkCall, type CancelOptions } from '../../reactor/cancellation.js';
import { ACCEPTS_PER_EVENT, BACK_OFF_MS, NO_ROOM, SpareFd, TRY_NEXT } from './accepting.js';
import { ConnectionCount } from './connection-count.js';
import { toStreamProfile, type StreamProfile, type StreamTraits } from './stream-profile.js';
import { applyOptions, type EncodedOption } from '../socket/encoded-option.js';
import { encodeOptions, getOption, setOption } from '../socket/socket-options.js';
import type { SettableSocketOptions, SocketOptionName } from '../socket/socket-options.js';
import type { SocketOptions } from '../socket/socket-option-table.js';
import {
  toConnectionProfile,
  toSettings,
  type ConnectionProfile,
  CONNECTION_NAMES,
  type SocketConnectionOptions,
  type StreamHandlers,
} from './connection-profile.js';

/** The system clamps it (net.core.somaxconn, 4096 by default since Linux 5.4). */
export const DEFAULT_BACKLOG = 4096;
export const MAX_BACKLOG = 0x7fffffff;

const { SOCK_NONBLOCK, SOCK_CLOEXEC } = native.constants;

/** What `accept` gives. */
export interface AcceptedStream<Stream, Address> {
  /** The connection. */
  readonly stream: Stream;
  /** The peer; undefined when it has gone already. */
  readonly address: Address | undefined;
}

/** How a listener comes to be. */
interface ListenerSetup {
  readonly options: StreamListenOptions & DropHandlers<never, never>;
  /** Null for promises. */
  readonly handlers: (StreamHandlers<never> & DropHandlers<never, never>) | null;
  /** Which names `options` may have besides those of all listeners. */
  readonly names: Readonly<Record<string, true>>;
  /** How its connections behave. */
  readonly traits: StreamTraits;
  /** Makes the listening socket; called with its `socketOptions` when all options are right. */
  open(socketOptions: readonly EncodedOption[]): number;
  /** It is the caller's until the listener has been made. */
  readonly isGiven?: boolean;
}

/**
 * Accepts connections of stream sockets, for handlers or for promises: what `TcpListener` and
 * `UnixListener` share.
 */
export abstract class StreamListener<
  Stream extends { readonly remoteAddress: Address | undefined },
  Address,
  Connection = unknown,
>
  extends Resource
  implements EventHandler, ShutdownHost
{
  /** The reactor that it lives on. */
  readonly reactor: Reactor;
  #fd = -1;
  readonly #registration: Registration;
  #handlers: (StreamHandlers<never> & DropHandlers<never, never>) | null;
  readonly #dropHandlers: DropHandlers<never, never>;
  /** What its connections share; a promise-style listener has none for handlers. */
  #profile: StreamProfile | ConnectionProfile;
  readonly #maxConnections: number;
  readonly #acceptedOptions: readonly EncodedOption[];
  readonly #spare = new SpareFd();
  #resting = false;
  /** The system has said that connections wait, and no accept has come back empty since. */
  #hasMore = false;
  #waiting: Waiter<AcceptedStream<Stream, Address>>[] = [];
  readonly #count = new ConnectionCount();

  protected constructor({ options, handlers, names, traits, open, isGiven = false }: ListenerSetup) {
    super();
    checkNames('options', options, CONNECTION_NAMES, LISTEN_NAMES, names, handlers === null ? DROP_NAME : {});
    this.reactor = chooseReactor(options.reactor);
    this.#handlers = handlers;
    this.#dropHandlers = handlers ?? options;
    // Those that only connections with handlers heed are looked at all the same.
    if (handlers === null) toSettings(options);
    if (this.#dropHandlers.drop !== undefined) checkFunction('drop', this.#dropHandlers.drop);
    this.#profile =
      handlers === null
        ? toStreamProfile(this.reactor, toIdleTracker(this.reactor, options), this.#count, traits)
        : toConnectionProfile(this.reactor, handlers, options, this.#count, traits, this);
    this.#maxConnections = options.maxConnections ?? Infinity;
    if (options.maxConnections !== undefined) {
      checkInteger('maxConnections', options.maxConnections, 0, Number.MAX_SAFE_INTEGER);
    }
    const { acceptedSocketOptions, socketOptions } = options;
    this.#acceptedOptions = acceptedSocketOptions === undefined ? [] : encodeOptions(acceptedSocketOptions);
    this.#fd = open(socketOptions === undefined ? [] : encodeOptions(socketOptions));
    try {
      const interest = handlers === null ? 0 : Interest.READABLE;
      this.#registration = this.reactor.registry.register(
        this.#fd,
        interest,
        this,
        toProfile({ mode: Mode.LEVEL, priority: 0 }),
      );
    } catch (error) {
      if (!isGiven) native.close(this.#fd);
      throw error;
    }
    if (isGiven) native.ownFd(this.#fd);
    this.#spare.renew();
  }

  // ---- what a subclass supplies ----

  protected abstract toConnection(fd: number, profile: ConnectionProfile): void;
  protected abstract toStream(fd: number, profile: StreamProfile): Stream;
  protected abstract nameOf(side: 'local' | 'remote', fd: number): Address | undefined;

  // ---- what only some have ----

  /** What a new connection is given before anybody has it. */
  protected configure(_fd: number): void {
    // TCP_NODELAY, of TCP.
  }

  /** Whether peers have to be judged at all. */
  protected get mayBlock(): boolean {
    return false;
  }

  protected isBlocked(_address: Address | undefined): boolean {
    return false;
  }

  /** Address that it listens on; undefined once closed. */
  get localAddress(): Address | undefined {
    return this.nameOf('local', this.#fd);
  }

  /** The socket's own number; -1 once closed. It stays this object's to close. */
  get fd(): number {
    return this.#fd;
  }

  /** A typed socket option, as `getOption` of its fd. @throws as that; ERR_TRIPOLL_CLOSED */
  getOption<Name extends SocketOptionName>(name: Name): SocketOptions[Name] {
    if (this.closed) throw closedError('Listener');
    return getOption(this.#fd, name);
  }

  /** As `setOption` of its fd. @throws as that; ERR_TRIPOLL_CLOSED */
  setOption<Name extends keyof SettableSocketOptions>(name: Name, value: SettableSocketOptions[Name]): void {
    if (this.closed) throw closedError('Listener');
    setOption(this.#fd, name, value);
  }

  /** Whether it has been closed, by `close` or by an error. */
  get closed(): boolean {
    return this.#fd < 0;
  }

  /** Its connections that are open. */
  get connections(): number {
    return this.#count.open;
  }

  /**
   * Those of them that are open now, as `accept` or the handlers were given them. It looks at every
   * registration of the reactor: for a broadcast or a shutdown, and not for each message.
   */
  openConnections(): (Stream | Connection)[] {
    // All of them have our profile, so that none has to be kept in a list.
    return this.#registration
      .findWithProfile(this.#profile.registration)
      .map(({ handler }) => handler as unknown as Stream | Connection);
  }

  // ---- accepting ----

  /**
   * The next connection. Several may wait at once; they are served in order.
   *
   * @throws (as rejection) ERR_TRIPOLL_CLOSED; EMFILE, ENFILE, ENOBUFS, ENOMEM, after which the
   * listener rests for 100 ms: call it again; what setsockopt(2) said of `acceptedSocketOptions`;
   * ERR_TRIPOLL_STATE on a listener with handlers; ABORT_ERR, ERR_TRIPOLL_TIMEOUT, by which no
   * connection is lost
   */
  // Async, so that a wrong option is a rejection too.
  async accept(options: CancelOptions = {}): Promise<AcceptedStream<Stream, Address>> {
    checkCall(options);
    if (this.closed) throw closedError('Listener');
    if (this.#handlers !== null) throw stateError('accept() on a listener with handlers');
    const waiter = new Waiter<AcceptedStream<Stream, Address>>();
    this.#waiting.push(waiter);
    waiter.arm(options, this.reactor, () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
    });
    // Whoever accepts in a loop gets what waits without a turn for each; a budget lets others have
    // theirs (T47).
    if (this.#hasMore && this.reactor.registry.consumeBudget()) this.#acceptMore();
    if (this.#waiting.length > 0) this.#updateInterest();
    return waiter.promise;
  }

  /**
   * Connections, until the listener is closed. It survives what a listener with handlers survives:
   * without a free fd it rests for 100 ms and tries again, and a connection that refuses an option
   * is dropped; the option `drop` is told. Leaving the loop leaves it open; `return()` also ends a
   * `next()` that waits.
   *
   * @throws (as rejection) ERR_TRIPOLL_STATE on a listener with handlers; what broke the listening
   * socket itself
   */
  [Symbol.asyncIterator](): AsyncGenerator<Stream, void, void> {
    return iterate((options) => this.#acceptNext(options));
  }

  async #acceptNext(options: CancelOptions): Promise<IteratorResult<Stream, void>> {
    while (!this.closed) {
      if (this.#handlers !== null) throw stateError('iteration of a listener with handlers');
      try {
        return { done: false, value: (await this.accept(options)).stream };
      } catch (error) {
        const { code } = error as Partial<TripollError>;
        // Not this connection, but perhaps the next: `#onAcceptError` bounds how often it is tried.
        if (!this.closed && code !== 'ABORT_ERR') continue;
        if (code !== 'ERR_TRIPOLL_CLOSED') throw error;
      }
    }
    return { done: true, value: undefined };
  }

  /** @internal */
  onReady(): void {
    // Only now that a connection waits for nobody: who accepts in a loop asks again before the next
    // turn.
    if (!this.#wantsMore) this.#updateInterest();
    this.#hasMore = true;
    this.#acceptMore();
  }

  /** For those who wait, or for the handlers. */
  #acceptMore(): void {
    for (let i = 0; i < ACCEPTS_PER_EVENT && this.#wantsMore; i++) {
      const fd = native.accept4(this.#fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) this.#take(fd);
      else if (!TRY_NEXT.has(fd)) {
        this.#hasMore = false;
        if (fd !== EAGAIN) this.#onAcceptError(fd);
        return;
      }
    }
  }

  get #wantsMore(): boolean {
    return this.#fd >= 0 && !this.#resting && (this.#handlers !== null || this.#waiting.length > 0);
  }

  #take(fd: number): void {
    if (this.#isUnwanted(fd)) return;
    this.configure(fd);
    if (this.#acceptedOptions.length > 0 && !this.#setAcceptedOptions(fd)) return;
    this.#count.add();
    if (this.#handlers !== null) {
      this.toConnection(fd, this.#profile as ConnectionProfile);
      return;
    }
    const waiting = this.#waiting.shift();
    const stream = this.toStream(fd, this.#profile);
    waiting?.resolve({ stream, address: stream.remoteAddress });
  }

  /** False when the connection refused one, and is dropped. */
  #setAcceptedOptions(fd: number): boolean {
    try {
      applyOptions(fd, this.#acceptedOptions);
      return true;
    } catch (error) {
      const address = this.nameOf('remote', fd);
      this.#drop(fd, { reason: 'socket-option', address, error: error as Error });
      this.#waiting.shift()?.reject(error);
      return false;
    }
  }

  #isUnwanted(fd: number): boolean {
    if (this.connections >= this.#maxConnections) {
      this.#drop(fd, { reason: 'max-connections', address: this.nameOf('remote', fd) });
      return true;
    }
    if (!this.mayBlock) return false;
    const address = this.nameOf('remote', fd);
    try {
      if (!this.isBlocked(address)) return false;
    } catch (error) {
      // Who cannot be judged is kept out, and the listener is as good as before.
      native.fatalException(error);
    }
    this.#drop(fd, { reason: 'blocked', address });
    return true;
  }

  #drop(fd: number, info: DropInfo<Address>): void {
    native.close(fd);
    this.#tellDrop(info);
  }

  #tellDrop(info: DropInfo<Address>): void {
    // Whatever it throws, the listener is as good as before.
    callLast(() => this.#dropHandlers.drop?.(this as never, info as never));
  }

  #onAcceptError(errno: number): void {
    const error = systemError(errno, 'accept');
    if (!NO_ROOM.has(errno)) {
      this.#fail(error);
      return;
    }
    const address = this.#spare.turnAway(this.#fd, (fd) => this.nameOf('remote', fd));
    if (address !== -1) this.#tellDrop({ reason: 'no-fd', address, error });
    this.#rejectWaiting(error);
    // The one who was told may have closed it.
    if (this.closed) return;
    // Under level mode an unaccepted connection fires for ever: rest, and look again (T40).
    this.#resting = true;
    this.#updateInterest();
    this.reactor
      .setTimer(BACK_OFF_MS, () => {
        this.#resting = false;
        if (!this.closed) this.#spare.renew();
        this.#updateInterest();
      })
      .unref();
  }

  /** @internal New connections call these; `drop` stays. @throws ERR_TRIPOLL_CLOSED, ERR_TRIPOLL_STATE */
  takeOver(handlers: StreamHandlers<never>, options: SocketConnectionOptions): void {
    if (this.closed) throw closedError('Listener');
    if (this.#waiting.length > 0) throw stateError('another user while accept() waits');
    this.#handlers = handlers;
    this.#profile = { ...this.#profile, handlers, settings: toSettings(options), listener: this };
    this.#updateInterest();
  }

  /** The interest follows what is wanted: nobody waits, nothing is accepted. */
  #updateInterest(): void {
    if (this.#fd < 0) return;
    const interest = this.#wantsMore ? Interest.READABLE : 0;
    if (interest !== this.#registration.interest) this.#registration.setInterest(interest);
  }

  // ---- the end ----

  /** @internal */
  onError(error: unknown): void {
    this.#fail(error as Error);
  }

  /** @internal */
  onReactorClose(): void {
    this.close();
  }

  /** The listening socket itself is broken. */
  #fail(error: Error): void {
    this.#end(error);
    // A handler-style listener has nobody who waits.
    if (this.#handlers !== null) native.fatalException(error);
  }

  /**
   * Stops listening, and waits for the connections to end. When the time is up, or the signal
   * aborts, the rest is closed (their error is ERR_TRIPOLL_CLOSED, and what they had queued is
   * lost): neither makes this reject. Without both it waits as long as there is one. Connections of
   * the backlog, which nobody had accepted, are reset.
   *
   * @returns how many ended by themselves, and how many were closed, of those that were open at the
   * call; settled when the last `close` handler has been called
   * @throws (as rejection) TypeError, RangeError
   */
  shutdown(options: ShutdownOptions<Stream | Connection> = {}): Promise<ShutdownResult> {
    return shutdown(this, options as ShutdownOptions<unknown>);
  }

  /** @internal For `shutdown`. */
  onceEmpty(fn: () => void): void {
    this.#count.onceEmpty(fn);
  }

  /** @internal Of a listener with handlers nothing is left: it needs nobody who holds it. */
  override [LEFTOVERS](): (() => void) | null {
    if (this.#fd < 0 || this.#handlers !== null || this.#waiting.length > 0) return null;
    const fd = this.#fd;
    const registration = this.#registration;
    const spare = this.#spare;
    return () => {
      releaseFd(fd, registration);
      spare.close();
    };
  }

  /** Stops listening; connections live on. Who waits is rejected. May be called twice. */
  close(): void {
    this.#end(closedError('Listener'));
  }

  /** What `detach` of a subclass does. */
  protected detachAs<Kind extends 'tcp-listener' | 'unix-listener'>(
    kind: Kind,
    details: HandleDetails,
  ): SocketHandle<Kind> {
    if (this.closed) throw closedError('Listener');
    try {
      return giveFd(this.#fd, this.#registration, (fd) => detachFd(fd, kind, details));
    } finally {
      this.#endWithout(detachedError('Listener'));
    }
  }

  #end(reason: Error): void {
    if (this.#fd < 0) return;
    releaseFd(this.#fd, this.#registration);
    this.#endWithout(reason);
    this.onClosed();
  }

  /** Its fd has been closed, or is another's. */
  #endWithout(reason: Error): void {
    this.#fd = -1;
    this.#spare.close();
    this.#rejectWaiting(reason);
  }

  /** The socket has been closed. */
  protected onClosed(): void {
    // A name in the file system would be taken away here.
  }

  #rejectWaiting(reason: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) waiter.reject(reason);
  }

  /** Keeps the process alive (the default). */
  ref(): this {
    this.#registration.ref();
    return this;
  }

  /** Does not keep the process alive. */
  unref(): this {
    this.#registration.unref();
    return this;
  }
}
