import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { capabilities } from '../../binding/capabilities.js';
import { unsupportedError } from '../../binding/errors.js';
import { setImmediate } from '../../binding/host-clock.js';
import { LEFTOVERS, type Resource } from '../../net/socket/resource.js';
import type { EventHandler, Registration } from '../../reactor/registration.js';
import type { Registry } from '../../reactor/registry.js';
import { nameOf } from './origins.js';

/** Of so many it is made text where they were registered, which takes 20 us each, before others run. */
const LET_GO_AT_A_TIME = 256;

interface Candidate {
  readonly registration: Registration;
  readonly name: string;
  readonly handler: WeakRef<EventHandler>;
}

/** A candidate that its reactor does not hold any more. */
interface Released extends Candidate {
  /** Closes what the object would have closed, and does not hold it. */
  readonly close: () => void;
}

/** What nobody knew any more. */
export type Leaked = Pick<Released, 'registration' | 'name'>;

/** In the place of a handler during the collection: nothing is delivered meanwhile. */
const nobody: EventHandler = { onReady: () => {} };

/** Null where no code need know the object: what waits for it, or its handlers, do. */
function leftoversOf(handler: EventHandler): (() => void) | null {
  return (handler as Partial<Resource>)[LEFTOVERS]?.() ?? null;
}

function candidatesOf({ slab }: Registry, known: WeakMap<EventHandler, Candidate>): Candidate[] {
  const found: Candidate[] = [];
  for (const registration of slab.slots) {
    if (registration?.active !== true || leftoversOf(registration.handler) === null) continue;
    const { handler } = registration;
    const candidate = { registration, name: nameOf(registration), handler: new WeakRef(handler) };
    known.set(handler, candidate);
    found.push(candidate);
  }
  return found;
}

/** Of those that are idle still the reactor releases the handler; in a function of its own, whose variables end with it. */
function release(candidates: readonly Candidate[], known: WeakMap<EventHandler, Candidate>): Released[] {
  const released: Released[] = [];
  for (const candidate of candidates) {
    const { registration } = candidate;
    // Not by `deref`, which would hold it until this job ends.
    if (!registration.active || known.get(registration.handler) !== candidate) continue;
    const close = leftoversOf(registration.handler);
    if (close === null) continue;
    registration.handler = nobody;
    released.push({ ...candidate, close });
  }
  return released;
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  gc();
}

/** In one piece, so that no code can take up an object meanwhile. */
function collect(candidates: readonly Candidate[], known: WeakMap<EventHandler, Candidate>): Released[] {
  const released = release(candidates, known);
  const leaked: Released[] = [];
  try {
    if (released.length > 0) collectGarbage();
  } finally {
    for (const each of released) {
      const handler = each.handler.deref();
      if (handler === undefined) leaked.push(each);
      else each.registration.handler = handler;
    }
  }
  return leaked;
}

const nextLoop = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/** All of them, since what one was registered by may be the last to hold another. */
async function letGoOfAll({ slab }: Registry, letGo: (registration: Registration) => void): Promise<void> {
  for (let slot = 0; slot < slab.slots.length; slot++) {
    const registration = slab.slots[slot];
    if (registration !== undefined) letGo(registration);
    if ((slot + 1) % LET_GO_AT_A_TIME === 0) await nextLoop();
  }
}

/**
 * Closes what nothing but the reactor knew, each after `tell`. What else holds by a registration
 * what that was made by is asked by `letGo` not to.
 *
 * @throws (as rejection) ERR_TRIPOLL_UNSUPPORTED outside of Node
 */
export async function closeLeaked(
  registry: Registry,
  letGo: (registration: Registration) => void,
  tell: (leaked: Leaked) => void,
): Promise<void> {
  if (capabilities.runtime !== 'node') throw unsupportedError('Node alone collects garbage on demand');
  const known = new WeakMap<EventHandler, Candidate>();
  const candidates = candidatesOf(registry, known);
  if (candidates.length === 0) return;
  await letGoOfAll(registry, letGo);
  // A WeakRef holds its target until the job ends that made it.
  await nextLoop();
  for (const leaked of collect(candidates, known)) {
    tell(leaked);
    leaked.close();
  }
}
