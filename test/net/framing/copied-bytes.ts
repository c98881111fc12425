// How many bytes are copied by `set` and `copyWithin` of a Uint8Array: a figure that no busy
// machine changes.

/** Counts until it is stopped; every test stops it in a `finally`. */
export class CopyCounter {
  bytes = 0;

  constructor() {
    const { prototype } = Uint8Array;
    const { set, copyWithin } = prototype;
    const count = (bytes: number) => (this.bytes += bytes);
    prototype.set = function (source: ArrayLike<number>, offset?: number): void {
      count(source.length);
      set.call(this, source, offset);
    };
    prototype.copyWithin = function (target: number, start: number, end?: number): Uint8Array {
      count((end ?? this.length) - start);
      return copyWithin.call(this, target, start, end);
    };
  }

  stop(): void {
    // They are inherited.
    delete (Uint8Array.prototype as Partial<Uint8Array>).set;
    delete (Uint8Array.prototype as Partial<Uint8Array>).copyWithin;
  }
}

/** What `work` copies before it returns. */
export function copiedBytes(work: () => void): number {
  const counter = new CopyCounter();
  try {
    work();
  } finally {
    counter.stop();
  }
  return counter.bytes;
}
