// UDP sockets, and any fd, that go from one reactor to another.
import { AsyncFd, attach, discardHandle, UdpSocket } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { testAnyFd } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { closed, state, thrownBy, timedOut, unsupported } from '../../../support/errors.js';
import { openSocketPair } from '../../../support/pairs.js';
import { replaceByStranger } from '../../../support/stranger.js';
import { rejection, type Context } from '../../tools.js';
import { bound, bytesOf, connected, endpoint, fullFor, hostPortOf, swapped } from '../../udp/tools.js';
import { detached, otherReactor, sent } from '../tools.js';

export function describeDatagrams(context: Context): void {
  describe('a UdpSocket', () => describeSockets(context));
  describe('a UdpEndpoint', () => describeEndpoints(context));
}

function describeSockets(context: Context): void {
  test('datagrams that nobody has received go along, and its options', async () => {
    const socket = await bound(context, { socketOptions: { ttl: 7 } });
    const address = hostPortOf(socket);
    const sender = await bound(context);
    const receiving = rejection(socket.receive(new Uint8Array(8)));
    const handle = await socket.detach();
    expect([await receiving, socket.closed, socket.fd]).toEqual([detached, true, -1]);
    expect(await rejection(socket.receive(new Uint8Array(8)))).toEqual(detached);
    expect(await rejection(socket.detach())).toEqual(detached);
    await sender.send(bytesOf('hello'), address);
    const reactor = otherReactor(context);
    const again = context.own(attach(sent(handle), { reactor }));
    expect([again.reactor, again.getOption('ttl'), hostPortOf(again)]).toEqual([reactor, 7, address]);
    const { lengthBytes } = await within(again.receive(new Uint8Array(8)), 'receive');
    expect(lengthBytes).toBe(5);
    expect(thrownBy(() => attach(handle, { reactor }))).toEqual(closed);
  });

  test('a connected one stays so', async () => {
    const socket = await bound(context);
    const client = await connected(context, socket);
    const again = context.own(attach(await client.detach(), { reactor: otherReactor(context) }));
    expect(again.remoteAddress?.port).toBe(hostPortOf(socket).port);
    await again.send(bytesOf('hi'));
    expect((await within(socket.receive(new Uint8Array(8)), 'receive')).lengthBytes).toBe(2);
  });

  test('waits for sends that wait; is whole when the time was up', async () => {
    const socket = await bound(context);
    const sender = await connected(context, socket);
    await swapped('udpSend', fullFor(1e9), async () => {
      const sending = rejection(sender.send(bytesOf('x'), undefined, { timeoutMs: 100 }));
      expect(await rejection(sender.detach({ timeoutMs: 1 }))).toEqual(timedOut);
      expect(await sending).toEqual(timedOut);
    });
    await swapped('udpSend', fullFor(2), async () => {
      const sending = sender.send(bytesOf('hello'));
      const handle = await within(sender.detach(), 'detach');
      expect(await sending).toBe(5);
      expect(discardHandle(handle)).toBe(true);
    });
    expect((await within(socket.receive(new Uint8Array(8)), 'receive')).lengthBytes).toBe(5);
  });

  test('what cannot be attached as it is said stays as it was', async () => {
    const handle = await (await bound(context)).detach();
    const { reactor } = context;
    expect(thrownBy(() => attach(handle, { reactor, idleTimeoutMs: -1 })).name).toBe('RangeError');
    expect(thrownBy(() => attach(handle, { reactor, socketOptions: { ttl: 1000 } })).name).toBe('RangeError');
    expect(thrownBy(() => attach(handle, { reactor, handlers: { close: 1 } } as never)).name).toBe(
      'TypeError',
    );
    const again = context.own(attach(handle, { reactor }));
    expect(again.closed).toBe(false);
  });

  test('T02 not a number that a stranger has by now', async () => {
    const socket = context.own(await UdpSocket.bind('127.0.0.1:0', { reactor: context.reactor }));
    const stranger = replaceByStranger(socket.fd);
    const handle = await socket.detach().catch(() => null);
    expect([stranger.isOpen(), socket.closed]).toEqual([true, true]);
    if (handle !== null) discardHandle(handle);
    else stranger.close();
  });
}

