// Runs the scheduler's own code in every order of the steps of several threads.
//
// A thread is a synchronous function over `ReplayCells`, whose methods are its steps. To let it go
// on from where it stopped, it runs again from its start: each step of before gives what it gave
// then, and the next new one throws it out again. So what a thread will do next depends only on the
// results of its steps so far, its history, and each history is run once: from then on a step is
// taken by its description alone.
//
// A state is the memory and the history of each thread. `explore` visits each state once, depth
// first; `walk` takes one way through, by chance.
import { Cells } from '#lib/runtime/scheduler/cells';
import { type Random } from '../../support/random.js';

/** What a thread is about to do. */
interface Step {
  readonly kind:
    'load' | 'store' | 'compareExchange' | 'add' | 'exchange' | 'or' | 'peek' | 'read' | 'write' | 'wait';
  readonly index: number;
  /** To be stored or added; of a compareExchange, what is expected. */
  readonly first: number;
  readonly second: number;
}

/** A `peek` sees what is there now: one that sees what was there long ago is not tried. */
const isRead = (kind: Step['kind']): boolean => kind === 'load' || kind === 'peek' || kind === 'read';

const NO_MEMORY = new SharedArrayBuffer(4);
const SUSPENDED = { isSuspended: true };

/** One run of a thread: first what its history says, then up to its next step. */
export class ReplayCells extends Cells {
  /** The step that it came to after its history. */
  next: Step | null = null;
  /** What the last `add` of this thread made. */
  lastSum = 0;
  /**
   * All that the thread remembers, beside what it has told: as a rule the results of its steps. Two
   * histories that come to the same are one from then on.
   */
  memory = '';
  readonly #history: readonly number[];
  #position = 0;

  constructor(history: readonly number[]) {
    super(NO_MEMORY);
    this.#history = history;
  }

  override load(index: number): number {
    return this.#step('load', index);
  }

  override store(index: number, value: number): void {
    this.#step('store', index, value);
  }

  override compareExchange(index: number, expected: number, value: number): number {
    return this.#step('compareExchange', index, expected, value);
  }

  override add(index: number, value: number): number {
    const before = this.#step('add', index, value);
    this.lastSum = before + value;
    return before;
  }

  override exchange(index: number, value: number): number {
    return this.#step('exchange', index, value);
  }

  override or(index: number, bits: number): void {
    this.#step('or', index, bits);
  }

  override peek(index: number): number {
    return this.#step('peek', index);
  }

  override read(index: number): number {
    return this.#step('read', index);
  }

  override write(index: number, value: number): void {
    this.#step('write', index, value);
  }

  /** Until the word is not 0, which it is then again: a worker in its poller. */
  wait(index: number): void {
    this.#step('wait', index);
  }

  /** Between two operations: `state` is all that the thread remembers. */
  forget(state: string): void {
    this.memory = state;
  }

  #step(kind: Step['kind'], index: number, first = 0, second = 0): number {
    if (this.#position < this.#history.length) {
      const result = this.#history[this.#position++]!;
      this.memory += `,${result}`;
      return result;
    }
    this.next = { kind, index, first, second };
    throw SUSPENDED;
  }
}

/**
 * Makes methods of a class forget what they did in between when they return: but for their result,
 * nothing of it must be left in an object.
 */
export function forgetWithin<T extends { readonly cells: Cells }>(
  prototype: T,
  names: readonly (keyof T & string)[],
): void {
  for (const name of names) {
    const method = prototype[name] as (...args: unknown[]) => unknown;
    const wrapped = function (this: T, ...args: unknown[]): unknown {
      const { cells } = this;
      if (!(cells instanceof ReplayCells)) return method.apply(this, args);
      const before = cells.memory;
      const result = method.apply(this, args);
      cells.memory = `${before}>${String(result)}`;
      return result;
    };
    Object.defineProperty(prototype, name, { value: wrapped, writable: true, configurable: true });
  }
}

/** What a thread tells of itself while it runs. */
export interface Told {
  /** Tasks that it has taken. */
  readonly took: number[];
}

export type Program = (cells: ReplayCells, told: Told) => void;

export interface Thread {
  readonly run: Program;
  /** It may end between any two steps, if no other has. Default: no. */
  readonly isMortal?: boolean;
  /** It begins when a mortal thread has ended so. Default: at once. */
  readonly isAfterDeath?: boolean;
}

