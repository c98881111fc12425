import { Random } from '../../support/random.js';
import { NO_FAULTS, type Faults } from './kernel.js';
import {
  isConnection,
  isListener,
  isStream,
  startBind,
  startConnect,
  startListen,
  startStream,
  type ConnectionActor,
  type StreamActor,
} from './net-actors.js';
import { isRaw, startRaw, type RawActor } from './raw-actor.js';
import { useSystem } from './system-calls.js';
import {
  checkOversleep,
  isTimer,
  isWaker,
  PostActor,
  startSleep,
  TimerActor,
  WakerActor,
} from './work-actors.js';
import { microtasks, World, type Failure } from './world.js';

const MAX_ACTORS = 40;
/** How deep handlers that start something may lead to handlers that start something. */
const MAX_NESTED = 3;
const FEWEST_FDS = 8;

/**
 * One step of a program; all that is random in it comes from its seed, so that it does the same
 * without others.
 */
export interface Step {
  readonly kind: StepKind;
  readonly seed: number;
}

/** A random program and the world that it runs in; the same program always does the same. */
export interface Program {
  readonly seed: number;
  readonly hasEdge: boolean;
  readonly faults: Faults;
  readonly isAbrupt: boolean;
  readonly steps: readonly Step[];
}

interface Runner {
  readonly world: World;
  readonly posts: PostActor;
  /** What a handler does: sometimes a step of its own. */
  act(): void;
}

type Run = (runner: Runner) => void | Promise<void>;

interface StepType {
  readonly weight: number;
  readonly run: Run;
  /** Not from within a handler. */
  readonly isOutside?: boolean;
}

function onConnection(weight: number, run: (connection: ConnectionActor, world: World) => void): StepType {
  return {
    weight,
    run: ({ world }) => {
      const connection = world.pickActor(isConnection);
      if (connection !== null) run(connection, world);
    },
  };
}

function onStream(weight: number, run: (stream: StreamActor, world: World) => void): StepType {
  return {
    weight,
    run: ({ world }) => {
      const stream = world.pickActor(isStream);
      if (stream !== null) run(stream, world);
    },
  };
}

function onRaw(weight: number, run: (raw: RawActor, world: World) => void): StepType {
  return {
    weight,
    run: ({ world }) => {
      const raw = world.pickActor(isRaw);
      if (raw !== null) run(raw, world);
    },
  };
}

function start(weight: number, run: Run): StepType {
  return { weight, run: (runner) => (hasRoom(runner.world) ? run(runner) : undefined) };
}

function hasRoom(world: World): boolean {
  return world.actors.filter(({ isDone }) => !isDone).length < MAX_ACTORS;
}

