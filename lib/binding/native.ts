import { join } from 'node:path';
import type { Constants, Errnos } from './constant-names.js';
import { loadAddon } from './load-addon.js';

type PollerChange = (
  poller: number,
  fd: number,
  slot: number,
  generation: number,
  interest: number,
  mode: number,
) => number;

/** What the compiled addon exports. Calls return `n >= 0` or `-errno`; wrong types throw. */
export interface NativeBinding {
  readonly constants: Constants;
  readonly errnos: Errnos;
  readonly flags: Readonly<Record<string, number>>;
  readonly layout: Readonly<Record<string, number>>;
  readonly backends: readonly string[];

  /** 1 where poll(2) tells that a socket has an error; Unix only. */
  pollTellsErrors?(): number;
  /** Opens what is there, close-on-exec; Unix only. */
  openFile?(path: Uint8Array, flags: number): number;
  /** Permission bits of what the fd is of; Unix only. */
  fchmod?(fd: number, mode: number): number;
  pollerOpen(backend: string): number;
  pollerClose(poller: number): number;
  pollerEvents(poller: number): ArrayBuffer | number | undefined;
  pollerSupports(poller: number, mode: number): number;
  readonly pollerAdd: PollerChange;
  readonly pollerModify: PollerChange;
  pollerDelete(poller: number, fd: number, slot: number, generation: number): number;
  pollerWait(poller: number, timeoutNs: number): number;
  pollerSpin(poller: number, spinNs: number): number;
  pollerLooks(poller: number): number;
  pollerSleeps(poller: number): number;
  pollerFd(poller: number): number;
  pollerWake(poller: number): number;
  pollerSetDeadline(poller: number, timeoutNs: number): number;
  pollerWakeId(poller: number): number;
  wakeById(wakeId: number): number;
  /**
   * `onBatch` gets a count of records, -errno, or `holdBatch` of the layout: then `driverRelease`
   * is to be called later.
   */
  driverStart(poller: number, kind: string, onBatch: (count: number) => void): number;
  driverRef(poller: number): number;
  driverUnref(poller: number): number;
  driverClose(poller: number): number;
  driverRelease(poller: number): number;
  fatalException(error: unknown): void;

