import { isUint8Array } from 'node:util/types';
import { invalidArgType, outOfRange, unknownOptionError } from './errors.js';

const MAX_INT32 = 0x7fffffff;
const MIN_INT32 = -0x80000000;
const MAX_UINT32 = 0xffffffff;

/** A whole number from `low` to `high`. */
export function checkInteger(
  name: string,
  value: unknown,
  low: number,
  high: number,
): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'a number', value);
  if (!Number.isInteger(value) || value < low || value > high) {
    throw outOfRange(name, `a whole number from ${low} to ${high}`, value);
  }
}

/**
 * A word of 32 flags, signed or not: JavaScript's `|` makes bit 31 (EPOLLET, GENERIC_READ,
 * IN_ONESHOT) a sign. Native code takes either.
 */
export function checkFlags(name: string, value: unknown): asserts value is number {
  checkInteger(name, value, MIN_INT32, MAX_UINT32);
}

/** A file descriptor, as a number: whether it is open, the system says. */
export function checkFd(fd: unknown, name = 'fd'): asserts fd is number {
  checkInteger(name, fd, 0, MAX_INT32);
}

/** A duration that a double counts exactly in microseconds: 2^53 is refused, as a mistake. */
export function checkDurationMs(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'a number of milliseconds', value);
  if (!(value >= 0 && value <= MAX_DURATION_MS)) {
    throw outOfRange(name, `from 0 to ${MAX_DURATION_MS} milliseconds`, value);
  }
}

/** 285 years, what a double still counts in whole microseconds. */
export const MAX_DURATION_MS = 9_007_199_254_740;

export function checkBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'true or false', value);
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw invalidArgType(name, 'a function', value);
}

export function checkObject(name: string, value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null) throw invalidArgType(name, 'an object', value);
}

/**
 * Names that an options object may have; written as `Record<keyof Options, true>` none is
 * forgotten.
 */
export type Names = Readonly<Record<string, true>>;

/** @throws TypeError for no object, or one with a name that is none of `known` */
export function checkNames(
  what: string,
  options: unknown,
  ...known: readonly Names[]
): asserts options is object {
  checkObject(what, options);
  // Not by Object.keys: most calls are given no options, and have nothing to look at.
  for (const name in options) {
    if (Object.hasOwn(options, name) && !known.some((names) => Object.hasOwn(names, name)))
      throw unknownOptionError(name);
  }
}

export function checkBytes(name: string, value: unknown): asserts value is Uint8Array {
  // Not by instanceof: an array of another realm is as good.
  if (!isUint8Array(value)) throw invalidArgType(name, 'a Uint8Array', value);
}

export function checkSignal(signal: unknown): asserts signal is AbortSignal {
  // Not by instanceof: a signal of another realm, or of a polyfill, is as good.
  const value = signal as Partial<AbortSignal> | null | undefined;
  if (typeof value?.aborted !== 'boolean' || typeof value.addEventListener !== 'function') {
    throw invalidArgType('signal', 'an AbortSignal', signal);
  }
}
