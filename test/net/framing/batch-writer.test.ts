import { createHook } from 'node:async_hooks';
import { BatchWriter } from '#lib/net/framing/batch-writer';
import { LengthPrefixedReader } from '#lib/net/framing/length-prefixed-reader';
import { LengthPrefixedWriter } from '#lib/net/framing/length-prefixed-writer';
import { within } from '../../support/deadline.js';
import { invalidType, outOfRange, thrownBy } from '../../support/errors.js';
import { Random, testSeed } from '../../support/random.js';
import { connectedPair } from './connected-pair.js';
import { CopyCounter } from './copied-bytes.js';
import { bytesOf, PieceSource } from './pieces.js';

/** Takes what it is sent when the test says so, and not before. */
class HeldSink {
  readonly sent: string[] = [];
  largestBytes = 0;
  largestMemoryBytes = 0;
  #current: { buffer: Uint8Array; resolve(): void; reject(error: unknown): void } | null = null;

  writeAll(buffer: Uint8Array): Promise<void> {
    // One at a time: a second one would change places with the first if that failed half-way.
    expect(this.#current).toBeNull();
    expect(buffer.length).toBeGreaterThan(0);
    this.largestBytes = Math.max(this.largestBytes, buffer.length);
    this.largestMemoryBytes = Math.max(this.largestMemoryBytes, buffer.buffer.byteLength);
    return new Promise((resolve, reject) => {
      this.#current = { buffer, resolve, reject };
    });
  }

  get busy(): boolean {
    return this.#current !== null;
  }

  /** Reads the buffer now, as late as a kernel may. */
  async take(): Promise<void> {
    const current = this.#current;
    this.#current = null;
    if (current === null) throw new Error('nothing is being sent');
    this.sent.push(Buffer.from(current.buffer).toString('latin1'));
    current.resolve();
    await turn();
  }

  async fail(error: Error): Promise<void> {
    this.#current?.reject(error);
    this.#current = null;
    await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** 'waiting', 'done', or the error that it was rejected with. */
function watch(promise: Promise<void>): { state: unknown } {
  const watched = { state: 'waiting' as unknown };
  promise.then(
    () => (watched.state = 'done'),
    (error: unknown) => (watched.state = error),
  );
  return watched;
}

test('the writes of one turn are sent as one, also those of several awaits', async () => {
  const sink = new HeldSink();
  const writer = new BatchWriter(sink);
  void writer.write(bytesOf('a'));
  await writer.write(bytesOf('b'));
  await Promise.resolve();
  await writer.write(bytesOf('c'));
  expect([sink.busy, writer.queuedBytes]).toEqual([false, 3]);
  await turn();
  await sink.take();
  expect([sink.sent, writer.queuedBytes]).toEqual([['abc'], 0]);
});

test('a turn’s writes ask for its end once', async () => {
  let ticks = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (type === 'TickObject') ticks++;
    },
  });
  const sink = new HeldSink();
  const writer = new BatchWriter(sink);
  hook.enable();
  for (let i = 0; i < 100; i++) void writer.write(bytesOf('a'));
  hook.disable();
  expect(ticks).toBe(1);
  await turn();
  hook.enable();
  for (let i = 0; i < 100; i++) void writer.write(bytesOf('b'));
  hook.disable();
  // A batch is on its way: its end sends them.
  expect([ticks, sink.busy]).toEqual([1, true]);
});

test('the caller’s buffer is its own again at once', async () => {
  const sink = new HeldSink();
  const writer = new BatchWriter(sink);
  const bytes = bytesOf('abc');
  await writer.write(bytes);
  bytes.fill(0);
  await turn();
  await sink.take();
  expect(sink.sent).toEqual(['abc']);
});

test('what comes while a batch is on its way is the next one', async () => {
  const sink = new HeldSink();
  const writer = new BatchWriter(sink);
  for (const part of ['a', 'b', 'c']) {
    await writer.write(bytesOf(part));
    await turn();
  }
  await sink.take();
  await sink.take();
  expect([sink.sent, sink.busy]).toEqual([['a', 'bc'], false]);
});

test('half of maxQueuedBytes does not wait for the turn’s end', () => {
  const sink = new HeldSink();
  const writer = new BatchWriter(sink, { maxQueuedBytes: 10 });
  void writer.write(bytesOf('1234'));
  expect(sink.busy).toBe(false);
  void writer.write(bytesOf('5'));
  expect(sink.busy).toBe(true);
});

