// What bulk load may take from Node's own loop, by counting bytes (F29): a turn is bounded by them,
// not by events alone.
import { Interest } from 'tripoll';
import { copyBidirectional, listen, TcpListener, type TcpConnection, type TcpStream } from 'tripoll/net';
import { FloodRig } from './flood-rig.js';

// As in lib: the tests say what they promise, and so repeat them.
const CHUNK_BYTES = 65_536;
const BYTES_PER_UNIT = 8192;
const TURN_BYTES = 1024 * BYTES_PER_UNIT;
const PROMISE_BYTES = 4 * TURN_BYTES;
const HOST = '127.0.0.1';
const FLOODS = 64;
const TURNS = 50;
const { READABLE, WRITABLE } = Interest;

let rig: FloodRig;
beforeEach(() => (rig = new FloodRig(CHUNK_BYTES)));
afterEach(() => rig.close());

async function acceptAll(count: number): Promise<number[]> {
  const listenerFd = rig.latestFd;
  rig.backlog = count;
  while (rig.backlog > 0) {
    rig.emit(listenerFd, READABLE);
    await rig.turn();
  }
  return rig.poller
    .callsOf('add')
    .map(([fd]) => fd ?? -1)
    .filter((fd) => fd !== listenerFd);
}

/** The bytes of the turn that has most of them, while all fds are ready again and again. */
async function mostBytesOfATurn(fds: readonly number[]): Promise<number> {
  let most = 0;
  for (let turn = 0; turn < TURNS; turn++) {
    for (const fd of fds) rig.emit(fd, READABLE | WRITABLE);
    await rig.turn();
    most = Math.max(most, rig.bytes);
  }
  return most;
}

test.each([
  ['discarded', () => undefined],
  ['echoed', (connection: TcpConnection, chunk: Uint8Array) => void connection.write(chunk)],
])('F29 handlers: so many bytes a turn are %s, and no more', async (_name, data) => {
  listen({ host: HOST, port: 1, reactor: rig.reactor }, { data });
  const most = await mostBytesOfATurn(await acceptAll(FLOODS));
  // The last event may begin with a unit left, and then has its first read, and a write, for
  // nothing.
  expect(most).toBeLessThanOrEqual(TURN_BYTES + 2 * CHUNK_BYTES);
  expect(most).toBeGreaterThan(TURN_BYTES / 2);
});

async function acceptStreams(count: number): Promise<{ streams: TcpStream[]; fds: number[] }> {
  const listener = await TcpListener.bind({ host: HOST, port: 1 }, { reactor: rig.reactor });
  const accepting = Array.from({ length: count }, () => listener.accept());
  const fds = await acceptAll(count);
  return { streams: (await Promise.all(accepting)).map(({ stream }) => stream), fds };
}

test.each([
  ['read', (stream: TcpStream) => stream.read(new Uint8Array(CHUNK_BYTES))],
  ['write', (stream: TcpStream) => stream.write(new Uint8Array(CHUNK_BYTES))],
  ['writeAll', (stream: TcpStream) => stream.writeAll(new Uint8Array(CHUNK_BYTES))],
])('F29 promises: a loop of %s has so many bytes a turn, and no more', async (_name, step) => {
  const { streams, fds } = await acceptStreams(8);
  for (const stream of streams) {
    const looping = (async () => {
      for (;;) await step(stream);
    })();
    looping.catch(() => {});
  }
  const most = await mostBytesOfATurn(fds);
  // Of the turn and of the promises after it, and what each stream had begun when the budget ended.
  expect(most).toBeLessThanOrEqual(TURN_BYTES + PROMISE_BYTES + 8 * CHUNK_BYTES);
  expect(most).toBeGreaterThan(TURN_BYTES / 2);
});

test('F29 copyBidirectional: so many bytes a turn, and no more', async () => {
  const { streams, fds } = await acceptStreams(8);
  for (let i = 0; i < 8; i += 2) {
    copyBidirectional(streams[i] as TcpStream, streams[i + 1] as TcpStream).catch(() => {});
  }
  const most = await mostBytesOfATurn(fds);
  expect(most).toBeLessThanOrEqual(TURN_BYTES + PROMISE_BYTES + 16 * CHUNK_BYTES);
  expect(most).toBeGreaterThan(TURN_BYTES / 2);
});
