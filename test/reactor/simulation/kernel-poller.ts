import { Events, Interest, Mode, Readiness, type PollerContract } from 'tripoll';
import type { FakeClock } from '../fake-clock.js';
import { errno } from '../fake-poller.js';
import { ERR, HUP, IN, OUT, RDHUP, type Kernel, type OpenFile, type Watcher } from './kernel.js';

const CAPACITY = 16;
const WORDS_PER_EVENT = 3;
const TOKENS_REMEMBERED = 32;
const NS_PER_MS = 1e6;

export interface Token {
  readonly slot: number;
  readonly generation: number;
}

export function keyOf({ slot, generation }: Token): string {
  return `${slot}.${generation}`;
}

/** fs/eventpoll.c, an epitem: one file in the set. */
class Item implements Watcher, Token {
  isQueued = false;
  /** A fired ONESHOT waits for its modify. */
  isArmed = true;

  constructor(
    private readonly poller: KernelPoller,
    readonly file: OpenFile,
    readonly slot: number,
    readonly generation: number,
    public interest: number,
    readonly mode: number,
  ) {}

  /** What it waits for, as epoll events. */
  get events(): number {
    let events = HUP | ERR;
    if ((this.interest & Interest.READABLE) !== 0) events |= IN | RDHUP;
    if ((this.interest & Interest.WRITABLE) !== 0) events |= OUT;
    return events;
  }

  get isEdge(): boolean {
    return (this.mode & Mode.EDGE) !== 0 || this.interest === 0;
  }

  onWake(mask: number): void {
    if (this.isArmed && (mask === 0 || (mask & this.events) !== 0)) this.poller.enqueue(this);
  }

  onFileClosed(): void {
    this.poller.forget(this);
  }

  /** After an add or a modify the kernel looks by itself. */
  lookNow(): void {
    if ((this.file.pollMask() & this.events) !== 0) this.poller.enqueue(this);
  }
}

export interface KernelPollerOptions {
  readonly hasEdge: boolean;
  /** Told of each wait before it begins, and of each event that is reported. */
  onWait(timeoutNs: number): void;
  onEvent(token: Token, readiness: number): void;
}

/** epoll over the fake kernel, behind the poller contract. */
export class KernelPoller implements PollerContract {
  readonly backend = 'simulated';
  readonly events = new Events(new Uint32Array(CAPACITY * WORDS_PER_EVENT));
  /** Events of the latest wait, and of all waits those for tokens of the past. */
  latestEvents = 0;
  staleEvents = 0;
  closed = false;
  readonly #kernel: Kernel;
  readonly #clock: FakeClock;
  readonly #options: KernelPollerOptions;
  readonly #owners = new Map<number, Item>();
  readonly #queue: Item[] = [];
  readonly #past: Token[] = [];

  constructor(kernel: Kernel, clock: FakeClock, options: KernelPollerOptions) {
    this.#kernel = kernel;
    this.#clock = clock;
    this.#options = options;
  }

  get size(): number {
    return this.#owners.size;
  }

  supports(mode: number): boolean {
    return this.#options.hasEdge
      ? mode <= Mode.EDGE_ONESHOT
      : (mode & Mode.EDGE) === 0 && mode <= Mode.ONESHOT;
  }