test('flush sends now, and waits for what was written before it, not for what comes after', async () => {
  const sink = new HeldSink();
  const writer = new BatchWriter(sink);
  await writer.flush();
  void writer.write(bytesOf('a'));
  const first = watch(writer.flush());
  expect(sink.busy).toBe(true);
  void writer.write(bytesOf('b'));
  const second = watch(writer.flush());
  await sink.take();
  expect([first.state, second.state]).toEqual(['done', 'waiting']);
  await sink.take();
  expect(second.state).toBe('done');
});

test('back-pressure: no more than maxQueuedBytes are taken, and the rest waits in order', async () => {
  const sink = new HeldSink();
  const writer = new BatchWriter(sink, { maxQueuedBytes: 4 });
  const writes = ['abc', 'defghijkl', 'm'].map((part) => watch(writer.write(bytesOf(part))));
  const flush = watch(writer.flush());
  await turn();
  expect(writes.map(({ state }) => state)).toEqual(['done', 'waiting', 'waiting']);
  while (sink.busy) {
    expect(writer.queuedBytes).toBeLessThanOrEqual(4);
    await sink.take();
  }
  expect(sink.sent.join('')).toBe('abcdefghijklm');
  expect([...writes, flush].map(({ state }) => state)).toEqual(new Array(4).fill('done'));
});

test('an error reaches all who wait, and all who come later; nobody else', async () => {
  const sink = new HeldSink();
  const writer = new BatchWriter(sink, { maxQueuedBytes: 2 });
  const writes = ['a', 'bc', 'd'].map((part) => watch(writer.write(bytesOf(part))));
  const flush = watch(writer.flush());
  const broken = new Error('broken');
  await sink.fail(broken);
  expect([...writes, flush].map(({ state }) => state)).toEqual(['done', broken, broken, broken]);
  await expect(writer.write(bytesOf('e'))).rejects.toBe(broken);
  await expect(writer.flush()).rejects.toBe(broken);
  expect([writer.queuedBytes, sink.busy]).toEqual([0, false]);
});

test('an error that nobody waited for is told to the next, and is no unhandled rejection', async () => {
  const broken = new Error('broken');
  const writer = new BatchWriter({ writeAll: () => Promise.reject(broken) });
  await writer.write(bytesOf('a'));
  await turn();
  await expect(writer.write(bytesOf('b'))).rejects.toBe(broken);
  const throwing = new BatchWriter({
    writeAll: () => {
      throw broken;
    },
  });
  void throwing.write(bytesOf('a'));
  await expect(throwing.flush()).rejects.toBe(broken);
});

test('random programs: every byte once, in order, within the bound', async () => {
  for (let seed = testSeed(); seed < testSeed() + 150; seed++) {
    const random = new Random(seed);
    const sink = new HeldSink();
    const maxQueuedBytes = 1 + random.below(40);
    const writer = new BatchWriter(sink, { maxQueuedBytes });
    let expected = '';
    const promises: Promise<void>[] = [];
    for (let step = 0; step < 40; step++) {
      const what = random.below(6);
      if (what < 3) {
        const part = String.fromCharCode(97 + (step % 26)).repeat(random.below(30));
        expected += part;
        promises.push(writer.write(bytesOf(part)));
      } else if (what === 3) promises.push(writer.flush());
      else if (what === 4 && sink.busy) await sink.take();
      else await turn();
      expect(writer.queuedBytes).toBeLessThanOrEqual(maxQueuedBytes);
    }
    const done = writer.flush();
    while (sink.busy) await sink.take();
    await Promise.all([...promises, done]);
    expect({ seed, sent: sink.sent.join('') }).toEqual({ seed, sent: expected });
    expect(sink.largestBytes).toBeLessThanOrEqual(maxQueuedBytes);
  }
});

/** A HeldSink that can be ended, and notes when. */
class EndableSink extends HeldSink {
  end(): Promise<void> {
    this.sent.push('END');
    return Promise.resolve();
  }
}

