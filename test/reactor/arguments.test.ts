import { openSync, closeSync } from 'node:fs';
import path from 'node:path';
import {
  type BackendName,
  capabilities,
  type EventHandler,
  Interest,
  interval,
  Mode,
  Reactor,
  sleep,
  timeout,
} from 'tripoll';
import { sys } from 'tripoll/raw';
import { openPipe } from '../support/pairs.js';
import { closed, invalidType, outOfRange, thrownBy, unsupported } from '../support/errors.js';
import { testAnyFd } from '../support/applies.js';
import { temporaryFolder } from '../support/folders.js';

const { READABLE } = Interest;
const handler: EventHandler = { onReady: () => {} };
const MAX_INT32 = 2 ** 31 - 1;

/** What a user who does not write TypeScript may pass. */
function untyped(value: unknown): never {
  return value as never;
}

describe.each(capabilities.backends.map((backend) => [backend]))(
  'wrong arguments on %s',
  (backend: BackendName) => {
    let reactor: Reactor;
    let fds: number[];

    beforeEach(() => {
      reactor = new Reactor({ driver: 'manual', backend });
      fds = [];
      openPipe(fds);
    });

    afterEach(() => {
      reactor.close();
      for (const fd of fds) sys.close(fd);
    });

    const register = (
      fd: unknown,
      interest: unknown = READABLE,
      to: unknown = handler,
      options: unknown = {},
    ) => {
      return () => reactor.register(untyped(fd), untyped(interest), untyped(to), untyped(options));
    };

    test('a name of an option that does not exist (friction 5)', async () => {
      const wrong = { timeoutMS: 5 };
      expect(thrownBy(() => new Reactor(untyped({ driver: 'manual', ...wrong })))).toEqual(invalidType);
      expect(thrownBy(register(fds[0], READABLE, handler, { mode: 0, ...wrong }))).toEqual(invalidType);
      expect(thrownBy(() => reactor.setTimer(1, () => {}, untyped(wrong)))).toEqual(invalidType);
      expect(thrownBy(() => void reactor.run(untyped(wrong)))).toEqual(invalidType);
      for (const promise of [
        sleep(1, untyped({ reactor, ...wrong })),
        timeout(Promise.resolve(), 1, untyped({ reactor, ...wrong })),
        interval(1, untyped({ reactor, ...wrong })).next(),
      ]) {
        await expect(promise).rejects.toMatchObject(invalidType);
      }
      expect(reactor.inspect()).toMatchObject({ registrations: 0, refs: 0, timers: 0 });
    });

    test("setTimer with setTimeout's order of arguments says what comes first (friction 10)", () => {
      const swapped = (): unknown =>
        reactor.setTimer(
          untyped(() => {}),
          untyped(5),
        );
      expect(thrownBy(swapped)).toEqual(invalidType);
      expect(swapped).toThrow('delayMs, which comes before fn, must be a number, got a function');
    });

    test('a string for a number, and other wrong types', () => {
      const fd = fds[0];
      for (const wrong of ['3', null, undefined, {}, 3n, true]) {
        expect(thrownBy(register(wrong))).toEqual(invalidType);
        if (wrong === undefined) continue; // asks for the default
        expect(thrownBy(register(fd, wrong))).toEqual(invalidType);
        expect(thrownBy(register(fd, READABLE, handler, { mode: wrong }))).toEqual(invalidType);
        expect(thrownBy(register(fd, READABLE, handler, { priority: wrong }))).toEqual(invalidType);
      }
      for (const wrong of [null, 1, 'handler', {}, { onReady: 1 }, () => {}]) {
        expect(thrownBy(register(fd, READABLE, wrong))).toEqual(invalidType);
      }
      expect(thrownBy(register(fd, READABLE, handler, null))).toEqual(invalidType);
      expect(thrownBy(register(fd, READABLE, handler, { name: 1 }))).toEqual(invalidType);
      expect(reactor.inspect()).toMatchObject({ registrations: 0, refs: 0 });
    });

    test('numbers out of range', () => {
      const fd = fds[0];
      for (const wrong of [-1, 0.5, NaN, Infinity, 2 ** 31, 2 ** 53]) {
        expect(thrownBy(register(wrong))).toEqual(outOfRange);
        expect(thrownBy(register(fd, wrong))).toEqual(outOfRange);
        expect(thrownBy(register(fd, READABLE, handler, { mode: wrong }))).toEqual(outOfRange);
        expect(thrownBy(register(fd, READABLE, handler, { priority: wrong }))).toEqual(outOfRange);
      }
      expect(thrownBy(register(fd, 8))).toEqual(outOfRange);
      expect(thrownBy(register(fd, READABLE, handler, { priority: 8 }))).toEqual(outOfRange);
      expect(thrownBy(register(fd, READABLE, handler, { mode: 8 }))).toEqual(outOfRange);
    });

    test('a closed fd is EBADF', () => {
      const [read = -1] = fds.splice(0, 1);
      sys.close(read);
      for (const fd of [read, MAX_INT32]) {
        expect(thrownBy(register(fd))).toEqual({
          name: 'Error',
          code: 'EBADF',
          errno: -(sys.errno['EBADF'] ?? 0),
          syscall: 'register',
        });
      }
    });

    testAnyFd('T13 a regular file and a directory are EPERM', () => {
      const folder = temporaryFolder();
      const opened = [openSync(path.join(folder, 'file'), 'w'), openSync(folder, 'r')];
      try {
        for (const fd of opened)
          expect(thrownBy(register(fd))).toMatchObject({ name: 'Error', code: 'EPERM' });
      } finally {
        for (const fd of opened) closeSync(fd);
      }
      expect(reactor.inspect()).toMatchObject({ registrations: 0, refs: 0 });
    });

    test('T04 registered twice is EEXIST; after deregister it may come again', () => {
      const [fd = -1] = fds;
      const registration = reactor.register(fd, READABLE, handler);
      expect(thrownBy(register(fd))).toMatchObject({ name: 'Error', code: 'EEXIST' });
      registration.deregister();
      reactor.register(fd, READABLE, handler).deregister();
    });

    test('a mode that the backend lacks', () => {
      for (const mode of Object.values(Mode)) {
        if (reactor.supports(mode)) reactor.register(fds[0] ?? -1, READABLE, handler, { mode }).deregister();
        else expect(thrownBy(register(fds[0], READABLE, handler, { mode }))).toEqual(unsupported);
      }
      expect(thrownBy(() => reactor.supports(untyped('1')))).toEqual(invalidType);
      expect(reactor.supports(8)).toBe(false);
    });

    test('post, defer and waker take functions', () => {
      expect(thrownBy(() => reactor.post(untyped(1)))).toEqual(invalidType);
      expect(thrownBy(() => reactor.waker(untyped(1)))).toEqual(invalidType);
    });

    test('after close', () => {
      reactor.close();
      expect(thrownBy(register(fds[0]))).toEqual(closed);
      expect(thrownBy(() => reactor.turn())).toEqual(closed);
      expect(thrownBy(() => reactor.supports(Mode.LEVEL))).toEqual(closed);
    });
  },
);

