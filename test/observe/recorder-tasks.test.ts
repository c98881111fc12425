import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { threadId } from 'node:worker_threads';
import { Recorder, type ChromeTrace, type TraceEvent } from '#lib/observe/index';
import { Recording } from '#lib/observe/recorder/recording';
import { createRing, Kind, readRing, RingWriter } from '#lib/observe/recorder/ring';
import { Reactor } from '#lib/reactor/reactor';
import { Runtime, type RuntimeOptions } from '#lib/runtime/index';
import type * as tasks from './recorder-tasks.js';
import { until, within } from '../support/deadline.js';
import { closed, invalidType, outOfRange, thrownBy } from '../support/errors.js';
import { brokenRules, isWithin, named, threadName } from './trace-rules.js';

const entry = path.join(__dirname, 'recorder-tasks.js');
let folder = '';
let runtimes: Runtime<typeof tasks>[] = [];
let reactors: Reactor[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tripoll-tasks-'));
});
afterEach(async () => {
  await within(Promise.all(runtimes.map((runtime) => runtime.close())), 'the end of all threads');
  for (const reactor of reactors) reactor.close();
  rmSync(folder, { recursive: true });
  [runtimes, reactors] = [[], []];
});

function rig(options: Partial<RuntimeOptions> = {}) {
  const runtime = new Runtime<typeof tasks>({ entry, workers: 2, ...options });
  const reactor = new Reactor({ driver: 'manual' });
  runtimes.push(runtime);
  reactors.push(reactor);
  const recorder = new Recorder(reactor, { runtime });
  /** When it has it: what comes of a task is told before its worker has written all of it. */
  const traceWith = async (has: (trace: ChromeTrace) => boolean, what: string): Promise<ChromeTrace> => {
    await until(() => has(recorder.trace()), what);
    const trace = recorder.trace();
    expect(brokenRules(trace)).toEqual([]);
    return trace;
  };
  return { runtime, reactor, recorder, traceWith };
}

const workersOf = (trace: ChromeTrace, events: readonly TraceEvent[]): unknown[] =>
  events.map(({ tid }) => threadName(trace, tid)).sort();

