// What the kqueue backend does beyond the conformance suite: traps T20, T21 and T23. Natively:
// test/native/kqueue_*.
import { capabilities, Interest, Mode, Poller, Reactor, Readiness } from 'tripoll';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { testIf } from '../support/applies';
import { hasBackend } from '../support/backends';
import { thrownBy } from '../support/errors';
import { constant, expectEvents, expectNoEvents, minus, reset, Rig, send, waitOnce } from './rig';
import { drain } from '../support/pairs';

const { READABLE, WRITABLE } = Interest;
const { READ_CLOSED, WRITE_CLOSED, ERROR } = Readiness;
const { LEVEL, EDGE, ONESHOT, EDGE_ONESHOT } = Mode;

const test = testIf(hasBackend('kqueue'), 'this system has no kqueue');
let rig: Rig;

beforeEach(() => {
  rig = new Rig(() => new Poller({ backend: 'kqueue' }));
});

afterEach(() => {
  rig.end();
});

test('both filters of one fd are one record', () => {
  const poller = rig.poller();
  const [one, other] = rig.sockets();
  send(other);
  for (const mode of [LEVEL, EDGE, ONESHOT, EDGE_ONESHOT]) {
    expect(poller.add(one, 1, 1, READABLE | WRITABLE, mode)).toBe(0);
    expect(waitOnce(poller, 1000)).toEqual([
      { slot: 1, generation: 1, readiness: READABLE | WRITABLE, errno: 0 },
    ]);
    expect(poller.delete(one, 1, 1)).toBe(0);
  }
});

test('a oneshot fires once, whichever of its two filters is first', () => {
  const poller = rig.poller();
  const [one, other] = rig.sockets();
  for (const mode of [ONESHOT, EDGE_ONESHOT]) {
    expect(poller.add(one, 1, 1, READABLE | WRITABLE, mode)).toBe(0);
    expectEvents(poller, [{ slot: 1, readiness: WRITABLE, without: READABLE }]);
    send(other);
    expectNoEvents(poller);
    expect(poller.modify(one, 1, 1, READABLE | WRITABLE, mode)).toBe(0);
    expectEvents(poller, [{ slot: 1, readiness: READABLE | WRITABLE }]);
    expectNoEvents(poller);
    drain(one);
    expect(poller.delete(one, 1, 1)).toBe(0);
  }
});

test('modify changes the mode too', () => {
  const poller = rig.poller();
  const [reader, writer] = rig.pipe();
  expect(poller.add(reader, 1, 1, READABLE, LEVEL)).toBe(0);
  send(writer);
  for (const [mode, times] of [
    [EDGE, 1],
    [LEVEL, 3],
    [ONESHOT, 1],
    [LEVEL, 3],
    [EDGE_ONESHOT, 1],
  ] as const) {
    expect(poller.modify(reader, 1, 1, READABLE, mode)).toBe(0);
    const seen = Array.from({ length: 3 }, () => waitOnce(poller, 0)).flat();
    expect([mode, seen.length]).toEqual([mode, times]);
  }
});

test('a change of mode does not take in a stranger (T02)', () => {
  const poller = rig.poller();
  const [reader] = rig.pipe();
  const [stranger, writer] = rig.pipe();
  expect(poller.add(reader, 1, 1, READABLE, LEVEL)).toBe(0);
  rig.close(reader);
  rig.reuseNumber(reader, stranger);
  send(writer);
  expect(poller.modify(reader, 1, 1, READABLE, EDGE)).toBe(minus('ENOENT'));
  expectNoEvents(poller);
});

test('T20 a pipe without a reader is taken, and told of: as long as it is so, or once', () => {
  const poller = rig.poller();
  const wanted = { slot: 1, generation: 1, errno: minus('EPIPE') };
  for (const [mode, times] of [
    [LEVEL, 3],
    [EDGE, 1],
    [ONESHOT, 1],
  ] as const) {
    const [reader, writer] = rig.pipe();
    rig.close(reader);
    expect(poller.add(writer, 1, 1, WRITABLE, mode)).toBe(0);
    for (const round of ['added', 'modified']) {
      const seen = Array.from({ length: 3 }, () => waitOnce(poller, 2)).flat();
      expect([mode, round, seen.length]).toEqual([mode, round, times]);
      expect(seen[0]).toMatchObject(wanted);
      expect(seen[0]!.readiness).toBe(READABLE | WRITABLE | WRITE_CLOSED | ERROR);
      expect(poller.modify(writer, 1, 1, WRITABLE, mode)).toBe(0);
    }
    expect(poller.modify(writer, 1, 1, 0, mode)).toBe(0);
    expectNoEvents(poller);
    expect(poller.modify(writer, 1, 1, WRITABLE, mode)).toBe(0);
    expect(poller.delete(writer, 1, 1)).toBe(0);
    expectNoEvents(poller);
  }
});

