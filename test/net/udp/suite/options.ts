import { DatagramBatch, type UdpEndpoint, type UdpSocket } from 'tripoll/net';
import { rejection, type Context } from '../../tools.js';
import { testIf } from '../../../support/applies.js';
import { within } from '../../../support/deadline.js';
import { closed, invalidType, thrownBy, unsupported } from '../../../support/errors.js';
import { bound, bytesOf, endpoint, has, hostPortOf, isLinux, LOOPBACK_NAME, V4, V6 } from '../tools.js';

const ROOM = 100;
const PROBE = 3; // IP_PMTUDISC_PROBE

/** Options by name: the same on both styles, as on TCP. */
export function describeOptions(context: Context): void {
  const both = async (options = {}, host = V4): Promise<(UdpSocket | UdpEndpoint)[]> => [
    await bound(context, options, host),
    endpoint(context, {}, { host, ...options }),
  ];

  describe('options by name', () => {
    testIf(isLinux, 'these are Linux’')('those of all sockets, when it is opened and later', async () => {
      const socketOptions = { mark: 7, bindToDevice: LOOPBACK_NAME, ipMtuDiscover: PROBE, priority: 3 };
      for (const socket of await both({ socketOptions })) {
        for (const [name, value] of Object.entries(socketOptions)) {
          expect([name, socket.getOption(name as 'mark')]).toEqual([name, value]);
        }
        socket.setOption('ipMtuDiscover', 0);
        expect(socket.getOption('ipMtuDiscover')).toBe(0);
      }
    });

    test.each([V4, V6])('those that do not ask for the family, on %s', async (host) => {
      for (const socket of await both({ socketOptions: { ttl: 9, multicastTtl: 3 } }, host)) {
        expect([socket.getOption('ttl'), socket.getOption('multicastTtl')]).toEqual([9, 3]);
        expect(socket.getOption('multicastLoop')).toBe(true);
        socket.setOption('multicastLoop', false);
        socket.setOption('multicastInterface', LOOPBACK_NAME);
        expect(socket.getOption('multicastLoop')).toBe(false);
        if (host === V6) expect(socket.getOption('multicastInterface')).toBe(1);
        else expect(thrownBy(() => socket.getOption('multicastInterface'))).toEqual(unsupported);
      }
    });

    test.each(['receiveTtl', 'ipReceiveTtl'] as const)('%s set later is heeded', async (name) => {
      for (const socket of [await bound(context)]) {
        socket.setOption(name, true);
        await socket.send(bytesOf('x'), hostPortOf(socket));
        expect((await within(socket.receive(new Uint8Array(ROOM)), 'receive')).ttl).toBeGreaterThan(1);
      }
      const ttls: unknown[] = [];
      const told = new Promise<void>((resolve) => {
        const server = endpoint(context, {
          datagrams: (_self, batch) => {
            ttls.push(batch.ttl(0));
            resolve();
          },
        });
        server.setOption(name, true);
        server.send(bytesOf('x'), hostPortOf(server));
      });
      await within(told, 'the datagram');
      expect(ttls[0]).toBeGreaterThan(1);
    });

    test('fd is the socket’s own number, -1 once it has closed; options then say that', async () => {
      for (const socket of await both()) {
        expect(socket.fd).toBeGreaterThan(0);
        socket.close();
        expect(socket.fd).toBe(-1);
        expect(thrownBy(() => socket.getOption('ttl'))).toEqual(closed);
        expect(thrownBy(() => socket.setOption('ttl', 5))).toEqual(closed);
      }
    });

    test('an unknown name is a TypeError, in both styles, and nothing stays open', async () => {
      const wrong = [{ recvErrors: true }, { socketOptions: { recvErrors: true } }, { tTl: 1 }];
      for (const options of wrong as object[]) {
        expect(await rejection(bound(context, options))).toEqual(invalidType);
        expect(thrownBy(() => endpoint(context, {}, options))).toEqual(invalidType);
      }
    });
  });

  describe('senders without strings', () => {
    for (const host of [V4, V6]) {
      test(`are compared, found in a map, and given as bytes, on ${host}`, async () => {
        const server = await bound(context, {}, host);
        const [a, b] = [await bound(context, {}, host), await bound(context, {}, host)];
        for (const client of [a, b, a]) await client.send(bytesOf('x'), hostPortOf(server));
        const batch = new DatagramBatch();
        const seen = new DatagramBatch();
        while (seen.count < 3) {
          await within(server.recvMany(batch), 'recvMany');
          for (let i = 0; i < batch.count; i++) seen.copyAddress(seen.add(0), batch, i);
        }
        const same = [0, 1, 2].map((i) => seen.isSameAddress(0, seen, i));
        expect(same).toEqual([true, false, true]);
        const hashes = [0, 1, 2].map((i) => seen.addressHash(i));
        expect(hashes[0]).toBe(hashes[2]);
        expect(hashes[0]).not.toBe(hashes[1]);
        const expected = host === V4 ? [127, 0, 0, 1] : [...Array<number>(15).fill(0), 1];
        expect([...seen.addressBytes(0)]).toEqual(expected);
      });
    }

    test('what an IPv6 address left behind an IPv4 one is not looked at', () => {
      const [fresh, used] = [new DatagramBatch(), new DatagramBatch()];
      used.add(1, '[2001:db8::1:2:3]:9');
      for (const batch of [used, fresh]) {
        if (batch === used) used.setAddress(0, '10.0.0.1:9');
        else fresh.add(1, '10.0.0.1:9');
      }
      expect(used.isSameAddress(0, fresh, 0)).toBe(true);
      expect(used.addressHash(0)).toBe(fresh.addressHash(0));
      used.setAddress(0, '10.0.0.1:10');
      expect(used.isSameAddress(0, fresh, 0)).toBe(false);
      const none = new DatagramBatch();
      none.add(1);
      expect(none.addressBytes(0)).toHaveLength(0);
      expect(none.isSameAddress(0, fresh, 0)).toBe(false);
      expect(thrownBy(() => none.addressBytes(1)).code).toBe('ERR_TRIPOLL_OUT_OF_RANGE');
      expect(thrownBy(() => none.isSameAddress(0, {} as never, 0))).toEqual(invalidType);
    });
  });
  testIf(has('UDP_GRO'), 'this system puts no datagrams together')('udpGro is one of them', async () => {
    const socket = await bound(context);
    socket.setOption('udpGro', true);
    expect(socket.getOption('udpGro')).toBe(true);
  });
}
