import { EAGAIN, EINTR } from '../../binding/errnos.js';
import { capabilities } from '../../binding/capabilities.js';
import { outOfRange, type HandlerError } from '../../binding/errors.js';
import { nativeUdp } from '../../binding/native-udp.js';
import { checkBytes, checkFunction, checkObject } from '../../binding/validate.js';
import { parseAddress, splitHostPort, type SocketAddressInput } from '../../sys/address.js';
import { chargeFor, consumeBudgetFor } from './budget.js';
import { checkBatch, DatagramBatch, type DatagramBatchOptions } from './datagram-batch.js';
import { DatagramRecords } from './datagram-records.js';
import { UdpCore } from './udp-core.js';
import type { SocketHandle } from '../socket/detached.js';
import { callLast, HandlerCalls, type SyncResult } from '../socket/handler-call.js';
import { withOptions } from '../socket/place.js';
import { LEFTOVERS } from '../socket/resource.js';
import { UDP_OPTION_NAMES, type UdpOptions } from './udp-options.js';

/**
 * Batches of one event before others get their turn (T47): 256 datagrams by default, which is less
 * than a millisecond's work. What is left makes the next event.
 */
export const BATCHES_PER_EVENT = 4;

/** What `bindUdp` takes besides the place. */
export interface UdpEndpointOptions extends UdpOptions, DatagramBatchOptions {
  /** Sends to this peer, and receives from nobody else. */
  peer?: SocketAddressInput | undefined;
}

/** Where, and how, `bindUdp` binds. */
export type UdpTarget = UdpEndpointOptions &
  (
    | {
        /** The IP address to receive on. */
        host: string;
        /** 0 lets the system choose: see `localAddress`. */
        port: number;
        fd?: undefined;
      }
    | {
        /**
         * A UDP socket that is there already, as from systemd (`listenFds`): as `UdpSocket.fromFd`.
         */
        fd: number;
        host?: undefined;
        port?: undefined;
      }
  );

const TARGET_NAMES: Readonly<Record<keyof UdpEndpointOptions | 'host' | 'port' | 'fd', true>> = {
  ...UDP_OPTION_NAMES,
  capacity: true,
  slotBytes: true,
  peer: true,
  host: true,
  port: true,
  fd: true,
};

/** Handlers of a UDP socket. */
export interface UdpHandlers {
  /**
   * Datagrams came: `batch.count` of them, lent until this returns (overwritten then under
   * `TRIPOLL_DEBUG`). Send the batch itself back to answer each. No async function: after an
   * `await` the batch would hold other datagrams.
   */
  datagrams?(endpoint: UdpEndpoint, batch: DatagramBatch): SyncResult;
  /** After a `send` or `sendMany` that the socket could not take: it can again. */
  drain?(endpoint: UdpEndpoint): unknown;
  /**
   * Something went wrong, and the socket goes on: an ICMP error (`receiveErrors`, or a connected
   * socket's), or what another handler threw. Without this handler the network's errors are left
   * out, and what was thrown is an `uncaughtException`.
   */
  error?(endpoint: UdpEndpoint, error: HandlerError): unknown;
  /** Exactly once and last; `error` is what ended it, or null. */
  close?(endpoint: UdpEndpoint, error: HandlerError | null): unknown;
}

/** Handlers of a thread run one after the other: those that take the usual batch share one. */
let sharedBatch: DatagramBatch | null = null;
let record: DatagramRecords | null = null;

/**
 * A handler-style UDP socket, the fast path: `bindUdp` makes it. It has no queue: what the socket
 * cannot take now is the caller's to send again, after `drain`.
 */
