// A network of hosts that do not exist: answers each ping that the system sends into its TUN
// interface. As root:
//   unshare -n node out/examples/tun-responder.js 10.9.8.1/24      then, in the same namespace: ping 10.9.8.77
import { execFileSync } from 'node:child_process';
import { internetChecksum, signal, TunDevice } from 'tripoll/net';

const [address, ...rest] = process.argv.slice(2);
if (address === undefined || !/^[\d.]+\/\d+$/.test(address) || rest.length > 0) {
  console.error('usage: node out/examples/tun-responder.js <our IPv4 address>/<prefix>');
  process.exit(2);
}

const ICMP = 1;
const ECHO_REQUEST = 8;
const ECHO_REPLY = 0;
const MIN_HEADER_BYTES = 20;
const ECHO_HEADER_BYTES = 8;
const MORE_FRAGMENTS_AND_OFFSET = 0x3fff;

/** Turns an echo request into its reply, in place; false when it is none. */
function toReply(packet: Buffer): boolean {
  if (packet.length < MIN_HEADER_BYTES || packet[0]! >> 4 !== 4 || packet[9] !== ICMP) return false;
  const headerBytes = (packet[0]! & 15) * 4;
  // A fragment is not a whole message, and has no business here.
  const isFragment = (packet.readUInt16BE(6) & MORE_FRAGMENTS_AND_OFFSET) !== 0;
  if (isFragment || headerBytes < MIN_HEADER_BYTES || packet.length < headerBytes + ECHO_HEADER_BYTES) {
    return false;
  }
  const icmp = packet.subarray(headerBytes);
  if (icmp[0] !== ECHO_REQUEST || internetChecksum(icmp) !== 0) return false;
  // The IP header's checksum is a sum: it stays right when source and destination change places.
  const source = Buffer.from(packet.subarray(12, 16));
  packet.copy(packet, 12, 16, 20);
  source.copy(packet, 16);
  icmp[0] = ECHO_REPLY;
  icmp.writeUInt16BE(0, 2);
  icmp.writeUInt16BE(internetChecksum(icmp), 2);
  return true;
}

async function respond(device: TunDevice): Promise<void> {
  const buffer = Buffer.alloc(65_536);
  for (;;) {
    const packet = buffer.subarray(0, await device.read(buffer));
    if (!toReply(packet)) continue;
    await device.write(packet);
    console.log(`answered for ${packet.subarray(12, 16).join('.')}`);
  }
}

const device = TunDevice.open();
execFileSync('ip', ['addr', 'add', address, 'dev', device.name]);
execFileSync('ip', ['link', 'set', device.name, 'up']);
console.log(`responding on ${device.name}`);

const ends = signal(['SIGINT', 'SIGTERM']);
// Either closes both: what stays open would keep the process alive.
const close = (): void => {
  device.close();
  ends.close();
};
ends.next().then(close, close);
respond(device).catch((error: unknown) => {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_TRIPOLL_CLOSED') {
    console.error(error);
    process.exitCode = 1;
  }
  close();
});
