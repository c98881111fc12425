export { Histogram } from './histogram.js';
export { inspectRegistrations, type RegistrationInspection } from './inspect-registrations.js';
export type { MetricAttributes } from './metric-table.js';
export { Observer } from './observer.js';
export {
  exportOpenTelemetry,
  type MeterInstrument,
  type MeterLike,
  type MeterObservations,
} from './open-telemetry.js';
export { prometheusText } from './prometheus.js';
export type { MetricSource } from './sources.js';
