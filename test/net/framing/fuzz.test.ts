// Random frames, cut at random places, against a naive reference: each format, pushed and pulled.
import { FrameReader } from '#lib/net/framing/frame-reader';
import { Random, testSeed } from '../../support/random.js';
import { concat, cut, PieceSource } from './pieces.js';
import { formats, type Format } from './formats.js';

const CASES = 150;
/** Strings: Jest compares arrays byte by byte, in seconds. */
const texts = (frames: readonly Uint8Array[]) => frames.map((frame) => Buffer.from(frame).toString('latin1'));

interface Case {
  readonly stream: Uint8Array;
  readonly pieces: Uint8Array[];
  readonly frames: Uint8Array[];
  readonly rest: Uint8Array;
}

function makeCase(format: Format, random: Random): Case {
  const payloads = Array.from({ length: random.below(12) }, () => format.payload(random));
  const whole = concat(payloads.map((payload) => format.encode(payload, random)));
  // One in three ends somewhere in the middle.
  const stream = random.below(3) === 0 ? whole.slice(0, random.below(whole.length + 1)) : whole;
  const { frames, rest } = format.decode(stream);
  if (stream === whole) expect([texts(frames), rest.length]).toEqual([texts(payloads), 0]); // the reference itself
  return { stream, pieces: cut(stream, random), frames, rest };
}

function forEachCase(
  format: Format,
  check: (made: Case, random: Random) => void | Promise<void>,
): () => Promise<void> {
  return async () => {
    for (let i = 0; i < CASES; i++) {
      const seed = testSeed() + i;
      const random = new Random(seed);
      try {
        await check(makeCase(format, random), random);
      } catch (error) {
        throw new Error(`with the seed ${seed} (TRIPOLL_TEST_SEED)`, { cause: error });
      }
    }
  };
}

async function outcome(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

describe.each(formats)('$name', (format) => {
  test(
    'pushed: the reference’s frames, whatever the cuts',
    forEachCase(format, async ({ pieces, frames, rest }, random) => {
      const decoder = format.open();
      const got: Uint8Array[] = [];
      for (const piece of pieces) {
        const lent = piece.slice();
        decoder.push(lent, (frame) => got.push(frame.slice()));
        lent.fill(random.below(256)); // borrowed: what was kept of it must be a copy
      }
      expect(texts(got)).toEqual(texts(frames));
      expect(decoder.partialBytes).toBe(rest.length);
      expect(await outcome(() => decoder.end())).toBe(
        rest.length > 0 ? 'ERR_TRIPOLL_UNEXPECTED_END' : undefined,
      );
    }),
  );

  test(
    'pulled: the same, by read(), by tryRead() and by iteration',
    forEachCase(format, async ({ pieces, frames, rest }, random) => {
      const copy = random.below(2) === 0;
      const reader = new FrameReader(new PieceSource(pieces), format.open({ copy }));
      const got: Uint8Array[] = [];
      const take = (frame: Uint8Array) => got.push(copy ? frame : frame.slice());
      const pull = async () => {
        if (random.below(2) === 0) for await (const frame of reader) take(frame);
        for (let frame = await reader.read(); frame !== null; frame = await reader.read()) {
          take(frame);
          for (let here = reader.tryRead(); here !== null; here = reader.tryRead()) take(here);
        }
        return null;
      };
      const expected = rest.length > 0 ? 'ERR_TRIPOLL_UNEXPECTED_END' : null;
      expect(await outcome(pull)).toBe(expected);
      expect(texts(got)).toEqual(texts(frames));
      expect(await outcome(() => reader.read())).toBe(expected); // and so for good
    }),
  );

  test(
    'taken over in the middle: what was taken and what still came are the rest of the stream',
    forEachCase(format, ({ stream, pieces, frames }, random) => {
      const decoder = format.open();
      const stopAfter = random.below(frames.length + 1);
      let seen = 0;
      let other: Uint8Array | null = stopAfter === 0 ? new Uint8Array(0) : null;
      for (const piece of pieces) {
        if (other !== null) {
          other = concat([other, piece]);
          continue;
        }
        decoder.push(piece, () => {
          if (++seen === stopAfter) other = decoder.takeBuffered();
        });
      }
      const rest = other ?? new Uint8Array(0);
      expect(texts(format.decode(rest).frames)).toEqual(texts(frames.slice(stopAfter)));
      expect(texts([stream.slice(stream.length - rest.length)])).toEqual(texts([rest]));
    }),
  );

  test(
    'a handler that throws loses no bytes and no place',
    forEachCase(format, ({ pieces, frames }, random) => {
      const decoder = format.open();
      const got: Uint8Array[] = [];
      const boom = new Error('boom');
      const onFrame = (frame: Uint8Array) => {
        got.push(frame.slice());
        if (random.below(3) === 0) throw boom;
      };
      const pushed = (chunk: Uint8Array) => {
        try {
          decoder.push(chunk, onFrame);
          return true;
        } catch (error) {
          expect(error).toBe(boom);
          return false;
        }
      };
      for (const piece of pieces) {
        pushed(piece);
        piece.fill(0xdb);
      }
      while (!pushed(new Uint8Array(0)));
      expect(texts(got)).toEqual(texts(frames));
    }),
  );
});
