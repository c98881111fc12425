// Calls every export of the addon with every kind of value in every argument, first one by one,
// then at random (argv: seed, calls). Prints a line an export, so that after a crash the last one
// is the guilty one.
import { openSync, writeSync } from 'node:fs';
import { inspect } from 'node:util';
import { native } from '#lib/binding/native';
import { sys } from '#lib/sys/sys';
import { Random } from '../support/random';
import { openPipe, PAIR_DOMAIN } from '../support/pairs';

type Call = (...values: unknown[]) => unknown;

/**
 * What a throwing trap or getter of the caller's throws: to get it back is as good as a TypeError.
 */
class Mine extends Error {
  override name = 'Mine';
}
const MINE = new Mine('thrown by a value');
const throwMine = (): never => {
  throw MINE;
};

const random = new Random(Number(process.argv[2] ?? 1));
const randomCalls = Number(process.argv[3] ?? 4000);

/**
 * Values made anew for each call, so that no call spoils them for the next. Small numbers are not
 * among them: they are fds.
 */
const hostile: (() => unknown)[] = [
  () => undefined,
  () => null,
  () => true,
  () => NaN,
  () => -1,
  () => -(2 ** 31),
  () => 2 ** 31 - 1,
  () => 2 ** 31,
  () => 2 ** 32 - 1,
  () => 2 ** 32,
  () => 2 ** 53 - 1,
  () => 2 ** 53,
  () => -(2 ** 53),
  () => 1.5,
  () => 5e-324,
  () => Number.MAX_VALUE,
  () => Infinity,
  () => -Infinity,
  () => '',
  () => '3',
  () => '127.0.0.1\0',
  () => 'x'.repeat(100_000),
  () => '\ud800',
  () => Symbol('s'),
  () => 1n,
  () => 2n ** 64n,
  () => ({}),
  () => Object.freeze({}),
  () => Object.create(null) as unknown,
  () => ({ valueOf: throwMine, toString: throwMine, [Symbol.toPrimitive]: throwMine }),
  () => Object.defineProperty({}, 'address', { set: throwMine, get: throwMine }),
  () =>
    new Proxy({}, { get: throwMine, set: throwMine, has: throwMine, getOwnPropertyDescriptor: throwMine }),
  () => new Proxy([], { get: throwMine, set: throwMine, defineProperty: throwMine }),
  () => revoked(),
  () => () => {},
  () => throwMine,
  () => Mine,
  () => [],
  () => Object.freeze([1, 2]),
  () => [new Uint8Array(4), 7],
  () => new Array<unknown>(1000),
  () => Object.defineProperty([new Uint8Array(4)], 0, { get: throwMine }),
  () => detachingList(),
  () => new Uint8Array(0),
  () => new Uint8Array(32),
  () => new Uint8Array(new SharedArrayBuffer(32)),
  () => detached(new Uint8Array(32)),
  () => shrunk(),
  () => new Uint32Array(30),
  () => detached(new Uint32Array(30)),
  () => new Float64Array(4),
  () => new BigUint64Array(4),
  () => new DataView(new ArrayBuffer(16)),
  () => new ArrayBuffer(16),
  () => new SharedArrayBuffer(16),
  () => new Date(NaN),
  () => /x/g,
  () => new Map(),
  () => Promise.resolve(1),
  () => globalThis,
];

