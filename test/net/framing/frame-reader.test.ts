import { DelimiterReader } from '#lib/net/framing/delimiter-reader';
import { FrameReader } from '#lib/net/framing/frame-reader';
import { LengthPrefixedReader } from '#lib/net/framing/length-prefixed-reader';
import { LineDecoder } from '#lib/net/framing/line-decoder';
import { LineReader } from '#lib/net/framing/line-reader';
import { thrownBy } from '../../support/errors.js';
import { connectedPair } from './connected-pair.js';
import { bytesOf, PieceSource } from './pieces.js';

const text = (frame: Uint8Array | null) => (frame === null ? null : Buffer.from(frame).toString('latin1'));
const busy = { name: 'Error', code: 'ERR_TRIPOLL_BUSY' };
const never = () => new Promise<number>(() => {});

test('frames, then null, as often as one asks; the source is asked for its end once', async () => {
  const source = new PieceSource([bytesOf('a\r\nb'), bytesOf('\n')]);
  const reader = new LineReader(source, { encoding: 'latin1' });
  expect([await reader.read(), await reader.read(), await reader.read(), await reader.read()]).toEqual([
    'a',
    'b',
    null,
    null,
  ]);
  expect(source.reads).toBe(3);
});

test('each kind of reader is its decoder over a source', async () => {
  const lines = new LineReader(new PieceSource([bytesOf('a\n')]));
  expect(text(await lines.read())).toBe('a');
  const parts = new DelimiterReader(new PieceSource([bytesOf('a--b--')]), bytesOf('--'));
  expect([text(await parts.read()), text(await parts.read())]).toEqual(['a', 'b']);
  const frames = new LengthPrefixedReader(new PieceSource([bytesOf('\x00\x02hi')]), { lengthBytes: 2 });
  expect(text(await frames.read())).toBe('hi');
});

test('the end inside a frame is an error, after the whole ones, and for good', async () => {
  for (const rest of ['x', 'xyz\r']) {
    const reader = new LineReader(new PieceSource([bytesOf(`a\n${rest}`)]));
    expect(text(await reader.read())).toBe('a');
    await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TRIPOLL_UNEXPECTED_END' });
    await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TRIPOLL_UNEXPECTED_END' });
  }
});

test('a frame that is too long is an error for good: the source is asked for no more', async () => {
  const source = new PieceSource([bytesOf('abcd'), bytesOf('\nx\n')]);
  const reader = new LineReader(source, { maxLengthBytes: 2 });
  for (let i = 0; i < 3; i++)
    await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TRIPOLL_FRAME_TOO_LONG' });
  expect(source.reads).toBe(1);
});

test('an empty stream has no frames; an empty frame is one', async () => {
  expect(await new LineReader(new PieceSource([])).read()).toBeNull();
  const zero = new LengthPrefixedReader(new PieceSource([new Uint8Array(4)]));
  expect(text(await zero.read())).toBe('');
  expect(await zero.read()).toBeNull();
});

test('frames that are here already cost no read of the source', async () => {
  const source = new PieceSource([bytesOf('a\nb\nc\nd')], never);
  const reader = new LineReader(source, { encoding: 'latin1' });
  expect(await reader.read()).toBe('a');
  expect(await reader.read()).toBe('b');
  expect([reader.tryRead(), reader.tryRead()]).toEqual(['c', null]);
  expect(source.reads).toBe(1);
});

test('a second read while one waits is refused, and takes nothing from the first', async () => {
  let arrive: (received: number) => void = () => undefined;
  let lent = new Uint8Array(0) as Uint8Array;
  const source = {
    read: (buffer: Uint8Array) => {
      lent = buffer;
      return new Promise<number>((resolve) => {
        arrive = resolve;
      });
    },
  };
  const reader = new LineReader(source, { encoding: 'latin1' });
  const first = reader.read();
  await expect(reader.read()).rejects.toMatchObject(busy);
  expect(thrownBy(() => reader.tryRead())).toEqual(busy);
  expect(thrownBy(() => reader.takeBuffered())).toEqual(busy);
  lent.set(bytesOf('a\n'));
  arrive(2);
  expect(await first).toBe('a');
});

