import { nowMs } from '../../binding/host-clock.js';
import type { HistogramSummary } from '../../reactor/probe.js';
import type { Reactor } from '../../reactor/reactor.js';
import { Histogram, type Histograms } from '../histogram.js';
import { addListener, probesOf, type ProbeSet } from '../probes.js';
import { TimeTaker } from '../time-taker.js';
import { HotRegistrations } from './hot-registrations.js';
import type { HotRegistration, ReactorSnapshot, SlowCall } from './protocol.js';
import { SlowCalls } from './slow-calls.js';

/** What one client was told last. */
export interface Window {
  /** Who has taken the times: an `Observer` that is made anew begins at 0. */
  readonly by: Histograms | null;
  readonly observedMs: number;
  readonly busyMs: number;
  readonly handlerMs: Histogram;
  readonly timerLateMs: Histogram;
}

const NONE = new Histogram();

/** Who takes times: an `Observer` of the program's, or ours. */
type Source = Pick<ProbeSet | TimeTaker, 'times' | 'histograms' | 'statsOf'>;

/** Looks into one reactor while clients ask about it. */
export class ReactorView {
  readonly reactor: Reactor;
  readonly name: string;
  readonly #slow = new SlowCalls();
  readonly #hot: HotRegistrations;
  readonly #stopListening: () => void;
  /** Null while the program has an `Observer` itself, which costs as much. */
  #taker: TimeTaker | null = null;
  #stopTaking: () => void = () => undefined;

  constructor(reactor: Reactor, name: string) {
    this.reactor = reactor;
    this.name = name;
    this.#hot = new HotRegistrations(
      reactor,
      (registration) => this.#source()?.statsOf(registration) ?? null,
    );
    this.#stopListening = addListener(reactor, this.#slow);
    this.#takeTimes();
  }

  /** By the program's own `Observer` where there is one. */
  #takeTimes(): void {
    if (this.reactor.closed) return;
    const isTaken = (probesOf(this.reactor)?.histograms() ?? null) !== null;
    if (isTaken === (this.#taker === null)) return;
    this.#stopTaking();
    this.#taker = isTaken ? null : new TimeTaker(nowMs, true);
    if (this.#taker !== null) this.#stopTaking = addListener(this.reactor, this.#taker);
  }

  #source(): Source | null {
    return this.#taker ?? probesOf(this.reactor);
  }

  /** What it is now, with the times since `earlier`; and the window for the next. */
  snapshot(earlier: Window | undefined): { told: ReactorSnapshot; window: Window } {
    this.#takeTimes();
    const { backend, driver, closed, refs: _, ...counters } = this.reactor.inspect();
    const window = this.#window();
    const since = earlier?.by === window.by ? earlier : undefined;
    const spanMs = window.observedMs - (since?.observedMs ?? 0);
    const busyMs = window.busyMs - (since?.busyMs ?? 0);
    const [handlerMs, timerLateMs] = (['handlerMs', 'timerLateMs'] as const).map((name) =>
      (since === undefined ? window[name] : window[name].since(since[name])).summary(),
    ) as [HistogramSummary, HistogramSummary];
    const busyShare = spanMs > 0 ? Math.min(1, busyMs / spanMs) : 0;
    const told = { name: this.name, backend, driver, closed, counters, busyShare, handlerMs, timerLateMs };
    return { told, window };
  }

  #window(): Window {
    const source = this.#source();
    const { observedMs = 0, busyMs = 0 } = source?.times() ?? {};
    const by = source?.histograms() ?? null;
    const { handlerMs = NONE, timerLateMs = NONE } = by ?? {};
    return { by, observedMs, busyMs, handlerMs: handlerMs.copy(), timerLateMs: timerLateMs.copy() };
  }

  /** The hottest and the slowest, `most` of each at most. */
  leaders(now: number, most: number): { hottest: HotRegistration[]; slowest: SlowCall[] } {
    this.#hot.look(now);
    return { hottest: this.#hot.list(this.name, most), slowest: this.#slow.list(this.name, now) };
  }

  /** Nobody asks any more. */
  close(): void {
    this.#stopListening();
    this.#stopTaking();
  }
}
