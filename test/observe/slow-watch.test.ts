import { Beat, BEAT_WORDS, Doing, type FoundMessage } from '#lib/observe/watchdog/heartbeat';
import { SlowWatch } from '#lib/observe/watchdog/slow-watch';
import { Reactor } from '#lib/reactor/reactor';
import type { Timer } from '#lib/reactor/timer';

const LIMIT_MS = 100;
let reactor: Reactor;
beforeEach(() => {
  reactor = new Reactor({ driver: 'manual' });
});
afterEach(() => reactor.close());

/** The thread is the test: it finds by `find`, and tells by `tell`. */
function rig() {
  const words = new Int32Array(BEAT_WORDS);
  const told: [durationMs: number, stack: string | null][] = [];
  const watch = new SlowWatch(LIMIT_MS, words, ({ durationMs }, stack) => told.push([durationMs, stack]));
  const timer: Timer = reactor.setTimer(60_000, () => {});
  const message = (work: number, stack: string): FoundMessage => {
    return { kind: 'slow', work, seenMs: LIMIT_MS, stack, whyNoStack: '' };
  };
  return {
    told,
    watch,
    begin: () => watch.start(0, Doing.TIMER, -1, 0),
    end: (durationMs: number) => watch.end(durationMs, timer, null),
    /** What runs now has been found slow. */
    find: (): number => (words[Beat.FOUND] = words[Beat.WORK]!),
    tell: (work: number, stack: string) => watch.onFound(message(work, stack)),
  };
}

describe('what ran for too long, and the stack that it had', () => {
  test('is told at once without one where the thread has found nothing', () => {
    const { begin, end, told } = rig();
    begin();
    end(LIMIT_MS - 1);
    expect(told).toEqual([]);
    begin();
    end(LIMIT_MS);
    expect(told).toEqual([[LIMIT_MS, null]]);
  });

  test('waits for the thread’s where that has found it, and is told once', () => {
    const { begin, end, find, tell, told } = rig();
    begin();
    const work = find();
    end(150);
    expect(told).toEqual([]);
    tell(work, 'its stack');
    tell(work, 'again');
    expect(told).toEqual([[150, 'its stack']]);
  });

  test('each has its own, in whichever order they come, and none of what ran before', () => {
    const { begin, end, find, tell, told } = rig();
    begin();
    const first = find();
    end(150);
    begin();
    // The thread has found the one before.
    end(160);
    expect(told).toEqual([[160, null]]);
    begin();
    const third = find();
    end(170);
    tell(third, 'third');
    tell(third + 1000, 'of nothing that waits');
    tell(first, 'first');
    expect(told.slice(1)).toEqual([
      [170, 'third'],
      [150, 'first'],
    ]);
  });

  test('one that was found as it ended has been told already', () => {
    const { begin, end, find, tell, told } = rig();
    begin();
    end(150);
    tell(find() - 1, 'too late');
    expect(told).toEqual([[150, null]]);
  });

  test('is not lost with the thread, nor where more wait than are kept', () => {
    const { begin, end, find, told, watch } = rig();
    for (let i = 0; i < 65; i++) {
      begin();
      find();
      end(150);
    }
    expect(told).toHaveLength(1);
    watch.tellWithoutStacks();
    watch.tellWithoutStacks();
    expect(told).toEqual(Array.from({ length: 65 }, () => [150, null]));
  });

  test('one that had begun before the watchdog came has no duration', () => {
    const { end, told } = rig();
    end(1e9);
    expect(told).toEqual([]);
  });
});
