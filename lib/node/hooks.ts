import type * as http from 'node:http';
import { Server as NodeServer, Socket as NodeSocket } from 'node:net';
import type * as tls from 'node:tls';
import { isUint8Array } from 'node:util/types';
import { normalizeArguments } from './arguments.js';
import { connect } from './net.js';
import { forwardToSockets } from './node-wrappers.js';
import { ServerShape } from './server.js';
import { Socket } from './socket.js';
import type { ConnectOptions } from './socket-options.js';
import type { OnReadOptions } from './user-buffer.js';

// How the modules of Node that use sockets are led to ours. Their own classes stay.

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Methods = Record<string | symbol, Method>;

/** A cluster's primary takes the handle out of its server: it has to be one of Node's. */
function isCalledByCluster(): boolean {
  return new Error().stack?.includes('internal/cluster') === true;
}

/** Whether Node's own server has to serve: it is given a handle of Node's, or has to give one. */
function isNodes(server: { _handle?: unknown }, args: readonly unknown[]): boolean {
  if (server._handle !== null && server._handle !== undefined) return true;
  if (args.length > 0 && isCalledByCluster()) return true;
  const [first] = args as [{ _handle?: unknown; handle?: unknown } | undefined];
  if (typeof first !== 'object' || first === null) return false;
  // A handle as such has these methods.
  return [first, first._handle, first.handle].some(
    (handle) => typeof (handle as { getAsyncId?: unknown } | undefined)?.getAsyncId === 'function',
  );
}

const METHODS = [
  'listen',
  'close',
  'address',
  'getConnections',
  'ref',
  'unref',
  '_emitCloseIfDrained',
  Symbol.asyncDispose,
] as const;

/** Every server of Node's classes (http, https, http2, tls, net) listens on tripoll. */
export function hookServers(): void {
  const prototype = NodeServer.prototype as unknown as Methods;
  const ours = ServerShape.prototype as unknown as Methods;
  for (const name of METHODS) {
    const original = prototype[name];
    const replacement = ours[name];
    if (original === undefined || replacement === undefined) continue;
    const method: Method = function (...args) {
      const isOriginal = isNodes(this as object, name === 'listen' ? args : []);
      return (isOriginal ? original : replacement).apply(this, args);
    };
    Object.defineProperty(prototype, name, { value: method, writable: true, configurable: true });
  }
  const listening = Object.getOwnPropertyDescriptor(ServerShape.prototype, 'listening')?.get;
  Object.defineProperty(prototype, 'listening', {
    configurable: true,
    enumerable: true,
    get(this: { _handle?: unknown }) {
      return Boolean(this._handle) || (listening?.call(this) as boolean);
    },
  });
}

export function hookHttp({ Agent }: typeof http): void {
  Object.assign(Agent.prototype, { createConnection: connect });
}

/** What of `tls.connect`'s options is about the connection below. */
const PLACE_NAMES = [
  'host',
  'port',
  'path',
  'family',
  'hints',
  'lookup',
  'localAddress',
  'localPort',
  'autoSelectFamily',
  'autoSelectFamilyAttemptTimeout',
  'noDelay',
  'keepAlive',
  'keepAliveInitialDelay',
  'blockList',
] as const;

/** What a TLS socket tells of the connection below, and `connect`. */
const EVENTS = [
  'lookup',
  'connectionAttempt',
  'connectionAttemptFailed',
  'connectionAttemptTimeout',
  'ready',
] as const;

export function hookTls(module: typeof tls): void {
  forwardToSockets(module);
  const { connect: original } = module;
  const connectTls = (...args: unknown[]): tls.TLSSocket => {
    const [base, callback] = normalizeArguments<TlsOptions>(args);
    const more = [args[1], args[2]].find((value) => typeof value === 'object' && value !== null);
    const options = { ...base, ...more };
    if (options.socket !== undefined && options.socket !== null)
      return (original as unknown as Method)(...args) as tls.TLSSocket;
    const place = Object.fromEntries(PLACE_NAMES.map((name) => [name, options[name]]));
    const socket = new Socket({ ...place, allowHalfOpen: options.allowHalfOpen });
    // What is wrong with the options of TLS is told first.
    const secured = original({ ...options, socket } as never, callback as never);
    if (options.onread !== undefined) readIntoBuffer(secured as unknown as NodesSocket, options.onread);
    if (options.timeout) secured.setTimeout(options.timeout);
    // A signal may have aborted.
    if (!secured.destroyed) connectBelow(secured, socket, place);
    return secured;
  };
  Object.assign(module, { connect: connectTls });
}

/** What is looked at here of `tls.connect`'s options. */
interface TlsOptions extends ConnectOptions {
  socket?: unknown;
}

function connectBelow(secured: tls.TLSSocket, socket: Socket, place: ConnectOptions): void {
  for (const event of EVENTS) socket.on(event, (...args: unknown[]) => secured.emit(event, ...args));
  try {
    socket.connect(place);
  } catch (error) {
    secured.destroy();
    throw error;
  }
}

/** A socket of Node's, with what `onread` becomes in it. */
interface NodesSocket {
  [name: symbol]: unknown;
  readonly _handle: { useUserBuffer?(buffer: Uint8Array): void } | null;
}

/** The option `onread`, which TLS over a stream leaves out. */
function readIntoBuffer(secured: NodesSocket, onread: OnReadOptions): void {
  // Where Node keeps the parts.
  const model = new NodeSocket({ onread } as never) as unknown as NodesSocket;
  for (const name of Object.getOwnPropertySymbols(model)) {
    const { description } = name;
    if (description === 'kBufferCb' || description === 'kBufferGen') secured[name] = model[name];
    if (description !== 'kBuffer' || !model[name]) continue;
    const { buffer } = onread;
    const first = typeof buffer === 'function' ? buffer() : buffer;
    secured[name] = first;
    if (isUint8Array(first)) secured._handle?.useUserBuffer?.(first);
  }
}
