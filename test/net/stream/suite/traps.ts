import { Readiness } from 'tripoll';
import { connect } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { testConnecting, testReset } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { isWindows } from '../../../support/platform.js';
import { closeForeign, replaceByStranger } from '../../../support/stranger.js';
import {
  fdOf,
  failureOf,
  LOOPBACK,
  portOf,
  pretendAllReady,
  pretendReady,
  RawPeer,
  record,
  rejection,
  setInterest,
  turnOf,
  type Context,
} from '../../tools.js';
import { DeafPort } from '../tools.js';

const { WRITABLE, READABLE } = Readiness;

/** What a write to the stranger says; Wine says ECONNRESET of a socket that is not connected. */
const NO_STREAM = (isWindows ? expect.stringMatching(/^(ENOTCONN|ECONNRESET)$/) : 'ENOTSOCK') as string;

export function describeTraps(context: Context): void {
  test('T15 a registration persists: messages cost no call that changes it', async () => {
    const { peer, connection } = await context.accepted({ data: (c, chunk) => c.write(chunk) });
    const changes = (['pollerAdd', 'pollerModify', 'pollerDelete'] as const).map((name) =>
      jest.spyOn(native, name),
    );
    try {
      for (let i = 0; i < 50; i++) {
        peer.send('ping');
        expect((await peer.receiveBytes(4)).toString()).toBe('ping');
      }
      expect(changes.map((change) => change.mock.calls.length)).toEqual([0, 0, 0]);
      connection.close();
      expect(changes.map((change) => change.mock.calls.length)).toEqual([0, 0, 1]);
    } finally {
      for (const change of changes) change.mockRestore();
    }
  });

  describe('T02 the fd is closed behind the stream', () => {
    test("T02 handlers: a write tells it, and the stranger's fd stays open", async () => {
      const { connection, told } = await context.accepted();
      const stranger = replaceByStranger(fdOf(connection));
      expect(connection.write(Buffer.from('x'))).toBe(false);
      expect(failureOf(await within(told.closed, 'close'))).toEqual({ name: 'Error', code: NO_STREAM });
      expect(told.events).toEqual(['open', 'error', 'close']);
      expect(stranger.isOpen()).toBe(true);
      stranger.close();
    });

    test("T02 promises: a write tells it, and the stranger's fd stays open", async () => {
      const { stream } = await context.acceptedStream();
      const reading = rejection(stream.read(new Uint8Array(1)));
      const stranger = replaceByStranger(fdOf(stream));
      expect(await rejection(stream.writeAll(Buffer.from('x')))).toEqual({ name: 'Error', code: NO_STREAM });
      expect(await reading).toEqual({ name: 'Error', code: NO_STREAM });
      expect(stranger.isOpen()).toBe(true);
      stranger.close();
    });

    test('T02 the number is nobody’s: EBADF', async () => {
      const { connection, told } = await context.accepted();
      closeForeign(fdOf(connection));
      connection.write(Buffer.from('x'));
      // Under poll(2) the poller itself may be first to find out; it says the same.
      expect(failureOf(await within(told.closed, 'close'))).toEqual({ name: 'Error', code: 'EBADF' });
    });

    test('T02 a new interest finds out, and nothing else does', async () => {
      const { connection, told } = await context.accepted();
      const stranger = replaceByStranger(fdOf(connection));
      setInterest(connection, 0);
      const error = await within(told.closed, 'close');
      expect(failureOf(error)?.code).toMatch(/^(ENOENT|EBADF|ENOTCONN|ECONNRESET)$/);
      expect(told.events).toEqual(['open', 'error', 'close']);
      expect(stranger.isOpen()).toBe(true);
      stranger.close();
    });

    test('T02 a new interest finds out that the fd has gone: told once, never added again', async () => {
      const { connection, told } = await context.accepted();
      connection.cork();
      const stranger = replaceByStranger(fdOf(connection));
      connection.write(Buffer.from('x'));
      connection.write(Buffer.from('y'));
      connection.uncork();
      expect(failureOf(await within(told.closed, 'close'))?.code).toMatch(
        /^(ENOENT|EBADF|ENOTSOCK|ENOTCONN|ECONNRESET)$/,
      );
      expect(told.events).toEqual(['open', 'error', 'close']);
      expect(stranger.isOpen()).toBe(true);
      stranger.close();
    });
  });

  describe('T17 data and FIN in one event', () => {
    test('T17 handlers', async () => {
      const told = record();
      const listener = context.listen(told.handlers);
      // All of it happens before the reactor's next turn.
      const peer = context.own(new RawPeer(portOf(listener)));
      peer.send('all of it');
      peer.endWrite();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
      expect(told.bytes().toString()).toBe('all of it');
    });

    test('T17 handlers, on a connection that has long been open', async () => {
      const { told, peer } = await context.accepted();
      await turnOf(context.reactor);
      peer.send('all of it');
      peer.endWrite();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
    });

    test('T17 promises', async () => {
      const { stream, peer } = await context.acceptedStream();
      const buffer = new Uint8Array(100);
      const reading = stream.read(buffer);
      await turnOf(context.reactor);
      peer.send('all of it');
      peer.endWrite();
      expect(await within(reading, 'read')).toBe(9);
      expect(await within(stream.read(buffer), 'the end')).toBe(0);
    });

    testReset('T17 data and RST in one event: the error is told', async () => {
      const { told, peer } = await context.accepted();
      peer.send('x');
      peer.reset();
      expect(failureOf(await within(told.closed, 'close'))).toEqual({ name: 'Error', code: 'ECONNRESET' });
      expect(told.events.at(-1)).toBe('close');
    });
  });

  describe('T44 spurious readiness', () => {
    test('T44 handlers: nothing to read, nothing to write', async () => {
      const { connection, told, peer } = await context.accepted({ data: (c, chunk) => c.write(chunk) });
      pretendReady(connection, READABLE | WRITABLE);
      await turnOf(context.reactor);
      expect(told.events).toEqual(['open']);
      peer.send('abc');
      expect((await peer.receiveBytes(3)).toString()).toBe('abc');
    });

    test('T44 promises: a read goes on waiting', async () => {
      const { stream, peer } = await context.acceptedStream();
      const reading = stream.read(new Uint8Array(10));
      pretendReady(stream, READABLE | WRITABLE);
      await turnOf(context.reactor);
      peer.send('abc');
      expect(await within(reading, 'read')).toBe(3);
    });

    test('T44 another reader takes the bytes before us', async () => {
      const { connection, told, peer } = await context.accepted();
      const { stream, peer: other } = await context.acceptedStream();
      const reading = stream.read(new Uint8Array(10));
      await turnOf(context.reactor);
      const stolen = Buffer.alloc(10);
      peer.send('stolen');
      other.send('stolen');
      expect(sys.recv(fdOf(connection), stolen)).toBe(6);
      expect(sys.recv(fdOf(stream), stolen)).toBe(6);
      await turnOf(context.reactor);
      await turnOf(context.reactor);
      expect(told.events).toEqual(['open']);
      peer.send('ours');
      other.send('ours!');
      expect(await within(reading, 'read')).toBe(5);
      await until(() => told.received() === 4, 'data');
    });

    test('T44 a listener whose connection another took', async () => {
      const { told, listener } = await context.accepted();
      const peer = context.own(new RawPeer(portOf(listener)));
      const stolen = sys.accept4(listenerFd(listener), 0);
      expect(stolen).toBeGreaterThan(0);
      await turnOf(context.reactor);
      expect(told.events).toEqual(['open']);
      sys.close(stolen);
      expect((await peer.receiveToEnd()).length).toBe(0);
    });

    testConnecting('T44 while connecting: not open before it is connected', async () => {
      const { port } = context.own(new DeafPort());
      const waiting = Array.from({ length: 3 }, () => {
        const told = record();
        return {
          told,
          connection: connect({ host: LOOPBACK, port, reactor: context.reactor }, told.handlers),
        };
      });
      for (let i = 0; i < 5; i++) await turnOf(context.reactor);
      const pending = waiting.filter(({ told }) => !told.events.includes('open'));
      expect(pending.length).toBeGreaterThan(0);
      pretendAllReady(context.reactor, WRITABLE | READABLE);
      await turnOf(context.reactor);
      for (const { told } of pending) expect(told.events).toEqual([]);
      for (const { connection } of waiting) connection.close();
      for (const { told } of waiting) expect(await within(told.closed, 'close')).toBeNull();
    });
  });
}

/** The listener's own fd is nobody's business: found by what it is bound to. */
function listenerFd(listener: { localAddress: { port: number } | undefined }): number {
  const wanted = listener.localAddress?.port;
  const accepting = new Uint8Array(4);
  const { SOL_SOCKET, SO_ACCEPTCONN = 30 } = sys.constants;
  // Of Windows' numbers each fourth is one, and one process has run all suites there.
  for (let fd = 3; fd < 16_384; fd++) {
    const name: { port?: number } = {};
    if (sys.getsockname(fd, name) !== 0 || name.port !== wanted) continue;
    if (sys.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, accepting) > 0 && accepting[0] === 1) return fd;
  }
  throw new Error('no listening fd was found');
}
