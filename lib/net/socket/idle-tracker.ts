import { idleTimeoutError, outOfRange } from '../../binding/errors.js';
import { checkDurationMs } from '../../binding/validate.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { Timer } from '../../reactor/timer.js';

/**
 * An idle timeout is found late by at most two of these: the bucket is rounded up, and the sweep
 * has its own phase.
 */
const BUCKETS_PER_TIMEOUT = 8;

/** What can be idle for too long. */
export interface Idler {
  /** Ends it with a TimeoutError. */
  expire(error: Error): void;
}

/**
 * Idle timeouts of many connections on one timer. Activity costs one write; a connection is looked
 * at once a timeout, when its bucket comes up: what was active meanwhile moves on, what was not has
 * expired.
 */
export class IdleTracker {
  readonly #reactor: Reactor;
  readonly #timeoutMs: number;
  readonly #what: string;
  readonly #periodMs: number;
  /** By the tick at which they are looked at again. */
  readonly #buckets = new Map<number, Set<Idler>>();
  readonly #places = new Map<Idler, { tick: number; activeMs: number }>();
  #timer: Timer | null = null;

  /** @param what can be idle, as the error names it */
  constructor(reactor: Reactor, timeoutMs: number, what: string) {
    this.#what = what;
    this.#reactor = reactor;
    this.#timeoutMs = timeoutMs;
    this.#periodMs = Math.max(1, Math.ceil(timeoutMs / BUCKETS_PER_TIMEOUT));
  }

  /** Watches it from now on. */
  add(idler: Idler): void {
    const activeMs = this.#reactor.turnTimeMs();
    const place = { tick: this.#tickAfter(activeMs), activeMs };
    this.#places.set(idler, place);
    this.#bucket(place.tick).add(idler);
    // Unref'd: the connections themselves keep the process alive.
    this.#timer ??= this.#reactor
      .setTimer(this.#periodMs, () => this.#sweep(), { repeatMs: this.#periodMs })
      .unref();
  }

  /** Notes that it is active. */
  touch(idler: Idler): void {
    const place = this.#places.get(idler);
    if (place !== undefined) place.activeMs = this.#reactor.turnTimeMs();
  }

  /** Watches it no more. */
  remove(idler: Idler): void {
    const place = this.#places.get(idler);
    if (place === undefined) return;
    this.#places.delete(idler);
    this.#buckets.get(place.tick)?.delete(idler);
    if (this.#places.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#buckets.clear();
  }

  /** The first look at which silence since `activeMs` has been long enough. */
  #tickAfter(activeMs: number): number {
    return Math.ceil((activeMs + this.#timeoutMs) / this.#periodMs);
  }

  #bucket(tick: number): Set<Idler> {
    let bucket = this.#buckets.get(tick);
    if (bucket === undefined) this.#buckets.set(tick, (bucket = new Set()));
    return bucket;
  }

  #sweep(): void {
    const nowMs = this.#reactor.turnTimeMs();
    const nowTick = Math.floor(nowMs / this.#periodMs);
    // At most as many buckets as a timeout has periods, and one.
    for (const [tick, bucket] of [...this.#buckets]) {
      if (tick > nowTick) continue;
      this.#buckets.delete(tick);
      for (const idler of bucket) this.#look(idler, nowMs);
    }
  }

  #look(idler: Idler, nowMs: number): void {
    const place = this.#places.get(idler);
    if (place === undefined) return;
    if (nowMs - place.activeMs >= this.#timeoutMs) {
      idler.expire(idleTimeoutError(this.#what, this.#timeoutMs));
      return;
    }
    place.tick = this.#tickAfter(place.activeMs);
    this.#bucket(place.tick).add(idler);
  }
}

/** Null when the option is not set. */
export function toIdleTracker(
  reactor: Reactor,
  options: { idleTimeoutMs?: number | undefined },
  what = 'The connection',
): IdleTracker | null {
  const { idleTimeoutMs } = options;
  if (idleTimeoutMs === undefined) return null;
  checkDurationMs('idleTimeoutMs', idleTimeoutMs);
  if (idleTimeoutMs < 1) throw outOfRange('idleTimeoutMs', 'at least 1 millisecond', idleTimeoutMs);
  return new IdleTracker(reactor, idleTimeoutMs, what);
}
