import { invalidArgType } from '../../binding/errors.js';
import { checkBytes } from '../../binding/validate.js';

/** @throws TypeError */
export function checkVector(name: string, buffers: unknown): asserts buffers is readonly Uint8Array[] {
  if (!Array.isArray(buffers)) throw invalidArgType(name, 'an array of Uint8Arrays', buffers);
  buffers.forEach((buffer: unknown, i) => checkBytes(`${name}[${i}]`, buffer));
}

/** Finds the byte that comes after the first `bytes` of them: in which one, and where in it. */
export function placeIn(buffers: readonly Uint8Array[], bytes: number): { index: number; offset: number } {
  let index = 0;
  let offset = bytes;
  for (const { length } of buffers) {
    if (offset < length) break;
    offset -= length;
    index++;
  }
  return { index, offset };
}

export function totalBytes(buffers: readonly Uint8Array[]): number {
  return buffers.reduce((sum, { length }) => sum + length, 0);
}
