import { Codec } from './codec.js';
import { Cells } from './scheduler/cells.js';

/** What threads need to share a table: cloneable. */
export interface SharedTable {
  readonly threads: number;
  /** Slots of each thread. */
  readonly capacity: number;
  readonly slots: SharedArrayBuffer;
  readonly marks: SharedArrayBuffer;
}

/** A slot: four words, then the arguments or the outcome. */
const SLOT_BYTES = 512;
const HEADER_BYTES = 16;
/** Of arguments, or of a result, that need no port. */
export const INLINE_BYTES = SLOT_BYTES - HEADER_BYTES;
const SLOT_WORDS = SLOT_BYTES / Int32Array.BYTES_PER_ELEMENT;
/** Word 0 is the state; this one which task it is or, when it is done, the outcome. */
const HEADER_KIND = 1;
const HEADER_ABORT = 2;

/** An id has 16 bits for the slot, with one added so that no id is 0; then the generation. */
export const MAX_SLOTS = 0xffff;
const BITS = 32;

// The state's word: state, worker, generation. Whoever changes it compares all three. That a
// generation comes again after 32,768 tasks of the slot does no harm: what is claimed by an id that
// is so old is a task that waits to be claimed, by its own id a little later.
const GENERATION_SHIFT = 16;
const GENERATION_MASK = 0x7fff;
const FREE = 0;
const QUEUED = 1;
/** Claimed by the worker, or bound to it. */
const RUNNING = 2;
const DONE = 3;
/** Its outcome is on its way through a port. */
const SENT = 4;
const STATE_MASK = 0xf;
const WORKER_SHIFT = 4;
const WORKER_MASK = 0xfff;

/** How a task has ended. */
export const Outcome = { VALUE: 0, ERROR: 1, DIED: 2 } as const;

const stateOf = (word: number): number => word & STATE_MASK;
const workerOf = (word: number): number => (word >> WORKER_SHIFT) & WORKER_MASK;
const generationOf = (word: number): number => word >>> GENERATION_SHIFT;
const wordOf = (generation: number, state: number, worker = 0): number =>
  ((generation & GENERATION_MASK) << GENERATION_SHIFT) | (worker << WORKER_SHIFT) | state;
/** Above 0, in 31 bits, as the scheduler wants it. */
const idOf = (generation: number, slot: number): number => (generation << GENERATION_SHIFT) | (slot + 1);

/** The slot that an id names, stale or not. */
export const slotOfId = (id: number): number => (id & MAX_SLOTS) - 1;

/** What became of the tasks that a dead worker had. */
export interface Salvage {
  /** To be injected again. */
  readonly queued: number[];
  /** Threads that have something to hear. */
  readonly told: Set<number>;
}

/**
 * The tasks of all threads. Each thread has slots of its own for what it spawns, and alone takes
 * and frees them; only the state's word is contended. That a task is done is a bit of its thread's:
 * there is always room for it, and to set it twice does no harm, so after a thread's death it is
 * just set again.
 */
export class TaskTable {
  readonly capacity: number;
  readonly threads: number;
  readonly codec: Codec;
  readonly #words: Cells;
  readonly #marks: Cells;
  readonly #marksPerThread: number;

  /** @param words a test's own, as `marks` */
  constructor(shared: SharedTable, words = new Cells(shared.slots), marks = new Cells(shared.marks)) {
    this.capacity = shared.capacity;
    this.threads = shared.threads;
    this.codec = new Codec(shared.slots);
    this.#words = words;
    this.#marks = marks;
    this.#marksPerThread = Math.ceil(shared.capacity / BITS);
  }

  /** `threads`: the workers, and the one that has made the runtime. */
  static create(threads: number, capacity: number): SharedTable {
    const marks = threads * (Math.ceil(capacity / BITS) + 1);
    return {
      ...{ threads, capacity },
      slots: new SharedArrayBuffer(threads * capacity * SLOT_BYTES),
      marks: new SharedArrayBuffer(marks * Int32Array.BYTES_PER_ELEMENT),
    };
  }

  /** The thread that spawned what is in the slot. */
  spawnerOf(slot: number): number {
    return (slot / this.capacity) | 0;
  }

  /** Where the slot's value begins. */
  bytesOf(slot: number): number {
    return slot * SLOT_BYTES + HEADER_BYTES;
  }

  /** Writes the arguments of a task; false where they need a port. */
  writeArguments(slot: number, args: readonly unknown[]): boolean {
    const start = this.bytesOf(slot);
    return this.codec.writeList(args, start, start + INLINE_BYTES) >= 0;
  }

