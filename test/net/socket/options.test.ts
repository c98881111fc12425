// Socket options: the same tests for each driver and backend.
import { capabilities } from 'tripoll';
import {
  connect,
  decodeTcpInfo,
  getOption,
  getRawOption,
  setOption,
  setRawOption,
  tcpInfo,
  TcpListener,
  TcpStream,
} from 'tripoll/net';
import type { DropInfo, SettableSocketOptions, SocketOptions } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { table } from '#lib/net/socket/socket-option-table';
import { testIf } from '../../support/applies.js';
import { until, within } from '../../support/deadline.js';
import { isOldWine } from '../../support/platform.js';
import { closed, invalidType, outOfRange, thrownBy } from '../../support/errors.js';
import { hasManyLoopbacks } from '../../support/kernel.js';
import {
  describeOn,
  LOOPBACK,
  portOf,
  record,
  rejection,
  rejectionError,
  turnOf,
  type Context,
} from '../tools.js';

const { SOCK_STREAM, SOCK_DGRAM, SOCK_CLOEXEC, AF_INET, AF_INET6 } = sys.constants;
const { SOL_SOCKET, SO_KEEPALIVE, SO_LINGER } = sys.constants;

const isLinux = capabilities.platform === 'linux';
const has = (constant: string): boolean => constant in native.constants;

/** What Windows 10 has and Wine 8 refuses. */
const NOT_WINE = ['tcpKeepIdleSeconds', 'tcpKeepIntervalSeconds', 'tcpKeepCount', 'ipMtu', 'ipv6Mtu'];

/** `test`, or a skip that names what this system has not. */
function testOption(name: string): ReturnType<typeof testIf> {
  const { option } = table[name as keyof SocketOptions];
  if (isOldWine && NOT_WINE.includes(name)) return testIf(false, `Wine 8 has no ${option}`);
  return testIf(has(option), `this system has no ${option}`);
}

/** Runs `use` with a socket of its own. */
function withSocket<T>(domain: number, type: number, use: (fd: number) => T): T {
  const fd = sys.socket(domain, type | SOCK_CLOEXEC);
  if (fd < 0) throw new Error(`socket: errno ${-fd}`);
  try {
    return use(fd);
  } finally {
    sys.close(fd);
  }
}

type Sample = { [Name in keyof SettableSocketOptions]?: [SettableSocketOptions[Name], unknown?] };

/**
 * Option: what is set, and what is read back where that is something else (Linux doubles buffers,
 * and so on).
 */
