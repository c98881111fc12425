// A system that is short of memory: its calls are swapped, since over the loopback none ever is.
import type { TcpConnection, TcpStream } from 'tripoll/net';
import { native } from '#lib/binding/native';
import { MAX_REFUSALS } from '#lib/net/socket/send-retry';
import { until, within } from '../../../support/deadline.js';
import { expectNoSpin, rejection, turnOf, type Context } from '../../tools.js';

const { ENOBUFS } = native.errnos;
const bytes = (text: string): Buffer => Buffer.from(text);

const SENDS = ['send', 'sendv', 'sendFrom', 'sendArena', 'sendMessage'] as const;

/** All that sends on a stream says ENOBUFS, until `end`. */
class Shortage {
  #isShort = true;
  calls = 0;
  /** This call alone goes through. */
  exception = 0;
  // Windows has no sendMessage.
  readonly #spies = SENDS.filter((name) => name in native).map((name) => {
    const real = native[name] as (...values: unknown[]) => number;
    return jest.spyOn(native, name).mockImplementation((...values: unknown[]) => {
      this.calls++;
      return this.#isShort && this.calls !== this.exception ? -ENOBUFS : real(...values);
    });
  });

  end(): void {
    this.#isShort = false;
  }

  restore(): void {
    for (const spy of this.#spies) spy.mockRestore();
  }
}

export function describeNoBuffers(context: Context): void {
  describe('T62 ENOBUFS', () => {
    let shortage: Shortage;
    /** After the pair is connected. */
    const runShort = (): void => {
      shortage = new Shortage();
    };
    afterEach(() => {
      shortage.restore();
    });

    /** The stream lives on, and nobody looks at a socket that is writable all the time. */
    async function expectPatience(stream: TcpStream | TcpConnection): Promise<void> {
      await expectNoSpin(context.reactor);
      expect(shortage.calls).toBeLessThan(40);
      expect([stream.closed, context.reactor.inspect().timers]).toEqual([false, 1]);
      shortage.end();
    }

    test('T62 promises: writes of each kind wait, in order, without a spin', async () => {
      const { stream, peer } = await context.acceptedStream();
      runShort();
      const writes = [
        stream.writeAll(bytes('one')),
        stream.write(bytes('two')),
        stream.writev(['th', 'ree'].map(bytes)),
      ];
      stream.end();
      await expectPatience(stream);
      expect((await within(peer.receiveToEnd(), 'all of it')).toString()).toBe('onetwothree');
      expect(await within(Promise.all(writes), 'writes')).toEqual([3, 3, 5]);
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('T62 promises: a vector that is the first to be refused', async () => {
      const { stream, peer } = await context.acceptedStream();
      runShort();
      const vector = stream.writev(['o', 'ne'].map(bytes));
      await expectPatience(stream);
      expect(await within(vector, 'writev')).toBe(3);
      expect((await peer.receiveBytes(3)).toString()).toBe('one');
    });

    test('T62 promises: an abort takes a write back, and the next one goes', async () => {
      const { stream, peer } = await context.acceptedStream();
      runShort();
      const aborter = new AbortController();
      const aborted = stream.writeAll(bytes('aborted'), { signal: aborter.signal });
      const next = stream.writeAll(bytes('next'));
      aborter.abort();
      expect(await rejection(aborted)).toEqual({ name: 'AbortError', code: 'ABORT_ERR' });
      await expectPatience(stream);
      expect(await within(next, 'the next')).toBe(4);
      expect((await peer.receiveBytes(4)).toString()).toBe('next');
    });

    test('T62 handlers: writes of each kind wait, in order, without a spin', async () => {
      const echo = (connection: TcpConnection, chunk: Uint8Array): void => {
        runShort();
        // The chunk that was just lent goes by a call of its own.
        connection.write(chunk);
        connection.write(bytes('two'));
        connection.writev(['th', 'ree'].map(bytes));
        connection.end();
      };
      const { connection, told, peer } = await context.accepted({ data: echo });
      peer.send('one');
      await until(() => told.received() > 0, 'data');
      await expectPatience(connection);
      expect((await within(peer.receiveToEnd(), 'all of it')).toString()).toBe('onetwothree');
    });

    test('T62 handlers: a vector that is the first to be refused; drain, and what is corked meanwhile', async () => {
      const { connection, told, peer } = await context.accepted(
        {},
        { highWaterMarkBytes: 2, lowWaterMarkBytes: 0 },
      );
      runShort();
      expect(connection.writev(['o', 'ne'].map(bytes))).toBe(false);
      connection.cork();
      connection.write(bytes('two'));
      await expectNoSpin(context.reactor);
      // What is corked is not tried.
      expect(context.reactor.inspect().timers).toBe(0);
      shortage.end();
      connection.uncork();
      expect((await peer.receiveBytes(6)).toString()).toBe('onetwo');
      await turnOf(context.reactor);
      expect(told.events).toEqual(['open', 'drain']);
    });

    test('T62 a close ends the wait', async () => {
      const [{ stream }, { connection }] = [await context.acceptedStream(), await context.accepted()];
      runShort();
      const write = rejection(stream.writeAll(bytes('x')));
      connection.write(bytes('x'));
      expect(context.reactor.inspect().timers).toBe(2);
      stream.close();
      connection.close();
      expect((await write)?.code).toBe('ERR_TRIPOLL_CLOSED');
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('T62 it is given up after ten seconds of tries, which begin anew with what goes', async () => {
      const [{ stream }, { connection, told }] = [await context.acceptedStream(), await context.accepted()];
      runShort();
      // Ten seconds are so many turns.
      const { reactor } = context;
      const timers = jest.spyOn(reactor, 'setTimer').mockImplementation((_ms, tell) => {
        reactor.post(tell);
        const timer = { cancel: () => false, unref: () => timer };
        return timer as unknown as ReturnType<typeof reactor.setTimer>;
      });
      try {
        const failure = { name: 'Error', code: 'ENOBUFS' };
        shortage.exception = MAX_REFUSALS;
        expect(await within(stream.writeAll(bytes('x')), 'the last try')).toBe(1);
        expect(await rejection(stream.writeAll(bytes('x')))).toEqual(failure);
        expect(shortage.calls).toBe(2 * MAX_REFUSALS + 1);
        connection.write(bytes('x'));
        expect(await within(told.closed, 'close')).toMatchObject(failure);
        expect(shortage.calls).toBe(3 * MAX_REFUSALS + 2);
      } finally {
        timers.mockRestore();
      }
    });
  });
}
