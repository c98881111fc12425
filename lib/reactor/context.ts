import { AsyncResource } from 'node:async_hooks';
import { native } from '../binding/native.js';
import type { RegistrationProfile } from './registration.js';

/** `fn` in the context in which it was handed over (AsyncLocalStorage). */
export function inContext(fn: () => void): () => void {
  const context = newContext();
  return () => context.runInAsyncScope(fn);
}

export function newContext(): AsyncResource {
  // Nobody listens for its destruction, and to track it would cost a weak handle.
  return new AsyncResource('tripoll', { requireManualDestroy: true });
}

/** What registrations that are made alike share; its context is that of the caller. */
export function toProfile(options: {
  mode: number;
  priority: number;
  name?: string | undefined;
}): RegistrationProfile {
  const { mode, priority, name } = options;
  return { mode, priority, name, context: newContext() };
}

/** Each of them, whatever the one before threw. */
export function runEach(functions: readonly (() => void)[]): number {
  for (const fn of functions) runContained(fn);
  return functions.length;
}

/** What it throws goes where Node takes what nobody caught. */
export function runContained(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    native.fatalException(error);
  }
}
