import { sys } from 'tripoll/raw';
import { DatagramBatch, UdpSocket } from 'tripoll/net';
import { deferred, rejection, type Context } from '../../tools.js';
import { testIf } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { isWindows } from '../../../support/platform.js';
import { bound, bytesOf, connected, endpoint, has, hostPortOf } from '../tools.js';

const ROOM = 100;
const closed = { name: 'Error', code: 'ERR_TRIPOLL_CLOSED' };

export function describeLife(context: Context): void {
  describe('the end', () => {
    test('close rejects what waits, and all that comes after; twice is once', async () => {
      const socket = await bound(
        context,
        has('IP_RECVERR') ? { socketOptions: { receiveErrors: true } } : {},
      );
      const waiting = [socket.receive(new Uint8Array(ROOM)), socket.receiveError()].map(rejection);
      socket.close();
      socket.close();
      expect(await within(Promise.all(waiting), 'rejections')).toEqual([closed, closed]);
      const batch = new DatagramBatch();
      const after = [
        socket.receive(new Uint8Array(ROOM)),
        socket.recvMany(batch),
        socket.send(bytesOf('x'), '127.0.0.1:9'),
        socket.sendMany(batch),
        socket.receiveError(),
      ];
      expect(await Promise.all(after.map(rejection))).toEqual(Array(5).fill(closed));
      expect(socket).toMatchObject({ closed: true, localAddress: undefined, remoteAddress: undefined });
    });

    test('dispose and asyncDispose close', async () => {
      const [one, two] = [await bound(context), await bound(context)];
      one[Symbol.dispose]();
      await two[Symbol.asyncDispose]();
      expect([one.closed, two.closed]).toEqual([true, true]);
    });

    test('idle: closed with a TimeoutError', async () => {
      const server = await bound(context);
      const idle = await connected(context, server, { idleTimeoutMs: 20 });
      const waiting = rejection(idle.receive(new Uint8Array(ROOM)));
      expect(await within(waiting, 'the idle timeout')).toEqual({
        name: 'TimeoutError',
        code: 'ERR_TRIPOLL_TIMEOUT',
      });
      expect(idle.closed).toBe(true);
    });

    test('each datagram, sent or received, counts as traffic', async () => {
      const server = await bound(context);
      const busy = await connected(context, server, { idleTimeoutMs: 60_000 });
      const { idle } = busy as unknown as { idle: { touch(idler: unknown): void } };
      const touch = jest.spyOn(idle, 'touch');
      const batch = new DatagramBatch();
      batch.push(bytesOf('x'));
      await busy.send(bytesOf('x'));
      expect(touch).toHaveBeenCalledTimes(1);
      await busy.sendMany(batch);
      expect(touch).toHaveBeenCalledTimes(2);
      await server.send(bytesOf('x'), hostPortOf(busy));
      await within(busy.receive(new Uint8Array(ROOM)), 'receive');
      expect(touch).toHaveBeenCalledTimes(3);
      await server.send(bytesOf('x'), hostPortOf(busy));
      await within(busy.recvMany(batch), 'recvMany');
      expect(touch).toHaveBeenCalledTimes(4);
    });

    const testStrangers = testIf(context.features.strangers !== false, 'sockets have no inode here (T09)');
    testStrangers('T02 an fd that was closed behind us is not closed again', async () => {
      const over = deferred<Error | null>();
      const server = endpoint(context, {
        datagrams: () => undefined,
        close: (_self, error) => over.resolve(error),
      });
      const { fd } = server as unknown as { fd: number };
      sys.close(fd);
      // Its number, taken by another.
      const other = await bound(context);
      const taken = (other as unknown as { fd: number }).fd;
      server.pause();
      server.resume();
      server.close();
      await within(over.promise, 'close');
      expect(server.closed).toBe(true);
      // On Windows an event or a file may have been quicker: all handles share their numbers.
      if (!isWindows) expect(taken).toBe(fd);
      const peer = await connected(context, other);
      await peer.send(bytesOf('alive'));
      expect((await within(other.receive(new Uint8Array(ROOM)), 'receive')).lengthBytes).toBe(5);
    });

    test('ref and unref are the registration’s', async () => {
      const socket = await bound(context);
      expect(socket.unref()).toBe(socket);
      expect(socket.ref()).toBe(socket);
      await until(() => hostPortOf(socket).port > 0, 'it is open');
    });

    test('an abort while connecting, and one before', async () => {
      const aborter = new AbortController();
      const connecting = UdpSocket.connect('localhost:9', {
        reactor: context.reactor,
        signal: aborter.signal,
      });
      aborter.abort();
      expect(await rejection(connecting)).toEqual({ name: 'AbortError', code: 'ABORT_ERR' });
      expect(await rejection(UdpSocket.connect('localhost:9', { signal: aborter.signal }))).toEqual({
        name: 'AbortError',
        code: 'ABORT_ERR',
      });
    });
  });
}
