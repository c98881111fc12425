// raw.Kqueue with the filters that the shim of test/support/kqueue-shim has too; the others, of
// real systems, are in kqueue-filters.test.ts.
import { type ErrnoName, KeventList, Kqueue, sys } from 'tripoll/raw';
import { constant, minus, nowNs, Rig, send } from '../poller/rig';
import { testIf } from '../support/applies';
import { hasBackend } from '../support/backends';
import { closed, invalidType, outOfRange, thrownBy, unsupported } from '../support/errors';
import { openedSince, openFds } from '../support/fds';
import { drain } from '../support/pairs';

const here = hasBackend('kqueue');
const testHere = testIf(here, 'this system has no kqueue');
const c = sys.constants;
const [READ, WRITE, USER] = [c['EVFILT_READ'] ?? 0, c['EVFILT_WRITE'] ?? 0, c['EVFILT_USER'] ?? 0];
const { EV_ADD = 0, EV_DELETE = 0, EV_ENABLE = 0, EV_CLEAR = 0, EV_ONESHOT = 0, EV_DISPATCH = 0 } = c;
const { EV_RECEIPT = 0, EV_ERROR = 0, EV_EOF = 0, NOTE_TRIGGER = 0, NOTE_FFCOPY = 0 } = c;

let before = new Map<number, string>();
let rig: Rig;
let kqueue: Kqueue;
let changes: KeventList;
let events: KeventList;

beforeEach(() => {
  if (!here) return;
  before = openFds();
  rig = new Rig(() => {
    throw new Error('no poller here');
  });
  kqueue = new Kqueue();
  changes = new KeventList(4);
  events = new KeventList(8);
});

afterEach(() => {
  if (!here) return;
  kqueue.close();
  rig.end();
  expect(openedSince(before)).toEqual([]);
});

type Seen = [ident: number, filter: number, udata: number];

function wait(timeoutNs = 1e9): Seen[] {
  const count = kqueue.kevent(null, events.bytes, timeoutNs);
  return Array.from({ length: count }, (_, i) => [events.ident(i), events.filter(i), events.udata(i)]);
}

function change(
  ident: number,
  filter: number,
  flags: number,
  more: { fflags?: number; udata?: number } = {},
): void {
  expect(kqueue.kevent(changes.fill({ ident, filter, flags, ...more }), null, 0)).toBe(0);
}

function systemError(code: ErrnoName): object {
  return { name: 'Error', code, errno: minus(code), syscall: 'kevent' };
}

testIf(!here, 'this system has kqueue')('elsewhere Kqueue and KeventList are unsupported', () => {
  expect(thrownBy(() => new Kqueue())).toEqual(unsupported);
  expect(thrownBy(() => new KeventList(1))).toEqual(unsupported);
  expect(sys.constants['EVFILT_READ']).toBeUndefined();
});

testHere('changes go in, events come out, of both filters of one fd', () => {
  const [one, other] = rig.sockets();
  change(one, READ, EV_ADD, { udata: 2 ** 53 - 1 });
  change(one, WRITE, EV_ADD, { udata: 7 });
  expect(wait()).toEqual([[one, WRITE, 7]]);
  send(other, 'abc');
  expect(wait().sort((a, b) => a[2] - b[2])).toEqual([
    [one, WRITE, 7],
    [one, READ, 2 ** 53 - 1],
  ]);
  change(one, WRITE, EV_DELETE);
  expect(kqueue.kevent(null, events.bytes, 1e9)).toBe(1);
  expect(events.data(0)).toBe(3); // the bytes that wait
  drain(one);
  expect(wait(0)).toEqual([]);
});

testHere('EV_CLEAR, EV_ONESHOT, EV_DISPATCH: once, and what asks for the next', () => {
  const [reader, writer] = rig.pipe();
  send(writer);
  for (const [flags, then] of [
    [EV_CLEAR, 0],
    [EV_ONESHOT, EV_ADD | EV_ONESHOT],
    // EV_ENABLE alone need not look at what is so already (T25).
    [EV_DISPATCH, EV_ADD | EV_ENABLE | EV_DISPATCH],
  ] as const) {
    change(reader, READ, EV_ADD | flags);
    expect(wait()).toHaveLength(1);
    expect(wait(0)).toEqual([]);
    if (then !== 0) {
      change(reader, READ, then);
      expect(wait()).toHaveLength(1);
      expect(wait(0)).toEqual([]);
    }
    if (flags !== EV_ONESHOT) change(reader, READ, EV_DELETE);
  }
});

testHere('the end of a stream is EV_EOF, with the bytes that are left', () => {
  const [one, other] = rig.tcp();
  send(other, 'last');
  expect(sys.shutdown(other, constant('SHUT_WR'))).toBe(0);
  change(one, READ, EV_ADD);
  expect(kqueue.kevent(null, events.bytes, 1e9)).toBe(1);
  expect(events.flags(0) & EV_EOF).toBe(EV_EOF);
  expect([events.fflags(0), events.data(0)]).toEqual([0, 4]);
});

