// A BufferedReader over what it is for: TCP, Unix sockets, pipes, and the reading half of a stream.
import {
  BatchWriter,
  BufferedReader,
  FdStream,
  UnixStream,
  type ByteSink,
  type ByteSource,
} from 'tripoll/net';
import { capabilities } from 'tripoll';
import { testAnyFd, testIf } from '../../support/applies.js';
import { within } from '../../support/deadline.js';
import { Random, testSeed } from '../../support/random.js';
import { describeOn, digest, pattern, type Closable, type Context } from '../tools.js';
import { bytesOf } from './pieces.js';

const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('latin1'));

interface Ends {
  readonly reader: ByteSource & Closable;
  readonly writer: ByteSink & Closable;
  /** The writer's end of the stream. */
  end(): void;
}

interface Kind {
  readonly name: string;
  readonly test: typeof test | typeof testAnyFd;
  open(context: Context): Promise<Ends>;
}

const kinds: Kind[] = [
  {
    name: 'TCP',
    test,
    open: async (context) => {
      const { client, server } = await context.streamPair();
      return { reader: server, writer: client, end: () => client.end() };
    },
  },
  {
    name: 'the halves of a TCP stream',
    test,
    open: async (context) => {
      const { client, server } = await context.streamPair();
      const { writer } = client.split();
      return { reader: server.split().reader, writer, end: () => writer.close() };
    },
  },
  {
    name: 'a Unix stream',
    test: testIf(capabilities.unixMessages, 'this system has no pairs of Unix sockets'),
    open: (context) => {
      const [reader, writer] = UnixStream.pair({ reactor: context.reactor });
      return Promise.resolve({
        reader: context.own(reader),
        writer: context.own(writer),
        end: () => writer.end(),
      });
    },
  },
  {
    name: 'a pipe',
    test: testAnyFd,
    open: (context) => {
      const { reader, writer } = FdStream.pipe({ reactor: context.reactor });
      return Promise.resolve({
        reader: context.own(reader),
        writer: context.own(writer),
        end: () => writer.close(),
      });
    },
  },
];

describeOn(
  ['nested epoll', 'watcher poll', 'watcher kqueue', 'watcher iocp'],
  'buffered reader',
  (context) => {
    for (const kind of kinds) {
      kind.test(
        `${kind.name}: aborted and late calls lose no byte, and the end in the middle is told`,
        async () => {
          const { reader: source, writer, end } = await kind.open(context);
          const reader = new BufferedReader(source);
          await writer.writeAll(bytesOf('POST / HT'));
          await expect(reader.readLine({ timeoutMs: 20 })).rejects.toMatchObject({
            code: 'ERR_TRIPOLL_TIMEOUT',
          });
          const controller = new AbortController();
          const aborted = reader.readExactly(new Uint8Array(10_000), { signal: controller.signal });
          controller.abort();
          await expect(aborted).rejects.toMatchObject({ code: 'ABORT_ERR' });
          await expect(reader.peek(100, { timeoutMs: 1 })).rejects.toMatchObject({
            code: 'ERR_TRIPOLL_TIMEOUT',
          });
          await writer.writeAll(bytesOf('TP/1.1\r\n\r\n1234cut'));
          expect(await within(reader.readLine({ encoding: 'latin1' }), 'the line')).toBe('POST / HTTP/1.1');
          expect(text(await within(reader.readLine(), 'the empty line'))).toBe('');
          expect(text(await within(reader.readExactly(4), 'the body'))).toBe('1234');
          end();
          await expect(within(reader.readLine(), 'the end')).rejects.toMatchObject({
            code: 'ERR_TRIPOLL_UNEXPECTED_END',
          });
          expect(text(reader.takeBuffered())).toBe('cut');
          expect(await within(reader.readLine(), 'the end')).toBeNull();
          source.close();
          writer.close();
        },
      );

      kind.test(`${kind.name}: lines and bodies of all sizes, more than is taken at once`, async () => {
        const { reader: source, writer, end } = await kind.open(context);
        const random = new Random(testSeed());
        const sizes = Array.from({ length: 300 }, () =>
          random.pick([0, 1, 100, 4095, 4096, 20_000, 200_000]),
        );
        const body = pattern(200_000);
        const send = async () => {
          const batch = new BatchWriter(writer);
          for (const size of sizes) {
            await batch.write(bytesOf(`${size}\r\n`));
            await batch.write(body.subarray(0, size));
          }
          await batch.flush();
          end();
        };
        const receive = async () => {
          const reader = new BufferedReader(source);
          const own = new Uint8Array(200_000);
          const got: [number, string][] = [];
          for (;;) {
            const line = await reader.readLine({ encoding: 'latin1' });
            if (line === null) return got;
            const size = Number(line);
            const bytes = await (random.below(2) === 0
              ? reader.readExactly(size)
              : reader.readExactly(own.subarray(0, size)));
            got.push([size, digest(bytes)]);
          }
        };
        const [got] = await within(Promise.all([receive(), send()]), 'all of it', 18_000);
        expect(got).toEqual(sizes.map((size) => [size, digest(body.subarray(0, size))]));
        source.close();
        writer.close();
      });
    }
  },
);