  /** Writes an outcome; false where it needs a port. */
  write(slot: number, value: unknown): boolean {
    const start = this.bytesOf(slot);
    return this.codec.write(value, start, start + INLINE_BYTES) >= 0;
  }

  read(slot: number): unknown {
    return this.codec.read(this.bytesOf(slot));
  }

  kindOf(slot: number): number {
    return this.#words.read(slot * SLOT_WORDS + HEADER_KIND);
  }

  /** Of what is in the slot now. */
  idOf(slot: number): number {
    return idOf(generationOf(this.#load(slot)), slot);
  }

  /** The id of a task that nobody has claimed yet; 0 when there is none in the slot. */
  queuedId(slot: number): number {
    const word = this.#load(slot);
    return stateOf(word) === QUEUED ? idOf(generationOf(word), slot) : 0;
  }

  isFree(slot: number): boolean {
    return stateOf(this.#load(slot)) === FREE;
  }

  /** Whether any thread's task is queued or runs. */
  get hasTasks(): boolean {
    for (let slot = 0; slot < this.threads * this.capacity; slot++) {
      const state = stateOf(this.#load(slot));
      if (state === QUEUED || state === RUNNING) return true;
    }
    return false;
  }

  // ---- the spawner's part ----

  /** A free slot, with its arguments in it, is a task that anybody may claim. Returns its id. */
  enqueue(slot: number, task: number): number {
    return this.#fill(slot, task, QUEUED, 0);
  }

  /** The same for one whose arguments go to the worker by a port. */
  bind(slot: number, task: number, worker: number): number {
    return this.#fill(slot, task, RUNNING, worker);
  }

  #fill(slot: number, task: number, state: number, worker: number): number {
    const at = slot * SLOT_WORDS;
    const generation = generationOf(this.#peek(slot));
    this.#words.write(at + HEADER_KIND, task);
    this.#words.write(at + HEADER_ABORT, 0);
    // Whoever hears of the id, by a queue or a port, sees this.
    this.#words.write(at, wordOf(generation, state, worker));
    return idOf(generation, slot);
  }

  /** Takes a task back that nobody has claimed, and frees its slot. */
  withdraw(slot: number): boolean {
    const word = this.#load(slot);
    return stateOf(word) === QUEUED && this.#swap(slot, word, wordOf(generationOf(word) + 1, FREE));
  }

  /** Asks for the end of a task that runs. Returns the worker to be woken; -1 when it has ended. */
  requestAbort(slot: number): number {
    const word = this.#load(slot);
    if (stateOf(word) !== RUNNING) return -1;
    this.#words.store(slot * SLOT_WORDS + HEADER_ABORT, 1);
    const worker = workerOf(word);
    this.#marks.store(this.#abortsCell(worker + 1), 1);
    return worker;
  }

  /** Whether a slot of the thread seems to be done; who is woken then finds it. */
  hasDone(thread: number): boolean {
    const first = thread * this.#marksPerThread;
    for (let i = 0; i < this.#marksPerThread; i++) if (this.#marks.peek(first + i) !== 0) return true;
    return false;
  }

  /** Calls `fn` with each slot of the thread that is done, each once. */
  takeDone(thread: number, fn: (slot: number) => void): void {
    const first = thread * this.#marksPerThread;
    for (let i = 0; i < this.#marksPerThread; i++) {
      // What is set after this look is told by a wake.
      if (this.#marks.peek(first + i) === 0) continue;
      let bits = this.#marks.exchange(first + i, 0);
      while (bits !== 0) {
        const bit = BITS - 1 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        const slot = thread * this.capacity + i * BITS + bit;
        if (stateOf(this.#peek(slot)) === DONE) fn(slot);
      }
    }
  }

  /** Ends the slot's use: its ids are stale from now on. */
  free(slot: number): void {
    const generation = generationOf(this.#peek(slot));
    // Nobody waits for it: what is claimed by an old id is not queued, whichever of the two it finds.
    this.#words.write(slot * SLOT_WORDS, wordOf(generation + 1, FREE));
  }

  /** The slot of an id whose outcome has come by a port; -1 when it is stale. */
  slotOf(id: number): number {
    const slot = slotOfId(id);
    const word = this.#load(slot);
    return generationOf(word) === id >>> GENERATION_SHIFT && stateOf(word) !== FREE ? slot : -1;
  }

  // ---- the worker's part ----

  /** The id's slot, now this worker's alone; -1 when another has it, or it was withdrawn. */
  claim(id: number, worker: number): number {
    const slot = slotOfId(id);
    const generation = id >>> GENERATION_SHIFT;
    const claimed = this.#swap(slot, wordOf(generation, QUEUED), wordOf(generation, RUNNING, worker));
    return claimed ? slot : -1;
  }

  /** The slot of an id that is bound to this worker; -1 when it is stale. */
  boundTo(id: number, worker: number): number {
    const slot = slotOfId(id);
    return this.#load(slot) === wordOf(id >>> GENERATION_SHIFT, RUNNING, worker) ? slot : -1;
  }

  /** The outcome is in the slot: tells its spawner, which has yet to be woken. */
  finish(slot: number, worker: number, outcome: number): void {
    const word = this.#peek(slot); // as `claim` or `bind` left it: nobody else changes it
    if (stateOf(word) !== RUNNING || workerOf(word) !== worker) return;
    this.#words.write(slot * SLOT_WORDS + HEADER_KIND, outcome);
    this.#words.write(slot * SLOT_WORDS, wordOf(generationOf(word), DONE, worker));
    this.#mark(slot);
  }

  /** Its outcome is on its way to another worker: the death of this one does not matter any more. */
  markSent(id: number): void {
    const slot = this.slotOf(id);
    if (slot === -1) return;
    const word = this.#load(slot);
    if (stateOf(word) === RUNNING) this.#swap(slot, word, wordOf(generationOf(word), SENT));
  }

  /** Whether some task of this worker is asked to end, since the last call. */
  takeAborts(worker: number): boolean {
    const cell = this.#abortsCell(worker + 1);
    return this.#marks.load(cell) !== 0 && this.#marks.exchange(cell, 0) !== 0;
  }

  isAborted(slot: number): boolean {
    return this.#words.load(slot * SLOT_WORDS + HEADER_ABORT) !== 0;
  }

  // ---- after a death ----

  /**
   * A worker's thread has ended, at whatever moment. What it ran has died, with `details` as its
   * outcome; what it had finished is told again; what is queued goes on, with the ids for another
   * injection; and what nobody awaits any more, because it had spawned it, is freed by its
   * successor.
   */
  salvage(worker: number, details: readonly unknown[]): Salvage {
    const queued: number[] = [];
    const told = new Set<number>();
    for (let slot = 0; slot < this.threads * this.capacity; slot++) {
      const word = this.#load(slot);
      const state = stateOf(word);
      if (state === FREE) continue;
      if (state === QUEUED) queued.push(idOf(generationOf(word), slot));
      else if (this.#isOver(slot, word, worker, details)) told.add(this.spawnerOf(slot));
    }
    return { queued, told };
  }

  #isOver(slot: number, word: number, worker: number, details: readonly unknown[]): boolean {
    const isMine = this.spawnerOf(slot) === worker + 1;
    const state = stateOf(word);
    if (state === RUNNING) {
      if (workerOf(word) !== worker) return false;
      this.#writeDeath(slot, details);
      this.finish(slot, worker, Outcome.DIED);
      return true;
    }
    // One that was sent to a thread that has ended: nobody else frees it.
    if (state === SENT && isMine) this.#swap(slot, word, wordOf(generationOf(word), DONE));
    if (state === SENT ? !isMine : !isMine && workerOf(word) !== worker) return false;
    this.#mark(slot);
    return true;
  }

  /** The last of the details may be long: it is left out then. */
  #writeDeath(slot: number, details: readonly unknown[]): void {
    if (!this.write(slot, details)) this.write(slot, details.slice(0, -1));
  }

  #abortsCell(thread: number): number {
    return this.threads * this.#marksPerThread + thread;
  }

  #mark(slot: number): void {
    const thread = this.spawnerOf(slot);
    const own = slot - thread * this.capacity;
    this.#marks.or(thread * this.#marksPerThread + ((own / BITS) | 0), 1 << (own % BITS));
  }

  /** Of a slot that is this thread's at the moment. */
  #peek(slot: number): number {
    return this.#words.peek(slot * SLOT_WORDS);
  }

  #load(slot: number): number {
    return this.#words.load(slot * SLOT_WORDS);
  }

  #swap(slot: number, from: number, to: number): boolean {
    return this.#words.compareExchange(slot * SLOT_WORDS, from, to) === from;
  }
}
