/** How many bytes `work` copies by `set` and `copyWithin` of a Uint8Array: a figure that no busy machine changes. */
export function copiedBytes(work: () => void): number {
  const { prototype } = Uint8Array;
  const { set, copyWithin } = prototype;
  let copied = 0;
  prototype.set = function (source: ArrayLike<number>, offset?: number): void {
    copied += source.length;
    set.call(this, source, offset);
  };
  prototype.copyWithin = function (target: number, start: number, end?: number): Uint8Array {
    copied += (end ?? this.length) - start;
    return copyWithin.call(this, target, start, end);
  };
  try {
    work();
  } finally {
    // They are inherited.
    delete (prototype as Partial<Uint8Array>).set;
    delete (prototype as Partial<Uint8Array>).copyWithin;
  }
  return copied;
}
