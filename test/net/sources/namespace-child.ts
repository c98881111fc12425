// Runs in a network namespace of its own: what needs one, by name. Prints "ok".
import assert from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { AsyncFd, encodeCanAddress, encodeVsockAddress, IcmpSocket, internetChecksum } from 'tripoll/net';
import { NetlinkSocket, PacketSocket, TunDevice } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { Interest } from 'tripoll';

const buffer = new Uint8Array(65_536);
const bounded = { timeoutMs: 8000 };
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const NLMSG_DONE = 3;
const ICMP_ECHO = 8;
const ICMP6_ECHO = 128;
const ECHO_DATA = Buffer.from('are you there?');

/** struct nlmsghdr and an empty ifinfomsg: all links. */
function dumpLinks(): Buffer {
  const message = Buffer.alloc(32);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(RTM_GETLINK, 4);
  message.writeUInt16LE(0x301, 6); // NLM_F_REQUEST | NLM_F_DUMP
  message.writeUInt32LE(7, 8);
  return message;
}

async function netlink(): Promise<void> {
  await using socket = new NetlinkSocket(sys.constants['NETLINK_ROUTE']!);
  await socket.send(dumpLinks(), { portId: 0, groups: 0 });
  const { lengthBytes: length, address } = await socket.receive(buffer, bounded);
  assert.deepStrictEqual(address, { portId: 0, groups: 0 });
  const answer = Buffer.from(buffer.subarray(0, length));
  assert.strictEqual(answer.readUInt16LE(4), RTM_NEWLINK);
  assert(answer.includes('lo\0'));
  const done = await socket.receive(buffer, bounded);
  assert.strictEqual(Buffer.from(buffer.subarray(0, done.lengthBytes)).readUInt16LE(4), NLMSG_DONE);

  await using group = new NetlinkSocket(sys.constants['NETLINK_ROUTE']!, { groups: 1 });
  const told = group.receive(buffer, bounded);
  execFileSync('ip', ['link', 'add', 'dummy0', 'type', 'bridge']);
  const event = await told;
  assert(Buffer.from(buffer.subarray(0, event.lengthBytes)).includes('dummy0\0'));
  assert.strictEqual(event.address?.groups, 1);
}

function echoRequest(type: number, withChecksum: boolean): Buffer {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0, 0x12, 0x34, 0, 1]), ECHO_DATA]);
  if (withChecksum) message.writeUInt16BE(internetChecksum(message), 2);
  return message;
}

async function ping(family: 'IPv4' | 'IPv6'): Promise<void> {
  await using socket = new IcmpSocket({ family });
  const host = family === 'IPv4' ? '127.0.0.1' : '::1';
  await socket.send(echoRequest(family === 'IPv4' ? ICMP_ECHO : ICMP6_ECHO, false), host);
  const { lengthBytes: length, address } = await socket.receive(buffer, bounded);
  assert.strictEqual(address, host);
  assert.strictEqual(buffer[0], family === 'IPv4' ? 0 : 129);
  assert.deepStrictEqual(Buffer.from(buffer.subarray(8, length)), ECHO_DATA);
}

async function rawIcmp(): Promise<void> {
  await using socket = new IcmpSocket({ raw: true });
  await socket.send(echoRequest(ICMP_ECHO, true), '127.0.0.1');
  for (;;) {
    const { lengthBytes: length, address } = await socket.receive(buffer, bounded);
    assert.strictEqual(address, '127.0.0.1');
    const headerBytes = (buffer[0]! & 15) * 4;
    // The request itself comes by as well.
    if (buffer[headerBytes] !== 0) continue;
    assert.strictEqual(internetChecksum(buffer.subarray(headerBytes, length)), 0);
    assert.deepStrictEqual(Buffer.from(buffer.subarray(headerBytes + 8, length)), ECHO_DATA);
    return;
  }
}

async function packet(): Promise<void> {
  await using frames = new PacketSocket('lo', { protocol: sys.constants['ETH_P_IP']! });
  assert.throws(() => new PacketSocket('none0'), { code: 'ENODEV' });
  await using icmp = new IcmpSocket();
  await icmp.send(echoRequest(ICMP_ECHO, false), '127.0.0.1');
  const { lengthBytes: length, address } = await frames.receive(buffer, bounded);
  assert.strictEqual(address?.interfaceIndex, frames.interfaceIndex);
  assert.strictEqual(address.protocol, sys.constants['ETH_P_IP']);
  assert.strictEqual(address.hardwareAddress.length, 6);
  // An Ethernet header, then the IP header.
  assert.strictEqual(buffer[14]! >>> 4, 4);
  assert.deepStrictEqual(Buffer.from(buffer.subarray(length - ECHO_DATA.length, length)), ECHO_DATA);
  // And sends: the very frame once more, which the loopback gives back.
  const copy = buffer.slice(0, length);
  await frames.send(copy, address);
}

