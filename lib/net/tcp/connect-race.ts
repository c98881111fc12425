import { EINPROGRESS, EINTR, ENOTCONN } from '../../binding/errnos.js';
import {
  abortError,
  aggregateError,
  closedError,
  invalidArgType,
  stateError,
  systemError,
  timeoutError,
} from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkDurationMs, checkFunction, checkInteger } from '../../binding/validate.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import type { EventHandler, Registration } from '../../reactor/registration.js';
import type { Timer } from '../../reactor/timer.js';
import { isIpLiteral, parseAddress, type HostPort, type ParsedAddress } from '../../sys/address.js';
import { applyOptions, type EncodedOption } from '../socket/encoded-option.js';
import { interleave, resolve, type Resolver } from '../socket/resolve.js';
import { releaseFd } from '../socket/release-fd.js';
import { encodeOptions, type SettableSocketOptions } from '../socket/socket-options.js';
import type { ConnectAttempt, ConnectObserver } from '../stream/seams.js';
import { DeferredHandshake } from './deferred-handshake.js';
import type { StreamProfile, TcpOptions } from '../stream/stream-profile.js';

/** Connection Attempt Delay of RFC 8305, section 5, and its least. */
const DEFAULT_ATTEMPT_DELAY_MS = 250;
const MIN_ATTEMPT_DELAY_MS = 10;
/** So many sockets of one connect at most; the next begins when one of them has failed. */
const MAX_ATTEMPTS = 16;
const MAX_PORT = 65535;

const { SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC, AF_INET } = native.constants;
// SO_EXCLUSIVEADDRUSE: see open-listener.ts.
const { SOL_SOCKET, SO_REUSEADDR, SO_EXCLUSIVEADDRUSE } = native.constants;
const { IPPROTO_TCP, TCP_NODELAY } = native.constants;

/** How to connect; `signal` and `timeoutMs` cover the look-up of the name and all attempts. */
export interface ConnectOptions extends TcpOptions, CancelOptions {
  /** Default: `dns.lookup`, which is the system's own. */
  resolver?: Resolver | undefined;
  /**
   * How long an attempt has before the next address is tried beside it; default 250, at least 10.
   */
  attemptDelayMs?: number | undefined;
  /** Our end: an IP address of this machine; the addresses of the other family then fail. */
  localAddress?: string | undefined;
  /**
   * Our end; default 0: the system chooses. Addresses are then tried one after the other, since a
   * port is one socket's: each until it fails, or for its part of `timeoutMs`.
   */
  localPort?: number | undefined;
  /** Set before connect, in this order. */
  socketOptions?: Partial<SettableSocketOptions> | undefined;
}

/** Names of `ConnectOptions`. */
export const CONNECT_NAMES: Readonly<Record<keyof ConnectOptions, true>> = {
  noDelay: true,
  signal: true,
  timeoutMs: true,
  resolver: true,
  attemptDelayMs: true,
  localAddress: true,
  localPort: true,
  socketOptions: true,
};

interface Settings {
  readonly noDelay: boolean;
  readonly resolver: Resolver | undefined;
  readonly attemptDelayMs: number;
  readonly local: HostPort | null;
  readonly socketOptions: readonly EncodedOption[];
}

/** @throws TypeError, RangeError, ERR_TRIPOLL_UNSUPPORTED */
function toSettings(options: ConnectOptions): Settings {
  const { noDelay = true, resolver, attemptDelayMs = DEFAULT_ATTEMPT_DELAY_MS } = options;
  const { localAddress, localPort = 0, socketOptions } = options;
  if (resolver !== undefined) checkFunction('resolver', resolver);
  checkDurationMs('attemptDelayMs', attemptDelayMs);
  checkInteger('localPort', localPort, 0, MAX_PORT);
  if (localAddress !== undefined && typeof localAddress !== 'string') {
    throw invalidArgType('localAddress', 'a string', localAddress);
  }
  if (localAddress !== undefined) parseAddress({ host: localAddress, port: localPort });
  const isLocal = localAddress !== undefined || localPort > 0;
  return {
    noDelay,
    resolver,
    attemptDelayMs: Math.max(MIN_ATTEMPT_DELAY_MS, attemptDelayMs),
    local: isLocal ? { host: localAddress ?? '', port: localPort } : null,
    socketOptions: socketOptions === undefined ? [] : encodeOptions(socketOptions),
  };
}

