// Socket activation as systemd does it: the sockets are fd 3 and on, LISTEN_PID is the process
// itself.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync } from 'node:fs';
import net from 'node:net';
import { Reactor } from 'tripoll';
import { listenFds, TcpListener, UdpSocket } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { encodeUnixAddress } from '#lib/sys/sockaddr';
import { packageRoot } from '../../support/child.js';
import { within } from '../../support/deadline.js';
import { hasSeqpacket } from '../../support/kernel.js';
import { makeFifo } from '../../support/fifo.js';
import { temporaryFolder } from '../../support/folders.js';
import { portOf } from '../tools.js';

const script = `
const { listenFds, TcpListener } = require('tripoll/net');
const found = listenFds();
(async () => {
  const listeners = await Promise.all(found.map(({ fd }) => TcpListener.fromFd(fd)));
  const left = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'].filter((name) => name in process.env);
  console.log(JSON.stringify({ found, again: listenFds(), left, ports: listeners.map((l) => l.localAddress.port) }));
  for (const listener of listeners) {
    const { stream } = await listener.accept();
    await stream.writeAll(Buffer.from('port ' + listener.localAddress.port));
    stream.close();
    listener.close();
  }
})();
`;

const datagramScript = `
const { bindUdp, listenFds, UdpSocket } = require('tripoll/net');
const [one, two] = listenFds();
(async () => {
  const promises = await UdpSocket.fromFd(one.fd);
  const handlers = bindUdp(
    { fd: two.fd },
    { datagrams(self, batch) { self.sendMany(batch); self.close(); } },
  );
  console.log(JSON.stringify([promises, handlers].map((socket) => socket.localAddress.port)));
  const buffer = new Uint8Array(10);
  const { lengthBytes, address } = await promises.receive(buffer);
  await promises.send(buffer.subarray(0, lengthBytes), address);
  promises.close();
})();
`;

/**
 * Runs the script with two listening sockets, under variables that the shell sets: only it knows
 * the pid before.
 */
async function activated(
  variables: string,
): Promise<{ told: Record<string, unknown>; ports: number[]; greet(): Promise<string[]> }> {
  const reactor = new Reactor({ driver: 'manual' });
  const options = { reactor };
  const listeners = await Promise.all([0, 1].map(() => TcpListener.bind('127.0.0.1:0', options)));
  const ports = listeners.map(portOf);
  const child = spawn('/bin/sh', ['-c', `${variables} exec "$0" -e "$1"`, process.execPath, script], {
    cwd: packageRoot,
    stdio: ['ignore', 'pipe', 'inherit', ...listeners.map(({ fd }) => fd)],
  });
  const exited = once(child, 'exit');
  const [line] = (await within(once(child.stdout!.setEncoding('utf8'), 'data'), 'output')) as [string];
  for (const listener of listeners) listener.close();
  reactor.close();
  const greet = async (): Promise<string[]> => {
    const answers: string[] = [];
    for (const port of ports) {
      const peer = net.connect(port, '127.0.0.1');
      const [answer] = (await within(once(peer, 'data'), 'a greeting')) as [Buffer];
      answers.push(answer.toString());
      peer.destroy();
    }
    expect(await within(exited, 'exit')).toEqual([0, null]);
    return answers;
  };
  return { told: JSON.parse(line) as Record<string, unknown>, ports, greet };
}

test('the sockets are found, by name, and served; the variables are gone', async () => {
  const { told, ports, greet } = await activated('LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:admin');
  expect(told).toEqual({
    found: [
      { fd: 3, kind: 'TcpListener', name: 'web' },
      { fd: 4, kind: 'TcpListener', name: 'admin' },
    ],
    again: [],
    left: [],
    ports,
  });
  expect(await greet()).toEqual(ports.map((port) => `port ${port}`));
});

test('without names', async () => {
  const { told, ports, greet } = await activated('LISTEN_PID=$$ LISTEN_FDS=2');
  expect(told).toMatchObject({ found: [{ name: 'unknown' }, { name: 'unknown' }], ports });
  await greet();
});

test.each([
  ['meant for another process', 'LISTEN_PID=1 LISTEN_FDS=2'],
  ['no number', 'LISTEN_PID=$$ LISTEN_FDS=two'],
  ['less than none', 'LISTEN_PID=$$ LISTEN_FDS=-1'],
  ['not told', ''],
])('%s: none', async (_, variables) => {
  expect((await activated(variables)).told).toMatchObject({ found: [], ports: [] });
});

test('one of them is not open: EBADF', () => {
  const before = { ...process.env };
  Object.assign(process.env, { LISTEN_PID: String(process.pid), LISTEN_FDS: '100000' });
  try {
    expect(() => listenFds()).toThrow(expect.objectContaining({ code: 'EBADF' }) as Error);
  } finally {
    for (const name of ['LISTEN_PID', 'LISTEN_FDS']) Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, before);
  }
});