async function tun(): Promise<void> {
  await using device = TunDevice.open({ name: 'tp%d' });
  assert.strictEqual(device.name, 'tp0');
  execFileSync('ip', ['addr', 'add', '10.9.8.1/24', 'dev', device.name]);
  execFileSync('ip', ['link', 'set', device.name, 'up']);
  await using icmp = new IcmpSocket();
  await icmp.send(echoRequest(ICMP_ECHO, false), '10.9.8.7');
  for (;;) {
    const length = await device.read(buffer, bounded);
    const request = Buffer.from(buffer.subarray(0, length));
    if (request[0] !== 0x45 || request[9] !== 1) continue; // IPv6's neighbour discovery
    assert.strictEqual(internetChecksum(request.subarray(0, 20)), 0);
    const reply = Buffer.from(request);
    request.copy(reply, 12, 16, 20);
    request.copy(reply, 16, 12, 16);
    reply[20] = 0;
    reply.writeUInt16BE(0, 22);
    reply.writeUInt16BE(internetChecksum(reply.subarray(20)), 22);
    assert.strictEqual(await device.write(reply), reply.length);
    break;
  }
  const { address } = await icmp.receive(buffer, bounded);
  assert.strictEqual(address, '10.9.8.7');
  assert.throws(() => TunDevice.open({ name: 'a-name-that-is-far-too-long' }), { name: 'RangeError' });
  assert.throws(() => TunDevice.open({ name: 'tp0' }), { code: 'EBUSY' });
}

async function tap(): Promise<void> {
  await using device = TunDevice.open({ layer: 'tap' });
  execFileSync('ip', ['addr', 'add', '10.9.7.1/24', 'dev', device.name]);
  execFileSync('ip', ['link', 'set', device.name, 'up']);
  const pinging = spawn('ip', ['neigh', 'get', '10.9.7.2', 'dev', device.name], { stdio: 'ignore' });
  await once(pinging, 'close');
  await using icmp = new IcmpSocket();
  await icmp.send(echoRequest(ICMP_ECHO, false), '10.9.7.2');
  for (;;) {
    const length = await device.read(buffer, bounded);
    const frame = Buffer.from(buffer.subarray(0, length));
    if (frame.readUInt16BE(12) !== sys.constants['ETH_P_ARP']) continue;
    assert.deepStrictEqual([...frame.subarray(38, 42)], [10, 9, 7, 2]);
    return;
  }
}

/** Neither has an object of its own: a socket of `raw.sys`, an address type, an AsyncFd. */
async function others(): Promise<void> {
  const { AF_CAN = 29, AF_VSOCK = 40, SOCK_RAW, SOCK_STREAM, SOCK_NONBLOCK } = sys.constants;
  for (const [family, type, address] of [
    [AF_CAN, SOCK_RAW, encodeCanAddress(0)],
    [AF_VSOCK, SOCK_STREAM, encodeVsockAddress(0xffffffff, 0xffffffff)],
  ] as const) {
    const fd = sys.socket(family, type | SOCK_NONBLOCK, family === AF_CAN ? 1 : 0);
    if (fd < 0) {
      // What this kernel lacks it says.
      assert(fd === -sys.errno['EAFNOSUPPORT'] || fd === -sys.errno['EPROTONOSUPPORT'], String(fd));
      continue;
    }
    assert.strictEqual(sys.bindBytes(fd, address), 0);
    await using io = new AsyncFd(fd, { own: true, interest: Interest.READABLE });
    await assert.rejects(io.readable({ timeoutMs: 5 }), { code: 'ERR_TRIPOLL_TIMEOUT' });
  }
}

const all: Record<string, () => Promise<void>> = {
  'netlink: an answer and a group': netlink,
  'ICMP without rights: an echo': () => ping('IPv4'),
  'ICMPv6 without rights: an echo': () => ping('IPv6'),
  'raw ICMP: an echo, with its IP header': rawIcmp,
  'packet: frames of the loopback': packet,
  'TUN: a ping is answered by us': tun,
  'TAP: an ARP request comes out': tap,
  'CAN and vsock: as far as this kernel has them': others,
};

const wanted = all[process.argv[2] ?? ''];
if (wanted === undefined) throw new Error('no such test');
wanted().then(
  () => console.log('ok'),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