testHere('a user event, which another call triggers', () => {
  change(99, USER, EV_ADD | EV_CLEAR);
  expect(wait(0)).toEqual([]);
  change(99, USER, 0, { fflags: (NOTE_TRIGGER | NOTE_FFCOPY | 0x55) >>> 0, udata: 5 });
  expect(kqueue.kevent(null, events.bytes, 1e9)).toBe(1);
  expect([events.ident(0), events.filter(0), events.fflags(0) & 0xffffff, events.udata(0)]).toEqual([
    99,
    USER,
    0x55,
    5,
  ]);
  expect(wait(0)).toEqual([]);
});

testHere("F26 fflags whose bit 31 JavaScript's | made a sign", () => {
  const signed = NOTE_TRIGGER | NOTE_FFCOPY | 0x55;
  expect(signed).toBeLessThan(0);
  changes.fill({ ident: 99, filter: USER, fflags: signed });
  expect(changes.fflags(0)).toBe(signed >>> 0);
});

testHere('a change that fails: an event with its errno, or the error where there is no room', () => {
  const [reader, writer] = rig.pipe();
  send(writer);
  change(reader, READ, EV_ADD);
  const list = changes.fill(
    { ident: reader, filter: WRITE, flags: EV_DELETE },
    { ident: reader, filter: READ, flags: EV_ENABLE | EV_RECEIPT },
  );
  expect(kqueue.kevent(list, events.bytes, -1)).toBe(2);
  expect([events.flags(0), events.flags(1)].map((flags) => flags & EV_ERROR)).toEqual([EV_ERROR, EV_ERROR]);
  expect([events.data(0), events.data(1)]).toEqual([-minus('ENOENT'), 0]);
  const error = thrownBy(() => kqueue.kevent(changes.first(1), null, 0));
  expect(error).toEqual(systemError('ENOENT'));
});

testHere('a wait is in nanoseconds and never early', () => {
  for (const timeoutNs of [0, 1, 500_000, 3_000_001]) {
    const start = nowNs();
    expect(wait(timeoutNs)).toEqual([]);
    expect(nowNs() - start).toBeGreaterThanOrEqual(timeoutNs);
  }
});

testHere('a list has the layout of struct kevent, and no more than 1024', () => {
  expect([32, 40, 64]).toContain(changes.eventBytes);
  expect(changes.bytes.length).toBe(4 * changes.eventBytes);
  changes.set(3, {
    ident: 2 ** 40 + 1,
    filter: READ,
    flags: 0xffff,
    fflags: 0xffffffff,
    data: -5,
    udata: 2 ** 53 - 1,
  });
  expect([changes.ident(3), changes.filter(3), changes.flags(3), changes.fflags(3)]).toEqual([
    2 ** 40 + 1,
    READ,
    0xffff,
    0xffffffff,
  ]);
  expect([changes.data(3), changes.udata(3)]).toEqual([-5, 2 ** 53 - 1]);
  changes.set(3, { ident: 1, filter: WRITE });
  expect([changes.ident(3), changes.filter(3), changes.flags(3), changes.udata(3)]).toEqual([1, WRITE, 0, 0]);
  for (const wrong of [0, 1025, 1.5, -1]) expect(thrownBy(() => new KeventList(wrong))).toEqual(outOfRange);
  expect(thrownBy(() => changes.set(4, { ident: 1, filter: READ }))).toEqual(outOfRange);
  expect(thrownBy(() => changes.set(0, { ident: -1, filter: READ }))).toEqual(outOfRange);
  expect(thrownBy(() => changes.set(0, { ident: '1' as unknown as number, filter: READ }))).toEqual(
    invalidType,
  );
  expect(thrownBy(() => changes.first(5))).toEqual(outOfRange);
  expect(thrownBy(() => events.ident(8))).toEqual(outOfRange);
});

testHere('bytes that are no whole or aligned kevents, and wrong types', () => {
  const size = events.eventBytes;
  for (const wrong of [events.bytes.subarray(1), new Uint8Array(size * 2).subarray(1, size + 1)]) {
    expect(thrownBy(() => kqueue.kevent(wrong, null, 0))).toEqual(outOfRange);
    expect(thrownBy(() => kqueue.kevent(null, wrong, 0))).toEqual(outOfRange);
  }
  expect(thrownBy(() => kqueue.kevent(null, new Uint8Array(size * 1025), 0))).toEqual(outOfRange);
  const text = 'x' as unknown as Uint8Array;
  expect(thrownBy(() => kqueue.kevent(text, null, 0))).toEqual(invalidType);
  expect(thrownBy(() => kqueue.kevent(null, text, 0))).toEqual(invalidType);
  for (const wrong of [-2, 0.5, NaN])
    expect(thrownBy(() => kqueue.kevent(null, null, wrong))).toEqual(outOfRange);
});

testHere('after close: ERR_TRIPOLL_CLOSED; close twice; close-on-exec', () => {
  expect(sys.fcntl(kqueue.fd, constant('F_GETFD'))).toBe(constant('FD_CLOEXEC'));
  kqueue.close();
  kqueue[Symbol.dispose]();
  expect(thrownBy(() => kqueue.fd)).toEqual(closed);
  expect(thrownBy(() => kqueue.kevent(null, null, 0))).toEqual(closed);
});