const onTcp: Sample = {
  reuseAddress: [true],
  reusePort: [true],
  keepAlive: [true],
  urgentInline: [true],
  doNotRoute: [true],
  lingerSeconds: [0],
  receiveBufferBytes: [20_000, isLinux ? 40_000 : 20_000],
  sendBufferBytes: [20_000, isLinux ? 40_000 : 20_000],
  receiveLowWaterMarkBytes: [100],
  priority: [3],
  incomingCpu: [0],
  zeroCopy: [true],
  maxPacingRateBytes: [3_000_000_000],
  tcpNoDelay: [true],
  tcpCork: [true],
  tcpMaxSegmentBytes: [1000, expect.any(Number)],
  tcpKeepIdleSeconds: [11],
  tcpKeepIntervalSeconds: [12],
  tcpKeepCount: [3],
  tcpUserTimeoutMs: [5000],
  tcpSynCount: [2],
  tcpDeferAcceptSeconds: [3, 3],
  tcpFastOpenConnect: [true],
  tcpNotSentLowWaterMarkBytes: [16_384],
  tcpWindowClampBytes: [100_000, expect.any(Number)],
  tcpFinWaitSeconds: [9],
  tcpThinLinearTimeouts: [true],
  tcpSaveSyn: [true],
  ipTos: [0x10],
  ipTtl: [33],
  ipMinTtl: [2],
  ipFreeBind: [true],
  ipBindAddressNoPort: [true],
  ipMtuDiscover: [0],
  ipReceiveErrors: [true],
};
const onV6: Sample = {
  ipv6Only: [true],
  ipv6TrafficClass: [0x20],
  ipv6UnicastHops: [44],
  ipv6MtuDiscover: [0],
  ipv6FreeBind: [true],
  ipv6ReceiveErrors: [true],
};
const onUdp: Sample = {
  broadcast: [true],
  ipPacketInfo: [true],
  ipReceiveTos: [true],
  ipReceiveTtl: [true],
  ipReceiveOriginalDestination: [true],
  ipMulticastTtl: [5],
  ipMulticastLoop: [false],
  ipMulticastAll: [false],
  udpSegmentBytes: [1200],
  udpGro: [true],
  udpCork: [true],
};
const onUdp6: Sample = {
  ipv6MulticastHops: [5],
  ipv6MulticastLoop: [false],
  ipv6ReceivePacketInfo: [true],
  ipv6ReceiveTrafficClass: [true],
  ipv6ReceiveHopLimit: [true],
};
/** What takes a privilege, or a newer kernel: it works, or says so. */
const onPrivilege: Sample = {
  mark: [0xf000_0001],
  bindToDevice: ['lo'],
  busyPollUs: [50],
  preferBusyPoll: [true],
  receiveBufferForceBytes: [30_000],
  sendBufferForceBytes: [30_000],
  ipTransparent: [true],
  ipv6Transparent: [true],
  ipLocalPortRange: [40_000 + 41_000 * 65_536],
  tcpCongestion: ['reno'],
  tcpQuickAck: [false],
  tcpFastOpen: [5],
};
const readOnly = [
  'acceptConnections',
  'domain',
  'incomingNapiId',
  'ipMtu',
  'ipv6Mtu',
  'originalDestination',
  'protocol',
  'type',
];

function describeTable(): void {
  test('the samples below, and what can only be read, are all there is', () => {
    const sampled = [onTcp, onV6, onUdp, onUdp6, onPrivilege].flatMap((sample) => Object.keys(sample));
    expect([...sampled, ...readOnly].sort()).toEqual(Object.keys(table).sort());
  });

  const rows: [string, number, number, Sample][] = [
    ['TCP', AF_INET, SOCK_STREAM, onTcp],
    ['IPv6', AF_INET6, SOCK_STREAM, onV6],
    ['UDP', AF_INET, SOCK_DGRAM, onUdp],
    ['UDP on IPv6', AF_INET6, SOCK_DGRAM, onUdp6],
  ];
  const cases = rows.flatMap(([what, domain, type, sample]) =>
    Object.entries(sample).map(([name, [value, back]]) => ({
      what,
      domain,
      type,
      name,
      value,
      back: back ?? value,
    })),
  );
  for (const { what, domain, type, name, value, back } of cases) {
    testOption(name)(`${what}: ${name} is set, and read back`, () => {
      withSocket(domain, type, (fd) => {
        const option = name as keyof SettableSocketOptions;
        setOption(fd, option, value as never);
        expect(getOption(fd, option)).toEqual(back);
      });
    });
  }

  for (const [name, [value]] of Object.entries(onPrivilege)) {
    testOption(name)(`${name} is set, or refused with an errno`, () => setPrivileged(name, value));
  }

  function setPrivileged(name: string, value: unknown): void {
    withSocket(name.startsWith('ipv6') ? AF_INET6 : AF_INET, SOCK_STREAM, (fd) => {
      const option = name as keyof SettableSocketOptions;
      try {
        setOption(fd, option, value as never);
      } catch (error) {
        expect((error as { code: string }).code).toMatch(/^(EPERM|ENOPROTOOPT|ENOENT)$/);
        expect((error as Error).message).toContain(name);
        return;
      }
      if (!name.includes('Force')) expect(getOption(fd, option)).toEqual(value);
      else expect(getOption(fd, name.replace('Force', '') as 'sendBufferBytes')).toBe(60_000);
    });
  }

  for (const [name, value] of Object.entries({
    type: SOCK_DGRAM,
    domain: AF_INET6,
    protocol: sys.constants['IPPROTO_UDP'],
    acceptConnections: false,
    incomingNapiId: 0,
  })) {
    testOption(name)(`${name} is read`, () => {
      withSocket(AF_INET6, SOCK_DGRAM, (fd) => expect(getOption(fd, name as 'type')).toBe(value));
    });
  }

  test('those to be read only', () => {
    for (const name of readOnly) {
      expect(
        thrownBy(() => withSocket(AF_INET, SOCK_STREAM, (fd) => setOption(fd, name as never, 1 as never))),
      ).toEqual(outOfRange);
    }
  });

  test('lingerSeconds: off is null, and 0 is not off', () => {
    withSocket(AF_INET, SOCK_STREAM, (fd) => {
      expect(getOption(fd, 'lingerSeconds')).toBeNull();
      setOption(fd, 'lingerSeconds', 0);
      expect(getOption(fd, 'lingerSeconds')).toBe(0);
      // F15: its close would block.
      expect(thrownBy(() => setOption(fd, 'lingerSeconds', 1))).toEqual(outOfRange);
      expect(getOption(fd, 'lingerSeconds')).toBe(0);
      setOption(fd, 'lingerSeconds', null);
      expect(getOption(fd, 'lingerSeconds')).toBeNull();
    });
  });

  testOption('originalDestination')('of what nobody redirected', () => {
    withSocket(AF_INET, SOCK_STREAM, (fd) => {
      const { code } = thrownBy(() => getOption(fd, 'originalDestination'));
      expect(['ENOPROTOOPT', 'ENOENT', 'ENOTCONN', 'EINVAL']).toContain(code);
    });
  });
}

