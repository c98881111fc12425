import { invalidArgType } from '../errors.js';
import { outOfBounds } from './errors.js';

// What `send` takes as a payload.

const KINDS = 'of type string or an instance of Buffer, TypedArray, or DataView';

function toBytes(value: unknown): Buffer | null {
  if (typeof value === 'string') return Buffer.from(value);
  return ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : null;
}

/** A part of it. @throws ERR_INVALID_ARG_TYPE, ERR_BUFFER_OUT_OF_BOUNDS */
export function sliceOf(value: unknown, offset: unknown, length: unknown): Buffer {
  const bytes = toBytes(value);
  if (bytes === null) throw invalidArgType('buffer', KINDS, value);
  const start = (offset as number) >>> 0;
  const count = (length as number) >>> 0;
  if (start > bytes.length) throw outOfBounds('offset');
  if (start + count > bytes.length) throw outOfBounds('length');
  return bytes.subarray(start, start + count);
}

/** One or many, which are sent together. @throws ERR_INVALID_ARG_TYPE */
export function payloadOf(value: unknown): Buffer[] {
  const many: readonly unknown[] = Array.isArray(value) ? value : [value];
  return many.map((each) => {
    const bytes = toBytes(each);
    if (bytes !== null) return bytes;
    throw invalidArgType(Array.isArray(value) ? 'buffer list arguments' : 'buffer', KINDS, value);
  });
}
