// The IOCP backend under load: nothing is lost, nothing is left open.
import { createHash } from 'node:crypto';
import { capabilities, Interest, Mode, Poller, Readiness, Reactor } from 'tripoll';
import { connect, listen, TcpListener, TcpStream } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { describeIf } from '../support/applies.js';
import { until, within } from '../support/deadline.js';
import { countHandles, openedSince, openFds } from '../support/fds.js';
import { openSocketPair } from '../support/pairs.js';
import { Random, testSeed } from '../support/random.js';
import { pattern, portOf } from '../net/tools.js';

const host = '127.0.0.1';
const { SOCK_NONBLOCK, SOCK_CLOEXEC } = sys.constants;
const DEADLINE_MS = 120_000;

const describeWindows = describeIf(capabilities.backends.includes('iocp'), 'it is about the IOCP backend');

describeWindows('the IOCP backend under load', () => {
  let reactor: Reactor;
  let before: Map<number, string>;

  beforeEach(() => {
    before = openFds();
    reactor = new Reactor({ backend: 'iocp' });
  });

  afterEach(async () => {
    reactor.close();
    await until(() => openedSince(before).length === 0, 'sockets closed').catch(() => {});
    expect(openedSince(before)).toEqual([]);
  });

  test(
    '100 MB over 200 connections, with checksums',
    async () => {
      const connections = 200;
      const bytes = 500_000;
      const received: string[] = [];
      let total = 0;
      const hashes = new Map<object, ReturnType<typeof createHash>>();
      const listener = listen(
        { host, port: 0, reactor },
        {
          open: (connection) => void hashes.set(connection, createHash('sha1')),
          data(connection, chunk) {
            total += chunk.length;
            hashes.get(connection)?.update(chunk);
          },
          end: (connection) => void received.push(hashes.get(connection)?.digest('hex') ?? ''),
        },
      );
      const sent = Array.from({ length: connections }, (_, index) => {
        const payload = pattern(bytes, index + 1);
        connect({ host, port: portOf(listener), reactor }, { open: (connection) => connection.end(payload) });
        return createHash('sha1').update(payload).digest('hex');
      });
      await until(() => received.length === connections, 'all connections ended', DEADLINE_MS);
      listener.close();
      expect(total).toBe(connections * bytes);
      expect(received.sort()).toEqual(sent.sort());
    },
    DEADLINE_MS * 2,
  );

  test(
    '10,000 connects and closes leave no handle open',
    async () => {
      const cycles = 10_000;
      const atATime = 20;
      const listener = await TcpListener.bind(`${host}:0`, { reactor });
      const port = portOf(listener);
      const cycle = async (): Promise<void> => {
        const [client, { stream }] = await Promise.all([
          TcpStream.connect({ host, port }, { reactor }),
          listener.accept(),
        ]);
        client.close();
        stream.close();
      };
      const run = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i += atATime) await Promise.all(Array.from({ length: atATime }, cycle));
      };
      await run(1000); // what the first ones make for good
      const handles = countHandles();
      await within(run(cycles), 'all cycles', DEADLINE_MS);
      // One handle of the driver serves 32 sockets: a busier moment than before may have opened
      // another.
      expect(countHandles() - handles).toBeLessThanOrEqual(2);
      listener.close();
    },
    DEADLINE_MS * 5,
  );

  test(
    '2000 reads against their abort: every byte is read once',
    async () => {
      const rounds = 2000;
      const random = new Random(testSeed());
      const listener = await TcpListener.bind(`${host}:0`, { reactor });
      const [client, { stream }] = await Promise.all([
        TcpStream.connect({ host, port: portOf(listener) }, { reactor }),
        listener.accept(),
      ]);
      listener.close();
      const seen: number[] = [];
      const count = { aborted: 0, read: 0 };
      const buffer = new Uint8Array(64);
      const take = (length: number): void => void seen.push(...buffer.subarray(0, length));
      for (let round = 0; round < rounds; round++) {
        const controller = new AbortController();
        const reading = stream.read(buffer, { signal: controller.signal });
        const ended = reading.then(
          (length) => {
            take(length);
            count.read++;
          },
          (error: unknown) => {
            expect((error as NodeJS.ErrnoException).code).toBe('ABORT_ERR');
            count.aborted++;
          },
        );
        await client.write(Buffer.from([round & 255]));
        for (let i = random.below(4); i > 0; i--) await new Promise(setImmediate);
        controller.abort();
        await within(ended, 'a read or its abort');
        // What the abort left is still there: once, and first.
        if (seen.length === round) take(await within(stream.read(buffer), 'the byte that was left'));
        expect(seen).toHaveLength(round + 1);
      }
      expect(seen).toEqual(Array.from({ length: rounds }, (_, round) => round & 255));
      console.info(`data against abort: ${count.aborted} aborted, ${count.read} read`);
      expect(count.aborted).toBeGreaterThan(100);
      expect(count.read).toBeGreaterThan(100);
      client.close();
      stream.close();
    },
    DEADLINE_MS * 2,
  );

  test(
    '4000 sockets polled at once: none is lost, none told twice',
    () => {
      const pairs = 2000;
      const poller = new Poller({ backend: 'iocp' });
      const all: number[] = [];
      try {
        for (let i = 0; i < pairs; i++) {
          const pair: number[] = [];
          expect(openSocketPair(pair, SOCK_NONBLOCK | SOCK_CLOEXEC)).toBe(0);
          all.push(...pair);
        }
        all.forEach((fd, slot) => expect(poller.add(fd, slot, 1, Interest.READABLE, Mode.ONESHOT)).toBe(0));
        expect(poller.wait(0)).toBe(0);
        for (const fd of all) expect(sys.send(fd, Buffer.from('x'))).toBe(1);
        const times = new Uint8Array(all.length);
        let events = 0;
        for (let waits = 0; events < all.length && waits < 1000; waits++) {
          const count = poller.wait(1e9);
          expect(count).toBeGreaterThan(0);
          for (let i = 0; i < count; i++) {
            times[poller.events.slot(i)]!++;
            expect(poller.events.readiness(i) & Readiness.READABLE).toBe(Readiness.READABLE);
          }
          events += count;
        }
        expect(times.every((time) => time === 1)).toBe(true);
        expect(poller.wait(0)).toBe(0);
      } finally {
        poller.close();
        for (const fd of all) sys.close(fd);
      }
    },
    DEADLINE_MS,
  );
});

// Windows takes a send whole, of any length (native/windows/net.h).
describeWindows('a send', () => {
  test('is given 256 KiB at most, as one buffer or as several, and a full socket says so', () => {
    const fds: number[] = [];
    expect(openSocketPair(fds, SOCK_NONBLOCK | SOCK_CLOEXEC)).toBe(0);
    const [one = -1, other = -1] = fds;
    const much = Buffer.alloc(20_000_000);
    const most = 256 * 1024;
    const sends = [() => sys.send(one, much, 0), () => sys.writev(one, [much.subarray(0, 1), much])];
    for (const send of sends) {
      const sent = send();
      expect(sent).toBeGreaterThan(0);
      expect(sent).toBeLessThanOrEqual(most);
    }
    let total = 0;
    let sent = 0;
    while (total < much.length && (sent = sys.send(one, much, 0)) > 0) total += sent;
    expect(sent).toBe(-sys.errno.EAGAIN);
    for (const fd of [one, other]) sys.close(fd);
  });
});