test('datagram sockets are passed likewise, and served in both styles', async () => {
  const reactor = new Reactor({ driver: 'manual' });
  const sockets = await Promise.all([0, 1].map(() => UdpSocket.bind('127.0.0.1:0', { reactor })));
  const addresses = sockets.map(({ localAddress }) => localAddress);
  const child = spawn(
    '/bin/sh',
    ['-c', 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$0" -e "$1"', process.execPath, datagramScript],
    { cwd: packageRoot, stdio: ['ignore', 'pipe', 'inherit', ...sockets.map(({ fd }) => fd)] },
  );
  const exited = once(child, 'exit');
  const [line] = (await within(once(child.stdout!.setEncoding('utf8'), 'data'), 'output')) as [string];
  for (const socket of sockets) socket.close();
  reactor.close();
  const client = await UdpSocket.bind('127.0.0.1:0');
  for (const address of addresses) {
    await client.send(Buffer.from('x'), address);
    const { address: from } = await within(client.receive(new Uint8Array(9)), 'an echo');
    expect(from).toEqual(address);
  }
  client.close();
  expect(JSON.parse(line)).toEqual(addresses.map((address) => address?.port));
  expect(await within(exited, 'exit')).toEqual([0, null]);
});

const everyKindScript = `
const net = require('tripoll/net');
(async () => {
  const told = [];
  for (const { fd, kind, name } of net.listenFds()) {
    if (kind === 'other') {
      told.push({ kind, name });
      continue;
    }
    const taken = await (kind === 'FdStream' ? net.FdStream.fromFd(fd, 'both') : net[kind].fromFd(fd));
    told.push({ kind, name, taken: taken.constructor.name, fd: taken.fd === fd });
    taken.close();
  }
  console.log(JSON.stringify(told));
})();
`;

/**
 * What a unit file can ask for, each opened as systemd would; the last is a file, for which nothing
 * here is made.
 */
test('every kind of socket, FIFOs and devices are told by the class that takes them (friction: listenFds)', async () => {
  const { AF_UNIX, AF_INET, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET } = sys.constants;
  const folder = temporaryFolder();
  const opened: number[] = [];
  const keep = (fd: number): number => {
    expect(fd).toBeGreaterThanOrEqual(0);
    opened.push(fd);
    return fd;
  };
  const unix = (type: number, listens: boolean): number => {
    const fd = keep(sys.socket(AF_UNIX, type));
    expect(native.bindBytes(fd, encodeUnixAddress(`${folder}/${opened.length}`))).toBe(0);
    if (listens) expect(sys.listen(fd, 5)).toBe(0);
    return fd;
  };
  const inet = (type: number): number => {
    const fd = keep(sys.socket(AF_INET, type));
    expect(sys.bind(fd, '127.0.0.1:0')).toBe(0);
    if (type === SOCK_STREAM) expect(sys.listen(fd, 5)).toBe(0);
    return fd;
  };
  const pair: number[] = [];
  const packets = hasSeqpacket ? SOCK_SEQPACKET : SOCK_STREAM;
  expect(sys.socketpair(pair, AF_UNIX, packets)).toBe(0);
  pair.forEach(keep);
  makeFifo(`${folder}/fifo`);
  const kinds: [name: string, kind: string, fd: number][] = [
    ['web', 'TcpListener', inet(SOCK_STREAM)],
    ['dns', 'UdpSocket', inet(SOCK_DGRAM)],
    ['control', 'UnixListener', unix(SOCK_STREAM, true)],
    ['packets', 'UnixListener', unix(packets, true)],
    ['log', 'UnixDatagram', unix(SOCK_DGRAM, false)],
    ['accepted', 'UnixStream', pair[0]!],
    ['fifo', 'FdStream', keep(openSync(`${folder}/fifo`, constants.O_RDWR))],
    ['file', 'other', keep(openSync(__filename, 'r'))],
  ];
  const variables = `LISTEN_PID=$$ LISTEN_FDS=${kinds.length} LISTEN_FDNAMES=${kinds.map(([name]) => name).join(':')}`;
  const line = `${variables} exec "$0" -e "$1"`;
  const child = spawn('/bin/sh', ['-c', line, process.execPath, everyKindScript], {
    cwd: packageRoot,
    stdio: ['ignore', 'pipe', 'inherit', ...kinds.map(([, , fd]) => fd)],
  });
  const exited = once(child, 'exit');
  const [output] = (await within(once(child.stdout!.setEncoding('utf8'), 'data'), 'output')) as [string];
  expect(await within(exited, 'exit')).toEqual([0, null]);
  for (const fd of opened) sys.close(fd);
  expect(JSON.parse(output)).toEqual(
    kinds.map(([name, kind]) => (kind === 'other' ? { kind, name } : { kind, name, taken: kind, fd: true })),
  );
});
