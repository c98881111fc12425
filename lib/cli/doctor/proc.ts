// Reads Linux's /proc and /sys, as far as they are there. `Read` is what tests replace.
import { readFileSync } from 'node:fs';

/** The text of a file; undefined when there is none, or it may not be read. */
export type Read = (file: string) => string | undefined;

/** Of this machine. */
export const readFile: Read = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
};

/** The file's numbers; 'max' and 'unlimited' are Infinity. Empty when there is none. */
export function numbersOf(read: Read, file: string): number[] {
  const words = read(file)?.trim().split(/\s+/) ?? [];
  return words.map(toNumber).filter((number) => !Number.isNaN(number));
}

/** The file's first number. */
export function numberOf(read: Read, file: string): number | undefined {
  return numbersOf(read, file)[0];
}

function toNumber(word: string): number {
  return word === 'max' || word === 'unlimited' ? Infinity : Number.parseInt(word, 10);
}

/** The soft limit of this name in /proc/self/limits. */
export function softLimit(read: Read, name: string): number | undefined {
  const line = read('/proc/self/limits')
    ?.split('\n')
    .find((candidate) => candidate.startsWith(name));
  const word = line?.slice(name.length).trim().split(/\s+/)[0];
  return word === undefined ? undefined : toNumber(word);
}

/** What stands behind 'Name:' in /proc/self/status. */
export function statusOf(read: Read, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(read('/proc/self/status') ?? '')?.[1];
}
