// What a connection with handlers reads past `data`: a look ahead, and urgent bytes.
import type { TcpHandlers } from 'tripoll/net';
import { listen } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { testIf } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import { LOOPBACK, passedMs, portOf, record, rejection, turnOf, type Context } from '../../tools.js';

const { MSG_OOB } = sys.constants;

function sendUrgent(fd: number, byte: number): void {
  if (sys.send(fd, Uint8Array.of(byte), 0, 1, MSG_OOB) !== 1) throw new Error('MSG_OOB');
}

export function describeHandlerReads(context: Context): void {
  describe('peek of a connection with handlers', () => {
    test('shows what comes, before data gets it', async () => {
      const buffer = Buffer.alloc(16);
      const order: string[] = [];
      const { connection, told, peer } = await context.accepted({
        open: (opened) => {
          void opened
            .peek(buffer)
            .then((length) => order.push(`peek ${buffer.toString('latin1', 0, length)}`));
        },
        data: (_, chunk) => void order.push(`data ${Buffer.from(chunk).toString()}`),
      });
      peer.send('hello');
      await until(() => order.length === 2, 'both');
      expect(order).toEqual(['peek hello', 'data hello']);
      // Then handlers have it to themselves again.
      peer.send('!');
      await until(() => told.received() === 6, 'data');
      expect(connection.closed).toBe(false);
    });

    test('who pauses then keeps it from data until he resumes; a second look sees the same', async () => {
      const { connection, told, peer } = await context.accepted();
      const buffer = Buffer.alloc(4);
      const looking = connection.peek(buffer);
      peer.send('abcdef');
      expect(await within(looking, 'peek')).toBe(4);
      connection.pause();
      expect(await within(connection.peek(buffer.fill(0)), 'peek')).toBe(4);
      expect(buffer.toString()).toBe('abcd');
      await turnOf(context.reactor);
      await turnOf(context.reactor);
      expect(told.received()).toBe(0);
      connection.resume();
      await until(() => told.received() === 6, 'data');
      expect(told.bytes().toString()).toBe('abcdef');
    });

    test('while paused it waits for what comes, and level mode does not spin', async () => {
      const { connection, peer, told } = await context.accepted();
      connection.pause();
      const looking = connection.peek(new Uint8Array(8));
      await turnOf(context.reactor);
      peer.send('x');
      expect(await within(looking, 'peek')).toBe(1);
      await turnOf(context.reactor);
      const { turns } = context.reactor.inspect();
      await passedMs(context.reactor, 30);
      expect(context.reactor.inspect().turns - turns).toBeLessThan(10);
      expect(told.received()).toBe(0);
      connection.close();
    });

    test('from within data: what follows', async () => {
      const seen: string[] = [];
      const buffer = Buffer.alloc(8);
      const { told, peer } = await context.accepted({
        data: (connection, chunk) => {
          seen.push(Buffer.from(chunk).toString());
          if (seen.length > 1) return;
          void connection.peek(buffer).then((length) => seen.push(`peek ${length}`));
        },
      });
      peer.send('one');
      await until(() => told.received() === 3, 'data');
      peer.send('two!');
      await until(() => told.received() === 7, 'data');
      expect(seen).toEqual(['one', 'peek 4', 'two!']);
    });

    test('0 at the end, of which end tells all the same', async () => {
      const { connection, told, peer } = await context.accepted();
      const looking = connection.peek(new Uint8Array(4));
      peer.endWrite();
      expect(await within(looking, 'peek')).toBe(0);
      await within(told.closed, 'close');
      expect(told.events).toEqual(['open', 'end', 'close']);
    });

    test('one at a time; aborted, timed out, closed: nothing is lost', async () => {
      const { connection, told, peer } = await context.accepted();
      const controller = new AbortController();
      const looking = connection.peek(new Uint8Array(4), { signal: controller.signal });
      expect((await rejection(connection.peek(new Uint8Array(4))))?.code).toBe('ERR_TRIPOLL_BUSY');
      controller.abort();
      expect((await rejection(looking))?.code).toBe('ABORT_ERR');
      const late = connection.peek(new Uint8Array(4), { timeoutMs: 20 });
      expect((await rejection(late))?.code).toBe('ERR_TRIPOLL_TIMEOUT');
      peer.send('abc');
      await until(() => told.received() === 3, 'data');
      const waiting = connection.peek(new Uint8Array(4));
      connection.close();
      expect((await rejection(waiting))?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect((await rejection(connection.peek(new Uint8Array(4))))?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('T07 a buffer that is detached while it waits: rejected, and the bytes are for data', async () => {
      const { connection, told, peer } = await context.accepted();
      const buffer = new Uint8Array(8);
      const looking = connection.peek(buffer);
      structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
      peer.send('abc');
      expect(await rejection(looking)).toEqual(outOfRange);
      await until(() => told.received() === 3, 'data');
      expect(connection.closed).toBe(false);
    });

    test('before it is connected, and wrong arguments', async () => {
      const { listener } = await context.accepted({ open: (opened) => opened.write(Buffer.from('hi')) });
      const told = record();
      const client = context.connect(portOf(listener), told.handlers);
      expect(await rejection(client.peek('x' as never))).toEqual(invalidType);
      expect(await rejection(client.peek(new Uint8Array(0)))).toEqual(outOfRange);
      expect(await within(client.peek(new Uint8Array(9)), 'peek')).toBe(2);
      await until(() => told.received() === 2, 'data');
    });
  });

  const isTold = context.features.priority !== false;
  const testTold = testIf(isTold, 'this kqueue has no EVFILT_EXCEPT');

  describe('urgent data of a connection with handlers', () => {
    const bytes: number[] = [];
    const handlers: TcpHandlers = { urgent: (_, byte) => void bytes.push(byte) };
    beforeEach(() => {
      bytes.length = 0;
    });

    const accepted = async () => {
      const told = record();
      const listener = context.listen({ ...told.handlers, ...handlers });
      const stream = await context.stream(portOf(listener));
      return { connection: context.own(await within(told.opened, 'open')), told, stream };
    };

    testTold('comes apart from data, one after the other', async () => {
      const { told, stream } = await accepted();
      await stream.writeAll(Buffer.from('ab'));
      await stream.sendUrgent(33);
      await stream.writeAll(Buffer.from('cd'));
      await until(() => bytes.length === 1 && told.received() === 4, 'first');
      await stream.sendUrgent(34);
      await until(() => bytes.length === 2, 'second');
      expect(bytes).toEqual([33, 34]);
      expect(told.bytes().toString()).toBe('abcd');
    });

    testTold('paused or not, and without a spin', async () => {
      const { connection, told, stream } = await accepted();
      connection.pause();
      await stream.writeAll(Buffer.from('ab'));
      await stream.sendUrgent(1);
      await until(() => bytes.length === 1, 'urgent');
      const { turns } = context.reactor.inspect();
      await passedMs(context.reactor, 30);
      expect(context.reactor.inspect().turns - turns).toBeLessThan(10);
      expect(told.received()).toBe(0);
      connection.resume();
      await until(() => told.received() === 2, 'data');
    });

    testTold('with urgentInline it is one of the bytes, and a paused connection does not spin', async () => {
      const { connection, told, stream } = await accepted();
      connection.setOption('urgentInline', true);
      connection.pause();
      await stream.writeAll(Buffer.from('a'));
      await stream.sendUrgent(66);
      await passedMs(context.reactor, 30);
      const { turns } = context.reactor.inspect();
      await passedMs(context.reactor, 30);
      expect(context.reactor.inspect().turns - turns).toBeLessThan(10);
      connection.resume();
      await until(() => told.received() === 2, 'data');
      expect(told.bytes().toString()).toBe('aB');
      expect(bytes).toEqual([]);
    });

    testTold('on one that was connected; a handler that closes, or throws', async () => {
      const listener = await context.bind();
      for (const act of ['close', 'throw']) {
        const told = record();
        const urgent: TcpHandlers['urgent'] = (connection) => {
          if (act === 'throw') throw new Error('thrown');
          connection.close();
        };
        context.connect(portOf(listener), { ...told.handlers, urgent });
        const { stream } = await within(listener.accept(), 'accept');
        sendUrgent(context.own(stream).fd, 7);
        expect((await within(told.closed, 'close'))?.message).toBe(act === 'throw' ? 'thrown' : undefined);
      }
    });

    testIf(!isTold, 'this backend tells of urgent data')('a handler for it is refused at once', () => {
      const target = { host: LOOPBACK, port: 0, reactor: context.reactor };
      expect(thrownBy(() => listen(target, handlers)).code).toBe('ERR_TRIPOLL_UNSUPPORTED');
    });

    test('a handler that is no function', () => {
      const target = { host: LOOPBACK, port: 0, reactor: context.reactor };
      expect(thrownBy(() => listen(target, { urgent: 5 as never }))).toEqual(invalidType);
    });
  });
}
