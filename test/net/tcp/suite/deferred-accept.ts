// Listeners under TCP_DEFER_ACCEPT: what they accept has bytes already, which are read before the
// connection is registered.
import { Interest, type Registration } from 'tripoll';
import type { ListenHandlers, TcpListener } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { testIf } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import {
  digest,
  expectNoSpin,
  failureOf,
  pattern,
  portOf,
  RawPeer,
  record,
  type Context,
} from '../../tools.js';

const socketOptions = { tcpDeferAcceptSeconds: 30 };
const testDeferred = testIf('TCP_DEFER_ACCEPT' in native.constants, 'this system has no TCP_DEFER_ACCEPT');

export function describeDeferredAccept(context: Context): void {
  const listenDeferred = (handlers: ListenHandlers): TcpListener =>
    context.listen(handlers, { socketOptions });
  const peerOf = (listener: TcpListener): RawPeer => context.own(new RawPeer(portOf(listener)));
  /** A peer whose first bytes are `bytes`. */
  const peerWith = (listener: TcpListener, bytes: Uint8Array | string): RawPeer => {
    const peer = peerOf(listener);
    peer.send(bytes);
    return peer;
  };
  const registrations = (): number => context.reactor.inspect().registrations;

  describe('deferred accept', () => {
    testDeferred('a request that is answered and closed at once costs no registration', async () => {
      const seen: number[] = [];
      const told = record({
        data(connection, chunk) {
          seen.push(registrations());
          connection.write(chunk);
          connection.close();
        },
      });
      const listener = listenDeferred(told.handlers);
      const peer = peerWith(listener, 'request');
      expect((await peer.receiveToEnd()).toString()).toBe('request');
      await within(told.closed, 'close');
      // The listener's own.
      expect(seen).toEqual([1]);
      expect(told.events).toEqual(['open', 'data', 'close']);
      expect(told.errors).toEqual([]);
      expect(listener.connections).toBe(0);
    });

    testDeferred('one that goes on gets what comes later, and the end', async () => {
      const told = record({ data: (connection, chunk) => connection.write(chunk) });
      const peer = peerWith(listenDeferred(told.handlers), 'one ');
      expect((await peer.receiveBytes(4)).toString()).toBe('one ');
      expect(registrations()).toBe(2);
      peer.send('two ');
      expect((await peer.receiveBytes(4)).toString()).toBe('two ');
      peer.send('three');
      peer.endWrite();
      expect((await peer.receiveToEnd()).toString()).toBe('three');
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.bytes().toString()).toBe('one two three');
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
    });

    testDeferred('the end that comes with the first bytes is told', async () => {
      const told = record({ data: (connection, chunk) => connection.write(chunk) });
      const peer = peerOf(listenDeferred(told.handlers));
      peer.send('all');
      peer.endWrite();
      expect((await peer.receiveToEnd()).toString()).toBe('all');
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
    });

    testDeferred(
      'more than one event may read, and than one socket takes, is neither lost nor moved',
      async () => {
        const sent = pattern(6 << 20);
        const told = record({
          data(connection, chunk) {
            if (!connection.write(chunk)) connection.pause();
          },
          drain: (connection) => connection.resume(),
          end: (connection) => connection.end(),
        });
        const peer = peerOf(listenDeferred(told.handlers));
        const sending = peer.sendAll(sent);
        const got = await peer.receiveBytes(sent.length);
        await sending;
        expect(digest(got)).toBe(digest(sent));
        expect(digest(told.bytes())).toBe(digest(sent));
        peer.endWrite();
        await within(told.closed, 'close');
      },
    );

    testDeferred('T48 a reply of which the socket takes a part is finished', async () => {
      const reply = pattern(4 << 20);
      const told = record({ data: (connection) => connection.end(reply) });
      const peer = peerWith(listenDeferred(told.handlers), 'x');
      const got = await peer.receiveToEnd();
      expect(digest(got)).toBe(digest(reply));
      peer.close();
      await within(told.closed, 'close');
    });

    testDeferred('pause in `open` holds the first bytes back', async () => {
      const told = record({ open: (connection) => connection.pause() });
      const peer = peerWith(listenDeferred(told.handlers), 'later');
      const connection = await within(told.opened, 'open');
      await expectNoSpin(context.reactor);
      expect(told.events).toEqual(['open']);
      connection.resume();
      await until(() => told.received() === 5, 'data');
      peer.endWrite();
      await within(told.closed, 'close');
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
    });

    testDeferred('close in `open`: no data', async () => {
      const told = record({ open: (connection) => connection.close() });
      peerWith(listenDeferred(told.handlers), 'x');
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'close']);
    });

    testDeferred('a handler that throws ends it, and its listener goes on', async () => {
      const told = record({
        data(_connection, chunk) {
          if (chunk[0] === 0x78) throw new RangeError('no x');
        },
      });
      const listener = listenDeferred(told.handlers);
      peerWith(listener, 'x');
      const error = await within(told.closed, 'close');
      expect(failureOf(error)?.name).toBe('RangeError');
      expect(told.events).toEqual(['open', 'data', 'error', 'close']);
      peerWith(listener, 'y').endWrite();
      await until(() => told.events.filter((event) => event === 'close').length === 2, 'the second');
    });

    testDeferred('T51 unref before it is registered holds', async () => {
      const told = record({ data: (connection) => connection.unref() });
      const listener = listenDeferred(told.handlers).unref();
      const peer = peerWith(listener, 'x');
      await until(() => told.received() === 1 && registrations() === 2, 'data');
      expect(context.reactor.inspect().refs).toBe(0);
      peer.close();
      await within(told.closed, 'close');
    });

    testDeferred('T52 the reactor closed by a handler: it is closed, and told so', async () => {
      const told = record({ data: () => context.reactor.close() });
      const peer = peerWith(listenDeferred(told.handlers), 'x');
      expect(failureOf(await within(told.closed, 'close'))?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect(await peer.receiveToEnd()).toEqual(Buffer.alloc(0));
    });

    testDeferred(
      'T52 the listener shut down by a handler: its connection is one of those that end',
      async () => {
        const result: unknown[] = [];
        const told = record({
          data(connection) {
            const listener = connection.listener as TcpListener;
            void listener.shutdown({ signal: AbortSignal.abort() }).then((value) => result.push(value));
          },
        });
        peerWith(listenDeferred(told.handlers), 'x');
        expect(failureOf(await within(told.closed, 'close'))?.code).toBe('ERR_TRIPOLL_CLOSED');
        await until(() => result.length === 1, 'shutdown');
        expect(result).toEqual([{ finished: 0, closed: 1 }]);
      },
    );

    testDeferred('T02 an fd that a handler closed behind the library is not closed again', async () => {
      const { AF_INET, SOCK_DGRAM, SOCK_CLOEXEC, SOCK_NONBLOCK, F_GETFD } = sys.constants;
      let other: Registration | null = null;
      const told = record({
        data({ fd }) {
          sys.close(fd);
          // The lowest free number: the one that was closed. The library may still read from it.
          expect(sys.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK)).toBe(fd);
          other = context.reactor.register(fd, Interest.READABLE, { onReady: () => undefined });
        },
      });
      peerWith(listenDeferred(told.handlers), 'x');
      expect(failureOf(await within(told.closed, 'close'))?.code).toBe('EEXIST');
      const { fd } = other as unknown as Registration;
      expect(sys.fcntl(fd, F_GETFD)).toBeGreaterThanOrEqual(0);
      expect((other as unknown as Registration).deregister()).toBe(true);
      sys.close(fd);
    });

    testDeferred('an option that is set later counts', async () => {
      const seen: number[] = [];
      const told = record({
        data(connection) {
          seen.push(registrations());
          connection.close();
        },
      });
      const listener = context.listen(told.handlers);
      await peerWith(listener, 'x').receiveToEnd();
      listener.setOption('tcpDeferAcceptSeconds', 30);
      await peerWith(listener, 'x').receiveToEnd();
      expect(seen).toEqual([2, 1]);
    });
  });
}
