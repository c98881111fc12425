// What native/poller.h promises, asked of any backend: a function of (name, factory, features).
import { openSync, closeSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { Interest, Mode, type Poller, Readiness } from 'tripoll';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { openedSince, openFds } from '../support/fds';
import { closed, invalidType, outOfRange, thrownBy } from '../support/errors';
import { within } from '../support/deadline';
import { isOldWine } from '../support/platform';
import { packageRoot } from '../support/child';
import {
  constant,
  eventsOf,
  expectEvents,
  expectNoEvents,
  fill,
  minus,
  nowNs,
  reset,
  Rig,
  type SeenEvent,
  send,
  waitOnce,
} from './rig';
import { temporaryFolder } from '../support/folders';
import { drain } from '../support/pairs';

const { READABLE, WRITABLE, PRIORITY } = Interest;
const { READ_CLOSED, WRITE_CLOSED, ERROR } = Readiness;
const { LEVEL, EDGE, ONESHOT, EDGE_ONESHOT, EXCLUSIVE } = Mode;

const NS_PER_MS = 1e6;
const BATCH = 1024;

/**
 * What a backend has, and must then have; of what it lacks the tests are left out, and that is
 * told.
 */
export interface Features {
  /** Waits for pipes and ttys too, whose numbers can be duplicated; else for sockets alone. */
  anyFd: boolean;
  /** READ_CLOSED comes with the data before the end; else when they have been read. */
  endsEarly: boolean;
  /** Tells that both directions of a connection have ended, also to who wants neither. */
  hangsUp: boolean;
  edge: boolean;
  exclusive: boolean;
  /** The system remembers the file behind an fd number, and forgets it when it closes. */
  knowsFiles: boolean;
  /** Has an fd that another poller can watch. */
  nestable: boolean;
  /**
   * A hang-up or an error is told whatever was asked for, and what it says of the other direction
   * too.
   */
  unasked: boolean;
  /** Tells of out-of-band data. */
  priority: boolean;
  /** ERROR is told of a socket that has one; else it is found by the call that follows. */
  errors: boolean;
  /** A number that was given out again is told from the file that was registered. */
  strangers: boolean;
}

const WHY_NOT: Record<keyof Features, string> = {
  anyFd: 'pipes, files and duplicated numbers: the system polls sockets only',
  endsEarly: 'READ_CLOSED before all has been read: the system tells the end when it is reached',
  hangsUp: 'a hang-up of our own: the system tells only what the peer did',
  edge: 'EDGE, EDGE_ONESHOT: the system keeps no state between two waits',
  exclusive: 'EXCLUSIVE: the system has no such mode',
  knowsFiles: 'silence after a foreign close: the system is given fd numbers anew each time',
  nestable: 'nesting: there is no fd that stands for the whole poller, or none that may be watched',
  unasked: 'hints of a direction that was not asked for: the system tells each direction apart',
  priority: 'PRIORITY: the system does not tell of out-of-band data',
  errors: 'ERROR of a socket: the system says only that it is ready (T19)',
  strangers: 'a stranger under an old number: fstat tells no inode (T09)',
};

export function describePoller(name: string, factory: () => Poller, features: Features): void {
  describe(`Poller on ${name}`, () => {
    let before = new Map<number, string>();
    let rig = new Rig(factory);
    let poller: Poller;

    beforeEach(() => {
      before = openFds();
      rig = new Rig(factory);
      poller = rig.poller();
    });

    afterEach(() => {
      rig.end();
      expect(openedSince(before)).toEqual([]);
    });

    afterAll(() => {
      const lacks = (Object.keys(WHY_NOT) as (keyof Features)[]).filter((feature) => !features[feature]);
      const text = lacks.map((feature) => `\n  ${WHY_NOT[feature]}`).join('');
      if (lacks.length > 0) console.info(`${name}: does not apply:${text}`);
    });

    /** Set where READ_CLOSED comes before all has been read. */
    const early = features.endsEarly ? READ_CLOSED : 0;

    function testIf(applies: boolean): jest.It {
      return applies ? test : (((): void => {}) as unknown as jest.It);
    }

    const add = (fd: number, slot: number, interest: number, mode: number = LEVEL, generation = 1): void => {
      expect(poller.add(fd, slot, generation, interest, mode)).toBe(0);
    };

    const modify = (
      fd: number,
      slot: number,
      interest: number,
      mode: number = LEVEL,
      generation = 1,
    ): void => {
      expect(poller.modify(fd, slot, generation, interest, mode)).toBe(0);
    };

    describe('registering', () => {
      test('gives the token back, whatever its bits', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 0xfffffffc, READABLE, LEVEL, 0xffffffff);
        send(writer);
        expectEvents(poller, [{ slot: 0xfffffffc, generation: 0xffffffff, readiness: READABLE }]);
      });

      test('supports() is a query that agrees with what add accepts', () => {
        for (let mode = 0; mode <= 8; mode++) {
          const [reader] = rig.pipe();
          const expected = poller.supports(mode) ? 0 : minus('ENOTSUP');
          expect([mode, poller.add(reader, mode, 1, READABLE, mode)]).toEqual([mode, expected]);
          expect(poller.delete(reader, mode, 1)).toBe(expected === 0 ? 0 : 1);
        }
        expect(poller.supports(LEVEL)).toBe(true);
        expect(poller.supports(ONESHOT)).toBe(true);
        expect(poller.supports(EDGE)).toBe(features.edge);
        expect(poller.supports(EDGE_ONESHOT)).toBe(features.edge);
        expect(poller.supports(EXCLUSIVE)).toBe(features.exclusive);
        expect(poller.supports(EXCLUSIVE | EDGE)).toBe(features.exclusive);
      });

      test('T16 EXCLUSIVE with ONESHOT is refused, by every backend', () => {
        const [reader] = rig.pipe();
        expect(poller.supports(EXCLUSIVE | ONESHOT)).toBe(false);
        expect(poller.supports(EXCLUSIVE | EDGE_ONESHOT)).toBe(false);
        expect(poller.add(reader, 1, 1, READABLE, EXCLUSIVE | ONESHOT)).toBe(minus('ENOTSUP'));
        expect(poller.add(reader, 1, 1, READABLE, EXCLUSIVE | EDGE_ONESHOT)).toBe(minus('ENOTSUP'));
      });

      test('T04 a second registration of one fd is EEXIST, and leaves the first as it was', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 1, READABLE);
        expect(poller.add(reader, 1, 1, READABLE, LEVEL)).toBe(minus('EEXIST'));
        expect(poller.add(reader, 2, 1, READABLE, ONESHOT)).toBe(minus('EEXIST'));
        send(writer);
        for (let i = 0; i < 3; i++) expect(waitOnce(poller, 1000).map(({ slot }) => slot)).toEqual([1]);
      });

      test('a closed fd, and a number that never was one, is EBADF', () => {
        const [reader] = rig.pipe();
        rig.close(reader);
        expect(poller.add(reader, 1, 1, READABLE, LEVEL)).toBe(minus('EBADF'));
        expect(poller.add(0x7fffffff, 1, 1, READABLE, LEVEL)).toBe(minus('EBADF'));
        expect(poller.delete(0x7fffffff, 1, 1)).toBe(1);
      });

      testIf(features.anyFd)('T13 a regular file and a directory are EPERM', () => {
        const folder = temporaryFolder();
        const file = path.join(folder, 'file');
        writeFileSync(file, 'text');
        for (const name of [file, folder]) {
          const fd = openSync(name, 'r');
          expect(poller.add(fd, 1, 1, READABLE, LEVEL)).toBe(minus('EPERM'));
          expect(poller.modify(fd, 1, 1, READABLE, LEVEL)).toBe(minus('ENOENT'));
          closeSync(fd);
        }
        expectNoEvents(poller);
      });

      test('what a failed add left behind is nothing: the fd can be added afterwards', () => {
        const [reader, writer] = rig.pipe();
        expect(poller.add(reader, 1, 1, READABLE, 8)).toBe(minus('ENOTSUP'));
        add(reader, 2, READABLE);
        send(writer);
        expectEvents(poller, [{ slot: 2, readiness: READABLE }]);
      });

      test('modify of an fd, a slot or a generation that is not registered is ENOENT', () => {
        const [reader, writer] = rig.pipe();
        expect(poller.modify(reader, 1, 1, READABLE, LEVEL)).toBe(minus('ENOENT'));
        add(reader, 1, READABLE);
        expect(poller.modify(reader, 2, 1, 0, LEVEL)).toBe(minus('ENOENT'));
        expect(poller.modify(reader, 1, 2, 0, LEVEL)).toBe(minus('ENOENT'));
        send(writer);
        expectEvents(poller, [{ slot: 1, generation: 1, readiness: READABLE }]);
      });

      test('modify replaces the interest', () => {
        const [one, other] = rig.sockets();
        add(one, 1, READABLE);
        expectNoEvents(poller);
        modify(one, 1, WRITABLE);
        expectEvents(poller, [{ slot: 1, readiness: WRITABLE, without: READABLE }]);
        modify(one, 1, READABLE);
        expectNoEvents(poller);
        send(other);
        expectEvents(poller, [{ slot: 1, readiness: READABLE, without: WRITABLE }]);
        modify(one, 1, READABLE | WRITABLE);
        expectEvents(poller, [{ slot: 1, readiness: READABLE | WRITABLE }]);
      });

      test('modify to what is refused leaves the registration as it was', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 1, READABLE);
        expect(poller.modify(reader, 1, 1, READABLE, 8)).toBe(minus('ENOTSUP'));
        send(writer);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
      });

      test('delete ends it, and a second delete is a no-op', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 1, READABLE);
        send(writer);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
        expect(poller.delete(reader, 1, 1)).toBe(0);
        expectNoEvents(poller);
        expect(poller.delete(reader, 1, 1)).toBe(1);
        expect(poller.modify(reader, 1, 1, READABLE, LEVEL)).toBe(minus('ENOENT'));
        add(reader, 2, READABLE);
        expectEvents(poller, [{ slot: 2, readiness: READABLE }]);
      });

      test('a delete by a stale token does nothing', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 5, READABLE, LEVEL, 2);
        expect(poller.delete(reader, 5, 1)).toBe(1);
        expect(poller.delete(reader, 4, 2)).toBe(1);
        send(writer);
        expectEvents(poller, [{ slot: 5, generation: 2, readiness: READABLE }]);
      });

      test('many registrations come and go in any order', () => {
        const pairs = Array.from({ length: 20 }, () => rig.pipe());
        pairs.forEach(([reader], slot) => add(reader, slot, READABLE));
        pairs.forEach(([reader], slot) => {
          if (slot % 3 === 0) expect(poller.delete(reader, slot, 1)).toBe(0);
        });
        pairs.forEach(([, writer]) => send(writer));
        const slots = waitOnce(poller, 1000).map(({ slot }) => slot);
        expect(slots.sort((a, b) => a - b)).toEqual(
          Array.from({ length: 20 }, (_, i) => i).filter((i) => i % 3 !== 0),
        );
      });

      test('an fd may be in two pollers, and leave one of them', () => {
        const other = rig.poller();
        const [reader, writer] = rig.pipe();
        add(reader, 1, READABLE);
        expect(other.add(reader, 2, 9, READABLE, LEVEL)).toBe(0);
        send(writer);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
        expectEvents(other, [{ slot: 2, generation: 9, readiness: READABLE }]);
        expect(poller.delete(reader, 1, 1)).toBe(0);
        expectNoEvents(poller);
        expectEvents(other, [{ slot: 2, readiness: READABLE }]);
      });

      testIf(features.anyFd)("the poller never changes the fd's flags", () => {
        const out: number[] = [];
        expect(sys.pipe2(out)).toBe(0);
        const [reader = -1, writer = -1] = out;
        rig.own(reader);
        rig.own(writer);
        const flags = sys.fcntl(reader, constant('F_GETFL'));
        add(reader, 1, READABLE);
        modify(reader, 1, 0);
        expect(poller.delete(reader, 1, 1)).toBe(0);
        expect(sys.fcntl(reader, constant('F_GETFL'))).toBe(flags);
        expect(sys.fcntl(reader, constant('F_GETFD'))).toBe(0);
      });
    });

    describe('modes', () => {
      test('LEVEL reports as long as it is so', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 1, READABLE);
        expectNoEvents(poller);
        send(writer);
        for (let i = 0; i < 3; i++) expect(waitOnce(poller, 1000)).toHaveLength(1);
        drain(reader);
        expectNoEvents(poller);
      });

      testIf(features.edge)('EDGE reports each time that it becomes so', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 1, READABLE, EDGE);
        send(writer);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
        expectNoEvents(poller);
        send(writer);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
        expectNoEvents(poller);
        drain(reader);
        expectNoEvents(poller);
      });

      testIf(features.edge)('EDGE reports what was so already when it was added or modified', () => {
        const [reader, writer] = rig.pipe();
        send(writer);
        add(reader, 1, READABLE, EDGE);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
        expectNoEvents(poller);
        modify(reader, 1, READABLE, EDGE);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
      });

      test('ONESHOT reports once, and modify asks for the next', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 1, READABLE, ONESHOT);
        send(writer);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
        expectNoEvents(poller);
        send(writer);
        expectNoEvents(poller);
        modify(reader, 1, READABLE, ONESHOT);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
        expectNoEvents(poller);
        expect(poller.delete(reader, 1, 1)).toBe(0);
      });

      test('a fired ONESHOT stays silent when the peer hangs up', () => {
        const [one, other] = rig.sockets();
        add(one, 1, READABLE, ONESHOT);
        send(other);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
        rig.close(other);
        expectNoEvents(poller);
        modify(one, 1, READABLE, ONESHOT);
        expectEvents(poller, [{ slot: 1, readiness: READABLE | early }]);
        expectNoEvents(poller);
      });

      testIf(features.edge)('EDGE_ONESHOT reports once', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 1, READABLE, EDGE_ONESHOT);
        send(writer);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
        send(writer);
        expectNoEvents(poller);
        modify(reader, 1, READABLE, EDGE_ONESHOT);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
        expectNoEvents(poller);
      });

      testIf(features.exclusive)('EXCLUSIVE reports, as a level or an edge', () => {
        for (const mode of [EXCLUSIVE, EXCLUSIVE | EDGE]) {
          const [reader, writer] = rig.pipe();
          add(reader, mode, READABLE | WRITABLE, mode);
          send(writer);
          expectEvents(poller, [{ slot: mode, readiness: READABLE }]);
          expect(waitOnce(poller, 0)).toHaveLength(mode === EXCLUSIVE ? 1 : 0);
          expect(poller.delete(reader, mode, 1)).toBe(0);
        }
      });

      testIf(features.exclusive)('T16 EXCLUSIVE cannot be modified, nor wait for PRIORITY: EINVAL', () => {
        const [one, other] = rig.sockets();
        add(one, 1, READABLE, EXCLUSIVE);
        expect(poller.modify(one, 1, 1, WRITABLE, EXCLUSIVE)).toBe(minus('EINVAL'));
        expect(poller.modify(one, 1, 1, WRITABLE, LEVEL)).toBe(minus('EINVAL'));
        send(other);
        expectEvents(poller, [{ slot: 1, readiness: READABLE, without: WRITABLE }]);
        expect(poller.add(other, 2, 1, READABLE | PRIORITY, EXCLUSIVE)).toBe(minus('EINVAL'));
        add(other, 2, READABLE);
        expect(poller.modify(other, 2, 1, READABLE, EXCLUSIVE)).toBe(minus('EINVAL'));
      });
    });

    describe('T10 interest 0 pauses', () => {
      /** All records of some waits that together take a while. */
      const watch = (): SeenEvent[] => Array.from({ length: 4 }, () => waitOnce(poller, 2)).flat();

      test('a paused registration reports nothing, and a resumed one what is so by then', () => {
        const [one, other] = rig.sockets();
        add(one, 1, 0);
        send(other);
        expectNoEvents(poller);
        modify(one, 1, READABLE);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
        modify(one, 1, 0);
        expectNoEvents(poller);
        send(other);
        expectNoEvents(poller);
      });

      const modes = features.edge ? [LEVEL, EDGE, ONESHOT, EDGE_ONESHOT] : [LEVEL, ONESHOT];
      for (const mode of modes) {
        test(`a hang-up is reported at most once to a paused registration of mode ${mode}`, () => {
          const [one, other] = rig.sockets();
          add(one, 1, 0, mode);
          rig.close(other);
          expect(watch().length).toBeLessThanOrEqual(1);
          modify(one, 1, READABLE, mode);
          expectEvents(poller, [{ slot: 1, readiness: READABLE | READ_CLOSED }]);
          modify(one, 1, 0, mode);
          expect(watch().length).toBeLessThanOrEqual(1);
        });
      }

      // That a wait meanwhile does not spin: the fault tests of poll and kqueue count their system
      // calls.
      testIf(features.anyFd)('an error is reported at most once, and a wait goes on meanwhile', () => {
        const [reader, writer] = rig.pipe();
        add(writer, 1, 0);
        rig.close(reader);
        expect(watch().length).toBeLessThanOrEqual(1);
        expect(waitOnce(poller, 20)).toEqual([]);
      });
    });

    describe('T11 readiness', () => {
      testIf(features.anyFd)('a pipe with bytes, with room, and full', () => {
        const [reader, writer] = rig.pipe();
        add(writer, 1, WRITABLE);
        add(reader, 2, READABLE);
        const plain = { slot: 1, generation: 1, readiness: WRITABLE, errno: 0 };
        expect(waitOnce(poller, 1000)).toEqual([plain]);
        fill(writer);
        const full = { slot: 2, generation: 1, readiness: READABLE, errno: 0 };
        expect(waitOnce(poller, 1000)).toEqual([full]);
        drain(reader);
        expect(waitOnce(poller, 1000)).toEqual([plain]);
      });

      test('a pipe whose writer has gone: readable to the end, read_closed', () => {
        const [reader, writer] = rig.pipe();
        send(writer);
        rig.close(writer);
        add(reader, 1, READABLE);
        expectEvents(poller, [{ slot: 1, readiness: READABLE | early, without: ERROR }]);
        drain(reader);
        expectEvents(poller, [{ slot: 1, readiness: READABLE | READ_CLOSED, without: ERROR }]);
      });

      testIf(features.anyFd)(
        'a pipe whose reader has gone: an error that wakes both directions, write_closed',
        () => {
          const [reader, writer] = rig.pipe();
          add(writer, 1, WRITABLE);
          rig.close(reader);
          const wanted = WRITABLE | WRITE_CLOSED | (features.unasked ? READABLE | ERROR : 0);
          expectEvents(poller, [{ slot: 1, readiness: wanted, without: READ_CLOSED }]);
        },
      );

      testIf(features.anyFd)('the same when it is full: ERR alone is write_closed too', () => {
        const [reader, writer] = rig.pipe();
        fill(writer);
        add(writer, 1, WRITABLE);
        expectNoEvents(poller);
        rig.close(reader);
        const wanted = WRITABLE | WRITE_CLOSED | (features.unasked ? READABLE | ERROR : 0);
        expectEvents(poller, [{ slot: 1, readiness: wanted, without: READ_CLOSED }]);
      });

      test('a peer that shut down its writing: read_closed, and still writable', () => {
        for (const [one, other] of [rig.tcp(), rig.sockets()]) {
          add(one, one, READABLE | WRITABLE);
          expect(sys.shutdown(other, constant('SHUT_WR'))).toBe(0);
          const without = WRITE_CLOSED | ERROR;
          expectEvents(poller, [{ slot: one, readiness: READABLE | WRITABLE | READ_CLOSED, without }]);
          send(one);
        }
      });

      test('data and FIN together: readable and read_closed', () => {
        const [one, other] = rig.tcp();
        send(other);
        expect(sys.shutdown(other, constant('SHUT_WR'))).toBe(0);
        add(one, 1, READABLE);
        expectEvents(poller, [{ slot: 1, readiness: READABLE | early, without: ERROR }]);
        expect(drain(one)).toBe(1);
        expectEvents(poller, [{ slot: 1, readiness: READABLE | READ_CLOSED, without: ERROR }]);
      });

      test('RDHUP without a wish to read is no read_closed', () => {
        const [one, other] = rig.tcp();
        expect(sys.shutdown(other, constant('SHUT_WR'))).toBe(0);
        add(one, 1, WRITABLE);
        expectEvents(poller, [{ slot: 1, readiness: WRITABLE, without: READ_CLOSED | WRITE_CLOSED | ERROR }]);
      });

      test('our own shutdown of writing alone closes nothing', () => {
        const [one] = rig.tcp();
        add(one, 1, READABLE | WRITABLE);
        expect(sys.shutdown(one, constant('SHUT_WR'))).toBe(0);
        const without = READ_CLOSED | ERROR;
        expectEvents(poller, [{ slot: 1, readiness: WRITABLE, without }]);
      });

      testIf(features.hangsUp)('both directions shut down: a hang-up, closed both ways', () => {
        const [one, other] = rig.tcp();
        add(one, 1, READABLE);
        expect(sys.shutdown(one, constant('SHUT_WR'))).toBe(0);
        expect(sys.shutdown(other, constant('SHUT_WR'))).toBe(0);
        const whole = features.unasked && features.errors;
        const wanted = READABLE | READ_CLOSED | (whole ? WRITABLE | WRITE_CLOSED : 0);
        expectEvents(poller, [{ slot: 1, readiness: wanted, without: ERROR }]);
      });

      test('a reset: an error, closed both ways', () => {
        const [one, other] = rig.tcp();
        add(one, 1, READABLE);
        reset(rig, other);
        const all = READABLE | WRITABLE | READ_CLOSED | WRITE_CLOSED | ERROR;
        expectEvents(poller, [{ slot: 1, readiness: features.errors ? all : READABLE }]);
        if (!isOldWine) expect(sys.read(one, new Uint8Array(1))).toBe(minus('ECONNRESET'));
      });

      test('a refused connection: writable with an error', () => {
        const [listener, port] = rig.tcpListener();
        rig.close(listener);
        const client = rig.tcpSocket();
        add(client, 1, 0);
        expect(sys.connect(client, { host: '127.0.0.1', port })).toBe(minus('EINPROGRESS'));
        modify(client, 1, WRITABLE);
        const hints = features.errors ? WRITE_CLOSED | ERROR : 0;
        expectEvents(poller, [{ slot: 1, readiness: WRITABLE | hints }]);
        const error = new Int32Array(1);
        const bytes = new Uint8Array(error.buffer);
        expect(sys.getsockopt(client, constant('SOL_SOCKET'), constant('SO_ERROR'), bytes)).toBe(4);
        expect(-(error[0] ?? 0)).toBe(minus('ECONNREFUSED'));
      });

      test('a connection that is made: writable, and the listener readable', () => {
        const [listener, port] = rig.tcpListener();
        const client = rig.tcpSocket();
        expect(sys.connect(client, { host: '127.0.0.1', port })).toBe(minus('EINPROGRESS'));
        add(client, 1, READABLE | WRITABLE);
        add(listener, 2, READABLE);
        expectEvents(poller, [
          { slot: 1, readiness: WRITABLE, without: READABLE | ERROR },
          { slot: 2, readiness: READABLE, without: WRITABLE | ERROR },
        ]);
      });

      testIf(features.priority)('out-of-band data is PRIORITY, for who asked', () => {
        const [one, other] = rig.tcp();
        expect(sys.send(other, Buffer.from('!'), 0, 1, constant('MSG_OOB'))).toBe(1);
        add(one, 1, READABLE | PRIORITY);
        expectEvents(poller, [{ slot: 1, readiness: PRIORITY }]);
        modify(one, 1, READABLE);
        expect(waitOnce(poller, 1).filter(({ readiness }) => (readiness & PRIORITY) !== 0)).toEqual([]);
      });
    });

    describe('fd numbers that are used again', () => {
      testIf(features.anyFd && features.strangers)(
        'T01 T05 a newer owner of the number has its own events, which an older token cannot end',
        () => {
          const [first] = rig.pipe();
          const [second, writer] = rig.pipe();
          add(first, 1, READABLE);
          rig.close(first);
          rig.reuseNumber(first, second);
          add(first, 2, READABLE, LEVEL, 7);
          expect(poller.delete(first, 1, 1)).toBe(1);
          expect(poller.modify(first, 1, 1, 0, LEVEL)).toBe(minus('ENOENT'));
          send(writer);
          const seen = expectEvents(poller, [{ slot: 2, generation: 7, readiness: READABLE }]);
          expect(seen.filter(({ slot }) => slot === 1)).toEqual([]);
          expect(poller.delete(first, 2, 7)).toBe(0);
          expectNoEvents(poller);
        },
      );

      testIf(features.anyFd)(
        'T01 an event of a batch names the token that it was for, after its number has gone to another',
        () => {
          const [first, firstWriter] = rig.pipe();
          const [second, secondWriter] = rig.pipe();
          add(first, 1, READABLE, LEVEL, 3);
          send(firstWriter);
          const count = poller.wait(1000 * NS_PER_MS);
          expect(poller.delete(first, 1, 3)).toBe(0);
          rig.close(first);
          rig.reuseNumber(first, second);
          add(first, 1, READABLE, LEVEL, 4);
          expect(eventsOf(poller, count)).toMatchObject([{ slot: 1, generation: 3 }]);
          expectNoEvents(poller);
          send(secondWriter);
          expectEvents(poller, [{ slot: 1, generation: 4, readiness: READABLE }]);
        },
      );

      test('T02 closed behind the poller: modify is EBADF, never an add; delete cleans up', () => {
        const [reader] = rig.pipe();
        add(reader, 1, READABLE);
        rig.close(reader);
        expect(poller.modify(reader, 1, 1, WRITABLE, LEVEL)).toBe(minus('EBADF'));
        expect(poller.delete(reader, 1, 1)).toBe(1);
        expect(poller.modify(reader, 1, 1, WRITABLE, LEVEL)).toBe(minus('ENOENT'));
        expectNoEvents(poller);
      });

      testIf(features.anyFd && features.strangers)(
        "T02 when the number is a stranger's by now: modify is ENOENT, and the stranger stays out",
        () => {
          const [reader] = rig.pipe();
          const [stranger, writer] = rig.pipe();
          add(reader, 1, 0);
          rig.close(reader);
          rig.reuseNumber(reader, stranger);
          send(writer);
          expect(poller.modify(reader, 1, 1, READABLE, LEVEL)).toBe(minus('ENOENT'));
          expectNoEvents(poller);
          expect(poller.delete(reader, 1, 1)).toBe(1);
          expectNoEvents(poller);
        },
      );

      testIf(features.anyFd)(
        'T02 the same when the stranger is a file, which cannot be polled at all',
        () => {
          const [reader] = rig.pipe();
          add(reader, 1, 0);
          rig.close(reader);
          const file = openSync(__filename, 'r');
          if (file !== reader) rig.reuseNumber(reader, file);
          expect(poller.modify(reader, 1, 1, READABLE, LEVEL)).toBe(minus('ENOENT'));
          expect(poller.delete(reader, 1, 1)).toBe(1);
          expect(poller.add(reader, 2, 1, READABLE, LEVEL)).toBe(minus('EPERM'));
          expectNoEvents(poller);
          closeSync(file);
        },
      );

      test('T02 closed behind the poller does not spin: at most one record, an ERROR with EBADF', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 1, READABLE);
        send(writer);
        rig.close(reader);
        const seen = [...waitOnce(poller, 20), ...waitOnce(poller, 20)];
        // What a completion port had found before the close may come first.
        const told = seen.filter(({ readiness }) => (readiness & ERROR) !== 0);
        const one = { slot: 1, generation: 1, readiness: ERROR, errno: minus('EBADF') };
        expect(told).toEqual(features.knowsFiles ? [] : [one]);
        expect(seen.length - told.length).toBeLessThanOrEqual(features.anyFd ? 0 : 1);
        expectNoEvents(poller);
      });

      testIf(features.knowsFiles)('a foreign close ends it, though its number is used again at once', () => {
        const [reader] = rig.pipe();
        const [stranger, writer] = rig.pipe();
        add(reader, 1, READABLE);
        rig.close(reader);
        rig.reuseNumber(reader, stranger);
        send(writer);
        expectNoEvents(poller);
      });

      testIf(features.anyFd)(
        'T03 deleted, then closed: silent, though a duplicate of the file stays open',
        () => {
          const [reader, writer] = rig.pipe();
          const duplicate = rig.duplicate(reader);
          add(reader, 1, READABLE);
          send(writer);
          expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
          expect(poller.delete(reader, 1, 1)).toBe(0);
          rig.close(reader);
          expectNoEvents(poller);
          add(duplicate, 2, READABLE);
          expectEvents(poller, [{ slot: 2, readiness: READABLE }]);
        },
      );

      testIf(features.anyFd)('T03 two numbers of one file are two registrations', () => {
        const [reader, writer] = rig.pipe();
        const duplicate = rig.duplicate(reader);
        add(reader, 1, READABLE);
        add(duplicate, 2, READABLE);
        send(writer);
        expectEvents(poller, [
          { slot: 1, readiness: READABLE },
          { slot: 2, readiness: READABLE },
        ]);
        expect(poller.delete(duplicate, 2, 1)).toBe(0);
        expect(waitOnce(poller, 1000).map(({ slot }) => slot)).toEqual([1]);
      });

      testIf(features.anyFd)('T03 no fd of a poller reaches a child process', () => {
        const now = openFds();
        rig.poller();
        const own = [...openFds().keys()].filter((fd) => !now.has(fd));
        expect(own.length).toBeGreaterThan(0);
        for (const fd of own) expect(sys.fcntl(fd, constant('F_GETFD'))).toBe(constant('FD_CLOEXEC'));
      });
    });

    describe('waiting', () => {
      /** How long a wait without events took, in ns. */
      const measure = (timeoutNs: number): number => {
        const start = nowNs();
        expect(poller.wait(timeoutNs)).toBe(0);
        return nowNs() - start;
      };

      test('0 does not wait, also with nothing registered', () => {
        expect(poller.wait(0)).toBe(0);
      });

      test.each([1, 1000, 500_000, 999_999, 1_000_000, 1_000_001, 1_500_000, 20_000_001])(
        'T14 a wait of %d ns does not end early',
        (timeoutNs) => {
          expect(measure(timeoutNs)).toBeGreaterThanOrEqual(timeoutNs);
        },
      );

      test('T14 waits below a millisecond sleep', () => {
        const { user, system } = process.cpuUsage();
        const start = nowNs();
        for (let i = 0; i < 100; i++) poller.wait(900_000);
        const spent = process.cpuUsage({ user, system });
        expect((spent.user + spent.system) * 1000).toBeLessThan((nowNs() - start) * 0.6);
      });

      // In ms: around 2^31 and 2^32, where an int overflows; then the most that is accepted.
      test.each([(2 ** 31 - 1) * 1e6, 2 ** 31 * 1e6, 2 ** 32 * 1e6, 2 ** 32 * 1e6 + 1, 2 ** 53 - 1, -1])(
        'T14 a wait of %d ns is not cut short by an overflow',
        (timeoutNs) => {
          const start = nowNs();
          expect(poller.setDeadline(15 * NS_PER_MS)).toBe(0);
          expect(poller.wait(timeoutNs)).toBe(0);
          expect(nowNs() - start).toBeGreaterThanOrEqual(15 * NS_PER_MS);
        },
      );

      test('an event ends a wait that has no end', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 1, READABLE);
        send(writer);
        expect(poller.wait(-1)).toBe(1);
      });

      test('a wake before a wait ends it, and many wakes are one', () => {
        for (let round = 0; round < 50; round++) {
          for (let i = 0; i < 20; i++) expect(poller.wake()).toBe(0);
          expect(poller.wait(-1)).toBe(0);
        }
        expect(measure(10 * NS_PER_MS)).toBeGreaterThanOrEqual(10 * NS_PER_MS);
      });

      test('a wake is no event, and hides none', () => {
        const [reader, writer] = rig.pipe();
        add(reader, 1, READABLE);
        send(writer);
        expect(poller.wake()).toBe(0);
        expectEvents(poller, [{ slot: 1, readiness: READABLE }]);
      });

      test('more wakes than a pipe holds: none blocks, none fails', () => {
        for (let i = 0; i < 70_000; i++) {
          if (poller.wake() !== 0) throw new Error('a wake failed');
        }
        expect(poller.wait(-1)).toBe(0);
      });

      test('another thread ends a wait that has begun', async () => {
        const file = path.join(packageRoot, 'out/test/poller/wake-worker.js');
        const turn = new Int32Array(new SharedArrayBuffer(8));
        const worker = new Worker(file, { workerData: { wakeId: poller.wakeId, turn, pid: process.pid } });
        await within(once(worker, 'message'), 'the worker');
        for (let round = 1; round <= 20; round++) {
          Atomics.store(turn, 0, round);
          Atomics.notify(turn, 0);
          expect(measure(10_000 * NS_PER_MS)).toBeLessThan(9000 * NS_PER_MS);
        }
        Atomics.store(turn, 0, -1);
        Atomics.notify(turn, 0);
        const [result] = (await within(once(worker, 'message'), 'its result')) as [unknown];
        expect(result).toEqual({ wakes: 20, failed: 0 });
        await within(worker.terminate(), 'its end');
      });

      test('T56 a wake id is dead once its poller has closed', () => {
        const other = rig.poller();
        const id = other.wakeId;
        expect(native.wakeById(id)).toBe(0);
        other.close();
        expect(native.wakeById(id)).toBe(minus('ENOENT'));
        expect(rig.poller().wakeId).not.toBe(id);
        expect(native.wakeById(id)).toBe(minus('ENOENT'));
      });
    });

    describe('deadlines', () => {
      const measureEndless = (): number => {
        const start = nowNs();
        expect(poller.wait(-1)).toBe(0);
        return nowNs() - start;
      };

      test('one ends the wait, not early, and only that wait', () => {
        for (const deadlineNs of [1, 300_000, 3 * NS_PER_MS, 10 * NS_PER_MS + 1]) {
          const start = nowNs();
          expect(poller.setDeadline(deadlineNs)).toBe(0);
          expect(poller.wait(-1)).toBe(0);
          expect(nowNs() - start).toBeGreaterThanOrEqual(deadlineNs);
        }
        const start = nowNs();
        expect(poller.wait(8 * NS_PER_MS)).toBe(0);
        expect(nowNs() - start).toBeGreaterThanOrEqual(8 * NS_PER_MS);
      });

      test('one that has passed, or is 0, ends the next wait at once', () => {
        expect(poller.setDeadline(0)).toBe(0);
        measureEndless();
        expect(poller.setDeadline(1000)).toBe(0);
        const start = nowNs();
        while (nowNs() - start < 100_000);
        measureEndless();
      });

      test('-1 takes it back, before it has come and after', () => {
        for (const passedNs of [0, 200_000]) {
          expect(poller.setDeadline(100_000)).toBe(0);
          const start = nowNs();
          while (nowNs() - start < passedNs);
          expect(poller.setDeadline(-1)).toBe(0);
          const waited = nowNs();
          expect(poller.wait(5 * NS_PER_MS)).toBe(0);
          expect(nowNs() - waited).toBeGreaterThanOrEqual(5 * NS_PER_MS);
        }
      });

      test('a newer one replaces the older, earlier or later', () => {
        expect(poller.setDeadline(2 ** 53 - 1)).toBe(0);
        expect(poller.setDeadline(NS_PER_MS)).toBe(0);
        measureEndless();
        expect(poller.setDeadline(NS_PER_MS)).toBe(0);
        const start = nowNs();
        expect(poller.setDeadline(8 * NS_PER_MS)).toBe(0);
        measureEndless();
        expect(nowNs() - start).toBeGreaterThanOrEqual(8 * NS_PER_MS);
      });
    });

    describe(`more ready fds than the ${BATCH} of a batch`, () => {
      const MANY = BATCH + 476;

      function registerMany(mode: number): void {
        if (!features.anyFd) {
          for (let slot = 0; slot < MANY; slot++) add(rig.udpSocket(), slot, WRITABLE, mode);
          return;
        }
        const [reader, writer] = rig.pipe();
        send(writer);
        for (let slot = 0; slot < MANY; slot++) add(rig.duplicate(reader), slot, READABLE, mode);
      }

      test('LEVEL: each is reported within a few waits, none starves', () => {
        registerMany(LEVEL);
        const seen = new Set<number>();
        for (let i = 0; i < 4; i++) {
          const events = waitOnce(poller, 1000);
          expect(events).toHaveLength(BATCH);
          for (const { slot } of events) seen.add(slot);
        }
        expect(seen.size).toBe(MANY);
      });

      test.each(features.edge ? [ONESHOT, EDGE, EDGE_ONESHOT] : [ONESHOT])(
        'mode %d: each is reported exactly once',
        (mode) => {
          registerMany(mode);
          const slots = [...waitOnce(poller, 1000), ...waitOnce(poller, 1000)].map(({ slot }) => slot);
          expect(slots).toHaveLength(MANY);
          expect(new Set(slots).size).toBe(MANY);
          expectNoEvents(poller);
        },
      );
    });

    describe('bad input', () => {
      const calls: [string, (fd: number, slot: number, generation: number) => unknown][] = [
        ['add', (fd, slot, generation) => poller.add(fd, slot, generation, READABLE, LEVEL)],
        ['modify', (fd, slot, generation) => poller.modify(fd, slot, generation, READABLE, LEVEL)],
        ['delete', (fd, slot, generation) => poller.delete(fd, slot, generation)],
      ];

      test.each(calls)('%s: a wrong type is a TypeError, a wrong number a RangeError', (_name, call) => {
        for (const wrong of ['0', undefined, null, {}, 0n, Symbol('0')] as unknown[] as number[]) {
          expect(thrownBy(() => call(wrong, 0, 0))).toEqual(invalidType);
          expect(thrownBy(() => call(0, wrong, 0))).toEqual(invalidType);
          expect(thrownBy(() => call(0, 0, wrong))).toEqual(invalidType);
        }
        for (const wrong of [-1, 1.5, NaN, 2 ** 32, 2 ** 53, Infinity]) {
          expect(thrownBy(() => call(wrong, 0, 0))).toEqual(outOfRange);
          expect(thrownBy(() => call(0, wrong, 0))).toEqual(outOfRange);
          expect(thrownBy(() => call(0, 0, wrong))).toEqual(outOfRange);
        }
        // The poller's own slots.
        for (const own of [0xffffffff, 0xfffffffe, 0xfffffffd]) {
          expect(thrownBy(() => call(0, own, 0))).toEqual(outOfRange);
        }
      });

      test('interest, mode, timeoutNs', () => {
        const [reader] = rig.pipe();
        for (const wrong of [-1, 8, 0.5, 2 ** 53]) {
          expect(thrownBy(() => poller.add(reader, 1, 1, wrong, LEVEL))).toEqual(outOfRange);
        }
        expect(thrownBy(() => poller.add(reader, 1, 1, READABLE, -1))).toEqual(outOfRange);
        expect(thrownBy(() => poller.supports('1' as unknown as number))).toEqual(invalidType);
        for (const wrong of [-2, 2 ** 53, 0.5, NaN]) {
          expect(thrownBy(() => poller.wait(wrong))).toEqual(outOfRange);
          expect(thrownBy(() => poller.setDeadline(wrong))).toEqual(outOfRange);
        }
        expect(thrownBy(() => poller.wait('1' as unknown as number))).toEqual(invalidType);
        expect(poller.modify(reader, 1, 1, READABLE, LEVEL)).toBe(minus('ENOENT'));
      });

      test('after close: ERR_TRIPOLL_CLOSED, in native code EBADF; close twice', () => {
        const [reader] = rig.pipe();
        const { index } = poller;
        poller.close();
        poller.close();
        const uses: (() => unknown)[] = [
          () => poller.add(reader, 1, 1, READABLE, LEVEL),
          () => poller.modify(reader, 1, 1, READABLE, LEVEL),
          () => poller.delete(reader, 1, 1),
          () => poller.wait(0),
          () => poller.wake(),
          () => poller.setDeadline(1),
          () => poller.supports(LEVEL),
          () => poller.wakeId,
          () => poller.index,
        ];
        for (const use of uses) expect(thrownBy(use)).toEqual(closed);
        const EBADF = minus('EBADF');
        expect(native.pollerAdd(index, reader, 1, 1, READABLE, LEVEL)).toBe(EBADF);
        expect(native.pollerModify(index, reader, 1, 1, READABLE, LEVEL)).toBe(EBADF);
        expect(native.pollerDelete(index, reader, 1, 1)).toBe(EBADF);
        expect(native.pollerWait(index, -1)).toBe(EBADF);
        expect(native.pollerWake(index)).toBe(EBADF);
        expect(native.pollerSetDeadline(index, 1)).toBe(EBADF);
        expect(native.pollerSupports(index, 0)).toBe(EBADF);
        expect(native.pollerClose(index)).toBe(EBADF);
        expect(native.pollerEvents(index)).toBe(EBADF);
        expect(native.driverStart(index, 'watcher', () => {})).toBe(EBADF);
        // Its memory stays readable for who kept it, and its index is not given to the next.
        expect(poller.events.slot(0)).toBe(0);
        expect(rig.poller().index).not.toBe(index);
      });

      test('close leaves no fd of its own open, and closes none of the user', () => {
        const [reader] = rig.pipe();
        const now = openFds();
        for (let i = 0; i < 50; i++) {
          const other = rig.poller();
          expect(other.add(reader, 1, 1, READABLE, LEVEL)).toBe(0);
          other.close();
        }
        expect(openedSince(now)).toEqual([]);
        expect(sys.fcntl(reader, constant('F_GETFD'))).toBeGreaterThanOrEqual(0);
      });
    });

    testIf(features.nestable)('one poller can watch another as an fd', () => {
      const now = openFds();
      const inner = rig.poller();
      const target = [...openFds()].find(([fd, to]) => !now.has(fd) && to.includes('eventpoll'));
      const innerFd = target?.[0] ?? -1;
      const [reader, writer] = rig.pipe();
      expect(inner.add(reader, 1, 1, READABLE, LEVEL)).toBe(0);
      add(innerFd, 9, READABLE);
      expectNoEvents(poller);
      send(writer);
      expectEvents(poller, [{ slot: 9, readiness: READABLE }]);
      expectEvents(inner, [{ slot: 1, readiness: READABLE }]);
    });
  });
}
