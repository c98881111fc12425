import { native } from '../../binding/native.js';
import { capabilities } from '../../binding/capabilities.js';
import { systemError } from '../../binding/errors.js';

/** Views of this length and below are made once and kept: most messages are short, and alike. */
const CACHED_VIEW_BYTES = 2048;
/** What a debug run leaves in a chunk whose handler has returned. */
const POISON = 0xdb;

/**
 * This thread's read buffer: 64 KB of native memory that all handler-style sockets read into, one
 * after the other. A chunk is a view of it, lent until its handler returns.
 */
class Arena {
  bytes = 0;
  /** The view that was lent last: to write it back needs no look-up. */
  lent: Uint8Array = new Uint8Array(0);
  #buffer: ArrayBuffer;
  #views: (Uint8Array | undefined)[] = [];
  #isLent = false;

  constructor() {
    this.#buffer = this.#create();
  }

  #create(): ArrayBuffer {
    const buffer = native.arenaCreate();
    if (typeof buffer === 'number') throw systemError(buffer, 'arenaCreate');
    this.bytes = buffer.byteLength;
    this.#views = new Array<Uint8Array | undefined>(CACHED_VIEW_BYTES + 1).fill(undefined);
    return buffer;
  }

  /**
   * To be called before each receive. A buffer that its borrower transferred away is replaced (Node
   * 22 lets them), and so is one that is lent still: its borrower turns another reactor by hand
   * (F35).
   */
  prepare(): void {
    if (this.#isLent || this.#buffer.byteLength === 0) this.#buffer = this.#create();
  }

  /** Whether these are bytes of the buffer. */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.#buffer;
  }

  /** The first `length` bytes, as just received. */
  lend(length: number): Uint8Array {
    const view = (length <= CACHED_VIEW_BYTES ? this.#views[length] : undefined) ?? this.#makeView(length);
    this.lent = view;
    this.#isLent = true;
    return view;
  }

  /**
   * Its borrower has returned. Debug runs make it plain that a kept chunk is not the borrower's.
   */
  takeBack(chunk: Uint8Array): void {
    this.#isLent = false;
    // Fill would throw for memory that its borrower has transferred away (T07).
    if (capabilities.debug && chunk.length > 0) chunk.fill(POISON);
  }

  #makeView(length: number): Uint8Array {
    const view = new Uint8Array(this.#buffer, 0, length);
    if (length <= CACHED_VIEW_BYTES) this.#views[length] = view;
    return view;
  }
}

let shared: Arena | null = null;

/** One a thread, made when first needed. */
export function getArena(): Arena {
  return (shared ??= new Arena());
}

export type { Arena };
