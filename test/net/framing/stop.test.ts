// A handler that says stop: what has come is kept, in order and within a bound, until somebody says
// go on.
import { FrameReader } from '#lib/net/framing/frame-reader';
import { LengthPrefixedDecoder } from '#lib/net/framing/length-prefixed-decoder';
import { LineDecoder } from '#lib/net/framing/line-decoder';
import { listen, TcpStream, type TcpConnection } from 'tripoll/net';
import { invalidType, thrownBy } from '../../support/errors.js';
import { until, within } from '../../support/deadline.js';
import { copiedBytes } from './copied-bytes.js';
import { bytesOf } from './pieces.js';

const wrongState = { name: 'Error', code: 'ERR_TRIPOLL_STATE' };
const busy = { name: 'Error', code: 'ERR_TRIPOLL_BUSY' };
const MAX_HELD_BYTES = 1024 * 1024;

/** Lines that it was given; it says stop at each of `stops`, once. */
class Handler {
  readonly lines: string[] = [];
  readonly decoder = new LineDecoder({ encoding: 'utf8', maxLengthBytes: 2 * MAX_HELD_BYTES });
  readonly #stops: Set<string>;

  constructor(...stops: string[]) {
    this.#stops = new Set(stops);
  }

  readonly onFrame = (line: string): void => {
    this.lines.push(line);
    if (this.#stops.delete(line)) this.decoder.stop();
  };

  push(text: string | Uint8Array): boolean {
    const chunk = typeof text === 'string' ? bytesOf(text) : text.slice();
    const all = this.decoder.push(chunk, this.onFrame);
    chunk.fill(0xdb); // it was lent
    return all;
  }

  resume(): boolean {
    return this.decoder.resume(this.onFrame);
  }
}

test('the frame that says stop is the last one; the rest comes by resume', () => {
  const handler = new Handler('b');
  expect(handler.push('a\nb\nc\nd')).toBe(false);
  expect(handler.lines).toEqual(['a', 'b']);
  expect(handler.decoder.partialBytes).toBe(3);
  expect(handler.resume()).toBe(true);
  expect(handler.lines).toEqual(['a', 'b', 'c']);
  expect(handler.push('e\n')).toBe(true);
  expect(handler.lines).toEqual(['a', 'b', 'c', 'de']);
});

test('chunks that come while it is stopped are kept behind the rest, and no handler is called', () => {
  const handler = new Handler('a');
  expect([handler.push('a\nb\nc'), handler.push('d\n'), handler.push('e\nf')]).toEqual([false, false, false]);
  expect(handler.lines).toEqual(['a']);
  expect(handler.resume()).toBe(true);
  expect(handler.lines).toEqual(['a', 'b', 'cd', 'e']);
  expect(handler.decoder.partialBytes).toBe(1);
});

test('stopped at a chunk’s last byte, it keeps the next chunk', () => {
  const handler = new Handler('a');
  expect([handler.push('a\n'), handler.push('b\n')]).toEqual([false, false]);
  expect(handler.lines).toEqual(['a']);
  expect(handler.resume()).toBe(true);
  expect(handler.lines).toEqual(['a', 'b']);
});

test('it may stop again and again, and between two pushes', () => {
  const handler = new Handler('a', 'b', 'd');
  expect([handler.push('a\nb\nc\nd\n'), handler.resume(), handler.resume()]).toEqual([false, false, false]);
  expect(handler.lines).toEqual(['a', 'b', 'c', 'd']);
  expect([handler.resume(), handler.resume()]).toEqual([true, true]);
  handler.decoder.stop();
  expect(handler.push('e\n')).toBe(false);
  expect(handler.resume()).toBe(true);
  expect(handler.lines.at(-1)).toBe('e');
});

test('what is kept is bounded: a chunk too many is refused whole, and nothing is lost', () => {
  const handler = new Handler('a');
  handler.push(`a\n${'x'.repeat(MAX_HELD_BYTES - 10)}`);
  handler.push('y'.repeat(10));
  expect(thrownBy(() => handler.push('z'))).toEqual(busy);
  expect(handler.decoder.partialBytes).toBe(MAX_HELD_BYTES);
  expect(handler.resume()).toBe(true);
  handler.push('z\n');
  expect(handler.lines.map((line) => line.length)).toEqual([1, MAX_HELD_BYTES + 1]);
});

test('a chunk is taken whole when nothing is kept, however large it is', () => {
  const line = `${'x'.repeat(1023)}\n`;
  const large = bytesOf(line.repeat(3 * 1024));
  const handler = new Handler();
  expect(handler.push(large)).toBe(true);
  handler.decoder.stop();
  expect(handler.push(large)).toBe(false);
  expect(thrownBy(() => handler.push('a\n'))).toEqual(busy);
  expect(handler.resume()).toBe(true);
  expect(handler.lines).toHaveLength(2 * 3 * 1024);
});

test('a handler that throws each time is bounded too', () => {
  const decoder = new LineDecoder();
  const boom = new Error('boom');
  const chunk = bytesOf(`${'x'.repeat(99)}\n`.repeat(1000));
  const push = () =>
    decoder.push(chunk, () => {
      throw boom;
    });
  for (let pushed = 0; pushed < 10; pushed++) expect(push).toThrow(boom);
  expect(thrownBy(push)).toEqual(busy);
  let frames = 0;
  decoder.push(bytesOf(''), () => frames++);
  expect(frames).toBe(10 * 1000 - 10);
});

test('keeping is linear: each byte is copied a few times, however often it stops', () => {
  const decoder = new LineDecoder();
  const chunk = bytesOf('ab\ncd\n');
  // Nearly the whole bound is kept all the time, and each push takes one frame and brings two.
  decoder.push(new Uint8Array(900_000).fill(0x0a), () => decoder.stop());
  const copied = copiedBytes(() => {
    for (let pushed = 0; pushed < 10_000; pushed++) {
      decoder.resume(() => decoder.stop());
      decoder.push(chunk, () => undefined);
    }
  });
  expect(copied).toBeLessThan(10_000 * chunk.length + 2 * 1_000_000);
});

test('another protocol takes over from what was kept', () => {
  const handler = new Handler('a');
  handler.push('a\n\x02h');
  handler.push('i\x01!');
  const frames: string[] = [];
  new LengthPrefixedDecoder({ lengthBytes: 1 }).push(handler.decoder.takeBuffered(), (frame) => {
    frames.push(Buffer.from(frame).toString());
  });
  expect(frames).toEqual(['hi', '!']);
  expect(handler.push('b\n')).toBe(true);
  expect(handler.lines).toEqual(['a', 'b']);
});

test('a frame that has begun is taken over with what was kept behind it', () => {
  const handler = new Handler();
  handler.push('ab');
  handler.decoder.stop();
  handler.push('c\nd');
  expect(handler.decoder.takeBuffered()).toEqual(bytesOf('abc\nd'));
  expect([handler.push('e\n'), handler.lines]).toEqual([true, ['e']]);
});

test('the end inside a frame is an error, for good', () => {
  const { decoder } = new Handler();
  decoder.push(bytesOf('a\nb'), () => undefined);
  for (let i = 0; i < 2; i++)
    expect(thrownBy(() => decoder.end())).toMatchObject({ code: 'ERR_TRIPOLL_UNEXPECTED_END' });
  expect(decoder.partialBytes).toBe(0);
});

test('the end waits for the frames that are kept back', () => {
  const handler = new Handler('a');
  handler.push('a\nb\n');
  expect(thrownBy(() => handler.decoder.end())).toEqual(wrongState);
  handler.resume();
  handler.decoder.end();
  expect(handler.lines).toEqual(['a', 'b']);
});

test('resume from inside onFrame is refused, and wrong arguments are', () => {
  const { decoder } = new Handler();
  decoder.push(bytesOf('a\n'), () => {
    expect(thrownBy(() => decoder.resume(() => undefined))).toEqual(wrongState);
  });
  expect(thrownBy(() => decoder.resume(null as never))).toEqual(invalidType);
});

test('an error among what was kept is the decoder’s, for good', () => {
  const decoder = new LineDecoder({ maxLengthBytes: 3 });
  decoder.push(bytesOf('a\nbcdef\n'), () => decoder.stop());
  const tooLong = { name: 'Error', code: 'ERR_TRIPOLL_FRAME_TOO_LONG' };
  expect(thrownBy(() => decoder.resume(() => undefined))).toEqual(tooLong);
  expect(thrownBy(() => decoder.resume(() => undefined))).toEqual(tooLong);
  expect(thrownBy(() => decoder.push(bytesOf('a\n'), () => undefined))).toEqual(tooLong);
});

test('over TCP: a connection that pauses at each line is given one line at a time', async () => {
  const seen: string[] = [];
  let inHandler = 0;
  const done = new Promise<void>((resolve, reject) => {
    const next = (connection: TcpConnection, decoder: LineDecoder<'utf8'>): void => {
      const onFrame = (line: string): void => {
        inHandler++;
        seen.push(line);
        connection.pause();
        decoder.stop();
        setImmediate(() => {
          inHandler--;
          if (decoder.resume(onFrame)) connection.resume();
        });
      };
      onData = (chunk) => {
        expect(inHandler).toBe(0);
        decoder.push(chunk, onFrame);
      };
    };
    let onData: (chunk: Uint8Array) => void;
    const listener = listen('127.0.0.1:0', {
      open: (connection) => next(connection, new LineDecoder({ encoding: 'utf8' })),
      data: (_connection, chunk) => onData(chunk),
      close: () => {
        listener.close();
        resolve();
      },
      error: (_connection, error) => reject(error),
    });
    void TcpStream.connect(`127.0.0.1:${listener.localAddress!.port}`).then(async (client) => {
      await client.writeAll(bytesOf('one\ntwo\nthr'));
      await client.writeAll(bytesOf('ee\nfour\n'));
      client.end();
      await client.read(new Uint8Array(1)).catch(() => 0);
      client.close();
    }, reject);
  });
  await within(done, 'the end of the connection');
  // The socket may have been empty by then (F23), and the decoder hold what is left.
  await until(() => seen.length === 4, 'the last line');
  expect(seen).toEqual(['one', 'two', 'three', 'four']);
});

test('a FrameReader takes no notice: whoever pulls has no need to stop', async () => {
  const { decoder } = new Handler();
  decoder.stop();
  const reader = new FrameReader({ read: () => Promise.resolve(0) }, decoder);
  expect(await reader.read()).toBeNull();
});
