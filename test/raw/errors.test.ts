// Errors, by their type and by what they say (friction 8).
import { openSync, closeSync } from 'node:fs';
import vm from 'node:vm';
import { capabilities, Interest, isTripollError, Reactor, type TripollError } from 'tripoll';
import { AsyncFd, FdStream, TcpStream } from 'tripoll/net';
import { Epoll, sys } from 'tripoll/raw';
import { testAnyFd, testIf } from '../support/applies.js';

function caught(call: () => unknown): TripollError {
  try {
    call();
  } catch (error) {
    if (isTripollError(error)) return error;
    throw new Error('it is none of ours', { cause: error });
  }
  throw new Error('nothing was thrown');
}

test('isTripollError knows the errors of this library, by their codes', async () => {
  expect(caught(() => new AsyncFd('x' as never)).code).toBe('ERR_TRIPOLL_INVALID_ARG_TYPE');
  const refused: unknown = await TcpStream.connect('127.0.0.1:1').catch((error: unknown) => error);
  expect(isTripollError(refused) && refused.code).toBe('ECONNREFUSED');
  const aborted: unknown = await TcpStream.connect('127.0.0.1:1', { signal: AbortSignal.abort() }).catch(
    (error: unknown) => error,
  );
  expect(isTripollError(aborted) && aborted.code).toBe('ABORT_ERR');
  for (const code of ['ENOTFOUND', 'EAI_AGAIN', 'E4242', 'ERR_TRIPOLL_CLOSED']) {
    expect([code, isTripollError(Object.assign(new Error('x'), { code }))]).toEqual([code, true]);
  }
  expect(isTripollError(vm.runInNewContext(`Object.assign(new Error(), { code: 'EBADF' })`))).toBe(true);
});

test('and nothing else', () => {
  const others = ['ERR_INVALID_ARG_TYPE', 'EVERYTHING', 'toString', '', 'ECONN', 7, undefined, null];
  for (const code of others) {
    expect([code, isTripollError(Object.assign(new Error('x'), { code }))]).toEqual([code, false]);
  }
  for (const value of [null, undefined, 'EBADF', { code: 'EBADF' }, new Error('x')]) {
    expect(isTripollError(value)).toBe(false);
  }
});

describe.each(capabilities.backends)('what registering an fd is refused for, %s', (backend) => {
  let reactor: Reactor;
  beforeEach(() => {
    reactor = new Reactor({ driver: 'manual', backend });
  });
  afterEach(() => reactor.close());
  const handler = { onReady() {} };

  testAnyFd('EEXIST says that the reactor has it, not that a file exists', () => {
    const { reader, writer } = FdStream.pipe({ reactor });
    const error = caught(() => reactor.register(reader.fd, Interest.READABLE, handler));
    expect(error).toMatchObject({ code: 'EEXIST', syscall: 'register', fd: reader.fd });
    expect(error.message).toBe(
      `register EEXIST: this fd is registered with this reactor already (fd ${reader.fd})`,
    );
    expect(caught(() => new AsyncFd(reader.fd, { reactor })).message).toBe(error.message);
    reader.close();
    writer.close();
  });

  testAnyFd('EPERM of a regular file, and of a directory, gives its reason', () => {
    for (const path of [__filename, __dirname]) {
      const fd = openSync(path, 'r');
      const error = caught(() => reactor.register(fd, Interest.READABLE, handler));
      expect(error.message).toBe(
        'register EPERM: this file cannot be waited for: it is always ready, as a regular file, a directory and ' +
          `/dev/null are (fd ${fd})`,
      );
      expect(error.errno).toBe(-sys.errno.EPERM);
      closeSync(fd);
    }
  });
});

testIf(capabilities.backends.includes('epoll'), 'epoll is Linux’s')('raw epoll says it of its own', () => {
  const epoll = new Epoll();
  const fd = openSync(__filename, 'r');
  const error = caught(() => epoll.ctl(1, fd));
  expect(error.message).toContain('epoll_ctl EPERM: this file cannot be waited for');
  closeSync(fd);
  const inner = new Epoll();
  epoll.ctl(1, inner.fd);
  expect(caught(() => epoll.ctl(1, inner.fd)).message).toContain(
    'epoll_ctl EEXIST: this epoll instance has the fd already',
  );
  inner.close();
  epoll.close();
});