function describeEndpoints(context: Context): void {
  test('`close` is told, and the next owner gets what comes', async () => {
    let ended: unknown = 'not yet';
    const first = endpoint(context, { close: (_endpoint, error) => (ended = error) });
    const address = hostPortOf(first);
    const sender = await bound(context);
    await sender.send(bytesOf('one'), address);
    const handle = await first.detach();
    await until(() => ended === null, 'close');
    expect(await rejection(first.detach())).toEqual(closed);
    const lengths: number[] = [];
    const again = context.own(
      attach(sent(handle), {
        reactor: otherReactor(context),
        capacity: 4,
        handlers: { datagrams: (_endpoint, batch) => void lengths.push(batch.lengthBytes(0)) },
      }),
    );
    await until(() => lengths.length === 1, 'a datagram');
    await sender.send(bytesOf('second'), hostPortOf(again));
    await until(() => lengths.length === 2, 'another');
    expect(lengths).toEqual([3, 6]);
  });
}

export function describeAnyFd(context: Context): void {
  describe('an AsyncFd', () => {
    function openPair(): [number, number] {
      const fds: number[] = [];
      expect(openSocketPair(fds, sys.constants.SOCK_NONBLOCK)).toBe(0);
      return fds as [number, number];
    }

    test('who waits is rejected, and what is unread goes along', async () => {
      const [fd, other] = openPair();
      const io = context.own(new AsyncFd(fd, { reactor: context.reactor, own: true, nonBlocking: false }));
      const waiting = rejection(io.readable());
      const handle = await io.detach();
      expect([await waiting, io.closed]).toEqual([detached, true]);
      expect(await rejection(io.detach())).toEqual(detached);
      io.close();
      sys.send(other, Buffer.from('hello'));
      const reactor = otherReactor(context);
      const again = context.own(attach(sent(handle), { reactor, nonBlocking: false }));
      const receive = (number: number) => sys.recv(number, new Uint8Array(8), 0, 8);
      expect(await within(again.io(1, receive, 'recv'), 'io')).toBe(5);
      expect(thrownBy(() => attach(handle, { reactor }))).toEqual(closed);
      const last = await again.detach();
      expect(thrownBy(() => attach(last, { reactor, handlers: {} } as never))).toEqual(unsupported);
      expect(thrownBy(() => attach(last, { reactor, interest: 64 })).name).toBe('RangeError');
      expect(discardHandle(last)).toBe(true);
      sys.close(other);
    });

    test('not an fd that is its user’s', async () => {
      const [fd, other] = openPair();
      const io = context.own(new AsyncFd(fd, { reactor: context.reactor, nonBlocking: false }));
      expect(await rejection(io.detach())).toEqual(state);
      expect(io.closed).toBe(false);
      io.close();
      for (const each of [fd, other]) sys.close(each);
    });

    testAnyFd('O_NONBLOCK is as before on the way, and in the end', async () => {
      const { F_GETFL, O_NONBLOCK } = sys.constants;
      const fds: number[] = [];
      sys.pipe2(fds, 0);
      const [readEnd = -1, writeEnd = -1] = fds;
      const isNonBlocking = (): boolean => (sys.fcntl(readEnd, F_GETFL) & O_NONBLOCK) !== 0;
      const io = context.own(new AsyncFd(readEnd, { reactor: context.reactor, own: true }));
      const seen = [isNonBlocking()];
      const handle = await io.detach();
      seen.push(isNonBlocking());
      const again = context.own(attach(handle, { reactor: otherReactor(context) }));
      seen.push(isNonBlocking());
      expect(seen).toEqual([true, false, true]);
      sys.write(writeEnd, Buffer.from('hello'));
      expect(await within(again.read(new Uint8Array(8)), 'read')).toBe(5);
      again.close();
      sys.close(writeEnd);
    });
  });
}
