import { DelimiterDecoder } from '#lib/net/framing/delimiter-decoder';
import { DelimiterReader } from '#lib/net/framing/delimiter-reader';
import type { FrameDecoder } from '#lib/net/framing/frame-decoder';
import { LengthPrefix } from '#lib/net/framing/length-prefix';
import { LengthPrefixedDecoder } from '#lib/net/framing/length-prefixed-decoder';
import { LineDecoder } from '#lib/net/framing/line-decoder';
import { invalidType, outOfRange, thrownBy } from '../../support/errors.js';
import { formats } from './formats.js';
import { bytesOf, PieceSource } from './pieces.js';

const tooLong = { name: 'Error', code: 'ERR_TRIPOLL_FRAME_TOO_LONG' };
const invalidFrame = { name: 'Error', code: 'ERR_TRIPOLL_INVALID_FRAME' };
const wrongState = { name: 'Error', code: 'ERR_TRIPOLL_STATE' };

function framesOf<Frame>(decoder: FrameDecoder<Frame>, ...chunks: Uint8Array[]): Frame[] {
  const frames: Frame[] = [];
  for (const chunk of chunks) decoder.push(chunk, (frame) => frames.push(frame));
  return frames;
}

/** The calls of its `scan`, and the bytes that they were given. */
class CountingDelimiter extends DelimiterDecoder {
  scannedBytes = 0;

  protected override scan(piece: Uint8Array, from: number): number {
    const end = super.scan(piece, from);
    this.scannedBytes += (end === -1 ? piece.length : end) - from;
    return end;
  }
}

describe('views', () => {
  test.each(formats)('$name: a frame that lies in the chunk is a view of it', (format) => {
    const stream = format.encode(bytesOf('hello'), { pick: (values: unknown[]) => values[0] } as never);
    expect(framesOf(format.open(), stream)[0]?.buffer).toBe(stream.buffer);
    const own = framesOf(format.open({ copy: true }), stream)[0];
    expect(own).toEqual(bytesOf('hello'));
    expect(own?.buffer).not.toBe(stream.buffer);
    expect(own?.buffer.byteLength).toBe(5);
  });

  test('copies of a Buffer’s frames are copies, although its slice() is none', () => {
    const chunk = Buffer.from('ab\n');
    const [line] = framesOf(new LineDecoder({ copy: true }), chunk);
    chunk.fill(0);
    expect(Buffer.from(line!).toString()).toBe('ab');
  });
});

describe('maxLengthBytes', () => {
  test('of a frame that has begun, not of those before it in the same chunk', () => {
    const decoder = new LineDecoder({ maxLengthBytes: 10 });
    expect(framesOf(decoder, bytesOf('12345678\n12345678'), bytesOf('\n'))).toHaveLength(2);
  });

  test.each(formats)('$name: the longest passes, one more does not, and it stays so', (format) => {
    const random = { pick: (values: unknown[]) => values[0] } as never;
    // No byte of any delimiter.
    const frame = (length: number) => format.encode(new Uint8Array(length).fill(0x7a), random);
    const max = 40;
    expect(framesOf(format.open({ maxLengthBytes: max }), frame(max))).toHaveLength(1);
    for (const cutAt of [0, 1, max, max + 1]) {
      const decoder = format.open({ maxLengthBytes: max });
      const stream = frame(max + 1);
      const push = () => framesOf(decoder, stream.slice(0, cutAt), stream.slice(cutAt));
      expect(thrownBy(push)).toEqual(tooLong);
      expect(thrownBy(() => framesOf(decoder, frame(1)))).toEqual(tooLong);
      expect(thrownBy(() => decoder.end())).toEqual(tooLong);
      expect(decoder.partialBytes).toBe(0);
    }
  });

  test.each(formats)('$name: frames before the one too long are handed out', (format) => {
    const random = { pick: (values: unknown[]) => values[0] } as never;
    const good = format.encode(bytesOf('zz'), random);
    const bad = format.encode(new Uint8Array(50).fill(0x7a), random);
    const frames: Uint8Array[] = [];
    const decoder = format.open({ maxLengthBytes: 40 });
    const push = () => decoder.push(Buffer.concat([good, good, bad]), (frame) => frames.push(frame));
    expect(thrownBy(push)).toEqual(tooLong);
    expect(frames).toHaveLength(2);
  });

  test('a line’s CR counts, its LF does not', () => {
    expect(framesOf(new LineDecoder({ maxLengthBytes: 3 }), bytesOf('abc\nab\r\n'))).toHaveLength(2);
    expect(thrownBy(() => framesOf(new LineDecoder({ maxLengthBytes: 3 }), bytesOf('abc\r\n')))).toEqual(
      tooLong,
    );
  });

  test('the delimiter is copied', () => {
    const delimiter = bytesOf('--');
    const decoder = new DelimiterDecoder(delimiter);
    delimiter.fill(0x78);
    expect(framesOf(decoder, bytesOf('axx--'))).toEqual([bytesOf('axx')]);
  });

  test('a delimiter that has begun does not count', () => {
    const decoder = new DelimiterDecoder(bytesOf('\r\n\r\n'), { maxLengthBytes: 2 });
    expect(framesOf(decoder, bytesOf('ab\r\n\r'), bytesOf('\n'))).toEqual([bytesOf('ab')]);
    expect(thrownBy(() => framesOf(decoder, bytesOf('ab\r\n\r'), bytesOf('\r')))).toEqual(tooLong);
  });

  test.each(['lines', 'delimiter "\\r\\n"'])('%s: an endless frame is refused while it comes', (name) => {
    const decoder = formats.find((format) => format.name === name)!.open({ maxLengthBytes: 1000 });
    let pushed = 0;
    const push = () => {
      for (; pushed < 1e6; pushed += 100) framesOf(decoder, new Uint8Array(100).fill(0x7a));
    };
    expect(thrownBy(push)).toEqual(tooLong);
    expect(pushed).toBe(1000);
  });
});

