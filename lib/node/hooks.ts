import type * as http from 'node:http';
import { Server as NodeServer } from 'node:net';
import type * as tls from 'node:tls';
import { normalizeArguments } from './arguments.js';
import { connect } from './net.js';
import { forwardToSockets, isOurs } from './node-wrappers.js';
import { ServerShape } from './server.js';
import { carryTls, type Socket } from './socket.js';
import type { ConnectOptions } from './socket-options.js';

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

export function hookTls(module: typeof tls): void {
  forwardToSockets(module);
  const { connect: original } = module;
  const connectTls = (...args: unknown[]): tls.TLSSocket => {
    const [base, callback] = normalizeArguments<ConnectOptions & { socket?: unknown }>(args);
    const more = [args[1], args[2]].find((value) => typeof value === 'object' && value !== null);
    const options = { ...base, ...more };
    if (options.socket !== undefined && options.socket !== null) {
      const call = () => (original as unknown as Method)(...args) as tls.TLSSocket;
      return isOurs(options.socket) ? carryTls(options.socket, call) : call();
    }
    const place = Object.fromEntries(PLACE_NAMES.map((name) => [name, options[name]]));
    const socket = connect({ ...place, allowHalfOpen: options.allowHalfOpen });
    try {
      const secured = carryTls(socket, () => original({ ...options, socket } as never, callback as never));
      return followConnect(secured, socket);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  };
  Object.assign(module, { connect: connectTls });
}

/** `connect`, which a TLS socket over a stream does not tell by itself. */
function followConnect(secured: tls.TLSSocket, socket: Socket): tls.TLSSocket {
  Object.assign(secured, { connecting: true });
  for (const event of ['lookup', 'connectionAttempt', 'connectionAttemptFailed', 'connectionAttemptTimeout'])
    socket.on(event, (...args: unknown[]) => secured.emit(event, ...args));
  socket.once('connect', () => {
    Object.assign(secured, { connecting: false });
    secured.emit('connect');
    secured.emit('ready');
  });
  return secured;
}
