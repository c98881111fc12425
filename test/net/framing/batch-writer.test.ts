import { BatchWriter } from '#lib/net/framing/batch-writer';
import { LengthPrefixedReader } from '#lib/net/framing/length-prefixed-reader';
import { LengthPrefixedWriter } from '#lib/net/framing/length-prefixed-writer';
import { invalidType, outOfRange, thrownBy } from '../../support/errors.js';
import { Random, testSeed } from '../../support/random.js';
import { connectedPair } from './connected-pair.js';
import { bytesOf, PieceSource } from './pieces.js';

/** Takes what it is sent when the test says so, and not before. */
class HeldSink {
  readonly sent: string[] = [];
  #current: { buffer: Uint8Array; resolve(): void; reject(error: unknown): void } | null = null;

  writeAll(buffer: Uint8Array): Promise<void> {
    // One at a time: a second one would change places with the first if that failed half-way.
    expect(this.#current).toBeNull();
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
  for (let seed = testSeed(); seed < testSeed() + 300; seed++) {
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
  }
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