/** What a netfilter redirection would give, as the kernel lays it out. */
function describeOriginalDestination(): void {
  const v4 = Uint8Array.of(2, 0, 0x1f, 0x90, 192, 0, 2, 33, 0, 0, 0, 0, 0, 0, 0, 0);
  const v6 = (...groups: number[]): Uint8Array => {
    const bytes = new Uint8Array(28);
    const view = new DataView(bytes.buffer);
    bytes[0] = 10;
    view.setUint16(2, 443);
    groups.forEach((group, i) => view.setUint16(8 + i * 2, group));
    return bytes;
  };
  const answers: [Uint8Array, boolean, object][] = [
    [v4, false, { address: '192.0.2.33', port: 8080, family: 'IPv4' }],
    [v6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), true, { address: '2001:db8::1', port: 443, family: 'IPv6' }],
    [v6(0, 0, 0, 0, 0, 0, 0, 1), true, { address: '::1', port: 443, family: 'IPv6' }],
    [v6(0xfe80, 0, 0, 1, 0, 0, 0, 0), true, { address: 'fe80:0:0:1::', port: 443, family: 'IPv6' }],
    [v6(1, 2, 3, 4, 5, 6, 7, 8), true, { address: '1:2:3:4:5:6:7:8', port: 443, family: 'IPv6' }],
    [v6(0, 0, 0, 0, 0, 0, 0, 0), true, { address: '::', port: 443, family: 'IPv6' }],
  ];
  answers.forEach(([answer, onlyV6, expected], i) => {
    testOption('originalDestination')(`is decoded: ${i}`, () => decode(answer, onlyV6, expected));
  });

  function decode(answer: Uint8Array, onlyV6: boolean, expected: object): void {
    const binding = native as { getsockopt: typeof native.getsockopt };
    const original = binding.getsockopt;
    binding.getsockopt = (_fd, level, _name, out) => {
      if (onlyV6 && level !== sys.constants['IPPROTO_IPV6']) return -(sys.errno['ENOENT'] ?? 0);
      out.set(answer);
      return answer.length;
    };
    try {
      expect(getOption(5, 'originalDestination')).toEqual(expected);
    } finally {
      binding.getsockopt = original;
    }
  }
}

