import { DatagramBatch, UdpSocket } from 'tripoll/net';
import type { UdpOptions } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { rejection, type Context } from '../../tools.js';
import { invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import { native } from '#lib/binding/native';
import { udpConstant } from '#lib/binding/native-udp';
import { testIf } from '../../../support/applies.js';
import { isWine } from '../../../support/platform.js';
import { bound, bytesOf, has, hostPortOf, isLinux, LOOPBACK_NAME, OTHER_FAMILY, V4, V6 } from '../tools.js';

function numberOption(socket: UdpSocket, level: number, name: number): number {
  const out = new Uint8Array(4);
  const { fd } = socket as unknown as { fd: number };
  sys.getsockopt(fd, level, name, out);
  return new Int32Array(out.buffer)[0] ?? -1;
}

export function describeInput(context: Context): void {
  describe('options and bad input', () => {
    const c = sys.constants;
    const [SOCKET, IP, IPV6] = [c['SOL_SOCKET'], c['IPPROTO_IP'], c['IPPROTO_IPV6']];
    const named = (name: string): number => (c as Record<string, number>)[name] ?? udpConstant(name) ?? -1;

    // Linux counts what it keeps beside the datagrams too.
    const buffer = isLinux ? 40_000 : 20_000;
    const rows: [string, UdpOptions, number, string, number][] = [
      [V4, { reuseAddress: true }, SOCKET, 'SO_REUSEADDR', 1],
      [V4, {}, SOCKET, 'SO_REUSEADDR', 0],
      [V4, { reusePort: true }, SOCKET, 'SO_REUSEPORT', 1],
      [V4, {}, SOCKET, 'SO_EXCLUSIVEADDRUSE', 1],
      [V4, { reuseAddress: true }, SOCKET, 'SO_EXCLUSIVEADDRUSE', 0],
      [V4, { socketOptions: { broadcast: true } }, SOCKET, 'SO_BROADCAST', 1],
      [V4, { socketOptions: { receiveBufferBytes: 20_000 } }, SOCKET, 'SO_RCVBUF', buffer],
      [V4, { socketOptions: { sendBufferBytes: 20_000 } }, SOCKET, 'SO_SNDBUF', buffer],
      [V4, { socketOptions: { ttl: 9 } }, IP, 'IP_TTL', 9],
      [V4, { socketOptions: { tos: 0x10 } }, IP, 'IP_TOS', 0x10],
      [V4, { socketOptions: { multicastTtl: 5 } }, IP, 'IP_MULTICAST_TTL', 5],
      [V4, { socketOptions: { multicastLoop: false } }, IP, 'IP_MULTICAST_LOOP', 0],
      [V4, {}, IP, 'IP_MULTICAST_ALL', 0],
      [V6, { socketOptions: { ttl: 9 } }, IPV6, 'IPV6_UNICAST_HOPS', 9],
      [V6, { socketOptions: { tos: 0x10 } }, IPV6, 'IPV6_TCLASS', 0x10],
      [V6, { socketOptions: { multicastTtl: 5 } }, IPV6, 'IPV6_MULTICAST_HOPS', 5],
      [V6, { socketOptions: { multicastLoop: false } }, IPV6, 'IPV6_MULTICAST_LOOP', 0],
      [V6, { socketOptions: { multicastInterface: LOOPBACK_NAME } }, IPV6, 'IPV6_MULTICAST_IF', 1],
      [V6, { ipv6Only: true }, IPV6, 'IPV6_V6ONLY', 1],
      ['::', {}, IPV6, 'IPV6_V6ONLY', 0],
    ];
    for (const [host, options, level, name, value] of rows) {
      const testOption = testIf(has(name), `this system has no ${name}`);
      testOption(`${name} of ${host} with ${JSON.stringify(options)} is what the system has`, async () => {
        const socket = await bound(context, options, host);
        expect(numberOption(socket, level, named(name))).toBe(value);
      });
    }

    test('an IPv6 socket’s multicastInterface may be one without IPv4', async () => {
      const binding = native as { setsockopt: typeof native.setsockopt };
      const { setsockopt } = binding;
      binding.setsockopt = () => -(native.errnos['ENODEV'] ?? 0);
      const multicastInterface = LOOPBACK_NAME;
      try {
        expect((await bound(context, { socketOptions: { multicastInterface } }, V6)).closed).toBe(false);
        expect(await rejection(bound(context, { socketOptions: { multicastInterface } }, V4))).toMatchObject({
          code: 'ENODEV',
        });
      } finally {
        binding.setsockopt = setsockopt;
      }
    });

    testIf(has('SO_REUSEPORT'), 'this system has no SO_REUSEPORT')(
      'two sockets share a port only when both say so',
      async () => {
        const first = await bound(context, { reusePort: true });
        const address = hostPortOf(first);
        const { reactor } = context;
        expect(await rejection(UdpSocket.bind(address, { reactor }))).toMatchObject({
          code: 'EADDRINUSE',
        });
        context.own(await UdpSocket.bind(address, { reactor, reusePort: true }));
      },
    );

    test.each([{}, { reuseAddress: true }])('a port is its socket’s own: against %j', async (options) => {
      const first = await bound(context);
      const refused = await rejection(
        UdpSocket.bind(hostPortOf(first), { reactor: context.reactor, ...options }),
      );
      // Windows says EACCES to who would take it over.
      expect(['EADDRINUSE', 'EACCES']).toContain((refused as { code?: string }).code);
    });

    test.each<[string, UdpOptions, object]>([
      ['ttl 0', { socketOptions: { ttl: 0 } }, outOfRange],
      ['ttl 256', { socketOptions: { ttl: 256 } }, outOfRange],
      ['tos as text', { socketOptions: { tos: '1' as never } }, invalidType],
      ['broadcast as number', { socketOptions: { broadcast: 1 as never } }, invalidType],
      ['receiveErrors as number', { socketOptions: { receiveErrors: 1 as never } }, invalidType],
      ['an interface that is none', { socketOptions: { multicastInterface: 'none0' } }, { code: 'ENODEV' }],
      ['an interface of no type', { socketOptions: { multicastInterface: {} as never } }, invalidType],
      ['no object of socket options', { socketOptions: 7 as never }, invalidType],
      ['a misspelt option', { reuseAdress: true } as never, invalidType],
      ['a misspelt socket option', { socketOptions: { recieveErrors: true } as never }, invalidType],
      ['coalesce as number', { coalesce: 1 as never }, invalidType],
      ['idleTimeoutMs 0', { idleTimeoutMs: 0 }, outOfRange],
      ['a reactor that is none', { reactor: {} as never }, invalidType],
    ])('%s is refused, and nothing stays open', async (_what, options, expected) => {
      const refused = UdpSocket.bind('127.0.0.1:0', { reactor: context.reactor, ...options });
      expect(await rejection(refused)).toMatchObject(expected);
    });

    test('addresses and buffers are looked at', async () => {
      const { reactor } = context;
      const bad: [unknown, object][] = [
        ['localhost:80', outOfRange],
        ['127.0.0.1', outOfRange],
        [{ host: V4, port: 65_536 }, outOfRange],
        [7, invalidType],
        // Wine 8 binds UDP to any address of IPv4.
        [isWine ? '[2001:db8::77]:0' : '192.0.2.77:0', { code: 'EADDRNOTAVAIL' }],
      ];
      for (const [address, expected] of bad) {
        expect(await rejection(UdpSocket.bind(address as string, { reactor }))).toMatchObject(expected);
      }
      const socket = await bound(context);
      const calls: [Promise<unknown>, object][] = [
        [socket.receive('x' as never), invalidType],
        [socket.receive(new Uint8Array(0)), outOfRange],
        [socket.receive(new Uint8Array(1), { timeoutMs: -1 }), outOfRange],
        [socket.receive(new Uint8Array(1), { signal: {} as never }), invalidType],
        [socket.send('x' as never, '127.0.0.1:9'), invalidType],
        [socket.send(bytesOf('x')), { code: 'EDESTADDRREQ' }],
        [socket.send(bytesOf('x'), 'nowhere'), outOfRange],
        [socket.send(bytesOf('x'), '127.0.0.1:9', { tos: 256 }), outOfRange],
        [socket.send(bytesOf('x'), '127.0.0.1:9', { ttl: 0 }), outOfRange],
        [socket.send(bytesOf('x'), '127.0.0.1:9', { segmentBytes: 65_536 }), outOfRange],
        [socket.send(bytesOf('x'), '127.0.0.1:9', { source: 'x' }), outOfRange],
        [socket.send(new Uint8Array(65_508), '127.0.0.1:9'), { code: 'EMSGSIZE' }],
      ];
      for (const [promise, expected] of calls) expect(await rejection(promise)).toMatchObject(expected);
      expect(thrownBy(() => socket.setOption('ttl', 0))).toMatchObject(outOfRange);
      expect(thrownBy(() => socket.setOption('ttl', null as never))).toMatchObject(invalidType);
      expect(thrownBy(() => socket.setOption('none' as 'ttl', 1))).toMatchObject(invalidType);
      expect(thrownBy(() => socket.getOption('none' as 'ttl'))).toMatchObject(invalidType);
      expect(thrownBy(() => socket.join('239.1.2.3', { iface: 1 } as never))).toMatchObject(invalidType);
      expect(thrownBy(() => socket.connect('[::1]:9'))).toMatchObject({ code: OTHER_FAMILY });
      expect(thrownBy(() => new DatagramBatch({ capacity: 1025 }))).toMatchObject(outOfRange);
      expect(socket.closed).toBe(false);
    });
  });
}
