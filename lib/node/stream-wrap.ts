import { Duplex } from 'node:stream';
import type * as tls from 'node:tls';
import { errnoOf } from '../binding/errors.js';
import { STATE } from './socket.js';
import type { SocketState } from './socket-state.js';

// Node's own modules take our Socket through a wrapper (JSStreamSocket), which ends the process by
// an assertion where a socket of the system's says EPIPE.

/** The wrapper's own handle, which Node's C++ writes to. */
interface WrapHandle {
  finishWrite(request: unknown, status: number): void;
}

/** The wrapper, as far as it is looked at. */
interface StreamWrap {
  readonly [request: symbol]: unknown;
  readonly stream: Duplex & { readonly [STATE]?: SocketState };
  readonly _handle: WrapHandle | null;
}
type WrapMethod = (this: StreamWrap, ...args: unknown[]) => number;

const REQUESTS = ['kCurrentWriteRequest', 'kCurrentShutdownRequest'] as const;

/** What a TLS socket has in place of a handle of the system's. */
interface TlsHandle {
  /** A wrapper, or a socket of Node's own. */
  readonly _parentWrap?: StreamWrap | { readonly stream?: undefined };
}

/** That of a TLS socket over nothing; undefined where Node makes none. */
function makeHandle({ TLSSocket, createSecureContext }: typeof tls): TlsHandle | undefined {
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  // No authorities: it would take long to read them.
  const secured = new TLSSocket(stream, { secureContext: createSecureContext({ ca: [] }) });
  const { _handle } = secured as unknown as { _handle?: TlsHandle };
  secured.destroy();
  return _handle;
}

type Close = (this: TlsHandle, told?: () => void) => unknown;

/**
 * Tells 'close' after the call, as for a socket of the system's. Node does so within it where the
 * wrapper has closed before: its listeners meet a handle without TLS then, of which each question
 * ends the process (T111).
 */
function mendClose(prototype: { close?: Close }): void {
  const { close } = prototype;
  if (close === undefined) return;
  prototype.close = function (told) {
    if (told === undefined || this._parentWrap?.stream?.[STATE] === undefined) return close.call(this, told);
    let isCalling = true;
    const result = close.call(this, () => {
      if (isCalling) setImmediate(told);
      else told();
    });
    isCalling = false;
    return result;
  };
}

/**
 * Mends the wrapper for our Sockets. Several writes may be under way: HTTP/2 has more than one when a
 * session ends. One that comes while a shutdown is under way fails, as that of a socket of the
 * system's does: HTTP/2 sessions write then an answer, when the client has gone (T107). Returns the
 * wrapper's prototype; undefined where there is none.
 */
export function mendStreamWrap(module: typeof tls): object | undefined {
  const handle = makeHandle(module);
  const wrap = handle?._parentWrap;
  if (handle === undefined || wrap?.stream === undefined) return undefined;
  mendClose(Object.getPrototypeOf(handle) as { close?: Close });
  const symbols = Object.getOwnPropertySymbols(wrap);
  const [write, shutdown] = REQUESTS.map((name) => symbols.find(({ description }) => description === name));
  const prototype = Object.getPrototypeOf(wrap) as Record<string, WrapMethod>;
  const { doWrite, doShutdown } = prototype;
  if (write === undefined || shutdown === undefined || doWrite === undefined || doShutdown === undefined)
    return undefined;
  prototype['doWrite'] = function (...args) {
    const state = this.stream[STATE];
    const isOurs = state !== undefined;
    if (state !== undefined) state.isWrapped = true;
    if (this[shutdown] !== null || this[write] !== null) return errnoOf('EPIPE');
    // One that is closed cancels the write, or has nobody who waits for it.
    if (!isOurs || this._handle === null) return doWrite.apply(this, args);
    return writeAll(this, this._handle, args[0], args[1] as Uint8Array[]);
  };
  prototype['doShutdown'] = function (...args) {
    return this[shutdown] !== null ? errnoOf('ENOTCONN') : doShutdown.apply(this, args);
  };
  return prototype;
}

const finishedOf = new WeakMap<StreamWrap, FinishedWrites>();

function writeAll(
  wrap: StreamWrap,
  handle: WrapHandle,
  request: unknown,
  chunks: readonly Uint8Array[],
): number {
  const { stream } = wrap;
  const finished = finishedOf.get(wrap) ?? new FinishedWrites(stream);
  finishedOf.set(wrap, finished);
  let left = chunks.length;
  const done = (error?: NodeJS.ErrnoException | null): void => {
    const isBroken = error !== null && error !== undefined;
    if (left === 0 || (--left > 0 && !isBroken)) return;
    left = 0;
    finished.add(() => handle.finishWrite(request, isBroken ? (error.errno ?? errnoOf('EPIPE')) : 0));
  };
  stream.cork();
  for (const chunk of chunks) stream.write(chunk, done);
  stream.uncork();
  return 0;
}

/**
 * Writes that are done, of which Node is told when its call has returned, and before it sees what
 * the peer has answered to them: a stream of HTTP/2 that the answer ends would wait for its write
 * without end (T110).
 */
class FinishedWrites {
  #waiting: (() => void)[] = [];

  constructor(stream: Duplex) {
    const tell = (): void => this.#tell();
    // Before the wrapper's own listeners.
    for (const event of ['data', 'end']) stream.prependListener(event, tell);
  }

  add(finish: () => void): void {
    this.#waiting.push(finish);
    if (this.#waiting.length === 1) setImmediate(() => this.#tell());
  }

  #tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const finish of waiting) finish();
  }
}