function describeBadInput(): void {
  test('a name that is none, a value of the wrong type, an fd that is none', () => {
    withSocket(AF_INET, SOCK_STREAM, (fd) => {
      expect(thrownBy(() => getOption(fd, 'nothing' as never))).toEqual(invalidType);
      expect(thrownBy(() => getOption(fd, 'toString' as never))).toEqual(invalidType);
      expect(thrownBy(() => getOption(fd, 5 as never))).toEqual(invalidType);
      expect(thrownBy(() => setOption(fd, 'reusePort', 1 as never))).toEqual(invalidType);
      expect(thrownBy(() => setOption(fd, 'ipTtl', 1.5))).toEqual(outOfRange);
      expect(thrownBy(() => setOption(fd, 'mark', -1))).toEqual(outOfRange);
      expect(thrownBy(() => setOption(fd, 'tcpCongestion', 'a\0b'))).toEqual(outOfRange);
      expect(thrownBy(() => setOption(fd, 'tcpCongestion', 'x'.repeat(200)))).toEqual(outOfRange);
      expect(thrownBy(() => setOption(fd, 'lingerSeconds', true as never))).toEqual(invalidType);
    });
    expect(thrownBy(() => getOption('3' as never, 'type'))).toEqual(invalidType);
    expect(thrownBy(() => getOption(2 ** 31 - 1, 'type')).code).toBe('EBADF');
  });

  test('an option that this platform lacks: ERR_TRIPOLL_UNSUPPORTED names its constant', () => {
    const constants = native.constants as Record<string, number>;
    const { TCP_CORK } = constants;
    try {
      Reflect.deleteProperty(constants, 'TCP_CORK');
      withSocket(AF_INET, SOCK_STREAM, (fd) => {
        expect(thrownBy(() => setOption(fd, 'tcpCork', true)).code).toBe('ERR_TRIPOLL_UNSUPPORTED');
        expect(() => getOption(fd, 'tcpCork')).toThrow('TCP_CORK');
      });
    } finally {
      if (TCP_CORK !== undefined) constants['TCP_CORK'] = TCP_CORK;
    }
  });

  test('raw options, with the bytes of the system', () => {
    withSocket(AF_INET, SOCK_STREAM, (fd) => {
      const bytes = new Uint8Array(new Int32Array([1]).buffer);
      setRawOption(fd, SOL_SOCKET, SO_KEEPALIVE, bytes);
      expect(new Int32Array(getRawOption(fd, SOL_SOCKET, SO_KEEPALIVE).buffer)[0]).not.toBe(0);
      expect(getRawOption(fd, SOL_SOCKET, SO_LINGER)).toHaveLength(8);
      expect(getRawOption(fd, SOL_SOCKET, SO_LINGER, 4)).toHaveLength(4);
      expect(thrownBy(() => getRawOption(fd, 9999, 1)).syscall).toBe('getsockopt');
      const short = thrownBy(() => setRawOption(fd, SOL_SOCKET, SO_KEEPALIVE, new Uint8Array(0)));
      // Winsock: WSAEFAULT.
      expect(['EINVAL', 'EFAULT']).toContain(short.code);
      expect(thrownBy(() => setRawOption(fd, SOL_SOCKET, SO_KEEPALIVE, [1] as never))).toEqual(invalidType);
      expect(thrownBy(() => getRawOption(fd, SOL_SOCKET, SO_KEEPALIVE, -1))).toEqual(outOfRange);
    });
  });
}

describeOn(
  ['nested epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'],
  'socket options',
  (context) => {
    describeTable();
    describeOriginalDestination();
    describeBadInput();
    describeStages(context);
    describeTcpInfo(context);
  },
);

