export { createScheduler, type SchedulerOptions, type WorkerStats } from './scheduler/scheduler.js';
