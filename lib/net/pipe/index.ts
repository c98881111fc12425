export { connectPipe, PipeConnection } from './pipe-connection.js';
export type { PipeConnectOptions, PipeConnectTarget, PipeHandlers } from './pipe-connection.js';
export { listenPipe, PipeListener } from './pipe-listener.js';
export type {
  PipeAccepted,
  PipeListenerBindOptions,
  PipeListenHandlers,
  PipeListenOptions,
  PipeListenTarget,
} from './pipe-listener.js';
export { PipeStream, type PipeStreamOptions } from './pipe-stream.js';
