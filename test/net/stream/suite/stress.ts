import type { TcpStream } from 'tripoll/net';
import { within } from '../../../support/deadline.js';
import { Random, testSeed } from '../../../support/random.js';
import { digest, pattern, portOf, record, type Context } from '../../tools.js';

/** All at once, which every system's backlog has to take: 128 (somaxconn). */
const CONNECTIONS = 120;
const MESSAGES = 50;

export function describeStress(context: Context): void {
  /** Every connection its own bytes, of lengths that differ. */
  function messagesOf(index: number): Buffer[] {
    const random = new Random(testSeed() + index);
    return Array.from({ length: MESSAGES }, (_, i) => pattern(1 + random.below(4000), index * MESSAGES + i));
  }

  describe('stress', () => {
    test(`${CONNECTIONS} connections, ${MESSAGES} messages each, handlers`, async () => {
      const listener = context.listen({
        data: (connection, chunk) => void connection.write(chunk),
      });
      const clients = Array.from({ length: CONNECTIONS }, (_, index) => {
        const messages = messagesOf(index);
        const wanted = Buffer.concat(messages);
        const told = record({
          open(connection) {
            for (const message of messages) connection.write(message);
          },
          data(connection) {
            if (told.received() === wanted.length) connection.end();
          },
        });
        context.connect(portOf(listener), told.handlers);
        return { told, wanted };
      });
      for (const { told, wanted } of clients) {
        expect(await within(told.closed, 'close')).toBeNull();
        expect(digest(told.bytes())).toBe(digest(wanted));
        expect(told.events.filter((event) => event !== 'data' && event !== 'drain')).toEqual([
          'open',
          'end',
          'close',
        ]);
      }
    });

    test(`${CONNECTIONS} connections, ${MESSAGES} messages each, promises`, async () => {
      const listener = await context.bind();
      const serving: Promise<void>[] = [];
      const accepting = (async () => {
        for await (const stream of listener) serving.push(serve(stream));
      })();
      const clients = Array.from({ length: CONNECTIONS }, (_, index) =>
        talk(portOf(listener), messagesOf(index)),
      );
      await within(Promise.all(clients), 'clients', 15_000);
      listener.close();
      await within(accepting, 'the accept loop');
      await within(Promise.all(serving), 'servers');
      expect(serving.length).toBe(CONNECTIONS);
    });
  });

  // No `await using` in here: Jest's realm has no Symbol.asyncDispose on Node 20.
  // `lifecycle.test.ts` has it.
  async function serve(stream: TcpStream): Promise<void> {
    const buffer = new Uint8Array(1024);
    for (;;) {
      const received = await stream.read(buffer);
      if (received === 0) break;
      await stream.writeAll(buffer.subarray(0, received));
    }
    stream.close();
  }

  /** Each message there and back before the next. */
  async function talk(port: number, messages: readonly Buffer[]): Promise<void> {
    const stream = await context.stream(port);
    const buffer = new Uint8Array(8192);
    for (const message of messages) {
      await stream.writeAll(message);
      let received = 0;
      while (received < message.length) {
        const more = await stream.read(buffer.subarray(received));
        if (more === 0) throw new Error('the server ended too early');
        received += more;
      }
      expect(digest(buffer.subarray(0, received))).toBe(digest(message));
    }
    stream.close();
  }
}
