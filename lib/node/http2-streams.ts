import type * as http2 from 'node:http2';
import { Duplex } from 'node:stream';
import { capabilities } from '../binding/capabilities.js';

// A stream of Node's HTTP/2 that its peer has reset waits, up to Node 24, for writes of which
// nothing is sent any more, if its 'end' comes after the reset (T110, nodejs/node#58252).

/** A stream of a session, as far as it is looked at. */
interface Http2Stream extends Duplex {
  readonly closed: boolean;
  /** What nghttp2 says of it. */
  readonly state: { readonly state?: number };
}
type Method = (this: Http2Stream, ...args: unknown[]) => void;
type Methods = Record<symbol, Method>;

/** By which Node asks whether a stream has ended on both sides. */
const MAYBE_DESTROY = 'kMaybeDestroy';

const noop = (): void => {};

/** What client and server streams inherit, which only a stream of theirs has. */
function findStreamPrototype(module: typeof http2): [Methods, symbol] | null {
  const socket = new Duplex({ read: noop, write: (_chunk, _encoding, done) => done() });
  const session = module.connect('http://localhost', { createConnection: () => socket }).on('error', noop);
  let prototype: unknown = session.request().on('error', noop);
  session.destroy();
  while (prototype !== null && prototype !== Duplex.prototype) {
    const symbols = Object.getOwnPropertySymbols(prototype);
    const symbol = symbols.find(({ description }) => description === MAYBE_DESTROY);
    if (symbol !== undefined) return [prototype as Methods, symbol];
    prototype = Object.getPrototypeOf(prototype);
  }
  return null;
}

/**
 * Of one that has been read to its end, and is closed: nghttp2 knows it no more, or only as closed,
 * so that what it has still to write is never sent.
 */
function isGivenUp(stream: Http2Stream, { constants }: typeof http2): boolean {
  if (stream.destroyed || !stream.closed || stream.readable || stream.writableFinished) return false;
  const { state } = stream.state;
  return state === constants.NGHTTP2_STREAM_STATE_IDLE || state === constants.NGHTTP2_STREAM_STATE_CLOSED;
}

let isDone = false;

/** Ends such streams, as Node does where 'end' comes first. */
export function mendHttp2Streams(module: typeof http2): void {
  if (isDone || capabilities.runtime !== 'node') return;
  isDone = true;
  const [prototype, symbol] = findStreamPrototype(module) ?? [];
  const original = symbol === undefined ? undefined : prototype?.[symbol];
  if (prototype === undefined || symbol === undefined || original === undefined) return;
  prototype[symbol] = function (...args) {
    original.apply(this, args);
    if (!isGivenUp(this, module)) return;
    // Writes that are done may be told in this phase, and 'finish' with them.
    setImmediate(() => {
      if (isGivenUp(this, module)) this.destroy();
    });
  };
}
