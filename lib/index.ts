export {
  capabilities,
  type Capabilities,
  type BackendName,
  type DriverName,
} from './binding/capabilities.js';
export { isTripollError } from './binding/is-tripoll-error.js';
export type * from './binding/error-types.js';
export { Events } from './poller/events.js';
export { Interest, Mode, Readiness } from './poller/flags.js';
export { Poller, type PollerContract, type PollerOptions } from './poller/poller.js';
export type { EventHandler } from './reactor/registration.js';
export type { ReactorCounters, ReactorInspection, ReactorMetrics } from './reactor/inspection.js';
export type { HistogramSummary, ReactorTimes } from './reactor/probe.js';
export { Reactor } from './reactor/reactor.js';
export type {
  Clock,
  ReactorOptions,
  RegisterOptions,
  RunOptions,
  SetTimerOptions,
} from './reactor/options.js';
export { Registration } from './reactor/registration.js';
export type { CancelOptions } from './reactor/cancellation.js';
export { interval, sleep, timeout, type TimerOptions } from './reactor/timers.js';
export { Timer } from './reactor/timer.js';
export { Waker, type SharedWaker } from './reactor/waker.js';
