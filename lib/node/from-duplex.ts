import type { Duplex } from 'node:stream';
import { invalidArgType, stateError } from '../binding/errors.js';
import { checkNames } from '../binding/validate.js';
import { chooseReactor } from '../reactor/choose-reactor.js';
import type { Reactor } from '../reactor/reactor.js';
import { DuplexStream } from './duplex-stream.js';

export type { DuplexStream } from './duplex-stream.js';

/** Options of `fromDuplex`. */
export interface FromDuplexOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
}

/**
 * Makes a source and sink of bytes of any Duplex, so that framing and `copyBidirectional` work over
 * it: over TLS, above all. From here on nobody else may read from the Duplex or write to it; it is
 * paused until somebody reads, beyond its `highWaterMark`.
 *
 * @param duplex a `TLSSocket`, a `net.Socket`, a `Socket`, an HTTP/2 stream and so on; not one of
 * objects, or that decodes what it reads
 * @throws TypeError; ERR_TRIPOLL_STATE for one that decodes; ERR_TRIPOLL_CLOSED for a closed reactor
 */
export function fromDuplex(duplex: Duplex, options: FromDuplexOptions = {}): DuplexStream {
  checkNames('options', options, { reactor: true });
  const { on, read, write } = (duplex ?? {}) as Partial<Duplex>;
  const isDuplex = [on, read, write].every((method) => typeof method === 'function');
  if (!isDuplex || duplex.readableObjectMode || duplex.writableObjectMode)
    throw invalidArgType('duplex', 'a Duplex of bytes', duplex);
  if (duplex.readableEncoding !== null) throw stateError('it decodes what it reads (setEncoding)');
  return new DuplexStream(duplex, chooseReactor(options.reactor));
}
