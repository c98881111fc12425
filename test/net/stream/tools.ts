// What the tests of cancellation and life share, on top of those of the sockets.
import { getEventListeners } from 'node:events';
import { Readiness, type Reactor } from 'tripoll';
import { tcpInfo, type TcpConnection, type TcpListener, type TcpStream } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { within } from '../../support/deadline.js';
import { fdOf, LOOPBACK, pretendReady, RawPeer, turnOf, type Closable, type Context } from '../tools.js';

const { AF_INET, SOCK_STREAM, SOCK_CLOEXEC, SOL_SOCKET, SO_SNDBUF } = sys.constants;
const { IPPROTO_TCP, TCP_QUICKACK, TCP_NOTSENT_LOWAT } = sys.constants;
const { EAGAIN } = sys.errno;
const ONE = new Uint8Array(new Int32Array([1]).buffer);

/** How many wait for its abort. */
export function listenersOf(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

/** What a settled operation must have given back. */
export function heldBy(reactor: Reactor): { timers: number; refs: number } {
  const { timers, refs } = reactor.inspect();
  return { timers, refs };
}

/**
 * A stream whose socket takes no more bytes, and its peer, which has `filledBytes` zeros to read
 * first.
 */
export interface Blocked {
  stream: TcpStream;
  peer: RawPeer;
  filledBytes: number;
}

export async function blockedStream(context: Context): Promise<Blocked> {
  const { stream, peer } = await context.acceptedStream();
  return { stream, peer, filledBytes: await fillSocket(context, fdOf(stream), peer) };
}

/** For what is sent to be acknowledged over loopback: far more than it takes. */
const MAX_ACKED_MS = 2000;

/** Sent and not acknowledged; 0 where the system does not tell, as of a Unix socket. */
function unackedSegments(fd: number): number {
  try {
    return tcpInfo(fd).unacked ?? 0;
  } catch {
    return 0;
  }
}

/** The peer acknowledges all that it has, which a system holds back for 40 ms and more. */
function acknowledge(fd: number, peer: RawPeer): void {
  if (TCP_QUICKACK !== undefined) {
    sys.setsockopt(peer.fd, IPPROTO_TCP, TCP_QUICKACK, ONE);
    return;
  }
  // What it says itself carries that along. The stream, which may read for its handlers, is kept
  // from hearing of it.
  peer.send('x');
  const said = new Uint8Array(1);
  const latestMs = performance.now() + MAX_ACKED_MS;
  while (sys.recv(fd, said, 0, 1) !== 1) {
    if (performance.now() > latestMs) throw new Error('what the peer said did not arrive');
  }
}

/**
 * Zeros, until it takes no more: how many bytes. For a write that is to wait, whatever the system
 * does, there is `holdWrites`.
 */
export async function fillSocket(context: Context, fd: number, peer: RawPeer): Promise<number> {
  sys.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, new Uint8Array(new Int32Array([32_768]).buffer));
  // Past the stream, which must not have begun a write. Twice: what was acknowledged meanwhile
  // makes room.
  let filledBytes = 0;
  const latestMs = performance.now() + MAX_ACKED_MS;
  const zeros = new Uint8Array(65_536);
  for (let full = 0; full < 3;) {
    const sent = sys.send(fd, zeros);
    if (sent > 0) filledBytes += sent;
    else if (sent !== -EAGAIN) throw new Error(`send: errno ${-sent}`);
    else {
      // An acknowledgement that is on its way, or still held back, would make room later. On a busy
      // machine it takes a while.
      if (unackedSegments(fd) === 0 || performance.now() > latestMs) full++;
      acknowledge(fd, peer);
      await turnOf(context.reactor);
    }
  }
  // A peer that is short of memory may repack what it has, and take some more after all: nothing is
  // taken here, nor said to be writable, before all that is queued has gone. A Unix socket refuses.
  if (TCP_NOTSENT_LOWAT !== undefined) sys.setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, ONE);
  return filledBytes;
}

/**
 * What is written from now on waits, whatever room the socket has, until the function is called that
 * this returns.
 */
export function holdWrites(stream: TcpConnection | TcpStream): () => Promise<void> {
  let isHeld = true;
  const first = stream.writeWith(() => (isHeld ? -EAGAIN : 0), 1);
  first.catch(() => undefined); // its stream closes
  return async () => {
    isHeld = false;
    pretendReady(stream, Readiness.WRITABLE);
    await within(first, 'what the others wait for');
  };
}

/**
 * Asked once, and before the tests, whose timers would be late: it takes a while where it is so.
 */
const dropsUnheard = ((): boolean => {
  const bound = sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
  const name: { port?: number } = {};
  sys.bind(bound, { host: LOOPBACK, port: 0 });
  sys.getsockname(bound, name);
  const probe = connectTo(name.port ?? 0);
  const drops = !answersSoon(probe);
  for (const fd of [bound, probe]) sys.close(fd);
  return drops;
})();

function connectTo(port: number): number {
  const fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | sys.constants.SOCK_NONBLOCK);
  sys.connect(fd, { host: LOOPBACK, port });
  return fd;
}

/**
 * A port that answers no connect. NetBSD and XNU drop what comes to a port that is bound and does
 * not listen (T66). Linux refuses that, and drops what comes to a full backlog, which FreeBSD
 * resets.
 */
export class DeafPort implements Closable {
  readonly port: number;
  readonly #fd: number;
  #waiting: number[] = [];

  constructor() {
    this.#fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
    if (sys.bind(this.#fd, { host: LOOPBACK, port: 0 }) < 0) throw new Error('bind');
    const name: { port?: number } = {};
    sys.getsockname(this.#fd, name);
    this.port = name.port ?? 0;
    if (dropsUnheard) return;
    if (sys.listen(this.#fd, 0) < 0) throw new Error('listen');
    this.#waiting = [1, 2, 3].map(() => connectTo(this.port));
  }

  close(): void {
    for (const fd of [this.#fd, ...this.#waiting.splice(0)]) sys.close(fd);
  }
}

/**
 * Whether a connect over the loopback has been refused: that is a matter of microseconds, but for a
 * machine that is busy.
 */
function answersSoon(fd: number): boolean {
  const error = new Int32Array(1);
  for (const until = performance.now() + 500; performance.now() < until;) {
    sys.getsockopt(fd, SOL_SOCKET, sys.constants.SO_ERROR, new Uint8Array(error.buffer));
    if (error[0] !== 0) return true;
  }
  return false;
}

export function peerOf(context: Context, listener: TcpListener): RawPeer {
  const { port = 0 } = listener.localAddress ?? {};
  return context.own(new RawPeer(port));
}
