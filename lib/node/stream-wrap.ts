import { Duplex } from 'node:stream';
import type * as tls from 'node:tls';
import { errnoOf } from '../binding/errors.js';
import { STATE } from './socket.js';
import type { SocketState } from './socket-state.js';

// Node's own modules take our Socket through a wrapper (JSStreamSocket), which ends the process by
// an assertion where a socket of the system's says EPIPE.

/** The wrapper, as far as it is looked at. */
interface StreamWrap {
  readonly [request: symbol]: unknown;
  readonly stream: { readonly [STATE]?: SocketState };
}
type WrapMethod = (this: StreamWrap, ...args: unknown[]) => number;

const REQUESTS = ['kCurrentWriteRequest', 'kCurrentShutdownRequest'] as const;

/** A wrapper of nothing; undefined where Node makes none, or another one. */
function makeWrap({ TLSSocket, createSecureContext }: typeof tls): StreamWrap | undefined {
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  // No authorities: it would take long to read them.
  const secured = new TLSSocket(stream, { secureContext: createSecureContext({ ca: [] }) });
  const { _handle } = secured as unknown as { _handle?: { _parentWrap?: StreamWrap } };
  secured.destroy();
  return _handle?._parentWrap;
}

/**
 * Has a write or a shutdown that comes while a shutdown is under way fail, as that of a socket of
 * the system's does. HTTP/2 sessions write then: an answer, when the client has gone (T107).
 * Returns the wrapper's prototype; undefined where there is none.
 */
export function mendStreamWrap(module: typeof tls): object | undefined {
  const wrap = makeWrap(module);
  if (wrap === undefined) return undefined;
  const symbols = Object.getOwnPropertySymbols(wrap);
  const [write, shutdown] = REQUESTS.map((name) => symbols.find(({ description }) => description === name));
  const prototype = Object.getPrototypeOf(wrap) as Record<string, WrapMethod>;
  const { doWrite, doShutdown } = prototype;
  if (write === undefined || shutdown === undefined || doWrite === undefined || doShutdown === undefined)
    return undefined;
  prototype['doWrite'] = function (...args) {
    const state = this.stream[STATE];
    if (state !== undefined) state.isWrapped = true;
    const isBusy = this[shutdown] !== null || this[write] !== null;
    return isBusy ? errnoOf('EPIPE') : doWrite.apply(this, args);
  };
  prototype['doShutdown'] = function (...args) {
    return this[shutdown] !== null ? errnoOf('ENOTCONN') : doShutdown.apply(this, args);
  };
  return prototype;
}
