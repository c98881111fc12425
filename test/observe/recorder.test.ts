import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { sys } from 'tripoll/raw';
import { Recorder, traceOf, type ChromeTrace, type RecorderOptions } from '#lib/observe/index';
import { createRing, Kind, readRing, RingWriter } from '#lib/observe/recorder/ring';
import { toChromeTrace } from '#lib/observe/recorder/chrome-trace';
import { Interest } from '#lib/poller/flags';
import { Reactor } from '#lib/reactor/reactor';
import { until, within } from '../support/deadline.js';
import { closed, invalidType, outOfRange, thrownBy } from '../support/errors.js';
import { openPipe } from '../support/pairs.js';
import { brokenRules, isWithin, named } from './trace-rules.js';
import { turnOnce, watched } from './watchdog-rig.js';

let open: { close(): void }[] = [];
function rig(options?: RecorderOptions) {
  const reactor = new Reactor({ driver: 'manual' });
  const recorder = new Recorder(reactor, options);
  const fds: number[] = [];
  openPipe(fds, sys.constants.O_NONBLOCK);
  const [read = -1, write = -1] = fds;
  open.push({ close: () => fds.forEach((fd) => sys.close(fd)) }, reactor);
  return { reactor, recorder, read, tell: () => void sys.write(write, new Uint8Array(1)) };
}
afterEach(() => {
  for (const each of open.splice(0).reverse()) each.close();
  open = [];
});

