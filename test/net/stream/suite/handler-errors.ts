import { within } from '../../../support/deadline.js';
import { deferred, failureOf, portOf, RawPeer, record, turnOf, type Context } from '../../tools.js';

const boom = { name: 'Error', code: 'E_BOOM' };

function bang(): never {
  throw Object.assign(new Error('boom'), { code: 'E_BOOM' });
}

async function bangLater(): Promise<void> {
  await Promise.resolve();
  bang();
}

export function describeHandlerErrors(context: Context): void {
  describe('a handler that fails destroys its connection, and only that', () => {
    async function survives(told: {
      closed: Promise<Error | null>;
      errors: Error[];
      events: string[];
    }): Promise<void> {
      expect(failureOf(await within(told.closed, 'close'))).toEqual(boom);
      expect(told.errors.map(failureOf)).toEqual([boom]);
      expect(told.events.slice(-2)).toEqual(['error', 'close']);
      // The reactor works on.
      const other = await context.accepted({ data: (connection, chunk) => connection.write(chunk) });
      other.peer.send('alive');
      expect((await other.peer.receiveBytes(5)).toString()).toBe('alive');
    }

    test('data throws', async () => {
      const { told, peer } = await context.accepted({ data: bang });
      peer.send('x');
      await survives(told);
    });

    test('data rejects', async () => {
      const { told, peer } = await context.accepted({
        // @ts-expect-error -- the chunk is lent: no async function is taken for one that keeps it
        data: bangLater,
      });
      peer.send('x');
      await survives(told);
    });

    test('open throws', async () => {
      const { told } = await context.accepted({ open: bang });
      await survives(told);
      expect(told.events).toEqual(['open', 'error', 'close']);
    });

    test('open rejects', async () => {
      const { told } = await context.accepted({ open: bangLater });
      await survives(told);
    });

    test('open of a client throws', async () => {
      const listener = context.listen();
      const told = record({ open: bang });
      context.connect(portOf(listener), told.handlers);
      await survives(told);
    });

    test('end throws', async () => {
      const { told, peer } = await context.accepted({ end: bang });
      peer.endWrite();
      await survives(told);
    });

    test('drain throws', async () => {
      const { connection, told, peer } = await context.accepted({ drain: bang });
      while (connection.write(Buffer.alloc(100_000)));
      const reading = peer.receiveToEnd();
      await survives(told);
      await reading;
    });

    test('what is thrown is no Error: it is wrapped', async () => {
      const { told, peer } = await context.accepted({
        data() {
          throw 'a string';
        },
      });
      peer.send('x');
      const error = await within(told.closed, 'close');
      expect(failureOf(error)).toEqual({ name: 'Error', code: 'ERR_TRIPOLL_STATE' });
      expect(error?.message).toContain('a string');
    });

    test('others of the same batch still get theirs', async () => {
      const told: string[] = [];
      const listener = context.listen({
        open: (connection) => void context.own(connection),
        data(_, chunk) {
          const text = Buffer.from(chunk).toString();
          told.push(text);
          if (text === '0') bang();
        },
        error() {},
      });
      const peers = Array.from({ length: 10 }, () => context.own(new RawPeer(portOf(listener))));
      await turnOf(context.reactor);
      peers.forEach((peer, index) => peer.send(String(index)));
      for (let i = 0; i < 50 && told.length < 10; i++) await turnOf(context.reactor);
      expect(told.sort()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    });

    test('an async handler that writes after the connection has gone is no failure of the program', async () => {
      const gate = deferred<undefined>();
      const { told, peer } = await context.accepted({
        // @ts-expect-error -- as above
        async data(connection) {
          await gate.promise;
          connection.write(Buffer.from('too late'));
        },
      });
      peer.send('x');
      for (let i = 0; i < 50 && told.received() === 0; i++) await turnOf(context.reactor);
      peer.reset();
      await within(told.closed, 'close');
      gate.resolve(undefined);
      await turnOf(context.reactor);
      expect(told.events.at(-1)).toBe('close');
    });
  });
}
