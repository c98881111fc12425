// One suite for node:dgram and for tripoll's: what both do is written once. What differs stands in
// docs/node.md.
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import nodeDgram from 'node:dgram';
import { once } from 'node:events';
import { BlockList } from 'node:net';
import { capabilities, Reactor } from 'tripoll';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import type { UdpBinding } from '#lib/binding/native-udp';
import * as tripollDgram from '#lib/node/dgram';
import { describeIf, testIf } from '../support/applies.js';
import { until, within } from '../support/deadline.js';
import { isWindows } from '../support/platform.js';

const { AF_INET, SOCK_DGRAM, SOCK_STREAM, SOCK_CLOEXEC } = sys.constants;
const V4 = '127.0.0.1';
const GROUP = '239.255.1.77';

type Dgram = typeof nodeDgram;
type Options = nodeDgram.SocketOptions;
type Received = [Buffer, nodeDgram.RemoteInfo];

const coded = (code: string): Error => expect.objectContaining({ code }) as Error;

const nextTick = () =>
  new Promise<void>((resolve) => {
    process.nextTick(resolve);
  });

/** `code` and `message` of what a call throws. */
function thrown(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException;
    return `${name} ${code}: ${message}`;
  }
  return 'nothing';
}

/** Sockets of one test, closed after it. */
function ownSockets(dgram: Dgram) {
  const sockets = new Set<nodeDgram.Socket>();
  afterEach(async () => {
    for (const socket of sockets) {
      if (thrown(() => socket.getSendQueueCount()) !== 'nothing') continue;
      const closed = once(socket, 'close');
      socket.close();
      await within(closed, 'close');
    }
    sockets.clear();
  });
  const create = (options: nodeDgram.SocketType | Options = 'udp4'): nodeDgram.Socket => {
    const socket = dgram.createSocket(options as Options);
    sockets.add(socket);
    return socket;
  };
  const bind = async (options: nodeDgram.SocketType | Options = 'udp4', address = V4) => {
    const socket = create(options);
    socket.bind(0, address);
    await within(once(socket, 'listening'), 'listening');
    return socket;
  };
  return { create, bind };
}

const received = (socket: nodeDgram.Socket) =>
  within(once(socket, 'message') as Promise<unknown> as Promise<Received>, 'message');
const failed = async (socket: nodeDgram.Socket) =>
  (await within(once(socket, 'error'), 'error'))[0] as NodeJS.ErrnoException;

const sent = (send: (done: (error: Error | null, bytes: number) => void) => void) =>
  within(
    new Promise<number>((resolve, reject) => {
      send((error, bytes) => (error === null ? resolve(bytes) : reject(error)));
    }),
    'sent',
  );

/** What wrong arguments are answered with. */
function errorsOf(dgram: Dgram): string[] {
  const socket = dgram.createSocket('udp4');
  const send =
    (...args: unknown[]) =>
    () =>
      (socket.send as (...args: unknown[]) => void)(...args);
  const make = (options: unknown) => () => dgram.createSocket(options as Options);
  const errors = [
    make('udp5'),
    make({ type: 'udp4', lookup: 1 }),
    make({ type: 'udp4', recvBufferSize: 'x' }),
    make({ type: 'udp4', sendBufferSize: -1 }),
    make({ type: 'udp4', signal: {} }),
    send(),
    send(23, 1, V4),
    send([23], 1, V4),
    send('x', 0, V4),
    send('x', 65536, V4),
    send('x', 1, 2),
    send('abc', 4, 0, 1, V4),
    send('abc', 0, 4, 1, V4),
    () => socket.connect(0),
    () => socket.connect(1, 2 as never),
    () => socket.disconnect(),
    () => socket.address(),
    () => socket.setTTL('1' as never),
    () => socket.setTTL(1),
    () => socket.setBroadcast(true),
    () => socket.setMulticastTTL(1),
    () => socket.setMulticastLoopback(true),
    () => socket.setMulticastInterface('127.0.0.1'),
    () => socket.setMulticastInterface('x'),
    () => socket.addMembership(''),
    () => socket.addMembership('256.0.0.1'),
    () => socket.addSourceSpecificMembership(1 as never, GROUP),
    () => socket.setRecvBufferSize(-1),
    () => socket.getRecvBufferSize(),
    () => socket.setSendBufferSize(1024),
    () => (socket as unknown as { sendto(...args: unknown[]): void }).sendto('x', '0'),
  ].map(thrown);
  socket.close();
  return errors;
}

