// What Windows has not is refused by name, before anything is opened; and Unix sockets by the
// system's own error where it has none.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { capabilities } from 'tripoll';
import { connectUnix, listenUnix, UnixDatagram, UnixListener, UnixStream } from 'tripoll/net';
import { Epoll, Kqueue, sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { LOOPBACK, record, refusingPort, rejection, rejectionError } from '../net/tools.js';
import { describeIf } from '../support/applies.js';
import { thrownBy, unsupported } from '../support/errors.js';
import { temporaryFolder } from '../support/folders.js';
import { hasUnixSockets, NO_UNIX_SOCKETS } from '../support/kernel.js';

const folder = temporaryFolder();

describeIf(capabilities.platform === 'win32', 'it is about Windows')('what Windows has not', () => {
  test('capabilities say so', () => {
    const lacks = { unixMessages: false, splice: false, sendfile: false };
    expect(capabilities).toMatchObject({ udp: true, unixSockets: hasUnixSockets, ...lacks });
  });

  test('of Unix sockets what is no stream; other systems’ pollers', async () => {
    const path = join(folder, 'x');
    expect(await rejection(UnixDatagram.bind(path))).toEqual(unsupported);
    expect(await rejection(UnixDatagram.fromFd(4))).toEqual(unsupported);
    expect(thrownBy(() => UnixDatagram.unbound())).toEqual(unsupported);
    expect(thrownBy(() => UnixStream.pair())).toEqual(unsupported);
    expect(await rejection(UnixListener.bind(path, { type: 'seqpacket' }))).toEqual(unsupported);
    expect(await rejection(UnixStream.connect(path, { type: 'seqpacket' }))).toEqual(unsupported);
    expect(await rejection(UnixListener.bind(path, { mode: 0o600 }))).toEqual(unsupported);
    expect(await rejection(UnixListener.bind('\0x'))).toEqual(unsupported);
    expect(await rejection(UnixStream.connect('\0x'))).toEqual(unsupported);
    expect(thrownBy(() => connectUnix({ path: '\0x' }, {}))).toEqual(unsupported);
    expect(thrownBy(() => listenUnix({ path }, { fds() {} }))).toEqual(unsupported);
    expect(thrownBy(() => connectUnix({ path }, { fds() {} }))).toEqual(unsupported);
    expect(thrownBy(() => new Epoll())).toEqual(unsupported);
    expect(thrownBy(() => new Kqueue())).toEqual(unsupported);
  });
});

const isWithout = capabilities.platform === 'win32' && !hasUnixSockets;

describeIf(isWithout, 'this system has AF_UNIX')('a Windows without Unix sockets', () => {
  const refused = { code: 'EAFNOSUPPORT', errno: -sys.errno.EAFNOSUPPORT, syscall: 'socket' };

  test('listening and connecting say EAFNOSUPPORT, in both styles', async () => {
    expect(capabilities.unixSockets).toBe(false);
    const path = join(folder, 'absent');
    expect(await rejectionError(UnixListener.bind(path))).toMatchObject(refused);
    expect(await rejectionError(UnixStream.connect(path))).toMatchObject(refused);
    expect(thrownBy(() => listenUnix({ path }, {}))).toMatchObject(refused);
    const told = record();
    connectUnix({ path }, told.handlers as object);
    expect(await told.closed).toMatchObject(refused);
  });
});

describeIf(capabilities.platform === 'win32', 'it is about Windows')('files of Unix sockets', () => {
  test('T103 another kind of file is none, one that is missing ENOENT', () => {
    const id = new Uint8Array(24);
    const find = (path: string, out = id): number | undefined =>
      native.socketFileId?.(Buffer.from(path), out);
    const file = join(folder, 'file');
    writeFileSync(file, 'x');
    expect(find(file)).toBe(-sys.errno.ENOTSOCK);
    expect(find(folder)).toBe(-sys.errno.ENOTSOCK);
    expect(find(join(folder, 'none'))).toBe(-sys.errno.ENOENT);
    expect(find(join(folder, 'none', 'below'))).toBe(-sys.errno.ENOENT);
    expect(find('a\0b')).toBe(-sys.errno.EINVAL);
    expect(find(file, new Uint8Array(23))).toBe(-sys.errno.ENOBUFS);
  });

  test('T105 the end of a connect is waited for, or its time', () => {
    const { AF_INET, SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC } = sys.constants;
    const { EBADF, ECONNREFUSED, EINPROGRESS, ETIMEDOUT } = sys.errno;
    const open = (): number => sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
    const connectTo = (port: number): [number, number | undefined] => {
      const fd = open();
      expect(sys.connect(fd, { host: LOOPBACK, port })).toBe(-EINPROGRESS);
      return [fd, native.awaitConnect?.(fd, 10_000)];
    };
    const [listener, idle] = [open(), open()];
    const name: { port?: number } = {};
    sys.bind(listener, { host: LOOPBACK, port: 0 });
    sys.listen(listener, 1);
    sys.getsockname(listener, name);
    const connected = connectTo(name.port ?? 0);
    const refused = connectTo(refusingPort());
    expect([connected[1], refused[1]]).toEqual([0, -ECONNREFUSED]);
    expect(native.awaitConnect?.(listener, 1)).toBe(-ETIMEDOUT);
    expect(native.awaitConnect?.(-1, 0)).toBe(-EBADF);
    for (const fd of [listener, idle, connected[0], refused[0]]) sys.close(fd);
  });
});

describeIf(capabilities.platform === 'win32' && hasUnixSockets, NO_UNIX_SOCKETS)('Unix streams', () => {
  test('T104 pass no fds; a name that nothing has is ENOENT', async () => {
    const path = join(folder, 'here');
    const none = { code: 'ENOENT', syscall: 'connect', address: path };
    expect(await rejectionError(UnixStream.connect(path))).toMatchObject(none);
    const listener = await UnixListener.bind(path);
    const [client, { stream }] = await Promise.all([UnixStream.connect(path), listener.accept()]);
    expect(await rejection(client.receive(new Uint8Array(1)))).toEqual(unsupported);
    expect(await rejection(client.send(Buffer.from('x'), []))).toEqual(unsupported);
    expect(thrownBy(() => client.peerCredentials)).toEqual(unsupported);
    for (const each of [client, stream, listener]) each.close();
    expect(await rejectionError(UnixStream.connect(path))).toMatchObject(none);
  });
});
