// Of the kind that is named: one that is held, one that waits, one that was closed, and one that is
// forgotten. Prints, as JSON, what the watchdog finds before the last and after it, whether that is closed
// by then, and whether the first two work.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Reactor } from 'tripoll';
import { AsyncFd, EventFd, listen, TcpListener, TcpStream, UdpSocket } from 'tripoll/net';
import { UnixDatagram, UnixListener, UnixStream } from 'tripoll/net';
import { Observer, Recorder, Watchdog } from 'tripoll/observe';
import { sys } from 'tripoll/raw';
import { until } from '../support/deadline.js';
import { openPipe, openSocketPair } from '../support/pairs.js';

/** `At` is where an object can be reached, which does not hold it. */
interface Kind<T extends { close(): void }, At> {
  open(): Promise<T>;
  at(object: T): At | Promise<At>;
  /** Waits in it for what `reach` does. */
  wait(object: T): Promise<unknown>;
  reach(at: At): unknown;
  isClosed(at: At): boolean | Promise<boolean>;
}

const { F_GETFL, F_GETFD, O_NONBLOCK, SOCK_NONBLOCK } = sys.constants;
const HOST = '127.0.0.1';
const reactor = Reactor.default;
// All that look into a reactor, of which none may hold what it sees. A watchdog that looks for nothing else
// makes no text of where something was registered before it has to.
const dog = new Watchdog(reactor, {
  ...{ warn: false, unreadMs: 0, stalledMs: 0, slowHandlerMs: 0, spinTurns: 0 },
});
new Observer(reactor);
new Recorder(reactor);
const folder = mkdtempSync(path.join(tmpdir(), 'tripoll-'));
const byte = new Uint8Array(1);
/** The other end of each fd, or who was accepted by whom. */
const ends = new Map<number, number>();
const clients = new Map<number, TcpStream>();
let files = 0;

const nextFile = (): string => path.join(folder, String(++files));
const isFree = (port: number): Promise<boolean> => works(UdpSocket.bind({ host: HOST, port }));
const portOf = (object: UdpSocket | TcpListener): number => object.localAddress?.port ?? 0;
const connectTo = (port: number): Promise<TcpStream> => TcpStream.connect({ host: HOST, port });

async function works(opening: Promise<{ close(): void }>): Promise<boolean> {
  try {
    (await opening).close();
    return true;
  } catch {
    return false;
  }
}

async function acceptOne(listener: TcpListener | UnixListener): Promise<void> {
  (await listener.accept()).stream.close();
}

function endOfPair(flags: number): number {
  const fds: number[] = [];
  openSocketPair(fds, flags);
  const [one = -1, other = -1] = fds;
  ends.set(one, other);
  return one;
}

async function sendTo(port: number): Promise<void> {
  const socket = await UdpSocket.bind(`${HOST}:0`);
  await socket.send(byte, { host: HOST, port });
  socket.close();
}

interface Used {
  readonly port: number;
  isUsed(): Promise<boolean>;
}

/** Of its own, so that it holds these alone. */
function used(port: number, client: TcpStream, stream: TcpStream): Used {
  return {
    port,
    async isUsed() {
      await client.write(byte);
      return (await stream.read(new Uint8Array(9))) === 1;
    },
  };
}

const udp: Kind<UdpSocket, number> = {
  open: () => UdpSocket.bind(`${HOST}:0`),
  at: portOf,
  wait: (socket) => socket.receive(new Uint8Array(9)),
  reach: sendTo,
  isClosed: isFree,
};

/** What has it has registered something else, which stays: the stack of that holds this object. */
class Service {
  socket: UdpSocket | null = null;

  async open(): Promise<UdpSocket> {
    this.socket = await UdpSocket.bind(`${HOST}:0`);
    this.listens();
    return this.socket;
  }

  listens(): void {
    listen(`${HOST}:0`, {});
  }
}

const udpOfObject: Kind<UdpSocket, number> = { ...udp, open: () => new Service().open() };

const anyFd: Kind<AsyncFd, number> = {
  open: () => Promise.resolve(new AsyncFd(endOfPair(SOCK_NONBLOCK), { own: true })),
  at: ({ fd }) => ends.get(fd) ?? -1,
  wait: (io) => io.readable(),
  reach: (other) => sys.send(other, byte),
  // The other end is told the end.
  isClosed: (other) => sys.recv(other, new Uint8Array(1)) === 0,
};

const tcpListener: Kind<TcpListener, number> = {
  open: () => TcpListener.bind(`${HOST}:0`),
  at: portOf,
  wait: acceptOne,
  reach: (port) => works(connectTo(port)),
  isClosed: async (port) => !(await works(connectTo(port))),
};

const usedListener: Kind<TcpListener, Used> = {
  ...tcpListener,
  async at(listener) {
    const port = portOf(listener);
    const client = await connectTo(port);
    return used(port, client, (await listener.accept()).stream);
  },
  reach: ({ port }) => works(connectTo(port)),
  isClosed: async ({ port, isUsed }) => (await isUsed()) && !(await works(connectTo(port))),
};

const connectedUdp = (peer: UdpSocket): Kind<UdpSocket, number> => ({
  ...udp,
  open: () => UdpSocket.connect({ host: HOST, port: portOf(peer) }),
  reach: (port) => peer.send(byte, { host: HOST, port }),
});