describe('adversaries', () => {
  test('an announced length allocates nothing before its bytes come', () => {
    const largest = 0x7fffffff;
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 100 }, () => {
      const decoder = new LengthPrefixedDecoder({ maxLengthBytes: largest });
      framesOf(decoder, new Uint8Array([0x7f, 0xff, 0xff, 0xff, 1, 2, 3]));
      return decoder;
    });
    expect(decoders.map((decoder) => decoder.partialBytes)).toEqual(new Array(100).fill(7));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 1024 * 1024);
  });

  test('a length above 2^31 is no negative one', () => {
    for (const byteOrder of ['big', 'little'] as const) {
      const decoder = new LengthPrefixedDecoder({ byteOrder });
      expect(thrownBy(() => framesOf(decoder, new Uint8Array(4).fill(0xff)))).toEqual(tooLong);
    }
    const varint = new LengthPrefixedDecoder({ lengthBytes: 'varint' });
    expect(thrownBy(() => framesOf(varint, bytesOf('\xff\xff\xff\xff\x7f')))).toEqual(tooLong);
  });

  test('a varint that does not end, and a length less than its own prefix, are invalid', () => {
    const varint = new LengthPrefixedDecoder({ lengthBytes: 'varint' });
    expect(thrownBy(() => framesOf(varint, bytesOf('\x80\x80\x80\x80\x80')))).toEqual(invalidFrame);
    expect(thrownBy(() => framesOf(varint, bytesOf('\x01x')))).toEqual(invalidFrame);
    for (const length of [0, 1]) {
      const decoder = new LengthPrefixedDecoder({ lengthBytes: 2, includesPrefix: true });
      expect(thrownBy(() => framesOf(decoder, new Uint8Array([0, length])))).toEqual(invalidFrame);
    }
  });

  test.each(['\n', 'ab', 'aaaaaaab'])('a long frame byte by byte is looked at once: %j', (delimiter) => {
    const stream = bytesOf(`${'a'.repeat(60_000)}c${delimiter}`);
    const decoder = new CountingDelimiter(bytesOf(delimiter));
    let frames = 0;
    for (const byte of stream) decoder.push(new Uint8Array([byte]), () => frames++);
    expect([frames, decoder.scannedBytes]).toEqual([1, stream.length]);
  });

  test('within a piece too it never goes back: indexOf is called once a candidate at most', () => {
    const piece = bytesOf('ab'.repeat(5000));
    let looks = 0;
    piece.indexOf = function (byte: number, from?: number) {
      looks++;
      return Uint8Array.prototype.indexOf.call(this, byte, from);
    };
    const decoder = new CountingDelimiter(bytesOf('aa'));
    decoder.push(piece, () => undefined);
    expect(looks).toBeLessThanOrEqual(5001);
    expect(decoder.scannedBytes).toBe(piece.length);
  });

  test('a long frame in many pieces is copied into few buffers', () => {
    const before = process.memoryUsage().arrayBuffers;
    const decoder = new LengthPrefixedDecoder();
    const chunk = new Uint8Array(1000);
    framesOf(decoder, new Uint8Array([0, 0x0f, 0xff, 0xff]));
    for (let i = 0; i < 1040; i++) framesOf(decoder, chunk);
    expect(decoder.partialBytes).toBe(1_040_004);
    // All buffers that it ever had are 256 + 512 + ... + 1 MiB: twice the last one.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
  });
});

