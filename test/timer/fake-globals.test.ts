// F27: what a program's tests replace by fakes while they run is not what a reactor's time is made
// of.
import { Interest, interval, Reactor, sleep, timeout } from 'tripoll';
import { AsyncFd, listen, TcpListener, TcpStream, UdpSocket } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { testAnyFd } from '../support/applies.js';
import { openPipe } from '../support/pairs.js';

const HOST = '127.0.0.1';
const timedOut = { code: 'ERR_TRIPOLL_TIMEOUT' };

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test('F27 timers, sleep, timeout and interval run under fake timers', async () => {
  const fired = new Promise<void>((resolve) => {
    Reactor.default.setTimer(5, resolve);
  });
  await fired;
  await sleep(5);
  await expect(timeout(new Promise(() => {}), 5)).rejects.toMatchObject(timedOut);
  for await (const _tick of interval(5)) break;
});

test('F27 timeoutMs ends waits of each kind under fake timers', async () => {
  const listener = await TcpListener.bind({ host: HOST, port: 0 });
  const stream = await TcpStream.connect({ host: HOST, port: listener.localAddress?.port ?? 0 });
  const socket = await UdpSocket.bind({ host: HOST, port: 0 });
  const soon = { timeoutMs: 10 };
  const buffer = new Uint8Array(8);
  await expect(stream.read(buffer, soon)).rejects.toMatchObject(timedOut);
  await expect(socket.receive(buffer, soon)).rejects.toMatchObject(timedOut);
  const { stream: accepted } = await listener.accept();
  await expect(listener.accept(soon)).rejects.toMatchObject(timedOut);
  for (const closable of [listener, stream, accepted, socket]) closable.close();
});

testAnyFd('F27 timeoutMs ends the waits of an AsyncFd under fake timers', async () => {
  const ends: number[] = [];
  openPipe(ends, sys.constants.O_NONBLOCK);
  const io = new AsyncFd(ends[0] ?? -1, { interest: Interest.READABLE });
  await expect(io.read(new Uint8Array(8), { timeoutMs: 10 })).rejects.toMatchObject(timedOut);
  io.close();
  for (const fd of ends) sys.close(fd);
});

test('F27 a peek lets handlers go on, and run() runs, under fake timers', async () => {
  const reactor = new Reactor({ driver: 'watcher' });
  const running = reactor.run();
  const got: string[] = [];
  const listener = listen(
    { host: HOST, port: 0, reactor },
    {
      open: (connection) => void connection.peek(new Uint8Array(1)),
      data: (connection, chunk) => {
        got.push(Buffer.from(chunk).toString());
        connection.close();
      },
    },
  );
  const client = await TcpStream.connect({ host: HOST, port: listener.localAddress?.port ?? 0 }, { reactor });
  await client.writeAll(Buffer.from('x'));
  expect(await client.read(new Uint8Array(1))).toBe(0);
  expect(got).toEqual(['x']);
  reactor.close();
  await running;
});
