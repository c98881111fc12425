import { existsSync, unlinkSync } from 'node:fs';
import { capabilities } from 'tripoll';
import { bindUnixDatagram, listenUnix, UnixDatagram, UnixListener, UnixStream } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { encodeUnixAddress } from '#lib/sys/sockaddr';
import { within } from '../../../support/deadline.js';
import { hasSeqpacket, testSeqpacket, testUnixMessages } from '../../../support/kernel.js';
import { invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import { LOOPBACK, record, rejection, type Context } from '../../tools.js';
import { closeAll, drainPipe, newPath, newPipe } from '../tools.js';

const {
  AF_INET,
  AF_UNIX,
  SOCK_STREAM,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  F_GETFD,
  F_GETFL,
  O_NONBLOCK,
  FD_CLOEXEC,
} = sys.constants;

/** Blocking and inheritable, as another program makes them. */
function rawPair(type = SOCK_STREAM): [number, number] {
  if (!capabilities.unixMessages) return rawConnected();
  const fds: number[] = [];
  expect(sys.socketpair(fds, AF_UNIX, type)).toBe(0);
  return fds as [number, number];
}

/** A socket that has a name, and listens unless it is a datagram's. */
function rawBound(type: number, path = newPath()): { fd: number; path: string } {
  const fd = sys.socket(AF_UNIX, type);
  expect(sys.bindBytes(fd, encodeUnixAddress(path))).toBe(0);
  if (type !== SOCK_DGRAM) expect(sys.listen(fd, 16)).toBe(0);
  return { fd, path };
}

/** For where there are no pairs. */
function rawConnected(): [number, number] {
  const { fd, path } = rawBound(SOCK_STREAM);
  const client = sys.socket(AF_UNIX, SOCK_STREAM);
  expect(sys.connectBytes(client, encodeUnixAddress(path))).toBe(0);
  const server = sys.accept4(fd, 0);
  closeAll(fd);
  unlinkSync(path);
  return [client, server];
}

/** Windows does not tell of O_NONBLOCK. */
const flagsOf = (fd: number): number[] => {
  const flags = sys.fcntl(fd, F_GETFL);
  return [sys.fcntl(fd, F_GETFD), flags === -sys.errno.ENOSYS ? O_NONBLOCK : flags & O_NONBLOCK];
};

export function describeGivenFds(context: Context): void {
  describe('sockets that were opened elsewhere', () => {
    const kinds: [string, number][] = [['stream', SOCK_STREAM]];
    if (hasSeqpacket) kinds.push(['seqpacket', SOCK_SEQPACKET]);
    test.each(kinds)('F1 a %s: made non-blocking, closed on exec, and closed with it', async (_, type) => {
      const [fd, other] = rawPair(type);
      const stream = context.own(await UnixStream.fromFd(fd, { reactor: context.reactor }));
      expect(stream.fd).toBe(fd);
      expect(flagsOf(fd)).toEqual([FD_CLOEXEC, O_NONBLOCK]);
      const reading = stream.read(new Uint8Array(8));
      sys.write(other, Buffer.from('hello'));
      expect(await within(reading, 'read')).toBe(5);
      await stream.writeAll(Buffer.from('a'));
      await stream.writeAll(Buffer.from('b'));
      expect(drainPipe(other)).toBe(type === SOCK_STREAM ? 'ab' : 'a');
      stream.close();
      expect(sys.fcntl(fd, F_GETFD)).toBe(-sys.errno.EBADF);
      closeAll(other);
    });

    test('F1 one that the reactor has already: EEXIST, and the first owner keeps it', async () => {
      const { reactor } = context;
      const [fd, other] = rawPair();
      const first = context.own(await UnixStream.fromFd(fd, { reactor }));
      expect((await rejection(UnixStream.fromFd(fd, { reactor })))?.code).toBe('EEXIST');
      expect(flagsOf(fd)).toEqual([FD_CLOEXEC, O_NONBLOCK]);
      await first.writeAll(Buffer.from('secret'));
      expect(drainPipe(other)).toBe('secret');
      const listening = rawBound(SOCK_STREAM);
      const listener = context.own(await UnixListener.fromFd(listening.fd, { reactor }));
      expect((await rejection(UnixListener.fromFd(listening.fd, { reactor })))?.code).toBe('EEXIST');
      const client = context.own(await UnixStream.connect(listening.path, { reactor }));
      context.own((await within(listener.accept(), 'accept')).stream);
      closeAll(other);
      client.close();
      unlinkSync(listening.path);
      if (!capabilities.unixMessages) return;
      const bound = rawBound(SOCK_DGRAM);
      const socket = context.own(await UnixDatagram.fromFd(bound.fd, { reactor }));
      expect((await rejection(UnixDatagram.fromFd(bound.fd, { reactor })))?.code).toBe('EEXIST');
      expect(flagsOf(bound.fd)).toEqual([FD_CLOEXEC, O_NONBLOCK]);
      const sender = context.own(UnixDatagram.unbound({ reactor }));
      await sender.send(Buffer.from('x'), bound.path);
      expect((await within(socket.receive(new Uint8Array(4)), 'receive')).lengthBytes).toBe(1);
      unlinkSync(bound.path);
    });

    testUnixMessages('F1 what it is not for is refused, and stays the caller’s as it was', async () => {
      const { reactor } = context;
      const [pairFd, pairOther] = rawPair();
      const [datagram, datagramOther] = rawPair(SOCK_DGRAM);
      const listening = rawBound(SOCK_STREAM);
      const bound = rawBound(SOCK_DGRAM);
      const loose = sys.socket(AF_UNIX, SOCK_STREAM);
      const udp = sys.socket(AF_INET, SOCK_DGRAM);
      const tcp = sys.socket(AF_INET, SOCK_STREAM);
      const tcpListener = sys.socket(AF_INET, SOCK_STREAM);
      sys.bind(tcpListener, { host: LOOPBACK, port: 0 });
      sys.listen(tcpListener, 1);
      const pipe = newPipe();
      const fds = [pairFd, pairOther, datagram, datagramOther, listening.fd, bound.fd];
      fds.push(loose, udp, tcp, tcpListener);
      const before = fds.map(flagsOf);

      const stream = (fd: unknown) => rejection(UnixStream.fromFd(fd as number, { reactor }));
      for (const fd of [datagram, udp, tcp, listening.fd, -1, 1.5])
        expect(await stream(fd)).toEqual(outOfRange);
      expect(await stream('3')).toEqual(invalidType);
      expect((await stream(loose))?.code).toBe('ENOTCONN');
      expect((await stream(pipe[0]))?.code).toBe('ENOTSOCK');
      expect((await stream(2 ** 31 - 1))?.code).toBe('EBADF');
      const listener = (fd: unknown) => rejection(UnixListener.fromFd(fd as number, { reactor }));
      for (const fd of [datagram, udp, tcpListener, loose, pairFd, -1])
        expect(await listener(fd)).toEqual(outOfRange);
      expect(await listener(undefined)).toEqual(invalidType);
      expect((await listener(pipe[0]))?.code).toBe('ENOTSOCK');
      expect(thrownBy(() => listenUnix({ fd: loose, reactor }, {}))).toEqual(outOfRange);
      const message = (fd: unknown) => rejection(UnixDatagram.fromFd(fd as number, { reactor }));
      for (const fd of [udp, tcp, loose, pairFd, -1]) expect(await message(fd)).toEqual(outOfRange);
      expect(await message('x')).toEqual(invalidType);
      expect((await message(pipe[1]))?.code).toBe('ENOTSOCK');
      expect(thrownBy(() => bindUnixDatagram({ fd: tcp, reactor }, { message() {} }))).toEqual(outOfRange);

      expect(fds.map(flagsOf)).toEqual(before);
      expect(reactor.inspect().registrations).toBe(0);
      closeAll(...fds, ...pipe);
      for (const { path } of [listening, bound]) unlinkSync(path);
    });

    testSeqpacket(
      'a listener, for promises and for handlers: its type is its own, and its file stays',
      async () => {
        const { reactor } = context;
        const packets = rawBound(SOCK_SEQPACKET);
        const listener = context.own(await UnixListener.fromFd(packets.fd, { reactor }));
        expect(listener.localAddress).toBe(packets.path);
        expect(flagsOf(packets.fd)).toEqual([FD_CLOEXEC, O_NONBLOCK]);
        const client = context.own(await UnixStream.connect(packets.path, { reactor, type: 'seqpacket' }));
        const server = context.own((await within(listener.accept(), 'accept')).stream);
        for (const text of ['one', 'two']) await client.write(Buffer.from(text));
        expect(await within(server.read(new Uint8Array(8)), 'read')).toBe(3);
        listener.close();
        expect(existsSync(packets.path)).toBe(true);
        const streams = rawBound(SOCK_STREAM);
        const told = record();
        context.own(listenUnix({ fd: streams.fd, reactor }, told.handlers as object));
        const second = context.own(await UnixStream.connect(streams.path, { reactor }));
        await second.writeAll(Buffer.from('hi'));
        second.end();
        await within(told.closed, 'close');
        expect(told.bytes().toString()).toBe('hi');
        for (const { path } of [packets, streams]) unlinkSync(path);
      },
    );

    testUnixMessages('a datagram socket, for promises and for handlers', async () => {
      const { reactor } = context;
      const [fd, other] = rawPair(SOCK_DGRAM);
      const socket = context.own(await UnixDatagram.fromFd(fd, { reactor }));
      expect(flagsOf(fd)).toEqual([FD_CLOEXEC, O_NONBLOCK]);
      await socket.send(Buffer.from('ping'));
      expect(drainPipe(other)).toBe('ping');
      const bound = rawBound(SOCK_DGRAM);
      const came = new Promise((resolve) => {
        const handlers = {
          message: (_: unknown, chunk: Uint8Array) => resolve(Buffer.from(chunk).toString()),
        };
        context.own(bindUnixDatagram({ fd: bound.fd, reactor }, handlers));
      });
      const sender = context.own(UnixDatagram.unbound({ reactor }));
      await sender.send(Buffer.from('pong'), bound.path);
      expect(await within(came, 'message')).toBe('pong');
      closeAll(other);
      unlinkSync(bound.path);
    });

    test('options of a listening socket are set, also of one that was given', async () => {
      const { reactor } = context;
      const socketOptions = { receiveBufferBytes: 20_000 };
      const plain = context.own(await UnixListener.bind(newPath(), { reactor }));
      const set = context.own(await UnixListener.bind(newPath(), { reactor, socketOptions }));
      const { fd, path } = rawBound(SOCK_STREAM);
      const given = context.own(await UnixListener.fromFd(fd, { reactor, socketOptions }));
      const bytes = [plain, set, given].map((each) => each.getOption('receiveBufferBytes'));
      expect(bytes[0]).not.toBe(bytes[1]);
      expect(bytes[2]).toBe(bytes[1]);
      unlinkSync(path);
    });
  });
}
