// Runs in a network namespace of its own, with a bridge x0 that has fd00::1 and fd00::2 (IPv6
// groups do not work on lo). Prints what the member hears.
import { UdpSocket } from 'tripoll/net';

const group = 'ff12::77:1';
const onBridge = { socketOptions: { multicastInterface: 'x0' } };

async function main(): Promise<void> {
  const member = await UdpSocket.bind('[::]:0', { socketOptions: { receivePacketInfo: true } });
  const target = { host: group, port: member.localAddress?.port ?? 0 };
  const wanted = await UdpSocket.bind('[fd00::1]:0', onBridge);
  const other = await UdpSocket.bind('[fd00::2]:0', onBridge);
  const buffer = new Uint8Array(100);
  const heard: unknown[] = [];
  const hear = async (): Promise<void> => {
    const { lengthBytes: bytes, destination, address } = await member.receive(buffer, { timeoutMs: 5000 });
    heard.push([Buffer.from(buffer.subarray(0, bytes)).toString(), destination, address?.address]);
  };
  member.join(group, { interface: 'x0', source: 'fd00::1' });
  await other.send(Buffer.from('other'), target);
  await wanted.send(Buffer.from('wanted'), target);
  await hear();
  member.leave(group, { interface: 'x0', source: 'fd00::1' });
  member.join(group, { interface: 'x0' });
  member.blockSource(group, 'fd00::1', { interface: 'x0' });
  await wanted.send(Buffer.from('blocked'), target);
  await other.send(Buffer.from('now heard'), target);
  await hear();
  member.leave(group, { interface: 'x0' });
  await other.send(Buffer.from('after'), target);
  await other.send(Buffer.from('direct'), { host: 'fd00::2', port: target.port });
  await hear();
  console.log(JSON.stringify(heard));
  for (const socket of [member, wanted, other]) socket.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