test('T20 many pipes without a reader do not keep other events out of a batch', () => {
  const poller = rig.poller();
  const [reader, writer] = rig.pipe();
  rig.close(reader);
  const [other, sender] = rig.pipe();
  for (let slot = 0; slot < 1500; slot++) {
    expect(poller.add(rig.duplicate(writer), slot, 1, WRITABLE, LEVEL)).toBe(0);
  }
  expect(poller.add(other, 5000, 1, READABLE, EDGE)).toBe(0);
  send(sender);
  const slots = new Set<number>();
  for (let i = 0; i < 4; i++) for (const { slot } of waitOnce(poller, 0)) slots.add(slot);
  expect(slots.size).toBe(1501);
});

test('T21 a refused connection: WRITABLE, with its errno in the record', () => {
  const poller = rig.poller();
  const [listener, port] = rig.tcpListener();
  rig.close(listener);
  const client = rig.tcpSocket();
  expect(sys.connect(client, { host: '127.0.0.1', port })).toBe(minus('EINPROGRESS'));
  expect(poller.add(client, 1, 1, WRITABLE, EDGE)).toBe(0);
  const seen = expectEvents(poller, [{ slot: 1, readiness: WRITABLE | WRITE_CLOSED | ERROR }]);
  expect(seen.at(-1)?.errno).toBe(minus('ECONNREFUSED'));
});

test('T21 a reset carries ECONNRESET', () => {
  const poller = rig.poller();
  const [one, other] = rig.tcp();
  expect(poller.add(one, 1, 1, READABLE, LEVEL)).toBe(0);
  reset(rig, other);
  const seen = expectEvents(poller, [{ slot: 1, readiness: READABLE | READ_CLOSED | WRITE_CLOSED | ERROR }]);
  expect(seen.at(-1)?.errno).toBe(minus('ECONNRESET'));
});

test('T21 EOF with unread data is READABLE and READ_CLOSED, and loses none of it', () => {
  const poller = rig.poller();
  const [one, other] = rig.tcp();
  send(other, 'the last words');
  rig.close(other);
  expect(poller.add(one, 1, 1, READABLE, EDGE)).toBe(0);
  expectEvents(poller, [{ slot: 1, readiness: READABLE | READ_CLOSED, without: ERROR }]);
  expect(drain(one)).toBe(14);
});

test('T21 our own shutdown ends writing and not reading', () => {
  const poller = rig.poller();
  const [one, other] = rig.tcp();
  expect(poller.add(one, 1, 1, READABLE | WRITABLE, LEVEL)).toBe(0);
  expect(sys.shutdown(one, constant('SHUT_WR'))).toBe(0);
  const without = READ_CLOSED | ERROR;
  expectEvents(poller, [{ slot: 1, readiness: WRITABLE | WRITE_CLOSED, without }]);
  send(other);
  expectEvents(poller, [{ slot: 1, readiness: READABLE | WRITABLE | WRITE_CLOSED, without }]);
});

test('T23 a kqueue is never nested: no such driver, by default the watcher', () => {
  expect(capabilities.drivers).not.toContain('nested');
  expect(thrownBy(() => new Reactor({ driver: 'nested' }))).toMatchObject({
    code: 'ERR_TRIPOLL_UNSUPPORTED',
  });
  const reactor = new Reactor();
  expect(reactor.inspect()).toMatchObject({ backend: 'kqueue', driver: 'watcher' });
  reactor.close();
});

test('T23 nor by native code', () => {
  const { index } = rig.poller();
  for (const kind of ['nested', 'inverted']) {
    expect([kind, native.driverStart(index, kind, () => {})]).toEqual([kind, minus('ENOTSUP')]);
  }
});