describe('a recorder of a runtime', () => {
  test('has each task as a span of the worker that ran it, with an arrow from its spawn', async () => {
    const { runtime, traceWith } = rig();
    const ran = await runtime.spawn('thread', []);
    const trace = await traceWith((each) => named(each, 'tasks').length > 0, 'the turn of tasks');
    const [task] = named(trace, 'thread');
    expect(named(trace, 'thread')).toMatchObject([{ ph: 'X', cat: 'task', tid: ran }]);
    expect(threadName(trace, ran)).toMatch(/^worker [01]$/);
    expect(named(trace, 'tasks').filter((turn) => isWithin(task, turn))).toHaveLength(1);
    const [spawn] = named(trace, 'spawn thread');
    expect(spawn).toMatchObject({ ph: 'X', cat: 'runtime', tid: threadId, args: { id: task?.args?.['id'] } });
    expect(named(trace, 'spawned')).toMatchObject([
      { ph: 's', tid: threadId, ts: spawn?.ts },
      { ph: 'f', tid: ran, ts: task?.ts, bp: 'e' },
    ]);
    // Of two threads, on one scale.
    expect(task!.ts).toBeGreaterThanOrEqual(spawn!.ts);
  });

  test('has a steal, with both workers', async () => {
    const { runtime, traceWith } = rig();
    const met = await within(runtime.spawn('meetOnTwo', [folder]), 'two workers');
    expect(new Set(met).size).toBe(2);
    const trace = await traceWith((each) => named(each, 'meet', 'X').length === 2, 'both tasks');
    const spans = named(trace, 'meet', 'X');
    expect(workersOf(trace, spans)).toEqual(['worker 0', 'worker 1']);
    const [spawner] = named(trace, 'meetOnTwo', 'X');
    const stolen = spans.filter(({ args }) => args?.['stolenFrom'] !== undefined);
    // Whichever worker spawned them, the other has taken one of them.
    expect(stolen).toMatchObject([{ args: { stolenFrom: threadName(trace, spawner!.tid) } }]);
    expect(stolen[0]!.tid).not.toBe(spawner!.tid);
    const steals = named(trace, 'steal').filter(({ args }) => args?.['id'] === stolen[0]!.args?.['id']);
    expect(steals).toMatchObject([
      { ph: 'i', tid: stolen[0]!.tid, args: { from: threadName(trace, spawner!.tid), tasks: 1 } },
    ]);
    // Arrows from one worker to the other.
    const ends = named(trace, 'spawned', 'f').filter(({ tid, ts }) =>
      spans.some((s) => s.tid === tid && s.ts === ts),
    );
    const starts = named(trace, 'spawned', 's').filter(({ id }) => ends.some((end) => end.id === id));
    expect(starts.map(({ tid }) => tid)).toEqual([spawner!.tid, spawner!.tid]);
    expect(workersOf(trace, ends)).toEqual(['worker 0', 'worker 1']);
  });

  test('has the life of a task that goes on after its call, and how it ended', async () => {
    const { runtime, traceWith } = rig();
    await runtime.spawn('later', []);
    await expect(runtime.spawn('fails', [])).rejects.toThrow('it fails');
    const trace = await traceWith((each) => named(each, 'fails', 'e').length > 0, 'the ends');
    for (const name of ['later', 'fails'] as const) {
      const [call, begin, end] = [named(trace, name, 'X'), named(trace, name, 'b'), named(trace, name, 'e')];
      expect([call.length, begin.length, end.length]).toEqual([1, 1, 1]);
      expect(begin[0]).toMatchObject({ ts: call[0]!.ts, tid: call[0]!.tid, cat: 'task', id: end[0]!.id });
      expect(end[0]!.ts).toBeGreaterThan(call[0]!.ts + call[0]!.dur!);
      expect(end[0]!.args).toEqual({ failed: name === 'fails' });
    }
    expect(named(trace, 'thread', 'b')).toEqual([]);
  });

  test("has the workers' reactors", async () => {
    const { runtime, traceWith } = rig({ workers: 1 });
    const ran = await runtime.spawn('ticks', []);
    const trace = await traceWith((each) => named(each, 'ticks', 'e').length > 0, 'its end');
    const [tick] = named(trace, 'tickOfTask');
    expect(tick).toMatchObject({ ph: 'X', cat: 'timer', tid: ran });
    expect(named(trace, 'turn').filter((turn) => isWithin(tick, turn))).toHaveLength(1);
    // A wait ends where tasks begin.
    const waits = named(trace, 'wait').filter(({ tid }) => tid === ran);
    for (const tasksTurn of named(trace, 'tasks')) {
      expect(waits.some((wait) => isWithin(tasksTurn, wait))).toBe(false);
    }
  });

  test('has what a worker was in when it hangs, and when its thread has ended', async () => {
    const { runtime, recorder, traceWith } = rig({ workers: 1 });
    const hung = runtime.spawn('neverReturns', [folder]);
    await until(() => existsSync(path.join(folder, 'begun')), 'the task');
    const trace = await traceWith((each) => named(each, 'neverReturns').length > 0, 'what hangs');
    expect(named(trace, 'neverReturns')).toMatchObject([{ ph: 'B', cat: 'task' }]);
    const ended = expect(hung).rejects.toMatchObject({ code: 'ERR_TRIPOLL_WORKER_DIED' });
    await runtime.terminateWorker(0);
    await within(ended, 'its death');
    const next = await runtime.spawn('thread', []);
    const last = await traceWith((each) => named(each, 'thread').length > 0, 'the next thread');
    const [died] = named(last, 'neverReturns');
    expect(died).toMatchObject({ ph: 'X', cat: 'task', ts: expect.any(Number) as number });
    expect(named(last, 'the thread has ended')).toMatchObject([{ ph: 'i', tid: died!.tid }]);
    expect(named(last, 'thread')).toMatchObject([{ tid: next }]);
    expect([died!.tid, next].map((tid) => threadName(last, tid))).toEqual(['worker 0', 'worker 0']);
    expect(died!.tid).not.toBe(next);
    expect(recorder.memories).toHaveLength(3);
    // Of threads that have ended as many are kept as there are workers.
    await runtime.terminateWorker(0);
    await runtime.spawn('thread', []);
    expect(recorder.memories).toHaveLength(3);
  });

  test('ends with close(): its threads are recorded no more, and the runtime goes on', async () => {
    const { runtime, reactor, recorder } = rig({ workers: 1 });
    await runtime.spawn('later', []);
    recorder.close();
    const count = (): number => recorder.trace().traceEvents.length;
    // It hears of that by its port, of tasks by shared memory.
    await until(async () => {
      const before = count();
      await runtime.spawn('later', []);
      return count() === before;
    }, 'a task that is not recorded');
    // Another may come.
    const second = new Recorder(reactor, { runtime });
    await runtime.spawn('add', [1, 2]);
    await until(() => named(second.trace(), 'add').length > 0, 'the task');
    second.close();
  });

  test('wrong runtimes are refused; one has one recorder', async () => {
    const { runtime, reactor } = rig();
    const make = (options: object) => thrownBy(() => new Recorder(reactor, options));
    for (const wrong of [null, {}, 5]) expect(make({ runtime: wrong })).toEqual(invalidType);
    expect(make({ runtime })).toMatchObject({ code: 'ERR_TRIPOLL_STATE' });
    // Of two workers there are seven rings at most.
    expect(make({ runtime, events: 2 ** 20 / 4 })).toEqual(outOfRange);
    await runtime.close();
    expect(make({ runtime })).toEqual(closed);
  });
});

describe('turns of tasks', () => {
  test('end a wait outside of a turn of the reactor, and are part of one within it', () => {
    const ring = new RingWriter(createRing(32), 0, 0);
    const recording = new Recording(ring);
    recording.turnStart(0, 0);
    recording.turnEnd(0.5, 1);
    // Another in the same job.
    recording.turnStart(1, 0);
    recording.tasksRan(2, 3, 1);
    recording.turnEnd(4, 1);
    recording.turnSettled(5);
    recording.tasksRan(6, 6, 0);
    recording.tasksRan(8, 9, 2);
    recording.turnSettled(10);
    recording.turnStart(12, 0);
    const spans = readRing(ring.memory)!.records.map(({ kind, startMs, durationMs }) => [
      kind,
      startMs,
      startMs + durationMs!,
    ]);
    spans.sort(([, one = 0], [, other = 0]) => one - other);
    expect(spans).toEqual([
      [Kind.TURN, 0, 0.5],
      [Kind.TURN, 1, 4],
      [Kind.TASKS, 2, 3],
      [Kind.PROMISES, 4, 5],
      [Kind.WAIT, 5, 8],
      [Kind.TASKS, 8, 9],
      [Kind.PROMISES, 9, 10],
      [Kind.WAIT, 10, 12],
    ]);
  });
});
