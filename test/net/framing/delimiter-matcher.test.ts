// The matcher by itself, against indexOf: delimiters that begin like themselves again, in bytes that
// come in every cut.
import { DelimiterMatcher } from '#lib/net/framing/delimiter-matcher';
import { UNFINISHED } from '#lib/net/framing/frame-decoder';
import { invalidType, outOfRange, thrownBy } from '../../support/errors.js';

/** All words of `a` and `b` of a length. */
function wordsOf(length: number): string[] {
  return Array.from({ length: 2 ** length }, (_, n) =>
    n.toString(2).padStart(length, '0').replaceAll('0', 'a').replaceAll('1', 'b'),
  );
}

/** Where each delimiter of `text` ends, which comes in pieces of `size` bytes. */
function endsIn(matcher: DelimiterMatcher, text: string, size: number): number[] {
  const ends: number[] = [];
  for (let start = 0; start < text.length; start += size) {
    const piece = Buffer.from(text.slice(start, start + size));
    for (let from = 0; from < piece.length;) {
      const end = matcher.find(piece, from);
      if (end === UNFINISHED) break;
      ends.push(start + end);
      matcher.reset();
      from = end;
    }
  }
  return ends;
}

function expectedEnds(delimiter: string, text: string): number[] {
  const ends: number[] = [];
  for (let at = text.indexOf(delimiter); at !== -1; at = text.indexOf(delimiter, ends.at(-1)))
    ends.push(at + delimiter.length);
  return ends;
}

test.each([1, 2, 3, 4, 5])('all delimiters of %i bytes, in all texts of 9, in all cuts', (length) => {
  for (const delimiter of wordsOf(length)) {
    const matcher = new DelimiterMatcher(Buffer.from(delimiter));
    expect(matcher.lengthBytes).toBe(length);
    for (const text of wordsOf(9)) {
      const wanted = expectedEnds(delimiter, text);
      for (const size of [1, 2, 4, 9]) {
        matcher.reset();
        const ends = endsIn(matcher, text, size);
        // Of so many only what is wrong is worth an expect.
        if (ends.join() !== wanted.join()) expect({ delimiter, text, size, ends }).toEqual(wanted);
      }
    }
  }
});

test('one with two ways back', () => {
  const delimiter = 'aabaabaaa';
  const text = `aab${delimiter}aabaab${delimiter}`;
  for (const size of [1, 3, 5, text.length]) {
    const matcher = new DelimiterMatcher(Buffer.from(delimiter));
    expect(endsIn(matcher, text, size)).toEqual(expectedEnds(delimiter, text));
  }
});

test('reset() forgets what has matched', () => {
  const matcher = new DelimiterMatcher(Buffer.from('ab'));
  expect(matcher.find(Buffer.from('a'), 0)).toBe(UNFINISHED);
  matcher.reset();
  expect(matcher.find(Buffer.from('b'), 0)).toBe(UNFINISHED);
});

test('the delimiter is copied, and checked', () => {
  const delimiter = Buffer.from('\n');
  const matcher = new DelimiterMatcher(delimiter);
  delimiter.fill(0);
  expect(matcher.find(Buffer.from('x\n'), 0)).toBe(2);
  expect(thrownBy(() => new DelimiterMatcher(new Uint8Array(0)))).toEqual(outOfRange);
  expect(thrownBy(() => new DelimiterMatcher('\n' as never))).toEqual(invalidType);
});
