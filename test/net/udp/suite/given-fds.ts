import { UdpSocket, bindUdp } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { deferred, rejection, type Context } from '../../tools.js';
import { within } from '../../../support/deadline.js';
import { invalidType, outOfRange, thrownBy, type Coded } from '../../../support/errors.js';
import { isWindows } from '../../../support/platform.js';
import { bound, bytesOf, has, hostPortOf, textOf, V4 } from '../tools.js';

const { AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_STREAM, IPPROTO_ICMP = 1 } = sys.constants;
const { F_GETFL, F_GETFD, O_NONBLOCK, FD_CLOEXEC } = sys.constants;

export function describeGivenSockets(context: Context): void {
  /** A blocking, inheritable socket, as a service manager makes it. */
  function rawSocket(): { fd: number; port: number } {
    const fd = sys.socket(AF_INET, SOCK_DGRAM);
    sys.bind(fd, { host: V4, port: 0 });
    const name: { port?: number } = {};
    sys.getsockname(fd, name);
    context.own({ close: () => sys.fcntl(fd, F_GETFD) >= 0 && sys.close(fd) });
    return { fd, port: name.port ?? 0 };
  }

  function expectPrepared(fd: number): void {
    if (!isWindows) expect(sys.fcntl(fd, F_GETFL) & O_NONBLOCK).toBe(O_NONBLOCK);
    expect(sys.fcntl(fd, F_GETFD)).toBe(FD_CLOEXEC);
  }

  describe('sockets that were opened elsewhere', () => {
    test('promises: made non-blocking, closed on exec, and closed with it', async () => {
      const { fd, port } = rawSocket();
      const options = { reactor: context.reactor, socketOptions: { receiveTtl: true } };
      const socket = context.own(await UdpSocket.fromFd(fd, options));
      expect(socket.fd).toBe(fd);
      expect(hostPortOf(socket)).toEqual({ host: V4, port });
      expectPrepared(fd);
      const client = await bound(context);
      await client.send(bytesOf('hi'), hostPortOf(socket));
      const got = await within(socket.receive(new Uint8Array(10)), 'receive');
      expect(got.lengthBytes).toBe(2);
      expect(got.ttl).toBeGreaterThan(1);
      await socket.send(bytesOf('back'), got.address);
      expect((await within(client.receive(new Uint8Array(10)), 'answer')).lengthBytes).toBe(4);
      socket.close();
      if (!isWindows) expect(sys.fcntl(fd, F_GETFD)).toBe(-sys.errno.EBADF);
    });

    test('handlers likewise; one that is connected stays so', async () => {
      const peer = await bound(context);
      const { fd } = rawSocket();
      expect(sys.connect(fd, hostPortOf(peer))).toBe(0);
      const text = deferred<string>();
      const socket = context.own(
        bindUdp(
          { fd, reactor: context.reactor, capacity: 4 },
          { datagrams: (_self, batch) => text.resolve(textOf(batch.payload(0))) },
        ),
      );
      expectPrepared(fd);
      expect(socket.remoteAddress).toEqual(peer.localAddress);
      expect(socket.send(bytesOf('to my peer'))).toBe(true);
      const { address } = await within(peer.receive(new Uint8Array(20)), 'receive');
      await peer.send(bytesOf('and back'), address);
      expect(await within(text.promise, 'the answer')).toBe('and back');
    });

    test('what it is not for is refused, in both styles, and stays the caller’s', async () => {
      const { reactor } = context;
      const taken = rawSocket().fd;
      const owner = context.own(await UdpSocket.fromFd(taken, { reactor }));
      const stream = sys.socket(AF_INET, SOCK_STREAM);
      const good = rawSocket().fd;
      const bad: [unknown, object, Partial<Coded>][] = [
        [stream, {}, outOfRange],
        ['3', {}, invalidType],
        [-1, {}, outOfRange],
        [100_000, {}, { code: 'EBADF' }],
        [taken, {}, { code: 'EEXIST' }],
        [good, { socketOptions: { ttl: 0 } }, outOfRange],
        [good, { socketOptions: { nothing: 1 } }, invalidType],
        [good, { nothing: 1 }, invalidType],
      ];
      const mine = [stream, good];
      if (!isWindows) {
        const pair: number[] = [];
        sys.socketpair(pair, AF_UNIX, SOCK_DGRAM);
        bad.push([pair[0], {}, outOfRange]);
        mine.push(...pair);
      }
      // net.ipv4.ping_group_range may refuse them.
      const ping = has('SO_PROTOCOL') ? sys.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) : -1;
      if (ping >= 0) {
        bad.push([ping, {}, outOfRange]);
        mine.push(ping);
      }
      for (const [fd, options, expected] of bad) {
        const from = UdpSocket.fromFd(fd as number, { reactor, ...options });
        expect(await rejection(from)).toMatchObject(expected);
        const bind = () => bindUdp({ fd: fd as number, reactor, ...options }, {});
        expect(thrownBy(bind)).toMatchObject(expected);
      }
      const two = { fd: good, host: V4, port: 0, reactor };
      expect(thrownBy(() => bindUdp(two as never, {}))).toMatchObject(outOfRange);
      for (const fd of mine) expect(sys.fcntl(fd, F_GETFD)).toBeGreaterThanOrEqual(0);
      for (const fd of mine) if (fd !== good) sys.close(fd);
      expect(owner.closed).toBe(false);
    });
  });
}