export interface Case {
  readonly threads: readonly Thread[];
  /** The memory at the start; all words but these are 0. */
  readonly words: number;
  readonly initial?: readonly (readonly [index: number, value: number])[];
  /** Looks at a state in which no thread can go on: what is wrong, or ''. */
  readonly check: (end: End) => string;
}

export interface End {
  /** Of each thread. */
  readonly took: readonly (readonly number[])[];
  /** Threads that wait for ever. */
  readonly waiting: readonly number[];
  /** The thread that died, -1 when none did. */
  readonly dead: number;
  /** A copy of the memory as it is now. */
  readonly buffer: SharedArrayBuffer;
}

export interface Found {
  readonly states: number;
  /** States in which no thread could go on. */
  readonly ends: number;
  /** The first thing that was wrong, with the way there; '' when nothing was. */
  readonly failure: string;
}

/** A history of a thread, and all that follows from it. */
class Node {
  readonly children = new Map<number, Node>();

  constructor(
    readonly id: number,
    readonly history: readonly number[],
    /** Null when it has returned. */
    readonly step: Step | null,
    readonly took: readonly number[],
  ) {}
}

/** Room for the words that the threads of a case touch. */
const MAX_TOUCHED_WORDS = 128;

/** More steps of one thread than any case needs: it goes round in circles. */
const MAX_STEPS = 2000;

/** The histories of one thread that were met. */
class Histories {
  readonly root: Node;
  readonly #byMemory = new Map<string, Node>();
  #count = 0;
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
    this.root = this.#run([]);
  }

  after(node: Node, result: number): Node {
    let child = node.children.get(result);
    if (child === undefined) {
      child = this.#run([...node.history, result]);
      node.children.set(result, child);
    }
    return child;
  }

  #run(history: readonly number[]): Node {
    if (history.length > MAX_STEPS) throw new Error(`a thread takes more than ${MAX_STEPS} steps`);
    const cells = new ReplayCells(history);
    const told: Told = { took: [] };
    try {
      this.#program(cells, told);
    } catch (error) {
      if (error !== SUSPENDED) throw error;
    }
    const key = `${cells.next === null ? 'end' : cells.memory} ${[...told.took].sort((a, b) => a - b).join(' ')}`;
    let node = this.#byMemory.get(key);
    if (node === undefined) {
      node = new Node(this.#count++, history, cells.next, told.took);
      this.#byMemory.set(key, node);
    }
    return node;
  }
}

/** The way that led to a state, newest first. */
interface Way {
  readonly before: Way | null;
  readonly thread: number;
  /** Null: it died. */
  readonly step: Step | null;
  readonly result: number;
}

interface State {
  /** By places: how each word differs from the start. */
  readonly memory: Int32Array;
  readonly nodes: readonly Node[];
  /** The thread that has died, -1. */
  readonly dead: number;
  readonly way: Way | null;
}

/** Words that some thread has touched, each with a place of its own: most memory is never touched. */
class Places {
  readonly #places = new Map<number, number>();
  readonly #indexes: number[] = [];
  readonly #initial: Int32Array;

  constructor({ words, initial = [] }: Case) {
    this.#initial = new Int32Array(words);
    for (const [index, value] of initial) this.#initial[index] = value;
  }

