import { Reactor } from 'tripoll';
import { FakeClock } from '../fake-clock.js';
import { errno, FakePoller } from '../fake-poller.js';
import { swapCalls } from './system-calls.js';

const ARENA_BYTES = 1024;
const LISTENER_FD = 1000;
/** More calls than this without a turn: nothing else will ever run. */
const MAX_CALLS_A_TURN = 20_000;

/** What one read or write costs: a whole budget of them is less than a 20 ms interval. */
export const CALL_MS = 0.004;

/**
 * Sockets that always have more to read and always take more to write; each call takes its time,
 * and is counted.
 */
export class FloodRig {
  readonly poller = new FakePoller();
  readonly clock = new FakeClock();
  readonly reactor = new Reactor({ poller: this.poller, clock: this.clock });
  /** By fd, in this turn. */
  readonly reads = new Map<number, number>();
  readonly writes = new Map<number, number>();
  accepts = 0;
  /** Connections that wait to be accepted. */
  backlog = 0;
  /** Of these fds only so much is there. */
  readonly bytesLeft = new Map<number, number>();
  /** How much a write takes, of what it is given. */
  takenBytes = Infinity;
  /** That went either way in this turn. */
  bytes = 0;
  readonly #restore: () => void;
  #nextFd = LISTENER_FD;

  /**
   * `arenaBytes`: what connections with handlers read at once; that of a thread's first rig stays.
   */
  constructor(arenaBytes = ARENA_BYTES) {
    const arena = new Uint8Array(arenaBytes);
    this.#restore = swapCalls({
      arenaCreate: () => arena.buffer,
      recvArena: (fd) => this.#read(fd, arenaBytes),
      recvInto: (fd, buffer) => this.#read(fd, buffer.length),
      sendFrom: (fd, buffer) => this.#write(fd, buffer.length),
      sendArena: (fd, length) => this.#write(fd, length),
      send: (fd, _buffer, _offset, length) => this.#write(fd, length),
      sendv: (fd, buffers, firstOffset) =>
        this.#write(fd, buffers.reduce((sum, { length }) => sum + length, 0) - firstOffset),
      accept4: () => this.#accept(),
      socket: () => this.#nextFd++,
      bind: () => 0,
      listen: () => 0,
      shutdown: () => 0,
      close: () => 0,
      setsockoptInt: () => 0,
      getsockname: () => errno('ENOTCONN'),
      getpeername: () => errno('ENOTCONN'),
    });
  }

  #count(calls: Map<number, number>, fd: number): void {
    const count = (calls.get(fd) ?? 0) + 1;
    calls.set(fd, count);
    this.clock.advance(CALL_MS);
    if (count > MAX_CALLS_A_TURN) throw new Error(`fd ${fd} is served for ever, and nobody else is`);
  }

  #read(fd: number, most: number): number {
    this.#count(this.reads, fd);
    const left = this.bytesLeft.get(fd) ?? Infinity;
    if (left === 0) return errno('EAGAIN');
    this.bytesLeft.set(fd, left - Math.min(left, most));
    this.bytes += Math.min(left, most);
    return Math.min(left, most);
  }

  #write(fd: number, length: number): number {
    this.#count(this.writes, fd);
    this.bytes += Math.min(length, this.takenBytes);
    return Math.min(length, this.takenBytes);
  }

  #accept(): number {
    if (this.backlog === 0) return errno('EAGAIN');
    this.backlog--;
    this.accepts++;
    this.clock.advance(CALL_MS);
    return this.#nextFd++;
  }

  /** An event of the next batch, for whoever registered this fd. */
  emit(fd: number, readiness: number): void {
    const [, slot = -1, generation = -1] =
      this.poller.callsOf('add').findLast(([added]) => added === fd) ?? [];
    this.poller.emit({ slot, generation }, readiness);
  }

  /** The fd that was registered last. */
  get latestFd(): number {
    return this.poller.callsOf('add').at(-1)?.[0] ?? -1;
  }

  /** One turn, and the microtasks after it; returns how many reads and writes it made. */
  async turn(): Promise<number> {
    this.reads.clear();
    this.writes.clear();
    this.accepts = 0;
    this.bytes = 0;
    this.reactor.turn(0);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    return sum(this.reads) + sum(this.writes);
  }

  close(): void {
    this.reactor.close();
    this.#restore();
  }
}

function sum(calls: ReadonlyMap<number, number>): number {
  return [...calls.values()].reduce((total, count) => total + count, 0);
}
