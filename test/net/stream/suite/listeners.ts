import { Reactor } from 'tripoll';
import { listen, TcpListener } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { testIf, testReset } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { closed, invalidType, thrownBy } from '../../../support/errors.js';
import { isWindows } from '../../../support/platform.js';
import {
  expectNoSpin,
  LOOPBACK,
  portOf,
  RawPeer,
  record,
  rejection,
  rejectionError,
  turnOf,
  type Context,
} from '../../tools.js';

const { F_GETFD } = sys.constants;

const testReusePort = testIf('SO_REUSEPORT' in sys.constants, 'the system has no SO_REUSEPORT');

export function describeListeners(context: Context): void {
  describe('listeners', () => {
    test('accept: several wait at once and are served in order', async () => {
      const listener = await context.bind();
      const order: number[] = [];
      const waiting = [1, 2, 3].map(async (number) => {
        const { stream } = await listener.accept();
        order.push(number);
        return context.own(stream);
      });
      const peers = [1, 2, 3].map(() => context.own(new RawPeer(portOf(listener))));
      await within(Promise.all(waiting), 'accepts');
      expect(order).toEqual([1, 2, 3]);
      expect(peers.length).toBe(3);
    });

    test('connections wait in the backlog until somebody accepts, and none is lost', async () => {
      const listener = await context.bind();
      const peers = Array.from({ length: 100 }, () => context.own(new RawPeer(portOf(listener))));
      const { turns } = context.reactor.inspect();
      for (const peer of peers) peer.send('x');
      for (let i = 0; i < peers.length; i++) {
        const { stream } = await within(listener.accept(), 'accept');
        expect(await within(context.own(stream).read(new Uint8Array(2)), 'read')).toBe(1);
      }
      expect(context.reactor.inspect().turns).toBeGreaterThan(turns);
    });

    test('whoever accepts in a loop gets what waits, without a turn for each', async () => {
      const listener = await context.bind();
      for (let i = 0; i < 50; i++) context.own(new RawPeer(portOf(listener)));
      const accept = async () => context.own((await within(listener.accept(), 'accept')).stream);
      await accept();
      const { turns } = context.reactor.inspect();
      for (let i = 1; i < 50; i++) await accept();
      // Some time may pass in a microtask: a turn or two of others.
      expect(context.reactor.inspect().turns - turns).toBeLessThan(10);
      // And then it waits as before.
      const last = listener.accept();
      await expectNoSpin(context.reactor);
      context.own(new RawPeer(portOf(listener)));
      context.own((await within(last, 'accept')).stream);
    });

    test('for await ends when the listener is closed, and takes what came before', async () => {
      const listener = await context.bind();
      const peer = context.own(new RawPeer(portOf(listener)));
      let count = 0;
      const loop = (async () => {
        for await (const stream of listener) {
          context.own(stream);
          count++;
        }
      })();
      await until(() => count === 1, 'the loop has one');
      listener.close();
      await within(loop, 'end of the loop');
      expect(peer.receive()).toBeNull();
      for await (const stream of listener) context.own(stream);
    });

    test('for await ends with what broke the listening socket; on a listener with handlers it is refused', async () => {
      const listener = await context.bind();
      const loop = (async () => {
        for await (const stream of listener) context.own(stream);
      })();
      await turnOf(context.reactor);
      listener.onError(Object.assign(new Error('broken'), { code: 'EBADF' }));
      expect((await rejection(loop))?.code).toBe('EBADF');

      const other = context.listen();
      expect((await rejection(other[Symbol.asyncIterator]().next()))?.code).toBe('ERR_TRIPOLL_STATE');
    });

    test('drop of bind: who is one too many is told; no function is refused', async () => {
      const drops: string[] = [];
      const listener = await context.bind({
        maxConnections: 0,
        drop: (_, { reason }) => void drops.push(reason),
      });
      const accepting = rejection(listener.accept());
      const peer = context.own(new RawPeer(portOf(listener)));
      await peer.receiveToEnd().catch(() => null);
      expect(drops).toEqual(['max-connections']);
      listener.close();
      expect(await accepting).toEqual(closed);
      expect(await rejection(context.bind({ drop: 5 as never }))).toEqual(invalidType);
    });

    test('close leaves connections open, refuses new ones, rejects who waits, may be called twice', async () => {
      const { connection, peer, listener } = await context.accepted({ data: (c, chunk) => c.write(chunk) });
      const { fd } = listener;
      listener.close();
      listener.close();
      expect([listener.closed, listener.localAddress]).toEqual([true, undefined]);
      // Not by a connect: another process may have been given the port by now. Nor on Windows:
      // another thread, the number.
      if (!isWindows) expect(sys.fcntl(fd, F_GETFD)).toBe(-(sys.errno['EBADF'] ?? 0));
      peer.send('still there');
      expect((await peer.receiveBytes(11)).toString()).toBe('still there');
      expect(connection.closed).toBe(false);

      const other = await context.bind();
      const waiting = [rejection(other.accept()), rejection(other.accept())];
      other.close();
      expect(await Promise.all(waiting)).toEqual([closed, closed]);
      expect(await rejection(other.accept())).toEqual(closed);
    });

    testReset('close while connections wait in the backlog: they are reset, no fd stays', async () => {
      const listener = await context.bind();
      const peer = context.own(new RawPeer(portOf(listener)));
      listener.close();
      expect(await peer.receiveError()).toBeGreaterThan(0);
    });

    testReset('a handler that closes the listener gets no further connection', async () => {
      let opened = 0;
      const listener = context.listen({
        open(connection) {
          opened++;
          context.own(connection).listener?.close();
        },
      });
      const port = portOf(listener);
      const peers = [new RawPeer(port), new RawPeer(port), new RawPeer(port)].map((peer) =>
        context.own(peer),
      );
      await until(() => listener.closed, 'closed');
      expect(await peers[2]?.receiveError()).toBeGreaterThan(0);
      expect(opened).toBe(1);
    });

    test('it knows how many connections it has', async () => {
      const { listener, peer, told } = await context.accepted();
      expect(listener.connections).toBe(1);
      peer.reset();
      await within(told.closed, 'close');
      await until(() => listener.connections === 0, 'no connections');
    });

    testReusePort('options reach the socket: reusePort', async () => {
      const first = await context.bind({ reusePort: true });
      const target = { host: LOOPBACK, port: portOf(first) };
      const second = await TcpListener.bind(target, { reactor: context.reactor, reusePort: true });
      context.own(second);
      expect(second.localAddress).toEqual(first.localAddress);
    });

    test('port in use: EADDRINUSE with address and port', async () => {
      const first = context.listen();
      const { port } = first.localAddress ?? { port: 0 };
      const expected = { name: 'Error', code: 'EADDRINUSE', syscall: 'bind', address: LOOPBACK, port };
      const target = { host: LOOPBACK, port, reactor: context.reactor };
      const error = await rejectionError(
        TcpListener.bind(`${LOOPBACK}:${port}`, { reactor: context.reactor }),
      );
      expect(error).toMatchObject(expected);
      expect(error.errno).toBeLessThan(0);
      const { name, code, syscall } = expected;
      expect(thrownBy(() => listen(target, {}))).toMatchObject({ name, code, syscall });
    });

    test("an address that is not ours: EADDRNOTAVAIL (TEST-NET-3 is nobody's)", async () => {
      const error = await rejectionError(TcpListener.bind('203.0.113.1:0', { reactor: context.reactor }));
      expect(error).toMatchObject({ name: 'Error', code: 'EADDRNOTAVAIL', address: '203.0.113.1', port: 0 });
    });

    test('a closed reactor: ERR_TRIPOLL_CLOSED', async () => {
      const reactor = new Reactor({ driver: 'manual' });
      reactor.close();
      const target = { host: LOOPBACK, port: 0, reactor };
      expect(thrownBy(() => listen(target, record().handlers))).toEqual(closed);
      expect(await rejection(TcpListener.bind(target, { reactor }))).toEqual(closed);
    });
  });
}
