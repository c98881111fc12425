// Runs in a network namespace of its own, with bridges x0 and x1: both have fe80::2, x1 has fe80::3
// too. Prints what the zones of addresses lead to.
import { readFileSync } from 'node:fs';
import { bindUdp, DatagramBatch, IcmpSocket, TcpListener, TcpStream, UdpSocket } from 'tripoll/net';

const inTime = { timeoutMs: 5000 };
const LINK_GROUP = 'ff02::abcd';
const GROUP = 'ff12::77:1';

/** The interfaces on which this host is a member. */
function membersOf(group: string, file: string): string[] {
  const digits = group === GROUP ? 'ff120000000000000000000000770001' : 'ff02000000000000000000000000abcd';
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line.includes(digits)).map((line) => line.trim().split(/\s+/)[1] ?? '');
}

async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return '';
  } catch (error) {
    return (error as { code?: string }).code ?? 'none';
  }
}

async function memberships(): Promise<unknown> {
  const member = await UdpSocket.bind('[::]:0');
  const endpoint = bindUdp({ host: '::', port: 0 }, {});
  const seen: unknown[] = [];
  for (const socket of [member, endpoint]) {
    socket.join(`${LINK_GROUP}%x1`);
    seen.push(membersOf(LINK_GROUP, '/proc/net/igmp6'));
    socket.leave(`${LINK_GROUP}%x1`);
    seen.push(membersOf(LINK_GROUP, '/proc/net/igmp6'));
    socket.join(GROUP, { source: 'fe80::9%x1' });
    seen.push(membersOf(GROUP, '/proc/net/mcfilter6'));
    socket.leave(GROUP, { source: 'fe80::9%x1' });
    seen.push(await codeOf(() => socket.join(`${LINK_GROUP}%x1`, { interface: 'x0' })));
    seen.push(await codeOf(() => socket.join(`${LINK_GROUP}%x1`, { source: 'fe80::9%x0' })));
    seen.push(await codeOf(() => socket.join(`${LINK_GROUP}%x7`)));
    socket.close();
  }
  return seen;
}

async function sources(): Promise<unknown> {
  const server = await UdpSocket.bind('[::]:0', { socketOptions: { receivePacketInfo: true } });
  const client = await UdpSocket.bind('[::]:0');
  const target = `[fe80::2%x1]:${server.localAddress?.port}`;
  const buffer = new Uint8Array(10);
  const seen: unknown[] = [];
  const hear = async (): Promise<void> => {
    const { address } = await server.receive(buffer, inTime);
    seen.push(address?.address);
    // Back to the address as it was told, whose zone is a field.
    if (address !== undefined) await server.send(buffer.subarray(0, 1), address);
    seen.push((await client.receive(buffer, inTime)).lengthBytes);
  };
  await client.send(buffer, target, { source: 'fe80::3%x1' });
  await hear();
  const batch = new DatagramBatch();
  batch.push(buffer, target);
  batch.setSource(0, 'fe80::3%x1');
  await client.sendMany(batch);
  await hear();
  seen.push(await codeOf(() => batch.setSource(0, 'fe80::3%x1', 1)));
  client.close();
  server.close();
  return seen;
}

async function others(): Promise<unknown> {
  const ping = new IcmpSocket({ family: 'IPv6', raw: true });
  const buffer = new Uint8Array(100);
  await ping.send(Buffer.from([128, 0, 0, 0, 0, 1, 0, 1]), 'fe80::2%x1');
  const { address = '' } = await ping.receive(buffer, inTime);
  await ping.send(Buffer.from([128, 0, 0, 0, 0, 1, 0, 2]), address);
  ping.close();
  const listener = await TcpListener.bind('[fe80::2%x1]:0');
  const port = listener.localAddress?.port ?? 0;
  const stream = await TcpStream.connect(`[fe80::2%x1]:${port}`, inTime);
  const elsewhere = await codeOf(() => TcpStream.connect(`[fe80::2%x0]:${port}`, inTime));
  const scope = stream.remoteAddress?.scopeId;
  for (const one of [stream, listener]) one.close();
  return [address === `fe80::2%${scope}`, elsewhere];
}

async function main(): Promise<void> {
  console.log(JSON.stringify([await memberships(), await sources(), await others()]));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