function behaves(name: string, dgram: Dgram): void {
  const isOurs = dgram !== nodeDgram;
  describeIf(isOurs || capabilities.runtime === 'node', 'it is about Node’s own dgram')(name, () => {
    const { create, bind } = ownSockets(dgram);

    test.each([
      ['udp4', V4, 'IPv4'],
      ['udp6', '::1', 'IPv6'],
    ] as const)('%s: an echo, its names and its events in their order', async (type, host, family) => {
      const server = create(type);
      const events: string[] = [];
      for (const event of ['listening', 'message', 'close']) server.on(event, () => events.push(event));
      expect(server.bind(0, host, () => events.push('callback'))).toBe(server);
      expect(events).toEqual([]);
      await within(once(server, 'listening'), 'listening');
      const { port } = server.address();
      expect(server.address()).toEqual({ address: host, family, port });
      const client = create(type);
      expect(await sent((done) => client.send('hello', port, host, done))).toBe(5);
      const [message, info] = await received(server);
      expect(String(message)).toBe('hello');
      expect(message.buffer.byteLength).toBe(5);
      expect(info).toEqual({ address: host, family, port: client.address().port, size: 5 });
      server.send(message, info.port, info.address);
      expect(String((await received(client))[0])).toBe('hello');
      const closed = once(server, 'close');
      expect(server.close(() => events.push('closed'))).toBe(server);
      await within(closed, 'close');
      expect(events).toEqual(['listening', 'callback', 'message', 'close', 'closed']);
    });

    test('send in every form', async () => {
      const server = await bind();
      const client = create();
      const { port } = server.address();
      const texts: string[] = [];
      server.on('message', (message) => texts.push(String(message)));
      const bytes = Buffer.from('0123456789');
      const words = new Uint16Array(Buffer.from('wide').buffer.slice(0, 0));
      expect(await sent((done) => client.send(bytes, 2, 3, port, V4, done))).toBe(3);
      expect(await sent((done) => client.send('text', 1, 2, port, V4, done))).toBe(2);
      expect(await sent((done) => client.send(bytes, port, done))).toBe(10);
      expect(await sent((done) => client.send(bytes, 9, 1, port, done as never))).toBe(1);
      expect(
        await sent((done) =>
          client.send(
            [bytes.subarray(0, 2), 'é', new DataView(bytes.buffer, bytes.byteOffset + 4, 1)] as never,
            port,
            V4,
            done,
          ),
        ),
      ).toBe(5);
      expect(await sent((done) => client.send([], port, V4, done))).toBe(0);
      expect(await sent((done) => client.send(words, port, V4, done))).toBe(0);
      client.send('none', port, V4);
      client.send('default', port);
      await until(() => texts.length === 9, 'all of them');
      expect(texts).toEqual(['234', 'ex', '0123456789', '9', '01é4', '', '', 'none', 'default']);
      (client as unknown as { sendto(...args: unknown[]): void }).sendto(bytes, 0, 1, port, V4);
      await until(() => texts.length === 10, 'sendto');
    });

    test('what is sent while it binds, or a name is looked up, goes in its order', async () => {
      const server = await bind();
      const { port } = server.address();
      const texts: string[] = [];
      server.on('message', (message) => texts.push(String(message)));
      const client = create();
      const events: string[] = [];
      client.on('listening', () => events.push('listening'));
      for (const text of ['a', 'b', 'c']) client.send(text, port, V4, () => events.push(text));
      client.close(() => events.push('close'));
      await until(() => texts.length === 3 || events.includes('close'), 'close');
      await until(() => events.length >= 2, 'events');
      expect(events[0]).toBe('listening');
      expect(thrown(() => client.address())).toMatch('ERR_SOCKET_DGRAM_NOT_RUNNING');
    });

    test('each message is told by itself: who awaits one after the other misses none', async () => {
      const [one, other] = [await bind(), await bind()];
      const client = create();
      const texts: string[] = [];
      const all = (async () => {
        for (let i = 0; i < 20; i++) texts.push(String((await received(one))[0]));
        for (let i = 0; i < 3; i++) texts.push(String((await received(other))[0]));
      })();
      // All at once: none goes through a look-up of its own turn.
      for (let i = 0; i < 20; i++) client.send(`${i}`, one.address().port, V4);
      await until(() => texts.length === 20, 'the first');
      for (let i = 20; i < 23; i++) client.send(`${i}`, other.address().port, V4);
      await within(all, 'all');
      expect(texts).toEqual(Array.from({ length: 23 }, (_, i) => `${i}`));
    });

    test('the largest datagram there is comes whole, a larger one fails', async () => {
      const server = await bind();
      const client = create();
      const { port } = server.address();
      const most = isWindows || capabilities.platform === 'linux' ? 65507 : 9000;
      const payload = Buffer.alloc(most, 'x');
      client.send(payload, port, V4);
      const [message, info] = await received(server);
      expect([message.length, info.size, message.equals(payload)]).toEqual([most, most, true]);
      await expect(sent((done) => client.send(Buffer.alloc(70_000), port, V4, done))).rejects.toMatchObject({
        code: 'EMSGSIZE',
        syscall: 'send',
        message: `send EMSGSIZE ${V4}:${port}`,
        address: V4,
        port,
      });
    });

    test('connect, its peer, and disconnect', async () => {
      const [server, stranger] = [await bind(), await bind()];
      const client = create();
      const { port } = server.address();
      expect(thrown(() => client.remoteAddress())).toBe(
        'Error ERR_SOCKET_DGRAM_NOT_CONNECTED: Not connected',
      );
      const events: string[] = [];
      for (const event of ['listening', 'connect']) client.on(event, () => events.push(event));
      client.connect(port, V4, () => events.push('callback'));
      expect(thrown(() => client.connect(port))).toBe(
        'Error ERR_SOCKET_DGRAM_IS_CONNECTED: Already connected',
      );
      await within(once(client, 'connect'), 'connect');
      await nextTick();
      expect(events).toEqual(['listening', 'connect', 'callback']);
      expect(client.remoteAddress()).toEqual({ address: V4, family: 'IPv4', port });
      expect(thrown(() => client.send('x', 0, 1, port, V4))).toMatch('ERR_SOCKET_DGRAM_IS_CONNECTED');
      expect(await sent((done) => client.send('one', done))).toBe(3);
      expect(String((await received(server))[0])).toBe('one');
      expect(await sent((done) => client.send(Buffer.from('hidden'), 1, 2, done as never))).toBe(2);
      expect(String((await received(server))[0])).toBe('id');
      const texts: string[] = [];
      client.on('message', (message) => texts.push(String(message)));
      stranger.send('no', client.address().port, V4);
      server.send('yes', client.address().port, V4);
      await until(() => texts.length > 0, 'the peer');
      expect(texts).toEqual(['yes']);
      client.disconnect();
      expect(thrown(() => client.disconnect())).toMatch('ERR_SOCKET_DGRAM_NOT_CONNECTED');
      expect(await sent((done) => client.send('two', port, V4, done))).toBe(3);
      expect(String((await received(server))[0])).toBe('two');
    });

    testIf(capabilities.platform === 'linux', 'other systems tell it at other times')(
      'a peer that is not there is told a connected socket',
      async () => {
        const gone = await bind();
        const { port } = gone.address();
        gone.close();
        const client = create();
        client.connect(port, V4);
        await within(once(client, 'connect'), 'connect');
        client.send('x');
        expect(await failed(client)).toMatchObject({
          code: 'ECONNREFUSED',
          syscall: 'recvmsg',
          message: 'recvmsg ECONNREFUSED',
        });
      },
    );

    test('bind in its forms, and again after an error', async () => {
      const first = create();
      first.bind(() => {});
      await within(once(first, 'listening'), 'listening');
      expect(first.address().address).toBe('0.0.0.0');
      expect(thrown(() => first.bind())).toBe('Error ERR_SOCKET_ALREADY_BOUND: Socket is already bound');
      const taken = await bind();
      const { port } = taken.address();
      const second = create();
      let calls = 0;
      second.bind({ port, address: V4 }, () => calls++);
      expect(await failed(second)).toMatchObject({
        code: 'EADDRINUSE',
        syscall: 'bind',
        address: V4,
        port,
        message: `bind EADDRINUSE ${V4}:${port}`,
      });
      second.bind({ address: 'localhost', exclusive: true });
      await within(once(second, 'listening'), 'listening');
      expect([calls, second.address().address]).toEqual([0, V4]);
      const wrong = create();
      wrong.bind(0, '::1');
      expect(await failed(wrong)).toMatchObject({ message: 'bind EINVAL ::1', code: 'EINVAL' });
    });

    test('an address of the other family is EINVAL', async () => {
      const error = async (socket: nodeDgram.Socket, ip: string) => {
        const result = sent((done) => socket.send('x', 9, ip, done)).then(String);
        return result.catch((reason: unknown) => (reason as Error).message);
      };
      expect([await error(create(), '::1'), await error(create('udp6'), V4)]).toEqual([
        'send EINVAL ::1:9',
        `send EINVAL ${V4}:9`,
      ]);
      const socket = create();
      socket.connect(9, '::1');
      expect((await failed(socket)).message).toBe('connect EINVAL ::1:9');
    });

    test('reuseAddr: two on one port', async () => {
      const one = await bind({ type: 'udp4', reuseAddr: true });
      const other = create({ type: 'udp4', reuseAddr: true });
      other.bind(one.address().port, V4);
      await within(once(other, 'listening'), 'listening');
      expect(other.address().port).toBe(one.address().port);
    });

    test('ipv6Only leaves the port to IPv4', async () => {
      const v6 = await bind({ type: 'udp6', ipv6Only: true }, '::');
      const v4 = create();
      v4.bind(v6.address().port);
      await within(once(v4, 'listening'), 'listening');
    });

    test('an fd: of UDP it is taken, of another kind refused', async () => {
      if (isWindows) return;
      const fd = sys.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC);
      expect(sys.bind(fd, `${V4}:0`)).toBe(0);
      const socket = create({ type: 'udp4', recvBufferSize: 4096 });
      socket.bind({ fd });
      expect(socket.address().address).toBe(V4);
      const client = create();
      client.send('by fd', socket.address().port, V4);
      expect(String((await received(socket))[0])).toBe('by fd');
      const stream = sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
      const refused = create();
      expect(thrown(() => refused.bind({ fd: stream }))).toMatch(
        /^TypeError ERR_INVALID_FD_TYPE: Unsupported fd type: /,
      );
      sys.close(stream);
    });

    test('lookup: the one of the options, and what it says', async () => {
      const server = await bind();
      const { port } = server.address();
      const asked: unknown[] = [];
      const lookup = ((host: string, family: number, done: (error: Error | null, ip?: string) => void) => {
        asked.push([host, family]);
        if (host === 'bad.example') done(new Error('no such name'));
        else done(null, V4);
      }) as never;
      const client = create({ type: 'udp4', lookup });
      expect(await sent((done) => client.send('x', port, 'good.example', done))).toBe(1);
      await expect(sent((done) => client.send('x', port, 'bad.example', done))).rejects.toThrow(
        'no such name',
      );
      client.send('x', port, 'bad.example');
      expect((await failed(client)).message).toBe('no such name');
      expect(asked).toEqual([
        ['0.0.0.0', 4],
        ['good.example', 4],
        ['bad.example', 4],
        ['bad.example', 4],
      ]);
    });

    test('options once it is bound', async () => {
      const socket = await bind({ type: 'udp4', recvBufferSize: 20_000, sendBufferSize: 30_000 });
      const factor = capabilities.platform === 'linux' ? 2 : 1;
      expect(socket.getRecvBufferSize()).toBe(20_000 * factor);
      expect(socket.getSendBufferSize()).toBe(30_000 * factor);
      socket.setRecvBufferSize(40_000);
      expect(socket.getRecvBufferSize()).toBe(40_000 * factor);
      expect([socket.setTTL(16), socket.setMulticastTTL(0), socket.setMulticastLoopback(false)]).toEqual([
        16,
        0,
        false,
      ]);
      socket.setBroadcast(true);
      expect(() => socket.setTTL(0)).toThrow('setTTL EINVAL');
      expect(() => socket.setTTL(256)).toThrow('setTTL EINVAL');
      expect(() => socket.setMulticastTTL(256)).toThrow('setMulticastTTL EINVAL');
      expect(() => socket.setRecvBufferSize(2 ** 31)).toThrow(coded('ERR_SOCKET_BUFFER_SIZE'));
      expect([socket.getSendQueueSize(), socket.getSendQueueCount()]).toEqual([0, 0]);
      expect([socket.ref(), socket.unref()]).toEqual([socket, socket]);
    });

    test('groups: joined, heard, left; with a source too', async () => {
      const member = create({ type: 'udp4', reuseAddr: true });
      member.bind(0);
      await within(once(member, 'listening'), 'listening');
      const { port } = member.address();
      const sender = await bind();
      sender.setMulticastInterface(V4);
      member.addMembership(GROUP, V4);
      expect(() => member.addMembership(GROUP, V4)).toThrow(/^addMembership E/);
      sender.send('all', port, GROUP);
      const [message, info] = await received(member);
      expect([String(message), info.address]).toEqual(['all', V4]);
      member.dropMembership(GROUP, V4);
      expect(() => member.dropMembership(GROUP, V4)).toThrow('dropMembership EADDRNOTAVAIL');
      member.addSourceSpecificMembership(V4, GROUP, V4);
      sender.send('one', port, GROUP);
      expect(String((await received(member))[0])).toBe('one');
      member.dropSourceSpecificMembership(V4, GROUP, V4);
      expect(() => member.addMembership(GROUP, '192.0.2.1')).toThrow(/^addMembership E/);
      expect(() => member.addMembership(GROUP, 'lo')).toThrow('addMembership EINVAL');
      expect(() => sender.setMulticastInterface('192.0.2.1')).toThrow(/^setMulticastInterface E/);
    });

    testIf(capabilities.platform === 'linux', 'of Linux (IP_MULTICAST_ALL)')(
      'a group is heard by who has not joined it, as the system’s default is',
      async () => {
        const [member, other] = [
          create({ type: 'udp4', reuseAddr: true }),
          create({ type: 'udp4', reuseAddr: true }),
        ];
        member.bind(0);
        await within(once(member, 'listening'), 'listening');
        const { port } = member.address();
        other.bind(port);
        await within(once(other, 'listening'), 'listening');
        member.addMembership(GROUP, V4);
        const sender = await bind();
        sender.setMulticastInterface(V4);
        sender.send('x', port, GROUP);
        expect(String((await received(other))[0])).toBe('x');
      },
    );

    test('a membership binds a socket that is not bound', async () => {
      const socket = create();
      socket.addMembership(GROUP, V4);
      expect(socket.address().port).toBeGreaterThan(0);
      socket.bind(0);
      expect(await failed(socket)).toMatchObject({ message: 'bind EINVAL 0.0.0.0' });
    });

    test('close: twice, before it is bound, by a signal, by asyncDispose', async () => {
      const unbound = create();
      const events: string[] = [];
      unbound.close(() => events.push('closed'));
      expect(events).toEqual([]);
      await nextTick();
      expect(events).toEqual(['closed']);
      expect(thrown(() => unbound.close())).toBe('Error ERR_SOCKET_DGRAM_NOT_RUNNING: Not running');
      expect(thrown(() => unbound.bind())).toMatch('ERR_SOCKET_DGRAM_NOT_RUNNING');
      expect(thrown(() => unbound.send('x', 1))).toMatch('ERR_SOCKET_DGRAM_NOT_RUNNING');
      expect([unbound.ref(), unbound.unref()]).toEqual([unbound, unbound]);

      const binding = create();
      binding.bind(0, V4, () => events.push('never'));
      binding.close();
      await within(once(binding, 'close'), 'close');

      const aborter = new AbortController();
      const aborted = create({ type: 'udp4', signal: aborter.signal });
      aborter.abort();
      await within(once(aborted, 'close'), 'close');
      await within(once(create({ type: 'udp4', signal: AbortSignal.abort() }), 'close'), 'close');

      const disposed = await bind();
      // Jest's realm has a symbol of its own, which Node's class does not know.
      if (isOurs) await disposed[Symbol.asyncDispose]();
      else disposed.close();
      if (isOurs) await disposed[Symbol.asyncDispose]();
      expect(thrown(() => disposed.address())).toMatch('ERR_SOCKET_DGRAM_NOT_RUNNING');
      expect(events).toEqual(['closed']);
    });

    test('a message after the close is nobody’s', async () => {
      const server = await bind();
      const client = create();
      let count = 0;
      server.on('message', () => {
        count++;
        server.close();
      });
      const closed = once(server, 'close');
      for (let i = 0; i < 5; i++) client.send('x', server.address().port, V4);
      await within(closed, 'close');
      await until(() => client.getSendQueueCount() === 0, 'sent');
      expect(count).toBe(1);
    });

    test('async contexts: messages in the one of createSocket, callbacks in the one of send', async () => {
      const storage = new AsyncLocalStorage<string>();
      const server = storage.run('made', () => create());
      const seen: unknown[] = [];
      server.on('message', () => seen.push(storage.getStore()));
      storage.run('bound', () => server.bind(0, V4));
      await within(once(server, 'listening'), 'listening');
      const client = await bind();
      await storage.run('sent', () =>
        sent((done) =>
          client.send('x', server.address().port, V4, (error, bytes) => {
            seen.push(storage.getStore());
            done(error, bytes);
          }),
        ),
      );
      await until(() => seen.length === 2, 'both');
      expect(seen.sort()).toEqual(['made', 'sent']);
    });

    test('heirs, in the old style too', async () => {
      const Base = dgram.Socket as unknown as {
        new (type: string): nodeDgram.Socket;
        call(self: object, type: string): void;
      };
      class Heir extends Base {
        sends = 0;
        override send(...args: unknown[]): void {
          this.sends++;
          (super.send as (...args: unknown[]) => void)(...args);
        }
      }
      const heir = new Heir('udp4');
      expect(heir).toBeInstanceOf(dgram.Socket);
      const server = await bind();
      heir.send('x', server.address().port, V4);
      await received(server);
      expect(heir.sends).toBeGreaterThan(0);
      heir.close();
      function Old(this: object): void {
        Base.call(this, 'udp4');
      }
      Old.prototype = Object.create(Base.prototype as object) as object;
      const old = new (Old as unknown as new () => nodeDgram.Socket)();
      expect(old).toMatchObject({ type: 'udp4' });
      old.close();
      await within(once(old, 'close'), 'close');
    });
  });
}

