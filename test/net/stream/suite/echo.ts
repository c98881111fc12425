import type { TcpHandlers, TcpStream } from 'tripoll/net';
import { within } from '../../../support/deadline.js';
import { type Context, digest, echoHandlers, pattern, portOf, readToEnd, record } from '../../tools.js';

const BIG = 8 * 1024 * 1024;

async function echoUntilEnd(stream: TcpStream): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const received = await stream.read(buffer);
    if (received === 0) break;
    await stream.writeAll(buffer.subarray(0, received));
  }
  stream.end();
}

export function describeEcho(context: Context): void {
  async function handlerEcho(sent: Buffer, host: string, listenHost = host): Promise<void> {
    const served = record(echoHandlers);
    const listener = context.listen(served.handlers, { host: listenHost });
    let at = 0;
    const told = record({
      open: (connection) => pump(connection),
      drain: (connection) => pump(connection),
    });
    const pump: NonNullable<TcpHandlers['open']> = (connection) => {
      while (at < sent.length) {
        const piece = sent.subarray(at, at + 50_000);
        at += piece.length;
        if (!connection.write(piece)) return;
      }
      connection.end();
    };
    context.connect(portOf(listener), told.handlers, { host });
    expect(await within(told.closed, 'close')).toBeNull();
    expect(await within(served.closed, 'close of the server')).toBeNull();
    expect(told.received()).toBe(sent.length);
    expect(digest(told.bytes())).toBe(digest(sent));
    expect(told.events.filter((event) => event !== 'drain' && event !== 'data')).toEqual([
      'open',
      'end',
      'close',
    ]);
  }

  async function promiseEcho(sent: Buffer, host: string, connectHost = host): Promise<void> {
    const listener = await context.bind({}, host);
    const [client, { stream: server }] = await within(
      Promise.all([context.stream(portOf(listener), connectHost), listener.accept()]),
      'connect',
    );
    const serving = echoUntilEnd(context.own(server));
    const reading = readToEnd(client);
    await within(client.writeAll(sent), 'writeAll', 15_000);
    client.end();
    const echoed = await within(reading, 'the echo', 15_000);
    await within(serving, 'the server');
    expect(echoed.length).toBe(sent.length);
    expect(digest(echoed)).toBe(digest(sent));
    listener.close();
  }

  describe('echo', () => {
    test('a small message, handlers, IPv4', () => handlerEcho(Buffer.from('hello'), '127.0.0.1'));
    test('a small message, promises, IPv4', () => promiseEcho(Buffer.from('hello'), '127.0.0.1'));
    test('a small message, handlers, IPv6', () => handlerEcho(Buffer.from('hello'), '::1'));
    test('a small message, promises, IPv6', () => promiseEcho(Buffer.from('hello'), '::1'));
    test('8 MB both ways, handlers', () => handlerEcho(pattern(BIG), '127.0.0.1'));
    test('8 MB both ways, promises', () => promiseEcho(pattern(BIG), '127.0.0.1'));
    test('a name, handlers', () => handlerEcho(Buffer.from('hello'), 'localhost', '127.0.0.1'));
    test('a name, promises', () => promiseEcho(Buffer.from('hello'), '127.0.0.1', 'localhost'));

    test('an IPv6 listener takes IPv4, unless ipv6Only', async () => {
      const both = await context.bind({}, '::');
      const [client, { stream, address }] = await within(
        Promise.all([context.stream(portOf(both), '127.0.0.1'), both.accept()]),
        'connect',
      );
      context.own(stream);
      expect(address).toEqual({
        address: '::ffff:127.0.0.1',
        port: client.localAddress?.port,
        family: 'IPv6',
      });
      const only = await context.bind({ ipv6Only: true }, '::');
      await expect(context.stream(portOf(only), '127.0.0.1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    });

    test('both ends know both addresses', async () => {
      const { client, server } = await context.streamPair('::1');
      expect(client.localAddress).toMatchObject({ address: '::1', family: 'IPv6' });
      expect(client.remoteAddress).toEqual(server.localAddress);
      expect(server.remoteAddress).toEqual(client.localAddress);
      client.close();
      expect(client.localAddress).toBeUndefined();
      expect(client.remoteAddress).toBeUndefined();
    });
  });
}
