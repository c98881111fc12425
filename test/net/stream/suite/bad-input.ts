import vm from 'node:vm';
import { connect, listen, TcpListener, TcpStream } from 'tripoll/net';
import { openedSince, openFds } from '../../../support/fds.js';
import { failureOf, LOOPBACK, rejection, type Context } from '../../tools.js';
import { invalidType as type, outOfRange as range } from '../../../support/errors.js';

/** As from JavaScript, where nothing is checked beforehand. */
function loose(value: unknown): never {
  return value as never;
}

const badAddresses: [string, unknown, typeof type][] = [
  ['no address', undefined, type],
  ['null', null, type],
  ['a number', 8080, type],
  ['an empty string', '', range],
  ['no port', '127.0.0.1', range],
  ['an empty port', '127.0.0.1:', range],
  ['no host', ':80', range],
  ['IPv6 without brackets', '::1:80', range],
  ['port 65536', '127.0.0.1:65536', range],
  ['port -1', { host: LOOPBACK, port: -1 }, range],
  ['port 1.5', { host: LOOPBACK, port: 1.5 }, range],
  ['port NaN', { host: LOOPBACK, port: NaN }, range],
  ['port 65536 as a number', { host: LOOPBACK, port: 65_536 }, range],
  ['a string for a port', { host: LOOPBACK, port: '80' }, type],
  ['a missing port', { host: LOOPBACK }, type],
  ['a missing host', { port: 80 }, type],
  ['an empty host', { host: '', port: 80 }, range],
];

/** What connect would look up, and bind refuses. */
const namesForBind: [string, unknown][] = [
  ['a name', 'localhost:0'],
  ['a name as host', { host: 'localhost', port: 0 }],
  ['an address with a NUL', { host: '127.0.0.1\0', port: 0 }],
  ['three numbers', '127.0.1:0'],
  ['a port of an interface that is none', '[fe80::1%1e0]:0'],
];

const badOptions: [string, Record<string, unknown>, typeof type][] = [
  ['a string for highWaterMarkBytes', { highWaterMarkBytes: '1' }, type],
  ['a negative highWaterMarkBytes', { highWaterMarkBytes: -1 }, range],
  ['lowWaterMarkBytes above the high one', { highWaterMarkBytes: 10, lowWaterMarkBytes: 11 }, range],
  ['maxQueuedBytes NaN', { maxQueuedBytes: NaN }, range],
  ['a reactor that is none', { reactor: {} }, type],
];

