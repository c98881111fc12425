// close(), reset() and dispose, in every state and from inside every handler.
import { connect, TcpStream, type TcpConnection, type TcpHandlers } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { until, within } from '../../../support/deadline.js';
import { closed, closed as closedError, thrownBy } from '../../../support/errors.js';
import {
  LOOPBACK,
  pattern,
  portOf,
  record,
  rejection,
  turnOf,
  type Context,
  type RawPeer,
  type Recording,
} from '../../tools.js';
import { blockedStream, DeafPort, heldBy } from '../tools.js';
import { testReset } from '../../../support/applies.js';
import { isOldWine } from '../../../support/platform.js';

const { ECONNRESET } = sys.errno;

interface InState {
  connection: TcpConnection;
  told: Recording;
  /** What it has been told by then. */
  before: string[];
  peer?: RawPeer;
}

type MakeState = (context: Context) => Promise<InState>;

const states: Record<string, MakeState> = {
  'looking up a name': (context) => {
    const told = record();
    const target = { host: 'localhost', port: portOf(context.listen()), reactor: context.reactor };
    return Promise.resolve({ connection: connect(target, told.handlers), told, before: [] });
  },
  connecting: async (context) => {
    const told = record();
    const target = { host: LOOPBACK, port: context.own(new DeafPort()).port, reactor: context.reactor };
    const connection = connect(target, told.handlers);
    await turnOf(context.reactor);
    return { connection, told, before: [] };
  },
  open: async (context) => ({ ...(await context.accepted()), before: ['open'] }),
  'open, with much to write': async (context) => {
    const state = await context.accepted();
    state.connection.write(pattern(10_000_000));
    return { ...state, before: ['open'] };
  },
  'open and paused and corked': async (context) => {
    const state = await context.accepted();
    state.connection.pause().cork();
    state.connection.write(pattern(100));
    return { ...state, before: ['open'] };
  },
  "half closed by the peer's end": async (context) => {
    const state = await context.accepted({}, { allowHalfOpen: true });
    state.peer.endWrite();
    await within(state.told.ended, 'end');
    return { ...state, before: ['open', 'end'] };
  },
  'half closed by our end': async (context) => {
    const state = await context.accepted();
    state.connection.end();
    return { ...state, before: ['open'] };
  },
  'ending, with much to write': async (context) => {
    const state = await context.accepted();
    state.connection.end(pattern(10_000_000));
    return { ...state, before: ['open'] };
  },
};

const streamStates: Record<string, (context: Context) => Promise<TcpStream>> = {
  open: async (context) => (await context.acceptedStream()).stream,
  'blocked, with a write': async (context) => {
    const { stream } = await blockedStream(context);
    stream.writeAll(pattern(10)).catch(() => {});
    return stream;
  },
  "half closed by the peer's end": async (context) => {
    const { stream, peer } = await context.acceptedStream();
    peer.endWrite();
    expect(await within(stream.read(new Uint8Array(1)), 'the end')).toBe(0);
    return stream;
  },
  'half closed by our end': async (context) => {
    const { stream } = await context.acceptedStream();
    stream.end();
    return stream;
  },
  'ending, with much to write': async (context) => {
    const { stream } = await context.acceptedStream();
    stream.writeAll(pattern(10_000_000)).catch(() => {});
    stream.end();
    return stream;
  },
};

type Way = 'close' | 'reset';
const ways: Way[] = ['close', 'reset'];

/**
 * Those of a disposal have tests in a process of their own: Jest's realm lacks the symbols on Node
 * 20.
 */
function end(closable: TcpConnection | TcpStream, way: Way): void {
  closable[way]();
}