  add(fd: number, slot: number, generation: number, interest: number, mode: number): number {
    const file = this.#kernel.fileOf(fd);
    if (!this.supports(mode)) return errno('ENOTSUP');
    if (file === undefined) return errno('EBADF');
    if (file.watcher !== null) return errno('EEXIST');
    if (this.#kernel.chance(this.#kernel.faults.add)) return errno('ENOSPC');
    const item = new Item(this, file, slot, generation, interest, mode);
    file.watcher = item;
    this.#owners.set(fd, item);
    item.lookNow();
    return 0;
  }

  modify(fd: number, slot: number, generation: number, interest: number): number {
    const item = this.#ownerOf(fd, slot, generation);
    if (item === null) return errno('ENOENT');
    if (this.#kernel.fileOf(fd) === undefined) return errno('EBADF');
    if (this.#kernel.fileOf(fd) !== item.file) return errno('ENOENT');
    item.interest = interest;
    item.isArmed = true;
    item.lookNow();
    return 0;
  }

  delete(fd: number, slot: number, generation: number): number {
    const item = this.#ownerOf(fd, slot, generation);
    if (item === null) return 1;
    this.#owners.delete(fd);
    this.forget(item);
    this.#past.push({ slot, generation });
    if (this.#past.length > TOKENS_REMEMBERED) this.#past.shift();
    if (item.file.watcher === item) item.file.watcher = null;
    // The kernel has dropped it already, when its fd was closed.
    return item.file.open ? 0 : 1;
  }

  #ownerOf(fd: number, slot: number, generation: number): Item | null {
    const item = this.#owners.get(fd);
    return item?.slot === slot && item.generation === generation ? item : null;
  }

  // ---- for items ----

  enqueue(item: Item): void {
    if (item.isQueued) return;
    item.isQueued = true;
    this.#queue.push(item);
  }

  forget(item: Item): void {
    item.isArmed = false;
    if (item.isQueued) this.#queue.splice(this.#queue.indexOf(item), 1);
    item.isQueued = false;
  }

  // ---- waiting ----

  wait(timeoutNs: number): number {
    this.#options.onWait(timeoutNs);
    const kernel = this.#kernel;
    kernel.pump();
    // It would sleep, and what is on its way would wake it.
    if (this.#queue.length === 0 && timeoutNs !== 0) while (this.#queue.length === 0 && kernel.pump(true));
    const batch: [Token, number][] = [];
    this.#collect(batch);
    if (kernel.chance(kernel.faults.spurious)) this.#addSpurious(batch);
    if (kernel.chance(kernel.faults.stale)) this.#addStale(batch);
    if (batch.length === 0 && timeoutNs > 0) {
      const early = kernel.chance(kernel.faults.spurious) ? kernel.random.next() : 1;
      this.#clock.advance((timeoutNs / NS_PER_MS) * early);
    }
    return this.#report(batch);
  }

  #collect(batch: [Token, number][]): void {
    const items = this.#queue.splice(0);
    for (const item of items) item.isQueued = false;
    shuffle(items, this.#kernel);
    for (const item of items) {
      const mask = item.file.pollMask() & item.events;
      if (mask === 0) continue;
      if (batch.length === CAPACITY - 2) {
        this.enqueue(item);
        continue;
      }
      batch.push([item, toReadiness(mask)]);
      if ((item.mode & Mode.ONESHOT) !== 0) item.isArmed = false;
      else if (!item.isEdge) this.enqueue(item);
    }
  }

  #addSpurious(batch: [Token, number][]): void {
    const items = [...this.#owners.values()].filter(({ isArmed, interest }) => isArmed && interest !== 0);
    if (items.length === 0) return;
    const item = this.#kernel.random.pick(items);
    const hint = this.#kernel.random.pick([0, 0, 0, Readiness.ERROR, Readiness.READ_CLOSED]);
    batch.splice(this.#kernel.random.below(batch.length + 1), 0, [item, item.interest | hint]);
    if ((item.mode & Mode.ONESHOT) !== 0) item.isArmed = false;
  }

  #addStale(batch: [Token, number][]): void {
    if (this.#past.length === 0) return;
    const token = this.#kernel.random.pick(this.#past);
    const readiness = this.#kernel.random.pick([
      Readiness.READABLE,
      Readiness.WRITABLE,
      Readiness.READABLE | Readiness.WRITABLE | Readiness.ERROR | Readiness.READ_CLOSED,
    ]);
    this.staleEvents++;
    batch.splice(this.#kernel.random.below(batch.length + 1), 0, [token, readiness]);
  }

  #report(batch: readonly [Token, number][]): number {
    const { words } = this.events;
    batch.forEach(([token, readiness], index) => {
      words.set([token.slot, token.generation, readiness], index * WORDS_PER_EVENT);
      this.#options.onEvent(token, readiness);
    });
    this.latestEvents = batch.length;
    return batch.length;
  }

  wake(): number {
    return 0;
  }

  setDeadline(): number {
    return 0;
  }

  close(): void {
    this.closed = true;
  }
}

// As native/linux/epoll_poller.cc has it (T11).
function toReadiness(events: number): number {
  const isIn = (events & IN) !== 0;
  const isOut = (events & OUT) !== 0;
  const hasHungUp = (events & HUP) !== 0;
  const hasFailed = (events & ERR) !== 0;
  let readiness = 0;
  if (isIn || hasHungUp || hasFailed) readiness |= Readiness.READABLE;
  if (isOut || hasHungUp || hasFailed) readiness |= Readiness.WRITABLE;
  if (hasHungUp || (isIn && (events & RDHUP) !== 0)) readiness |= Readiness.READ_CLOSED;
  if (hasHungUp || (isOut && hasFailed) || events === ERR) readiness |= Readiness.WRITE_CLOSED;
  if (hasFailed) readiness |= Readiness.ERROR;
  return readiness;
}

function shuffle(values: unknown[], kernel: Kernel): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = kernel.random.below(i + 1);
    [values[i], values[j]] = [values[j], values[i]];
  }
}
