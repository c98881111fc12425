// O_NONBLOCK belongs to the open file, and not to the number (T80).
import { Interest, Reactor } from 'tripoll';
import { AsyncFd } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { within } from '../../support/deadline.js';
import { openPipe, openSocketPair } from '../../support/pairs.js';
import { describeOn } from '../tools.js';

const { F_GETFL, O_NONBLOCK, F_DUPFD_CLOEXEC } = sys.constants;

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll'], 'O_NONBLOCK of an open file', (context) => {
  const isNonBlocking = (fd: number): boolean => (sys.fcntl(fd, F_GETFL) & O_NONBLOCK) !== 0;
  const own = (fd: number): number => {
    context.own({ close: () => void sys.close(fd) });
    return fd;
  };
  const duplicate = (fd: number): number => own(sys.fcntl(fd, F_DUPFD_CLOEXEC));
  const wrap = (fd: number, reactor = context.reactor): AsyncFd =>
    context.own(new AsyncFd(fd, { reactor, interest: Interest.READABLE }));
  function pipe(): [number, number] {
    const fds: number[] = [];
    expect(openPipe(fds)).toBe(0);
    return [own(fds[0]!), own(fds[1]!)];
  }

  test('F5 T80 who closes first leaves it to a duplicate, and the last puts it back', async () => {
    const [fd, writeEnd] = pipe();
    const second = duplicate(fd);
    const [a, b] = [wrap(fd), wrap(second)];
    a.close();
    expect(isNonBlocking(second)).toBe(true);
    sys.write(writeEnd, Uint8Array.of(1));
    const buffer = new Uint8Array(1);
    expect(await within(b.read(buffer), 'read')).toBe(1);
    const waiting = b.read(buffer);
    sys.write(writeEnd, Uint8Array.of(2));
    expect(await within(waiting, 'read again')).toBe(1);
    b.close();
    expect(isNonBlocking(fd)).toBe(false);
  });

  test('F5 T80 in any order, any number of them, also of two reactors', () => {
    const [fd] = pipe();
    const other = new Reactor({ driver: 'manual', backend: 'poll' });
    const all = [wrap(fd), wrap(duplicate(fd)), wrap(duplicate(fd), other), wrap(fd, other)];
    for (const io of [all[2]!, all[0]!, all[3]!]) {
      io.close();
      expect(isNonBlocking(fd)).toBe(true);
    }
    all[1]!.close();
    expect(isNonBlocking(fd)).toBe(false);
    other.close();
  });

  test('T80 what shares an inode and no open file is left alone', () => {
    const [readEnd, writeEnd] = pipe();
    const reader = wrap(readEnd);
    const writer = context.own(
      new AsyncFd(writeEnd, { reactor: context.reactor, interest: Interest.WRITABLE }),
    );
    reader.close();
    expect([isNonBlocking(readEnd), isNonBlocking(writeEnd)]).toEqual([false, true]);
    writer.close();
    expect(isNonBlocking(writeEnd)).toBe(false);
  });

  test('T80 one that was set before stays, and O_APPEND is as it was', () => {
    const fds: number[] = [];
    openSocketPair(fds);
    const [fd, other] = [own(fds[0]!), own(fds[1]!)];
    const [flags, otherFlags] = [sys.fcntl(fd, F_GETFL), sys.fcntl(other, F_GETFL)];
    const first = wrap(fd);
    const second = wrap(duplicate(fd));
    const third = wrap(other);
    for (const io of [first, second, third]) io.close();
    expect([sys.fcntl(fd, F_GETFL), sys.fcntl(other, F_GETFL)]).toEqual([flags, otherFlags]);
  });

  test('T80 the end of a reactor puts it back once, at the last', () => {
    const [fd] = pipe();
    const reactor = new Reactor({ driver: 'manual', backend: 'poll' });
    wrap(fd, reactor);
    wrap(duplicate(fd), reactor);
    reactor.close();
    expect(isNonBlocking(fd)).toBe(false);
  });
});