describe('wrong options of a reactor', () => {
  test('of the wrong type', () => {
    for (const wrong of [null, 1, 'nested'])
      expect(thrownBy(() => new Reactor(untyped(wrong)))).toEqual(invalidType);
    expect(thrownBy(() => new Reactor({ driver: untyped(1) }))).toEqual(invalidType);
  });

  test('of no known name', () => {
    expect(thrownBy(() => new Reactor({ driver: untyped('mine') }))).toEqual(outOfRange);
    expect(thrownBy(() => new Reactor({ backend: untyped('select') }))).toEqual(outOfRange);
  });

  test('that this platform does not have', () => {
    const missing = (['epoll', 'kqueue', 'iocp', 'poll'] as const).find(
      (name) => !capabilities.backends.includes(name),
    );
    if (missing === undefined) throw new Error('no platform has all backends');
    expect(thrownBy(() => new Reactor({ backend: missing }))).toEqual(unsupported);
    expect(thrownBy(() => new Reactor({ driver: 'nested', backend: 'poll' }))).toEqual(unsupported);
  });

  test('turn() with a driver that has turns of its own', () => {
    const reactor = new Reactor({ driver: 'watcher' });
    try {
      expect(thrownBy(() => reactor.turn())).toEqual({ name: 'Error', code: 'ERR_TRIPOLL_STATE' });
    } finally {
      reactor.close();
    }
  });
});
