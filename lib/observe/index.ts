export { Histogram } from './histogram.js';
export { inspectRegistrations, type RegistrationInspection } from './inspect-registrations.js';
export { Observer } from './observer.js';
