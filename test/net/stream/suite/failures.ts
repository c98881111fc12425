import { Reactor } from 'tripoll';
import { connect, TcpStream } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { testReset } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { closed, thrownBy } from '../../../support/errors.js';
import {
  failureOf,
  LOOPBACK,
  pattern,
  refusingPort,
  record,
  rejection,
  rejectionError,
  type Context,
} from '../../tools.js';

/**
 * What a write to, or a read from, a peer that has reset may say: which, is a matter of who is
 * first.
 */
const RESET = /^(ECONNRESET|EPIPE)$/;

export function describeFailures(context: Context): void {
  describe('what the network does', () => {
    test('refused, handlers: error and close with ECONNREFUSED, no open', async () => {
      const port = refusingPort();
      const told = record();
      const connection = context.connect(port, told.handlers);
      expect(told.events).toEqual([]);
      const error = await within(told.closed, 'close');
      const expected = { name: 'Error', code: 'ECONNREFUSED', syscall: 'connect', address: LOOPBACK, port };
      expect(error).toMatchObject(expected);
      expect(told.errors).toEqual([error]);
      expect(told.events).toEqual(['error', 'close']);
      expect(thrownBy(() => connection.write(Buffer.from('x')))).toEqual(closed);
    });

    test('refused, promises', async () => {
      const port = refusingPort();
      const error = await rejectionError(context.stream(port));
      expect(error).toMatchObject({ name: 'Error', code: 'ECONNREFUSED', address: LOOPBACK, port });
      expect(error.errno).toBe(-(sys.errno['ECONNREFUSED'] ?? 0));
    });

    test('refused by every address of a name: the last refusal is told', async () => {
      const port = refusingPort();
      const error = await rejectionError(context.stream(port, 'localhost'));
      expect(error).toMatchObject({ code: 'ECONNREFUSED' });
      // One address, or two, as the system says.
      const last: unknown = (error as Partial<AggregateError>).errors?.at(-1) ?? error;
      expect(last).toMatchObject({ name: 'Error', code: 'ECONNREFUSED', port });
    });

    test('unreachable, told at once and without a packet: a broadcast address takes no TCP', async () => {
      const told = record();
      context.connect(9, told.handlers, { host: '255.255.255.255' });
      const error = await within(told.closed, 'close');
      expect(error).toMatchObject({ name: 'Error', syscall: 'connect', address: '255.255.255.255', port: 9 });
      expect(failureOf(error)?.code).toMatch(/^(ENETUNREACH|EACCES)$/);
      expect(told.events).toEqual(['error', 'close']);
      expect((await rejection(context.stream(9, '255.255.255.255')))?.code).toBe(failureOf(error)?.code);
    });

    test('a name that cannot exist: what dns.lookup says', async () => {
      const host = 'x'.repeat(300); // longer than any name: not even asked for
      const told = record();
      context.connect(9, told.handlers, { host });
      expect(failureOf(await within(told.closed, 'close'))?.code).toMatch(/^E[A-Z_]+$/);
      expect(told.events).toEqual(['error', 'close']);
      expect((await rejection(context.stream(9, host)))?.code).toMatch(/^E[A-Z_]+$/);
    });

    testReset('a peer that resets while we wait for bytes', async () => {
      const { told, peer } = await context.accepted();
      const { stream, peer: other } = await context.acceptedStream();
      const reading = rejection(stream.read(new Uint8Array(10)));
      peer.reset();
      other.reset();
      expect(failureOf(await within(told.closed, 'close'))).toEqual({ name: 'Error', code: 'ECONNRESET' });
      expect(told.events).toEqual(['open', 'error', 'close']);
      expect(await reading).toEqual({ name: 'Error', code: 'ECONNRESET' });
      expect(stream.closed).toBe(true);
      expect((await rejection(stream.write(new Uint8Array(1))))?.code).toBe('ECONNRESET');
    });

    testReset('a peer that resets in mid-write, handlers', async () => {
      const { connection, told, peer } = await context.accepted();
      connection.write(pattern(8_000_000));
      await peer.receiveBytes(1000);
      peer.reset();
      const error = await within(told.closed, 'close');
      expect(failureOf(error)?.code).toMatch(RESET);
      expect(told.events).toEqual(['open', 'error', 'close']);
      expect(connection.queuedBytes).toBe(0);
    });

    test('a peer that resets in mid-write, promises: all queued writes are rejected', async () => {
      const { stream, peer } = await context.acceptedStream();
      const writing = [1, 2, 3].map((seed) => rejection(stream.writeAll(pattern(8_000_000, seed))));
      await peer.receiveBytes(1000);
      peer.reset();
      for (const failure of await Promise.all(writing)) expect(failure?.code).toMatch(RESET);
      expect(stream.closed).toBe(true);
      expect(stream.queuedBytes).toBe(0);
    });

    test('bytes that came before the end are read though our writes fail', async () => {
      const { connection, told, peer } = await context.accepted({}, { allowHalfOpen: true });
      peer.send('last words');
      peer.endWrite();
      await within(told.ended, 'end');
      expect(told.bytes().toString()).toBe('last words');
      peer.reset();
      // The first write after a reset may still be taken, the one after it is not.
      await until(() => connection.closed || !connection.write(Buffer.from('x')), 'a write fails');
      expect(failureOf(await within(told.closed, 'close'))?.code).toMatch(RESET);
      expect(told.events).toEqual(['open', 'data', 'end', 'error', 'close']);
    });
  });

  describe('use after close', () => {
    test('handlers: write and end with a chunk throw, the rest does nothing', async () => {
      const { connection, told } = await context.accepted();
      connection.close();
      await within(told.closed, 'close');
      expect(thrownBy(() => connection.write(Buffer.from('x')))).toEqual(closed);
      expect(thrownBy(() => connection.end(Buffer.from('x')))).toEqual(closed);
      connection.end();
      connection.pause().resume();
      connection.cork();
      connection.uncork();
      connection.ref().unref();
      connection.reset();
      expect(connection.queuedBytes).toBe(0);
    });

    test('connecting on a closed reactor: ERR_TRIPOLL_CLOSED', async () => {
      const reactor = new Reactor({ driver: 'manual' });
      reactor.close();
      const target = { host: LOOPBACK, port: 1, reactor };
      expect(thrownBy(() => connect(target, {}))).toEqual(closed);
      expect(await rejection(TcpStream.connect(target, { reactor }))).toEqual(closed);
    });
  });
}