export class UdpEndpoint extends UdpCore {
  static readonly #calls = new HandlerCalls<UdpEndpoint>({
    isClosed: (endpoint) => endpoint.closed,
    hearsErrors: (endpoint) => endpoint.#handlers.error !== undefined,
    // One datagram that the program cannot take must not end the socket for all others.
    onThrown: (endpoint, error) => endpoint.#tell(error),
  });
  /** The user's own. */
  data: unknown = undefined;
  readonly #handlers: UdpHandlers;
  /** Null: the one that is shared. */
  #ownBatch: DatagramBatch | null = null;
  readonly #batchOptions: DatagramBatchOptions;
  #paused = false;
  #owesDrain = false;

  private constructor(target: UdpTarget, handlers: UdpHandlers) {
    super(target, TARGET_NAMES);
    this.#handlers = handlers;
    const { capacity, slotBytes } = target;
    this.#batchOptions = { capacity, slotBytes };
    if (capacity !== undefined || slotBytes !== undefined) {
      this.#ownBatch = new DatagramBatch(this.#batchOptions);
    }
  }

  /** @internal For `bindUdp`. */
  static binding(
    place: UdpTarget | string,
    handlers: UdpHandlers,
    options: UdpEndpointOptions | undefined,
  ): UdpEndpoint {
    const target = withOptions<UdpTarget, string>(place, options, splitHostPort);
    checkUdpHandlers(handlers);
    const { fd, host, port, peer } = target;
    const endpoint = new UdpEndpoint(target, handlers);
    if (fd !== undefined) {
      if (host !== undefined || port !== undefined)
        throw outOfRange('target', 'either fd or host and port', { fd, host, port });
      endpoint.take(fd, peer, target);
    } else {
      const local = { host, port };
      endpoint.open(parseAddress(local).familyNumber, local, peer, target);
    }
    return endpoint;
  }

  // ---- receiving ----

  protected get wantsRead(): boolean {
    return !this.#paused && this.#handlers.datagrams !== undefined;
  }

  protected get wantsErrors(): boolean {
    return this.#handlers.error !== undefined;
  }

  /** Stops `datagrams`; the system keeps what its buffer holds, and drops the rest. */
  pause(): this {
    this.#paused = true;
    this.updateInterest();
    return this;
  }

  /** Delivers datagrams again after `pause`. */
  resume(): this {
    this.#paused = false;
    this.updateInterest();
    return this;
  }

  /** The batch to fill: a new one where its borrower transferred the memory away. */
  #batch(): DatagramBatch {
    if (this.#ownBatch !== null) {
      if (!this.#ownBatch.intact) this.#ownBatch = new DatagramBatch(this.#batchOptions);
      return this.#ownBatch;
    }
    if (sharedBatch?.intact !== true) sharedBatch = new DatagramBatch();
    return sharedBatch;
  }

  protected readNow(): void {
    for (let i = 0; i < BATCHES_PER_EVENT; i++) {
      if (this.closed || this.#paused) return;
      if (i > 0 && !this.reactor.registry.consumeBudget()) return;
      const batch = this.#batch();
      const received = batch.receiveFrom(this.fd, this.receiveOptions);
      if (received === EAGAIN || received === EINTR) return;
      if (received < 0) {
        this.#onFailed(received, 'recvmsg');
        return;
      }
      this.idle?.touch(this);
      consumeBudgetFor(this.reactor, received);
      chargeFor(this.reactor, batch, 0, received);
      const errnoAfter = batch.errnoAfter;
      // While it is lent, an endpoint of a reactor that the handler turns by hand takes another
      // (F35).
      const isShared = batch === sharedBatch;
      if (isShared) sharedBatch = null;
      UdpEndpoint.#calls.call(this, () => this.#handlers.datagrams?.(this, batch));
      if (capabilities.debug && batch.intact) batch.poison();
      if (isShared) sharedBatch = batch;
      if (errnoAfter < 0 && !this.closed) this.#onFailed(errnoAfter, 'recvmsg');
      // The level brings us back if there is more.
      if (received < batch.capacity) return;
    }
  }

  /** Told, and over where the socket itself is broken. */
  #onFailed(errno: number, syscall: string): void {
    this.#tell(this.failure(errno, syscall));
  }

  #tell(error: HandlerError): void {
    const { error: onError } = this.#handlers;
    if (onError !== undefined && !this.closed) callLast(() => onError.call(this.#handlers, this, error));
  }

  protected onQueuedError(error: HandlerError): void {
    this.#tell(error);
  }

  // ---- sending ----

  /**
   * Sends one datagram now.
   *
   * @param payload not kept
   * @param address where to, an IP address with port; none on a connected socket
   * @returns false when the socket's buffer is full: it was not sent, and `drain` says when to try
   * again
   * @throws TypeError, RangeError; EMSGSIZE, ENETUNREACH, EDESTADDRREQ and what else sendmsg(2)
   * says: the socket goes on; ERR_TRIPOLL_CLOSED
   */
  send(payload: Uint8Array, address?: SocketAddressInput): boolean {
    checkBytes('payload', payload);
    this.checkOpen();
    record ??= new DatagramRecords(1);
    record.begin(0, payload.length);
    if (address !== undefined) record.setAddress(0, address);
    const { bytes } = record;
    const done = nativeUdp.udpSend(this.fd, bytes, payload, payload.length, 0, 1, this.sendOptions);
    if (done < 0) return this.#onBlocked(done);
    this.noteTooLong(record.countTooLong(0, 1));
    const error = record.failed > 0 ? record.sendError(0) : null;
    if (error !== null) throw error;
    this.retry.reset();
    this.idle?.touch(this);
    return true;
  }

  /**
   * Sends what of the batch has not been sent: the next call goes on where this one ended, until
   * `batch.rewind()`, `batch.clear()` or another receive. A datagram that cannot be sent does not
   * keep the others: `batch.failed` counts them, `batch.errorOf(index)` says why.
   *
   * @returns false when the socket's buffer was full before the end: `batch.settled` of them are
   * done, and `drain` says when to go on. A batch that was lent to `datagrams` is not yours by
   * then: what is left of it is lost.
   * @throws TypeError; ERR_TRIPOLL_CLOSED
   */
  sendMany(batch: DatagramBatch): boolean {
    checkBatch('batch', batch);
    this.checkOpen();
    // Each round settles at least one, or ends.
    while (batch.settled < batch.count) {
      const done = batch.sendTo(this.fd, this.sendOptions);
      if (batch.cannotSegment) this.noteCannotSegment();
      this.noteTooLong(batch.countTooLong(done));
      if (done < 0) return this.#onBlocked(done);
      this.retry.reset();
      this.idle?.touch(this);
      chargeFor(this.reactor, batch, batch.settled - done, batch.settled);
    }
    return true;
  }

  #onBlocked(errno: number): boolean {
    if (!this.retry.goesLater(errno)) throw this.failure(errno, 'sendmsg');
    this.#owesDrain = true;
    this.updateInterest();
    return false;
  }

  protected get wantsWrite(): boolean {
    return this.#owesDrain;
  }

  protected writeNow(): void {
    this.#owesDrain = false;
    UdpEndpoint.#calls.call(this, () => this.#handlers.drain?.(this));
  }

  /**
   * Gives the socket to another thread, or to another object of this one, as `UdpSocket.detach`: of
   * the handlers `close` is told. It has no queue that would have to be waited for; a `drain` that
   * was due is not told.
   *
   * @returns the handle for `attach`
   * @throws (as rejection) ERR_TRIPOLL_CLOSED
   */
  // Async: also that it is closed is a rejection.
  async detach(): Promise<SocketHandle<'udp'>> {
    return Promise.resolve(this.detachAs(null));
  }

  /** @internal Handlers need nobody who holds it, paused or not. */
  override [LEFTOVERS](): null {
    return null;
  }

  protected onDestroyed(error: Error | null): void {
    const { close } = this.#handlers;
    // Not from in here: the user's own call may be what destroyed it.
    if (close === undefined) return;
    const { context } = this.profile;
    this.reactor.registry.defer(() =>
      context.runInAsyncScope(() => callLast(() => close.call(this.#handlers, this, error))),
    );
  }
}

function checkUdpHandlers(handlers: unknown): asserts handlers is UdpHandlers {
  checkObject('handlers', handlers);
  for (const name of ['datagrams', 'drain', 'error', 'close']) {
    const handler = (handlers as Record<string, unknown>)[name];
    if (handler !== undefined) checkFunction(`handlers.${name}`, handler);
  }
}

/**
 * Binds handler-style: the fast path.
 *
 * @param target `{ host, port, ...options }`, `{ fd, ...options }`, or only `'host:port'` with the
 * options behind; `host` is an IP address, not a name; `capacity` and `slotBytes` give the endpoint
 * a batch of its own
 * @param options for a `target` that is a string
 * @throws TypeError, RangeError; EADDRINUSE, EADDRNOTAVAIL, EACCES and what else bind(2) and
 * connect(2) say; ERR_TRIPOLL_UNSUPPORTED for an option that this platform lacks;
 * ERR_TRIPOLL_CLOSED
 */
export function bindUdp(
  target: UdpTarget | string,
  handlers: UdpHandlers,
  options?: UdpEndpointOptions,
): UdpEndpoint {
  return UdpEndpoint.binding(target, handlers, options);
}
