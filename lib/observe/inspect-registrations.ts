import { chooseReactor } from '../reactor/choose-reactor.js';
import { Interest, Mode, Readiness } from '../poller/flags.js';
import type { Reactor } from '../reactor/reactor.js';
import type { EventHandler, Registration } from '../reactor/registration.js';
import { joinHostPort } from '../sys/address.js';
import { probesOf } from './probes.js';
import type { RegistrationStats } from './registration-stats.js';

/** What a registration is, and what it has done; null is what nobody knows. */
export interface RegistrationInspection {
  /** The fd that was registered. */
  readonly fd: number;
  /** What it was named. */
  readonly name: string | null;
  /** The class of its owner, as `TcpStream`; `handler` for an object of yours that has none. */
  readonly kind: string;
  /** The other end of a socket, where it is known: `127.0.0.1:80`, `[::1]:80`, or a path. */
  readonly peer: string | null;
  /** Names of `Interest`; none when it is paused. */
  readonly interest: readonly string[];
  /** Name of `Mode`. */
  readonly mode: string;
  /** 0 to 7. */
  readonly priority: number;
  /** Whether it keeps the process alive. */
  readonly keepsAlive: boolean;
  /** Whether it waits in the ready queue. */
  readonly ready: boolean;
  /** Of a stream. */
  readonly bytesRead: number | null;
  /** Of a stream. */
  readonly bytesWritten: number | null;
  /** Bytes of a stream that wait for the system to take them. */
  readonly queuedBytes: number | null;
  /** Since it was registered; null without an `Observer` at that time. */
  readonly ageMs: number | null;
  /** Since its handler was last called; null without an `Observer`, or before the first call. */
  readonly idleMs: number | null;
  /** Names of `Readiness`, of the last call; null as `idleMs`. */
  readonly lastReadiness: readonly string[] | null;
  /** Calls of its handler since it is observed. */
  readonly calls: number | null;
  /** Time that those took. */
  readonly busyMs: number | null;
  /** The longest of them. */
  readonly slowestMs: number | null;
  /** Where it was registered, a line for each call; null without `TRIPOLL_DEBUG` and `Observer`. */
  readonly stack: string | null;
}

/**
 * All registrations of a reactor, as plain values for JSON. It looks at every one: of a hundred
 * thousand that takes some tenths of a second.
 *
 * @param reactor default: this thread's `Reactor.default`
 * @throws TypeError; ERR_TRIPOLL_CLOSED
 */
export function inspectRegistrations(reactor?: Reactor): RegistrationInspection[] {
  const chosen = chooseReactor(reactor);
  const probes = probesOf(chosen);
  const nowMs = probes?.nowMs() ?? 0;
  return activeOf(chosen).map((registration) => ({
    ...inspectOne(registration),
    ...inspectStats(probes?.statsOf(registration) ?? null, nowMs),
  }));
}

/** How many registrations a reactor has of each kind (`RegistrationInspection.kind`). */
export function countKinds(reactor: Reactor): Record<string, number> {
  // Without a prototype: a class may have any name.
  const counts = Object.create(null) as Record<string, number>;
  for (const { handler } of activeOf(reactor)) {
    const kind = kindOf(handler);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function activeOf({ registry }: Reactor): Registration[] {
  return registry.slab.slots.filter((registration) => registration?.active === true) as Registration[];
}

function inspectOne(registration: Registration) {
  const { fd, name = null, handler, interest, mode, priority, pending } = registration;
  return {
    ...{
      fd,
      name,
      kind: kindOf(handler),
      peer: peerOf(handler),
      interest: namesOf(Interest, interest),
      mode: modeName(mode),
      priority,
    },
    ...{ keepsAlive: registration.hasRef(), ready: pending !== 0 },
    bytesRead: numberOf(handler, 'bytesRead'),
    bytesWritten: numberOf(handler, 'bytesWritten'),
    queuedBytes: numberOf(handler, 'queuedBytes'),
  };
}

function inspectStats(stats: RegistrationStats | null, nowMs: number) {
  const lastCallMs = stats === null || stats.calls === 0 ? null : stats.lastCallMs;
  return {
    ageMs: stats === null || stats.sinceMs === null ? null : nowMs - stats.sinceMs,
    idleMs: lastCallMs === null ? null : nowMs - lastCallMs,
    lastReadiness: stats === null || lastCallMs === null ? null : namesOf(Readiness, stats.lastReadiness),
    calls: stats?.calls ?? null,
    busyMs: stats?.busyMs ?? null,
    slowestMs: stats?.slowestMs ?? null,
    stack: stats?.stack ?? null,
  };
}

/** @internal The class of a handler; `handler` for an object of a user's own. */
export function kindOf(handler: EventHandler): string {
  const { constructor } = handler as { constructor?: unknown };
  const name = typeof constructor === 'function' ? constructor.name : '';
  return name === '' || name === 'Object' ? 'handler' : name;
}

function namesOf(flags: Readonly<Record<string, number>>, value: number): string[] {
  return Object.keys(flags).filter((name) => (value & flags[name]!) !== 0);
}

function modeName(mode: number): string {
  const exclusive = (mode & Mode.EXCLUSIVE) !== 0;
  const rest = mode & ~Mode.EXCLUSIVE;
  const name = Object.entries(Mode).find(([, value]) => value === rest)?.[0] ?? String(rest);
  return exclusive ? `${name} | EXCLUSIVE` : name;
}

/** @internal A handler of a user's may have anything under this name. */
export function numberOf(handler: EventHandler, key: string): number | null {
  try {
    const value = (handler as unknown as Record<string, unknown>)[key];
    return typeof value === 'number' ? value : null;
  } catch {
    return null;
  }
}

/** @internal The other end, as text. A handler of a user's may have anything under this name. */
export function peerOf(handler: EventHandler): string | null {
  try {
    const peer = (handler as { remoteAddress?: unknown }).remoteAddress;
    if (typeof peer === 'string') return peer === '' ? null : peer;
    const { address, port } = (peer ?? {}) as { address?: unknown; port?: unknown };
    if (typeof address !== 'string' || typeof port !== 'number') return null;
    return joinHostPort(address, port);
  } catch {
    return null;
  }
}
