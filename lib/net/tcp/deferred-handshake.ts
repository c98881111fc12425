import { ENOTCONN } from '../../binding/errnos.js';
import { native } from '../../binding/native.js';
import type { EventHandler, Registration } from '../../reactor/registration.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { Timer } from '../../reactor/timer.js';
import { sendNow } from '../socket/stream-calls.js';
import type { ConnectObserver, Handshake } from '../stream/seams.js';

const NO_BYTES = new Uint8Array(0);

/**
 * The handshake of a socket under TCP_FASTOPEN_CONNECT whose peer's cookie is known: it begins with
 * the first write, and the stream is open before it is done. It passes the stream's events on,
 * until it has seen the end of it.
 */
export class DeferredHandshake implements Handshake, EventHandler {
  readonly #observer: ConnectObserver;
  readonly #registration: Registration;
  readonly #delayMs: number;
  #timer: Timer | null = null;
  #kicked = false;

  /** @param delayMs how long a first write has: who reads first would else wait for ever */
  constructor(observer: ConnectObserver, registration: Registration, delayMs: number) {
    this.#observer = observer;
    this.#registration = registration;
    this.#delayMs = delayMs;
  }

  start(reactor: Reactor): void {
    // It may have been closed by who was told that it is open.
    if (!this.#registration.active) return;
    this.#registration.handler = this;
    // Unref'd: the stream itself keeps the process alive.
    this.#timer = reactor.setTimer(this.#delayMs, () => this.finish()).unref();
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  get isDone(): boolean {
    return native.getpeername(this.#registration.fd, {}) !== ENOTCONN;
  }

  /** Sends the SYN, without data if nothing has been written, and waits for what comes of it. */
  finish(): void {
    if (this.#kicked || this.isDone) return;
    this.#kicked = true;
    // EINPROGRESS, and EAGAIN if it is on its way already; what fails comes as an event.
    sendNow(this.#registration.fd, NO_BYTES, 0, 0);
  }

  onReady(readiness: number): void {
    if (this.isDone) {
      this.#registration.handler = this.#observer;
      this.#observer.onEstablished();
    }
    if (this.#registration.active) this.#observer.onReady(readiness, this.#registration);
  }

  onError(error: unknown, registration: Registration): void {
    this.#observer.onError?.(error, registration);
  }

  onReactorClose(): void {
    this.#observer.onReactorClose?.(this.#registration);
  }
}
