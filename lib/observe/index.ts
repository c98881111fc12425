export { Histogram } from './histogram.js';
export { inspectRegistrations, type RegistrationInspection } from './inspect-registrations.js';
export type { MetricAttributes } from './metric-table.js';
export { ObserveServer, type ObserveServerOptions } from './server/observe-server.js';
export { Observer } from './observer.js';
export {
  exportOpenTelemetry,
  type MeterInstrument,
  type MeterLike,
  type MeterObservations,
} from './open-telemetry.js';
export { prometheusText } from './prometheus.js';
export type { MetricSource } from './sources.js';
export { Watchdog } from './watchdog/watchdog.js';
export type { WatchdogOptions } from './watchdog/options.js';
export type {
  LeakedReport,
  RegistrationReport,
  SlowHandlerReport,
  SpinningFdReport,
  StalledReport,
  UnreadReport,
  WatchdogReport,
  WatchdogReportBase,
} from './watchdog/reports.js';
export type { DumpTarget } from './watchdog/options.js';
export { Recorder, traceOf, type RecorderOptions } from './recorder/recorder.js';
export type { ChromeTrace, TraceEvent } from './recorder/trace-event.js';
