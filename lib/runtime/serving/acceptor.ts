import { EAGAIN } from '../../binding/errnos.js';
import { systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { Interest, Mode } from '../../poller/flags.js';
import { toProfile } from '../../reactor/context.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { EventHandler, Registration, RegistrationProfile } from '../../reactor/registration.js';
import { endRegistration, releaseFd } from '../../net/socket/release-fd.js';
import { ACCEPTS_PER_EVENT, BACK_OFF_MS, NO_ROOM, SpareFd, TRY_NEXT } from '../../net/stream/accepting.js';

import type { ServicePlan } from './messages.js';

const { SOCK_NONBLOCK, SOCK_CLOEXEC } = native.constants;

type AcceptorPlan = Pick<ServicePlan, 'exclusive' | 'strategy'>;

/** Who has an acceptor. */
export interface AcceptorHost {
  /** An event of the listening socket. */
  onWake(): void;
  /** A connection, which is the host's to close. */
  onAccepted(fd: number): void;
  /** A connection was accepted only to be closed: there was no fd for it. */
  onNoRoom(): void;
}

/**
 * Accepts from a listening socket that other threads accept from too: it has a number of its own
 * for it, by which it can be closed here and goes on there. Nothing is ever asked of a connection
 * here, and the registration is never modified, which EPOLLEXCLUSIVE does not allow (T16).
 */
export class Acceptor implements EventHandler {
  readonly #reactor: Reactor;
  readonly #host: AcceptorHost;
  readonly #profile: RegistrationProfile;
  readonly #acceptsPerEvent: number;
  #fd: number;
  #registration: Registration | null = null;
  readonly #spare = new SpareFd();

  constructor(reactor: Reactor, fd: number, { exclusive, strategy }: AcceptorPlan, host: AcceptorHost) {
    this.#reactor = reactor;
    this.#fd = fd;
    this.#host = host;
    this.#spare.renew();
    this.#profile = toProfile({ mode: exclusive ? Mode.LEVEL | Mode.EXCLUSIVE : Mode.LEVEL, priority: 0 });
    // One, as nginx has it without multi_accept: a burst is for all who wait.
    this.#acceptsPerEvent = strategy === 'exclusive' ? 1 : ACCEPTS_PER_EVENT;
  }

  /** @throws what registering says */
  start(): void {
    if (this.#fd < 0 || this.#registration !== null) return;
    this.#registration = this.#reactor.registry.register(this.#fd, Interest.READABLE, this, this.#profile);
  }

  get listening(): boolean {
    return this.#registration !== null;
  }

  /** @internal */
  onReady(): void {
    this.#host.onWake();
    this.#accept(this.#acceptsPerEvent);
  }

  /** What waits now, so many at most. */
  sweep(most: number): void {
    if (this.#registration !== null) this.#accept(most);
  }

  #accept(most: number): void {
    for (let i = 0; i < most && this.#registration !== null; i++) {
      const fd = native.accept4(this.#fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) this.#host.onAccepted(fd);
      else if (fd === EAGAIN) return;
      else if (NO_ROOM.has(fd)) {
        this.#rest();
        return;
      } else if (!TRY_NEXT.has(fd)) {
        this.#fail(systemError(fd, 'accept'));
        return;
      }
    }
  }

  /** Under level mode a connection that nobody can accept fires for ever: it looks again later (T40). */
  #rest(): void {
    if (this.#spare.turnAway(this.#fd, () => 0) !== -1) this.#host.onNoRoom();
    endRegistration(this.#registration);
    this.#registration = null;
    this.#reactor
      .setTimer(BACK_OFF_MS, () => {
        if (this.#fd < 0) return;
        this.#spare.renew();
        this.start();
      })
      .unref();
  }

  /** The listening socket is broken. */
  #fail(error: Error): void {
    this.close();
    native.fatalException(error);
  }

  /** @internal */
  onError(error: unknown): void {
    this.#fail(error as Error);
  }

  /** @internal */
  onReactorClose(): void {
    this.close();
  }

  /** Accepts no more here; the socket is open elsewhere. */
  close(): void {
    if (this.#fd < 0) return;
    releaseFd(this.#fd, this.#registration);
    this.#fd = -1;
    this.#registration = null;
    this.#spare.close();
  }
}
