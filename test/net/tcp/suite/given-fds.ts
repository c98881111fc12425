import { listen, TcpListener, TcpStream } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { within } from '../../../support/deadline.js';
import { isWindows } from '../../../support/platform.js';
import { invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import { LOOPBACK, portOf, RawPeer, record, rejection, type Context } from '../../tools.js';

const { AF_INET, AF_UNIX, SOCK_STREAM, SOCK_DGRAM, F_GETFL, F_GETFD, O_NONBLOCK, FD_CLOEXEC } = sys.constants;

/** A blocking, inheritable listening socket, as a service manager makes it. */
function rawListener(context: Context): { fd: number; port: number } {
  const fd = sys.socket(AF_INET, SOCK_STREAM);
  sys.bind(fd, { host: LOOPBACK, port: 0 });
  sys.listen(fd, 16);
  const name: { port?: number } = {};
  sys.getsockname(fd, name);
  context.own({ close: () => sys.fcntl(fd, F_GETFD) >= 0 && sys.close(fd) });
  return { fd, port: name.port ?? 0 };
}

export function describeGivenFds(context: Context): void {
  describe('sockets that were opened elsewhere', () => {
    test('a listener: made non-blocking, closed on exec, and closed with it', async () => {
      const { fd, port } = rawListener(context);
      const listener = await TcpListener.fromFd(fd, { reactor: context.reactor });
      expect(listener.fd).toBe(fd);
      expect(portOf(listener)).toBe(port);
      // Windows cannot tell; there accept() below, which finds nobody, would wait for ever.
      if (!isWindows) expect(sys.fcntl(fd, F_GETFL) & O_NONBLOCK).toBe(O_NONBLOCK);
      expect(sys.fcntl(fd, F_GETFD)).toBe(FD_CLOEXEC);
      const peer = context.own(new RawPeer(port));
      const { stream } = await within(listener.accept(), 'accept');
      peer.send('hi');
      expect(await within(context.own(stream).read(new Uint8Array(4)), 'read')).toBe(2);
      listener.close();
      // Windows may have given the number to another thread's handle by now.
      if (!isWindows) expect(sys.fcntl(fd, F_GETFD)).toBe(-(sys.errno['EBADF'] ?? 0));
    });

    test('a listener with handlers', async () => {
      const { fd, port } = rawListener(context);
      const told = record();
      const options = { fd, reactor: context.reactor, socketOptions: { keepAlive: true } };
      const listener = context.own(listen(options, told.handlers));
      expect(listener.getOption('keepAlive')).toBe(true);
      const peer = context.own(new RawPeer(port));
      peer.send('hi');
      peer.endWrite();
      await within(told.closed, 'close');
      expect(told.bytes().toString()).toBe('hi');
    });

    test('a stream', async () => {
      const listener = await context.bind();
      const fd = sys.socket(AF_INET, SOCK_STREAM);
      expect(sys.connect(fd, { host: LOOPBACK, port: portOf(listener) })).toBe(0);
      const stream = await TcpStream.fromFd(fd, { reactor: context.reactor, noDelay: true });
      context.own(stream);
      expect(stream.fd).toBe(fd);
      expect(stream.getOption('tcpNoDelay')).toBe(true);
      const server = context.own((await listener.accept()).stream);
      const reading = stream.read(new Uint8Array(8));
      await server.writeAll(Buffer.from('hello'));
      expect(await within(reading, 'read')).toBe(5);
      await stream.writeAll(Buffer.from('x'));
      expect(await within(server.read(new Uint8Array(8)), 'read')).toBe(1);
      stream.close();
      expect(await within(server.read(new Uint8Array(8)), 'the end')).toBe(0);
      if (!isWindows) expect(sys.fcntl(fd, F_GETFD)).toBe(-(sys.errno['EBADF'] ?? 0));
    });

    test('F15 one whose close would hold the thread is refused', async () => {
      const { reactor } = context;
      const { SOL_SOCKET, SO_LINGER } = sys.constants;
      const linger = (seconds: number): Uint8Array =>
        new Uint8Array(new Int32Array([seconds, seconds]).buffer);
      const { fd } = rawListener(context);
      const peer = context.own(new RawPeer(portOf(await context.bind())));
      for (const lingering of [fd, peer.fd]) sys.setsockopt(lingering, SOL_SOCKET, SO_LINGER, linger(2));
      expect(await rejection(TcpListener.fromFd(fd, { reactor }))).toEqual(outOfRange);
      expect(await rejection(TcpStream.fromFd(peer.fd, { reactor }))).toEqual(outOfRange);
      for (const lingering of [fd, peer.fd]) sys.setsockopt(lingering, SOL_SOCKET, SO_LINGER, linger(0));
    });

    test('what it is not for is refused, and stays the caller’s', async () => {
      const { reactor } = context;
      const listening = rawListener(context).fd;
      const datagram = sys.socket(AF_INET, SOCK_DGRAM);
      const loose = sys.socket(AF_INET, SOCK_STREAM);
      const ends: number[] = [];
      const pair: number[] = [];
      if (!isWindows) {
        sys.pipe2(ends);
        sys.socketpair(pair, AF_UNIX, SOCK_STREAM);
      }
      try {
        expect(await rejection(TcpStream.fromFd(listening, { reactor }))).toEqual(outOfRange);
        expect(await rejection(TcpStream.fromFd(datagram, { reactor }))).toEqual(outOfRange);
        for (const fd of pair) expect(await rejection(TcpStream.fromFd(fd, { reactor }))).toEqual(outOfRange);
        expect(await rejection(TcpListener.fromFd(datagram, { reactor }))).toEqual(outOfRange);
        expect(await rejection(TcpListener.fromFd(loose, { reactor }))).toEqual(outOfRange);
        expect((await rejection(TcpStream.fromFd(loose, { reactor })))?.code).toBe('ENOTCONN');
        for (const fd of ends)
          expect((await rejection(TcpStream.fromFd(fd, { reactor })))?.code).toBe('ENOTSOCK');
        expect((await rejection(TcpStream.fromFd(2 ** 31 - 1, { reactor })))?.code).toBe('EBADF');
        expect(await rejection(TcpStream.fromFd('3' as never, { reactor }))).toEqual(invalidType);
        expect(await rejection(TcpListener.fromFd(-1, { reactor }))).toEqual(outOfRange);
        expect(thrownBy(() => listen({ fd: loose, reactor }, {}))).toEqual(outOfRange);
        for (const fd of [listening, datagram, loose, ...ends, ...pair])
          expect(sys.fcntl(fd, F_GETFD)).toBeGreaterThanOrEqual(0);
        expect(reactor.inspect().registrations).toBe(0);
      } finally {
        for (const fd of [datagram, loose, ...ends, ...pair]) sys.close(fd);
      }
    });

    test('one that the reactor has already: EEXIST, and the first owner keeps it', async () => {
      const { client, server } = await context.streamPair();
      const { reactor } = context;
      expect((await rejection(TcpStream.fromFd(client.fd, { reactor })))?.code).toBe('EEXIST');
      const listener = await context.bind();
      expect((await rejection(TcpListener.fromFd(listener.fd, { reactor })))?.code).toBe('EEXIST');
      await client.writeAll(Buffer.from('x'));
      expect(await within(server.read(new Uint8Array(2)), 'read')).toBe(1);
      context.own(await context.stream(portOf(listener)));
      context.own((await within(listener.accept(), 'accept')).stream);
    });
  });
}
