// Sockets, and what Linux can do to make them cheaper: each sends something and receives it.
import { closeSync, openSync } from 'node:fs';
import { capabilities } from '../../binding/capabilities.js';
import { native } from '../../binding/native.js';
import { copyBidirectional } from '../../net/copy/copy.js';
import { allocateZeroCopy } from '../../net/tcp/zero-copy.js';
import { listen, TcpListener } from '../../net/tcp/tcp-listener.js';
import { connect } from '../../net/tcp/tcp-connection.js';
import { TcpStream } from '../../net/tcp/tcp-stream.js';
import { UnixStream } from '../../net/unix/unix-stream.js';
import type { Reactor } from '../../reactor/reactor.js';
import { sys } from '../../sys/sys.js';
import { expect, need, withSelfSocket, type Probe } from './probe.js';

const SOCKETS = 'sockets';
const FAST = 'Linux’ faster ways';
const LARGE_BYTES = 64 * 1024;
const SEGMENT_BYTES = 100;
const SEGMENTS = 3;
const CLIENTS = 32;
const HELLO = new TextEncoder().encode('hello');

type Pair = readonly [TcpStream, TcpStream];

async function tcpPair(reactor: Reactor, host = '127.0.0.1'): Promise<Pair> {
  const listener = await TcpListener.bind({ host, port: 0 }, { reactor });
  const { port } = listener.localAddress!;
  const [client, { stream }] = await Promise.all([
    TcpStream.connect({ host, port }, { reactor }),
    listener.accept(),
  ]);
  listener.close();
  return [client, stream];
}

interface Ends {
  writeAll(bytes: Uint8Array): Promise<unknown>;
  read(into: Uint8Array): Promise<number | null>;
}

async function readAll(from: Pick<Ends, 'read'>, bytes: number): Promise<void> {
  const buffer = new Uint8Array(bytes);
  for (let got = 0; got < bytes;) {
    const count = (await from.read(buffer)) ?? 0;
    expect(count > 0, `the end came after ${got} of ${bytes} bytes`);
    got += count;
  }
}

async function hello([from, to]: readonly [Ends, Ends]): Promise<string> {
  await Promise.all([from.writeAll(HELLO), readAll(to, HELLO.length)]);
  return `${HELLO.length} bytes came over`;
}

const udpOption = (name: 'UDP_SEGMENT' | 'UDP_GRO'): number =>
  native.constants[name] ?? need(-(sys.errno.ENOPROTOOPT ?? 1), name);

/** What the socket receives of a send that the kernel is to cut into three. */
function segments(receiveTogether: boolean): number[] {
  return withSelfSocket((fd) => {
    const level = native.constants['IPPROTO_UDP'] ?? 0;
    need(sys.setsockopt(fd, level, udpOption('UDP_SEGMENT'), SEGMENT_BYTES), 'UDP_SEGMENT');
    if (receiveTogether) need(sys.setsockopt(fd, level, udpOption('UDP_GRO'), 1), 'UDP_GRO');
    need(sys.send(fd, new Uint8Array(SEGMENTS * SEGMENT_BYTES)), 'send');
    const lengths: number[] = [];
    const buffer = new Uint8Array(LARGE_BYTES);
    for (let left = SEGMENTS * SEGMENT_BYTES; left > 0; left -= lengths.at(-1)!)
      lengths.push(need(sys.recv(fd, buffer), 'recv'));
    return lengths;
  });
}

function trySegments(): string {
  const lengths = segments(false);
  expect(lengths.length === SEGMENTS, `one send came as ${lengths.join(' + ')} bytes`);
  return `one send came as ${lengths.length} datagrams`;
}

function tryReceiveTogether(): string {
  const lengths = segments(true);
  expect(lengths.length === 1, `${SEGMENTS} datagrams came one by one`);
  return `${SEGMENTS} datagrams came by one receive`;
}

async function tryZeroCopy(reactor: Reactor): Promise<string> {
  const [from, to] = await tcpPair(reactor);
  const [{ copied }] = await Promise.all([
    from.writeZeroCopy(allocateZeroCopy(LARGE_BYTES)),
    readAll(to, LARGE_BYTES),
  ]);
  return copied ? 'sent; the loopback copies after all, as it always does' : 'sent, without a copy';
}

