import { native, type NativeBinding } from '#lib/binding/native';
import type { Kernel } from './kernel.js';

const { SOCK_STREAM, AF_INET, SOL_SOCKET, SO_LINGER } = native.constants;
const ADDRESS = '127.0.0.1';
/** Small, so that one read often does not take all. */
const ARENA_BYTES = 1024;
const SOCKET_TYPE_MASK = 0xf;

/** Some of the addon's calls. */
export type Swapped = Partial<{ -readonly [Name in keyof NativeBinding]: NativeBinding[Name] }>;

/** Whose kernel answers, and who hears of exceptions that nobody caught. */
export interface System {
  readonly kernel: Kernel;
  onUncaught(error: unknown): void;
}

let current: System | null = null;

function kernel(): Kernel {
  if (current === null) throw new Error('a system call outside of a simulation');
  return current.kernel;
}

export function useSystem(system: System | null): void {
  current = system;
}

function fillName(fd: number, out: object, side: 'local' | 'remote'): number {
  const ports = kernel().portsOf(fd);
  if (typeof ports === 'number') return ports;
  if (ports[side] < 0) return ports[side];
  Object.assign(out, { family: AF_INET, address: ADDRESS, port: ports[side], scopeId: 0 });
  return 0;
}

const arena = new Uint8Array(ARENA_BYTES);

const simulated: Swapped = {
  fatalException: (error) => current?.onUncaught(error),
  wakeById: () => 0,
  arenaCreate: () => arena.buffer,
  recvArena: (fd) => kernel().recv(fd, arena),
  sendArena: (fd, length) => kernel().send(fd, [arena.subarray(0, length)]),
  // Streams use it for looks (MSG_PEEK) alone.
  recv: (fd) => kernel().peek(fd),
  recvInto: (fd, buffer) => kernel().recv(fd, buffer),
  sendFrom: (fd, buffer) => kernel().send(fd, [buffer]),
  send: (fd, buffer, offset, length) => kernel().send(fd, [buffer.subarray(offset, offset + length)]),
  sendv: (fd, buffers, firstOffset, count) =>
    kernel().send(
      fd,
      buffers.slice(0, count).map((bytes, index) => (index === 0 ? bytes.subarray(firstOffset) : bytes)),
    ),
  socket: (_domain, type) => kernel().socket((type & SOCKET_TYPE_MASK) === SOCK_STREAM),
  bind: (fd, _family, _address, port) => kernel().bind(fd, port),
  listen: (fd, backlog) => kernel().listen(fd, backlog),
  accept4: (fd) => kernel().accept4(fd),
  connect: (fd, _family, _address, port) => kernel().connect(fd, port),
  getsockname: (fd, out) => fillName(fd, out, 'local'),
  getpeername: (fd, out) => fillName(fd, out, 'remote'),
  shutdown: (fd) => kernel().shutdownWrite(fd),
  close: (fd) => kernel().close(fd),
  disownFd: () => 0,
  setsockoptInt: (fd) => kernel().setOption(fd),
  setsockopt: (fd, level, name) =>
    level === SOL_SOCKET && name === SO_LINGER ? kernel().setLingerZero(fd) : kernel().setOption(fd),
  takeSocketError: (fd) => kernel().takeSocketError(fd),
};

/**
 * Puts other calls in the addon's place, before a socket is first used: the read arena is made
 * then. Returns what puts the addon's own back; the object is shared by all test files of a
 * process.
 */
export function swapCalls(calls: Swapped): () => void {
  const own = Object.fromEntries(
    Object.keys(calls).map((name) => [name, native[name as keyof NativeBinding]]),
  );
  Object.assign(native, calls);
  return () => void Object.assign(native, own);
}

/** The fake kernel's, of whoever calls `useSystem`. */
export function swapSystemCalls(): () => void {
  return swapCalls(simulated);
}