/** Before bind, before connect, after accept, and on what is open. */
function describeStages(context: Context): void {
  testOption('tcpDeferAcceptSeconds')(
    'before bind: a second socket of a port needs reusePort on both',
    async () => {
      const { reactor } = context;
      const socketOptions = { reusePort: true, tcpDeferAcceptSeconds: 4 };
      const first = context.own(
        await TcpListener.bind({ host: LOOPBACK, port: 0 }, { reactor, socketOptions }),
      );
      const port = portOf(first);
      const plain = TcpListener.bind({ host: LOOPBACK, port }, { reactor });
      expect((await rejection(plain))?.code).toBe('EADDRINUSE');
      context.own(await TcpListener.bind({ host: LOOPBACK, port }, { reactor, socketOptions }));
      expect(first.getOption('tcpDeferAcceptSeconds')).toBeGreaterThanOrEqual(4);
      expect(first.getOption('acceptConnections')).toBe(true);
    },
  );

  testOption('ipFreeBind')('before bind: an address that is not of this machine, by ipFreeBind', async () => {
    const { reactor } = context;
    const address = { host: '192.0.2.7', port: 0 };
    expect((await rejection(TcpListener.bind(address, { reactor })))?.code).toBe('EADDRNOTAVAIL');
    const socketOptions = { ipFreeBind: true };
    const listener = context.own(await TcpListener.bind(address, { reactor, socketOptions }));
    expect(listener.localAddress?.address).toBe('192.0.2.7');
  });

  test('before connect, in both styles; and after it', async () => {
    const { reactor } = context;
    const listener = await context.bind();
    const here = has('TCP_USER_TIMEOUT');
    const socketOptions = {
      receiveBufferBytes: 30_000,
      ...(here ? { ipBindAddressNoPort: true, tcpUserTimeoutMs: 1234 } : {}),
    };
    const localAddress = hasManyLoopbacks ? '127.0.0.4' : LOOPBACK;
    const options = { reactor, socketOptions, localAddress };
    const stream = context.own(await TcpStream.connect({ host: LOOPBACK, port: portOf(listener) }, options));
    expect(stream.getOption('receiveBufferBytes')).toBe(isLinux ? 60_000 : 30_000);
    if (here) expect(stream.getOption('tcpUserTimeoutMs')).toBe(1234);
    expect(stream.localAddress?.address).toBe(localAddress);
    expect(stream.getOption('tcpNoDelay')).toBe(true);
    stream.setOption('tcpNoDelay', false);
    expect(stream.getOption('tcpNoDelay')).toBe(false);
    context.own((await listener.accept()).stream);

    const told = record();
    const target = { host: LOOPBACK, port: portOf(listener), reactor, socketOptions };
    const connection = context.own(connect(target, told.handlers));
    await within(told.opened, 'open');
    expect(connection.getOption('receiveBufferBytes')).toBe(isLinux ? 60_000 : 30_000);
    context.own((await listener.accept()).stream);
  });

  test('before connect, one that the system refuses: the connect fails, naming it', async () => {
    const socketOptions = { ipTtl: 1000 };
    const connecting = TcpStream.connect(`${LOOPBACK}:9`, { reactor: context.reactor, socketOptions });
    const error = await rejectionError(connecting);
    expect(error).toMatchObject({ code: 'EINVAL', syscall: 'setsockopt' });
    expect(error.message).toContain('ipTtl');
  });

  test('after accept: from the listener’s options', async () => {
    const probes = isOldWine ? {} : { tcpKeepCount: 5 };
    const listener = await context.bind({ acceptedSocketOptions: { ...probes, keepAlive: true } });
    const [{ stream }] = await Promise.all([listener.accept(), context.stream(portOf(listener))]);
    context.own(stream);
    if (!isOldWine) expect(stream.getOption('tcpKeepCount')).toBe(5);
    expect(stream.getOption('keepAlive')).toBe(true);
    expect(listener.getOption('keepAlive')).toBe(false);
  });

  test('TCP_NODELAY of accepted connections: inherited where it is, set where it is not', async () => {
    const calls = { count: 0 };
    const binding = native as { setsockoptInt: typeof native.setsockoptInt };
    const original = binding.setsockoptInt;
    const accept = async (listener: TcpListener): Promise<TcpStream> => {
      const [{ stream }] = await Promise.all([listener.accept(), context.stream(portOf(listener))]);
      return context.own(stream);
    };
    const plain = await context.bind({ noDelay: false });
    expect((await accept(plain)).getOption('tcpNoDelay')).toBe(false);
    const listener = await context.bind();
    const contrary = await context.bind({ socketOptions: { tcpNoDelay: false } });
    expect((await accept(listener)).getOption('tcpNoDelay')).toBe(true);
    binding.setsockoptInt = (...values) => {
      calls.count++;
      return original(...values);
    };
    try {
      expect((await accept(listener)).getOption('tcpNoDelay')).toBe(true);
      // The client's own.
      expect(calls.count).toBe(1);
      expect((await accept(contrary)).getOption('tcpNoDelay')).toBe(true);
      expect(calls.count).toBe(3);
      listener.setOption('tcpNoDelay', false);
      expect((await accept(listener)).getOption('tcpNoDelay')).toBe(true);
    } finally {
      binding.setsockoptInt = original;
    }
  });

  test('after accept, one that the system refuses: that connection is dropped, and told', async () => {
    const acceptedSocketOptions = { ipTtl: 1000 };
    const listener = await context.bind({ acceptedSocketOptions });
    const accepting = listener.accept();
    accepting.catch(() => {});
    context.own(await context.stream(portOf(listener)));
    expect(await rejectionError(accepting)).toMatchObject({ code: 'EINVAL', syscall: 'setsockopt' });
    expect(listener.connections).toBe(0);

    const drops: DropInfo[] = [];
    const second = context.listen({ drop: (_, info) => drops.push(info) }, { acceptedSocketOptions });
    const peer = await context.stream(portOf(second));
    expect(await within(peer.read(new Uint8Array(1)), 'the end')).toBe(0);
    expect(drops).toMatchObject([{ reason: 'socket-option', error: { code: 'EINVAL' } }]);
    expect(second.connections).toBe(0);
  });

  test('the same in for await: the loop goes on', async () => {
    const drops: DropInfo[] = [];
    const drop = (_: TcpListener, info: DropInfo) => void drops.push(info);
    const listener = await context.bind({ acceptedSocketOptions: { ipTtl: 1000 }, drop });
    const loop = (async () => {
      for await (const stream of listener) context.own(stream);
    })();
    for (let i = 0; i < 2; i++) {
      const peer = await context.stream(portOf(listener));
      expect(await within(peer.read(new Uint8Array(1)), 'the end')).toBe(0);
    }
    expect(drops.map(({ reason }) => reason)).toEqual(['socket-option', 'socket-option']);
    listener.close();
    await within(loop, 'end of the loop');
  });

  test('wrong options are told before a socket is made', async () => {
    const { reactor } = context;
    for (const socketOptions of [5, { nothing: 1 }, { reusePort: 'yes' }, { type: 1 }] as never[]) {
      const isReadOnly = (socketOptions as unknown) !== 5 && 'type' in (socketOptions as object);
      const expected = isReadOnly ? outOfRange : invalidType;
      expect(await rejection(TcpListener.bind(`${LOOPBACK}:0`, { reactor, socketOptions }))).toEqual(
        expected,
      );
      expect(
        await rejection(TcpListener.bind(`${LOOPBACK}:0`, { reactor, acceptedSocketOptions: socketOptions })),
      ).toEqual(expected);
      expect(await rejection(TcpStream.connect(`${LOOPBACK}:9`, { reactor, socketOptions }))).toEqual(
        expected,
      );
    }
    expect(reactor.inspect().registrations).toBe(0);
  });

  test('after close: ERR_TRIPOLL_CLOSED', async () => {
    const listener = await context.bind();
    listener.close();
    expect(thrownBy(() => listener.getOption('type'))).toEqual(closed);
    expect(thrownBy(() => listener.setOption('reusePort', true))).toEqual(closed);
    const { client, server } = await context.streamPair();
    client.close();
    expect(client.fd).toBe(-1);
    expect(thrownBy(() => client.getOption('type'))).toEqual(closed);
    expect(thrownBy(() => client.setOption('tcpCork', true))).toEqual(closed);
    server.close();
  });

  testOption('tcpDeferAcceptSeconds')('deferAccept: accepted only when bytes have come', async () => {
    const listener = await context.bind({ socketOptions: { tcpDeferAcceptSeconds: 30 } });
    let accepted = false;
    const accepting = listener.accept().then(({ stream }) => {
      accepted = true;
      return stream;
    });
    const client = await context.stream(portOf(listener));
    for (let i = 0; i < 20; i++) await turnOf(context.reactor);
    expect(accepted).toBe(false);
    await client.writeAll(Buffer.from('x'));
    const stream = context.own(await within(accepting, 'accept'));
    expect(await stream.read(new Uint8Array(8))).toBe(1);
  });

  testOption('tcpFastOpenConnect')('fast open: bytes written at once after connect arrive', async () => {
    const socketOptions = { tcpFastOpen: 16 } as Partial<SocketOptions>;
    const listener = await context.bind({ socketOptions });
    const { reactor } = context;
    for (let round = 0; round < 2; round++) {
      const connecting = TcpStream.connect(
        { host: LOOPBACK, port: portOf(listener) },
        { reactor, socketOptions: { tcpFastOpenConnect: true } },
      );
      const client = context.own(await within(connecting, 'connect'));
      await within(client.writeAll(Buffer.from('first')), 'write');
      const { stream } = await within(listener.accept(), 'accept');
      context.own(stream);
      const buffer = new Uint8Array(16);
      expect(await within(stream.read(buffer), 'read')).toBe(5);
    }
  });
}