  get(memory: Int32Array, index: number): number {
    return memory[this.#of(index)]! ^ this.#initial[index]!;
  }

  set(memory: Int32Array, index: number, value: number): void {
    memory[this.#of(index)] = value ^ this.#initial[index]!;
  }

  /** All of it, in the order of the words. */
  toBuffer(memory: Int32Array): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer(this.#initial.byteLength);
    const words = new Int32Array(buffer);
    words.set(this.#initial);
    for (const [place, index] of this.#indexes.entries()) words[index]! ^= memory[place]!;
    return buffer;
  }

  #of(index: number): number {
    let place = this.#places.get(index);
    if (place === undefined) {
      if (index >= this.#initial.length) throw new Error(`there is no word ${index}`);
      this.#places.set(index, (place = this.#indexes.length));
      if (this.#indexes.push(index) > MAX_TOUCHED_WORDS) throw new Error('more words than there is room for');
    }
    return place;
  }
}

/**
 * Which threads have read or written which word, as bits. A step that no other thread's can meet is
 * the same whenever it is taken, so it is taken at once, and there is no order to try.
 */
class Accesses {
  /** Something is new since this was last set to false: what was taken at once may be wrong. */
  hasGrown = false;
  readonly #readers: Int32Array;
  readonly #writers: Int32Array;

  /** `takesAll`: every step is taken by itself. */
  constructor(
    { words }: Case,
    readonly takesAll: boolean,
  ) {
    this.#readers = new Int32Array(words);
    this.#writers = new Int32Array(words);
  }

  /** Whether another thread has a part in this word. */
  isShared(thread: number, { kind, index }: Step): boolean {
    if (kind === 'wait' || (this.takesAll && kind !== 'read')) return true;
    const others = isRead(kind) ? this.#writers[index]! : this.#writers[index]! | this.#readers[index]!;
    return (others & ~(1 << thread)) !== 0;
  }

  add(thread: number, { kind, index }: Step): void {
    const bits = isRead(kind) ? this.#readers : this.#writers;
    if ((bits[index]! & (1 << thread)) !== 0) return;
    bits[index]! |= 1 << thread;
    this.hasGrown = true;
  }
}

/** What belongs to one exploration. */
interface Run {
  readonly given: Case;
  readonly histories: readonly Histories[];
  readonly places: Places;
  readonly accesses: Accesses;
}

function newRun(given: Case, takesAll: boolean): Run {
  return {
    given,
    histories: given.threads.map(({ run }) => new Histories(run)),
    places: new Places(given),
    accesses: new Accesses(given, takesAll),
  };
}

function isEnabled({ given, places }: Run, state: State, thread: number): boolean {
  if (state.dead === thread) return false;
  if (given.threads[thread]!.isAfterDeath === true && state.dead < 0) return false;
  const { step } = state.nodes[thread]!;
  return step !== null && (step.kind !== 'wait' || places.get(state.memory, step.index) !== 0);
}

/** The result of a step; the memory is changed. */
function apply(places: Places, memory: Int32Array, { kind, index, first, second }: Step): number {
  const before = places.get(memory, index);
  switch (kind) {
    case 'load':
    case 'peek':
    case 'read':
      return before;
    case 'store':
    case 'write':
      places.set(memory, index, first);
      return 0;
    case 'add':
      places.set(memory, index, before + first);
      return before;
    case 'exchange':
      places.set(memory, index, first);
      return before;
    case 'or':
      places.set(memory, index, before | first);
      return 0;
    case 'compareExchange':
      if (before === first) places.set(memory, index, second);
      return before;
    case 'wait':
      places.set(memory, index, 0);
      return 0;
  }
}

/** Takes the steps of a thread that no other can meet. */
function goOn(run: Run, memory: Int32Array, thread: number, start: Node): Node {
  let node = start;
  while (node.step !== null && !run.accesses.isShared(thread, node.step)) {
    run.accesses.add(thread, node.step);
    node = run.histories[thread]!.after(node, apply(run.places, memory, node.step));
  }
  return node;
}

/** The state after a thread's next step, or after its death. */
function follow(run: Run, state: State, thread: number, dies: boolean): State {
  const node = state.nodes[thread]!;
  if (dies) {
    return { ...state, dead: thread, way: { before: state.way, thread, step: null, result: 0 } };
  }
  const step = node.step!;
  const memory = state.memory.slice();
  const result = apply(run.places, memory, step);
  const nodes = state.nodes.slice();
  run.accesses.add(thread, step);
  nodes[thread] = goOn(run, memory, thread, run.histories[thread]!.after(node, result));
  return { memory, nodes, dead: state.dead, way: { before: state.way, thread, step, result } };
}

function describeWay(way: Way | null): string {
  const lines: string[] = [];
  for (let at = way; at !== null; at = at.before) {
    const { thread, step, result } = at;
    lines.push(
      step === null
        ? `  thread ${thread} dies`
        : `  thread ${thread}: ${step.kind} [${step.index}] ${step.first} ${step.second} -> ${result}`,
    );
  }
  return lines.reverse().join('\n');
}

function startOf(run: Run): State {
  const memory = new Int32Array(MAX_TOUCHED_WORDS);
  const nodes = run.histories.map(({ root }, thread) => {
    // A thread that begins after a death sees what that has left.
    return run.given.threads[thread]!.isAfterDeath === true ? root : goOn(run, memory, thread, root);
  });
  return { memory, nodes, dead: -1, way: null };
}

function checkEnd({ given, places }: Run, state: State): string {
  const hasBegun = (thread: number): boolean =>
    given.threads[thread]!.isAfterDeath !== true || state.dead >= 0;
  const waiting = state.nodes.flatMap(({ step }, thread) =>
    step !== null && thread !== state.dead && hasBegun(thread) ? [thread] : [],
  );
  const took = state.nodes.map((node) => node.took);
  const wrong = given.check({ took, waiting, dead: state.dead, buffer: places.toBuffer(state.memory) });
  return wrong === '' ? '' : `${wrong}\n${describeWay(state.way)}`;
}

/** Short names for long keys. */
class Names {
  readonly #ids = new Map<string, number>();

  of(key: string): number {
    let id = this.#ids.get(key);
    if (id === undefined) this.#ids.set(key, (id = this.#ids.size));
    return id;
  }
}

/** Text that is equal for equal states alone. */
function keyOf({ memory, nodes, dead }: State, memories: Names): string {
  let touched = memory.length;
  while (touched > 0 && memory[touched - 1] === 0) touched--;
  const text = String.fromCharCode(...new Uint16Array(memory.buffer, 0, 2 * touched));
  return `${memories.of(text)} ${nodes.map(({ id }) => id).join(' ')} ${dead}`;
}

/** The states that can follow. */
function successors(run: Run, state: State): State[] {
  return run.given.threads.flatMap(({ isMortal = false }, thread) => {
    const canDie = isMortal && state.dead < 0 && state.nodes[thread]!.step !== null;
    return [
      ...(isEnabled(run, state, thread) ? [follow(run, state, thread, false)] : []),
      ...(canDie ? [follow(run, state, thread, true)] : []),
    ];
  });
}

/**
 * Visits every state that can be reached, once; stops at the first that is wrong. It begins again
 * when a thread has met a word that it had not met before.
 */
export function explore(given: Case, maxStates = 3_000_000): Found {
  const run = newRun(given, false);
  // Each time at least one bit of a word is new; as a rule they are all found among few states.
  for (let most = 1000; ; most = Math.min(4 * most, maxStates)) {
    run.accesses.hasGrown = false;
    const found = visit(run, most);
    if (found.failure !== '' || (found.isWhole && !run.accesses.hasGrown)) return found;
    if (!run.accesses.hasGrown && most === maxStates) throw new Error(`more than ${maxStates} states`);
  }
}

function visit(run: Run, maxStates: number): Found & { isWhole: boolean } {
  const memories = new Names();
  const start = startOf(run);
  const visited = new Set([keyOf(start, memories)]);
  const open = [start];
  let ends = 0;
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const current = state;
    if (!run.given.threads.some((_, thread) => isEnabled(run, current, thread))) {
      ends++;
      const failure = checkEnd(run, state);
      if (failure !== '') return { states: visited.size, ends, failure, isWhole: false };
    }
    for (const next of successors(run, state)) {
      const key = keyOf(next, memories);
      if (visited.has(key)) continue;
      visited.add(key);
      open.push(next);
    }
    if (visited.size > maxStates) return { states: visited.size, ends, failure: '', isWhole: false };
  }
  return { states: visited.size, ends, failure: '', isWhole: true };
}

/** One way from the start to an end, by chance; a mortal thread dies on some. */
export function walk(given: Case, random: Random): string {
  const run = newRun(given, true);
  const { threads } = given;
  let state = startOf(run);
  // A thread goes on for a while, as real ones do, or each step is another's.
  const changes = random.pick([1, 0.5, 0.1]);
  const deaths = random.pick([0, 0.02, 0.1]);
  let last = -1;
  for (;;) {
    const current = state;
    const enabled = threads.flatMap((_, thread) => (isEnabled(run, current, thread) ? [thread] : []));
    if (enabled.length === 0) return checkEnd(run, state);
    if (!enabled.includes(last) || random.next() < changes) last = random.pick(enabled);
    const dies = threads[last]!.isMortal === true && state.dead < 0 && random.next() < deaths;
    state = follow(run, state, last, dies);
  }
}