describe('push', () => {
  test('lines as strings, across a cut character', () => {
    const bytes = new Uint8Array(Buffer.from('grün\r\n€\n\n'));
    for (let at = 0; at <= bytes.length; at++) {
      const lines = framesOf(new LineDecoder({ encoding: 'utf8' }), bytes.slice(0, at), bytes.slice(at));
      expect(lines).toEqual(['grün', '€', '']);
    }
    expect(framesOf(new LineDecoder({ encoding: 'latin1' }), bytesOf('gr\xfcn\n'))).toEqual(['grün']);
    expect(framesOf(new LineDecoder({ encoding: 'utf8' }), bytesOf('\xff\n'))).toEqual(['\ufffd']);
  });

  test('from inside its own onFrame it is refused, and the outer one goes on', () => {
    const decoder = new LineDecoder({ encoding: 'utf8' });
    const lines: string[] = [];
    decoder.push(bytesOf('a\nb\n'), (line) => {
      lines.push(line);
      expect(thrownBy(() => decoder.push(bytesOf('c\n'), () => undefined))).toEqual(wrongState);
    });
    expect(lines).toEqual(['a', 'b']);
  });

  test('another protocol takes over in the middle of a chunk', () => {
    const lines = new LineDecoder({ encoding: 'utf8' });
    const frames = new LengthPrefixedDecoder({ lengthBytes: 1 });
    const seen: string[] = [];
    lines.push(bytesOf('upgrade\n\x02hi\x01!'), (line) => {
      seen.push(line);
      frames.push(lines.takeBuffered(), (frame) => seen.push(Buffer.from(frame).toString()));
    });
    expect(seen).toEqual(['upgrade', 'hi', '!']);
    expect(lines.partialBytes).toBe(0);
  });

  test.each(formats)('$name: after takeBuffered() a frame that had begun is forgotten', (format) => {
    const stream = format.encode(bytesOf('zzz'), { pick: (values: unknown[]) => values[0] } as never);
    for (let at = 1; at < stream.length; at++) {
      const decoder = format.open();
      framesOf(decoder, stream.slice(0, at));
      expect(decoder.takeBuffered()).toEqual(stream.slice(0, at));
      expect(framesOf(decoder, stream)).toEqual([bytesOf('zzz')]);
    }
  });

  test('a large partial frame’s buffer is not kept for small ones', () => {
    const decoder = new LengthPrefixedDecoder();
    const push = (length: number) =>
      framesOf(decoder, new Uint8Array([0, length >> 16, length >> 8, length]), new Uint8Array(length))[0]!;
    expect(push(1_000_000).buffer.byteLength).toBeGreaterThanOrEqual(1_000_000);
    push(100);
    expect(push(100).buffer.byteLength).toBeLessThanOrEqual(1024);
  });
});

describe('arguments', () => {
  test.each([
    [() => new LineDecoder({ maxLengthBytes: 0 }), outOfRange],
    [() => new LineDecoder({ maxLengthBytes: 2 ** 31 }), outOfRange],
    [() => new LineDecoder({ maxLengthBytes: 1.5 }), outOfRange],
    [() => new LineDecoder({ maxLengthBytes: '1' as never }), invalidType],
    [() => new LineDecoder({ encoding: 'utf16le' as never }), outOfRange],
    [() => new LineDecoder(null as never), invalidType],
    [() => new DelimiterDecoder(new Uint8Array(0)), outOfRange],
    [() => new DelimiterDecoder('\n' as never), invalidType],
    [() => new DelimiterReader({} as never, bytesOf('\n')), invalidType],
    [() => new DelimiterReader(new PieceSource([]), '\n' as never), invalidType],
    [() => new LengthPrefixedDecoder({ lengthBytes: 5 as never }), outOfRange],
    [() => new LengthPrefixedDecoder({ lengthBytes: 'x' as never }), invalidType],
    [() => new LengthPrefixedDecoder({ byteOrder: 'middle' as never }), outOfRange],
    [() => new LengthPrefixedDecoder({ lengthBytes: 'varint', includesPrefix: true }), outOfRange],
    [() => new LengthPrefixedDecoder(1 as never), invalidType],
    [() => new LineDecoder().push('x' as never, () => undefined), invalidType],
    [() => new LineDecoder().push(bytesOf(''), null as never), invalidType],
    [() => new LengthPrefix({ lengthBytes: 1 }).encode(256), outOfRange],
    [() => new LengthPrefix({ lengthBytes: 1, includesPrefix: true }).encode(255), outOfRange],
    [() => new LengthPrefix().encode(-1), outOfRange],
  ])('%s', (call, expected) => {
    expect(thrownBy(call)).toEqual(expected);
  });
});
