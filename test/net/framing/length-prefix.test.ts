// Each form of a length before a frame: its bytes as they are written, and read one by one.
import { LengthPrefix, type LengthPrefixOptions } from '#lib/net/framing/length-prefix';
import { outOfRange, thrownBy } from '../../support/errors.js';

const forms: [LengthPrefixOptions, number, number[]][] = [
  [{}, 0, [0, 0, 0, 0]],
  [{}, 258, [0, 0, 1, 2]],
  [{}, 0x7fffffff, [0x7f, 0xff, 0xff, 0xff]],
  [{ lengthBytes: 1 }, 255, [255]],
  [{ lengthBytes: 2 }, 258, [1, 2]],
  [{ lengthBytes: 3 }, 0x010203, [1, 2, 3]],
  [{ lengthBytes: 3, byteOrder: 'little' }, 0x010203, [3, 2, 1]],
  [{ lengthBytes: 4, byteOrder: 'little' }, 0x7f000001, [1, 0, 0, 0x7f]],
  [{ lengthBytes: 2, includesPrefix: true }, 0, [0, 2]],
  [{ lengthBytes: 2, includesPrefix: true }, 256, [1, 2]],
  [{ lengthBytes: 4, byteOrder: 'little', includesPrefix: true }, 0x01020300, [4, 3, 2, 1]],
  [{ lengthBytes: 'varint' }, 0, [0]],
  [{ lengthBytes: 'varint' }, 127, [127]],
  [{ lengthBytes: 'varint' }, 128, [0x80, 1]],
  [{ lengthBytes: 'varint' }, 300, [0xac, 2]],
  [{ lengthBytes: 'varint' }, 0x7fffffff, [0xff, 0xff, 0xff, 0xff, 7]],
];

test.each(forms)('%j: %i and its bytes', (options, lengthBytes, bytes) => {
  const prefix = new LengthPrefix(options);
  expect([...prefix.encode(lengthBytes)]).toEqual(bytes);
  for (let round = 0; round < 2; round++) {
    const answers = bytes.map((byte) => prefix.read(byte));
    expect(answers).toEqual([...bytes.slice(1).map(() => -1), lengthBytes]);
    expect(prefix.bytesRead).toBe(bytes.length);
    prefix.reset();
    expect(prefix.bytesRead).toBe(0);
  }
});

test.each<[LengthPrefixOptions, number]>([
  [{ lengthBytes: 1 }, 255],
  [{ lengthBytes: 2 }, 65_535],
  [{ lengthBytes: 2, includesPrefix: true }, 65_533],
  [{ lengthBytes: 3 }, 0xffffff],
  [{ lengthBytes: 4 }, 0x7fffffff],
  [{ lengthBytes: 'varint' }, 0x7fffffff],
])('%j: the longest is %i', (options, longest) => {
  const prefix = new LengthPrefix(options);
  expect(prefix.maxLengthBytes).toBe(longest);
  for (const byte of prefix.encode(longest).slice(0, -1)) expect(prefix.read(byte)).toBe(-1);
  expect(prefix.read(prefix.encode(longest).at(-1)!)).toBe(longest);
  for (const wrong of [longest + 1, -1, 0.5])
    expect(thrownBy(() => prefix.encode(wrong))).toEqual(outOfRange);
});