export function describeClosing(context: Context): void {
  describe.each(Object.entries(states))('handlers, %s', (_, makeState) => {
    test.each(ways)('%s: close is told once, later, with null', async (way) => {
      const { connection, told, before } = await makeState(context);
      end(connection, way);
      expect(connection.closed).toBe(true);
      expect(connection.localAddress).toBeUndefined();
      expect(connection.queuedBytes).toBe(0);
      for (const again of ways) end(connection, again);
      // Never from inside the call.
      expect(told.events).toEqual(before);
      expect(await within(told.closed, 'close')).toBeNull();
      await turnOf(context.reactor);
      expect(told.events).toEqual([...before, 'close']);
      expect(thrownBy(() => connection.write(pattern(1)))).toEqual(closedError);
      connection.pause().resume().ref().unref();
      connection.cork();
      connection.uncork();
      connection.end();
      await turnOf(context.reactor);
      expect(told.events).toEqual([...before, 'close']);
    });
  });

  describe('handlers', () => {
    const handlers: (keyof TcpHandlers)[] = ['open', 'data', 'drain', 'end', 'error', 'close'];
    const waysOfAll = handlers.flatMap((name) => ways.map((way): [keyof TcpHandlers, Way] => [name, way]));

    // Under Wine a reset is no error, so that `error` is not called.
    for (const [name, way] of isOldWine ? waysOfAll.filter(([handler]) => handler === 'error') : [])
      testReset(`inside ${name}: ${way}, and nothing but close follows`);
    const applying = waysOfAll.filter(([handler]) => !isOldWine || handler !== 'error');
    test.each(applying)('inside %s: %s, and nothing but close follows', async (name, way) => {
      const overrides: TcpHandlers = {
        [name]: (connection: TcpConnection) => {
          end(connection, way);
          end(connection, way);
        },
      };
      const { connection, told, peer } = await context.accepted(overrides, { maxQueuedBytes: 30_000_000 });
      if (name === 'data' || name === 'error') peer.send('some');
      if (name === 'error') peer.reset();
      if (name === 'end' || name === 'close') peer.endWrite();
      if (name === 'drain') {
        connection.write(pattern(10_000_000));
        peer.receiveBytes(10_000_000).catch(() => {}); // a reset may cost it the last of them
      }
      await within(told.closed, 'close');
      await turnOf(context.reactor);
      const after = told.events.slice(told.events.indexOf(name) + 1);
      expect(after).toEqual(name === 'close' ? [] : ['close']);
      expect(context.reactor.inspect().registrations).toBe(1); // the listener
    });

    test('of a connection that is being connected, inside open', async () => {
      for (const way of ways) {
        const told = record({ open: (connection) => end(connection, way) });
        context.connect(portOf(context.listen()), told.handlers);
        expect(await within(told.closed, 'close')).toBeNull();
        expect(told.events).toEqual(['open', 'close']);
      }
    });

    test('another connection of the same batch, whose event is then not told', async () => {
      const opened: TcpConnection[] = [];
      const told: string[] = [];
      const listener = context.listen({
        open: (connection) => void opened.push(connection),
        data() {
          told.push('data');
          for (const connection of opened) connection.close();
        },
        close: () => void told.push('close'),
      });
      const first = await context.accepted();
      const peers = [1, 2, 3].map(() =>
        context.own(new (first.peer.constructor as typeof RawPeer)(portOf(listener))),
      );
      await until(() => opened.length === 3, 'three connections');
      for (const peer of peers) peer.send('x');
      await until(() => told.length >= 4, 'what is told');
      await turnOf(context.reactor);
      expect(told).toEqual(['data', 'close', 'close', 'close']);
    });

    testReset('reset() reaches the peer as one, whatever was queued', async () => {
      for (const name of ['open, with much to write', 'ending, with much to write']) {
        const { connection, peer } = (await states[name]?.(context)) as Required<InState>;
        connection.reset();
        expect(await peer.receiveError()).toBe(ECONNRESET);
      }
    });

    test('close() after all was read is a FIN, not a RST', async () => {
      const { connection, told, peer } = await context.accepted();
      peer.send('abc');
      await until(() => told.received() === 3, 'data');
      connection.write(pattern(100_000));
      connection.close();
      expect((await peer.receiveToEnd()).length).toBeLessThanOrEqual(100_000);
    });
  });

  describe.each(Object.entries(streamStates))('promises, %s', (_, makeState) => {
    test.each(ways)('%s: rejects what is pending and what comes later', async (way) => {
      const stream = await makeState(context);
      const ended = stream.readEnded;
      const reading = ended ? null : rejection(stream.read(new Uint8Array(1)));
      end(stream, way);
      expect(stream.closed).toBe(true);
      expect(stream.queuedBytes).toBe(0);
      if (reading !== null) expect(await reading).toEqual(closed);
      for (const again of ways) end(stream, again);
      if (!ended) expect(await rejection(stream.read(new Uint8Array(1)))).toEqual(closed);
      expect(await rejection(stream.write(pattern(1)))).toEqual(closed);
      expect(await rejection(stream.writeAll(pattern(1)))).toEqual(closed);
      stream.end();
      await turnOf(context.reactor);
      expect(heldBy(context.reactor)).toEqual({ timers: 0, refs: 0 });
    });
  });

  describe('promises', () => {
    test('closed while all of a write is queued: it is rejected, and says so once', async () => {
      const { stream } = await blockedStream(context);
      const writes = [
        stream.write(pattern(10)),
        stream.writeAll(pattern(10)),
        stream.writeAll(new Uint8Array(0)),
      ];
      const rejections = writes.map(rejection);
      stream.close();
      for (const failure of rejections) expect((await failure)?.code).toBe('ERR_TRIPOLL_CLOSED');
    });

    test('the reactor is closed in the middle of a connect that has a signal and a time', async () => {
      const { port } = context.own(new DeafPort());
      const { reactor } = context;
      const { signal } = new AbortController();
      const connecting = rejection(
        TcpStream.connect({ host: LOOPBACK, port }, { reactor, signal, timeoutMs: 60_000 }),
      );
      reactor.close();
      expect((await connecting)?.code).toBe('ERR_TRIPOLL_CLOSED');
    });
  });
}
