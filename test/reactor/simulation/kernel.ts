import type { Random } from '../../support/random.js';
import { errno } from '../fake-poller.js';

// What poll(2) says of a file; the values are Linux's.
export const IN = 0x001;
export const OUT = 0x004;
export const ERR = 0x008;
export const HUP = 0x010;
export const RDHUP = 0x2000;

const FIRST_FD = 3;
const SMALLEST_BUFFER_BYTES = 20;
const FIRST_EPHEMERAL_PORT = 20_000;
/** A port whose packets are lost: a connect to it is never answered. */
export const SILENT_PORT = 9;

const EAGAIN = errno('EAGAIN');
const EINTR = errno('EINTR');
const EBADF = errno('EBADF');
const EPIPE = errno('EPIPE');
const ENOTCONN = errno('ENOTCONN');

/** How likely each fault is, 0 to 1, per call or per wait. */
export interface Faults {
  shortRead: number;
  shortWrite: number;
  eagain: number;
  eintr: number;
  /** accept(2) fails although somebody waits. */
  accept: number;
  /** epoll_ctl(2) refuses to add. */
  add: number;
  /** An event without a reason, and one for a token of the past, per wait. */
  spurious: number;
  stale: number;
  /** A packet stays on its way for another while. */
  delay: number;
  /** The network moves in the middle of a call. */
  race: number;
}

export const NO_FAULTS: Faults = {
  shortRead: 0,
  shortWrite: 0,
  eagain: 0,
  eintr: 0,
  accept: 0,
  add: 0,
  spurious: 0,
  stale: 0,
  delay: 0,
  race: 0,
};

/** Whom a file wakes when something becomes so: its place in the poller. */
export interface Watcher {
  /** `mask` 0 means that anything may have changed. */
  onWake(mask: number): void;
  onFileClosed(): void;
}

export abstract class OpenFile {
  watcher: Watcher | null = null;
  open = true;

  abstract pollMask(): number;

  wake(mask: number): void {
    this.watcher?.onWake(mask);
  }
}

/**
 * One direction of a connection: bytes on their way, and of these the first `arrived` are there.
 */
class Direction {
  length = 0;
  arrived = 0;
  fin: 'none' | 'sent' | 'arrived' = 'none';
  /** The end came from shutdown(2): all that was to be said has been said. */
  finByShutdown = false;
  readonly #ring: Uint8Array;
  #start = 0;

  constructor(
    readonly sendBytes: number,
    readonly receiveBytes: number,
  ) {
    this.#ring = new Uint8Array(sendBytes + receiveBytes);
  }

  get inFlight(): number {
    return this.length - this.arrived;
  }

  get free(): number {
    return this.sendBytes - this.inFlight;
  }

  /** As sk_stream_is_writeable: a third must be free before anybody is told. */
  get isWritable(): boolean {
    return this.free * 3 >= this.sendBytes;
  }