const accepted = (listener: TcpListener): Kind<TcpStream, TcpStream | undefined> => ({
  async open() {
    const client = await connectTo(portOf(listener));
    const { stream, address } = await listener.accept();
    clients.set(address?.port ?? 0, client);
    return stream;
  },
  at: (stream) => clients.get(stream.remoteAddress?.port ?? 0),
  wait: (stream) => stream.read(new Uint8Array(9)),
  reach: (client) => client?.write(byte),
  isClosed: async (client) => (await client?.read(new Uint8Array(9))) === 0,
});

const unixDatagram: Kind<UnixDatagram, string> = {
  open: () => UnixDatagram.bind(nextFile()),
  at: (socket) => socket.localAddress ?? '',
  wait: (socket) => socket.receive(new Uint8Array(9)),
  async reach(file) {
    const sender = UnixDatagram.unbound();
    await sender.send(byte, file);
    sender.close();
  },
  isClosed: (file) => !existsSync(file),
};

const unixListener: Kind<UnixListener, string> = {
  open: () => UnixListener.bind(nextFile()),
  at: (listener) => listener.localAddress ?? '',
  wait: acceptOne,
  reach: (file) => works(UnixStream.connect(file)),
  isClosed: (file) => !existsSync(file),
};

interface Sender {
  readonly peer: UnixStream;
  /** What reads the end when the fd that was passed is closed. */
  readonly reader: number;
}
const senders: Sender[] = [];

/** It has received an fd, which nobody took. */
const unixStream: Kind<UnixStream, Sender> = {
  async open() {
    const [stream, peer] = UnixStream.pair();
    const fds: number[] = [];
    openPipe(fds, O_NONBLOCK);
    const [reader = -1, writer = -1] = fds;
    await peer.send(byte, [writer]);
    sys.close(writer);
    await stream.receive(new Uint8Array(9));
    senders.push({ peer, reader });
    return stream;
  },
  at: () => senders.at(-1) as Sender,
  wait: (stream) => stream.read(new Uint8Array(9)),
  reach: ({ peer }) => peer.write(byte),
  isClosed: ({ reader }) => sys.read(reader, new Uint8Array(1)) === 0,
};

const eventFd: Kind<EventFd, number> = {
  open: () => Promise.resolve(new EventFd()),
  at: ({ fd }) => fd,
  wait: (source) => source.take(),
  reach: (fd) => sys.write(fd, new Uint8Array(new BigUint64Array([1n]).buffer)),
  isClosed: (fd) => sys.fcntl(fd, F_GETFD) < 0,
};

/** It is open then, and as it was. */
const lentFd: Kind<AsyncFd, number> = {
  ...anyFd,
  open: () => Promise.resolve(new AsyncFd(endOfPair(0))),
  isClosed(other) {
    const [lent = -1] = [...ends].find(([, end]) => end === other) ?? [];
    const flags = sys.fcntl(lent, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) === 0;
  },
};

async function forgets<T extends { close(): void }, At>(kind: Kind<T, At>): Promise<At> {
  return kind.at(await kind.open());
}

async function waits<T extends { close(): void }, At>(
  kind: Kind<T, At>,
  begin: (at: At) => void,
  tell: () => void,
): Promise<void> {
  const object = await kind.open();
  begin(await kind.at(object));
  await kind.wait(object);
  object.close();
  tell();
}

async function look<T extends { close(): void }, At>(kind: Kind<T, At>): Promise<object> {
  const held = await kind.open();
  const heldAt = await kind.at(held);
  (await kind.open()).close();
  let [waited, reach] = [false, (): unknown => undefined];
  await new Promise<void>((resolve) => {
    const begin = (at: At) => {
      reach = () => kind.reach(at);
      setImmediate(resolve);
    };
    void waits(kind, begin, () => (waited = true));
  });
  const first = await dog.findLeaks();
  const at = await forgets(kind);
  const { registrations } = reactor.inspect();
  // What opened it may hold it for some turns yet.
  let found = await dog.findLeaks();
  for (let i = 0; found.length === 0 && i < 50; i++) found = await dog.findLeaks();
  const left = reactor.inspect().registrations;
  const isClosed = await kind.isClosed(at);
  await reach();
  await until(() => waited, 'what waits');
  const heldWaits = kind.wait(held);
  await kind.reach(heldAt);
  await heldWaits;
  held.close();
  return {
    first: first.length,
    found: found.map(({ name, openedAt }) => ({
      name,
      openedBy: / (forgets|main) \(.*watchdog-leak-kinds-child/.exec(openedAt ?? '')?.[1],
    })),
    registrations: left - registrations,
    isClosed,
  };
}

async function main(name: string | undefined): Promise<object> {
  switch (name) {
    case 'UdpSocket':
      return look(udp);
    case 'UdpSocket of an object':
      return look(udpOfObject);
    case 'connected UdpSocket':
      return look(connectedUdp(await UdpSocket.bind(`${HOST}:0`)));
    case 'accepted TcpStream':
      return look(accepted(await TcpListener.bind(`${HOST}:0`)));
    case 'UnixStream with fds':
      return look(unixStream);
    case 'UnixDatagram':
      return look(unixDatagram);
    case 'AsyncFd':
      return look(anyFd);
    case 'AsyncFd of a lent fd':
      return look(lentFd);
    case 'EventFd':
      return look(eventFd);
    case 'TcpListener':
      return look(tcpListener);
    case 'TcpListener with a connection':
      return look(usedListener);
    case 'UnixListener':
      return look(unixListener);
    default:
      throw new Error(`no such kind: ${name}`);
  }
}

void main(process.argv[2])
  .then((result) => console.log(JSON.stringify(result)))
  .finally(() => {
    rmSync(folder, { recursive: true, force: true });
    reactor.close();
  });
