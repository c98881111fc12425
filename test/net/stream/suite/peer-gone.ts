// That the peer is gone is told to who does not read, too: paused, idle, past the end.
import { listenUnix, UnixStream, type UnixHandlers } from 'tripoll/net';
import { testIf, testLateReset, testReset, testResetAfterBytes } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { isWindows } from '../../../support/platform.js';
import { expectNoSpin, failureOf, record, rejection, turnOf, type Context } from '../../tools.js';
import { newPath } from '../../unix/tools.js';

const reset = { name: 'Error', code: 'ECONNRESET' };
const testUnix = testIf(!isWindows, 'Windows’ Unix sockets are not for Node');

export function describePeerGone(context: Context): void {
  const tellsErrors = context.features.errors !== false;
  const testTold = tellsErrors ? testLateReset : testIf(false, 'this poll(2) tells no POLLERR (T19)');
  const openAndPause = { open: (opened: { pause(): unknown }) => void opened.pause() };

  describe('the peer is gone, paused connections', () => {
    test('T59 F23 its end comes when nothing is left to read, and ours follows', async () => {
      const { told, peer, connection } = await context.accepted(openAndPause);
      peer.endWrite();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'end', 'close']);
      expect(connection.closed).toBe(true);
    });

    testReset('F23 a reset is told', async () => {
      const { told, peer } = await context.accepted(openAndPause);
      peer.reset();
      expect(failureOf(await within(told.closed, 'close'))).toEqual(reset);
      expect(told.events).toEqual(['open', 'error', 'close']);
    });

    test('F23 after our own end() it closes with the peer’s', async () => {
      const { told, peer } = await context.accepted({
        data(connection) {
          connection.pause();
          connection.end(Buffer.from('bye'));
        },
      });
      peer.send('x');
      expect((await peer.receiveToEnd()).toString()).toBe('bye');
      peer.close();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
    });

    test('F23 bytes and end in one event, paused by the bytes', async () => {
      const { told, peer } = await context.accepted({ data: (connection) => void connection.pause() });
      peer.send('x');
      peer.endWrite();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
    });

    test('F23 what was sent before the end comes first, after resume(), and nobody spins meanwhile', async () => {
      const { told, peer, connection } = await context.accepted(openAndPause);
      peer.send('unread');
      peer.endWrite();
      await expectNoSpin(context.reactor);
      expect(told.events).toEqual(['open']);
      connection.resume();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.bytes().toString()).toBe('unread');
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
    });

    testResetAfterBytes('F23 what was sent before a reset comes first too', async () => {
      const { told, peer, connection } = await context.accepted(openAndPause);
      peer.send('unread');
      await turnOf(context.reactor);
      peer.reset();
      await expectNoSpin(context.reactor);
      expect(told.events).toEqual(['open']);
      connection.resume();
      await within(told.closed, 'close');
      expect(told.bytes().toString()).toBe('unread');
    });

    test('F23 pausing again and again loses nothing, and each pause hears of the end', async () => {
      const { told, peer, connection } = await context.accepted({
        data: (paused) => void paused.pause(),
      });
      for (let received = 1; received <= 3; received++) {
        peer.send('x');
        await until(() => told.received() === received, 'data');
        await expectNoSpin(context.reactor);
        connection.resume();
      }
      connection.pause();
      peer.endWrite();
      expect(await within(told.closed, 'close')).toBeNull();
    });

    testTold('T59 F32 a reset after the peer’s end is told under allowHalfOpen', async () => {
      const { told, peer, listener } = await context.accepted({}, { allowHalfOpen: true });
      peer.endWrite();
      await within(told.ended, 'end');
      await expectNoSpin(context.reactor);
      expect(told.events).toEqual(['open', 'end']);
      peer.reset();
      const error = await within(told.closed, 'close');
      expect(['ECONNRESET', 'EPIPE']).toContain(failureOf(error)?.code);
      expect(told.events).toEqual(['open', 'end', 'error', 'close']);
      expect(await within(listener.shutdown(), 'shutdown')).toEqual({ finished: 0, closed: 0 });
    });
  });

  describe('the peer is gone, streams that nobody reads', () => {
    testReset('T59 F23 a reset closes it; reads and writes say why', async () => {
      const { stream, peer } = await context.acceptedStream();
      peer.reset();
      await until(() => stream.closed, 'closed');
      expect(await rejection(stream.read(new Uint8Array(1)))).toEqual(reset);
      expect(await rejection(stream.write(new Uint8Array(1)))).toEqual(reset);
    });

    test('F23 after our end() it closes with the peer’s', async () => {
      const { stream, peer } = await context.acceptedStream();
      stream.end();
      peer.endWrite();
      await until(() => stream.closed, 'closed');
      expect(await stream.read(new Uint8Array(1))).toBe(0);
    });

    test('F23 the same when what came before the end was read first', async () => {
      const { stream, peer } = await context.acceptedStream();
      peer.send('last');
      peer.endWrite();
      expect(await within(stream.read(new Uint8Array(9)), 'read')).toBe(4);
      stream.end();
      await until(() => stream.closed, 'closed');
    });

    test('F23 the end alone is noted, and writing goes on', async () => {
      const { stream, peer } = await context.acceptedStream();
      peer.endWrite();
      await until(() => stream.readEnded, 'the end');
      await expectNoSpin(context.reactor);
      await within(stream.writeAll(Buffer.from('still here')), 'write');
      expect((await peer.receiveBytes(10)).toString()).toBe('still here');
      expect(await stream.read(new Uint8Array(1))).toBe(0);
    });

    testResetAfterBytes('F23 bytes before a reset are read first', async () => {
      const { stream, peer } = await context.acceptedStream();
      peer.send('unread');
      await turnOf(context.reactor);
      peer.reset();
      await expectNoSpin(context.reactor);
      expect(stream.closed).toBe(false);
      const buffer = Buffer.alloc(9);
      expect(buffer.toString('latin1', 0, await within(stream.read(buffer), 'read'))).toBe('unread');
      expect((await rejection(stream.read(buffer)))?.code).toBe('ECONNRESET');
    });

    testTold('F32 a reset after the peer’s end', async () => {
      const { stream, peer } = await context.acceptedStream();
      peer.endWrite();
      expect(await within(stream.read(new Uint8Array(1)), 'read')).toBe(0);
      await turnOf(context.reactor);
      peer.reset();
      await until(() => stream.closed, 'closed');
    });

    const testUrgent = testIf(context.features.priority !== false, 'this kqueue has no EVFILT_EXCEPT');
    const resetUnder = async (unread: boolean): Promise<void> => {
      const { stream, peer } = await context.acceptedStream();
      const waiting = rejection(stream.receiveUrgent());
      if (unread) peer.send('x');
      await turnOf(context.reactor);
      peer.reset();
      expect(await waiting).toEqual(reset);
      await expectNoSpin(context.reactor);
    };
    const testLone = tellsErrors ? testUrgent : testTold;
    testLone('F32 a lone receiveUrgent() hears of a reset', () => resetUnder(false));
    testLone('F32 also when bytes before it are unread', () => resetUnder(true));

    testUrgent('F32 and of the peer’s end, after which none can come', async () => {
      const { stream, peer } = await context.acceptedStream();
      const waiting = rejection(stream.receiveUrgent());
      peer.endWrite();
      expect((await waiting)?.code).toBe('ERR_TRIPOLL_CLOSED');
      await until(() => stream.readEnded, 'the end');
      expect((await rejection(stream.receiveUrgent()))?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect(stream.closed).toBe(false);
    });
  });

  describe('the peer is gone, Unix sockets', () => {
    const listenPaused = (handlers: UnixHandlers, allowHalfOpen = false): string => {
      const path = newPath();
      context.own(listenUnix({ path, reactor: context.reactor, allowHalfOpen }, handlers));
      return path;
    };
    const connect = (path: string): Promise<UnixStream> =>
      UnixStream.connect(path, { reactor: context.reactor });

    testUnix('F23 a paused connection: its end, also after ours; a reset', async () => {
      for (const how of ['close', 'end', 'reset'] as const) {
        const told = record({
          open(connection) {
            connection.pause();
            if (how === 'end') connection.end();
            // What it does not read makes its close a reset (unix(7)).
            if (how === 'reset') connection.write(Buffer.from('unread'));
          },
        });
        const client = context.own(await connect(listenPaused(told.handlers as object)));
        await within(told.opened, 'open');
        client.close();
        const error = await within(told.closed, 'close');
        expect(failureOf(error)).toEqual(how === 'reset' ? reset : null);
        expect(told.events.at(-1)).toBe('close');
      }
    });

    testUnix('F32 its close after its end is for the next write to meet, and nobody spins', async () => {
      const told = record();
      const client = context.own(await connect(listenPaused(told.handlers as object, true)));
      client.end();
      await within(told.ended, 'end');
      client.close();
      await expectNoSpin(context.reactor);
      expect(told.events).toEqual(['open', 'end']);
      (await told.opened).write(Buffer.from('x'));
      expect(failureOf(await within(told.closed, 'close'))?.code).toBe('EPIPE');
    });

    testUnix('F23 a stream that nobody reads', async () => {
      const [ours, peer] = UnixStream.pair({ reactor: context.reactor });
      context.own(ours);
      ours.end();
      peer.close();
      await until(() => ours.closed, 'closed');
    });
  });
}
