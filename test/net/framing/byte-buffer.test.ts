import { ByteBuffer } from '#lib/net/framing/byte-buffer';
import { Random, testSeed } from '../../support/random.js';
import { copiedBytes } from './copied-bytes.js';

const isEqual = (bytes: Uint8Array, expected: readonly number[]) =>
  Buffer.from(bytes).equals(Buffer.from(expected));

/** One random call, and the same on a plain array; gives the array as it is then. */
function step(buffer: ByteBuffer, expected: readonly number[], bytes: Uint8Array, random: Random): number[] {
  switch (random.below(6)) {
    case 0:
    case 1:
      buffer.append(bytes);
      return [...expected, ...bytes];
    case 2:
      buffer.prepend(bytes);
      return [...bytes, ...expected];
    case 3: {
      const count = Math.min(buffer.length, bytes.length);
      buffer.consume(count);
      return expected.slice(count);
    }
    case 4: {
      const count = buffer.moveTo(bytes);
      expect(count).toBe(Math.min(bytes.length, expected.length));
      expect(isEqual(bytes.subarray(0, count), expected.slice(0, count))).toBe(true);
      return expected.slice(count);
    }
    default: {
      buffer.reserve(bytes.length).set(bytes);
      const count = random.below(bytes.length + 1);
      buffer.commit(count);
      return [...expected, ...bytes.subarray(0, count)];
    }
  }
}

test('random programs: the bytes of a plain array', () => {
  for (let seed = testSeed(); seed < testSeed() + 40; seed++) {
    const random = new Random(seed);
    const most = random.pick([3, 50, 500]);
    const buffer = new ByteBuffer();
    let expected: number[] = [];
    for (let i = 0; i < 50; i++) {
      const bytes = Uint8Array.from({ length: random.below(most) }, () => random.below(256));
      expected = step(buffer, expected, bytes, random);
      expect({ seed, same: isEqual(buffer.bytes, expected) }).toEqual({ seed, same: true });
    }
    expect(isEqual(buffer.take(buffer.length), expected)).toBe(true);
    expect(buffer.length).toBe(0);
  }
});

describe('each byte is moved a constant number of times', () => {
  const one = new Uint8Array(1);

  test.each([256, 1000, 4096])('full with %i, and then one taken for each that is added', (size) => {
    const buffer = new ByteBuffer();
    buffer.append(new Uint8Array(size));
    const copied = copiedBytes(() => {
      for (let i = 0; i < 20_000; i++) {
        buffer.consume(1);
        buffer.append(one);
      }
    });
    expect(buffer.length).toBe(size);
    expect(copied).toBeLessThan(3 * 20_000 + 2 * size);
  });

  test('growing byte by byte, at the back and in front', () => {
    const buffer = new ByteBuffer();
    const copied = copiedBytes(() => {
      for (let i = 0; i < 20_000; i++) buffer.append(one);
      for (let i = 0; i < 20_000; i++) buffer.prepend(one);
    });
    expect(buffer.length).toBe(40_000);
    expect(copied).toBeLessThan(4 * 40_000);
  });
});

describe('memory', () => {
  test('bytes that come and go stay in the first one', () => {
    const buffer = new ByteBuffer();
    buffer.append(new Uint8Array(10));
    const first = buffer.bytes.buffer;
    expect(first.byteLength).toBe(256);
    for (let i = 0; i < 1000; i++) {
      buffer.append(new Uint8Array(100));
      expect(buffer.bytes.buffer).toBe(first);
      buffer.consume(100);
    }
  });

  test('one that is filled to its last byte is enough', () => {
    const buffer = new ByteBuffer();
    buffer.append(new Uint8Array(100));
    const first = buffer.bytes.buffer;
    buffer.append(new Uint8Array(156));
    expect([buffer.length, buffer.bytes.buffer === first]).toEqual([256, true]);
  });

  test('a small one stays, however little of it was used', () => {
    const buffer = new ByteBuffer();
    buffer.append(new Uint8Array(10));
    const first = buffer.bytes.buffer;
    buffer.consume(10);
    buffer.append(new Uint8Array(10));
    expect(buffer.bytes.buffer).toBe(first);
  });

  test('bytes that were all taken leave it to the next ones, from its start', () => {
    const buffer = new ByteBuffer();
    for (let i = 0; i < 10; i++) {
      buffer.append(new Uint8Array(200));
      expect([buffer.bytes.byteOffset, buffer.bytes.buffer.byteLength]).toEqual([0, 256]);
      buffer.consume(200);
    }
  });

  test('bytes that are put back where they came from need no other', () => {
    const buffer = new ByteBuffer();
    buffer.append(new Uint8Array(100));
    const first = buffer.bytes.buffer;
    buffer.consume(50);
    buffer.prepend(new Uint8Array(50));
    expect([buffer.bytes.buffer === first, buffer.bytes.byteOffset]).toEqual([true, 0]);
  });

  test('with a bound it is no larger than that', () => {
    const buffer = new ByteBuffer();
    for (let i = 0; i < 1000; i++) buffer.append(new Uint8Array(1), 1000);
    expect(buffer.bytes.buffer.byteLength).toBe(1000);
  });

  test('a large one is given up by an empty buffer that used little of it, not before', () => {
    const buffer = new ByteBuffer();
    buffer.append(new Uint8Array(1_000_000));
    const { byteLength } = buffer.bytes.buffer;
    buffer.clear();
    buffer.append(new Uint8Array(500_000));
    buffer.clear();
    buffer.append(new Uint8Array(100));
    expect(buffer.bytes.buffer.byteLength).toBe(byteLength);
    buffer.consume(100);
    expect(buffer.bytes.buffer.byteLength).toBe(0);
  });
});
