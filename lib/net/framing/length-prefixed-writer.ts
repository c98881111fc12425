import { checkBytes, checkNames } from '../../binding/validate.js';
import { BatchWriter, type BatchWriterOptions, type ByteSink } from './batch-writer.js';
import { LengthPrefix, PREFIX_NAMES, toPrefixOptions, type LengthPrefixOptions } from './length-prefix.js';

/** Options of a `LengthPrefixedWriter`: those of the prefix, and of the batches. */
export interface LengthPrefixedWriterOptions extends BatchWriterOptions, LengthPrefixOptions {}

/** A `BatchWriter` for what `LengthPrefixedReader` reads. */
export class LengthPrefixedWriter extends BatchWriter {
  readonly #prefix: LengthPrefix;

  /** @throws TypeError, RangeError */
  constructor(sink: ByteSink, options: LengthPrefixedWriterOptions = {}) {
    checkNames('options', options, PREFIX_NAMES, { maxQueuedBytes: true });
    super(sink, { maxQueuedBytes: options.maxQueuedBytes });
    this.#prefix = new LengthPrefix(toPrefixOptions(options));
  }

  /**
   * Writes the payload after its length, both or neither. The promise is as of `write`.
   *
   * @param payload not to be changed until the promise settles
   * @throws (as rejection) RangeError when the prefix cannot hold the length; as `write`
   */
  writeFrame(payload: Uint8Array): Promise<void> {
    let prefix: Uint8Array;
    try {
      checkBytes('payload', payload);
      prefix = this.#prefix.encode(payload.length);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.writeBoth(prefix, payload);
  }
}
