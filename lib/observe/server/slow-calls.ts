import type { EventHandler, Registration } from '../../reactor/registration.js';
import type { Timer } from '../../reactor/timer.js';
import { peerOf } from '../inspect-registrations.js';
import { Listener } from '../probes.js';
import { nameOf } from '../watchdog/origins.js';
import type { SlowCall } from './protocol.js';

/** More than a table shows of one reactor: some are forgotten before they are asked for. */
const MAX_KEPT = 16;
/** What is told is of so long. */
const SPAN_MS = 60_000;
const TIMER = -1;
/** It was running when this began to listen. */
const UNKNOWN = Infinity;

interface Kept {
  /** -1 for a timer; no registration itself, which would be held by it. */
  readonly slot: number;
  readonly generation: number;
  readonly fd: number;
  readonly name: string;
  readonly peer: string | null;
  tookMs: number;
  endMs: number;
}

/** The slowest calls of a reactor's handlers and timers: of each registration its slowest. */
export class SlowCalls extends Listener {
  #kept: Kept[] = [];
  /** What took no longer need not be looked at. */
  #floorMs = 0;
  #timerStartMs = UNKNOWN;

  override handlerEnd(nowMs: number, registration: Registration, _readiness: number, startMs: number): void {
    const tookMs = nowMs - startMs;
    if (tookMs <= this.#floorMs) return;
    const { slot, generation, fd, handler } = registration;
    this.#keep({ slot, generation, fd, name: nameOf(registration), tookMs, endMs: nowMs }, handler);
  }

  override timerStart(nowMs: number): void {
    this.#timerStartMs = nowMs;
  }

  override timerEnd(nowMs: number, { callback }: Timer): void {
    const tookMs = nowMs - this.#timerStartMs;
    if (tookMs <= this.#floorMs) return;
    const name = `timer ${callback.name}`.trim();
    this.#keep({ slot: TIMER, generation: 0, fd: -1, name, tookMs, endMs: nowMs }, null);
  }

  #keep(call: Omit<Kept, 'peer'>, handler: EventHandler | null): void {
    this.#forget(call.endMs);
    const isSame = (other: Kept): boolean =>
      other.slot === call.slot && other.generation === call.generation && other.name === call.name;
    const known = this.#kept.find(isSame);
    // The system is asked for its peer once.
    if (known === undefined) this.#kept.push({ ...call, peer: handler === null ? null : peerOf(handler) });
    else if (call.tookMs > known.tookMs) Object.assign(known, call);
    this.#kept.sort((one, other) => other.tookMs - one.tookMs);
    this.#kept.length = Math.min(this.#kept.length, MAX_KEPT);
    this.#setFloor();
  }

  #forget(nowMs: number): void {
    this.#kept = this.#kept.filter(({ endMs }) => nowMs - endMs < SPAN_MS);
    this.#setFloor();
  }

  #setFloor(): void {
    this.#floorMs = this.#kept.length < MAX_KEPT ? 0 : this.#kept.at(-1)!.tookMs;
  }

  /** The slowest first. */
  list(reactor: string, nowMs: number): SlowCall[] {
    this.#forget(nowMs);
    return this.#kept.map(({ fd, name, peer, tookMs, endMs }) => ({
      ...{ reactor, fd, name, peer, tookMs, agoMs: nowMs - endMs },
    }));
  }
}
