import { EAGAIN, EINTR, EINVAL } from '../../binding/errnos.js';
import { tellsPriority } from '../../binding/capabilities.js';
import {
  busyError,
  errnoOf,
  systemError,
  unsupportedError,
  type TripollError,
} from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { Readiness } from '../../poller/flags.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';
import { Waiter } from '../../reactor/waiter.js';
import type { ColdState } from '../stream/cold-state.js';
import type { StreamExtras } from '../stream/seams.js';
import { peerLeftError, receiveNow } from '../socket/stream-calls.js';
import { ZeroCopyLedger } from './zero-copy.js';

const ECONNRESET = errnoOf('ECONNRESET');
const { MSG_OOB } = native.constants;

const HANGS_UP = Readiness.PRIORITY | Readiness.READ_CLOSED | Readiness.ERROR;
/** A reset. */
const BROKEN = Readiness.ERROR | Readiness.WRITE_CLOSED;

/** The stream that has them. */
export interface ExtrasHost {
  readonly fd: number;
  readonly reactor: Reactor;
  /** What is waited for has changed: the registration is to follow. */
  updateInterest(): void;
  /** Go on in the next turn. */
  requeue(readiness: number): void;
}

/** What few streams need, made when first used: urgent data, and the notices of MSG_ZEROCOPY. */
export class TcpExtras implements StreamExtras {
  readonly zeroCopy = new ZeroCopyLedger();
  readonly #host: ExtrasHost;
  #urgent: Waiter<number> | null = null;
  readonly #byte = new Uint8Array(1);

  constructor(host: ExtrasHost) {
    this.#host = host;
  }

  get wantsPriority(): boolean {
    return this.#urgent !== null || this.zeroCopy.outstanding > 0;
  }

  onReady(readiness: number): number {
    if ((readiness & HANGS_UP) !== 0 && this.#urgent !== null) this.#onUrgentReady(this.#urgent, readiness);
    if ((readiness & (Readiness.ERROR | Readiness.PRIORITY)) === 0 || this.zeroCopy.outstanding === 0) {
      return readiness;
    }
    const { taken, isMore } = this.zeroCopy.takeNotices(this.#host.fd);
    if (isMore) this.#host.requeue(Readiness.ERROR);
    if (this.zeroCopy.outstanding === 0) this.#host.updateInterest();
    // A notice is no failure; if there is one too, the next read or write meets it.
    return taken > 0 ? readiness & ~Readiness.ERROR : readiness;
  }

  /** The next urgent byte. */
  receiveUrgent(options: CancelOptions): Promise<number> {
    if (!tellsPriority(this.#host.reactor.backend)) {
      return Promise.reject(unsupportedError('the kqueue of this system does not tell of urgent data'));
    }
    if (this.#urgent !== null) return Promise.reject(busyError('another receiveUrgent() is waiting'));
    const waiter = new Waiter<number>();
    this.#urgent = waiter;
    this.#tryUrgent(waiter);
    if (!waiter.settled) {
      waiter.arm(options, this.#host.reactor, () => this.#takeUrgent());
      this.#host.updateInterest();
    }
    return waiter.promise;
  }

  /**
   * It came; or it cannot come any more, which no read would tell while bytes before the end are
   * unread.
   */
  #onUrgentReady(waiting: Waiter<number>, readiness: number): void {
    this.#tryUrgent(waiting);
    if (this.#urgent === null) return;
    if ((readiness & BROKEN) === BROKEN) this.#takeUrgent()?.reject(systemError(ECONNRESET, 'recv'));
    else if ((readiness & Readiness.READ_CLOSED) !== 0) this.#takeUrgent()?.reject(peerLeftError());
  }

  #takeUrgent(): Waiter<number> | null {
    const waiting = this.#urgent;
    this.#urgent = null;
    this.#host.updateInterest();
    return waiting;
  }

  #tryUrgent(waiting: Waiter<number>): void {
    const received = receiveNow(this.#host.fd, this.#byte, 1, MSG_OOB);
    // EINVAL: there is none, or it is kept in line; EAGAIN: announced, and still on its way.
    if (received === EAGAIN || received === EINVAL || received === EINTR || received === 0) return;
    this.#takeUrgent();
    if (received > 0) waiting.resolve(this.#byte[0] ?? 0);
    else waiting.reject(systemError(received, 'recv'));
  }

  end(reason: Error | TripollError): void {
    const waiting = this.#urgent;
    this.#urgent = null;
    waiting?.reject(reason);
    this.zeroCopy.end(reason);
  }
}

/** Those of a stream, made when they are first asked for. */
export function extrasOf(cold: ColdState, host: ExtrasHost): TcpExtras {
  return (cold.extras ??= new TcpExtras(host)) as TcpExtras;
}
