import type * as childProcess from 'node:child_process';
import type * as nodeDgram from 'node:dgram';
import { Server as NodeServer, Socket as NodeSocket } from 'node:net';
import { capabilities } from '../binding/capabilities.js';
import { systemError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { fdOfServer, type ServerFace } from './listening.js';
import { isOurs } from './node-wrappers.js';
import { STATE, type Socket } from './socket.js';

// `child.send(message, socket)`: what goes to another process is a handle of Node's, on a duplicate
// of the fd. There it is one of Node's own sockets or servers.

const { F_DUPFD_CLOEXEC } = native.constants;

type Send = (...args: unknown[]) => boolean;

/** A child process, or `process` in one. */
interface Sender {
  send?: Send;
  emit(event: 'error', error: Error): boolean;
}

/** A socket of our dgram. */
interface Datagrams {
  readonly _fd?: number;
  readonly type: nodeDgram.SocketType;
}

/** What Node sends in the place of a socket or server of ours. */
interface Carrier {
  readonly handle: unknown;
  /** The message has gone out, or never will. */
  release(): void;
  /** It is the other process' now. */
  leave(): void;
}

const nothing = (): void => {};

/** Every child process that is made from now on takes sockets and servers of ours too. */
export function hookSending({ ChildProcess }: typeof childProcess): void {
  const prototype = ChildProcess.prototype as unknown as { spawn: (options: SpawnOptions) => unknown };
  const { spawn } = prototype;
  prototype.spawn = function (this: Sender, options) {
    const stdio: unknown = options?.stdio;
    const result = spawn.call(
      this,
      Array.isArray(stdio) ? { ...options, stdio: stdio.map(toStdio) } : options,
    );
    leadSending(this);
    return result;
  };
}

interface SpawnOptions {
  readonly stdio?: unknown;
}

/** A child's standard input or output is an fd; from then on we do not read what is the child's. */
function toStdio(value: unknown): unknown {
  if (!isOurs(value) || value[STATE].fd < 0) return value;
  value.pause();
  return value[STATE].fd;
}

/** The same of one child process, or of `process`; nothing is done where it has no channel. */
export function leadSending(sender: Sender): void {
  const { send } = sender;
  if (send === undefined) return;
  sender.send = function (this: Sender, ...args) {
    const [message, handle, third, fourth] = args;
    const carrier = makeCarrier(handle);
    if (carrier === null) return send.apply(this, args);
    const [options, callback] = typeof third === 'function' ? [undefined, third] : [third, fourth];
    const done = (error: Error | null): void => {
      carrier.release();
      if (typeof callback === 'function') (callback as (error: Error | null) => void)(error);
      else if (error !== null) this.emit('error', error);
    };
    const isTaken = trySend(carrier, () => send.call(this, message, carrier.handle, options, done));
    if ((options as { keepOpen?: boolean } | undefined)?.keepOpen !== true) carrier.leave();
    return isTaken;
  };
}

function trySend(carrier: Carrier, send: () => boolean): boolean {
  try {
    return send();
  } catch (error) {
    carrier.release();
    throw error;
  }
}

/** Null for what is not ours, and where Node takes no sockets by number. */
function makeCarrier(value: unknown): Carrier | null {
  if (typeof value !== 'object' || value === null || capabilities.platform === 'win32') return null;
  if (isOurs(value)) return value[STATE].isOpen ? carrySocket(value) : null;
  const server = value as ServerFace;
  const fd = fdOfServer(server);
  if (fd >= 0) return carryServer(fd);
  const { _fd: udp = -1, type } = value as Datagrams;
  return udp < 0 ? null : carryDatagrams(udp, type);
}

/** @throws EMFILE */
function duplicate(fd: number): number {
  const copy = native.fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw systemError(copy, 'fcntl');
  return copy;
}

/** Node's own, which does not read. @throws what Node says; the fd is closed then */
function toNodes(fd: number): NodeSocket {
  const copy = duplicate(fd);
  try {
    return new NodeSocket({ fd: copy, manualStart: true } as never);
  } catch (error) {
    native.close(copy);
    throw error;
  }
}

/** A server of Node's keeps count of what it has sent away. */
interface CountingServer {
  _setupWorker?: unknown;
  _emitCloseIfDrained(): void;
}

/** Node closes its own when the other process has it. What still waits to be written goes out. */
function carrySocket(socket: Socket): Carrier {
  const server = socket.server as CountingServer | null;
  const isCounted = typeof server?._setupWorker === 'function';
  const handle = Object.assign(toNodes(socket[STATE].fd), isCounted ? { server } : {});
  const destroy = (): void => void socket.destroy();
  const leave = (): void => {
    socket.setTimeout(0);
    // It has left its server's count by being sent.
    if (isCounted) socket._server = null;
    if (socket.writableLength > 0 && !socket.writableEnded) socket.write('', destroy);
    else destroy();
    if (isCounted) server._emitCloseIfDrained();
  };
  return { handle, release: nothing, leave };
}

/** A server that does not listen here, so that it accepts nothing. */
function carryServer(fd: number): Carrier {
  const holder = toNodes(fd);
  const { _handle: handle } = holder as unknown as { _handle: unknown };
  const release = (): void => void holder.destroy();
  return { handle: Object.assign(new NodeServer(), { _handle: handle }), release, leave: nothing };
}

/** A socket that does not receive here. */
function carryDatagrams(fd: number, type: nodeDgram.SocketType): Carrier {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- it is rarely needed
  const { createSocket } = require('node:dgram') as typeof nodeDgram;
  const carrier = createSocket(type);
  const name = Object.getOwnPropertySymbols(carrier).find(
    ({ description }) => description === 'state symbol',
  );
  const { handle } = (carrier as never)[name as never] as { handle: { open(fd: number): number } };
  const copy = duplicate(fd);
  const error = handle.open(copy);
  const release = (): void => void carrier.close();
  if (error === 0) return { handle: carrier, release, leave: nothing };
  native.close(copy);
  release();
  throw systemError(error, 'open');
}