test('what the source rejects with is passed on, and what has come stays', async () => {
  let reads = 0;
  const source = {
    read: (buffer: Uint8Array) => {
      reads++;
      if (reads === 2) return Promise.reject(new Error('for once'));
      buffer.set(bytesOf(reads === 1 ? 'ab' : 'c\n'));
      return Promise.resolve(2);
    },
  };
  const reader = new LineReader(source, { encoding: 'latin1' });
  await expect(reader.read()).rejects.toThrow('for once');
  expect(await reader.read()).toBe('abc');
});

test('a source that claims more than it was asked for is found out', async () => {
  const source = { read: (buffer: Uint8Array) => Promise.resolve(buffer.length + 1) };
  await expect(new LineReader(source).read()).rejects.toMatchObject({ code: 'ERR_TRIPOLL_OUT_OF_RANGE' });
});

test('its buffer begins with a page, and grows to 64 KiB, only for those who fill it', async () => {
  const slow = new PieceSource(Array.from({ length: 100 }, () => bytesOf(`${'x'.repeat(1000)}\n`)));
  for await (const line of new LineReader(slow)) expect(line).toHaveLength(1000);
  expect(slow.largestBuffer).toBe(4096);
  const piece = bytesOf(`${'x'.repeat(63)}\n`.repeat(16 * 1024));
  const fast = new PieceSource([piece]);
  let lines = 0;
  for await (const line of new LineReader(fast)) lines += 1 + line.length;
  expect([lines, fast.largestBuffer]).toEqual([1024 * 1024, 64 * 1024]);
});

test('no read is larger for a length that was only announced', async () => {
  const source = new PieceSource([new Uint8Array([0x7f, 0xff, 0xff, 0xff]), bytesOf('abc')]);
  const reader = new LengthPrefixedReader(source, { maxLengthBytes: 0x7fffffff });
  await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TRIPOLL_UNEXPECTED_END' });
  expect(source.largestBuffer).toBe(4096);
});

test('a loop that is left can be gone on with', async () => {
  const reader = new FrameReader(
    new PieceSource([bytesOf('a\nb\nc\n')]),
    new LineDecoder({ encoding: 'latin1' }),
  );
  for await (const line of reader) if (line === 'b') break;
  expect(await reader.read()).toBe('c');
});

test('what follows a frame is for another protocol to take', async () => {
  const reader = new LineReader(new PieceSource([bytesOf('head\nbody')]), { encoding: 'latin1' });
  expect(await reader.read()).toBe('head');
  expect(text(reader.takeBuffered())).toBe('body');
  expect(await reader.read()).toBeNull();
});

test('options go on to the source, with what is left of the time', async () => {
  const seen: (number | undefined)[] = [];
  const { signal } = new AbortController();
  const pieces = [bytesOf('a'), bytesOf('b\n')];
  const source = {
    read: async (buffer: Uint8Array, options?: { signal?: AbortSignal; timeoutMs?: number }) => {
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
      seen.push(options?.timeoutMs);
      expect(options?.signal).toBe(signal);
      const piece = pieces.shift() ?? bytesOf('');
      buffer.set(piece);
      return piece.length;
    },
  };
  expect(text(await new LineReader(source).read({ signal, timeoutMs: 1000 }))).toBe('ab');
  expect(seen[0]).toBeLessThanOrEqual(1000);
  expect(seen[1]).toBeLessThan(seen[0]!);
});

describe('over TCP', () => {
  test('lines and deadlines: a read that timed out has lost nothing', async () => {
    const { client, stream } = await connectedPair();
    const reader = new LineReader(stream, { encoding: 'utf8' });
    await client.writeAll(bytesOf('one\ntw'));
    expect(await reader.read()).toBe('one');
    await expect(reader.read({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
    const controller = new AbortController();
    const aborted = reader.read({ signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'ABORT_ERR' });
    await client.writeAll(bytesOf('o\n'));
    client.end();
    expect(await reader.read()).toBe('two');
    expect(await reader.read()).toBeNull();
    client.close();
    stream.close();
  });
});
