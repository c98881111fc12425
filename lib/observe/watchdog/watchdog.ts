import { capabilities } from '../../binding/capabilities.js';
import { unsupportedError } from '../../binding/errors.js';
import { nowMs } from '../../binding/host-clock.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { Registration } from '../../reactor/registration.js';
import type { Timer } from '../../reactor/timer.js';
import { addListener, Listener } from '../probes.js';
import { ReadyCheck } from './fd-state.js';
import { Beat, BEAT_WORDS, Doing, type FoundMessage } from './heartbeat.js';
import { closeLeaked } from './leaks.js';
import { OriginTable } from './origin-table.js';
import { describeOrigin, nameOf } from './origins.js';
import { toLimits, type Limits, type WatchdogOptions } from './options.js';
import type { LeakedReport } from './reports.js';
import { SlowWatch, type Slow } from './slow-watch.js';
import { SpinWatch, type Spin } from './spinning.js';
import { Teller } from './teller.js';
import { UnreadWatch, type Unread } from './unread.js';
import { WatchingWorker } from './watched-thread.js';

/** So often within a limit it is looked. */
const LOOKS_PER_LIMIT = 4;

/**
 * Watches one reactor, and reports what an operator would have to find with a debugger: a handler
 * that holds up its thread, also one that never returns; a reactor that does not come round; an fd
 * that makes it spin; bytes that nobody reads; what was never closed. Each report goes to
 * `process.emitWarning` (`TripollWarning`), to the channel `tripoll:watchdog` of
 * `node:diagnostics_channel`, and to `onReport`.
 *
 * Where something was opened it knows of what was registered after it was made. It keeps the process
 * no longer alive, and ends with the reactor.
 */
export class Watchdog {
  /** What it watches. */
  readonly reactor: Reactor;
  /** @internal For tests, which end a handler when its stack was taken. */
  readonly heartbeat: Int32Array;
  readonly #limits: Limits;
  readonly #teller: Teller;
  readonly #check = new ReadyCheck();
  readonly #worker: WatchingWorker | null;
  readonly #origins: OriginTable;
  readonly #slow: SlowWatch;
  readonly #timers: Timer[] = [];
  readonly #detach: () => void;
  readonly #forget: () => void;
  #closed = false;
  #alive = 0;
  #aliveMs = nowMs();
  /** The longest time between two of the reactor's beats, since the last report of it. */
  #longestGapMs = 0;
  #isLookingForLeaks = false;
  #unfollow: (() => void) | null = null;

