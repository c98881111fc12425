import path from 'node:path';

/** What the compiled addon exports. Calls return `n >= 0` or `-errno`; wrong types throw. */
export interface NativeBinding {
  readonly constants: Readonly<Record<string, number>>;
  readonly errnos: Readonly<Record<string, number>>;
  readonly flags: Readonly<Record<string, number>>;
  readonly layout: Readonly<Record<string, number>>;
  readonly backends: readonly string[];

  pollerOpen(backend: string): number;
  pollerClose(poller: number): number;
  pollerEvents(poller: number): ArrayBuffer | number | undefined;
  pollerSupports(poller: number, mode: number): number;
  pollerAdd(
    poller: number,
    fd: number,
    slot: number,
    generation: number,
    interest: number,
    mode: number,
  ): number;
  pollerModify(
    poller: number,
    fd: number,
    slot: number,
    generation: number,
    interest: number,
    mode: number,
  ): number;
  pollerDelete(poller: number, fd: number, slot: number, generation: number): number;
  pollerWait(poller: number, timeoutNs: number): number;
  pollerWake(poller: number): number;
  pollerSetDeadline(poller: number, timeoutNs: number): number;
  pollerWakeId(poller: number): number;
  wakeById(wakeId: number): number;
  driverStart(poller: number, kind: string, onBatch: (count: number) => void): number;
  driverRef(poller: number): number;
  driverUnref(poller: number): number;
  driverClose(poller: number): number;
  fatalException(error: unknown): void;

  socket(domain: number, type: number, protocol: number): number;
  /** 4, 6, or 0 for what is no IP address: node:net says the same, and takes milliseconds to load. */
  ipVersion(text: string): number;
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
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  getsockopt(fd: number, level: number, name: number, out: Uint8Array): number;
  setsockoptInt(fd: number, level: number, name: number, value: number): number;
  takeSocketError(fd: number): number;

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

  /** The layout of struct kevent, and the constants of <sys/event.h>. */
  readonly keventLayout?: Readonly<Record<string, number>>;
  readonly kqueueConstants?: Readonly<Record<string, number>>;
  kqueue?(): number;
  kevent?(kqueueFd: number, changes: Uint8Array, events: Uint8Array, timeoutNs: number): number;
}

type Load = (root: string) => unknown;

// The package's own folder, from dist/binding/.
const root = path.join(__dirname, '..', '..');
// eslint-disable-next-line @typescript-eslint/no-require-imports -- node-gyp-build has no types
const load = require('node-gyp-build') as Load;

/** The addon: a prebuild where there is one for this platform, else what `npm install` compiled. */
export const native = load(root) as NativeBinding;

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
