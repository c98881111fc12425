// AsyncLocalStorage through everything that calls back: it is the context of who asked for the
// call, not of who caused it.
import { AsyncLocalStorage } from 'node:async_hooks';
import { Interest, interval, type Registration, sleep, timeout, Waker } from 'tripoll';
import { connect, listen, TcpListener, TcpStream, type TcpConnection, type TcpHandlers } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { DriverRig, type DriverKind, driverKinds, writeByte } from './driver-rig.js';
import { until, within } from '../support/deadline.js';
import { drain } from '../support/pairs.js';

const { READABLE, WRITABLE } = Interest;
const host = '127.0.0.1';
const storage = new AsyncLocalStorage<string>();
const kinds = driverKinds.filter(({ driver }) => driver !== 'manual');
const named = kinds.map(
  (kind) => [`${kind.run === true ? 'run() of ' : ''}${kind.driver} on ${kind.backend}`, kind] as const,
);

/** Notes `what: context`, as often as it is called. */
class Notes {
  readonly seen: string[] = [];

  note(what: string): void {
    this.seen.push(`${what}: ${storage.getStore() ?? 'none'}`);
  }

  of(what: string): string[] {
    return this.seen.filter((line) => line.startsWith(`${what}: `));
  }

  async reach(what: string, count = 1): Promise<void> {
    await until(() => this.of(what).length >= count, `${count} x ${what}, of ${this.seen.join(', ')}`);
  }
}