describe('the end', () => {
  const ended = { name: 'Error', code: 'ERR_TRIPOLL_STATE' };

  test('end() sends what was written, also what waits, and ends the stream then', async () => {
    const sink = new EndableSink();
    const writer = new BatchWriter(sink, { maxQueuedBytes: 2 });
    const writes = ['a', 'bcd', 'e'].map((part) => watch(writer.write(bytesOf(part))));
    const end = watch(writer.end());
    while (sink.busy) {
      expect([sink.sent.includes('END'), end.state]).toEqual([false, 'waiting']);
      await sink.take();
    }
    expect([sink.sent.join(''), end.state]).toEqual(['abcdeEND', 'done']);
    expect(writes.map(({ state }) => state)).toEqual(['done', 'done', 'done']);
  });

  test('later writes are refused, at once; end() and flush() may be called again', async () => {
    const sink = new EndableSink();
    const writer = new LengthPrefixedWriter(sink);
    void writer.write(bytesOf('a'));
    const end = writer.end();
    await expect(writer.write(bytesOf('b'))).rejects.toMatchObject(ended);
    await expect(writer.writeFrame(bytesOf('b'))).rejects.toMatchObject(ended);
    await sink.take();
    await Promise.all([end, writer.end(), writer.flush()]);
    expect(sink.sent).toEqual(['a', 'END']);
  });

  test('a sink that cannot be ended is sent all, and left open', async () => {
    const sink = new HeldSink();
    const writer = new BatchWriter(sink);
    await writer.end();
    const other = new BatchWriter(sink);
    void other.write(bytesOf('a'));
    const end = other.end();
    await sink.take();
    await end;
    expect(sink.sent).toEqual(['a']);
  });

  test('what goes wrong is told, and a stream that has failed is not ended', async () => {
    const broken = new Error('broken');
    const sink = new EndableSink();
    const writer = new BatchWriter(sink);
    void writer.write(bytesOf('a'));
    const end = watch(writer.end());
    await sink.fail(broken);
    expect([end.state, sink.sent]).toEqual([broken, []]);
    const cannotEnd = new BatchWriter({
      writeAll: () => Promise.resolve(),
      end: () => Promise.reject(broken),
    });
    await expect(cannotEnd.end()).rejects.toBe(broken);
  });

  test('disposal sends what was written, and leaves the stream open for its own', async () => {
    const sink = new EndableSink();
    const writer = new BatchWriter(sink);
    void writer.write(bytesOf('abc'));
    const disposed = watch(writer[Symbol.asyncDispose]());
    await expect(writer.write(bytesOf('d'))).rejects.toMatchObject(ended);
    expect(disposed.state).toBe('waiting');
    await sink.take();
    expect([disposed.state, sink.sent]).toEqual(['done', ['abc']]);
  });

  test('disposal tells of a failure once: where nobody has heard of it', async () => {
    const broken = new Error('broken');
    const dispose = async (hear: (writer: BatchWriter) => Promise<unknown>) => {
      const writer = new BatchWriter({ writeAll: () => Promise.reject(broken) });
      void writer.write(bytesOf('a'));
      await turn();
      await hear(writer).catch(() => undefined);
      return watch(writer[Symbol.asyncDispose]());
    };
    const unheard = await dispose(() => Promise.resolve());
    const heard = [
      await dispose((writer) => writer.write(bytesOf('b'))),
      await dispose((writer) => writer.flush()),
      await dispose((writer) => writer.end()),
    ];
    const sink = new HeldSink();
    const waited = new BatchWriter(sink);
    void waited.write(bytesOf('a'));
    waited.flush().catch(() => undefined);
    await sink.fail(broken);
    heard.push(watch(waited[Symbol.asyncDispose]()));
    await turn();
    expect([unheard, ...heard].map(({ state }) => state)).toEqual([
      broken,
      ...new Array<string>(4).fill('done'),
    ]);
  });

  test('over TCP: written and ended, nothing is lost', async () => {
    const { client, stream } = await connectedPair();
    const writer = new BatchWriter(client);
    const body = new Uint8Array(300_000).fill(7);
    void writer.write(bytesOf('head'));
    void writer.write(body);
    const end = writer.end();
    const buffer = new Uint8Array(65_536);
    let received = 0;
    for (let count = -1; count !== 0; received += count)
      count = await within(stream.read(buffer), 'the bytes');
    await within(end, 'the end');
    expect(received).toBe(4 + body.length);
    client.close();
    stream.close();
  });
});

