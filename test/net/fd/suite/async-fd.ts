import { closeSync, openSync } from 'node:fs';
import { Interest } from 'tripoll';
import { AsyncFd } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { testIf } from '../../../support/applies.js';
import { within } from '../../../support/deadline.js';
import { thrownBy } from '../../../support/errors.js';
import { rejection, turnOf, type Context } from '../../tools.js';

const { F_GETFL, F_SETFL, O_NONBLOCK, O_CLOEXEC } = sys.constants;
const { EAGAIN, EIO } = sys.errno;

function newPipe(flags = 0): [number, number] {
  const fds: number[] = [];
  expect(sys.pipe2(fds, flags | O_CLOEXEC)).toBe(0);
  return fds as [number, number];
}

const isNonBlocking = (fd: number): boolean => (sys.fcntl(fd, F_GETFL) & O_NONBLOCK) !== 0;

export function describeAsyncFd(context: Context): void {
  describe('AsyncFd', () => {
    let readEnd = -1;
    let writeEnd = -1;
    beforeEach(() => {
      [readEnd, writeEnd] = newPipe();
    });
    afterEach(() => {
      for (const fd of [readEnd, writeEnd]) if (fd >= 0) sys.close(fd);
    });
    const reader = (options = {}): AsyncFd =>
      context.own(
        new AsyncFd(readEnd, { reactor: context.reactor, interest: Interest.READABLE, ...options }),
      );
    const feed = (text: string): number => sys.write(writeEnd, Buffer.from(text));
    const readInto = (buffer: Uint8Array) => (fd: number) => sys.read(fd, buffer);

    test('readable, then tryIo until it says EAGAIN; then it waits again', async () => {
      const io = reader();
      const buffer = new Uint8Array(2);
      // Not known to be ready: the call is not even made.
      expect(io.tryIo(Interest.READABLE, () => EIO)).toBe(-EAGAIN);
      const ready = io.readable();
      feed('abc');
      await within(ready, 'readable');
      const read = (): number => io.tryIo(Interest.READABLE, readInto(buffer));
      expect([read(), read(), read()]).toEqual([2, 1, -EAGAIN]);
      let calls = 0;
      expect(io.tryIo(Interest.READABLE, () => ++calls)).toBe(-EAGAIN);
      expect(calls).toBe(0);
      const again = io.readable();
      feed('d');
      await within(again, 'readable again');
      expect(read()).toBe(1);
    });

    test('while it is ready, readable does not wait; clearReady makes it', async () => {
      const io = reader();
      feed('x');
      await within(io.readable(), 'readable');
      await within(io.readable(), 'readable still');
      sys.read(readEnd, new Uint8Array(9));
      io.clearReady(Interest.READABLE);
      expect(await rejection(io.readable({ timeoutMs: 1 }))).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
    });

    test('T47 a loop that never has to wait lets others run', async () => {
      const io = reader();
      feed('x');
      let turns = 0;
      const timer = context.reactor.setTimer(1, () => turns++, { repeatMs: 1 });
      for (let i = 0; i < 20_000; i++) await within(io.readable(), 'readable');
      timer.cancel();
      expect(turns).toBeGreaterThan(0);
    });

    test('more than 4096 that wait are ERR_TRIPOLL_BUSY, until one has left', async () => {
      const io = reader();
      const leaving = new AbortController();
      const left = rejection(io.readable({ signal: leaving.signal }));
      const waiting = Array.from({ length: 4095 }, () => io.readable());
      const tooMany = { code: 'ERR_TRIPOLL_BUSY' };
      expect(await rejection(io.readable())).toMatchObject(tooMany);
      expect(await rejection(io.read(new Uint8Array(1)))).toMatchObject(tooMany);
      leaving.abort();
      expect(await within(left, 'who leaves')).toMatchObject({ code: 'ABORT_ERR' });
      waiting.push(io.readable());
      expect(await rejection(io.readable())).toMatchObject(tooMany);
      feed('x');
      await within(Promise.all(waiting), 'all that wait');
    });

    test('io: waits, calls, and passes on what the call says', async () => {
      const io = reader();
      const buffer = new Uint8Array(10);
      const first = io.io(Interest.READABLE, readInto(buffer), 'read');
      const second = io.read(buffer.subarray(5));
      feed('12345678');
      expect(await within(first, 'first')).toBe(8);
      feed('abc');
      expect(await within(second, 'second')).toBe(3);
      feed('x');
      await within(io.readable(), 'readable');
      const failing = io.io(Interest.READABLE, () => -EIO, 'probe');
      expect(await rejection(failing)).toMatchObject({ code: 'EIO' });
      const throwing = io.io(
        Interest.READABLE,
        () => {
          throw new RangeError('mine');
        },
        'probe',
      );
      expect(await rejection(throwing)).toMatchObject({ name: 'RangeError' });
    });

    test('a write waits for room', async () => {
      sys.fcntl(writeEnd, F_SETFL, O_NONBLOCK);
      const io = context.own(
        new AsyncFd(writeEnd, { reactor: context.reactor, interest: Interest.WRITABLE }),
      );
      const page = new Uint8Array(4096);
      let written = 0;
      for (let n = feed(' '); n > 0; n = sys.write(writeEnd, page)) written += n;
      const waiting = io.write(page);
      expect(await rejection(io.writable({ timeoutMs: 1 }))).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
      sys.read(readEnd, new Uint8Array(written));
      expect(await within(waiting, 'write')).toBe(4096);
    });

    test('the end and an error wake', async () => {
      const io = reader();
      const ready = io.readable();
      sys.close(writeEnd);
      writeEnd = -1;
      await within(ready, 'readable at the end');
      expect(await io.read(new Uint8Array(1))).toBe(0);
    });

    test('O_NONBLOCK is set, and put back; not with nonBlocking: false, nor when it was set before', async () => {
      const io = reader();
      expect(isNonBlocking(readEnd)).toBe(true);
      io.close();
      expect(isNonBlocking(readEnd)).toBe(false);
      const asIs = reader({ nonBlocking: false });
      expect(isNonBlocking(readEnd)).toBe(false);
      asIs.close();
      sys.fcntl(readEnd, F_SETFL, O_NONBLOCK);
      reader().close();
      expect(isNonBlocking(readEnd)).toBe(true);
      await turnOf(context.reactor);
    });

    test('the fd stays the user’s, unless it is given away', () => {
      reader().close();
      expect(sys.fcntl(readEnd, F_GETFL)).toBeGreaterThanOrEqual(0);
      reader({ own: true }).close();
      expect(sys.fcntl(readEnd, F_GETFL)).toBe(-sys.errno['EBADF']);
    });

    test('what waits is cancelled by signal, time, close', async () => {
      const io = reader();
      const controller = new AbortController();
      const aborted = io.readable({ signal: controller.signal });
      const late = io.read(new Uint8Array(1), { timeoutMs: 1 });
      controller.abort();
      expect(await rejection(aborted)).toMatchObject({ code: 'ABORT_ERR' });
      expect(await rejection(late)).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
      const closed = io.readable();
      io.close();
      io.close();
      expect(await rejection(closed)).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      expect(await rejection(io.readable())).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      expect(thrownBy(() => io.tryIo(1, () => 0)).code).toBe('ERR_TRIPOLL_CLOSED');
    });

    test('errors of the constructor leave the fd as it was', () => {
      const { reactor } = context;
      const make = (fd: number, options = {}) => thrownBy(() => new AsyncFd(fd, { reactor, ...options }));
      reader();
      expect(make(readEnd).code).toBe('EEXIST');
      const file = openSync(__filename, 'r');
      expect(make(file).code).toBe('EPERM');
      expect(isNonBlocking(file)).toBe(false);
      closeSync(file);
      expect(make(file).code).toBe('EBADF');
      expect(make(-1).name).toBe('RangeError');
      expect(make(writeEnd, { interest: 0 }).name).toBe('RangeError');
      expect(isNonBlocking(writeEnd)).toBe(false);
    });

    test('an interest that was not registered is refused', async () => {
      const io = reader();
      expect(await rejection(io.writable())).toMatchObject({ name: 'RangeError' });
      expect(thrownBy(() => io.tryIo(Interest.WRITABLE, () => 0)).name).toBe('RangeError');
    });

    testIf(
      context.features.strangers !== false,
      'a stranger under an old number: fstat tells no inode (T09)',
    )('T02 closed behind it: told, and the number is left alone', async () => {
      const io = reader({ own: true });
      const waiting = io.readable();
      sys.close(readEnd);
      const [first, second] = newPipe();
      expect([first, second]).toContain(readEnd);
      io.close();
      expect(await rejection(waiting)).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      // Only epoll knows the open file behind a number; poll(2) knows its inode, and a pipe's
      // differs.
      expect(sys.fcntl(readEnd, F_GETFL)).toBeGreaterThanOrEqual(0);
      sys.close(first);
      sys.close(second);
      readEnd = -1;
    });
  });
}
