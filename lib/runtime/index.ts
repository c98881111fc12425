import './worker.js';

export { currentRuntime, currentTask, type TaskContext } from './current.js';
export type { WorkerDiedError } from './errors.js';
export { TaskHandle } from './handle.js';
export type { RuntimeMetrics, WorkerMetrics } from './metrics.js';
export { moved } from './moved.js';
export type { RuntimeOptions } from './options.js';
export { Runtime, type RuntimeInspection } from './runtime.js';
export type { ServerInspection, ServerWorkerInspection } from './serving/inspection.js';
export type {
  ConnectionContext,
  Service,
  ServiceHandlers,
  ServiceName,
  TcpService,
  UnixService,
} from './serving/connection-context.js';
export type {
  ServeOptions,
  ServeTarget,
  ServeTcpOptions,
  ServeUnixOptions,
  Strategy,
} from './serving/options.js';
export { Server } from './serving/server.js';
export { TaskSpawner, type SpawnOptions } from './spawner.js';
export type { AnyTasks, TaskArguments, TaskName, TaskResult } from './task-types.js';
