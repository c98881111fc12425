export { BatchWriter, type BatchWriterOptions, type ByteSink } from './batch-writer.js';
export {
  BufferedReader,
  type BufferedReaderOptions,
  type ReadLineOptions,
  type ReadUntilOptions,
} from './buffered-reader.js';
export { type DelimitedOptions } from './delimited-decoder.js';
export { DelimiterDecoder } from './delimiter-decoder.js';
export { DelimiterReader } from './delimiter-reader.js';
export { FrameDecoder, UNFINISHED, type FrameOptions } from './frame-decoder.js';
export { FrameReader } from './frame-reader.js';
export { LengthPrefix, type LengthPrefixOptions } from './length-prefix.js';
export { LengthPrefixedDecoder, type LengthPrefixedOptions } from './length-prefixed-decoder.js';
export { LengthPrefixedReader } from './length-prefixed-reader.js';
export { LengthPrefixedWriter, type LengthPrefixedWriterOptions } from './length-prefixed-writer.js';
export { LineDecoder, type Line, type LineEncoding, type LineOptions } from './line-decoder.js';
export { LineReader } from './line-reader.js';
export type { ByteSource } from './read-ahead.js';