export function describeBadInput(context: Context): void {
  function synchronous(call: () => unknown): { name: string; code: string | undefined } | null {
    try {
      call();
    } catch (error) {
      return failureOf(error);
    }
    return null;
  }

  describe('bad input', () => {
    let before = new Map<number, string>();
    beforeEach(() => {
      before = openFds();
    });
    afterEach(() => {
      // It is refused before anything is opened, or closed again at once.
      expect(openedSince(before)).toEqual([]);
    });

    test.each(badAddresses)('address: %s', async (_, address, expected) => {
      const { reactor } = context;
      expect(await rejection(TcpListener.bind(loose(address), { reactor }))).toEqual(expected);
      expect(await rejection(TcpStream.connect(loose(address), { reactor }))).toEqual(expected);
      if (typeof address === 'object' && address !== null) {
        expect(synchronous(() => listen(loose({ reactor, ...address }), {}))).toEqual(expected);
        expect(synchronous(() => connect(loose({ reactor, ...address }), {}))).toEqual(expected);
      }
    });

    test.each(namesForBind)('bind takes no names: %s', async (_, address) => {
      const { reactor } = context;
      expect(await rejection(TcpListener.bind(loose(address), { reactor }))).toEqual(range);
      if (typeof address === 'object') {
        expect(synchronous(() => listen(loose({ reactor, ...address }), {}))).toEqual(range);
      }
    });

    test.each(badOptions)('options: %s', async (_, options, expected) => {
      const target = { host: LOOPBACK, port: 0, reactor: context.reactor, ...options };
      expect(synchronous(() => listen(loose(target), {}))).toEqual(expected);
      expect(synchronous(() => connect(loose({ ...target, port: 9 }), {}))).toEqual(expected);
      expect(await rejection(TcpListener.bind(`${LOOPBACK}:0`, loose(target)))).toEqual(expected);
    });

    test.each([
      ['a string', '1', type],
      ['a negative one', -1, range],
      ['2^53', 2 ** 53, range],
    ])('backlog: %s', async (_, backlog, expected) => {
      const { reactor } = context;
      expect(await rejection(TcpListener.bind(`${LOOPBACK}:0`, loose({ reactor, backlog })))).toEqual(
        expected,
      );
    });

    test.each([[null], [5], ['options']])('options that are %p', async (options) => {
      expect(await rejection(TcpListener.bind(`${LOOPBACK}:0`, loose(options)))).toEqual(type);
      expect(await rejection(TcpStream.connect(`${LOOPBACK}:9`, loose(options)))).toEqual(type);
      // A string is an address.
      const expected = typeof options === 'string' ? range : type;
      expect(synchronous(() => listen(loose(options), {}))).toEqual(expected);
      expect(synchronous(() => connect(loose(options), {}))).toEqual(expected);
    });

    test.each<[string, unknown]>([
      ['none', undefined],
      ['null', null],
      ['a function', () => {}],
      ['a string for data', { data: 'x' }],
      ['null for open', { open: null }],
      ['a number for close', { close: 1 }],
    ])('handlers: %s', (_, handlers) => {
      const target = { host: LOOPBACK, port: 0, reactor: context.reactor };
      expect(synchronous(() => listen(target, loose(handlers)))).toEqual(type);
      expect(synchronous(() => connect({ ...target, port: 9 }, loose(handlers)))).toEqual(type);
    });

    test('drop is for listeners, and must be a function', () => {
      const target = { host: LOOPBACK, port: 0, reactor: context.reactor };
      expect(synchronous(() => listen(target, loose({ drop: 'x' })))).toEqual(type);
    });
  });

  describe('bad buffers', () => {
    const values: [string, unknown][] = [
      ['undefined', undefined],
      ['null', null],
      ['a number', 5],
      ['a string', 'abc'],
      ['an array', [1, 2]],
      ['an ArrayBuffer', new ArrayBuffer(4)],
      ['a Uint16Array', new Uint16Array(4)],
      ['a DataView', new DataView(new ArrayBuffer(4))],
      ['an array-like', { length: 4 }],
      ['a proxy of a Uint8Array', new Proxy(new Uint8Array(4), {})],
    ];

    test('promises reject', async () => {
      const { client, server } = await context.streamPair();
      await server.writeAll(Buffer.from('abc'));
      for (const [what, value] of values) {
        expect([what, await rejection(client.read(loose(value)))]).toEqual([what, type]);
        expect([what, await rejection(client.write(loose(value)))]).toEqual([what, type]);
        expect([what, await rejection(client.writeAll(loose(value)))]).toEqual([what, type]);
      }
      expect(await rejection(client.read(new Uint8Array(0)))).toEqual(range);
      // Nothing has been lost by it.
      expect(await client.read(new Uint8Array(10))).toBe(3);
    });

    test('promises reject also what would be queued', async () => {
      const { client, server } = await context.streamPair();
      const writing = client.writeAll(Buffer.alloc(8_000_000));
      for (const [what, value] of values) {
        expect([what, await rejection(client.writeAll(loose(value)))]).toEqual([what, type]);
      }
      const buffer = new Uint8Array(1_000_000);
      for (let left = 8_000_000; left > 0;) left -= await server.read(buffer);
      expect(await writing).toBe(8_000_000);
    });

    test('handlers: write throws, and the connection lives on', async () => {
      const { connection, peer } = await context.accepted();
      for (const [what, value] of values) {
        expect([what, synchronous(() => connection.write(loose(value)))]).toEqual([what, type]);
      }
      connection.cork();
      for (const [what, value] of values) {
        expect([what, synchronous(() => connection.write(loose(value)))]).toEqual([what, type]);
      }
      connection.write(Buffer.from('abc'));
      connection.uncork();
      expect((await peer.receiveBytes(3)).toString()).toBe('abc');
    });

    test('a Uint8Array of another realm is as good', async () => {
      const { client, server } = await context.streamPair();
      const foreign = vm.runInNewContext('new Uint8Array([1, 2, 3])') as Uint8Array;
      expect(await client.writeAll(foreign)).toBe(3);
      const target = vm.runInNewContext('new Uint8Array(8)') as Uint8Array;
      expect(await server.read(target)).toBe(3);
      expect([...target.subarray(0, 3)]).toEqual([1, 2, 3]);
    });
  });
}
