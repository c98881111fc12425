import { closedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { Readiness } from '../../poller/flags.js';
import { watchCancel, type CancelOptions } from '../../reactor/cancellation.js';
import type { EventHandler, Registration } from '../../reactor/registration.js';
import type { Timer } from '../../reactor/timer.js';
import { releaseFd } from '../socket/release-fd.js';
import type { ConnectAttempt, ConnectObserver } from './seams.js';
import { WANTS_READ } from './state.js';
import type { StreamProfile } from './stream-profile.js';

/** No event tells that a listener that was full has room again. */
const RETRY_MS = 10;

/** A socket whose connecting goes on. */
export interface Connecting {
  readonly fd: number;
  /** Asked when the socket is ready: null once it is connected, undefined while it is not yet. */
  outcome(): Error | null | undefined;
}

export interface RetriedConnectSettings extends CancelOptions {
  /**
   * A connected fd, or one that will be.
   *
   * @throws what the system says; TypeError, RangeError for a wrong name
   */
  open(): number | Connecting;
  /** The errno of a listener that is full, after which it is tried again. */
  readonly full: number;
  /** How often: 0 is not at all, Infinity until `timeoutMs` is over. */
  readonly retries: number;
  /**
   * The outcome is told in a later turn: to handlers, which are not to be called from within the
   * call that connects.
   */
  readonly tellsLater: boolean;
}

/**
 * Connects what connects at once, or is told of when it has; what says that the listener is full is
 * tried again.
 */
export class RetriedConnect implements ConnectAttempt, EventHandler {
  readonly #observer: ConnectObserver;
  readonly #profile: StreamProfile;
  readonly #settings: RetriedConnectSettings;
  #retriesLeft: number;
  #connected: { readonly fd: number; readonly registration: Registration } | null = null;
  #connecting: Connecting | null = null;
  #retry: Timer | null = null;
  #forget: (() => void) | null = null;
  #disarm: (() => void) | null = null;
  #refed = true;

  constructor(observer: ConnectObserver, profile: StreamProfile, settings: RetriedConnectSettings) {
    this.#observer = observer;
    this.#profile = profile;
    this.#settings = settings;
    this.#retriesLeft = settings.retries;
  }

  /** @throws TypeError, RangeError for a wrong name */
  start(): void {
    const { signal, timeoutMs } = this.#settings;
    if (signal !== undefined || timeoutMs !== undefined) {
      this.#disarm = watchCancel(this.#settings, this.#profile.reactor, (error) => this.#fail(error));
    }
    this.#connect();
  }

  #connect(): void {
    const { full, tellsLater } = this.#settings;
    const { reactor } = this.#profile;
    try {
      const opened = this.#settings.open();
      this.#connecting = typeof opened === 'number' ? null : opened;
      this.#register(typeof opened === 'number' ? opened : opened.fd);
    } catch (error) {
      const { errno, code } = error as NodeJS.ErrnoException;
      if (errno === full && this.#retriesLeft-- > 0) this.#connectLater();
      else if (errno !== undefined || code === 'ERR_TRIPOLL_CLOSED') this.#fail(error as Error);
      else {
        this.cancel();
        throw error;
      }
      return;
    }
    if (this.#connecting !== null) return;
    if (!tellsLater) this.onReady(0);
    // What is not in its interest would not be delivered.
    else if (this.#connected !== null)
      reactor.registry.requeue(this.#connected.registration, Readiness.READABLE);
  }

  #register(fd: number): void {
    const { reactor, interest, registration: profile } = this.#profile;
    const first = this.#connecting === null ? interest.first(WANTS_READ) : interest.connecting;
    try {
      const registration = reactor.registry.register(fd, first, this, profile);
      if (!this.#refed) registration.unref();
      this.#connected = { fd, registration };
    } catch (error) {
      native.close(fd);
      throw error;
    }
  }

  #connectLater(): void {
    const { reactor } = this.#profile;
    this.#forget ??= reactor.registry.onClose(() => this.onReactorClose());
    const retry = reactor.setTimer(RETRY_MS, () => this.#connect());
    if (!this.#refed) retry.unref();
    this.#retry = retry;
  }

  onReady(readiness: number): void {
    if (this.#connected === null) return;
    const outcome = this.#connecting === null ? null : this.#connecting.outcome();
    if (outcome === undefined) return;
    if (outcome !== null) {
      this.#fail(outcome);
      return;
    }
    const { fd, registration } = this.#connected;
    this.#connected = null;
    this.cancel();
    registration.handler = this.#observer;
    this.#observer.onConnected(fd, registration, readiness);
  }

  onError(error: unknown): void {
    this.#fail(error as Error);
  }

  onReactorClose(): void {
    this.#fail(closedError('Reactor'));
  }

  #fail(error: Error): void {
    this.cancel();
    this.#observer.onConnectFailed(error);
  }

  setRefed(refed: boolean): void {
    this.#refed = refed;
    for (const holder of [this.#retry, this.#connected?.registration]) {
      if (refed) holder?.ref();
      else holder?.unref();
    }
  }

  cancel(): void {
    this.#disarm?.();
    this.#disarm = null;
    this.#retry?.cancel();
    this.#retry = null;
    this.#forget?.();
    this.#forget = null;
    if (this.#connected === null) return;
    const { fd, registration } = this.#connected;
    this.#connected = null;
    releaseFd(fd, registration);
  }
}