function describeTcpInfo(context: Context): void {
  const testInfo = testIf(has('LINUX_TCP_INFO'), 'this system has no TCP_INFO');
  testInfo('tcpInfo says what the connection did', async () => {
    const { client, server } = await context.streamPair();
    await client.writeAll(new Uint8Array(5000));
    const buffer = new Uint8Array(65_536);
    for (let received = 0; received < 5000;) received += await within(server.read(buffer), 'read');
    // Until the acknowledgement has come back.
    await until(() => (tcpInfo(client.fd).bytesAcked ?? 0) > 5000, 'acknowledged');
    const info = tcpInfo(client.fd);
    // ESTABLISHED is 1 on every system; the SYN counts as one byte (RFC 4898).
    expect(info).toMatchObject({
      state: 1,
      unacked: 0,
      retransmits: 0,
      bytesAcked: 5001,
      bytesReceived: 0,
      bytesSent: 5000,
    });
    expect(info.sendMssBytes).toBe(client.getOption('tcpMaxSegmentBytes'));
    // 0 where the receive buffer is small.
    expect(info.receiveWindowScale).toBeGreaterThanOrEqual(0);
    expect(info.receiveWindowScale).toBeLessThanOrEqual(14);
    expect(info.segmentsOut).toBeGreaterThan(1);
    expect(info.dataSegmentsOut).toBeGreaterThan(0);
    expect(info.pathMtuBytes).toBe(client.getOption('ipMtu'));
    expect(info.fastOpenClientFail).toBe(0);
    expect(tcpInfo(server.fd)).toMatchObject({ state: 1, bytesReceived: 5000, bytesSent: 0 });
  });

  test('decoded by length: fields beyond it are undefined', () => {
    const bytes = new Uint8Array(300).fill(1);
    // Linux 2.6 had 104 bytes: up to and with tcpi_total_retrans.
    const old = decodeTcpInfo(bytes.subarray(0, 104));
    expect(old.totalRetrans).toBe(0x0101_0101);
    expect(old.pacingRateBytes).toBeUndefined();
    expect(decodeTcpInfo(bytes.subarray(0, 106))).toEqual(old);
    expect(decodeTcpInfo(bytes.subarray(0, 112)).pacingRateBytes).toBe(Number(0x0101_0101_0101_0101n));
    expect(decodeTcpInfo(bytes).rehash).toBe(0x0101_0101);
    expect(decodeTcpInfo(new Uint8Array(0))).toEqual({});
    expect(decodeTcpInfo(new Uint8Array(6))).not.toHaveProperty('sendWindowScale');
  });

  testInfo('of what is no TCP socket', () => {
    withSocket(AF_INET, SOCK_DGRAM, (fd) => {
      expect(thrownBy(() => tcpInfo(fd)).syscall).toBe('getsockopt');
    });
  });
}
