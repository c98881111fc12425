import type { Registration, RegistrationProfile } from '../../reactor/registration.js';
import type { OriginMessage } from './heartbeat.js';
import { describeOrigin, nameOf, newOrigin, type Origin } from './origins.js';

/** Of so many the thread is told; one is made for each `register`, and for all that a listener accepts. */
const MAX_TOLD = 4096;
const UNKNOWN = 0;

/** Where registrations were made, and what the watchdog's thread knows of it. */
export class OriginTable {
  /** By slot. */
  readonly #origins: (Origin | undefined)[] = [];
  readonly #numbers = new WeakMap<RegistrationProfile, number>();
  readonly #post: ((message: OriginMessage) => void) | null;
  #told = UNKNOWN;
  /** Of the handler that runs. */
  #current: Origin | null = null;
  #currentNumber = UNKNOWN;
  #lastProfile: RegistrationProfile | null = null;

  /** @param post null without a thread */
  constructor(post: ((message: OriginMessage) => void) | null) {
    this.#post = post;
  }

  registered({ slot }: Registration): void {
    this.#origins[slot] = newOrigin(this.#current);
  }

  deregistered({ slot }: Registration): void {
    this.#origins[slot] = undefined;
  }

  /** By which the thread knows the handler that begins; 0 when it does not. */
  enter(registration: Registration): number {
    this.#current = this.#origins[registration.slot] ?? null;
    const { profile } = registration;
    if (profile === this.#lastProfile) return this.#currentNumber;
    this.#lastProfile = profile;
    this.#currentNumber = this.#numbers.get(profile) ?? this.#tell(registration);
    return this.#currentNumber;
  }

  /** Of the handler that runs. */
  get current(): Origin | null {
    return this.#current;
  }

  leave(): void {
    this.#current = null;
  }

  #tell(registration: Registration): number {
    if (this.#post === null || this.#told === MAX_TOLD) return UNKNOWN;
    const origin = ++this.#told;
    this.#numbers.set(registration.profile, origin);
    const openedAt = this.openedAt(registration);
    const where = openedAt === null ? '' : `registered\n${openedAt}\n`;
    this.#post({ origin, name: nameOf(registration), where });
    return origin;
  }

  /**
   * Makes the text of the stacks: until then V8 keeps with them what they were called on, which is
   * the stream itself.
   */
  letGo({ slot }: Registration): void {
    for (let at = this.#origins[slot] ?? null; at !== null; at = at.within) Reflect.get(at.error, 'stack');
  }

  openedAt({ slot }: Registration): string | null {
    return describeOrigin(this.#origins[slot]);
  }
}