describe('a recorder', () => {
  test('has turns, with the handlers and timers in them, promises and waits', async () => {
    const { reactor, recorder, read, tell } = rig();
    reactor.register(
      read,
      Interest.READABLE,
      { onReady: () => void sys.read(read, new Uint8Array(1)) },
      { name: 'reads' },
    );
    reactor.setTimer(0, function ticks() {});
    tell();
    for (let i = 0; i < 100 && named(recorder.trace(), 'ticks').length === 0; i++) reactor.turn(10);
    await until(() => named(recorder.trace(), 'promises').length > 0, 'the promises');
    reactor.turn(0);
    const trace = recorder.trace();
    const [reads, ticks] = [named(trace, 'reads'), named(trace, 'ticks')];
    expect(reads).toEqual([
      expect.objectContaining({
        ph: 'X',
        cat: 'handler',
        pid: process.pid,
        args: { fd: read, readiness: 'READABLE' },
      }),
    ]);
    expect(ticks).toEqual([
      expect.objectContaining({ ph: 'X', cat: 'timer', args: { lateMs: expect.any(Number) as unknown } }),
    ]);
    // As times are: in sixteenths of a microsecond.
    const late = Number(ticks[0]!.args?.['lateMs']) * 16_000;
    expect(late).toBeCloseTo(Math.round(late), 6);
    const turns = named(trace, 'turn');
    expect(turns.filter((turn) => isWithin(reads[0], turn))).toHaveLength(1);
    expect(turns.filter((turn) => isWithin(ticks[0], turn))).toHaveLength(1);
    expect(named(trace, 'wait').length).toBeGreaterThan(0);
    expect(turns.some((turn) => isWithin(named(trace, 'wait')[0], turn))).toBe(false);
    expect(turns.find((turn) => isWithin(reads[0], turn))?.args).toMatchObject({ events: 1 });
    expect(brokenRules(trace)).toEqual([]);
  });

  test('has the life of what was registered since', () => {
    const { reactor, recorder, read } = rig();
    const other: number[] = [];
    openPipe(other, 0);
    open.push({ close: () => other.forEach((fd) => sys.close(fd)) });
    const first = reactor.register(read, Interest.READABLE, { onReady: () => {} }, { name: 'first' });
    reactor.register(other[0] ?? -1, Interest.READABLE, { onReady: () => {} }, { name: 'second' });
    first.deregister();
    const lives = recorder.trace().traceEvents.filter(({ cat }) => cat === 'socket');
    const name = `first (fd ${read})`;
    expect(lives).toMatchObject([
      { ph: 'b', name },
      { ph: 'b', name: `second (fd ${other[0]})` },
      { ph: 'e', name },
    ]);
    expect(lives[2]?.id).toBe(lives[0]?.id);
    expect(lives[1]?.id).not.toBe(lives[0]?.id);
    expect(brokenRules(recorder.trace())).toEqual([]);
  });

  test('keeps the last events, and says how many it has lost', () => {
    const { reactor, recorder } = rig({ events: 16 });
    for (let i = 0; i < 100; i++) reactor.turn(0);
    recorder.mark('the last');
    const trace = recorder.trace();
    expect(trace.traceEvents.length).toBeLessThanOrEqual(16 + 2);
    expect(trace.traceEvents.at(-1)).toMatchObject({ name: 'the last', ph: 'i' });
    expect(trace.otherData.lostEvents).toBeGreaterThan(100);
  });

  test('is written as JSON; its memory can be read in another thread', async () => {
    const { reactor, recorder } = rig();
    reactor.turn(0);
    recorder.mark('here');
    const folder = mkdtempSync(path.join(tmpdir(), 'tripoll-trace-'));
    const file = path.join(folder, 'trace.json');
    recorder.dump(file);
    const written = JSON.parse(readFileSync(file, 'utf8')) as ChromeTrace;
    rmSync(folder, { recursive: true });
    expect(written).toEqual(JSON.parse(JSON.stringify(recorder.trace())));
    expect(named(written, 'here')).toHaveLength(1);
    const code = `const { parentPort, workerData } = require('node:worker_threads');
      const { traceOf } = require(${JSON.stringify(require.resolve('tripoll/observe'))});
      parentPort.postMessage(traceOf([workerData]));`;
    const worker = new Worker(code, { eval: true, workerData: recorder.memory });
    const read = await within(
      new Promise((resolve, reject) => {
        worker.once('message', resolve).once('error', reject);
      }),
      'a trace',
      30_000,
    );
    expect(read).toEqual(written);
    await worker.terminate();
  });

  test('ends with its reactor, and can be read after that', () => {
    const { reactor, recorder } = rig();
    recorder.mark('before');
    reactor.close();
    expect(recorder.closed).toBe(true);
    recorder.close();
    expect(named(recorder.trace(), 'before')).toHaveLength(1);
    expect(reactor.registry.probe).toBeNull();
    expect(thrownBy(() => new Recorder(reactor))).toEqual(closed);
  });

  test('wrong arguments are refused', () => {
    const { reactor, recorder } = rig();
    const wrong = (value: unknown) => value as never;
    expect(thrownBy(() => new Recorder(reactor, wrong({ events: '5' })))).toEqual(invalidType);
    expect(thrownBy(() => new Recorder(reactor, wrong({ size: 5 })))).toEqual(invalidType);
    for (const events of [15, 2 ** 20 + 1, 20.5])
      expect(thrownBy(() => new Recorder(reactor, { events }))).toEqual(outOfRange);
    expect(thrownBy(() => recorder.mark(wrong(5)))).toEqual(invalidType);
    expect(thrownBy(() => traceOf(wrong([{}])))).toEqual(invalidType);
  });
});

describe('the dump of a watchdog', () => {
  test('is written by its thread when anything is reported', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tripoll-dump-'));
    const file = path.join(folder, 'trace.json');
    const { reactor, recorder } = rig();
    const dog = watched({ slowHandlerMs: 20, dump: { recorder, file } }, reactor);
    reactor.setTimer(0, function slowTimer() {
      dog.spinUntilTold();
    });
    turnOnce(reactor);
    let trace: ChromeTrace | null = null;
    await until(() => {
      try {
        trace = JSON.parse(readFileSync(file, 'utf8')) as ChromeTrace;
        // The thread has written it once before, if that took long.
        return named(trace, 'slow-handler: timer slowTimer').length > 0;
      } catch {
        return false;
      }
    }, 'the file');
    rmSync(folder, { recursive: true });
    expect(named(trace!, 'slow-handler: timer slowTimer')).toHaveLength(1);
    expect(named(trace!, 'slowTimer')).toMatchObject([{ ph: 'X' }]);
  });

  test('wrong targets are refused', () => {
    const { reactor, recorder } = rig();
    for (const dump of [{}, { recorder }, { file: 'x' }, { recorder, file: 5 }, 5])
      expect(thrownBy(() => watched({ dump: dump as never }, reactor))).toEqual(invalidType);
  });
});

