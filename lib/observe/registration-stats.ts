import { join, sep } from 'node:path';
import { capabilities } from '../binding/capabilities.js';
import type { Registration } from '../reactor/registration.js';

/** Where our own calls are, with and without source maps: what called those is of interest. */
const OWN_FOLDERS = [__dirname, join(__dirname, '../../lib')].map((folder) => folder + sep);
/** Of V8's: ours alone are more than the ten that it keeps by default. */
const KEPT_FRAMES = 50;

/** What is seen of a registration while its reactor is observed. */
export class RegistrationStats {
  readonly registration: Registration;
  /** When it was registered; null when that was before. */
  readonly sinceMs: number | null;
  /** Where; null without TRIPOLL_DEBUG, which makes registering slow. */
  readonly stack: string | null;
  calls = 0;
  busyMs = 0;
  slowestMs = 0;
  /** NaN before the first: a number that may be null would be a new object for each call. */
  lastCallMs = NaN;
  lastReadiness = 0;

  constructor(registration: Registration, sinceMs: number | null) {
    this.registration = registration;
    this.sinceMs = sinceMs;
    this.stack = sinceMs !== null && capabilities.debug ? callers() : null;
  }

  note(nowMs: number, tookMs: number, readiness: number): void {
    this.calls++;
    this.busyMs += tookMs;
    if (tookMs > this.slowestMs) this.slowestMs = tookMs;
    this.lastCallMs = nowMs;
    this.lastReadiness = readiness;
  }
}

/** One line for each, from the first that is not ours. */
function callers(): string {
  const { stackTraceLimit } = Error;
  // Where nothing may change it, fewer frames have to do.
  Reflect.set(Error, 'stackTraceLimit', KEPT_FRAMES);
  const frames = (new Error().stack ?? '').split('\n').slice(1);
  Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  const first = frames.findIndex((frame) => !OWN_FOLDERS.some((folder) => frame.includes(folder)));
  const theirs = first < 0 ? frames : frames.slice(first);
  return theirs.map((frame) => frame.trim()).join('\n');
}