/** One address that is being tried. */
class Attempt implements EventHandler {
  readonly target: HostPort;
  fd = -1;
  /**
   * connect(2) has said 0 and done nothing: the SYN goes with the first write
   * (TCP_FASTOPEN_CONNECT).
   */
  isDeferred = false;
  registration: Registration | null = null;
  readonly #race: ConnectRace;

  constructor(race: ConnectRace, target: HostPort) {
    this.#race = race;
    this.target = target;
  }

  onReady(readiness: number): void {
    this.#race.onAttemptReady(this, readiness);
  }

  onError(error: unknown): void {
    this.#race.onAttemptFailed(this, error as Error);
  }

  onReactorClose(): void {
    this.#race.onReactorClose();
  }

  close(): void {
    if (this.fd >= 0) releaseFd(this.fd, this.registration);
    this.fd = -1;
  }
}

/**
 * Connects to a name as RFC 8305 says: its addresses, families interleaved, each begun when the one
 * before has failed or has had `attemptDelayMs`; the first that is connected wins, and the others
 * are closed.
 */
export class ConnectRace implements ConnectAttempt {
  readonly #observer: ConnectObserver;
  readonly #profile: StreamProfile;
  readonly #target: HostPort;
  readonly #settings: Settings;
  readonly #cancelOptions: CancelOptions;
  #candidates: HostPort[] = [];
  readonly #attempts = new Set<Attempt>();
  readonly #failures: Error[] = [];
  #timer: Timer | null = null;
  #disarm: (() => void) | null = null;
  #watchTimer: Timer | null = null;
  #endMs = Infinity;
  #over = false;
  #refed = true;

  /** @throws TypeError, RangeError, ERR_TRIPOLL_UNSUPPORTED; nothing is open then */
  constructor(observer: ConnectObserver, profile: StreamProfile, target: HostPort, options: ConnectOptions) {
    this.#observer = observer;
    this.#profile = profile;
    this.#target = target;
    this.#settings = toSettings(options);
    this.#cancelOptions = options;
  }

