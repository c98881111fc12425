// A FrameDecoder of a user's own: what the base class promises whatever the subclass does.
import { FrameDecoder, UNFINISHED, type FrameOptions } from '#lib/net/framing/frame-decoder';
import { FrameReader } from '#lib/net/framing/frame-reader';
import { outOfRange, thrownBy } from '../../support/errors.js';
import { within } from '../../support/deadline.js';
import { copiedBytes } from './copied-bytes.js';
import { bytesOf, PieceSource } from './pieces.js';

const tooLong = { name: 'Error', code: 'ERR_TRIPOLL_FRAME_TOO_LONG' };

/** JSON lines, as the docstring of `FrameDecoder` says to write one: it checks no limit. */
class JsonLines extends FrameDecoder<unknown> {
  constructor(options: FrameOptions = {}) {
    super(options, 1024);
    this.tailBytes = 1;
  }

  protected scan(piece: Uint8Array, from: number): number {
    const at = piece.indexOf(0x0a, from);
    return at === -1 ? UNFINISHED : at + 1;
  }

  protected resetScan(): void {
    // It remembers nothing between two scans.
  }

  protected toFrame(bytes: Uint8Array, start: number, end: number): unknown {
    const text = Buffer.from(bytes.subarray(start, end)).toString();
    return text === 'undefined' ? undefined : JSON.parse(text);
  }
}

describe('F24 maxLengthBytes of a decoder of one’s own', () => {
  test('F24 a frame that never ends is refused while it comes, and nothing of it is kept', () => {
    const decoder = new JsonLines({ maxLengthBytes: 100 });
    const piece = new Uint8Array(64 * 1024).fill(0x31);
    let pushed = 0;
    const push = () => {
      for (; pushed < 300; pushed++) decoder.push(piece, () => undefined);
    };
    expect(thrownBy(push)).toEqual(tooLong);
    expect([pushed, decoder.partialBytes]).toEqual([0, 0]);
    expect(thrownBy(() => decoder.push(bytesOf('1\n'), () => undefined))).toEqual(tooLong);
  });

  test('F24 byte by byte it is refused when it can be no frame within the limit any more', () => {
    const decoder = new JsonLines({ maxLengthBytes: 100 });
    let pushed = 0;
    const push = () => {
      for (; pushed < 1000; pushed++) decoder.push(bytesOf('1'), () => undefined);
    };
    expect(thrownBy(push)).toEqual(tooLong);
    // 256: what a prefix and a delimiter may take, as long as the subclass does not say.
    expect(pushed).toBe(100 + 256 - 1);
  });

  test('F24 a whole frame counts without its prefix and delimiter, in one piece or in several', () => {
    for (const cutAt of [0, 1, 50, 100, 101]) {
      for (const [length, refused] of [
        [100, false],
        [101, true],
      ] as const) {
        const decoder = new JsonLines({ maxLengthBytes: 100 });
        const line = bytesOf(`${'1'.repeat(length)}\n`);
        let frames = 0;
        const push = () => {
          decoder.push(line.slice(0, cutAt), () => frames++);
          decoder.push(line.slice(cutAt), () => frames++);
        };
        if (refused) expect(thrownBy(push)).toEqual(tooLong);
        else push();
        expect(frames).toBe(refused ? 0 : 1);
      }
    }
  });

  test('F24 a subclass whose prefix and delimiter are longer says so', () => {
    class LongTail extends JsonLines {
      constructor() {
        super({ maxLengthBytes: 1 });
        this.maxOverheadBytes = 1000;
      }
    }
    const decoder = new LongTail();
    decoder.push(new Uint8Array(1000), () => undefined);
    expect(decoder.partialBytes).toBe(1000);
    expect(thrownBy(() => decoder.push(new Uint8Array(1), () => undefined))).toEqual(tooLong);
  });

  test.each([1, 100, 1000])('F24 growth is linear in the bytes, in pieces of %i', (pieceBytes) => {
    const total = 200_000;
    const copiedFor = (maxLengthBytes: number) => {
      const decoder = new JsonLines({ maxLengthBytes });
      const piece = new Uint8Array(pieceBytes).fill(0x31);
      return copiedBytes(() => {
        for (let fed = 0; fed < total; fed += pieceBytes) decoder.push(piece, () => undefined);
      });
    };
    // Each byte once, and once more for each doubling: 1 + 1/2 + 1/4 + ...
    expect(copiedFor(total)).toBeLessThan(3 * total);
    expect(copiedFor(0x7fffffff)).toBeLessThan(3 * total);
  });
});