describe.each(named)('contexts with %s', (_name, kind: DriverKind) => {
  let rig: DriverRig;
  let notes: Notes;

  beforeEach(() => {
    rig = new DriverRig(kind);
    notes = new Notes();
  });

  afterEach(() => rig.close());

  const inContext = <T>(name: string, fn: () => T): T => storage.run(name, fn);

  describe('handlers of register', () => {
    test('each has its own, in one batch, whoever wrote and whoever last changed the interest', async () => {
      const pipes = [rig.pipe(), rig.pipe(), rig.pipe()];
      const registrations = pipes.map(({ read }, i) =>
        inContext(`register ${i}`, () =>
          rig.reactor.register(read, READABLE, {
            onReady: () => {
              notes.note(`handler ${i}`);
              drain(read);
            },
          }),
        ),
      );
      for (let round = 0; round < 2; round++) {
        inContext('elsewhere', () =>
          registrations.forEach((registration) => registration.setInterest(READABLE)),
        );
        await inContext('elsewhere', () => rig.inTurn(() => pipes.forEach(({ write }) => writeByte(write))));
        for (let i = 0; i < 3; i++) await notes.reach(`handler ${i}`, round + 1);
      }
      expect(notes.seen.sort()).toEqual([0, 0, 1, 1, 2, 2].map((i) => `handler ${i}: register ${i}`));
    });

    test('onError, of what was thrown and of a lost fd', async () => {
      const thrown = rig.pipe();
      const lost = rig.pipe();
      const handler = (name: string) => ({
        onReady: (_readiness: number, { fd }: Registration) => {
          drain(fd);
          throw new Error('thrown');
        },
        onError: () => notes.note(name),
      });
      inContext('a', () => rig.reactor.register(thrown.read, READABLE, handler('thrown')));
      const registration = inContext('b', () => rig.reactor.register(lost.read, READABLE, handler('lost')));
      inContext('elsewhere', () => writeByte(thrown.write));
      await notes.reach('thrown');
      rig.disown(lost.read);
      sys.close(lost.read);
      inContext('elsewhere', () => registration.setInterest(READABLE | WRITABLE));
      await notes.reach('lost');
      expect(notes.seen).toEqual(['thrown: a', 'lost: b']);
    });

    test('again()', async () => {
      const { read } = rig.pipe();
      const registration = inContext('register', () =>
        rig.reactor.register(read, READABLE, { onReady: () => notes.note('again') }),
      );
      inContext('elsewhere', () => registration.again());
      await notes.reach('again');
      expect(notes.seen).toEqual(['again: register']);
    });

    test('what one enters does not reach the next of its batch, nor a later turn of its own', async () => {
      const pipes = [rig.pipe(), rig.pipe(), rig.pipe()];
      pipes.forEach(({ read }, i) => {
        rig.reactor.register(read, READABLE, {
          onReady() {
            drain(read);
            notes.note('before');
            storage.run(`inner ${i}`, () => {
              notes.note('inner');
              void Promise.resolve().then(() => notes.note('microtask'));
              process.nextTick(() => notes.note('tick'));
              rig.reactor.post(() => notes.note('posted'));
            });
            notes.note('after');
          },
        });
      });
      for (let round = 1; round <= 2; round++) {
        await rig.inTurn(() => pipes.forEach(({ write }) => writeByte(write)));
        await notes.reach('posted', 3 * round);
      }
      for (const what of ['before', 'after']) expect(notes.of(what)).toEqual(Array(6).fill(`${what}: none`));
      for (const what of ['inner', 'microtask', 'tick', 'posted']) {
        const once = [0, 1, 2].map((i) => `${what}: inner ${i}`);
        expect(notes.of(what).sort()).toEqual([...once, ...once].sort());
      }
      expect(storage.getStore()).toBeUndefined();
    });
  });

  describe('timers and work', () => {
    test('setTimer, also one that repeats and one that another reschedules', async () => {
      const { reactor } = rig;
      inContext('once', () => reactor.setTimer(1, () => notes.note('once')));
      const repeating = inContext('repeat', () =>
        reactor.setTimer(1, () => notes.note('repeat'), { repeatMs: 1 }),
      );
      const later = inContext('later', () => reactor.setTimer(60_000, () => notes.note('later')));
      inContext('elsewhere', () => later.reschedule(2));
      await notes.reach('repeat', 3);
      repeating.cancel();
      await notes.reach('later');
      expect(new Set(notes.seen)).toEqual(new Set(['once: once', 'repeat: repeat', 'later: later']));
    });

    test('sleep, timeout, interval', async () => {
      const { reactor } = rig;
      const never = new Promise<void>(() => {});
      await Promise.all([
        inContext('sleep', async () => {
          await sleep(2, { reactor });
          notes.note('slept');
        }),
        inContext('timeout', async () => {
          await timeout(never, 2, { reactor }).catch(() => notes.note('timed out'));
        }),
        inContext('interval', async () => {
          let ticks = 0;
          for await (const _ of interval(1, { reactor })) {
            notes.note('tick');
            if (++ticks === 3) break;
          }
        }),
      ]);
      expect(notes.seen.sort()).toEqual([
        ...['slept: sleep', 'tick: interval', 'tick: interval', 'tick: interval', 'timed out: timeout'],
      ]);
    });

    test('post, and onWake, whoever wakes', async () => {
      const { reactor } = rig;
      inContext('post', () => reactor.post(() => notes.note('posted')));
      inContext('another post', () => reactor.post(() => notes.note('posted too')));
      const waker = inContext('waker', () => reactor.waker(() => notes.note('woken')));
      inContext('elsewhere', () => waker.wake());
      await notes.reach('woken');
      inContext('elsewhere', () => Waker.from(waker.share()).wake());
      await notes.reach('woken', 2);
      await notes.reach('posted too');
      expect(notes.seen.sort()).toEqual([
        ...['posted too: another post', 'posted: post', 'woken: waker', 'woken: waker'],
      ]);
    });
  });

  describe('sockets', () => {
    const noting = (side: string, more: TcpHandlers = {}): TcpHandlers => {
      const handlers: Record<string, unknown> = {};
      for (const name of ['open', 'data', 'drain', 'end', 'error', 'close'] as const) {
        handlers[name] = (connection: TcpConnection, value: never) => {
          notes.note(`${side} ${name}`);
          return more[name]?.(connection, value);
        };
      }
      return handlers;
    };

    test('accepted connections have their listener’s, connected ones that of connect()', async () => {
      const { reactor } = rig;
      const echo: TcpHandlers = { data: (connection, chunk) => void connection.write(chunk) };
      const listeners = ['A', 'B'].map((name) =>
        inContext(`listen ${name}`, () =>
          listen({ host, port: 0, reactor }, noting(`accepted ${name}`, echo)),
        ),
      );
      const say: TcpHandlers = {
        open: (connection) => void connection.write(Buffer.from('x')),
        data: (connection) => connection.end(),
      };
      for (const [i, name] of ['A', 'B', 'A', 'B'].entries()) {
        const { port } = listeners[i % 2]!.localAddress!;
        inContext(`connect ${i}`, () => connect({ host, port, reactor }, noting(`connected ${i}`, say)));
        await notes.reach(`connected ${i} close`);
        await notes.reach(`accepted ${name} close`, 1 + Math.floor(i / 2));
      }
      for (const name of ['A', 'B']) {
        for (const event of ['open', 'data', 'end', 'close']) {
          const what = `accepted ${name} ${event}`;
          expect(notes.of(what)).toEqual(Array(2).fill(`${what}: listen ${name}`));
        }
      }
      for (let i = 0; i < 4; i++) {
        for (const event of ['open', 'data', 'end', 'close']) {
          expect(notes.of(`connected ${i} ${event}`)).toEqual([`connected ${i} ${event}: connect ${i}`]);
        }
      }
      for (const listener of listeners) listener.close();
    });

    test('what a handler of one connection enters does not reach another, nor the next listener', async () => {
      const { reactor } = rig;
      const enter: TcpHandlers = {
        data: (connection, chunk) => storage.run('inner', () => void connection.write(chunk)),
      };
      const listeners = [1, 2].map((i) => listen({ host, port: 0, reactor }, noting(`accepted ${i}`, enter)));
      const connections = listeners.flatMap((listener, i) =>
        [1, 2].map(() =>
          connect({ host, port: listener.localAddress!.port, reactor }, noting(`connected ${i}`)),
        ),
      );
      await notes.reach('connected 0 open', 2);
      await notes.reach('connected 1 open', 2);
      for (let round = 1; round <= 2; round++) {
        await rig.inTurn(() => connections.forEach((connection) => connection.write(Buffer.from('x'))));
        for (const i of [0, 1]) await notes.reach(`connected ${i} data`, 2 * round);
      }
      inContext('elsewhere', () => connections.forEach((connection) => connection.close()));
      for (const i of [1, 2]) await notes.reach(`accepted ${i} close`, 2);
      expect(notes.seen.filter((line) => !line.endsWith(': none'))).toEqual([]);
      for (const listener of listeners) listener.close();
    });

    test('drain, and a close by somebody else', async () => {
      const { reactor } = rig;
      const listener = inContext('listen', () => listen({ host, port: 0, reactor }, noting('accepted')));
      const { port } = listener.localAddress!;
      const fill: TcpHandlers = {
        open: (connection) => {
          while (connection.write(Buffer.alloc(65_536)));
        },
      };
      const connection = inContext('connect', () =>
        connect({ host, port, reactor }, noting('connected', fill)),
      );
      await notes.reach('connected drain');
      inContext('elsewhere', () => {
        connection.cork();
        expect(connection.write(Buffer.alloc(65_537))).toBe(false);
        connection.uncork();
      });
      await notes.reach('connected drain', 2);
      inContext('elsewhere', () => connection.close());
      await notes.reach('connected close');
      await notes.reach('accepted close');
      expect(new Set(notes.seen.filter((line) => line.startsWith('connected')))).toEqual(
        new Set(['connected open: connect', 'connected drain: connect', 'connected close: connect']),
      );
      expect(notes.of('accepted close')).toEqual(['accepted close: listen']);
      listener.close();
    });

    test('a refused and an aborted connect: error and close', async () => {
      const { reactor } = rig;
      const listener = listen({ host, port: 0, reactor }, {});
      const { port } = listener.localAddress!;
      listener.close();
      inContext('refused', () => connect({ host, port, reactor }, noting('refused')));
      await notes.reach('refused close');
      const controller = new AbortController();
      const { signal } = controller;
      // An address of TEST-NET-1, which does not answer; where there is no way to it, it is refused
      // instead.
      inContext('aborted', () => connect({ host: '192.0.2.1', port: 9, reactor, signal }, noting('aborted')));
      inContext('elsewhere', () => controller.abort());
      await notes.reach('aborted close');
      expect(notes.seen).toEqual([
        ...[
          'refused error: refused',
          'refused close: refused',
          'aborted error: aborted',
          'aborted close: aborted',
        ],
      ]);
    });

    test('the end of a reactor: close in each one’s own', async () => {
      const { reactor } = rig;
      const listener = inContext('listen', () => listen({ host, port: 0, reactor }, noting('accepted')));
      const { port } = listener.localAddress!;
      inContext('connect', () => connect({ host, port, reactor }, noting('connected')));
      await notes.reach('accepted open');
      await notes.reach('connected open');
      inContext('elsewhere', () => reactor.close());
      await notes.reach('accepted close');
      await notes.reach('connected close');
      expect(notes.of('accepted close')).toEqual(['accepted close: listen']);
      expect(notes.of('connected close')).toEqual(['connected close: connect']);
    });

    test('a drop is told in the listener’s', async () => {
      const { reactor } = rig;
      const drop = (): void => notes.note('drop');
      const listener = inContext('listen', () =>
        listen({ host, port: 0, reactor, maxConnections: 0 }, { drop }),
      );
      const { port } = listener.localAddress!;
      inContext('connect', () => connect({ host, port, reactor }, { error() {} }));
      await notes.reach('drop');
      expect(notes.seen).toEqual(['drop: listen']);
      listener.close();
    });

    test('promises go on where they were awaited', async () => {
      const { reactor } = rig;
      const listener = await inContext('bind', () => TcpListener.bind({ host, port: 0 }, { reactor }));
      const { port } = listener.localAddress!;
      const serve = inContext('serve', async () => {
        const { stream } = await listener.accept();
        notes.note('accepted');
        const buffer = new Uint8Array(100);
        for (;;) {
          const length = await stream.read(buffer);
          notes.note('read');
          if (length === 0) break;
          await stream.writeAll(buffer.subarray(0, length));
          notes.note('written');
        }
        stream.close();
      });
      const ask = inContext('ask', async () => {
        const stream = await TcpStream.connect({ host, port }, { reactor });
        notes.note('connected');
        const buffer = new Uint8Array(100);
        for (let i = 0; i < 2; i++) {
          await stream.writeAll(buffer.subarray(0, 10));
          await stream.read(buffer, { timeoutMs: 10_000 });
          notes.note('answer');
        }
        await stream.read(buffer, { timeoutMs: 5 }).catch(() => notes.note('timed out'));
        stream.close();
      });
      await within(Promise.all([serve, ask]), 'both ends');
      const own = (context: string, ...whats: string[]): string[] =>
        whats.map((what) => `${what}: ${context}`);
      expect(notes.seen.sort()).toEqual(
        [
          ...own('serve', 'accepted', 'read', 'written', 'read', 'written', 'read'),
          ...own('ask', 'connected', 'answer', 'answer', 'timed out'),
        ].sort(),
      );
      listener.close();
    });
  });
});
