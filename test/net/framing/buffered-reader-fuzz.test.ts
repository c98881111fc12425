// Random calls of a BufferedReader on a stream cut at random places, by a source that fails now and
// then, against a naive reference that has the whole stream at once.
import { BufferedReader } from '#lib/net/framing/buffered-reader';
import { Random, testSeed } from '../../support/random.js';
import { bytesOf, cut, PieceSource } from './pieces.js';

const CASES = 100;
const MAX_BUFFERED_BYTES = 6000;
const DELIMITERS = ['\n', '\r\n', 'aab', 'abab', 'aa'];

/** A PieceSource of which a read fails now and then, having written nonsense. */
class FlakySource extends PieceSource {
  readonly #random: Random;

  constructor(pieces: readonly Uint8Array[], random: Random) {
    super(pieces);
    this.#random = random;
  }

  override read(buffer: Uint8Array): Promise<number> {
    if (this.#random.below(4) > 0) return super.read(buffer);
    buffer.fill(0xdb);
    return Promise.reject(new Error('for once'));
  }
}

/** What a call gives: a text, null, or the code of an error. */
type Outcome = string | null;
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const UNEXPECTED_END = 'ERR_TRIPOLL_UNEXPECTED_END';
const TOO_LONG = 'ERR_TRIPOLL_FRAME_TOO_LONG';

/** All that is still to come, as a text; each call takes from its front. */
class Reference {
  constructor(public rest: string) {}

  take(lengthBytes: number): string {
    const taken = this.rest.slice(0, lengthBytes);
    this.rest = this.rest.slice(lengthBytes);
    return taken;
  }

  until(delimiter: string, maxLengthBytes: number): Outcome {
    const at = this.rest.indexOf(delimiter);
    const isTooLong = at === -1 ? this.rest.length >= maxLengthBytes + delimiter.length : at > maxLengthBytes;
    if (isTooLong) return TOO_LONG;
    if (at === -1) return this.rest === '' ? null : UNEXPECTED_END;
    return this.take(at + delimiter.length).slice(0, at);
  }

  line(maxLengthBytes: number): Outcome {
    const line = this.until('\n', maxLengthBytes);
    return line === null || line === TOO_LONG || line === UNEXPECTED_END ? line : line.replace(/\r$/, '');
  }

  exactly(lengthBytes: number): Outcome {
    return this.rest.length < lengthBytes ? UNEXPECTED_END : this.take(lengthBytes);
  }
}

/** Tries again as long as the source fails: that has to take nothing. */
async function outcome(call: () => Promise<Uint8Array | string | null>): Promise<Outcome> {
  for (;;) {
    try {
      const result = await call();
      return result === null || typeof result === 'string' ? result : latin1(result);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (message !== 'for once') return code ?? message;
    }
  }
}

interface Case {
  readonly reader: BufferedReader;
  readonly reference: Reference;
  readonly random: Random;
}

/** As many bytes as came, which only the reader knows; they must be the next ones. */
async function expectSome({ reference }: Case, most: number, call: () => Promise<Uint8Array>): Promise<void> {
  const got = await outcome(call);
  if (reference.rest === '') expect(got).toBe('');
  else {
    expect(got!.length).toBeGreaterThan(0);
    expect(got!.length).toBeLessThanOrEqual(most);
    expect(got).toBe(reference.take(got!.length));
  }
}

const sizeOf = (random: Random) => random.pick([0, 1, 2, random.below(30), random.below(6000), 4096]);

const steps: ((made: Case) => Promise<void> | void)[] = [
  async ({ reader, reference, random }) => {
    const maxLengthBytes = 1 + sizeOf(random);
    const encoding = random.pick(['latin1', undefined] as const);
    expect(await outcome(() => reader.readLine({ maxLengthBytes, encoding }))).toBe(
      reference.line(maxLengthBytes),
    );
  },
  async ({ reader, reference, random }) => {
    const delimiter = random.pick(DELIMITERS);
    const maxLengthBytes = 1 + sizeOf(random);
    expect(await outcome(() => reader.readUntil(bytesOf(delimiter), { maxLengthBytes }))).toBe(
      reference.until(delimiter, maxLengthBytes),
    );
  },
  async ({ reader, reference, random }) => {
    const size = sizeOf(random);
    expect(await outcome(() => reader.readExactly(size))).toBe(reference.exactly(size));
  },
  async ({ reader, reference, random }) => {
    const buffer = new Uint8Array(sizeOf(random) * random.pick([1, 3]));
    expect(await outcome(() => reader.readExactly(buffer))).toBe(reference.exactly(buffer.length));
  },
  async ({ reader, reference, random }) => {
    const size = sizeOf(random);
    expect(await outcome(() => reader.peek(size))).toBe(reference.rest.slice(0, size));
  },
  (made) => {
    const buffer = new Uint8Array(1 + sizeOf(made.random));
    return expectSome(made, buffer.length, async () => buffer.subarray(0, await made.reader.read(buffer)));
  },
  (made) =>
    expectSome(made, Infinity, async () => {
      const { value } = await made.reader[Symbol.asyncIterator]().next();
      return value ?? new Uint8Array(0);
    }),
  ({ reader, reference, random }) => {
    const bytes = bytesOf('\nab\r'.repeat(1 + random.below(20)).slice(random.below(4)));
    if (reader.bufferedBytes + bytes.length > MAX_BUFFERED_BYTES) return;
    reader.unread(bytes);
    reference.rest = latin1(bytes) + reference.rest;
    bytes.fill(0); // it was copied
  },
  ({ reader, reference, random }) => {
    if (random.below(5) > 0) return;
    const taken = latin1(reader.takeBuffered());
    expect(taken).toBe(reference.take(taken.length));
  },
];

function makeCase(random: Random): Case {
  const alphabet = random.pick(['ab\r\n', 'aab\n', 'abcdefghijklmnopqrstuvwxyz\n']);
  const length = random.pick([random.below(50), random.below(1000), random.below(9000)]);
  const stream = Uint8Array.from({ length }, () => alphabet.charCodeAt(random.below(alphabet.length)));
  const source = new FlakySource(cut(stream, random), random);
  const reader = new BufferedReader(source, { maxBufferedBytes: MAX_BUFFERED_BYTES });
  return { reader, reference: new Reference(latin1(stream)), random };
}

async function run(made: Case): Promise<void> {
  const { reader, reference, random } = made;
  for (let step = 0; step < 60; step++) await random.pick(steps)(made);
  expect(await outcome(() => reader.readExactly(new Uint8Array(reference.rest.length)))).toBe(reference.rest);
  expect([reader.bufferedBytes, await outcome(() => reader.readLine())]).toEqual([0, null]);
}

test(`${CASES} random programs: the reference’s answers, and each byte once`, async () => {
  for (let i = 0; i < CASES; i++) {
    const seed = testSeed() + i;
    try {
      await run(makeCase(new Random(seed)));
    } catch (error) {
      throw new Error(`with the seed ${seed} (TRIPOLL_TEST_SEED)`, { cause: error });
    }
  }
});
