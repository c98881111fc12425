import { Events, type PollerContract } from 'tripoll';
import { type ErrnoName, sys } from 'tripoll/raw';

const CAPACITY = 64;
const WORDS_PER_EVENT = 3;
const ERRNO_SHIFT = 16;

type Method = 'add' | 'modify' | 'delete' | 'wait';
type Call = readonly [method: Method | 'wake' | 'setDeadline' | 'close', ...args: number[]];

interface Token {
  readonly slot: number;
  readonly generation: number;
}

/** A negative errno by its name. */
export function errno(name: ErrnoName): number {
  const value = sys.errno[name];
  if (value === undefined) throw new Error(`no errno ${name}`);
  return -value;
}

/**
 * A poller without a system: it records what it is asked, answers with the events and errors that a
 * test scripts, and knows of the contract one rule, that an fd is registered once.
 */
export class FakePoller implements PollerContract {
  readonly backend = 'fake';
  readonly events = new Events(new Uint32Array(CAPACITY * WORDS_PER_EVENT));
  readonly calls: Call[] = [];
  /** Runs inside `wait`: what happens in the world meanwhile. */
  onWait: ((timeoutNs: number) => void) | null = null;
  readonly #owners = new Map<number, Token>();
  readonly #failures = new Map<Method, number[]>();
  readonly #queue: [slot: number, generation: number, readiness: number][] = [];
  readonly #refusedModes = new Set<number>();

  /** The next call of `method` returns this and does nothing. */
  failNext(method: Method, name: ErrnoName): void {
    this.#failures.set(method, [...(this.#failures.get(method) ?? []), errno(name)]);
  }

  refuseMode(mode: number): void {
    this.#refusedModes.add(mode);
  }

  /** An event of the next batch. */
  emit(token: Token, readiness: number, errnoName?: ErrnoName): void {
    const high = errnoName === undefined ? 0 : -errno(errnoName) << ERRNO_SHIFT;
    this.#queue.push([token.slot, token.generation, (readiness | high) >>> 0]);
  }

  callsOf(method: Call[0]): number[][] {
    return this.calls.filter(([name]) => name === method).map(([, ...args]) => args);
  }

  /** The timeouts of all waits so far. */
  get waits(): number[] {
    return this.callsOf('wait').map(([timeoutNs]) => timeoutNs ?? NaN);
  }

  /** The system dropped it: somebody closed the fd. */
  forget(fd: number): void {
    this.#owners.delete(fd);
  }

  supports(mode: number): boolean {
    return !this.#refusedModes.has(mode);
  }

  add(fd: number, slot: number, generation: number, interest: number, mode: number): number {
    this.calls.push(['add', fd, slot, generation, interest, mode]);
    const failure = this.#failure('add');
    if (failure !== 0) return failure;
    if (!this.supports(mode)) return errno('ENOTSUP');
    if (this.#owners.has(fd)) return errno('EEXIST');
    this.#owners.set(fd, { slot, generation });
    return 0;
  }

  modify(fd: number, slot: number, generation: number, interest: number, mode: number): number {
    this.calls.push(['modify', fd, slot, generation, interest, mode]);
    const failure = this.#failure('modify');
    if (failure !== 0) return failure;
    return this.#owns(fd, slot, generation) ? 0 : errno('ENOENT');
  }

  delete(fd: number, slot: number, generation: number): number {
    this.calls.push(['delete', fd, slot, generation]);
    if (this.#owns(fd, slot, generation)) this.#owners.delete(fd);
    return this.#failure('delete');
  }

  wait(timeoutNs: number): number {
    this.calls.push(['wait', timeoutNs]);
    this.onWait?.(timeoutNs);
    const failure = this.#failure('wait');
    if (failure !== 0) return failure;
    const batch = this.#queue.splice(0, CAPACITY);
    this.events.words.set(batch.flat());
    return batch.length;
  }

  wake(): number {
    this.calls.push(['wake']);
    return 0;
  }

  setDeadline(timeoutNs: number): number {
    this.calls.push(['setDeadline', timeoutNs]);
    return 0;
  }

  close(): void {
    this.calls.push(['close']);
  }

  #owns(fd: number, slot: number, generation: number): boolean {
    const owner = this.#owners.get(fd);
    return owner?.slot === slot && owner.generation === generation;
  }

  #failure(method: Method): number {
    return this.#failures.get(method)?.shift() ?? 0;
  }
}
