// F10: the zone of an IPv6 address, which says on which link it is (RFC 4007).
import path from 'node:path';
import { bindUdp, connect, DatagramBatch, UdpSocket } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { rejection } from '../tools.js';
import { packageRoot } from '../../support/child.js';
import { outOfRange, thrownBy, type Coded } from '../../support/errors.js';
import { inNamespace, testInNamespace } from '../../support/namespace.js';
import { LOOPBACK_NAME } from './tools.js';

const links = [
  'ip link set lo up',
  ...['x0', 'x1'].flatMap((name) => [
    `ip link add ${name} type bridge`,
    `ip link set ${name} up`,
    `ip -6 addr add fe80::2/64 dev ${name} nodad`,
  ]),
  'ip -6 addr add fe80::3/64 dev x1 nodad',
].join(' && ');

testInNamespace(links)('F10 T64 zones choose the link, by name and by index', () => {
  const child = path.join(packageRoot, 'out/test/net/udp/zones-child.js');
  const { status, stdout, stderr } = inNamespace(`${links} && exec "$0" "$1"`, [process.execPath, child]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const range = 'ERR_TRIPOLL_OUT_OF_RANGE';
  const memberships = [['x1'], [], ['x1'], range, range, 'ENODEV'];
  expect(JSON.parse(stdout)).toEqual([
    [...memberships, ...memberships],
    ['fe80::3', 1, 'fe80::3', 1, range],
    [true, 'ECONNREFUSED'],
  ]);
});

describe('F10 a zone that is none is refused', () => {
  const bad = ['%0x1', '% 1', '%1 ', '%1e0', '%1%2', '%', '%-1', '%+1', '%4294967296', '%lo\0', '%1.0'];
  const hosts = [...bad.map((zone) => `fe80::1${zone}`), '127.0.0.1%1', '127.0.0.1%', 'fe80::1%%1'];

  test.each(hosts)('%j', async (host) => {
    const batch = new DatagramBatch();
    batch.push(new Uint8Array(1));
    const thrown: (() => unknown)[] = [
      () => bindUdp({ host, port: 0 }, {}),
      () => bindUdp({ host: '::1', port: 0, peer: { host, port: 9 } }, {}),
      () => batch.setAddress(0, { host, port: 9 }),
      () => batch.setSource(0, host),
      () => sys.connect(0, { host, port: 9 }),
    ];
    for (const call of thrown) expect(thrownBy(call)).toMatchObject(outOfRange);
    const rejected = [UdpSocket.bind({ host, port: 0 }), UdpSocket.connect({ host, port: 9 })];
    for (const promise of rejected) expect(await rejection(promise)).toMatchObject(outOfRange);
    const told = await new Promise((resolve) => {
      connect({ host, port: 9 }, { error: (_connection, error) => resolve(error) });
    });
    expect(told).toMatchObject(outOfRange);
  });

  test('what joins and sends, in both styles', async () => {
    const socket = await UdpSocket.bind('[::1]:0');
    const endpoint = bindUdp({ host: '::1', port: 0 }, {});
    const expectRefused = (coded: Coded | undefined): void => expect(coded).toMatchObject(outOfRange);
    for (const each of [socket, endpoint]) {
      expectRefused(thrownBy(() => each.join('ff02::abcd%0x1')));
      expectRefused(thrownBy(() => each.leave('ff02::abcd% 1')));
      expectRefused(thrownBy(() => each.join('239.1.2.3%1')));
      expectRefused(thrownBy(() => each.join('ff02::abcd', { source: 'fe80::1%1e0' })));
      expectRefused(thrownBy(() => each.join('ff02::abcd', { source: '10.0.0.1' })));
      expectRefused(thrownBy(() => each.join('ff02::abcd', { interface: `${LOOPBACK_NAME}\0evil` })));
    }
    expectRefused(thrownBy(() => endpoint.send(new Uint8Array(1), '[fe80::1%1%2]:9')));
    expectRefused((await rejection(socket.send(new Uint8Array(1), '[fe80::1%]:9'))) ?? undefined);
    const source = rejection(socket.send(new Uint8Array(1), '[::1]:9', { source: '::1%0x1' }));
    expectRefused((await source) ?? undefined);
    socket.close();
    endpoint.close();
  });

  test('an interface’s name or index is one, also where it says nothing', async () => {
    for (const zone of [LOOPBACK_NAME, '1', '0']) {
      const socket = await UdpSocket.bind(`[::1%${zone}]:0`);
      expect(socket.localAddress?.address).toBe('::1');
      socket.close();
    }
    expect(await rejection(UdpSocket.bind('[::1%none7]:0'))).toMatchObject({ code: 'ENODEV' });
  });
});

test('an address as it was told is one to be given', async () => {
  const [server, client] = [await UdpSocket.bind('127.0.0.1:0'), await UdpSocket.bind('127.0.0.1:0')];
  const { localAddress } = server;
  if (localAddress === undefined) throw new Error('it is closed');
  client.connect(localAddress);
  expect(client.remoteAddress).toEqual(localAddress);
  await client.send(new Uint8Array(1));
  expect((await server.receive(new Uint8Array(2))).lengthBytes).toBe(1);
  for (const wrong of [{ address: 5, port: 1 }, { address: 'x', port: 1 }, { port: 1 }]) {
    expect(thrownBy(() => client.connect(wrong as never)).code).toMatch(/^ERR_TRIPOLL_/);
  }
  for (const socket of [server, client]) socket.close();
});
