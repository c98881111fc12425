// A connect that goes on, as Windows' non-blocking ones may: said by swapped calls, since no other
// system's Unix sockets do so. The sockets are real.
import { Reactor } from 'tripoll';
import { connectUnix, UnixListener, UnixStream } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { RetriedConnect } from '#lib/net/stream/retried-connect';
import type { ConnectObserver } from '#lib/net/stream/seams';
import { toStreamProfile, UNIX_TRAITS } from '#lib/net/stream/stream-profile';
import { describeIf } from '../../support/applies.js';
import { within } from '../../support/deadline.js';
import { openedSince, openFds } from '../../support/fds.js';
import { hasUnixSockets, NO_UNIX_SOCKETS } from '../../support/kernel.js';
import { record, rejectionError } from '../tools.js';
import { newPath } from './tools.js';

const { EAGAIN, ECONNREFUSED, EINPROGRESS, ENOTCONN } = sys.errno;
const { connectBytes, nameBytes, takeSocketError } = native;

describeIf(hasUnixSockets, NO_UNIX_SOCKETS)('T105 a connect that goes on', () => {
  let reactor: Reactor;
  let listener: UnixListener;
  let path = '';
  /** How often the socket is said not to be connected yet. */
  let spurious = 0;
  let failure = 0;

  beforeEach(async () => {
    reactor = new Reactor();
    path = newPath();
    listener = await UnixListener.bind(path, { reactor });
    spurious = failure = 0;
    native.connectBytes = (fd, address) => {
      const error = connectBytes(fd, address);
      return error === 0 ? -EINPROGRESS : error;
    };
    native.takeSocketError = (fd) => (failure === 0 ? takeSocketError(fd) : failure);
    native.nameBytes = (fd, isPeer, out) =>
      isPeer === 1 && spurious-- > 0 ? -ENOTCONN : nameBytes(fd, isPeer, out);
  });

  afterEach(() => {
    Object.assign(native, { connectBytes, nameBytes, takeSocketError });
    reactor.close();
  });

  test.each([0, 1])('is open when it is writable, and %i times later if that was spurious', async (times) => {
    spurious = times;
    const connecting = UnixStream.connect(path, { reactor });
    const { stream: server } = await within(listener.accept(), 'accept');
    // Level: asked again. Edge: by the next event, which is the peer's bytes.
    await server.writeAll(Buffer.from('x'));
    const client = await within(connecting, 'connect');
    expect(spurious).toBeLessThanOrEqual(0);
    expect(await within(client.read(new Uint8Array(4)), 'read')).toBe(1);
    await client.writeAll(Buffer.from('yes'));
    expect(await within(server.read(new Uint8Array(4)), 'read')).toBe(3);
  });

  test('handlers: open comes in a later turn, then data', async () => {
    const told = record();
    const client = connectUnix({ path, reactor }, told.handlers as object);
    expect(told.events).toEqual([]);
    const { stream: server } = await within(listener.accept(), 'accept');
    await server.writeAll(Buffer.from('hello'));
    server.end();
    await within(told.opened, 'open');
    client.end();
    expect(await within(told.closed, 'close')).toBeNull();
    expect(told.bytes().toString()).toBe('hello');
    expect(told.events).toEqual(['open', 'data', 'end', 'close']);
  });

  test('that fails is told by its error, in both styles, and closes the fd', async () => {
    const before = openFds();
    failure = -ECONNREFUSED;
    const refused = { code: 'ECONNREFUSED', syscall: 'connect', address: path };
    expect(await rejectionError(UnixStream.connect(path, { reactor }))).toMatchObject(refused);
    const told = record();
    connectUnix({ path, reactor }, told.handlers as object);
    expect(await within(told.closed, 'close')).toMatchObject(refused);
    expect(told.events).toEqual(['error', 'close']);
    expect(openedSince(before)).toEqual([]);
  });

  test('a listener that stays full is tried so often, and no more', async () => {
    const profile = toStreamProfile(reactor, null, null, UNIX_TRAITS);
    let opened = 0;
    const failed = new Promise<Error>((resolve) => {
      const observer = { onConnectFailed: resolve } as unknown as ConnectObserver;
      const open = (): number => {
        opened++;
        throw Object.assign(new Error('full'), { errno: -EAGAIN });
      };
      new RetriedConnect(observer, profile, { open, full: -EAGAIN, retries: 3, tellsLater: false }).start();
    });
    expect(await within(failed, 'the error')).toMatchObject({ errno: -EAGAIN });
    expect(opened).toBe(4);
  });

  test('that is given up closes the fd: by its time, its signal, its reactor', async () => {
    const before = openFds();
    spurious = Infinity;
    const connect = (options: object): Promise<Error> =>
      rejectionError(UnixStream.connect(path, { reactor, ...options }));
    expect(await connect({ timeoutMs: 1 })).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
    const controller = new AbortController();
    const aborted = connect({ signal: controller.signal });
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'ABORT_ERR' });
    expect(openedSince(before)).toEqual([]);
    const waiting = connect({});
    reactor.close();
    expect(await within(waiting, 'the reactor’s end')).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
  });
});