  /**
   * It starts at once. On Node the stack of what holds up the thread is known, elsewhere only that it
   * is held up: Bun and Deno let no thread look into another.
   *
   * @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_UNSUPPORTED for `leakCheckMs`
   * outside of Node; what `new Worker` throws, as under `--permission` without `--allow-worker`
   */
  constructor(reactor?: Reactor, options: WatchdogOptions = {}) {
    const limits = toLimits(options);
    if (limits.leakCheckMs > 0 && capabilities.runtime !== 'node')
      throw unsupportedError('leakCheckMs: Node alone collects garbage on demand');
    this.reactor = chooseReactor(reactor);
    this.#limits = limits;
    this.#teller = new Teller(this.reactor, limits, () => this.#worker?.dump());
    this.#worker = this.#startThread();
    this.#origins = new OriginTable(this.#worker === null ? null : (message) => this.#worker?.post(message));
    this.heartbeat = this.#worker?.words ?? new Int32Array(BEAT_WORDS);
    this.#slow = new SlowWatch(limits.slowHandlerMs, this.heartbeat, (slow, stack) =>
      this.#tellSlow(slow, stack),
    );
    this.#forget = this.reactor.registry.onClose(() => this.close());
    this.#detach = addListener(this.reactor, this.#listener());
    this.#every(limits.stalledMs, () => this.#beat());
    if (limits.leakCheckMs > 0) this.#repeat(limits.leakCheckMs, () => void this.findLeaks());
  }

  #startThread(): WatchingWorker | null {
    const { slowHandlerMs, stalledMs, dump } = this.#limits;
    if (slowHandlerMs === 0 && stalledMs === 0 && dump === null) return null;
    const target = dump === null ? null : { memories: dump.recorder.memories, file: dump.file };
    const worker = new WatchingWorker(
      { slowHandlerMs, stalledMs, dump: target },
      (message) => this.#onFound(message),
      (error) => this.#onThreadEnd(error),
    );
    if (dump !== null) {
      const { recorder } = dump;
      this.#unfollow = recorder.whenThreadsChange(() => worker.post({ memories: recorder.memories }));
    }
    return worker;
  }

  #listener(): Listener {
    const { spinTurns, unreadMs } = this.#limits;
    const { registry } = this.reactor;
    const spins = new SpinWatch(spinTurns, this.reactor, this.#check, (spin) => this.#tellSpin(spin));
    const unread = new UnreadWatch(unreadMs, registry, this.#check, (found) => this.#tellUnread(found));
    this.#every(unreadMs, () => unread.scan(nowMs()));
    return new Watching(this.#origins, this.#slow, spinTurns > 0 ? spins : null, unread);
  }

  /** Some times within `limitMs`, by the reactor itself; never for 0. */
  #every(limitMs: number, fn: () => void): void {
    if (limitMs > 0) this.#repeat(Math.max(1, limitMs / LOOKS_PER_LIMIT), fn);
  }

  #repeat(periodMs: number, fn: () => void): void {
    const repeatMs = Math.max(1, periodMs);
    // Its name is told, as in `top`.
    const watchdog = (): void => fn();
    this.#timers.push(this.reactor.setTimer(repeatMs, watchdog, { repeatMs }).unref());
  }

  #beat(): void {
    const now = nowMs();
    this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#aliveMs);
    this.#aliveMs = now;
    this.heartbeat[Beat.ALIVE] = this.#alive = (this.#alive + 1) | 0;
  }

  #onFound(message: FoundMessage): void {
    if (message.kind === 'slow') this.#slow.onFound(message);
    else if (!this.#closed) this.#tellStalled(message);
  }

  #onThreadEnd(error: Error | null): void {
    this.#slow.tellWithoutStacks();
    if (error !== null) process.emitWarning(error);
  }

  // ---- reports ----

  #tellSlow({ subject, origin, durationMs }: Slow, stack: string | null): void {
    const isTimer = 'callback' in subject;
    const name = isTimer ? `timer ${subject.callback.name}`.trim() : nameOf(subject);
    const fd = isTimer ? -1 : subject.fd;
    const openedAt = describeOrigin(origin);
    this.#teller.tell({ kind: 'slow-handler', name, fd, openedAt, durationMs, stack });
  }

  #tellStalled({ seenMs, stack }: FoundMessage): void {
    const stalledMs = Math.max(seenMs, this.#longestGapMs, nowMs() - this.#aliveMs);
    this.#longestGapMs = 0;
    this.#teller.tell({ kind: 'stalled', stalledMs, stack });
  }

  #tellSpin({ registration, ...spin }: Spin): void {
    const name = registration === null ? 'a registration that has ended' : nameOf(registration);
    const openedAt = registration === null ? null : this.#origins.openedAt(registration);
    const registered = registration !== null;
    this.#teller.tell({ kind: 'spinning-fd', ...spin, name, openedAt, registered });
  }

  #tellUnread({ registration, ...unread }: Unread): void {
    this.#teller.tell({ kind: 'unread', ...this.#about(registration), ...unread });
  }

  #about(registration: Registration): { name: string; fd: number; openedAt: string | null } {
    const { fd } = registration;
    return { name: nameOf(registration), fd, openedAt: this.#origins.openedAt(registration) };
  }

  // ---- leaks ----

  /**
   * Looks for what was opened for promises (`TcpStream`, `TcpListener`, `UdpSocket`, `AsyncFd`, and
   * all that is built on them) and that nothing knows any more but the reactor: no code can read,
   * write or close it, ever. It is reported, and closed. For that it collects garbage: a pause of some
   * ten milliseconds, more with a large heap. What has an idle timeout is left to it. What has
   * handlers needs nobody who holds it, and is no leak.
   *
   * @returns those that it found
   * @throws (as rejection) ERR_TRIPOLL_UNSUPPORTED outside of Node
   */
  async findLeaks(): Promise<LeakedReport[]> {
    const found: LeakedReport[] = [];
    if (this.#closed || this.#isLookingForLeaks) return found;
    this.#isLookingForLeaks = true;
    try {
      const letGo = (registration: Registration) => this.#origins.letGo(registration);
      await closeLeaked(this.reactor.registry, letGo, ({ registration, name }) => {
        const report = this.#teller.tell({ kind: 'leaked', ...this.#about(registration), name });
        found.push(report as LeakedReport);
      });
    } finally {
      this.#isLookingForLeaks = false;
    }
    return found;
  }

  // ---- the end ----

  /** Whether it has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Ends it, and its thread. May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#detach();
    this.#forget();
    for (const timer of this.#timers) timer.cancel();
    this.#check.close();
    this.#slow.tellWithoutStacks();
    this.#unfollow?.();
    this.#worker?.close();
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** What the reactor tells, for those who look at it. */
class Watching extends Listener {
  readonly #origins: OriginTable;
  readonly #slow: SlowWatch;
  readonly #spins: SpinWatch | null;
  readonly #unread: UnreadWatch;

  constructor(origins: OriginTable, slow: SlowWatch, spins: SpinWatch | null, unread: UnreadWatch) {
    super();
    this.#origins = origins;
    this.#slow = slow;
    this.#spins = spins;
    this.#unread = unread;
  }

  override turnStart(_nowMs: number, events: number): void {
    this.#slow.turnStart();
    this.#spins?.turnStart(events);
  }

  override turnEnd(_nowMs: number, ran: number): void {
    this.#slow.turnEnd();
    this.#spins?.turnEnd(ran);
  }

  override handlerStart(nowMs: number, registration: Registration, readiness: number): void {
    this.#unread.handlerStart(registration);
    this.#spins?.handlerStart(registration, readiness);
    this.#slow.start(nowMs, Doing.HANDLER, registration.fd, this.#origins.enter(registration));
  }

  override handlerEnd(nowMs: number, registration: Registration): void {
    this.#slow.end(nowMs, registration, this.#origins.current);
    this.#spins?.handlerEnd(registration);
    this.#origins.leave();
  }

  override timerStart(nowMs: number): void {
    this.#slow.start(nowMs, Doing.TIMER, -1, 0);
  }

  override timerEnd(nowMs: number, timer: Timer): void {
    this.#slow.end(nowMs, timer, null);
  }

  override registered(_nowMs: number, registration: Registration): void {
    this.#origins.registered(registration);
    this.#unread.registered(registration);
    this.#spins?.registered(registration);
  }

  override deregistered(_nowMs: number, registration: Registration): void {
    this.#origins.deregistered(registration);
    this.#spins?.deregistered(registration);
  }
}