describe('F25 a frame that is null or undefined is a frame', () => {
  test('F25 pushed', () => {
    const frames: unknown[] = [];
    new JsonLines().push(bytesOf('1\nnull\nundefined\n2\n'), (frame) => frames.push(frame));
    expect(frames).toEqual([1, null, undefined, 2]);
  });

  test('F25 put together of several pieces', () => {
    const frames: unknown[] = [];
    const decoder = new JsonLines();
    for (const piece of ['nu', 'll\nunde', 'fined\n', '1\n'])
      decoder.push(bytesOf(piece), (frame) => frames.push(frame));
    expect(frames).toEqual([null, undefined, 1]);
  });

  test('F25 pulled: by iteration', async () => {
    const reader = new FrameReader(
      new PieceSource([bytesOf('null\n1\nnu'), bytesOf('ll\n')]),
      new JsonLines(),
    );
    const pull = async () => {
      const frames: unknown[] = [];
      for await (const frame of reader) frames.push(frame);
      return frames;
    };
    expect(await within(pull(), 'the frames')).toEqual([null, 1, null]);
  });

  test('F25 pulled: next() tells a null frame from the end', async () => {
    const reader = new FrameReader(new PieceSource([bytesOf('null\n')]), new JsonLines());
    expect(await within(reader.next(), 'the frame')).toEqual({ done: false, value: null });
    expect(await within(reader.next(), 'the end')).toEqual({ done: true, value: undefined });
  });

  test('F25 pulled: the types refuse read(), whose null is the end; it waits for nothing all the same', async () => {
    const reader = new FrameReader<unknown>(new PieceSource([bytesOf('null\n1\n')]), new JsonLines());
    // @ts-expect-error -- a frame of this reader may be null
    expect(await within(reader.read(), 'the frame')).toBeNull();
    // @ts-expect-error -- as read()
    expect(reader.tryRead()).toBe(1);
  });
});

test('the order of the calls: resetScan before a frame, its scans, toFrame with what they have left', () => {
  const calls: string[] = [];
  /** Of 'x;' it remembers the first byte. */
  class Recorder extends FrameDecoder<string> {
    #first = '';

    constructor() {
      super({}, 100);
      this.tailBytes = 1;
    }

    protected resetScan(): void {
      calls.push('reset');
      this.#first = '';
    }

    protected scan(piece: Uint8Array, from: number): number {
      calls.push(`scan ${from}`);
      if (this.#first === '') this.#first = String.fromCharCode(piece[from]!);
      return piece.indexOf(0x3b, from) + 1 || UNFINISHED;
    }

    protected toFrame(bytes: Uint8Array, start: number, end: number): string {
      calls.push(`frame ${this.#first}`);
      return Buffer.from(bytes.subarray(start, end)).toString();
    }
  }
  const decoder = new Recorder();
  for (const piece of ['ab;c', 'd', 'e;f']) decoder.push(bytesOf(piece), (frame) => calls.push(frame));
  expect(Buffer.from(decoder.takeBuffered()).toString()).toBe('f');
  decoder.push(bytesOf('g;'), (frame) => calls.push(frame));
  expect(calls).toEqual(
    [
      ['reset', 'scan 0', 'frame a', 'ab'],
      ['reset', 'scan 3', 'scan 0', 'scan 0', 'frame c', 'cde'],
      ['reset', 'scan 2'],
      ['reset', 'scan 0', 'frame g', 'g'],
    ].flat(),
  );
});

test('what toFrame throws leaves push; that frame is gone, the next ones are there', async () => {
  const decoder = new JsonLines();
  const frames: unknown[] = [];
  const push = (text: string) => decoder.push(bytesOf(text), (frame) => frames.push(frame));
  for (const pieces of [['1\n{\n2\n'], ['1\n', '{', '\n2\n']]) {
    expect(thrownBy(() => pieces.forEach(push)).name).toBe('SyntaxError');
    push('');
  }
  push('3\n');
  expect(frames).toEqual([1, 2, 1, 2, 3]);
  const reader = new FrameReader(new PieceSource([bytesOf('{\n1\n')]), new JsonLines());
  await expect(reader.next()).rejects.toThrow(SyntaxError);
  expect(await reader.next()).toEqual({ done: false, value: 1 });
});

describe('a scan that breaks its contract is found out, for good', () => {
  class Broken extends JsonLines {
    constructor(
      readonly gives: number,
      head = 0,
    ) {
      super();
      this.headBytes = head;
      this.tailBytes = 0;
    }

    protected override scan(): number {
      return this.gives;
    }
  }
  test.each([0, -2, 4, 0.5, NaN])('it gives %d for a piece of three bytes', (gives) => {
    const decoder = new Broken(gives);
    const push = () =>
      decoder.push(bytesOf('123'), () => {
        throw new Error('no frame is handed out');
      });
    expect(thrownBy(push)).toEqual(outOfRange);
    expect(thrownBy(push)).toEqual(outOfRange);
  });

  test('prefix and delimiter are longer than the frame', () => {
    expect(thrownBy(() => new Broken(3, 4).push(bytesOf('abc'), () => undefined))).toEqual(outOfRange);
    const frames: unknown[] = [];
    new Broken(3, 2).push(bytesOf('""1'), (frame) => frames.push(frame));
    expect(frames).toEqual([1]);
  });
});