  start(): void {
    const { signal, timeoutMs } = this.#cancelOptions;
    if (signal !== undefined || timeoutMs !== undefined || !isIpLiteral(this.#target.host)) this.#watch();
    resolve(this.#target, this.#settings.resolver, (error, candidates) => {
      if (this.#over) return;
      this.#candidates = interleave(candidates);
      if (error === null) this.#next();
      else this.#fail(error);
    });
  }

  /**
   * Its own end, by the signal, the time, or the reactor, which knows nothing of it while a name is
   * looked up (F33).
   */
  #watch(): void {
    const { signal, timeoutMs } = this.#cancelOptions;
    const { reactor } = this.#profile;
    const forget = reactor.registry.onClose(() => this.onReactorClose());
    if (timeoutMs !== undefined) {
      this.#endMs = reactor.turnTimeMs() + timeoutMs;
      this.#watchTimer = reactor.setTimer(timeoutMs, () => this.#fail(this.#late(timeoutMs)));
      if (!this.#refed) this.#watchTimer.unref();
    }
    const onAbort = (): void => this.#fail(abortError(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#disarm = () => {
      forget();
      this.#watchTimer?.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
  }

  /** What has failed by then is its cause. */
  #late(timeoutMs: number): Error {
    const error = timeoutError(timeoutMs);
    if (this.#failures.length > 0) error.cause = this.#outcome();
    return error;
  }

  /** Begins the next address; those that fail at once are passed over. */
  #next(): void {
    this.#timer?.cancel();
    this.#timer = null;
    while (!this.#over) {
      const target = this.#candidates.shift();
      if (target === undefined) break;
      const error = this.#begin(target);
      if (error === null) break;
      this.#failures.push(error);
    }
    if (this.#over) return;
    if (this.#attempts.size === 0) this.#fail(this.#outcome());
    else if (this.#candidates.length > 0) this.#waitForNext();
  }

  #waitForNext(): void {
    const { reactor } = this.#profile;
    const { attemptDelayMs, local } = this.#settings;
    const hasPort = local !== null && local.port > 0;
    // Without a timeout the system's own ends it.
    if (hasPort && this.#endMs === Infinity) return;
    const leftMs = Math.max(0, this.#endMs - reactor.turnTimeMs());
    const delayMs = hasPort ? leftMs / (this.#candidates.length + 1) : attemptDelayMs;
    const next = () => {
      // The port is the one attempt's for as long as it lasts: the next bind may fail.
      if (hasPort)
        for (const attempt of [...this.#attempts]) this.onAttemptFailed(attempt, timeoutError(delayMs));
      else if (this.#attempts.size < MAX_ATTEMPTS) this.#next();
    };
    // Unref'd: the attempts themselves keep the process alive.
    this.#timer = reactor.setTimer(delayMs, next).unref();
  }

  #outcome(): Error {
    const [first, ...others] = this.#failures;
    if (first === undefined) return stateError(`no address of ${this.#target.host} to connect to`);
    return others.length === 0 ? first : aggregateError(this.#failures, this.#target);
  }

  #begin(target: HostPort): Error | null {
    const attempt = new Attempt(this, target);
    try {
      this.#connect(attempt, parseAddress(target));
    } catch (error) {
      attempt.close();
      return error as Error;
    }
    this.#attempts.add(attempt);
    return null;
  }

  #connect(attempt: Attempt, { familyNumber, host, port, scopeId }: ParsedAddress): void {
    const fd = native.socket(familyNumber, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) throw systemError(fd, 'socket');
    attempt.fd = fd;
    const { noDelay, local, socketOptions } = this.#settings;
    const error = noDelay ? native.setsockoptInt(fd, IPPROTO_TCP, TCP_NODELAY, 1) : 0;
    if (error < 0) throw systemError(error, 'setsockopt', { address: host, port });
    applyOptions(fd, socketOptions);
    if (local !== null) bindLocal(fd, familyNumber, local);
    const result = native.connect(fd, familyNumber, host, port, scopeId);
    // EINTR: the attempt goes on without us (POSIX connect).
    if (result < 0 && result !== EINPROGRESS && result !== EINTR) {
      throw systemError(result, 'connect', { address: host, port });
    }
    const { reactor, interest, registration } = this.#profile;
    attempt.registration = reactor.registry.register(fd, interest.connecting, attempt, registration);
    if (!this.#refed) attempt.registration.unref();
    attempt.isDeferred = result === 0 && native.getpeername(fd, {}) === ENOTCONN;
  }

  // ---- what attempts tell ----

  onAttemptReady(attempt: Attempt, readiness: number): void {
    const { fd, registration, target } = attempt;
    const error = native.takeSocketError(fd);
    if (error < 0) {
      const { host: address, port } = target;
      this.onAttemptFailed(attempt, systemError(error, 'connect', { address, port }));
      return;
    }
    // Spurious: it is neither connected nor refused yet (T44).
    const isConnected = native.getpeername(fd, {}) !== ENOTCONN;
    if ((!isConnected && !attempt.isDeferred) || registration === null) return;
    this.#attempts.delete(attempt);
    this.cancel();
    registration.handler = this.#observer;
    const handshake = isConnected
      ? null
      : new DeferredHandshake(this.#observer, registration, this.#settings.attemptDelayMs);
    this.#observer.onConnected(fd, registration, readiness, handshake);
    handshake?.start(this.#profile.reactor);
  }

  onAttemptFailed(attempt: Attempt, error: Error): void {
    if (!this.#attempts.delete(attempt)) return;
    attempt.close();
    this.#failures.push(error);
    this.#next();
  }

  onReactorClose(): void {
    if (!this.#over) this.#fail(closedError('Reactor'));
  }

  #fail(error: Error): void {
    this.cancel();
    this.#observer.onConnectFailed(error);
  }

  cancel(): void {
    this.#over = true;
    this.#disarm?.();
    this.#disarm = null;
    this.#watchTimer = null;
    this.#timer?.cancel();
    this.#timer = null;
    for (const attempt of this.#attempts) attempt.close();
    this.#attempts.clear();
  }

  setRefed(refed: boolean): void {
    this.#refed = refed;
    const registrations = [...this.#attempts].map(({ registration }) => registration);
    for (const holder of [this.#watchTimer, ...registrations]) {
      if (refed) holder?.ref();
      else holder?.unref();
    }
  }
}

/** @throws what bind(2) says */
function bindLocal(fd: number, familyNumber: number, local: HostPort): void {
  const host = local.host === '' ? (familyNumber === AF_INET ? '0.0.0.0' : '::') : local.host;
  const parsed = parseAddress({ host, port: local.port });
  // Else a port would not be free for a minute after a connection from it (T115).
  const isReused = local.port > 0 && SO_EXCLUSIVEADDRUSE === undefined;
  const reused = isReused ? native.setsockoptInt(fd, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
  if (reused < 0) throw systemError(reused, 'setsockopt', { address: host, port: local.port });
  const error = native.bind(fd, parsed.familyNumber, parsed.host, parsed.port, parsed.scopeId);
  if (error < 0) throw systemError(error, 'bind', { address: host, port: local.port });
}