describe('its memory', () => {
  test('shows what has not ended', () => {
    const ring = new RingWriter(createRing(16), 3, 1000);
    ring.write(Kind.TURN, 5, 2, 1, 1);
    ring.begin(Kind.HANDLER, 8, ring.number('endless'), 7, 1);
    const { traceEvents } = toChromeTrace([ring.memory], 42);
    expect(traceEvents.slice(2)).toEqual([
      {
        name: 'turn',
        ph: 'X',
        cat: 'reactor',
        ts: 0,
        dur: 2000,
        pid: 42,
        tid: 3,
        args: { events: 1, ran: 1 },
      },
      {
        name: 'endless',
        ph: 'B',
        cat: 'handler',
        ts: 3000,
        pid: 42,
        tid: 3,
        args: { fd: 7, readiness: 'READABLE' },
      },
    ]);
    ring.end();
    expect(toChromeTrace([ring.memory], 42).traceEvents).toHaveLength(3);
  });

  test('a span ends exactly where the next begins: viewers compare sums', () => {
    const ring = new RingWriter(createRing(1024), 0, 1000);
    // As a clock of nanoseconds tells.
    const times = Array.from({ length: 1001 }, (_, i) => Math.round(1e6 + i * 123_456.789) / 1e6);
    for (let i = 0; i < 1000; i++) ring.write(Kind.TURN, times[i]!, times[i + 1]! - times[i]!);
    const spans = toChromeTrace([ring.memory], 1).traceEvents.filter(({ ph }) => ph === 'X');
    expect(spans).toHaveLength(1000);
    const ends = spans.slice(0, -1).map(({ ts, dur = 0 }) => ts + dur);
    expect(ends).toEqual(spans.slice(1).map(({ ts }) => ts));
    expect(spans[500]!.ts).toBeCloseTo(61_728.394, 1);
  });

  test('puts threads with other clocks on one scale, from the first event of all', () => {
    const [one, other] = [new RingWriter(createRing(16), 0, 1000), new RingWriter(createRing(16), 1, 5000)];
    one.write(Kind.MARK, 10, 0, one.number('one'));
    other.write(Kind.MARK, 1, 0, other.number('other'));
    const marks = toChromeTrace([other.memory, one.memory], 1).traceEvents.filter(({ ph }) => ph === 'i');
    expect(marks).toMatchObject([
      { name: 'one', ts: 0, tid: 0 },
      { name: 'other', ts: 3_991_000, tid: 1 },
    ]);
  });

  test('has room for a thousand names; those after that are others', () => {
    const ring = new RingWriter(createRing(2000), 0, 0);
    for (let i = 0; i < 2000; i++) ring.number(`name ${i}`);
    expect(ring.number('name 0')).toBe(1);
    expect(ring.number('name 1999')).toBe(0);
    ring.write(Kind.MARK, 0, 0, ring.number('name 1022'));
    ring.write(Kind.MARK, 0, 0, ring.number('name 1500'));
    const { names, records } = readRing(ring.memory)!;
    expect(records.map(({ values }) => names[values[0] ?? -1])).toEqual(['name 1022', 'other']);
    expect(new RingWriter(createRing(16), 0, 0).number('x'.repeat(100_000))).toBe(0);
  });

  test('a full one gives the oldest records away first', () => {
    const ring = new RingWriter(createRing(16), 0, 0);
    for (let i = 1; i <= 40; i++) ring.write(Kind.MARK, i, 0);
    const { records, lost } = readRing(ring.memory)!;
    // One that may be half written when another thread reads is left out.
    expect(records.map(({ startMs }) => startMs)).toEqual(Array.from({ length: 15 }, (_, i) => 26 + i));
    expect(lost).toBe(25);
  });
});