describe('writes larger than the buffers', () => {
  test('they are sent in pieces without a copy, in order with small ones', async () => {
    const sink = new HeldSink();
    const writer = new BatchWriter(sink, { maxQueuedBytes: 1000 });
    const large = new Uint8Array(1_000_000).fill(0x78);
    const counter = new CopyCounter();
    let writes: { state: unknown }[];
    try {
      writes = [bytesOf('a'), large, bytesOf('b'), large].map((bytes) => watch(writer.write(bytes)));
      while (sink.busy) await sink.take();
    } finally {
      counter.stop();
    }
    const x = 'x'.repeat(1_000_000);
    expect(sink.sent.join('') === `a${x}b${x}`).toBe(true);
    expect(writes.map(({ state }) => state)).toEqual(new Array(4).fill('done'));
    expect(sink.largestBytes).toBe(1000);
    // What they have in common with small ones: the first and the last piece of each.
    expect(counter.bytes).toBeLessThanOrEqual(2 * 2 * 1000 + 1000);
  });

  test('of one that nothing stands before only the last piece is copied', async () => {
    const sink = new HeldSink();
    const writer = new BatchWriter(sink, { maxQueuedBytes: 1000 });
    const counter = new CopyCounter();
    try {
      void writer.write(new Uint8Array(3500));
      while (sink.busy) await sink.take();
    } finally {
      counter.stop();
    }
    expect([sink.sent.map((sent) => sent.length), counter.bytes]).toEqual([[1000, 1000, 1000, 500], 500]);
  });

  test('no buffer is larger than maxQueuedBytes', async () => {
    const sink = new HeldSink();
    const writer = new BatchWriter(sink, { maxQueuedBytes: 10 });
    for (const part of ['a', 'bcd', 'efghi']) {
      void writer.write(bytesOf(part));
      await turn();
      expect(sink.largestMemoryBytes).toBeLessThanOrEqual(10);
      await sink.take();
    }
    expect(sink.sent.join('')).toBe('abcdefghi');
  });

  test('one that waits and is transferred away: an error with a code for all, and no wrong byte', async () => {
    for (const size of [5, 50]) {
      const sink = new HeldSink();
      const writer = new BatchWriter(sink, { maxQueuedBytes: 4 });
      void writer.write(bytesOf('abcd'));
      const bytes = new Uint8Array(size);
      const waiting = watch(writer.write(bytes));
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
      const flush = watch(writer.flush());
      await sink.take();
      expect(waiting.state).toMatchObject(outOfRange);
      expect(flush.state).toBe(waiting.state);
      await expect(writer.write(bytesOf('e'))).rejects.toBe(waiting.state);
      expect([sink.sent, sink.busy]).toEqual([['abcd'], false]);
    }
  });
});

describe('writes that nobody awaits are bounded', () => {
  const overflow = { name: 'Error', code: 'ERR_TRIPOLL_WRITE_OVERFLOW' };
  const MAX_WAITING_BYTES = 16 * 1024 * 1024;

  test('by their bytes: one too many is refused, and all others arrive', async () => {
    const sink = new HeldSink();
    const writer = new BatchWriter(sink, { maxQueuedBytes: 1024 * 1024 });
    const bytes = new Uint8Array(1024 * 1024);
    let accepted = 0;
    const errors: unknown[] = [];
    for (let i = 0; i < 20; i++)
      writer.write(bytes).then(
        () => accepted++,
        (error: unknown) => errors.push(error),
      );
    await turn();
    expect(errors).toHaveLength(3);
    for (const error of errors) expect(error).toMatchObject(overflow);
    while (sink.busy) await sink.take();
    expect([accepted, sink.sent.join('').length]).toEqual([17, 17 * bytes.length]);
    await expect(Promise.race([writer.write(bytesOf('x')), turn()])).resolves.toBeUndefined();
  });

  test('by what each costs: tiny ones are no way around it', async () => {
    const writer = new BatchWriter(new HeldSink(), { maxQueuedBytes: 1 });
    const one = bytesOf('x');
    let writes = 0;
    let error: unknown = null;
    for (; error === null && writes < 200_000; writes++) {
      void writer.write(one).catch((reason: unknown) => (error = reason));
      if (writes % 1000 === 0) await Promise.resolve();
    }
    expect(error).toMatchObject(overflow);
    expect(writes).toBeLessThan(MAX_WAITING_BYTES / 250);
  });

  test('a frame is refused whole; a single write may be larger than the bound', async () => {
    const sink = new HeldSink();
    const writer = new LengthPrefixedWriter(sink, { maxQueuedBytes: 1024 * 1024 });
    const large = new Uint8Array(MAX_WAITING_BYTES + 5_000_000);
    const first = watch(writer.writeFrame(large));
    await expect(writer.writeFrame(bytesOf('x'))).rejects.toMatchObject(overflow);
    await expect(writer.write(bytesOf('x'))).rejects.toMatchObject(overflow);
    while (sink.busy) await sink.take();
    expect(first.state).toBe('done');
    expect(sink.sent.join('').length).toBe(4 + large.length);
  });
});

