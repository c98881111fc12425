import type * as tls from 'node:tls';
import { becomeWrapped, STATE, type Socket } from './socket.js';
import { mendStreamWrap } from './stream-wrap.js';

// Node's TLS and HTTP/2 see a stream that is none of its own through a wrapper, JSStreamSocket,
// which passes on bytes and ends. What else a user of theirs asks is led to the Socket below it
// here. Where that is none of ours nothing changes.

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Methods = Record<string, Method>;

/** Node's wrapper of a stream. */
interface Wrapper {
  readonly stream?: unknown;
  readonly destroyed: boolean;
  emit(event: string): boolean;
}

export function isOurs(value: unknown): value is Socket {
  return (value as Partial<Socket> | null | undefined)?.[STATE] !== undefined;
}

const streamOf = (wrapper: Wrapper | undefined): Socket | undefined =>
  isOurs(wrapper?.stream) ? wrapper.stream : undefined;

let isDone = false;

/** For TLS sockets and HTTP/2 sessions over our Sockets. */
export function forwardToSockets(module: typeof tls): void {
  if (isDone) return;
  isDone = true;
  forward(module.TLSSocket.prototype as unknown as Methods, (secured) => {
    const { _handle } = secured as { _handle?: { _parentWrap?: Wrapper } | null };
    return streamOf(_handle?._parentWrap);
  });
  const prototype = mendStreamWrap(module);
  if (prototype === undefined) return;
  forward(prototype as Methods, (wrapper) => streamOf(wrapper as Wrapper));
  tellWrapped(prototype as Methods);
  tellConnecting(prototype);
  leadServers(prototype);
  beginWithSocket(module.TLSSocket.prototype as unknown as Methods);
  endWithSocket(module.TLSSocket.prototype as unknown as Methods);
}

/** `server`, by which a request of HTTP/2 knows its own; not once it has closed: Node counts then. */
function leadServers(prototype: object): void {
  for (const name of ['server', '_server'] as const) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: Wrapper) {
        return this.destroyed ? null : (streamOf(this)?.[name] ?? null);
      },
      // By the constructor of net.Socket.
      set() {},
    });
  }
}

interface Secured {
  connecting: boolean;
  readonly destroyed: boolean;
  readonly errored: Error | null;
  destroy(error?: Error): unknown;
  emit(event: 'connect'): unknown;
  once(event: 'close', listener: () => void): unknown;
}

/** A TLS socket begins when the Socket below it has connected (T116). */
function beginWithSocket(prototype: Methods): void {
  const { _init: init } = prototype;
  if (init === undefined) return;
  prototype['_init'] = function (socket, ...rest) {
    const result = init.call(this, socket, ...rest);
    if (!isOurs(socket) || !socket.pending) return result;
    const secured = this as Secured;
    secured.connecting = true;
    socket.once('connect', () => {
      secured.connecting = false;
      secured.emit('connect');
    });
    return result;
  };
}

/** A TLS socket ends with the Socket below it, and before who waits for that one is told (T116). */
function endWithSocket(prototype: Methods): void {
  const { _wrapHandle: wrapHandle, _emitTLSError: emitError } = prototype;
  if (wrapHandle === undefined || emitError === undefined) return;
  prototype['_wrapHandle'] = function (wrapper, ...rest) {
    const socket = streamOf(wrapper as Wrapper | undefined);
    const secured = this as Secured;
    if (socket !== undefined) {
      socket.prependListener('error', (error: Error) => void secured.destroy(error));
      socket.prependOnceListener('close', () => void secured.destroy());
      // One whose signal has aborted already never has a handle.
      secured.once('close', () => socket.destroy());
    }
    return wrapHandle.call(this, wrapper, ...rest);
  };
  // The wrapper tells the error once more.
  prototype['_emitTLSError'] = function (error) {
    if ((this as Secured).errored !== error) emitError.call(this, error);
  };
}

/** Before anything has come. */
function tellWrapped(prototype: Methods): void {
  const { readStart } = prototype;
  prototype['readStart'] = function () {
    const socket = streamOf(this as Wrapper);
    if (socket !== undefined) becomeWrapped(socket);
    return readStart?.call(this);
  };
}

/** A session waits for `connect` then, as its users expect. */
function tellConnecting(prototype: object): void {
  const told = new WeakSet<Wrapper>();
  Object.defineProperty(prototype, 'connecting', {
    configurable: true,
    get(this: Wrapper) {
      const stream = streamOf(this);
      if (stream?.connecting !== true) return false;
      if (!told.has(this)) stream.once('connect', () => this.emit('connect'));
      told.add(this);
      return true;
    },
    // By the constructor of net.Socket.
    set() {},
  });
}

/** Names, and options of the connection. */
function forward(prototype: Methods, rawOf: (user: unknown) => Socket | undefined): void {
  const lead = (name: string, call: (raw: Socket, args: unknown[]) => unknown): void => {
    const original = prototype[name];
    const method: Method = function (...args) {
      const raw = rawOf(this);
      const result = raw === undefined ? original?.apply(this, args) : call(raw, args);
      return result === raw && raw !== undefined ? this : result;
    };
    Object.defineProperty(prototype, name, { value: method, writable: true, configurable: true });
  };
  lead('_getpeername', (raw) => raw[STATE].remote);
  lead('_getsockname', (raw) => raw[STATE].local);
  lead('setNoDelay', (raw, [enable]) => raw.setNoDelay(enable));
  lead('setKeepAlive', (raw, [enable, delay]) => raw.setKeepAlive(enable, delay as number));
  lead('ref', (raw) => raw.ref());
  lead('unref', (raw) => raw.unref());
}
