import { BufferedReader } from '#lib/net/framing/buffered-reader';
import { LengthPrefixedReader } from '#lib/net/framing/length-prefixed-reader';
import { LineReader } from '#lib/net/framing/line-reader';
import { invalidType, outOfRange, thrownBy } from '../../support/errors.js';
import { until } from '../../support/deadline.js';
import { copiedBytes } from './copied-bytes.js';
import { bytesOf, concat, PieceSource } from './pieces.js';

const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('latin1'));
const unexpectedEnd = { code: 'ERR_TRIPOLL_UNEXPECTED_END' };
const tooLong = { code: 'ERR_TRIPOLL_FRAME_TOO_LONG' };
const busy = { name: 'Error', code: 'ERR_TRIPOLL_BUSY' };

function readerOf(...pieces: string[]): { reader: BufferedReader; source: PieceSource } {
  const source = new PieceSource(pieces.map(bytesOf));
  return { reader: new BufferedReader(source), source };
}

/** Gives what the test says when it says so. */
class HeldSource {
  lent: Uint8Array | null = null;
  #settle: { resolve(received: number): void; reject(error: unknown): void } | null = null;

  read(buffer: Uint8Array): Promise<number> {
    expect(this.#settle).toBeNull();
    this.lent = buffer;
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  async give(bytes: string): Promise<void> {
    this.lent!.set(bytesOf(bytes));
    this.#take().resolve(bytes.length);
    await turn();
  }

  async fail(error: Error): Promise<void> {
    if (this.lent!.length > 0) this.lent!.fill(0xdb);
    this.#take().reject(error);
    await turn();
  }

  #take() {
    const settle = this.#settle!;
    this.#settle = null;
    return settle;
  }
}

const turn = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

test('too long is told by the byte that shows it', async () => {
  const source = new HeldSource();
  const reading = new BufferedReader(source).readLine({ maxLengthBytes: 3 });
  reading.catch(() => {});
  await source.give('abc');
  await source.give('d');
  await expect(reading).rejects.toMatchObject(tooLong);
});

test('a line that the end cuts off is no line, and no end', async () => {
  const { reader } = readerOf('ab');
  await expect(reader.readLine()).rejects.toMatchObject(unexpectedEnd);
  expect(text(await reader.readExactly(2))).toBe('ab');
  expect(await reader.readLine()).toBeNull();
});

test('its iterator is one that can be iterated', () => {
  const chunks = readerOf().reader[Symbol.asyncIterator]();
  expect(chunks[Symbol.asyncIterator]()).toBe(chunks);
});

test('lines, counted bytes and a rest, in any order: what RESP and HTTP need', async () => {
  const { reader, source } = readerOf(
    '*2\r\n$3\r\nfo',
    'o\r\n$0\r',
    '\n\r\nPOST /',
    ' HTTP/1.1\r\n\r\n{}tail',
  );
  expect(text(await reader.readLine())).toBe('*2');
  expect(await reader.readLine({ encoding: 'latin1' })).toBe('$3');
  expect(text(await reader.readExactly(3))).toBe('foo');
  expect(text(await reader.readLine())).toBe('');
  expect(await reader.readLine({ encoding: 'utf8' })).toBe('$0');
  expect(text(await reader.readExactly(0))).toBe('');
  expect(text(await reader.readExactly(2))).toBe('\r\n');
  expect(text(await reader.readUntil(bytesOf('\r\n\r\n')))).toBe('POST / HTTP/1.1');
  const body = new Uint8Array(2);
  expect(await reader.readExactly(body)).toBe(body);
  expect(text(body)).toBe('{}');
  expect(text(await reader.peek(3))).toBe('tai');
  expect(reader.bufferedBytes).toBe(4);
  const rest = new Uint8Array(10);
  expect(await reader.read(rest)).toBe(4);
  expect(text(rest.subarray(0, 4))).toBe('tail');
  expect([await reader.readLine(), await reader.readUntil(bytesOf('x')), await reader.read(rest)]).toEqual([
    null,
    null,
    0,
  ]);
  expect(source.reads).toBe(5);
});

test('what it gives is the caller’s own memory; only peek shows its own', async () => {
  const { reader } = readerOf('line\nuntil;exact', 'more', 'last');
  const kept = [await reader.readLine(), await reader.readUntil(bytesOf(';')), await reader.readExactly(5)];
  const peeked = await reader.peek(4);
  const chunk = (await reader[Symbol.asyncIterator]().next()).value!;
  expect(peeked.buffer.byteLength).toBeGreaterThan(4);
  await reader.read(new Uint8Array(1)); // overwrites the reader's memory
  expect([...kept, chunk].map((bytes) => text(bytes))).toEqual(['line', 'until', 'exact', 'more']);
  for (const bytes of [...kept, chunk]) expect(bytes!.buffer.byteLength).toBe(bytes!.length);
});

describe('readLine', () => {
  test('CR before LF is left out, elsewhere it stays', async () => {
    const { reader } = readerOf('a\rb\r\r\n\r\n\n');
    expect([text(await reader.readLine()), text(await reader.readLine())]).toEqual(['a\rb\r', '']);
    expect([text(await reader.readLine()), await reader.readLine()]).toEqual(['', null]);
  });

  test('a cut character, and what is no UTF-8', async () => {
    const euro = Buffer.from('€\n\xff', 'utf8');
    const source = new PieceSource([euro.subarray(0, 1), euro.subarray(1, 4), bytesOf('\xff\n')]);
    const reader = new BufferedReader(source);
    expect(await reader.readLine({ encoding: 'utf8' })).toBe('€');
    expect(await reader.readLine({ encoding: 'utf8' })).toBe('\ufffd');
  });

  test('a line that is too long stays, and can be read with another limit', async () => {
    for (const pieces of [['abcd\nx\n'], ['abc', 'd', '\nx\n']]) {
      const { reader } = readerOf(...pieces);
      await expect(reader.readLine({ maxLengthBytes: 3 })).rejects.toMatchObject(tooLong);
      await expect(reader.readLine({ maxLengthBytes: 3 })).rejects.toMatchObject(tooLong);
      expect(text(await reader.readLine({ maxLengthBytes: 4 }))).toBe('abcd');
      expect(text(await reader.readLine({ maxLengthBytes: 1 }))).toBe('x');
    }
  });

  test('without a limit of one’s own it is 64 KiB, and no more than a read above it is kept', async () => {
    const source = { read: (buffer: Uint8Array) => Promise.resolve(buffer.fill(0x78).length) };
    const reader = new BufferedReader(source);
    await expect(reader.readLine()).rejects.toMatchObject(tooLong);
    await expect(reader.readUntil(bytesOf('\r\n'))).rejects.toMatchObject(tooLong);
    expect(reader.bufferedBytes).toBeLessThanOrEqual(2 * 64 * 1024);
    const longest = new BufferedReader(new PieceSource([bytesOf(`${'x'.repeat(65_536)}\n`)]));
    expect(await longest.readLine()).toHaveLength(65_536);
  });
});

describe('readUntil', () => {
  test('a delimiter that is cut, and one that almost comes', async () => {
    const { reader } = readerOf('a-', '-b--', '->', 'c', '-', '-', '-', '-', '>');
    expect(text(await reader.readUntil(bytesOf('--->')))).toBe('a--b');
    expect(text(await reader.readUntil(bytesOf('--->')))).toBe('c-');
  });

  test('a part of a delimiter does not count as length, nor for the next call', async () => {
    const { reader } = readerOf('abc\r', '\nx');
    expect(text(await reader.readUntil(bytesOf('\r\n'), { maxLengthBytes: 3 }))).toBe('abc');
    const source = new HeldSource();
    const given = new BufferedReader(source);
    const first = given.readUntil(bytesOf('\r\n'));
    await source.give('a\r');
    const failed = expect(first).rejects.toThrow('for once');
    await source.fail(new Error('for once'));
    await failed;
    const second = given.readUntil(bytesOf('\n'));
    await source.give('\n');
    expect(text(await second)).toBe('a\r');
  });

  test('a long one, byte by byte: each byte is looked at once', async () => {
    const total = 20_000;
    const pieces = Array.from({ length: total }, () => bytesOf('a'));
    const reader = new BufferedReader(new PieceSource([...pieces, bytesOf('b')]));
    const { indexOf } = Uint8Array.prototype;
    let looked = 0;
    Uint8Array.prototype.indexOf = function (byte: number, from = 0) {
      looked += this.length - from;
      return indexOf.call(this, byte, from);
    };
    try {
      expect(await reader.readUntil(bytesOf('b'))).toHaveLength(total);
    } finally {
      // It is inherited.
      delete (Uint8Array.prototype as Partial<Uint8Array>).indexOf;
    }
    expect(looked).toBe(total + 1);
  });
});

describe('readExactly', () => {
  test('a length that was only announced allocates nothing', async () => {
    const source = new PieceSource([bytesOf('abc')]);
    const reader = new BufferedReader(source, { maxBufferedBytes: 0x7fffffff });
    await expect(reader.readExactly(0x7fffffff)).rejects.toMatchObject(unexpectedEnd);
    expect(source.largestBuffer).toBeLessThan(2 * 4096);
    expect(text(reader.takeBuffered())).toBe('abc');
  });

  test('more than maxBufferedBytes is refused before a byte is read; a buffer of one’s own may be longer', async () => {
    const { source } = readerOf('x'.repeat(300));
    const reader = new BufferedReader(source, { maxBufferedBytes: 100 });
    await expect(reader.readExactly(101)).rejects.toMatchObject(outOfRange);
    expect(source.reads).toBe(0);
    expect(await reader.readExactly(100)).toHaveLength(100);
    expect(await reader.readExactly(new Uint8Array(200))).toHaveLength(200);
  });

  test('a large buffer is filled by the source itself, a small rest by reading ahead', async () => {
    const source = new PieceSource([new Uint8Array(5000), new Uint8Array(5000), bytesOf('x'.repeat(100))]);
    const reader = new BufferedReader(source);
    const large = new Uint8Array(10_050);
    await reader.readExactly(large);
    expect([source.buffers.has(large.buffer), source.reads]).toEqual([true, 3]);
    expect(reader.bufferedBytes).toBe(50);
    expect(large.subarray(10_000).every((byte) => byte === 0x78)).toBe(true);
  });

  test.each([10, 10_000])(
    'the end in the middle of a buffer of %i: what came is there still',
    async (size) => {
      for (const pieces of [[], ['abc'], ['ab', 'c'], ['x'.repeat(5000), 'yz']]) {
        if (pieces.join('').length >= size) continue;
        const { reader } = readerOf(...pieces);
        await expect(reader.readExactly(new Uint8Array(size))).rejects.toMatchObject(unexpectedEnd);
        await expect(reader.readExactly(size)).rejects.toMatchObject(unexpectedEnd);
        expect(text(reader.takeBuffered())).toBe(pieces.join(''));
        expect(await reader.read(new Uint8Array(1))).toBe(0);
      }
    },
  );

  test('into a buffer: whatever fails in the middle, no byte is lost', async () => {
    for (const size of [10, 10_000]) {
      const source = new HeldSource();
      const reader = new BufferedReader(source);
      const failed = expect(reader.readExactly(new Uint8Array(size))).rejects.toThrow('for once');
      await source.give('ab');
      await source.give('cd');
      await source.fail(new Error('for once'));
      await failed;
      expect(reader.bufferedBytes).toBe(4);
      const line = reader.readLine();
      await source.give('e\n');
      expect(text(await line)).toBe('abcde');
    }
  });

  test('a buffer that is transferred away meanwhile: an error with a code, and what the reader has stays', async () => {
    const source = new HeldSource();
    const reader = new BufferedReader(source);
    const buffer = new Uint8Array(10);
    const failed = expect(reader.readExactly(buffer)).rejects.toMatchObject(outOfRange);
    await source.give('ab');
    structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
    await source.give('cd');
    await failed;
    expect(text(reader.takeBuffered())).toBe('cd');
  });

  test('a buffer that is transferred away while the source fills it: the source’s own error', async () => {
    const source = new HeldSource();
    const reader = new BufferedReader(source);
    const buffer = new Uint8Array(10_000);
    const failed = expect(reader.readExactly(buffer)).rejects.toThrow('detached');
    structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
    await source.fail(new Error('detached'));
    await failed;
    const line = reader.readLine();
    await source.give('a\n');
    expect(text(await line)).toBe('a');
  });
});

describe('peek and unread', () => {
  test('peek waits for as many as were asked for, or the end', async () => {
    const { reader, source } = readerOf('a', 'bc', 'd');
    expect(text(await reader.peek(0))).toBe('');
    expect(source.reads).toBe(0);
    expect(text(await reader.peek(3))).toBe('abc');
    expect(text(await reader.peek(9))).toBe('abcd');
    expect(text(await reader.readExactly(4))).toBe('abcd');
    expect(await reader.peek(1)).toHaveLength(0);
  });

  test('unread: in front of all else, also at the end, more than was read, and bit by bit', async () => {
    const { reader } = readerOf('cd');
    reader.unread(bytesOf('b'));
    reader.unread(bytesOf('a'));
    expect(text(await reader.readExactly(3))).toBe('abc');
    reader.unread(bytesOf('c'));
    expect(text(await reader.readExactly(2))).toBe('cd');
    expect(await reader.read(new Uint8Array(1))).toBe(0);
    reader.unread(bytesOf('late\n'));
    expect(text(await reader.readLine())).toBe('late');
    expect(await reader.readLine()).toBeNull();
  });

  test('unread byte by byte is linear, however it is mixed with reads', async () => {
    const { reader } = readerOf();
    const copied = copiedBytes(() => {
      for (let i = 0; i < 50_000; i++) reader.unread(bytesOf('x'));
    });
    expect(copied).toBeLessThan(5 * 50_000);
    expect(await reader.readExactly(50_000)).toHaveLength(50_000);
  });

  test('unread is bounded by maxBufferedBytes', () => {
    const reader = new BufferedReader(new PieceSource([]), { maxBufferedBytes: 3 });
    reader.unread(bytesOf('ab'));
    expect(thrownBy(() => reader.unread(bytesOf('xy')))).toEqual(outOfRange);
    reader.unread(bytesOf('x'));
    expect(text(reader.takeBuffered())).toBe('xab');
  });
});

describe('the source', () => {
  test('what is here already costs no read of it, and its end is asked for once', async () => {
    const { reader, source } = readerOf('a\nb\ncd');
    await reader.readLine();
    await reader.readLine();
    await reader.readExactly(1);
    await reader.peek(1);
    await reader.read(new Uint8Array(9));
    expect(source.reads).toBe(1);
    for (let i = 0; i < 3; i++) expect(await reader.readLine()).toBeNull();
    expect(source.reads).toBe(2);
  });

  test('read() reads ahead for a small buffer, and directly into a large one', async () => {
    const source = new PieceSource([bytesOf('abcdef'), bytesOf('gh')]);
    const reader = new BufferedReader(source);
    const small = new Uint8Array(2);
    expect([await reader.read(small), text(small)]).toEqual([2, 'ab']);
    expect(reader.bufferedBytes).toBe(4);
    const large = new Uint8Array(8192);
    // What has come already, and no waiting for more.
    expect(await reader.read(large)).toBe(4);
    expect(await reader.read(large)).toBe(2);
    expect([text(large.subarray(0, 2)), source.buffers.has(large.buffer)]).toEqual(['gh', true]);
  });

  test('its reads begin with a page, and grow to 64 KiB only for those who fill them', async () => {
    const slow = new PieceSource(Array.from({ length: 100 }, () => bytesOf(`${'x'.repeat(1000)}\n`)));
    const lines = new BufferedReader(slow);
    while ((await lines.readLine()) !== null);
    expect(slow.largestBuffer).toBe(4096);
    const fast = new PieceSource([new Uint8Array(1024 * 1024)]);
    let received = 0;
    for await (const chunk of new BufferedReader(fast)) received += chunk.length;
    expect([received, fast.largestBuffer]).toEqual([1024 * 1024, 64 * 1024]);
  });

  test('memory that a large read needed is given up again', async () => {
    const line = bytesOf(`${'y'.repeat(1000)}\n`);
    const source = new PieceSource([new Uint8Array(1_000_000), ...new Array<Uint8Array>(20).fill(line)]);
    const reader = new BufferedReader(source);
    await reader.readExactly(1_000_000);
    while ((await reader.readLine()) !== null);
    expect((await reader.peek(0)).buffer.byteLength).toBeLessThanOrEqual(128 * 1024);
  });

  test('one that claims more than it was asked for, or nonsense, is found out', async () => {
    for (const claim of [4097, -1, 0.5, NaN, undefined]) {
      const reader = new BufferedReader({ read: () => Promise.resolve(claim as number) });
      await expect(reader.readLine()).rejects.toMatchObject(claim === undefined ? invalidType : outOfRange);
      expect(reader.bufferedBytes).toBe(0);
    }
  });

  test('it may throw instead of rejecting', async () => {
    const reader = new BufferedReader({
      read: () => {
        throw new Error('at once');
      },
    });
    await expect(reader.readLine()).rejects.toThrow('at once');
    await expect(reader.read(new Uint8Array(1))).rejects.toThrow('at once');
  });

  test('options go on to it, with what is left of the time', async () => {
    const seen: (number | undefined)[] = [];
    const { signal } = new AbortController();
    const pieces = ['a', 'b', 'c\n', 'defg'];
    const source = {
      read: async (buffer: Uint8Array, options?: { signal?: AbortSignal; timeoutMs?: number }) => {
        await new Promise((resolve) => {
          setTimeout(resolve, 2);
        });
        seen.push(options?.timeoutMs);
        expect([options?.signal, Object.keys(options ?? {})]).toEqual([signal, ['signal', 'timeoutMs']]);
        const piece = pieces.shift() ?? '';
        buffer.set(bytesOf(piece));
        return piece.length;
      },
    };
    const reader = new BufferedReader(source);
    expect(await reader.readLine({ signal, timeoutMs: 1000, maxLengthBytes: 9, encoding: 'utf8' })).toBe(
      'abc',
    );
    expect(text(await reader.readExactly(new Uint8Array(4), { signal, timeoutMs: 5000 }))).toBe('defg');
    expect(seen[0]).toBeLessThanOrEqual(1000);
    expect(seen[2]).toBeLessThan(seen[0]!);
    expect(seen[3]).toBeLessThanOrEqual(5000);
    expect(seen[3]).toBeGreaterThan(1000);
  });
});

test('the time is up between two reads of the source: it is asked with 0, never with less', async () => {
  const seen: (number | undefined)[] = [];
  const source = {
    // It takes no notice of timeoutMs.
    read: async (buffer: Uint8Array, options?: { timeoutMs?: number }) => {
      seen.push(options?.timeoutMs);
      const end = performance.now() + 3;
      await until(() => performance.now() > end, 'three milliseconds');
      buffer[0] = seen.length < 3 ? 0x61 : 0x0a;
      return 1;
    },
  };
  const reader = new BufferedReader(source);
  expect(text(await reader.readLine({ timeoutMs: 2 }))).toBe('aa');
  expect(seen.slice(1)).toEqual([0, 0]);
});

describe('one call at a time', () => {
  test('a second one is refused, and takes nothing from the first', async () => {
    const source = new HeldSource();
    const reader = new BufferedReader(source);
    const first = reader.readLine();
    const others = [
      reader.readLine(),
      reader.readUntil(bytesOf('x')),
      reader.readExactly(1),
      reader.readExactly(new Uint8Array(1)),
      reader.read(new Uint8Array(1)),
      reader.peek(1),
      reader[Symbol.asyncIterator]().next(),
    ];
    for (const other of others) await expect(other).rejects.toMatchObject(busy);
    expect(thrownBy(() => reader.unread(bytesOf('x')))).toEqual(busy);
    expect(thrownBy(() => reader.takeBuffered())).toEqual(busy);
    await source.give('a\n');
    expect(text(await first)).toBe('a');
    const into = reader.read(new Uint8Array(1));
    await expect(reader.readLine()).rejects.toMatchObject(busy);
    await source.give('b');
    expect(await into).toBe(1);
  });
});

describe('iteration', () => {
  test('chunks as they come, from what was left, and on after a loop that was left', async () => {
    const { reader } = readerOf('a\nbc', 'de', 'f');
    await reader.readLine();
    const chunks: string[] = [];
    for await (const chunk of reader) {
      chunks.push(text(chunk)!);
      if (chunks.length === 2) break;
    }
    for await (const chunk of reader) chunks.push(text(chunk)!);
    expect(chunks).toEqual(['bc', 'de', 'f']);
  });

  test('it is a source: frames after a line, and lines after frames', async () => {
    const { reader } = readerOf('hello\n\x02hi', '\x01!rest\n');
    expect(text(await reader.readLine())).toBe('hello');
    const frames = new LengthPrefixedReader(reader, { lengthBytes: 1 });
    expect([text(await frames.read()), text(await frames.read())]).toEqual(['hi', '!']);
    reader.unread(frames.takeBuffered());
    expect(await new LineReader(reader, { encoding: 'utf8' }).read()).toBe('rest');
  });
});

test('wrong arguments', async () => {
  const { reader, source } = readerOf('abc\n');
  expect(thrownBy(() => new BufferedReader({} as never))).toEqual(invalidType);
  expect(thrownBy(() => new BufferedReader(null as never))).toEqual(invalidType);
  expect(thrownBy(() => new BufferedReader(source, null as never))).toEqual(invalidType);
  for (const maxBufferedBytes of [0, 1.5, 2 ** 31])
    expect(thrownBy(() => new BufferedReader(source, { maxBufferedBytes }))).toEqual(outOfRange);
  expect(thrownBy(() => reader.unread('x' as never))).toEqual(invalidType);
  const calls: [Promise<unknown>, object][] = [
    [reader.readLine(null as never), invalidType],
    [reader.readLine({ encoding: 'utf16le' as never }), outOfRange],
    [reader.readLine({ maxLengthBytes: 0 }), outOfRange],
    [reader.readLine({ timeoutMs: -1 }), outOfRange],
    [reader.readLine({ signal: 1 as never }), invalidType],
    [reader.readLine({ signal: AbortSignal.abort() }), { code: 'ABORT_ERR' }],
    [reader.readUntil('\n' as never), invalidType],
    [reader.readUntil(new Uint8Array(0)), outOfRange],
    [reader.readUntil(bytesOf('x'), null as never), invalidType],
    [reader.readExactly('3' as never), invalidType],
    [reader.readExactly(-1), outOfRange],
    [reader.readExactly(1.5), outOfRange],
    [reader.readExactly(1, { timeoutMs: NaN }), outOfRange],
    [reader.readExactly(new Uint8Array(1), { timeoutMs: NaN }), outOfRange],
    [reader.read('x' as never), invalidType],
    [reader.read(new Uint8Array(0)), outOfRange],
    [reader.peek('1' as never), invalidType],
    [reader.peek(2 ** 31), outOfRange],
  ];
  for (const [call, expected] of calls) await expect(call).rejects.toMatchObject(expected);
  expect(source.reads).toBe(0);
  expect(concat([(await reader.readLine())!])).toEqual(bytesOf('abc'));
});
