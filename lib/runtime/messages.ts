import type { SharedWaker } from '../reactor/waker.js';
import type { Thrown } from './remote-error.js';
import type { Order, Report } from './serving/messages.js';
import type { SharedTable } from './table.js';

// What goes through ports: beginnings, and values that do not fit into a slot. From one worker to
// another it goes by way of the thread that made the runtime, in order.

/** Arguments of a task that is bound to one worker. */
export interface TaskMessage {
  readonly kind: 'task';
  readonly place: number;
  readonly id: number;
  readonly task: number;
  readonly args: readonly unknown[];
  /** What of the arguments was transferred, for who sends it on. */
  readonly transfer: readonly unknown[];
}

/** The outcome of a task, for the thread that spawned it. */
export interface ResultMessage {
  readonly kind: 'result';
  readonly thread: number;
  readonly id: number;
  readonly failed: boolean;
  /** A `Thrown` when it has failed. */
  readonly value: unknown;
  readonly transfer: readonly unknown[];
}

/** A worker has a thread, an old one or a new. */
export interface WakerMessage {
  readonly kind: 'waker';
  readonly place: number;
  readonly waker: SharedWaker;
}

/** The worker's first words. */
export interface ReadyMessage {
  readonly kind: 'ready';
  readonly waker: SharedWaker;
  /** Of its tasks. */
  readonly names: readonly string[];
}

/** The answer: now it takes tasks, and accepts connections. */
export interface BeginMessage {
  readonly kind: 'begin';
  /** Of all tasks that any thread has had: their numbers are the places in this list. */
  readonly names: readonly string[];
}

/** Another thread works in its stead: it finishes what it has begun, and then says so. */
export interface RetireMessage {
  readonly kind: 'retire';
}

export interface RetiredMessage {
  readonly kind: 'retired';
}

/** About a server. */
export interface ServingOrder {
  readonly kind: 'serving';
  readonly order: Order;
}

export interface ServingReport {
  readonly kind: 'serving';
  readonly said: Report;
}

/** Somebody looks into the thread from now on, by the code of that file. */
export interface ObserveMessage {
  readonly kind: 'observe';
  readonly module: string;
  readonly data: unknown;
}

export interface UnobserveMessage {
  readonly kind: 'unobserve';
}

/** It could not load its entry. */
export interface FailedMessage {
  readonly kind: 'failed';
  readonly thrown: Thrown;
}

/** A call of `blocking` by a task: the thread that made the runtime has the pool for it. */
export interface BlockingCall {
  readonly kind: 'blocking';
  /** The worker's own number for the call. */
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly transfer: readonly unknown[];
}

/** It is given up. */
export interface BlockingAbort {
  readonly kind: 'blocking-abort';
  readonly id: number;
}

/** What came of it. */
export interface BlockingResult {
  readonly kind: 'blocking-result';
  readonly id: number;
  readonly failed: boolean;
  /** A `Thrown` when it has failed. */
  readonly value: unknown;
}

export type ToWorker =
  | TaskMessage
  | ResultMessage
  | WakerMessage
  | BlockingResult
  | BeginMessage
  | RetireMessage
  | ServingOrder
  | ObserveMessage
  | UnobserveMessage;
export type FromWorker =
  | ResultMessage
  | ReadyMessage
  | FailedMessage
  | BlockingCall
  | BlockingAbort
  | RetiredMessage
  | ServingReport;

/** What a worker's thread is given. */
export interface WorkerPlan {
  /** Where its thread is in what is shared; the worker has another for a successor. */
  readonly place: number;
  readonly worker: number;
  readonly entry: string;
  readonly table: SharedTable;
  readonly queues: SharedArrayBuffer;
  readonly metrics: SharedArrayBuffer;
  /** Of the thread that made the runtime. */
  readonly mainWaker: SharedWaker;
  /** By place: of the other threads that have begun. */
  readonly wakers: readonly (SharedWaker | null)[];
  readonly tasksPerWorker: number;
  readonly maxWaiting: number;
  readonly blockingThreads: number;
  readonly driver: 'default' | 'run';
  readonly spinUs: number;
}

/** A thread of the pool for what blocks: one task at a time. */
export interface BlockingPlan {
  readonly blocking: true;
  readonly entry: string;
}

export interface BlockingTask {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** What a blocking thread answers; 'ready' when it has loaded its entry. */
export type BlockingAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly thrown: Thrown }
  | { readonly kind: 'unknown'; readonly names: readonly string[] }
  | {
      readonly kind: 'result';
      readonly failed: boolean;
      readonly value: unknown;
      /** What of the value was transferred, for who sends it on. */
      readonly transfer: readonly unknown[];
    };