async function trySendfile(reactor: Reactor): Promise<string> {
  const [from, to] = await tcpPair(reactor);
  const fd = openSync(__filename, 'r');
  try {
    await Promise.all([from.sendfile(fd, { lengthBytes: HELLO.length }), readAll(to, HELLO.length)]);
  } finally {
    closeSync(fd);
  }
  return 'bytes of a file came over';
}

async function trySplice(reactor: Reactor): Promise<string> {
  const [[client, near], [far, server]] = [await tcpPair(reactor), await tcpPair(reactor)];
  const copying = copyBidirectional(near, far, { splice: true });
  await hello([client, server]);
  client.end();
  server.end();
  await copying;
  return 'bytes went through pipes of the kernel';
}

/** The count of connections that each of two listeners of one port got. */
function tryReusePort(reactor: Reactor): Promise<string> {
  return new Promise((resolve, reject) => {
    const counts = [0, 0];
    const error = (_: unknown, reason: Error): void => reject(reason);
    const open = (index: number, port: number): TcpListener =>
      listen(
        { host: '127.0.0.1', port, reactor, reusePort: true },
        {
          open() {
            counts[index]!++;
            if (counts[0]! + counts[1]! < CLIENTS) return;
            if (counts.includes(0)) reject(new Error(`one got all ${CLIENTS} connections`));
            else resolve(`two listeners of a port got ${counts.join(' and ')} connections`);
          },
          error,
        },
      );
    const { port } = open(0, 0).localAddress!;
    open(1, port);
    for (let i = 0; i < CLIENTS; i++) connect({ host: '127.0.0.1', port, reactor }, { error });
  });
}

async function tryBusyPolling(reactor: Reactor): Promise<string> {
  const running = reactor.run({ busyPollUs: 50 });
  reactor.stop();
  await running;
  return 'EPIOCSPARAMS is taken; of use with a network card, not on the loopback';
}

/** Of the sockets that this platform should have. */
export function socketProbes(): Probe[] {
  const firewall = 'it is the loopback: look for a filter of packets, or an interface lo that is down';
  const tcp = { group: SOCKETS, advice: firewall };
  const probes: Probe[] = [
    { ...tcp, name: 'TCP, IPv4', run: async (reactor) => hello(await tcpPair(reactor)) },
    {
      ...tcp,
      name: 'TCP, IPv6',
      absent: ['EADDRNOTAVAIL', 'ENETUNREACH'],
      advice:
        'without IPv6 in this container or system, servers bind 0.0.0.0 and clients name an IPv4 address',
      run: async (reactor) => hello(await tcpPair(reactor, '::1')),
    },
  ];
  if (capabilities.unixMessages) {
    const run = (reactor: Reactor): Promise<string> => hello(UnixStream.pair({ reactor }));
    probes.push({ ...tcp, name: 'Unix', advice: 'socketpair(2) is refused', run });
  }
  return [...probes, ...linuxProbes()];
}

function linuxProbes(): Probe[] {
  if (!capabilities.zeroCopy) return [];
  const slower = 'streams work without';
  const udp = 'a kernel before 5.0, or another network stack: datagrams go one by one';
  return [
    { name: 'UDP GSO', advice: udp, run: trySegments },
    { name: 'UDP GRO', advice: udp, run: tryReceiveTogether },
    {
      name: 'zero-copy',
      advice: `ENOBUFS means locked memory, below; ${slower}`,
      run: tryZeroCopy,
    },
    { name: 'sendfile', advice: slower, run: trySendfile },
    { name: 'splice', advice: slower, run: trySplice },
    {
      name: 'busy polling',
      absent: ['EINVAL'],
      advice: 'a kernel before 6.9, or built without CONFIG_NET_RX_BUSY_POLL; spinUs works without',
      run: tryBusyPolling,
    },
    {
      name: 'SO_REUSEPORT',
      advice: 'Runtime.serve shares one listener instead (its default)',
      run: tryReusePort,
    },
  ].map((probe) => ({ ...probe, group: FAST }));
}
