import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { capabilities } from '../../binding/capabilities.js';
import { unsupportedError } from '../../binding/errors.js';
import { setImmediate } from '../../binding/host-clock.js';
import type { StreamProfile } from '../../net/stream/stream-profile.js';
import { releaseFd } from '../../net/socket/release-fd.js';
import type { EventHandler, Registration } from '../../reactor/registration.js';
import type { Registry } from '../../reactor/registry.js';

/** What is asked of a promise stream of lib/net; a connection with handlers needs nobody who holds it. */
interface PromiseStream extends EventHandler {
  readonly tryRead?: unknown;
  readonly isOpen: boolean;
  readonly isWaiting: boolean;
  readonly hasQueued: boolean;
  readonly cold: object | null;
  readonly profile: StreamProfile;
}

interface Candidate {
  readonly registration: Registration;
  readonly profile: StreamProfile;
  readonly handler: WeakRef<EventHandler>;
}

/** In the place of a handler during the collection: nothing is delivered meanwhile. */
const nobody: EventHandler = { onReady: () => {} };

/** Nothing waits for it, and nothing of it is on its way: if no code knows it, none ever will. */
function isIdleStream(handler: EventHandler): handler is PromiseStream {
  const stream = handler as PromiseStream;
  // Of these names a user's handler has hardly both.
  if (typeof stream.tryRead !== 'function' || typeof stream.profile !== 'object' || !stream.isOpen)
    return false;
  // Cold state is what is unusual, as a signal that somebody may listen to. An idle stream ends by itself.
  return !stream.isWaiting && !stream.hasQueued && stream.cold === null && stream.profile.idle === null;
}

function candidatesOf({ slab }: Registry, known: WeakMap<EventHandler, Candidate>): Candidate[] {
  const found: Candidate[] = [];
  for (const registration of slab.slots) {
    if (registration?.active !== true || !isIdleStream(registration.handler)) continue;
    const { handler } = registration;
    const candidate = { registration, profile: handler.profile, handler: new WeakRef(handler) };
    known.set(handler, candidate);
    found.push(candidate);
  }
  return found;
}

/** Of those that are idle still the reactor releases the handler; in a function of its own, whose variables end with it. */
function release(candidates: readonly Candidate[], known: WeakMap<EventHandler, Candidate>): Candidate[] {
  const released: Candidate[] = [];
  for (const candidate of candidates) {
    const { registration } = candidate;
    // Not by `deref`, which would hold it until this job ends.
    if (!registration.active || known.get(registration.handler) !== candidate) continue;
    if (!isIdleStream(registration.handler)) continue;
    registration.handler = nobody;
    released.push(candidate);
  }
  return released;
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  gc();
}

/** In one piece, so that no code can take up a stream meanwhile. */
function collect(candidates: readonly Candidate[], known: WeakMap<EventHandler, Candidate>): Candidate[] {
  const released = release(candidates, known);
  const leaked: Candidate[] = [];
  try {
    if (released.length > 0) collectGarbage();
  } finally {
    for (const candidate of released) {
      const handler = candidate.handler.deref();
      if (handler === undefined) leaked.push(candidate);
      else candidate.registration.handler = handler;
    }
  }
  return leaked;
}

/**
 * Closes promise streams that nothing but the reactor knew, each after `tell`. What else holds one is
 * asked by `letGo` not to.
 *
 * @throws (as rejection) ERR_TRIPOLL_UNSUPPORTED outside of Node
 */
export async function closeLeaked(
  registry: Registry,
  letGo: (registration: Registration) => void,
  tell: (leaked: Registration) => void,
): Promise<void> {
  if (capabilities.runtime !== 'node') throw unsupportedError('Node alone collects garbage on demand');
  const known = new WeakMap<EventHandler, Candidate>();
  const candidates = candidatesOf(registry, known);
  if (candidates.length === 0) return;
  for (const { registration } of candidates) letGo(registration);
  // A WeakRef holds its target until the job ends that made it.
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
  for (const { registration, profile } of collect(candidates, known)) {
    tell(registration);
    releaseFd(registration.fd, registration);
    profile.owner?.connectionClosed();
  }
}
