import { systemError, unsupportedError, outOfRange } from '../binding/errors.js';
import { capabilities } from '../binding/capabilities.js';
import { native, type NativeBinding } from '../binding/native.js';
import { checkBytes, checkInteger } from '../binding/validate.js';

const MAX_BYTES = 2 ** 30;

/** What of the addon only Windows has. */
export function windowsBinding(name: string): Required<NativeBinding> {
  if (native.portCreate === undefined)
    throw unsupportedError(`${name} does not exist on ${capabilities.platform}`);
  return native as Required<NativeBinding>;
}

/** Which block of native memory an ArrayBuffer shows. */
const blocks = new WeakMap<ArrayBufferLike, number>();
/**
 * When nobody can reach the memory any more; operations that are under way keep it by themselves.
 */
const forgotten = new FinalizationRegistry((block: number) => {
  native.rawFree?.(block);
});

/**
 * Memory that operations of a `CompletionPort` may use: native code's own, so that the kernel can
 * write into it as long as it likes. It is freed when it cannot be reached any more and no
 * operation is using it. Windows only.
 *
 * @param bytes 1 to 2^30
 * @throws TypeError, RangeError; ENOMEM; ERR_TRIPOLL_UNSUPPORTED on other systems
 */
export function alloc(bytes: number): Uint8Array<ArrayBuffer> {
  const { rawAlloc, rawView } = windowsBinding('alloc');
  checkInteger('bytes', bytes, 1, MAX_BYTES);
  const block = rawAlloc(bytes);
  if (block < 0) throw systemError(block, 'alloc');
  const buffer = rawView(block);
  if (typeof buffer === 'number') throw systemError(buffer, 'alloc');
  if (typeof buffer !== 'object')
    throw unsupportedError(
      'this runtime, like Electron, does not let native code share memory with JavaScript',
    );
  blocks.set(buffer, block);
  forgotten.register(buffer, block);
  return new Uint8Array(buffer);
}

/** The block behind a view of lent memory, and where in it the view is. */
export function findLent(name: string, view: unknown): { block: number; offset: number; length: number } {
  checkBytes(name, view);
  const block = blocks.get(view.buffer);
  if (block === undefined) throw outOfRange(name, 'memory that raw.alloc has lent', view);
  return { block, offset: view.byteOffset, length: view.byteLength };
}