test.each([
  { lengthBytes: 1 },
  { lengthBytes: 2, byteOrder: 'little', includesPrefix: true },
  { lengthBytes: 3 },
  { lengthBytes: 4, includesPrefix: true },
  { lengthBytes: 'varint' },
] as const)('frames written are frames read: %j', async (shape) => {
  const sink = new HeldSink();
  const writer = new LengthPrefixedWriter(sink, shape);
  const payloads = [0, 1, 127, 128, 200, ...(shape.lengthBytes === 1 ? [255] : [256, 16_383, 16_384])].map(
    (n) => 'x'.repeat(n),
  );
  const writes = payloads.map((payload) => writer.writeFrame(bytesOf(payload)));
  const flush = writer.flush();
  while (sink.busy) await sink.take();
  await Promise.all([...writes, flush]);
  const reader = new LengthPrefixedReader(new PieceSource(sink.sent.map(bytesOf)), shape);
  const got: string[] = [];
  for await (const frame of reader) got.push(Buffer.from(frame).toString('latin1'));
  expect(got).toEqual(payloads);
});

test('a frame whose length the prefix cannot hold is refused, and nothing of it is written', async () => {
  const sink = new HeldSink();
  const writer = new LengthPrefixedWriter(sink, { lengthBytes: 1 });
  await expect(writer.writeFrame(new Uint8Array(256))).rejects.toMatchObject(outOfRange);
  await expect(writer.writeFrame('x' as never)).rejects.toMatchObject(invalidType);
  expect(writer.queuedBytes).toBe(0);
});

test('a frame that waits fails once, for its writer', async () => {
  const sink = new HeldSink();
  const writer = new LengthPrefixedWriter(sink, { maxQueuedBytes: 3 });
  const frame = watch(writer.writeFrame(bytesOf('x')));
  const broken = new Error('broken');
  await sink.fail(broken);
  expect(frame.state).toBe(broken);
  await expect(writer.writeFrame(bytesOf('x'))).rejects.toBe(broken);
});

test('wrong arguments', async () => {
  expect(thrownBy(() => new BatchWriter({} as never))).toEqual(invalidType);
  expect(thrownBy(() => new BatchWriter(new HeldSink(), { maxQueuedBytes: 0 }))).toEqual(outOfRange);
  await expect(new BatchWriter(new HeldSink()).write('x' as never)).rejects.toMatchObject(invalidType);
});

test('over TCP: frames both ways, more than the socket takes at once', async () => {
  const { client, stream } = await connectedPair();
  const echo = async () => {
    const writer = new LengthPrefixedWriter(stream);
    for await (const frame of new LengthPrefixedReader(stream)) await writer.writeFrame(frame);
    await writer.flush();
    stream.end();
  };
  const random = new Random(testSeed());
  const sizes = Array.from({ length: 2000 }, () => random.pick([0, 1, 10, 1000, 50_000]));
  const send = async () => {
    const writer = new LengthPrefixedWriter(client);
    for (const size of sizes) await writer.writeFrame(new Uint8Array(size).fill(size % 251));
    await writer.flush();
    client.end();
  };
  const back: number[] = [];
  const receive = async () => {
    for await (const frame of new LengthPrefixedReader(client)) {
      expect(frame.every((byte) => byte === frame.length % 251)).toBe(true);
      back.push(frame.length);
    }
  };
  await Promise.all([echo(), send(), receive()]);
  expect(back).toEqual(sizes);
  client.close();
  stream.close();
});

test('over TCP: the peer’s reset reaches who waits', async () => {
  const { client, stream } = await connectedPair();
  const writer = new BatchWriter(client);
  const write = writer.write(new Uint8Array(64 * 1024 * 1024));
  stream.reset();
  await expect(write).rejects.toMatchObject({
    code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) as unknown,
  });
  client.close();
});