function detached<T extends ArrayBufferView>(view: T): T {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
  return view;
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function shrunk(): Uint8Array {
  const Memory = ArrayBuffer as unknown as new (
    bytes: number,
    options: object,
  ) => ArrayBuffer & {
    resize(bytes: number): void;
  };
  const memory = new Memory(64, { maxByteLength: 64 });
  const view = new Uint8Array(memory, 32, 32);
  memory.resize(8);
  return view;
}

function detachingList(): unknown {
  const first = new Uint8Array(65_536);
  return Object.defineProperty([first, first], 1, { get: () => detached(first) });
}

// ---- what a call with good arguments looks like ----

const c = sys.constants;
const STREAM = (c['SOCK_STREAM'] ?? 0) | (c['SOCK_NONBLOCK'] ?? 0) | (c['SOCK_CLOEXEC'] ?? 0);
const pair: number[] = [];
sys.socketpair(pair, PAIR_DOMAIN, STREAM);
const [socket = -1, peer = -1] = pair;
const listener = sys.socket(c['AF_INET'] ?? 0, STREAM);
sys.listen(listener, 4);
// F_SETFL may make it blocking: no other call gets it.
const flagged = sys.socket(c['AF_INET'] ?? 0, STREAM);
// A number that dup3 may take over again and again.
const spare = sys.socket(c.AF_INET, STREAM);
const tube: number[] = [];
sys.pipe2(tube, c['O_NONBLOCK'] ?? 0);
const [tubeRead = -1, tubeWrite = -1] = tube;
const file = openSync(__filename, 'r');
const timer = native.timerfdCreate?.(1, 0) ?? -1;
const inotify = native.inotifyInit?.(0) ?? -1;
const kqueue = native.kqueue?.() ?? -1;
const epoll = native.epollCreate1?.(c['EPOLL_CLOEXEC'] ?? 0) ?? -1;

let poller = -1;
function openPoller(): number {
  if (poller < 0 || native.pollerWake(poller) < 0) {
    poller = native.pollerOpen(random.pick(native.backends));
  }
  return poller;
}

// Of the raw API of Windows; elsewhere nobody asks.
const port = native.portCreate?.(0) ?? -1;
const rawBlock = native.rawAlloc?.(64) ?? -1;
const rawSocket = sys.socket(c['AF_INET'] ?? 0, STREAM);
const rawListener = sys.socket(c['AF_INET'] ?? 0, STREAM);
sys.listen(rawListener, 4);

const bytes = (): Uint8Array => new Uint8Array(16);
const lists = (): Uint8Array[] => [bytes(), bytes()];
/** A header and one record of a batch of datagrams. */
const records = (): Uint8Array => new Uint8Array(32 + 128);

const kevents = (): Uint8Array => new Uint8Array(native.keventLayout?.['bytes'] ?? 0);

const templates: Record<string, () => unknown[]> = {
  pollerOpen: () => [native.backends[0]],
  pollTellsErrors: () => [],
  pollerClose: () => [openPoller()],
  pollerEvents: () => [openPoller()],
  pollerSupports: () => [openPoller(), 1],
  pollerAdd: () => [openPoller(), socket, 1, 1, 1, 0],
  pollerModify: () => [openPoller(), socket, 1, 1, 2, 0],
  pollerDelete: () => [openPoller(), socket, 1, 1],
  pollerWait: () => [openPoller(), 0],
  pollerSpin: () => [openPoller(), 1000],
  pollerLooks: () => [openPoller()],
  pollerSleeps: () => [openPoller()],
  pollerFd: () => [openPoller()],
  pollerWake: () => [openPoller()],
  pollerSetDeadline: () => [openPoller(), 1],
  pollerWakeId: () => [openPoller()],
  wakeById: () => [native.pollerWakeId(openPoller())],
  driverStart: () => [openPoller(), random.pick(['nested', 'watcher', 'inverted', 'none']), () => {}],
  driverRef: () => [openPoller()],
  driverUnref: () => [openPoller()],
  driverClose: () => [openPoller()],
  driverRelease: () => [openPoller()],
  fatalException: () => [new Mine('fatal')],
  socket: () => [c['AF_INET'], STREAM, 0],
  ipVersion: () => ['::1'],
  bind: () => [flagged, c['AF_INET'], '127.0.0.1', 0, 0],
  connect: () => [flagged, c['AF_INET'], '127.0.0.1', 1, 0],
  listen: () => [listener, 1],
  accept4: () => [listener, 0],
  syscallCounts: () => [{}],
  getsockname: () => [listener, {}],
  getpeername: () => [listener, {}],
  recv: () => [socket, bytes(), 0, 4, c['MSG_DONTWAIT']],
  send: () => [socket, bytes(), 0, 4, c['MSG_DONTWAIT']],
  read: () => [socket, bytes(), 0, 4],
  write: () => [socket, bytes(), 0, 4],
  writev: () => [socket, lists(), 1, 2],
  sendv: () => [socket, lists(), 1, 2],
  arenaCreate: () => [],
  recvInto: () => [peer, bytes()],
  sendFrom: () => [socket, bytes()],
  recvArena: () => [peer],
  sendArena: () => [socket, 4],
  ioctlInteger: () => [flagged, 0, 0],
  ioctlBytes: () => [flagged, 0x8004_0000, bytes()],
  dup: () => [listener],
  dup3: () => [listener, spare, 0],
  tcgetattr: () => [listener, new Uint8Array(64)],
  tcsetattr: () => [listener, 0, new Uint8Array(64)],
  posixOpenpt: () => [c.O_RDWR],
  grantpt: () => [listener],
  unlockpt: () => [listener],
  ptsname: () => [listener, {}],
  openFile: () => [new Uint8Array([47]), 0],
  fchmod: () => [listener, 0o600],
  fcntl: () => [flagged, c['F_GETFL'], 0],
  pipe2: () => [0, []],
  socketpair: () => [PAIR_DOMAIN, STREAM, 0, []],
  shutdown: () => [flagged, 0],
  close: () => [2 ** 31 - 1],
  disownFd: () => [2 ** 31 - 1],
  ownFd: () => [listener],
  detachFd: () => [detachableFd(), 1, bytes()],
  claimFd: () => [1, 2, 3],
  unclaimFd: () => [listener, 1, 2, 3],
  ownDetached: () => [1, 2],
  closeDetached: () => [1, 2],
  setsockopt: () => [listener, 1, 2, bytes()],
  getsockopt: () => [listener, 1, 2, bytes()],
  setsockoptInt: () => [listener, 1, 2, 1],
  takeSocketError: () => [listener],
  sendfile: () => [socket, file, 0, 16],
  splice: () => [tubeRead, tubeWrite, 16],
  spliceRelay: () => [peer, tubeWrite, tubeRead, socket, 16, bytes()],
  setPipeSize: () => [tubeRead, 4096],
  zeroCopyCreate: () => [4096],
  takeZeroCopyNotice: () => [listener, bytes()],
  udpReceive: () => [peer, records(), bytes(), 4, 0, 1, 0],
  udpSend: () => [socket, records(), bytes(), 4, 0, 1, 0],
  udpGetAddress: () => [records(), 0, 0, {}],
  udpSetAddress: () => [records(), 0, 0, c['AF_INET'], '127.0.0.1', 9, 0],
  udpMembership: () => [flagged, 42, 0, c['AF_INET'], '239.1.2.3', ''],
  udpDisconnect: () => [flagged],
  interfaceIndex: () => ['lo'],
  takeSystemCode: () => [-1],
  rawAlloc: () => [16],
  rawView: () => [rawBlock],
  rawFree: () => [native.rawAlloc?.(8)],
  portCreate: () => [0],
  portClose: () => [native.portCreate?.(0)],
  portAssociate: () => [port, rawSocket, 1],
  portPost: () => [port, 1, 1],
  portWait: () => [port, new Float64Array(40), 0],
  portRecv: () => [port, rawSocket, rawBlock, 0, 4, 0],
  portSend: () => [port, rawSocket, rawBlock, 0, 4, 0],
  portRead: () => [port, rawSocket, rawBlock, 0, 4, 0],
  portWrite: () => [port, rawSocket, rawBlock, 0, 4, 0],
  portAccept: () => [port, rawListener, rawSocket],
  portConnect: () => [port, rawSocket, c['AF_INET'], '127.0.0.1', 9, 0],
  portConnectPipe: () => [port, rawSocket],
  portCancel: () => [port, 0],
  pipeListen: () => [bytes(), 1, 0],
  pipeConnect: () => [bytes()],
  hasUnixSockets: () => [],
  socketFileId: () => [bytes(), bytes()],
  // Writable: no time is waited.
  awaitConnect: () => [socket, 1],
  pipeCreate: () => [bytes(), 1],
  fileOpen: () => [bytes(), 0, 3],
  handleClose: () => [2 ** 31 - 4],
  bindBytes: () => [flagged, bytes()],
  connectBytes: () => [flagged, bytes()],
  nameBytes: () => [socket, 1, bytes()],
  recvMessage: () => [socket, bytes(), 0, new Uint8Array(64), bytes()],
  recvMessageArena: () => [peer, new Uint8Array(64)],
  sendMessage: () => [socket, bytes(), 0, 4, new Uint8Array(0), new Uint8Array(0)],
  toSockaddr: () => [c['AF_INET'], '127.0.0.1', 1, 0, new Uint8Array(32)],
  fromSockaddr: () => [bytes(), {}],
  eventfdCreate: () => [0, 0],
  timerfdCreate: () => [1, 0],
  timerfdSet: () => [timer, 0, 1, 0],
  pidfdOpen: () => [process.pid, 0],
  pidfdSendSignal: () => [socket, 0],
  pidfdReap: () => [socket, bytes()],
  inotifyInit: () => [0],
  inotifyAdd: () => [inotify, new Uint8Array([47]), 1],
  inotifyRemove: () => [inotify, 1],
  tunSetInterface: () => [socket, 'tun%d', 1, bytes()],
  peerCredentials: () => [socket, bytes()],
  epollCreate1: () => [0],
  epollCtl: () => [epoll, 3, socket, 1, 0, 0],
  epollPwait2: () => [epoll, new Uint32Array(30), 0],
  epollSetParams: () => [epoll, 0, 0, 0],
  epollGetParams: () => [epoll, []],
  kqueue: () => [],
  kevent: () => [kqueue, new Uint8Array(0), kevents(), 0],
};

let detachable = -1;
function detachableFd(): number {
  if (detachable < 0) detachable = sys.socket(c.AF_INET, STREAM);
  return detachable;
}

/** Where a good number would really wait, a bad value must be no number that means a time. */
const WAITS: Record<string, number> = { pollerWait: 1, epollPwait2: 2, portWait: 2, kevent: 3 };

function isHarmless(name: string, position: number, value: unknown): boolean {
  if (WAITS[name] !== position || typeof value !== 'number') return true;
  return !Number.isInteger(value) || Math.abs(value) >= 2 ** 53;
}

const OPENERS = [
  'socket',
  'accept4',
  'epollCreate1',
  'kqueue',
  'eventfdCreate',
  'timerfdCreate',
  'pidfdOpen',
  'inotifyInit',
  'dup',
  'posixOpenpt',
  'openFile',
];

/** Fds that a call opened are closed, so that thousands of calls fit. */
function cleanUp(name: string, values: readonly unknown[], result: unknown): void {
  const opened = typeof result === 'number' ? result : -1;
  if (OPENERS.includes(name) && opened >= 0) native.close(opened);
  const duplicates = [c['F_DUPFD'], c['F_DUPFD_CLOEXEC']] as unknown[];
  if (name === 'fcntl' && opened >= 0 && duplicates.includes(values[1])) native.close(opened);
  if (name === 'rawAlloc' && opened >= 0) native.rawFree?.(opened);
  if (name === 'portCreate' && opened >= 0) native.portClose?.(opened);
  if (['pipeCreate', 'fileOpen'].includes(name) && opened >= 0) native.handleClose?.(opened);
  if (name === 'pollerOpen' && opened >= 0) native.pollerClose(opened);
  if (name === 'driverStart' && opened === 0) native.driverClose(values[0] as number);
  if (name === 'detachFd' && opened === 0) {
    detachable = -1;
    const { buffer, byteOffset } = values[2] as Uint8Array;
    const [id = 0, key = 0] = new Float64Array(buffer.slice(byteOffset, byteOffset + 16));
    if (native.closeDetached(id, key) !== 0) throw new Error('detachFd told no name');
  }
  const out = { pipe2: values[1], socketpair: values[3] }[name];
  if (opened === 0 && Array.isArray(out)) for (const fd of (out as number[]).slice(0, 2)) native.close(fd);
}

let calls = 0;
let thrown = 0;

function isAllowed(error: unknown): boolean {
  if (error === MINE) return true;
  const { name, code } = error as { name?: unknown; code?: unknown };
  if (typeof code === 'string' && code.startsWith('ERR_TRIPOLL_'))
    return name === 'TypeError' || name === 'RangeError';
  // From the engine, for a proxy that was revoked or a property that is read-only.
  return name === 'TypeError' && code === undefined;
}

function describeValue(value: unknown): string {
  try {
    return inspect(value, { depth: 0 }).slice(0, 60);
  } catch {
    return typeof value;
  }
}

function call(name: string, fn: Call, values: unknown[]): void {
  calls++;
  let result: unknown;
  try {
    result = fn(...values);
  } catch (error) {
    thrown++;
    if (isAllowed(error)) return;
    throw new Error(`${name}(${values.map(describeValue).join(', ')}) threw`, { cause: error });
  }
  const type = typeof result;
  if (
    type !== 'number' &&
    type !== 'undefined' &&
    Object.prototype.toString.call(result) !== '[object ArrayBuffer]'
  ) {
    throw new Error(`${name}(${values.map(describeValue).join(', ')}) returned a ${type}`);
  }
  cleanUp(name, values, result);
}

function good(name: string): unknown[] {
  // An export that is newer than this list still gets its hostile values.
  return templates[name]?.() ?? [];
}

/** Each value in each position, the others good. */
function callOneByOne(name: string, fn: Call): void {
  const arity = good(name).length;
  for (let position = 0; position <= arity; position++) {
    for (const make of hostile) {
      const values = good(name);
      values[position] = make();
      if (isHarmless(name, position, values[position])) call(name, fn, values);
    }
  }
  for (let length = 0; length < arity; length++) {
    if (!(name in WAITS)) call(name, fn, good(name).slice(0, length));
  }
  call(name, fn, good(name));
}

function callAtRandom(list: readonly (readonly [string, Call])[]): void {
  for (let i = 0; i < randomCalls; i++) {
    const [name, fn] = random.pick(list);
    const values = good(name);
    for (let j = random.below(3); j >= 0; j--) {
      const position = random.below(values.length + 2);
      const value = random.pick(hostile)();
      if (isHarmless(name, position, value)) values[position] = value;
    }
    call(name, fn, values);
  }
}

function main(): void {
  const functions = Object.entries(native).filter(
    (entry): entry is [string, Call] => typeof entry[1] === 'function',
  );
  for (const [name, fn] of functions) {
    writeSync(1, `${name}\n`);
    callOneByOne(name, fn);
  }
  writeSync(1, 'at random\n');
  callAtRandom(functions);

  // After all that the addon still works.
  const probe = native.pollerOpen(native.backends[0] ?? '');
  const fresh: number[] = [];
  openPipe(fresh);
  native.write(fresh[1] ?? -1, new Uint8Array(1), 0, 1);
  native.pollerAdd(probe, fresh[0] ?? -1, 9, 9, 1, 0);
  const works = native.pollerWait(probe, 0) === 1;
  const untested = functions.map(([name]) => name).filter((name) => !(name in templates));
  writeSync(1, `${JSON.stringify({ works, untested, calls, thrown: thrown > 0 })}\n`);
  if (poller >= 0) native.pollerClose(poller);
}

// What fatalException hands over ends here.
process.on('uncaughtException', () => {});
try {
  main();
} catch (error) {
  console.error(error);
  process.exit(1);
}