const STEP_TYPES = {
  turn: {
    weight: 260,
    run: ({ world }) => world.turn(world.random.pick([0, 0, 0, 1, 7.5, 60, -1])),
    isOutside: true,
  },
  nestedTurn: { weight: 2, run: ({ world }) => world.checkNestedTurn() },
  pass: {
    weight: 25,
    run: ({ world }) => world.clock.advance(world.random.below(100) / world.random.pick([1, 4, 100])),
    isOutside: true,
  },
  network: { weight: 30, run: ({ world }) => void world.kernel.pump() },
  rest: { weight: 3, run: ({ world }) => world.rest(), isOutside: true },
  release: { weight: 4, run: ({ world }) => world.release(), isOutside: true },
  later: { weight: 20, run: ({ world }) => world.runLater() },
  /** The rest of a turn's budget is used up. */
  exhaust: {
    weight: 6,
    run: ({ world }) => {
      while (world.reactor.registry.consumeBudget());
    },
  },
  fdLimit: {
    weight: 6,
    run: ({ world }) => {
      const open = world.kernel.openFds().length;
      world.kernel.fdLimit = world.chance(0.6) ? 256 : Math.max(FEWEST_FDS, open + world.random.below(4));
    },
  },

  listen: start(6, ({ world, act }) => startListen(world, act)),
  bind: start(6, ({ world }) => startBind(world)),
  connect: start(30, ({ world, act }) => startConnect(world, act)),
  stream: start(30, ({ world }) => startStream(world)),
  accept: {
    weight: 50,
    run: ({ world }) => world.pickActor(isListener)?.accept(),
  },
  closeListener: { weight: 2, run: ({ world }) => world.pickActor(isListener)?.close() },
  refListener: { weight: 2, run: ({ world }) => world.pickActor(isListener)?.toggleRef() },

  write: onConnection(90, (connection, world) => connection.write(world.bytes())),
  writeMany: onConnection(3, (connection) => connection.writeMany()),
  end: onConnection(8, (connection) => connection.end()),
  pause: onConnection(15, (connection) => connection.pause()),
  resume: onConnection(25, (connection) => connection.resume()),
  cork: onConnection(10, (connection) => connection.cork()),
  uncork: onConnection(20, (connection) => connection.uncork()),
  refConnection: onConnection(4, (connection) => connection.toggleRef()),
  closeConnection: onConnection(5, (connection) => connection.close()),
  resetConnection: onConnection(4, (connection) => connection.reset()),

  read: onStream(60, (stream) => stream.read()),
  readOn: onStream(20, (stream) => stream.readOn()),
  writeSome: onStream(40, (stream) => stream.write(false)),
  writeAll: onStream(50, (stream) => stream.write(true)),
  endStream: onStream(8, (stream) => stream.end()),
  refStream: onStream(4, (stream) => stream.toggleRef()),
  closeStream: onStream(5, (stream) => stream.close()),
  resetStream: onStream(4, (stream) => stream.reset()),

  timer: start(25, ({ world, act }) => {
    const { random } = world;
    const delayMs = random.pick([0, random.below(10), random.below(200) / 3, random.below(10_000)]);
    world.add(new TimerActor(world, delayMs, world.chance(0.3) ? 1 + random.below(50) / 2 : 0, act));
  }),
  cancelTimer: { weight: 12, run: ({ world }) => world.pickActor(isTimer)?.cancel() },
  rescheduleTimer: {
    weight: 15,
    run: ({ world }) =>
      world.pickActor(isTimer)?.reschedule(world.random.pick([0, world.random.below(60) / 2])),
  },
  refTimer: { weight: 4, run: ({ world }) => world.pickActor(isTimer)?.toggleRef() },
  sleep: start(8, ({ world }) => startSleep(world)),
  post: { weight: 15, run: ({ posts, act }) => posts.post(act) },
  waker: start(2, ({ world, act }) => world.add(new WakerActor(world, act))),
  wake: { weight: 10, run: ({ world }) => world.pickActor(isWaker)?.wake() },
  closeWaker: { weight: 1, run: ({ world }) => world.pickActor(isWaker)?.close() },

  raw: start(8, ({ world, act }) => startRaw(world, act)),
  poke: onRaw(40, (raw) => raw.poke()),
  setInterest: onRaw(15, (raw, world) => raw.setInterest(world.random.below(4))),
  rearm: onRaw(10, (raw) => raw.rearm()),
  again: onRaw(15, (raw) => raw.again()),
  register: onRaw(15, (raw) => raw.register()),
  deregister: onRaw(10, (raw) => raw.deregister()),
  refRaw: onRaw(4, (raw) => raw.toggleRef()),
  closeBehind: onRaw(2, (raw) => raw.closeBehind()),
  closeRaw: onRaw(4, (raw) => raw.close()),
} as const satisfies Record<string, StepType>;

type StepKind = keyof typeof STEP_TYPES;

const typeOf = (kind: StepKind): StepType => STEP_TYPES[kind];
const KINDS = Object.keys(STEP_TYPES) as StepKind[];
const TOTAL_WEIGHT = KINDS.reduce((sum, kind) => sum + typeOf(kind).weight, 0);

function pickKind(random: Random): StepKind {
  let at = random.below(TOTAL_WEIGHT);
  for (const kind of KINDS) {
    at -= typeOf(kind).weight;
    if (at < 0) return kind;
  }
  return 'turn';
}

const MAX_SEED = 2 ** 32;

export function makeProgram(seed: number, length: number): Program {
  const random = new Random(seed);
  const rate = (): number => random.pick([0, 0.02, 0.2]);
  const faults = { ...NO_FAULTS };
  if (random.below(4) > 0) {
    for (const name of Object.keys(faults) as (keyof Faults)[]) faults[name] = rate();
    faults.add /= 4;
    faults.delay = random.pick([0, 0.3, 0.8]);
  }
  const [hasEdge, isAbrupt] = [random.below(3) > 0, random.below(4) === 0];
  const steps = Array.from({ length }, () => ({ kind: pickKind(random), seed: random.below(MAX_SEED) }));
  return { seed, hasEdge, faults, isAbrupt, steps };
}