  write(bytes: Uint8Array): void {
    const at = (this.#start + this.length) % this.#ring.length;
    const first = Math.min(bytes.length, this.#ring.length - at);
    this.#ring.set(bytes.subarray(0, first), at);
    this.#ring.set(bytes.subarray(first), 0);
    this.length += bytes.length;
  }

  read(target: Uint8Array): void {
    const first = Math.min(target.length, this.#ring.length - this.#start);
    target.set(this.#ring.subarray(this.#start, this.#start + first), 0);
    target.set(this.#ring.subarray(0, target.length - first), first);
    this.#start = (this.#start + target.length) % this.#ring.length;
    this.length -= target.length;
    this.arrived -= target.length;
  }

  arrive(most: number): number {
    const count = Math.min(most, this.inFlight, this.receiveBytes - this.arrived);
    this.arrived += count;
    return count;
  }

  dropInFlight(): void {
    this.length = this.arrived;
  }
}

export class TcpSocket extends OpenFile {
  state: 'new' | 'connecting' | 'connected' | 'closed' = 'new';
  /** SO_ERROR: a negative errno, 0 for none. */
  error = 0;
  peer: TcpSocket | null = null;
  outbound: Direction;
  /** A write did not fit: who waits is told when there is room again. */
  noSpace = false;
  /** A RST is on its way to us. */
  resetPending = false;
  /** SO_LINGER with 0 seconds: closing resets. */
  lingerZero = false;
  writeShut = false;
  localPort = 0;
  remotePort = 0;

  constructor(
    readonly id: number,
    sendBytes: number,
    receiveBytes: number,
  ) {
    super();
    this.outbound = new Direction(sendBytes, receiveBytes);
  }

  get inbound(): Direction | null {
    return this.peer?.outbound ?? null;
  }

  get arrivedBytes(): number {
    return this.inbound?.arrived ?? 0;
  }

  get finArrived(): boolean {
    return this.inbound?.fin === 'arrived';
  }

  /** A read would not block. */
  get isReadable(): boolean {
    return this.arrivedBytes > 0 || this.error < 0 || this.finArrived || this.state === 'closed';
  }

  // net/ipv4/tcp.c, tcp_poll().
  pollMask(): number {
    const error = this.error < 0 ? ERR : 0;
    if (this.state === 'new') return OUT | HUP | error;
    if (this.state === 'connecting') return error;
    if (this.state === 'closed') return IN | OUT | RDHUP | HUP | error;
    let mask = error;
    if (this.finArrived) mask |= IN | RDHUP;
    if (this.finArrived && this.writeShut) mask |= HUP;
    if (this.arrivedBytes > 0) mask |= IN;
    if (this.writeShut || this.outbound.isWritable) mask |= OUT;
    else this.noSpace = true;
    return mask;
  }

  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error;
  }
}

class ListenSocket extends OpenFile {
  readonly queue: TcpSocket[] = [];

  constructor(
    readonly port: number,
    readonly backlog: number,
  ) {
    super();
  }

  pollMask(): number {
    return this.queue.length > 0 ? IN : 0;
  }
}

/** The spare fd of a listener: all that it does is being there. */
class DatagramSocket extends OpenFile {
  pollMask(): number {
    return OUT;
  }
}

/**
 * A kernel in TypeScript: file descriptors, the lowest free one first, and TCP over a network that
 * is slow when a seed says so. What it does follows Linux. It knows nothing of time.
 */
export class Kernel {
  /** Whose numbers decide; each step of a program has its own. */
  random: Random;
  faults: Faults = { ...NO_FAULTS };
  /** RLIMIT_NOFILE. */
  fdLimit = 256;
  /** Told what no correct program does: a call on a closed fd. */
  onMisuse: (what: string) => void = () => {};
  /** Grows with everything that a call changes: bytes, ends, fds. */
  progress = 0;
  readonly #files: (OpenFile | undefined)[] = [];
  readonly #ports = new Map<number, ListenSocket>();
  /** Connections of which something is still to happen. */
  readonly #live = new Set<TcpSocket>();
  #nextPort = FIRST_EPHEMERAL_PORT;
  #nextId = 1;
  /** Ports that sockets were bound to and that do not listen yet. */
  readonly #bound = new Map<OpenFile, number>();

  constructor(random: Random) {
    this.random = random;
  }

  chance(probability: number): boolean {
    return probability > 0 && this.random.next() < probability;
  }

  // ---- file descriptors ----

  fileOf(fd: number): OpenFile | undefined {
    return this.#files[fd];
  }

  /** Of the latest connect: until it is done, its stream does not tell. */
  lastConnectFd = -1;

  socketOf(fd: number): TcpSocket | null {
    const file = this.#files[fd];
    return file instanceof TcpSocket ? file : null;
  }

  openFds(): number[] {
    return [...this.#files.keys()].filter((fd) => this.#files[fd] !== undefined);
  }

  get hasRoom(): boolean {
    return this.#lowestFree() < this.fdLimit;
  }

  #lowestFree(): number {
    let fd = FIRST_FD;
    while (this.#files[fd] !== undefined) fd++;
    return fd;
  }

  #install(file: OpenFile): number {
    const fd = this.#lowestFree();
    if (fd >= this.fdLimit) return errno('EMFILE');
    this.#files[fd] = file;
    this.progress++;
    return fd;
  }

  #misuse(call: string, fd: number): number {
    this.onMisuse(`${call} on fd ${fd}, which is not open or no such socket`);
    return EBADF;
  }

  #newTcp(): TcpSocket {
    return new TcpSocket(this.#nextId++, this.#bufferBytes(), this.#bufferBytes());
  }

  #bufferBytes(): number {
    return SMALLEST_BUFFER_BYTES + this.random.below(this.random.pick([64, 4096, 24_000]));
  }

  socket(isStream: boolean): number {
    return this.#install(isStream ? this.#newTcp() : new DatagramSocket());
  }

  /** Two connected sockets, for registrations without a library's socket on top. */
  socketpair(): [number, number] | null {
    const [a, b] = [this.#newTcp(), this.#newTcp()];
    this.#join(a, b);
    const first = this.#install(a);
    if (first < 0) return null;
    const second = this.#install(b);
    if (second >= 0) return [first, second];
    this.close(first);
    return null;
  }

  #join(client: TcpSocket, server: TcpSocket): void {
    client.peer = server;
    server.peer = client;
    for (const socket of [client, server]) {
      socket.state = 'connected';
      this.#live.add(socket);
    }
  }

  close(fd: number): number {
    const file = this.#files[fd];
    if (file === undefined) return this.#misuse('close', fd);
    this.#files[fd] = undefined;
    this.progress++;
    file.open = false;
    file.watcher?.onFileClosed();
    if (file instanceof TcpSocket) this.#closeTcp(file);
    else if (file instanceof ListenSocket) this.#closeListener(file);
    return 0;
  }

  #closeTcp(socket: TcpSocket): void {
    if (socket.state === 'connecting') this.#live.delete(socket);
    if (socket.state !== 'connected') {
      socket.state = 'closed';
      return;
    }
    // Unread bytes make a close a reset: RFC 2525, 2.17.
    if (socket.lingerZero || socket.arrivedBytes > 0) this.#abort(socket);
    else if (!socket.writeShut) this.#sendFin(socket, false);
  }

  #closeListener(listener: ListenSocket): void {
    this.#ports.delete(listener.port);
    for (const socket of listener.queue.splice(0)) {
      socket.open = false;
      this.#abort(socket);
    }
  }

