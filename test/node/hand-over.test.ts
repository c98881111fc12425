// Sockets that change their owner: ours to Node's, Node's to ours, with the bytes that were read.
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import { capabilities } from 'tripoll';
import { handOver, take, toDuplex, type Socket } from 'tripoll/node';
import { listen, UnixStream, type TcpConnection, type TcpStream } from 'tripoll/net';
import { testIf } from '../support/applies.js';
import { until, within } from '../support/deadline.js';
import { testSeqpacket } from '../support/kernel.js';
import { isWindows } from '../support/platform.js';
import { secrets } from '../support/secrets.js';
import { describeOn, pattern, portOf, readToEnd, rejection, rejectionError, turnOf } from '../net/tools.js';
import { kinds, pairOf, readAll, secureClient, type AnyOfThem } from './tools.js';

const LEGS = ['nested epoll', 'watcher epoll', 'watcher kqueue', 'watcher poll'] as const;
const runs = testIf(capabilities.runtime === 'node' && !isWindows, 'only Node takes sockets by fd');
const isOfCode = (code: string): Error => expect.objectContaining({ code }) as Error;

testIf(isWindows, 'elsewhere it is possible')('handOver says that Windows cannot', async () => {
  expect(() => handOver({} as TcpStream)).toThrow(isOfCode('ERR_TRIPOLL_UNSUPPORTED'));
  expect(await rejection(take(new net.Socket()))).toMatchObject({ code: 'ERR_TRIPOLL_STATE' });
});

