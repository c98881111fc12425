import type { Transferable } from 'node:worker_threads';
import { checkObject } from '../binding/validate.js';
import { invalidArgType } from '../binding/errors.js';

const lists = new WeakMap<object, readonly Transferable[]>();

/**
 * Marks what a task returns: what is in the list is moved to the thread that spawned it, not
 * copied.
 *
 * @returns the value itself
 * @throws TypeError
 */
export function moved<T extends object>(value: T, transfer: readonly Transferable[]): T {
  checkObject('value', value);
  if (!Array.isArray(transfer)) throw invalidArgType('transfer', 'an array', transfer);
  lists.set(value, transfer);
  return value;
}

export function transferOf(value: unknown): readonly Transferable[] {
  return typeof value === 'object' && value !== null ? (lists.get(value) ?? []) : [];
}

/** As a port would give it to another thread. */
export function cloned<T>(value: T, transfer: readonly unknown[]): T {
  return structuredClone(value, { transfer: transfer as Transferable[] });
}
