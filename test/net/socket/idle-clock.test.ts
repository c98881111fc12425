// Idle timeouts on a clock that only the test moves: how early and how late, to the millisecond,
// and what counts.
import { capabilities, Reactor } from 'tripoll';
import { connect, listen, TcpListener, TcpStream, type TcpConnection } from 'tripoll/net';
import { FakeClock } from '../../reactor/fake-clock.js';
import { Random, testSeed } from '../../support/random.js';
import { sys } from 'tripoll/raw';
import { failureOf, fdOf, LOOPBACK, pattern, portOf, RawPeer } from '../tools.js';

const { backends } = capabilities;

describe.each(backends)('idleTimeoutMs on a clock of its own, %s', (backend) => {
  let clock: FakeClock;
  let reactor: Reactor;
  let peers: RawPeer[] = [];

  beforeEach(() => {
    clock = new FakeClock(1234.5);
    reactor = new Reactor({ driver: 'manual', backend, clock });
    peers = [];
  });
  afterEach(() => {
    for (const peer of peers) peer.close();
    reactor.close();
  });

  /** Loopback has delivered by the time a call returns: a few turns are enough. */
  const settle = (): void => {
    for (let i = 0; i < 4; i++) reactor.turn(0);
  };

  function passMs(ms: number): void {
    for (let left = ms; left > 0; left--) {
      clock.advance(Math.min(1, left));
      reactor.turn(0);
    }
  }

  function peerOf(listener: TcpListener): RawPeer {
    const peer = new RawPeer(portOf(listener));
    peers.push(peer);
    settle();
    return peer;
  }

  interface Idle {
    connection: TcpConnection;
    peer: RawPeer;
    /** When it was closed, after how long of the clock. */
    closedMs(): number | null;
  }

  function accepted(idleTimeoutMs: number, onData?: (connection: TcpConnection) => void): Idle {
    let connection!: TcpConnection;
    let closedMs: number | null = null;
    const listener = listen(
      { host: LOOPBACK, port: 0, reactor, idleTimeoutMs },
      {
        open: (opened) => void (connection = opened),
        data: (opened) => onData?.(opened),
        close: () => void (closedMs = clock.nowMs()),
      },
    );
    return { peer: peerOf(listener), connection, closedMs: () => closedMs };
  }

  test.each([1, 2, 7, 8, 9, 100, 999, 1000, 60_000])(
    '%d ms: never early, at most a quarter late',
    (timeoutMs) => {
      const random = new Random(testSeed() + timeoutMs);
      for (let i = 0; i < 20; i++) {
        clock.advance(random.next() * 1000);
        const { closedMs } = accepted(timeoutMs);
        const fromMs = clock.nowMs();
        const stepMs = Math.max(0.5, timeoutMs / 500);
        while (closedMs() === null && clock.nowMs() - fromMs < 3 * timeoutMs + 10) {
          clock.advance(stepMs);
          reactor.turn(0);
        }
        const afterMs = (closedMs() ?? Infinity) - fromMs;
        expect(afterMs).toBeGreaterThanOrEqual(timeoutMs);
        // A timer counts whole milliseconds, rounded up; so does a period.
        expect(afterMs).toBeLessThanOrEqual(timeoutMs * 1.25 + stepMs + 3);
      }
    },
  );

  const counts: [string, (idle: Idle) => void][] = [
    ['bytes from the peer', ({ peer }) => void peer.send('x')],
    ['a write that the socket takes at once', ({ connection }) => void connection.write(Buffer.from('x'))],
    [
      'a write that is corked, when it goes out',
      ({ connection }) => {
        connection.cork();
        connection.write(Buffer.from('x'));
        connection.uncork();
      },
    ],
  ];

  test.each(counts)('%s: it lives on', (_, act) => {
    const idle = accepted(100);
    for (let i = 0; i < 30; i++) {
      passMs(90);
      act(idle);
      settle();
    }
    expect(idle.closedMs()).toBeNull();
    passMs(99);
    expect(idle.closedMs()).toBeNull();
    passMs(30);
    expect(idle.closedMs()).not.toBeNull();
  });

  test('a write that waits, as its peer takes some of it', () => {
    const { connection, peer, closedMs } = accepted(100);
    // The system's own buffers, kept from growing: they hold less than is taken in a round.
    const { SOL_SOCKET, SO_SNDBUF, SO_RCVBUF } = sys.constants;
    const small = new Uint8Array(new Int32Array([50_000]).buffer);
    sys.setsockopt(fdOf(connection), SOL_SOCKET, SO_SNDBUF, small);
    sys.setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, small);
    connection.write(Buffer.alloc(16_000_000));
    for (let i = 0; i < 10; i++) {
      passMs(90);
      for (let left = 500_000, dry = 0; left > 0 && dry < 10;) {
        const got = peer.receive(left);
        if (got === null || typeof got === 'number' || got.length === 0) dry++;
        else left -= got.length;
        settle();
      }
    }
    expect(closedMs()).toBeNull();
    expect(connection.queuedBytes).toBeGreaterThan(0);
    passMs(130);
    expect(closedMs()).not.toBeNull();
  });

  const countsNot: [string, (idle: Idle) => void][] = [
    [
      'a write that waits for a peer who does not read',
      ({ connection }) => void connection.write(pattern(100)),
    ],
    [
      'what is corked',
      ({ connection }) => {
        connection.cork();
        connection.write(pattern(100));
      },
    ],
    ['pause and resume', ({ connection }) => void connection.pause().resume()],
  ];

  test.each(countsNot)('%s is no activity', (name, act) => {
    const idle = accepted(100);
    if (name.startsWith('a write')) idle.connection.write(pattern(12_000_000));
    settle();
    // Until the system takes no more of it.
    for (let left = -1; left !== idle.connection.queuedBytes;) {
      left = idle.connection.queuedBytes;
      settle();
    }
    passMs(80);
    act(idle);
    passMs(46);
    expect(idle.closedMs()).not.toBeNull();
  });

  test('a paused connection is idle too', () => {
    const { connection, closedMs } = accepted(100);
    connection.pause();
    passMs(126);
    expect(closedMs()).not.toBeNull();
  });

  test('promises: writing counts, and the failure is a TimeoutError', async () => {
    const listener = await TcpListener.bind({ host: LOOPBACK, port: 0 }, { reactor, idleTimeoutMs: 100 });
    const accepting = listener.accept();
    peerOf(listener);
    const { stream } = await accepting;
    for (let i = 0; i < 10; i++) {
      passMs(90);
      expect(await stream.writeAll(Buffer.from('x'))).toBe(1);
    }
    expect(stream.closed).toBe(false);
    passMs(126);
    expect(stream.closed).toBe(true);
    const error: unknown = await stream.read(new Uint8Array(1)).catch((failure: unknown) => failure);
    expect(failureOf(error)).toEqual({ name: 'TimeoutError', code: 'ERR_TRIPOLL_TIMEOUT' });
    // Not as of a call that took too long: nobody had given a time for this one (friction 8).
    expect((error as Error).message).toBe('The connection was idle for longer than 100 ms');
  });

  test('the time of connecting does not count', async () => {
    const listener = listen({ host: LOOPBACK, port: 0, reactor }, {});
    const told: string[] = [];
    connect(
      { host: LOOPBACK, port: portOf(listener), reactor, idleTimeoutMs: 100 },
      { open: () => void told.push('open'), close: () => void told.push('close') },
    );
    const connecting = TcpStream.connect(`${LOOPBACK}:${portOf(listener)}`, { reactor, idleTimeoutMs: 100 });
    clock.advance(500);
    settle();
    await connecting;
    passMs(99);
    expect(told).toEqual(['open']);
    passMs(30);
    expect(told).toEqual(['open', 'close']);
  });

  test('many that come and go at random: each is closed in its time, and none leaves a timer', () => {
    const random = new Random(testSeed());
    const idleTimeoutMs = 200;
    const activeMs = new Map<TcpConnection, number>();
    const wrong: string[] = [];
    const listener = listen(
      { host: LOOPBACK, port: 0, reactor, idleTimeoutMs },
      {
        open: (connection) => void activeMs.set(connection, clock.nowMs()),
        data: (connection) => void activeMs.set(connection, clock.nowMs()),
        close(connection, error) {
          const silentMs = clock.nowMs() - (activeMs.get(connection) ?? 0);
          activeMs.delete(connection);
          if (error === null) return;
          if (silentMs < idleTimeoutMs || silentMs > idleTimeoutMs * 1.25 + 3)
            wrong.push(`after ${silentMs} ms`);
        },
      },
    );
    for (let i = 0; i < 3000; i++) {
      clock.advance(random.next() * 3);
      const dice = random.below(20);
      if (dice === 0 && peers.length < 60) peers.push(new RawPeer(portOf(listener)));
      else if (peers.length > 0) {
        const peer = random.pick(peers);
        if (dice < 8) {
          try {
            peer.send('x');
          } catch {
            // It was closed for its silence.
          }
        } else if (dice === 8) {
          peer.close();
          peers.splice(peers.indexOf(peer), 1);
        }
      }
      reactor.turn(0);
      expect(reactor.inspect().timers).toBe(activeMs.size > 0 ? 1 : 0);
    }
    expect(wrong).toEqual([]);
    passMs(300);
    expect(activeMs.size).toBe(0);
    expect(reactor.inspect().timers).toBe(0);
  });
});