describeOn(LEGS, 'handOver and take', (context) => {
  const owned = <T extends net.Socket | Socket>(socket: T): T => {
    context.own({ close: () => void socket.destroy() });
    return socket;
  };
  const given = (...args: Parameters<typeof handOver>): net.Socket => owned(handOver(...args));

  for (const kind of kinds) {
    runs(
      `handOver of a ${kind}: what was read comes first, then what the system has, then more`,
      async () => {
        const { socket, peer } = await pairOf(context, kind);
        const sent = pattern(500_000);
        peer.write(sent.subarray(0, 100_000));
        await until(() => peer.writableLength === 0, 'bytes that are on their way');
        const node = given(socket, { unread: Buffer.from('first '), allowHalfOpen: true });
        expect(node.constructor).toBe(net.Socket);
        peer.end(sent.subarray(100_000));
        expect(Buffer.compare(await readAll(node), Buffer.concat([Buffer.from('first '), sent]))).toBe(0);
        const back = readAll(peer);
        node.end('answer');
        expect((await back).toString()).toBe('answer');
      },
    );

    runs(`handOver of a ${kind} that has ended its side: it reads on, and writes no more`, async () => {
      const { socket, peer } = await pairOf(context, kind);
      const ended = once(peer.resume(), 'end');
      socket.end();
      await within(ended, 'end');
      const node = given(socket);
      expect(node.writable).toBe(false);
      peer.end('late');
      expect((await readAll(node)).toString()).toBe('late');
    });

    runs(`handOver of a ${kind} whose peer has ended: it still answers`, async () => {
      const { socket, peer } = await pairOf(context, kind);
      peer.end('question');
      await within(once(peer, 'finish'), 'finish');
      for (let i = 0; i < 3; i++) await turnOf(context.reactor);
      const node = given(socket, { allowHalfOpen: true });
      const back = readAll(peer);
      expect((await readAll(node)).toString()).toMatch(/question|^$/);
      node.end('answer');
      expect((await back).toString()).toBe('answer');
    });

    runs(`take of a ${kind}: a stream on the same reactor`, async () => {
      const { socket, peer } = await pairOf(context, kind);
      peer.write('one ');
      const { stream, unread } = await take(socket);
      context.own(stream);
      expect(stream.reactor).toBe(context.reactor);
      peer.end('two');
      expect(Buffer.concat([unread, await readToEnd(stream)]).toString()).toBe('one two');
    });
  }

  runs('a Socket gives away what is in its own buffer too, and leaves its server', async () => {
    const { socket, peer } = (await pairOf(context, 'Socket')) as { socket: Socket; peer: net.Socket };
    const seen: string[] = [];
    for (const event of ['data', 'end', 'error', 'close']) socket.on(event, () => seen.push(event));
    socket.pause();
    peer.write('buffered');
    await until(() => socket.readableLength === 8, 'the buffer');
    const node = given(socket);
    await within(once(socket, 'close'), 'close');
    peer.end(' and more');
    expect((await readAll(node)).toString()).toBe('buffered and more');
    expect([seen, socket.destroyed, socket.bytesRead]).toEqual([['close'], true, 8]);
  });

  runs('from within data, the chunk that is lent can be given along', async () => {
    const whole = new Promise<Buffer>((resolve, reject) => {
      const listener = listen(
        { host: '127.0.0.1', port: 0, reactor: context.reactor },
        {
          data(connection, chunk) {
            readAll(given(connection, { unread: chunk })).then(resolve, reject);
            listener.close();
          },
        },
      );
      context.own(listener);
      owned(net.connect(portOf(listener), '127.0.0.1')).end(pattern(300_000));
    });
    expect(Buffer.compare(await within(whole, 'all of it'), pattern(300_000))).toBe(0);
  });

  runs('what waits is refused, and nothing is changed by that', async () => {
    const { socket, peer } = (await pairOf(context, 'TcpStream')) as { socket: TcpStream; peer: net.Socket };
    const reading = socket.read(new Uint8Array(10));
    expect(() => handOver(socket)).toThrow(isOfCode('ERR_TRIPOLL_BUSY'));
    peer.write('x');
    expect(await within(reading, 'read')).toBe(1);
    const { socket: ours } = (await pairOf(context, 'Socket')) as { socket: Socket };
    ours.write(Buffer.alloc(32 << 20));
    expect(() => handOver(ours)).toThrow(isOfCode('ERR_TRIPOLL_BUSY'));
    expect(ours.destroyed).toBe(false);
    ours.destroy();
    expect(() => handOver(ours)).toThrow(isOfCode('ERR_TRIPOLL_STATE'));
    const { socket: text } = (await pairOf(context, 'Socket')) as { socket: Socket };
    text.setEncoding('utf8');
    expect(() => handOver(text)).toThrow(isOfCode('ERR_TRIPOLL_STATE'));
    expect(() => handOver({} as TcpStream)).toThrow(isOfCode('ERR_TRIPOLL_INVALID_ARG_TYPE'));
    expect(() => handOver(socket, { unread: 'x' as never })).toThrow(
      isOfCode('ERR_TRIPOLL_INVALID_ARG_TYPE'),
    );
    socket.close();
    expect(() => handOver(socket)).toThrow(isOfCode('ERR_TRIPOLL_CLOSED'));
  });

  runs('handOver: what Node throws comes when the connection is closed, and no fd is left', async () => {
    const { socket, peer } = await pairOf(context, 'TcpStream');
    const emfile = Object.assign(new Error('open EMFILE'), { code: 'EMFILE' });
    const constructor = jest.spyOn(net, 'Socket').mockImplementationOnce(() => {
      throw emfile;
    });
    const ended = once(peer.resume(), 'end');
    expect(() => handOver(socket)).toThrow(emfile);
    constructor.mockRestore();
    await within(ended, 'end');
    expect(socket.closed).toBe(true);
  });

  for (const kind of kinds)
    runs(`toDuplex and take of a ${kind} that cannot be registered say so, and close it`, async () => {
      const toldBy = {
        toDuplex: async (socket: AnyOfThem) => (await once(toDuplex(socket), 'error'))[0] as unknown,
        take: (socket: AnyOfThem) => rejectionError(take(socket)),
      };
      for (const told of Object.values(toldBy)) {
        const { socket, peer } = await pairOf(context, kind);
        const enomem = Object.assign(new Error('epoll_ctl ENOMEM'), { code: 'ENOMEM' });
        const register = jest.spyOn(context.reactor.registry, 'register').mockImplementationOnce(() => {
          throw enomem;
        });
        const ended = once(peer.resume(), 'end');
        expect(await within(told(socket), 'the error')).toMatchObject({ code: 'ENOMEM' });
        register.mockRestore();
        await within(ended, 'end');
      }
    });

  testSeqpacket('a socket of messages is refused', () => {
    const [one, other] = UnixStream.pair({ type: 'seqpacket', reactor: context.reactor });
    context.own(one);
    context.own(other);
    const unsupported = isOfCode('ERR_TRIPOLL_UNSUPPORTED');
    expect(() => handOver(one)).toThrow(unsupported);
    expect(() => toDuplex(one)).toThrow(unsupported);
    expect(one.closed).toBe(false);
  });

  // ---- Node's own ----

  /** A socket that Node has accepted, and its peer. */
  async function nodePair(pauseOnConnect: boolean): Promise<{ socket: net.Socket; peer: net.Socket }> {
    const server = net.createServer({ pauseOnConnect, allowHalfOpen: true }).listen(0, '127.0.0.1');
    await within(once(server, 'listening'), 'listening');
    const accepted = once(server, 'connection');
    const peer = owned(net.connect((server.address() as AddressInfo).port, '127.0.0.1'));
    const [socket] = (await within(accepted, 'accepted')) as [net.Socket];
    server.close();
    return { socket: owned(socket), peer };
  }

  for (const paused of [true, false])
    runs(`take of a net.Socket, pauseOnConnect ${paused}: no byte is lost`, async () => {
      const { socket, peer } = await nodePair(paused);
      const sent = pattern(400_000);
      peer.write(sent.subarray(0, 200_000));
      if (paused) await turnOf(context.reactor);
      else await until(() => socket.readableLength > 0, 'what Node has read ahead');
      const { stream, unread } = await take(socket, { reactor: context.reactor });
      context.own(stream);
      expect(unread.length > 0).toBe(!paused);
      peer.end(sent.subarray(200_000));
      expect(Buffer.compare(Buffer.concat([unread, await readToEnd(stream)]), sent)).toBe(0);
      const back = readAll(peer);
      await stream.writeAll(Buffer.from('answer'));
      stream.end();
      expect((await back).toString()).toBe('answer');
    });

  runs('take refuses what it cannot take, and leaves it as it is', async () => {
    const { socket, peer } = await nodePair(false);
    expect(await rejection(take(new net.Socket()))).toMatchObject({ code: 'ERR_TRIPOLL_STATE' });
    socket.write(Buffer.alloc(32 << 20));
    expect(await rejection(take(socket))).toMatchObject({ code: 'ERR_TRIPOLL_BUSY' });
    socket.destroy();
    expect(await rejection(take(socket))).toMatchObject({ code: 'ERR_TRIPOLL_STATE' });
    const secured = owned(secureClient(peer));
    secured.on('error', () => {});
    expect((await rejection(take(secured)))?.code).toMatch(/UNSUPPORTED|STATE/);
    expect(await rejection(take(peer))).toMatchObject({ code: 'ERR_TRIPOLL_STATE' });
  });

  // ---- what it is for ----

  /** The name in a ClientHello (RFC 8446, 4.1.2; RFC 6066, 3), which here stands in clear text. */
  const sniOf = (hello: Uint8Array): string =>
    /[a-z]+\.test/.exec(Buffer.from(hello).toString('latin1'))?.[0] ?? '';

  async function echoed(socket: tls.TLSSocket, sent: Buffer): Promise<Buffer> {
    const back = readAll(socket);
    socket.end(sent);
    return back;
  }

  runs('a PROXY header is read on tripoll, TLS runs on Node’s native path: as without', async () => {
    const server = tls.createServer(secrets, (socket) => socket.pipe(socket));
    const remotes: string[] = [];
    const listener = context.listen({
      async open(connection) {
        connection.pause();
        const header = Buffer.alloc(107); // its most bytes (PROXY protocol, 2.1)
        const received = await connection.peek(header);
        const end = header.subarray(0, received).indexOf('\r\n');
        remotes.push(header.toString('latin1', 0, end));
        const { stream } = await take(connection);
        await (stream as TcpStream).read(new Uint8Array(end + 2));
        const socket = given(stream);
        server.emit('connection', socket);
      },
    });
    const sent = pattern(300_000);
    const raw = owned(net.connect(portOf(listener), '127.0.0.1'));
    raw.write('PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n');
    expect(Buffer.compare(await echoed(owned(secureClient(raw)), sent), sent)).toBe(0);
    expect(remotes).toEqual(['PROXY TCP4 192.0.2.1 192.0.2.2 1000 443']);
  });

  runs('bytes of the ClientHello that were read go first into TLS', async () => {
    const server = tls.createServer(secrets, (socket) => socket.end(`hello ${String(socket.servername)}`));
    const names: string[] = [];
    const handlers = {
      data(connection: TcpConnection, chunk: Uint8Array) {
        names.push(sniOf(chunk));
        server.emit('connection', given(connection, { unread: chunk }));
      },
    };
    const listener = context.listen(handlers);
    const secured = tls.connect({
      port: portOf(listener),
      host: '127.0.0.1',
      servername: 'peeked.test',
      ca: secrets.cert,
      checkServerIdentity: () => undefined,
    });
    expect((await readAll(owned(secured))).toString()).toBe('hello peeked.test');
    expect(names).toEqual(['peeked.test']);
  });

  runs('an HTTP server of Node’s serves what has been read already', async () => {
    const server = http.createServer((request, response) => response.end(request.url));
    const listener = context.listen({
      data(connection, chunk) {
        server.emit('connection', given(connection, { unread: chunk }));
      },
    });
    const response = await fetch(`http://127.0.0.1:${portOf(listener)}/path`, {
      headers: { connection: 'close' },
    });
    expect(await response.text()).toBe('/path');
  });
});