  socket(domain: number, type: number, protocol: number): number;
  /**
   * 4, 6, or 0 for what is no IP address: node:net says the same, and takes milliseconds to load.
   */
  ipVersion(text: string): number;
  interfaceIndex(name: string): number;
  bind(fd: number, family: number, address: string, port: number, scopeId: number): number;
  connect(fd: number, family: number, address: string, port: number, scopeId: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, flags: number): number;
  getsockname(fd: number, out: object): number;
  getpeername(fd: number, out: object): number;
  recv(fd: number, buffer: Uint8Array, offset: number, length: number, flags: number): number;
  send(fd: number, buffer: Uint8Array, offset: number, length: number, flags: number): number;
  read(fd: number, buffer: Uint8Array, offset: number, length: number): number;
  write(fd: number, buffer: Uint8Array, offset: number, length: number): number;
  writev(fd: number, buffers: readonly Uint8Array[], firstOffset: number, count: number): number;
  sendv(fd: number, buffers: readonly Uint8Array[], firstOffset: number, count: number): number;
  arenaCreate(): ArrayBuffer | number;
  recvInto(fd: number, buffer: Uint8Array): number;
  sendFrom(fd: number, buffer: Uint8Array): number;
  recvArena(fd: number): number;
  sendArena(fd: number, length: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  pipe2(flags: number, out: number[]): number;
  socketpair(domain: number, type: number, protocol: number, out: number[]): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;
  disownFd(fd: number): number;
  ownFd(fd: number): number;
  /** `out`: two doubles, the id and the key of what is detached. */
  detachFd(fd: number, kind: number, out: Uint8Array): number;
  /** The fd, this thread's from here on; ENOENT, or EINVAL if it is of another kind. */
  claimFd(id: number, key: number, kind: number): number;
  /** Takes back a claim: another may claim it. */
  unclaimFd(fd: number, id: number, key: number, kind: number): number;
  ownDetached(id: number, key: number): number;
  closeDetached(id: number, key: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  getsockopt(fd: number, level: number, name: number, out: Uint8Array): number;
  setsockoptInt(fd: number, level: number, name: number, value: number): number;
  takeSocketError(fd: number): number;
  /** Of this thread: fills `out` with the calls by kind, of those that were made, and two sums of bytes. */
  syscallCounts(out: object): number;

  sendfile?(outFd: number, inFd: number, offset: number, length: number): number;
  splice?(inFd: number, outFd: number, length: number): number;
  /** `state`: two int32, the bytes left in the pipe and whether `from` is empty. */
  spliceRelay?(
    from: number,
    pipeWrite: number,
    pipeRead: number,
    to: number,
    mostBytes: number,
    state: Uint8Array,
  ): number;
  setPipeSize?(fd: number, bytes: number): number;
  zeroCopyCreate?(bytes: number): ArrayBuffer | number;
  /** `out`: three u32, the first and the last send that are done, and whether they were copied. */
  takeZeroCopyNotice?(fd: number, out: Uint8Array): number;

  // Addresses are the system's own bytes, lists of numbers the bytes of an Int32Array.
  bindBytes(fd: number, address: Uint8Array): number;
  connectBytes(fd: number, address: Uint8Array): number;
  nameBytes(fd: number, isPeer: 0 | 1, out: Uint8Array): number;
  recvMessage(fd: number, buffer: Uint8Array, flags: number, control: Uint8Array, name: Uint8Array): number;
  recvMessageArena(fd: number, control: Uint8Array): number;
  sendMessage(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    fds: Uint8Array,
    name: Uint8Array,
  ): number;
  toSockaddr(family: number, address: string, port: number, scopeId: number, out: Uint8Array): number;
  fromSockaddr(bytes: Uint8Array, out: object): number;

  // Unix
  readonly terminalConstants?: Partial<Constants>;
  ioctlInteger?(fd: number, request: number, argument: number): number;
  ioctlBytes?(fd: number, request: number, argument: Uint8Array): number;
  dup?(fd: number): number;
  dup3?(fd: number, target: number, flags: number): number;
  /** `settings`: four words of flags, two of speeds in baud, NCCS characters. */
  tcgetattr?(fd: number, settings: Uint8Array): number;
  tcsetattr?(fd: number, action: number, settings: Uint8Array): number;
  posixOpenpt?(flags: number): number;
  grantpt?(fd: number): number;
  unlockpt?(fd: number): number;
  ptsname?(fd: number, out: object): number;

  // Linux
  eventfdCreate?(initial: number, flags: number): number;
  timerfdCreate?(clock: number, flags: number): number;
  timerfdSet?(fd: number, flags: number, valueNs: number, periodNs: number): number;
  pidfdOpen?(pid: number, flags: number): number;
  pidfdSendSignal?(fd: number, signal: number): number;
  pidfdReap?(fd: number, out: Uint8Array): number;
  inotifyInit?(flags: number): number;
  inotifyAdd?(fd: number, path: Uint8Array, mask: number): number;
  inotifyRemove?(fd: number, watch: number): number;
  tunSetInterface?(fd: number, name: string, flags: number, out: Uint8Array): number;
  peerCredentials?(fd: number, out: Uint8Array): number;

  epollCreate1?(flags: number): number;
  epollCtl?(
    epollFd: number,
    operation: number,
    fd: number,
    events: number,
    low: number,
    high: number,
  ): number;
  epollPwait2?(epollFd: number, events: Uint32Array, timeoutNs: number): number;
  epollSetParams?(epollFd: number, usecs: number, budget: number, prefer: number): number;
  epollGetParams?(epollFd: number, out: number[]): number;

  /**
   * What Windows itself called the error that became this errno in the last failed call; 0 when it
   * is not known.
   */
  takeSystemCode?(errno: number): number;
  /** 1 where a socket of AF_UNIX can be made. */
  hasUnixSockets?(): number;
  /** Which file of a Unix socket a path names, by 24 bytes; ENOTSOCK of another kind. */
  socketFileId?(path: Uint8Array, out: Uint8Array): number;
  /** Waits until a connect that went on has ended; what it failed with, or ETIMEDOUT. */
  awaitConnect?(fd: number, timeoutMs: number): number;
  rawAlloc?(bytes: number): number;
  rawView?(block: number): ArrayBuffer | number;
  rawFree?(block: number): number;
  portCreate?(concurrency: number): number;
  portClose?(port: number): number;
  portAssociate?(port: number, handle: number, key: number): number;
  portPost?(port: number, bytes: number, key: number): number;
  portWait?(port: number, out: Float64Array, timeoutMs: number): number;
  portRecv?: SocketOperation;
  portSend?: SocketOperation;
  portRead?: FileOperation;
  portWrite?: FileOperation;
  portAccept?(port: number, listener: number, socket: number): number;
  portConnect?(
    port: number,
    socket: number,
    family: number,
    address: string,
    tcpPort: number,
    scopeId: number,
  ): number;
  portConnectPipe?(port: number, pipe: number): number;
  portCancel?(port: number, operation: number): number;
  /** An fd to accept from; `remote`: 1 lets other machines connect. */
  pipeListen?(name: Uint8Array, backlog: number, remote: number): number;
  pipeConnect?(name: Uint8Array): number;
  pipeCreate?(name: Uint8Array, mostInstances: number): number;
  fileOpen?(name: Uint8Array, access: number, disposition: number): number;
  handleClose?(handle: number): number;

  /** The layout of struct kevent, and the constants of <sys/event.h>. */
  readonly keventLayout?: Readonly<Record<string, number>>;
  readonly kqueueConstants?: Partial<Constants>;
  kqueue?(): number;
  kevent?(kqueueFd: number, changes: Uint8Array, events: Uint8Array, timeoutNs: number): number;
}

/**
 * Over `length` bytes from `offset` of a block that `rawAlloc` made; returns the operation's
 * number.
 */
type SocketOperation = (
  port: number,
  socket: number,
  block: number,
  offset: number,
  length: number,
  flags: number,
) => number;
type FileOperation = (
  port: number,
  handle: number,
  block: number,
  offset: number,
  length: number,
  position: number,
) => number;

/** Another folder to take the addon from, for tests; else the package's own, from dist/bundle/. */
const root = process.env['TRIPOLL_PREBUILD'] ?? join(__dirname, '..', '..');

/** The addon: what was compiled here, else the prebuild of this platform. */
export const native = loadAddon(root) as NativeBinding;

const words = Uint32Array.BYTES_PER_ELEMENT;
const { recordBytes, slotOffset, generationOffset, readinessOffset } = native.layout;
if (
  recordBytes !== 3 * words ||
  slotOffset !== 0 ||
  generationOffset !== words ||
  readinessOffset !== 2 * words
) {
  throw new Error('tripoll: the compiled addon has another event layout than this JavaScript: rebuild it');
}
