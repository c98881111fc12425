// A socket given to somebody else, a peer that leaves while nobody reads, and a listener's
// connections.
import { TcpStream } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { testIf, testReset } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { closed, thrownBy } from '../../../support/errors.js';
import { failureOf, portOf, record, rejection, turnOf, type Context } from '../../tools.js';
import { blockedStream, peerOf } from '../tools.js';

const busy = { name: 'Error', code: 'ERR_TRIPOLL_BUSY' };

export function describeGivingAway(context: Context): void {
  describe('intoFd', () => {
    test('promises: the socket lives on, unread bytes included', async () => {
      const { stream, peer } = await context.acceptedStream();
      peer.send('unread');
      await within(stream.readable(), 'readable');
      const fd = stream.intoFd();
      expect([stream.closed, stream.fd]).toEqual([true, -1]);
      expect(await rejection(stream.read(new Uint8Array(1)))).toEqual(closed);
      const again = context.own(await TcpStream.fromFd(fd, { reactor: context.reactor }));
      const buffer = new Uint8Array(64);
      expect(await within(again.read(buffer), 'read')).toBe(6);
      await again.writeAll(Buffer.from('hello'));
      expect((await peer.receiveBytes(5)).toString()).toBe('hello');
    });

    test('handlers: close is told, and the socket lives on', async () => {
      const { connection, told, peer, listener } = await context.accepted();
      const fd = connection.intoFd();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(listener.connections).toBe(0);
      expect(sys.send(fd, Buffer.from('x'))).toBe(1);
      expect((await peer.receiveBytes(1)).toString()).toBe('x');
      expect(sys.close(fd)).toBe(0);
    });

    test('not while a read or a write waits, nor when it is closed', async () => {
      const { stream } = await blockedStream(context);
      const write = rejection(stream.writeAll(Buffer.from('x')));
      expect(thrownBy(() => stream.intoFd())).toEqual(busy);
      stream.close();
      await write;
      expect(thrownBy(() => stream.intoFd())).toEqual(closed);
      const { stream: other } = await context.acceptedStream();
      const read = rejection(other.read(new Uint8Array(1)));
      expect(thrownBy(() => other.intoFd())).toEqual(busy);
      other.close();
      await read;
    });
  });

  testIf(context.features.priority !== false, 'this kqueue has no EVFILT_EXCEPT')(
    'intoFd: not while urgent data is waited for',
    async () => {
      const { stream } = await context.acceptedStream();
      const urgent = rejection(stream.receiveUrgent());
      expect(thrownBy(() => stream.intoFd())).toEqual(busy);
      stream.close();
      expect(await urgent).toEqual(closed);
    },
  );

  describe('peerSignal', () => {
    test('promises: the peer’s end aborts it while nobody reads', async () => {
      const { stream, peer } = await context.acceptedStream();
      const { peerSignal } = stream;
      expect(stream.peerSignal).toBe(peerSignal);
      await turnOf(context.reactor);
      expect(peerSignal.aborted).toBe(false);
      peer.endWrite();
      await until(() => peerSignal.aborted, 'abort');
      expect(failureOf(peerSignal.reason)).toEqual(closed);
      expect(stream.closed).toBe(false);
      await stream.writeAll(Buffer.from('bye'));
    });

    testReset('promises: a reset aborts it', async () => {
      const { stream, peer } = await context.acceptedStream();
      const { peerSignal } = stream;
      peer.reset();
      await until(() => peerSignal.aborted, 'abort');
    });

    test('handlers: the peer’s end aborts it, paused too', async () => {
      const { connection, peer } = await context.accepted({ open: (opened) => void opened.pause() });
      const { peerSignal } = connection;
      peer.endWrite();
      await until(() => peerSignal.aborted, 'abort');
    });

    testIf(context.features.edge, 'poll(2) tells of an end beside POLLIN alone (T59)')(
      'promises: also an end behind bytes that nobody has read',
      async () => {
        const { stream, peer } = await context.acceptedStream();
        const { peerSignal } = stream;
        peer.send('unread');
        peer.endWrite();
        await until(() => peerSignal.aborted, 'abort');
        expect([stream.readEnded, stream.bytesRead]).toEqual([false, 0]);
      },
    );

    test('promises: an end that a read finds first aborts it at once', async () => {
      const { stream, peer } = await context.acceptedStream();
      const { peerSignal } = stream;
      peer.send('x');
      await within(stream.readable(), 'readable');
      peer.endWrite();
      // Before the next turn, in which the system would tell of it.
      const one = new Uint8Array(1);
      expect([stream.tryRead(one), stream.tryRead(one)]).toEqual([1, 0]);
      expect(peerSignal.aborted).toBe(true);
    });

    test('handlers: who closes when a read finds the end hears of none', async () => {
      const { connection, told, peer } = await context.accepted({
        open: (opened) => void opened.pause(),
        data: () => peer.endWrite(),
      });
      connection.peerSignal.addEventListener('abort', () => connection.close());
      // As much as one read takes, if the system has room for it: the next one finds the end, and
      // no event has told of it.
      peer.fill(new Uint8Array(65_536));
      connection.resume();
      expect(await within(told.closed, 'close')).toBeNull();
      expect([...new Set(told.events)]).toEqual(['open', 'data', 'close']);
    });

    test('handlers: who closes when it aborts hears of no end', async () => {
      const { connection, told, peer } = await context.accepted();
      connection.peerSignal.addEventListener('abort', () => connection.close());
      peer.endWrite();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'close']);
    });

    test('closing aborts it; asked for too late it is aborted already', async () => {
      const { stream, peer } = await context.acceptedStream();
      const { peerSignal } = stream;
      stream.close();
      expect(peerSignal.aborted).toBe(true);
      expect(stream.peerSignal.aborted).toBe(true);
      peer.close();
      const { stream: other, peer: otherPeer } = await context.acceptedStream();
      otherPeer.endWrite();
      expect(await within(other.read(new Uint8Array(1)), 'the end')).toBe(0);
      expect(other.peerSignal.aborted).toBe(true);
    });
  });

  describe('a listener’s connections', () => {
    test('handlers: those that are open now', async () => {
      const listener = context.listen({ open: (opened) => (opened.data = 'mine') });
      const peers = [peerOf(context, listener), peerOf(context, listener)];
      await until(() => listener.connections === 2, 'open');
      const other = await context.accepted();
      expect(listener.openConnections().map((connection) => 'data' in connection && connection.data)).toEqual(
        ['mine', 'mine'],
      );
      expect(other.listener.openConnections()).toEqual([other.connection]);
      peers[0]!.endWrite();
      await until(() => listener.connections === 1, 'one has left');
      expect(listener.openConnections()).toHaveLength(1);
    });

    test('promises: those that were accepted', async () => {
      const listener = await context.bind();
      const client = await context.stream(portOf(listener));
      const { stream } = await within(listener.accept(), 'accept');
      expect(listener.openConnections()).toEqual([context.own(stream)]);
      listener.close();
      expect(listener.openConnections()).toEqual([stream]);
      client.close();
    });

    test('shutdown calls eachConnection, which may end those that are idle', async () => {
      const told = record();
      const listener = context.listen(told.handlers);
      const peers = [peerOf(context, listener), peerOf(context, listener)];
      await until(() => listener.connections === 2, 'open');
      const seen: unknown[] = [];
      const shutting = listener.shutdown({
        eachConnection(connection) {
          seen.push(connection);
          connection.end();
        },
      });
      expect(seen).toHaveLength(2);
      for (const peer of peers) {
        expect(await peer.receiveToEnd()).toHaveLength(0);
        peer.close();
      }
      expect(await within(shutting, 'shutdown')).toEqual({ finished: 2, closed: 0 });
    });

    test('shutdown refuses what it does not know', async () => {
      const listener = context.listen();
      expect((await rejection(listener.shutdown({ timeout: 1 } as never)))?.name).toBe('TypeError');
      expect((await rejection(listener.shutdown({ eachConnection: 1 } as never)))?.name).toBe('TypeError');
      expect(listener.closed).toBe(false);
    });
  });
}