export interface Outcome {
  readonly failure: Failure | null;
  /** How many steps were taken, and turns. */
  readonly steps: number;
  readonly turns: number;
  readonly log: readonly string[];
}

export async function runProgram(program: Program, keepsLog = false): Promise<Outcome> {
  const { seed, hasEdge, faults, isAbrupt } = program;
  const world = new World({ hasEdge, faults, seed, keepsLog });
  useSystem(world);
  let steps = 0;
  try {
    const runner = makeRunner(world);
    for (const step of program.steps) {
      if (world.failure !== null) break;
      steps++;
      world.useRandom(new Random(step.seed));
      world.note(`-- ${step.kind}`);
      const running = typeOf(step.kind).run(runner);
      if (running !== undefined) await running;
      await microtasks();
      world.checkStep();
    }
    world.useRandom(new Random(seed));
    if (world.failure === null) await world.finish(isAbrupt);
  } catch (error) {
    world.fail('thrown', String((error as Error).stack ?? error));
  } finally {
    world.reactor.close();
    await microtasks();
    useSystem(null);
  }
  return { failure: world.failure, steps, turns: world.turns, log: world.log };
}

function makeRunner(world: World): Runner {
  const posts = new PostActor(world);
  world.add(posts);
  world.waitChecks.push((timeoutNs) => checkOversleep(world, timeoutNs));
  let depth = 0;
  const act = (): void => {
    if (depth >= MAX_NESTED || world.reactor.closed || !world.chance(0.25)) return;
    const type = typeOf(pickKind(world.random));
    if (type.isOutside === true) return;
    depth++;
    try {
      void type.run(runner);
    } finally {
      depth--;
    }
  };
  const runner: Runner = { world, posts, act };
  return runner;
}

/**
 * Runs that a shrink may take; counted, not timed, so that a seed gives the same program on any
 * machine.
 */
const SHRINK_RUNS = 200;

/**
 * The same failure with fewer steps: halves, then quarters, and so on to single steps are left out
 * as long as it fails by the same rule (Zeller and Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input").
 */
export async function shrink(program: Program, rule: string, mostRuns: number): Promise<Program> {
  let runs = 0;
  let best = program;
  let chunk = Math.ceil(best.steps.length / 2);
  while (runs < mostRuns) {
    const before = best.steps.length;
    for (let at = best.steps.length; at > 0 && runs < mostRuns; at -= chunk) {
      runs++;
      const steps = [...best.steps.slice(0, Math.max(0, at - chunk)), ...best.steps.slice(at)];
      const { failure, steps: taken } = await runProgram({ ...best, steps });
      if (failure?.rule === rule) best = { ...best, steps: steps.slice(0, taken) };
    }
    if (chunk === 1 && best.steps.length === before) break;
    chunk = Math.max(1, Math.ceil(chunk / 2));
  }
  return best;
}

/**
 * Runs it; a failure comes back as text: the rule, the seed, the shrunk program and what happened
 * in it.
 */
export async function findFailure(program: Program, shrinkRuns = SHRINK_RUNS): Promise<string | null> {
  const { failure, steps } = await runProgram(program);
  if (failure === null) return null;
  const shrunk = await shrink({ ...program, steps: program.steps.slice(0, steps) }, failure.rule, shrinkRuns);
  const again = await runProgram(shrunk, true);
  return [
    `${failure.rule}: ${failure.message}`,
    `seed ${program.seed}, found after ${steps} steps, ${program.hasEdge ? 'edge' : 'level'} mode`,
    `faults ${JSON.stringify(program.faults)}`,
    `shrunk to ${shrunk.steps.length} steps${shrunk.isAbrupt ? ', then reactor.close()' : ''}:`,
    ...shrunk.steps.map(({ kind, seed }) => `  ${kind} ${seed}`),
    `in which: ${again.failure?.rule}: ${again.failure?.message}`,
    ...again.log.map((line) => `  ${line}`),
  ].join('\n');
}
