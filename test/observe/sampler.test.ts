import { Beat, BEAT_WORDS, Doing } from '#lib/observe/watchdog/heartbeat';
import { Sampler } from '#lib/observe/watchdog/sampler';

/** Looks each 10 ms at words that the test writes. */
function rig(slowMs: number, stalledMs: number) {
  const words = new Int32Array(BEAT_WORDS);
  const sampler = new Sampler(words, slowMs, stalledMs, 10);
  let now = 0;
  return {
    words,
    sampler,
    sleep: (ms: number) => (now += ms),
    /** What is found within so many milliseconds. */
    look(ms: number) {
      const found = [];
      for (let passed = 0; passed < ms; passed += 10) {
        now += 10;
        const finding = sampler.look(now);
        if (finding !== null) found.push({ kind: finding.kind, seenMs: finding.seenMs });
      }
      return found;
    },
  };
}

function inHandler(words: Int32Array, work: number): void {
  words[Beat.DOING] = Doing.HANDLER;
  words[Beat.WORK] = work;
}

describe('what the watchdog’s thread finds in the heartbeat', () => {
  test('a callback that lasts is found once', () => {
    const { words, look } = rig(100, 0);
    inHandler(words, 7);
    expect(look(100)).toEqual([]);
    expect(look(10)).toEqual([{ kind: 'slow', seenMs: 100 }]);
    expect(look(1000)).toEqual([]);
    words[Beat.WORK] = 9;
    expect(look(200)).toEqual([{ kind: 'slow', seenMs: 100 }]);
  });

  test('many short ones, and nothing at all, are not slow', () => {
    const { words, look } = rig(100, 0);
    for (let work = 1; work < 50; work++) {
      inHandler(words, work);
      expect(look(90)).toEqual([]);
    }
    words[Beat.DOING] = Doing.NOTHING;
    expect(look(1000)).toEqual([]);
    words[Beat.DOING] = Doing.TURN;
    expect(look(1000)).toEqual([]);
    words[Beat.DOING] = Doing.TIMER;
    expect(look(100)).toEqual([{ kind: 'slow', seenMs: 1050 + 1040 }]);
  });

  test('a reactor that does not come round is found once, and again after it went on', () => {
    const { words, look } = rig(0, 200);
    for (let alive = 0; alive < 20; alive++) {
      words[Beat.ALIVE] = alive;
      expect(look(150)).toEqual([]);
    }
    expect(look(1000)).toEqual([{ kind: 'stalled', seenMs: 200 }]);
    words[Beat.ALIVE] = 99;
    expect(look(1000)).toEqual([{ kind: 'stalled', seenMs: 200 }]);
  });

  test('a reactor that works comes round, whatever its timers do', () => {
    const { words, look } = rig(100, 200);
    for (let work = 1; work < 50; work++) {
      words[Beat.WORK] = work;
      expect(look(90)).toEqual([]);
    }
  });

  test('a slow handler is no stall besides', () => {
    const { words, look } = rig(100, 200);
    inHandler(words, 1);
    expect(look(2000)).toEqual([{ kind: 'slow', seenMs: 100 }]);
    const unlimited = rig(0, 200);
    inHandler(unlimited.words, 1);
    expect(unlimited.look(2000)).toEqual([{ kind: 'stalled', seenMs: 200 }]);
  });

  test('what was seen before a thread was itself held up says nothing', () => {
    const { words, look, sleep } = rig(100, 100);
    inHandler(words, 1);
    expect(look(50)).toEqual([]);
    sleep(60_000);
    expect(look(100)).toEqual([]);
    expect(look(10)).toEqual([{ kind: 'slow', seenMs: 100 }]);
  });

  test('nor of a reactor that has nothing to do', () => {
    const { look, sleep } = rig(0, 100);
    expect(look(50)).toEqual([]);
    sleep(60_000);
    expect(look(100)).toEqual([]);
    expect(look(10)).toEqual([{ kind: 'stalled', seenMs: 100 }]);
  });

  test('looks that are made seldom are not late for that', () => {
    const words = new Int32Array(BEAT_WORDS);
    inHandler(words, 1);
    /** Each second it would look; what it finds at this time, if that is the second look. */
    const foundAt = (now: number): number | null => {
      const sampler = new Sampler(words, 5000, 0, 1000);
      expect(sampler.look(0)).toBeNull();
      return sampler.look(now)?.seenMs ?? null;
    };
    expect([foundAt(7000), foundAt(9000)]).toEqual([7000, null]);
  });

  test('looks that an overloaded machine delays find what there is', () => {
    const { words, sampler } = rig(100, 0);
    inHandler(words, 1);
    const found = [0, 400, 800].map((now) => sampler.look(now)?.seenMs ?? null);
    expect(found).toEqual([null, 400, null]);
  });

  test('goesOn is so until anything changes', () => {
    const { words, sampler } = rig(100, 100);
    words[Beat.WORK] = 3;
    words[Beat.ALIVE] = 5;
    const common = { work: 3, alive: 5, seenMs: 100 };
    const slow = { kind: 'slow', ...common } as const;
    const stalled = { kind: 'stalled', ...common } as const;
    expect([sampler.goesOn(slow), sampler.goesOn(stalled)]).toEqual([true, true]);
    words[Beat.ALIVE] = 6;
    expect([sampler.goesOn(slow), sampler.goesOn(stalled)]).toEqual([true, false]);
    words[Beat.ALIVE] = 5;
    words[Beat.WORK] = 4;
    expect([sampler.goesOn(slow), sampler.goesOn(stalled)]).toEqual([false, false]);
  });
});
