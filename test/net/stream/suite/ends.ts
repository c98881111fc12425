import { sys } from 'tripoll/raw';
import { testReset } from '../../../support/applies.js';
import { within } from '../../../support/deadline.js';
import { closed, state, thrownBy } from '../../../support/errors.js';
import { failureOf, pattern, portOf, record, rejection, turnOf, type Context } from '../../tools.js';

const codes = sys.errno;

export function describeEnds(context: Context): void {
  describe('half-close and order of the end', () => {
    test('open, data, end, close: exactly once, close last', async () => {
      const { told, peer } = await context.accepted();
      peer.send('ab');
      peer.endWrite();
      expect(await within(told.closed, 'close')).toBeNull();
      await turnOf(context.reactor);
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
      expect(told.bytes().toString()).toBe('ab');
    });

    test('without allowHalfOpen our side ends once its writes are flushed', async () => {
      // More than a system takes at once, and no more than may be queued.
      const answer = pattern(12_000_000);
      const { told, peer, connection } = await context.accepted({ end: (ended) => void ended.write(answer) });
      peer.endWrite();
      await within(told.ended, 'end');
      expect(connection.closed).toBe(false);
      expect(Buffer.compare(await peer.receiveToEnd(), answer)).toBe(0);
      expect(await within(told.closed, 'close')).toBeNull();
      // `drain` is told where it comes before the close; nobody is owed it here.
      expect(told.events.filter((event) => event !== 'drain')).toEqual(['open', 'end', 'close']);
    });

    test('with allowHalfOpen we can go on writing until our end()', async () => {
      const { connection, told, peer } = await context.accepted({}, { allowHalfOpen: true });
      peer.endWrite();
      await within(told.ended, 'end');
      await turnOf(context.reactor);
      expect(connection.closed).toBe(false);
      expect(connection.readEnded).toBe(true);
      connection.write(Buffer.from('still here'));
      expect((await peer.receiveBytes(10)).toString()).toBe('still here');
      connection.end(Buffer.from('bye'));
      expect(connection.writeEnded).toBe(true);
      expect((await peer.receiveToEnd()).toString()).toBe('bye');
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'end', 'close']);
    });

    test('after our end() the peer can go on writing', async () => {
      const { connection, told, peer } = await context.accepted();
      connection.end(Buffer.from('last words'));
      expect((await peer.receiveToEnd()).toString()).toBe('last words');
      peer.send('answer');
      peer.endWrite();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.bytes().toString()).toBe('answer');
      expect(told.events).toEqual(['open', 'data', 'end', 'close']);
    });

    test('end() sends what is corked', async () => {
      const { connection, told, peer } = await context.accepted();
      connection.cork();
      connection.write(Buffer.from('ab'));
      connection.end(Buffer.from('c'));
      expect((await peer.receiveToEnd()).toString()).toBe('abc');
      peer.endWrite();
      expect(await within(told.closed, 'close')).toBeNull();
    });

    test('write after end() is ERR_TRIPOLL_STATE', async () => {
      const { connection } = await context.accepted();
      connection.end();
      expect(thrownBy(() => connection.write(Buffer.from('x')))).toEqual(state);
      connection.end();
    });

    test('promises: 0 is the end, writing goes on until end()', async () => {
      const { stream, peer } = await context.acceptedStream();
      peer.send('abc');
      peer.endWrite();
      const buffer = new Uint8Array(10);
      expect(await within(stream.read(buffer), 'read')).toBe(3);
      expect(await within(stream.read(buffer), 'read of the end')).toBe(0);
      expect(await within(stream.read(buffer), 'another read of the end')).toBe(0);
      await within(stream.writeAll(Buffer.from('answer')), 'writeAll');
      stream.end();
      expect((await peer.receiveToEnd()).toString()).toBe('answer');
      expect(stream.closed).toBe(true);
      expect(await within(stream.read(buffer), 'read after both ends')).toBe(0);
      expect(await rejection(stream.write(buffer))).toEqual(closed);
    });

    test('promises: end() waits for the writes before it', async () => {
      const { stream, peer } = await context.acceptedStream();
      const sent = pattern(12_000_000);
      const writing = stream.writeAll(sent);
      stream.end();
      expect(await rejection(stream.write(sent))).toEqual({ name: 'Error', code: 'ERR_TRIPOLL_STATE' });
      expect(Buffer.compare(await peer.receiveToEnd(), sent)).toBe(0);
      expect(await within(writing, 'writeAll')).toBe(sent.length);
    });
  });

  describe('close and reset', () => {
    test('close() drops what is queued, is told later and once, and may be called twice', async () => {
      const { connection, told } = await context.accepted();
      connection.write(pattern(8_000_000));
      connection.close();
      connection.close();
      expect(connection.closed).toBe(true);
      expect(told.events).toEqual(['open']);
      expect(await within(told.closed, 'close')).toBeNull();
      connection.close();
      await turnOf(context.reactor);
      expect(told.events).toEqual(['open', 'close']);
    });

    test('a handler that closes hears nothing more but close', async () => {
      const { told, peer } = await context.accepted({ data: (connection) => connection.close() });
      peer.send(pattern(200_000));
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['open', 'data', 'close']);
      expect(told.chunks.length).toBe(1);
    });

    test('close() while connecting: no open', async () => {
      const listener = context.listen();
      const told = record();
      const connection = context.connect(portOf(listener), told.handlers);
      connection.close();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['close']);
    });

    test('close() while a name is looked up: no open', async () => {
      const listener = context.listen();
      const told = record();
      const connection = context.connect(portOf(listener), told.handlers, { host: 'localhost' });
      connection.close();
      expect(await within(told.closed, 'close')).toBeNull();
      expect(told.events).toEqual(['close']);
    });

    testReset('reset() sends a RST, handlers', async () => {
      const { connection, told, peer } = await context.accepted();
      connection.reset();
      expect(await peer.receiveError()).toBe(codes.ECONNRESET);
      expect(await within(told.closed, 'close')).toBeNull();
      connection.reset();
    });

    testReset('reset() sends a RST, promises', async () => {
      const { stream, peer } = await context.acceptedStream();
      const reading = rejection(stream.read(new Uint8Array(1)));
      stream.reset();
      expect(await peer.receiveError()).toBe(codes.ECONNRESET);
      expect(await reading).toEqual(closed);
      stream.reset();
    });

    test('close() rejects what is pending with ERR_TRIPOLL_CLOSED, and may be called twice', async () => {
      const { stream } = await context.acceptedStream();
      const pending = [
        rejection(stream.read(new Uint8Array(1))),
        rejection(stream.writeAll(pattern(8_000_000))),
        rejection(stream.write(new Uint8Array(1))),
      ];
      stream.close();
      stream.close();
      expect(await Promise.all(pending)).toEqual([closed, closed, closed]);
      expect(await rejection(stream.read(new Uint8Array(1)))).toEqual(closed);
      expect(await rejection(stream.write(new Uint8Array(1)))).toEqual(closed);
      stream.end();
    });
  });

  describe('the reactor is closed under its sockets', () => {
    test('handlers are told', async () => {
      const { told, listener } = await context.accepted();
      const other = record();
      context.connect(portOf(listener), other.handlers);
      context.reactor.close();
      expect(failureOf(await within(told.closed, 'close'))).toEqual(closed);
      expect(failureOf(await within(other.closed, 'close'))).toEqual(closed);
      expect(told.events).toEqual(['open', 'error', 'close']);
      expect(other.events).toEqual(['error', 'close']);
      expect(listener.closed).toBe(true);
    });

    test('from inside a handler', async () => {
      const { told, peer } = await context.accepted({ data: () => context.reactor.close() });
      peer.send('x');
      expect(failureOf(await within(told.closed, 'close'))).toEqual(closed);
      expect(told.events).toEqual(['open', 'data', 'error', 'close']);
    });

    test('promises are rejected', async () => {
      const { client, server } = await context.streamPair();
      const listener = await context.bind();
      const pending = [
        rejection(client.read(new Uint8Array(1))),
        rejection(server.writeAll(pattern(8_000_000))),
        rejection(listener.accept()),
        rejection(context.stream(portOf(listener))),
      ];
      context.reactor.close();
      expect(await Promise.all(pending)).toEqual([closed, closed, closed, closed]);
      expect([client.closed, server.closed, listener.closed]).toEqual([true, true, true]);
    });

    test('also those that still look up a name', async () => {
      const listener = await context.bind();
      const port = portOf(listener);
      const told = record();
      const pending = rejection(context.stream(port, 'localhost'));
      context.connect(port, told.handlers, { host: 'localhost' });
      context.reactor.close();
      expect(await pending).toEqual(closed);
      expect(failureOf(await within(told.closed, 'close'))).toEqual(closed);
      expect(told.events).toEqual(['error', 'close']);
    });
  });
}