const ours = tripollDgram as unknown as Dgram;
behaves('node:dgram', nodeDgram);
behaves('tripoll/node/dgram', ours);

testIf(capabilities.runtime === 'node', 'it compares with Node’s own dgram')(
  'wrong arguments: the codes, the classes and the words are Node’s',
  () => {
    // The words are those of Node 20.
    const isSameNode = process.versions.node.startsWith('20.');
    const known = (error: string): string => (isSameNode ? error : error.split(':', 1)[0]!);
    const expected = errorsOf(nodeDgram);
    expect(expected).not.toContain('nothing');
    expect(errorsOf(ours).map(known)).toEqual(expected.map(known));
  },
);

describe('tripoll/node/dgram alone', () => {
  const { create, bind } = ownSockets(ours);
  const swappable = native as unknown as { udpSend: UdpBinding['udpSend'] };
  const real = swappable.udpSend;
  afterEach(() => {
    swappable.udpSend = real;
  });

  test('what the system cannot take waits, is counted, and goes in its order', async () => {
    const server = await bind();
    const client = await bind();
    const { port } = server.address();
    let isFull = true;
    const { EAGAIN } = native.errnos;
    swappable.udpSend = (...values) => (isFull ? -EAGAIN : real(...values));
    const storage = new AsyncLocalStorage<string>();
    const order: unknown[] = [];
    for (const text of ['a', 'bc', 'def'])
      storage.run(text, () =>
        client.send(text, port, V4, (error, bytes) => order.push([error, bytes, storage.getStore()])),
      );
    await until(() => client.getSendQueueCount() === 3, 'they wait');
    expect(client.getSendQueueSize()).toBe(6);
    isFull = false;
    await until(() => order.length === 3, 'they go');
    expect(order).toEqual([
      [null, 1, 'a'],
      [null, 2, 'bc'],
      [null, 3, 'def'],
    ]);
    expect([client.getSendQueueSize(), client.getSendQueueCount()]).toEqual([0, 0]);
    const texts = [String((await received(server))[0])];
    while (texts.length < 3) texts.push(String((await received(server))[0]));
    expect(texts).toEqual(['a', 'bc', 'def']);
  });

  test('what waits at the close is told ECANCELED, after close', async () => {
    const client = await bind();
    const { EAGAIN } = native.errnos;
    swappable.udpSend = () => -EAGAIN;
    const events: unknown[] = [];
    client.send('x', 9, V4, (error) => events.push((error as NodeJS.ErrnoException).code));
    await until(() => client.getSendQueueCount() === 1, 'it waits');
    client.close(() => events.push('close'));
    await until(() => events.length === 2, 'both');
    expect(events).toEqual(['close', 'ECANCELED']);
  });

  test('what waits when its reactor closes is told too, before the error and close', async () => {
    const client = await bind();
    const { EAGAIN } = native.errnos;
    swappable.udpSend = () => -EAGAIN;
    const events: unknown[] = [];
    const codeOf = (error: NodeJS.ErrnoException | null) => error?.code;
    for (let i = 0; i < 2; i++) client.send('x', 9, V4, (error) => events.push(codeOf(error)));
    client.on('error', (error) => events.push(codeOf(error)));
    client.on('close', () => events.push('close'));
    await until(() => client.getSendQueueCount() === 2, 'they wait');
    Reactor.default.close();
    await until(() => events.includes('close'), 'close');
    expect(events).toEqual(['ECANCELED', 'ECANCELED', 'ERR_TRIPOLL_CLOSED', 'close']);
  });

  test('block lists: from whom nothing comes, to whom nothing goes', async () => {
    const blocked = new BlockList();
    blocked.addAddress(V4);
    const make = (options: object) => create({ type: 'udp4', ...options });
    expect(() => make({ receiveBlockList: {} })).toThrow(coded('ERR_INVALID_ARG_TYPE'));
    expect(() => make({ sendBlockList: {} })).toThrow(coded('ERR_INVALID_ARG_TYPE'));
    const server = await bind({ type: 'udp4', receiveBlockList: blocked } as Options);
    server.on('message', () => expect('it').toBe('blocked'));
    const client = make({ sendBlockList: blocked });
    const { port } = server.address();
    await expect(sent((done) => client.send('x', port, V4, done))).rejects.toThrow(coded('ERR_IP_BLOCKED'));
    client.connect(port, V4);
    expect(await failed(client)).toMatchObject({ code: 'ERR_IP_BLOCKED' });
    const free = await bind();
    await sent((done) => free.send('x', port, V4, done));
    const open = await bind();
    await sent((done) => free.send('y', open.address().port, V4, done));
    await received(open);
  });

  testIf(capabilities.platform === 'linux', 'of Linux')('reusePort: two on one port', async () => {
    const options = { type: 'udp4', reusePort: true } as Options;
    const one = await bind(options);
    const other = create(options);
    other.bind(one.address().port, V4);
    await within(once(other, 'listening'), 'listening');
  });

  test('what differs: no handle, a clear error after the close, Socket without new', async () => {
    const socket = tripollDgram.Socket('udp4');
    expect(socket).toBeInstanceOf(tripollDgram.Socket);
    expect(Reflect.get(socket, '_handle')).toBeNull();
    socket.close();
    await within(once(socket, 'close'), 'close');
    const notRunning = coded('ERR_SOCKET_DGRAM_NOT_RUNNING');
    expect(() => socket.setTTL(1)).toThrow(notRunning);
    expect(() => socket.getSendQueueSize()).toThrow(notRunning);
  });

  const hasHandles = capabilities.runtime === 'node' && '_createSocketHandle' in nodeDgram;
  testIf(hasHandles, 'this runtime gives no handle of Node’s')(
    'a handle of Node’s: its own socket does the work',
    async () => {
      type MakeHandle = (address: string, port: number, type: string, fd: number, flags: number) => object;
      const make = Reflect.get(nodeDgram, '_createSocketHandle') as MakeHandle;
      const handle = make(V4, 0, 'udp4', -1, 0);
      const server = create();
      const events: string[] = [];
      for (const event of ['listening', 'message', 'close']) server.on(event, () => events.push(event));
      expect(server.bind(handle as never)).toBe(server);
      const { port } = server.address();
      const client = await bind();
      client.send('to a handle', port, V4);
      const [message, info] = await received(server);
      expect([String(message), info.port]).toEqual(['to a handle', client.address().port]);
      server.send(message, info.port, info.address);
      expect(String((await received(client))[0])).toBe('to a handle');
      expect([server.setTTL(3), server.getSendQueueCount(), server.unref()]).toEqual([3, 0, server]);
      const closed = once(server, 'close');
      expect(server.close()).toBe(server);
      await within(closed, 'close');
      expect(events).toEqual(['listening', 'message', 'close']);
      expect(() => server.close()).toThrow(coded('ERR_SOCKET_DGRAM_NOT_RUNNING'));
    },
  );

  test('the diagnostics channel tells of each new socket', () => {
    const told: unknown[] = [];
    const onSocket = (message: unknown) => told.push((message as { socket: unknown }).socket);
    subscribe('tripoll.udp.socket', onSocket);
    const socket = create();
    unsubscribe('tripoll.udp.socket', onSocket);
    expect(told).toEqual([socket]);
  });
});