  /** Sends a RST, and forgets. */
  #abort(socket: TcpSocket): void {
    socket.state = 'closed';
    socket.outbound.dropInFlight();
    if (socket.peer !== null) socket.peer.resetPending = true;
  }

  #sendFin(socket: TcpSocket, byShutdown: boolean): void {
    socket.writeShut = true;
    socket.outbound.fin = 'sent';
    socket.outbound.finByShutdown = byShutdown;
  }

  // ---- the network ----

  /**
   * Moves what is on its way; `all` leaves nothing behind that can arrive. Returns whether anything
   * moved.
   */
  pump(all = false): boolean {
    let moved = false;
    for (const socket of [...this.#live]) {
      if (!all && this.chance(this.faults.delay)) continue;
      if (this.#pumpSocket(socket, all)) moved = true;
    }
    return moved;
  }

  #pumpSocket(socket: TcpSocket, all: boolean): boolean {
    if (socket.state === 'connecting') return this.#handshake(socket);
    if (socket.resetPending) return this.#receiveReset(socket);
    const moved = this.#deliver(socket, all);
    const { outbound } = socket;
    if (socket.noSpace && outbound.isWritable && socket.state === 'connected') {
      socket.noSpace = false;
      socket.wake(OUT);
      return true;
    }
    const isOver = socket.state === 'closed' || outbound.fin === 'arrived';
    if (!socket.open && isOver && outbound.inFlight === 0) this.#live.delete(socket);
    return moved;
  }

  #deliver(socket: TcpSocket, all: boolean): boolean {
    const { outbound, peer } = socket;
    if (peer === null || socket.state !== 'connected') return false;
    if (outbound.inFlight > 0 && (!peer.open || peer.state === 'closed')) {
      // Nobody is there to read it.
      outbound.dropInFlight();
      if (outbound.fin === 'sent') outbound.fin = 'arrived';
      socket.resetPending = true;
      return true;
    }
    const most = all ? outbound.inFlight : 1 + this.random.below(Math.max(1, outbound.inFlight));
    const count = outbound.inFlight > 0 ? outbound.arrive(most) : 0;
    if (count > 0) peer.wake(IN);
    const finArrives =
      outbound.fin === 'sent' && outbound.inFlight === 0 && (all || this.random.below(3) > 0);
    if (finArrives) {
      outbound.fin = 'arrived';
      peer.wake(0);
    }
    return count > 0 || finArrives;
  }

  #receiveReset(socket: TcpSocket): boolean {
    socket.resetPending = false;
    if (socket.state !== 'connected') return false;
    // net/ipv4/tcp_input.c, tcp_reset(): what has arrived can still be read.
    socket.error = socket.finArrived ? EPIPE : errno('ECONNRESET');
    socket.state = 'closed';
    socket.outbound.dropInFlight();
    socket.inbound?.dropInFlight();
    socket.wake(0);
    return true;
  }

  #handshake(client: TcpSocket): boolean {
    if (client.remotePort === SILENT_PORT) return false;
    const listener = this.#ports.get(client.remotePort);
    if (listener === undefined) {
      client.state = 'closed';
      client.error = errno('ECONNREFUSED');
      this.#live.delete(client);
      client.wake(0);
      return true;
    }
    if (listener.queue.length >= listener.backlog) return false;
    const server = this.#newTcp();
    server.localPort = client.remotePort;
    server.remotePort = client.localPort;
    this.#join(client, server);
    listener.queue.push(server);
    listener.wake(IN);
    client.wake(0);
    return true;
  }

  /** Something happens elsewhere while a call is made. */
  #race(): void {
    if (this.chance(this.faults.race)) this.pump();
  }

  // ---- system calls ----

  bind(fd: number, port: number): number {
    const file = this.#files[fd];
    if (file === undefined) return this.#misuse('bind', fd);
    const chosen = port === 0 ? this.#nextPort++ : port;
    if (this.#ports.has(chosen)) return errno('EADDRINUSE');
    this.#bound.set(file, chosen);
    return 0;
  }

  listen(fd: number, backlog: number): number {
    const file = this.#files[fd];
    const port = file === undefined ? undefined : this.#bound.get(file);
    if (file === undefined || port === undefined) return this.#misuse('listen', fd);
    const listener = new ListenSocket(port, Math.max(1, backlog));
    this.#files[fd] = listener;
    this.#ports.set(port, listener);
    return 0;
  }

  /** How many wait to be accepted. */
  waitingAt(port: number): number {
    return this.#ports.get(port)?.queue.length ?? 0;
  }

  accept4(fd: number): number {
    const listener = this.#files[fd];
    if (!(listener instanceof ListenSocket)) return this.#misuse('accept4', fd);
    this.#race();
    // Before it looks whether anybody waits, Linux reserves the number.
    if (!this.hasRoom) return errno('EMFILE');
    const [first] = listener.queue;
    if (first === undefined) return EAGAIN;
    if (this.chance(this.faults.accept)) return this.#failAccept(listener, first);
    listener.queue.shift();
    return this.#install(first);
  }

  #failAccept(listener: ListenSocket, first: TcpSocket): number {
    const error = errno(this.random.pick(['EINTR', 'ECONNABORTED', 'EPROTO', 'ENFILE', 'ENOBUFS']));
    if (error === errno('ECONNABORTED') || error === errno('EPROTO')) {
      listener.queue.shift();
      first.open = false;
      this.#abort(first);
    }
    return error;
  }

  connect(fd: number, port: number): number {
    const socket = this.socketOf(fd);
    if (socket?.state !== 'new') return this.#misuse('connect', fd);
    this.lastConnectFd = fd;
    socket.localPort = this.#nextPort++;
    socket.remotePort = port;
    if (port !== SILENT_PORT && !this.#ports.has(port) && this.random.below(3) === 0)
      return errno('ECONNREFUSED');
    socket.state = 'connecting';
    this.#live.add(socket);
    if (this.random.below(4) === 0) this.#handshake(socket);
    if ((socket.state as string) === 'connected')
      return this.random.below(2) === 0 ? 0 : errno('EINPROGRESS');
    return errno(this.random.below(8) === 0 ? 'EINTR' : 'EINPROGRESS');
  }

  recv(fd: number, target: Uint8Array): number {
    const socket = this.socketOf(fd);
    if (socket === null) return this.#misuse('recv', fd);
    this.#race();
    if (this.chance(this.faults.eintr)) return EINTR;
    const { inbound } = socket;
    if (inbound === null || inbound.arrived === 0) return nothingToRead(socket);
    // What is not given now counts as come a moment later, with an edge of its own.
    if (this.chance(this.faults.eagain)) {
      socket.wake(IN);
      return EAGAIN;
    }
    let count = Math.min(inbound.arrived, target.length);
    if (count > 1 && this.chance(this.faults.shortRead)) {
      count = 1 + this.random.below(count - 1);
      socket.wake(IN);
    }
    inbound.read(target.subarray(0, count));
    this.progress++;
    return count;
  }

  /** MSG_PEEK of one byte. */
  peek(fd: number): number {
    const socket = this.socketOf(fd);
    if (socket === null) return this.#misuse('recv', fd);
    this.#race();
    if (this.chance(this.faults.eintr)) return EINTR;
    return socket.arrivedBytes > 0 ? 1 : nothingToRead(socket);
  }

  send(fd: number, buffers: readonly Uint8Array[]): number {
    const socket = this.socketOf(fd);
    if (socket === null) return this.#misuse('send', fd);
    this.#race();
    if (this.chance(this.faults.eintr)) return EINTR;
    if (socket.error < 0) return socket.takeError();
    if (socket.state === 'connecting') return EAGAIN;
    if (socket.state !== 'connected' || socket.writeShut) return EPIPE;
    const length = buffers.reduce((sum, bytes) => sum + bytes.length, 0);
    if (length === 0) return 0;
    let count = Math.min(length, socket.outbound.free);
    if (this.chance(this.faults.eagain)) count = 0;
    if (count > 1 && this.chance(this.faults.shortWrite)) count = 1 + this.random.below(count - 1);
    if (count < length) socket.noSpace = true;
    if (count === 0) return EAGAIN;
    writeVectors(socket.outbound, buffers, count);
    this.progress++;
    return count;
  }

  shutdownWrite(fd: number): number {
    const socket = this.socketOf(fd);
    if (socket === null) return this.#misuse('shutdown', fd);
    if (socket.state !== 'connected') return ENOTCONN;
    if (!socket.writeShut) this.#sendFin(socket, true);
    this.progress++;
    socket.wake(0);
    return 0;
  }

  portsOf(fd: number): { local: number; remote: number } | number {
    const file = this.#files[fd];
    if (file === undefined) return this.#misuse('getsockname', fd);
    if (file instanceof ListenSocket) return { local: file.port, remote: ENOTCONN };
    if (!(file instanceof TcpSocket)) return { local: 0, remote: ENOTCONN };
    return { local: file.localPort, remote: file.state === 'connected' ? file.remotePort : ENOTCONN };
  }

  setLingerZero(fd: number): number {
    const socket = this.socketOf(fd);
    if (socket === null) return this.#misuse('setsockopt', fd);
    socket.lingerZero = true;
    return 0;
  }

  /** Other options change nothing that can be seen here. */
  setOption(fd: number): number {
    return this.#files[fd] === undefined ? this.#misuse('setsockopt', fd) : 0;
  }

  takeSocketError(fd: number): number {
    return this.socketOf(fd)?.takeError() ?? this.#misuse('getsockopt', fd);
  }
}

function nothingToRead(socket: TcpSocket): number {
  if (socket.error < 0) return socket.takeError();
  if (socket.finArrived || socket.state === 'closed') return 0;
  return socket.state === 'new' ? ENOTCONN : EAGAIN;
}

function writeVectors(direction: Direction, buffers: readonly Uint8Array[], count: number): void {
  let left = count;
  for (const bytes of buffers) {
    const taken = Math.min(left, bytes.length);
    direction.write(bytes.subarray(0, taken));
    left -= taken;
  }
}
