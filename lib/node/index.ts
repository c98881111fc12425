export * from './net.js';
export { fromDuplex, type DuplexStream, type FromDuplexOptions } from './from-duplex.js';
export { handOver, take, type HandOverOptions, type TakenSocket, type TakeOptions } from './hand-over.js';
export type { ByteEnds } from './byte-ends.js';
export type { AnySocket } from './release.js';
export { toDuplex, type ToDuplexOptions } from './to-duplex.js';
export { toWebStreams, type ToWebStreamsOptions, type WebStreams } from './to-web-streams.js';
export { serveHttp } from './serve-http.js';
