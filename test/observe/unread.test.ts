import { sys } from 'tripoll/raw';
import { connect, listen, TcpStream, type TcpConnection } from 'tripoll/net';
import { ReadyCheck } from '#lib/observe/watchdog/fd-state';
import { UnreadWatch, type Unread } from '#lib/observe/watchdog/unread';
import { addListener, Listener } from '#lib/observe/probes';
import { Interest } from '#lib/poller/flags';
import { Reactor } from '#lib/reactor/reactor';
import type { Registration } from '#lib/reactor/registration';
import { testAnyFd } from '../support/applies.js';
import { until, within } from '../support/deadline.js';
import { openPipe } from '../support/pairs.js';

const LIMIT_MS = 1000;

class Ear extends Listener {
  readonly #watch: UnreadWatch;
  constructor(watch: UnreadWatch) {
    super();
    this.#watch = watch;
  }
  override handlerStart(_nowMs: number, registration: Registration): void {
    this.#watch.handlerStart(registration);
  }
  override registered(_nowMs: number, registration: Registration): void {
    this.#watch.registered(registration);
  }
}

let open: { close(): void }[] = [];
function rig(reactor: Reactor) {
  const found: Unread[] = [];
  const check = new ReadyCheck();
  const watch = new UnreadWatch(LIMIT_MS, reactor.registry, check, (unread) => found.push(unread));
  addListener(reactor, new Ear(watch));
  open.push(reactor, check);
  let now = 0;
  return {
    found,
    /** Looks once, the limit after the last time. */
    look(): void {
      now += LIMIT_MS;
      watch.scan(now);
    },
    /** Looks once, and once more when the limit has passed. */
    scan(): Unread[] {
      found.length = 0;
      watch.scan(now);
      now += LIMIT_MS;
      watch.scan(now);
      return found;
    },
  };
}
afterEach(() => {
  for (const each of open.splice(0)) each.close();
  open = [];
});

describe('what nobody reads', () => {
  testAnyFd('bytes of an fd that is paused are told once, and again when something was read', () => {
    const reactor = new Reactor({ driver: 'manual' });
    const { scan } = rig(reactor);
    const fds: number[] = [];
    openPipe(fds, sys.constants.O_NONBLOCK);
    const [read = -1, write = -1] = fds;
    open.unshift({ close: () => fds.forEach((fd) => sys.close(fd)) });
    const byte = new Uint8Array(1);
    const registration = reactor.register(read, 0, { onReady: () => void sys.read(read, byte) });
    expect(scan()).toEqual([]);
    sys.write(write, new Uint8Array(7));
    expect(scan()).toEqual([{ registration, waitingMs: LIMIT_MS, bytes: 7, peerEnded: false, paused: true }]);
    expect(scan()).toEqual([]);
    registration.setInterest(Interest.READABLE);
    reactor.turn(-1);
    registration.setInterest(0);
    expect(scan()).toMatchObject([{ bytes: 6 }]);
    while (sys.read(read, byte) > 0);
    expect(scan()).toEqual([]);
  });

  testAnyFd('a handler that reads in between is no reason', () => {
    const reactor = new Reactor({ driver: 'manual' });
    const { look, found } = rig(reactor);
    const fds: number[] = [];
    openPipe(fds, sys.constants.O_NONBLOCK);
    const [read = -1, write = -1] = fds;
    open.unshift({ close: () => fds.forEach((fd) => sys.close(fd)) });
    const byte = new Uint8Array(1);
    reactor.register(read, Interest.READABLE, { onReady: () => void sys.read(read, byte) });
    for (let i = 0; i < 10; i++) {
      sys.write(write, new Uint8Array(2));
      reactor.turn(-1);
      look();
    }
    expect(found).toEqual([]);
  });

  testAnyFd('a promise stream whose peer has left, and which nobody reads', async () => {
    const reactor = new Reactor();
    const { scan } = rig(reactor);
    let accepted: TcpConnection | null = null;
    const listener = listen('127.0.0.1:0', { open: (conn) => (accepted = conn), data() {} }, { reactor });
    const stream = await within(
      TcpStream.connect({ host: '127.0.0.1', port: listener.localAddress?.port ?? 0 }, { reactor }),
      'a connection',
    );
    await until(() => accepted !== null, 'its other side');
    expect(scan()).toEqual([]);
    (accepted as TcpConnection | null)?.end();
    const check = new ReadyCheck();
    await until(
      () => ((check.readiness(stream.fd, Interest.READABLE) ?? 0) & Interest.READABLE) !== 0,
      'the end',
    );
    check.close();
    expect(scan()).toMatchObject([
      { registration: { fd: stream.fd }, bytes: 0, peerEnded: true, paused: true },
    ]);
    await stream.read(new Uint8Array(1));
    expect(scan()).toEqual([]);
    stream.close();
  });

  testAnyFd('a connection with handlers that was paused, as long as it is', async () => {
    const reactor = new Reactor();
    const { scan } = rig(reactor);
    let accepted: TcpConnection | null = null;
    let bytes = 0;
    const listener = listen(
      '127.0.0.1:0',
      {
        open: (conn) => {
          conn.pause();
          accepted = conn;
        },
        data: (_conn, chunk) => void (bytes += chunk.length),
      },
      { reactor },
    );
    const client = connect(
      { host: '127.0.0.1', port: listener.localAddress?.port ?? 0, reactor },
      { open: (conn) => void conn.write(new Uint8Array(9)), data() {} },
    );
    await until(() => accepted !== null && client.bytesWritten === 9, 'what is sent');
    const check = new ReadyCheck();
    const conn = accepted as TcpConnection | null;
    await until(() => (check.readiness(conn?.fd ?? -1, Interest.READABLE) ?? 0) !== 0, 'its arrival');
    check.close();
    expect(scan()).toMatchObject([{ registration: { fd: conn?.fd }, bytes: 9, paused: true }]);
    conn?.resume();
    await until(() => bytes === 9, 'the bytes');
    expect(scan()).toEqual([]);
  });
});
