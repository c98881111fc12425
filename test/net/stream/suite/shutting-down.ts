// shutdown() of a listener: its connections may finish, but not for ever.
import { until, within } from '../../../support/deadline.js';
import { invalidType } from '../../../support/errors.js';
import { failureOf, portOf, record, rejection, turnOf, type Context } from '../../tools.js';
import { heldBy, listenersOf, peerOf } from '../tools.js';

export function describeShuttingDown(context: Context): void {
  describe('shutdown of a listener', () => {
    test('handlers: it accepts no more, and settles when the last connection has closed by itself', async () => {
      const told: string[] = [];
      const listener = context.listen({
        data: (connection, chunk) => connection.write(chunk),
        close: () => void told.push('close'),
      });
      const peers = [peerOf(context, listener), peerOf(context, listener)];
      await until(() => listener.connections === 2, 'open');
      const shutting = listener.shutdown({ timeoutMs: 10_000 }).then((result) => {
        told.push('shut down');
        return result;
      });
      expect(listener.closed).toBe(true);
      // Who is served goes on being served.
      peers[0]!.send('last words');
      expect((await peers[0]!.receiveBytes(10)).toString()).toBe('last words');
      peers[0]!.endWrite();
      await until(() => told.length === 1, 'the first');
      await turnOf(context.reactor);
      expect(told).toEqual(['close']);
      peers[1]!.endWrite();
      expect(await within(shutting, 'shutdown')).toEqual({ finished: 2, closed: 0 });
      expect(told).toEqual(['close', 'close', 'shut down']);
      expect(heldBy(context.reactor)).toEqual({ timers: 0, refs: 0 });
    });

    test.each(['timeoutMs', 'signal'])('handlers: its %s closes the rest, and nobody else’s', async (how) => {
      const other = await context.accepted();
      const told = record();
      const listener = context.listen(told.handlers);
      const [staying, leaving] = [peerOf(context, listener), peerOf(context, listener)];
      await until(() => listener.connections === 2, 'open');
      const controller = new AbortController();
      const { signal } = controller;
      const shutting = listener.shutdown(how === 'signal' ? { signal } : { timeoutMs: 100 });
      leaving.endWrite();
      await until(() => listener.connections === 1, 'one has left');
      expect(told.errors).toEqual([]);
      controller.abort();
      expect(await within(shutting, 'shutdown')).toEqual({ finished: 1, closed: 1 });
      expect(told.errors.map((error) => failureOf(error)?.code)).toEqual(['ERR_TRIPOLL_CLOSED']);
      expect(told.events.at(-1)).toBe('close');
      expect(await staying.receiveToEnd()).toEqual(Buffer.alloc(0));
      expect(other.connection.closed).toBe(false);
      expect(listenersOf(signal)).toBe(0);
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('handlers: a signal that was aborted before closes all at once', async () => {
      const { listener, told } = await context.accepted();
      const shutting = listener.shutdown({ signal: AbortSignal.abort() });
      expect(await within(shutting, 'shutdown')).toEqual({ finished: 0, closed: 1 });
      expect(failureOf(await within(told.closed, 'close'))?.code).toBe('ERR_TRIPOLL_CLOSED');
    });

    test('promises: accepts and loops end, reads go on until the time is up', async () => {
      const listener = await context.bind();
      const peer = peerOf(context, listener);
      const { stream } = await within(listener.accept(), 'accept');
      const accepting = rejection(listener.accept());
      const loop = (async () => {
        for await (const another of listener) context.own(another);
      })();
      const shutting = listener.shutdown({ timeoutMs: 50 });
      expect((await accepting)?.code).toBe('ERR_TRIPOLL_CLOSED');
      await within(loop, 'the loop');
      peer.send('x');
      expect(await within(stream.read(new Uint8Array(2)), 'read')).toBe(1);
      expect((await rejection(stream.read(new Uint8Array(2))))?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect(await within(shutting, 'shutdown')).toEqual({ finished: 0, closed: 1 });
    });

    test('with none, once more, after close, and by two at a time', async () => {
      const none = await context.bind();
      expect(await none.shutdown()).toEqual({ finished: 0, closed: 0 });
      expect(await none.shutdown()).toEqual({ finished: 0, closed: 0 });

      const { listener, connection, told } = await context.accepted();
      listener.close();
      const patient = listener.shutdown();
      const hasty = listener.shutdown({ timeoutMs: 20 });
      expect(await within(hasty, 'the hasty')).toEqual({ finished: 0, closed: 1 });
      // Not by its own doing.
      expect(await within(patient, 'the patient')).toEqual({ finished: 1, closed: 0 });
      expect(connection.closed).toBe(true);
      await within(told.closed, 'close');
    });

    test('a connection that was connected to it lives on; wrong options touch nothing', async () => {
      const listener = context.listen({});
      const client = context.connect(portOf(listener));
      await until(() => listener.connections === 1, 'open');
      expect(await rejection(listener.shutdown({ timeoutMs: 'x' as never }))).toEqual(invalidType);
      expect(await rejection(listener.shutdown(5 as never))).toEqual(invalidType);
      expect(listener.closed).toBe(false);
      const shutting = listener.shutdown({ timeoutMs: 0 });
      await within(shutting, 'shutdown');
      await until(() => client.closed, 'its peer has gone');
    });

    test('the reactor is closed meanwhile', async () => {
      const { listener, told } = await context.accepted();
      const shutting = listener.shutdown();
      context.reactor.close();
      expect(await within(shutting, 'shutdown')).toEqual({ finished: 1, closed: 0 });
      expect(failureOf(await within(told.closed, 'close'))?.code).toBe('ERR_TRIPOLL_CLOSED');
    });
  });
}
