// The transitions of a stream's state, of which each is small and all together are not: any order
// of them keeps these laws.
import * as State from '#lib/net/stream/state';
import { EDGE, LEVEL } from '#lib/net/stream/interest';
import { Interest } from 'tripoll';
import { Random } from '../../support/random.js';

type Transition = (state: number) => number;

/** What may happen to a stream, by whom it is told. */
const transitions: Record<string, Transition> = {
  opened: State.opened,
  readable: State.readable,
  hungUp: State.hungUp,
  drained: State.drained,
  peerEnded: State.peerEnded,
  ending: State.ending,
  ended: State.ended,
  closed: State.closed,
  fdLost: State.fdLost,
  closingAfterEnd: State.closingAfterEnd,
  untaken: State.untaken,
  taken: State.taken,
  drainDue: State.drainDue,
  drainTold: State.drainTold,
  closeReported: State.closeReported,
  urgentInline: State.urgentInline,
  pause: (state) => State.paused(state, true),
  resume: (state) => State.paused(state, false),
  hold: (state) => State.held(state, true),
  letGo: (state) => State.held(state, false),
  cork: (state) => State.corked(state, true),
  uncork: (state) => State.corked(state, false),
  unref: (state) => State.unrefed(state, true),
  ref: (state) => State.unrefed(state, false),
};

/** What is never taken back. */
const forEver: Record<string, (state: number) => boolean> = {
  closed: State.isClosed,
  peerEnded: State.isReadEnded,
  hungUp: State.isHungUp,
  fdLost: State.isFdLost,
  closingAfterEnd: State.closesAfterEnd,
  closeReported: State.isCloseReported,
  urgentInline: State.isUrgentInline,
};

test('a new stream is neither open nor closed, and nothing else', () => {
  expect(State.isOpen(State.INITIAL)).toBe(false);
  expect(State.isClosed(State.INITIAL)).toBe(false);
  expect(State.mayFlush(State.INITIAL)).toBe(false);
  expect(State.isOpen(State.opened(State.INITIAL))).toBe(true);
  expect(State.opened(State.INITIAL)).toBe(0);
});

test('in any order of events the laws hold', () => {
  const random = new Random(1);
  const names = Object.keys(transitions);
  for (let run = 0; run < 300; run++) {
    let state = State.INITIAL;
    const seen = new Set<string>();
    for (let step = 0; step < 40; step++) {
      const name = names[random.below(names.length)]!;
      const before = state;
      state = transitions[name]!(state);
      seen.add(name);
      // Each is idempotent: it says what is so from then on.
      expect(transitions[name]!(state)).toBe(state);
      for (const [law, holds] of Object.entries(forEver)) {
        expect({ law, holds: holds(state) }).toEqual({ law, holds: seen.has(law) });
      }
      if (State.isClosed(state)) expect([State.isOpen(state), State.mayFlush(state)]).toEqual([false, false]);
      if (State.isWriteEnded(before)) expect(State.refusesWrites(state)).toBe(true);
      if (name === 'ending') expect(State.isCorked(state)).toBe(false);
      expect(State.bothEnded(state)).toBe(State.isReadEnded(state) && State.isWriteEnded(state));
    }
  }
});

test('every bit has one meaning: no transition touches what another says', () => {
  const bits = ['opened', 'closed', 'readable', 'hungUp', 'peerEnded', 'ended', 'pause', 'cork', 'fdLost']
    .concat(['unref', 'closingAfterEnd', 'hold', 'untaken', 'drainDue', 'closeReported', 'urgentInline'])
    .map(
      (name) =>
        transitions[name]!(name === 'opened' ? State.INITIAL : 0) ^ (name === 'opened' ? State.INITIAL : 0),
    );
  expect(new Set(bits).size).toBe(bits.length);
});

describe('what is waited for', () => {
  const { READABLE, WRITABLE, PRIORITY } = Interest;
  const { WANTS_READ, WANTS_WRITE, WANTS_PRIORITY } = State;

  test('an edge is registered once, and asks for WRITABLE with the first write that blocks', () => {
    const first = EDGE.first(WANTS_READ);
    expect(first).toBe(READABLE | PRIORITY);
    expect(EDGE.next(first, 0, 0)).toBe(first);
    expect(EDGE.next(first, 0, WANTS_READ | WANTS_WRITE)).toBe(first | WRITABLE);
    expect(EDGE.next(first | WRITABLE, State.peerEnded(0), 0)).toBe(first | WRITABLE);
    expect(EDGE.mayRead(0)).toBe(false);
    expect(EDGE.mayRead(State.readable(0))).toBe(true);
  });

  test.each([
    { state: 0, wants: WANTS_READ, interest: READABLE },
    { state: 0, wants: 0, interest: READABLE },
    { state: State.untaken(0), wants: 0, interest: 0 },
    { state: State.untaken(0), wants: WANTS_WRITE, interest: WRITABLE },
    { state: State.peerEnded(0), wants: WANTS_READ, interest: PRIORITY },
    { state: 0, wants: WANTS_READ | WANTS_WRITE | WANTS_PRIORITY, interest: READABLE | WRITABLE | PRIORITY },
  ])('a level follows: $state, $wants', ({ state, wants, interest }) => {
    expect(LEVEL.next(READABLE, state, wants)).toBe(interest);
  });
});
