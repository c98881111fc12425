// The same as in unknown-options.test.ts for what is not a stream: sources, any fd, datagrams,
// framing; and the options of a single call, of which a slip of the pen (`timeoutMS`) would else
// wait for ever.
import { capabilities, Poller, Reactor } from 'tripoll';
import {
  AsyncFd,
  BatchWriter,
  bindUdp,
  bindUnixDatagram,
  BufferedReader,
  childExit,
  copyBidirectional,
  DatagramBatch,
  DelimiterDecoder,
  DelimiterReader,
  EventFd,
  FdStream,
  IcmpSocket,
  Inotify,
  LengthPrefix,
  LengthPrefixedDecoder,
  LengthPrefixedReader,
  LengthPrefixedWriter,
  LineDecoder,
  LineReader,
  NetlinkSocket,
  PacketSocket,
  PidFd,
  Pty,
  SerialPort,
  signal,
  TimerFd,
  TunDevice,
  UdpSocket,
  UnixDatagram,
  UnixStream,
} from 'tripoll/net';
import { Epoll } from 'tripoll/raw';
import { describeIf } from '../../support/applies.js';
import { invalidType, thrownBy } from '../../support/errors.js';
import { rejection } from '../tools.js';

/** As a user's slip: right in every other respect. */
const wrong = { timeoutMS: 5 } as object;
const LF = Uint8Array.of(0x0a);
const bytes = new Uint8Array(10);

let reactor: Reactor;
const closables: { close(): void }[] = [];
function own<T extends { close(): void }>(closable: T): T {
  closables.push(closable);
  return closable;
}

beforeEach(() => {
  reactor = new Reactor({ driver: 'manual' });
});
afterEach(() => {
  for (const closable of closables.splice(0)) closable.close();
  expect(reactor.inspect().registrations).toBe(0);
  reactor.close();
});

async function expectRefused(...promises: Promise<unknown>[]): Promise<void> {
  for (const promise of promises) expect(await rejection(promise)).toEqual(invalidType);
}

function expectThrows(...calls: (() => unknown)[]): void {
  for (const call of calls) expect([call.toString(), thrownBy(call)]).toEqual([call.toString(), invalidType]);
}

describe('an option that does not exist is a TypeError', () => {
  test('UDP', async () => {
    const options = { reactor, ...wrong };
    expectThrows(
      () => new DatagramBatch(wrong),
      () => bindUdp({ host: '127.0.0.1', port: 0, ...options }, {}),
    );
    await expectRefused(UdpSocket.bind('127.0.0.1:0', options), UdpSocket.fromFd(0, options));
    await expectRefused(UdpSocket.connect('127.0.0.1:9', options));
    const socket = own(await UdpSocket.bind('127.0.0.1:0', { reactor }));
    const batch = new DatagramBatch();
    await expectRefused(
      socket.receive(bytes, wrong),
      socket.recvMany(batch, wrong),
      socket.receiveError(wrong),
    );
    await expectRefused(socket.send(bytes, '127.0.0.1:9', wrong), socket.sendMany(batch, wrong));
    expectThrows(() => socket.join('239.1.2.3', wrong));
    // And those that exist are taken.
    await socket.send(bytes, '127.0.0.1:9', { tos: 0, ttl: 9, timeoutMs: 1000, signal: undefined });
  });

  test('framing', async () => {
    const source = { read: () => Promise.resolve(0) };
    const sink = { writeAll: () => Promise.resolve() };
    expectThrows(
      () => new DelimiterDecoder(LF, wrong),
      () => new DelimiterReader(source, LF, wrong),
      () => new LineDecoder(wrong),
      () => new LineReader(source, wrong),
      () => new LengthPrefix(wrong),
      () => new LengthPrefixedDecoder(wrong),
      () => new LengthPrefixedReader(source, wrong),
      () => new LengthPrefixedWriter(sink, wrong),
      () => new BatchWriter(sink, wrong),
      () => new BufferedReader(source, wrong),
    );
    const reader = new LineReader(source, { encoding: 'utf8', maxLengthBytes: 9, copy: true });
    await expectRefused(reader.read(wrong), reader.next(wrong));
    const buffered = new BufferedReader(source);
    await expectRefused(buffered.read(bytes, wrong), buffered.readLine(wrong), buffered.readUntil(LF, wrong));
    await expectRefused(
      buffered.readExactly(1, wrong),
      buffered.readExactly(bytes, wrong),
      buffered.peek(1, wrong),
    );
    expect(await buffered.readLine({ encoding: 'latin1', maxLengthBytes: 5, timeoutMs: 9 })).toBeNull();
    const options = { lengthBytes: 2, byteOrder: 'little', includesPrefix: true } as const;
    new LengthPrefixedWriter(sink, { ...options, maxQueuedBytes: 5 });
    new LengthPrefixedDecoder({ ...options, maxLengthBytes: 5, copy: true });
  });

  test('the poller', () => {
    expectThrows(() => new Poller(wrong));
  });

  describeIf(capabilities.unixMessages, 'it is of Unix')('Unix', () => {
    test('datagrams', async () => {
      const options = { reactor, ...wrong };
      expectThrows(
        () => UnixDatagram.unbound(options),
        () => bindUnixDatagram({ path: '/nowhere/x', ...options }, { message() {} }),
      );
      await expectRefused(UnixDatagram.bind('/nowhere/x', options), UnixDatagram.fromFd(0, options));
      const socket = own(UnixDatagram.unbound({ reactor }));
      await expectRefused(socket.receive(bytes, wrong), socket.send(bytes, '/nowhere/x', wrong));
      await expectRefused(socket.sendFds(bytes, [], '/nowhere/x', wrong));
    });

    test('pipes, any fd, copying', async () => {
      const options = { reactor, ...wrong };
      expectThrows(
        () => FdStream.pipe(options),
        () => FdStream.open('/dev/null', 'read', options),
        () => FdStream.tty(0, 'read', options),
        () => new AsyncFd(0, options),
        () => signal('SIGUSR2', options),
        () => Pty.open(options),
        () => SerialPort.open('/nowhere', { baudRate: 9600, ...options }),
      );
      await expectRefused(FdStream.fromFd(0, 'read', options));
      const { reader, writer } = FdStream.pipe({ reactor });
      own(reader);
      own(writer);
      await expectRefused(
        reader.read(bytes, wrong),
        writer.write(bytes, wrong),
        writer.writeAll(bytes, wrong),
      );
      await expectRefused(reader.io.readable(wrong), writer.io.writable(wrong), reader.io.ready(1, wrong));
      await expectRefused(reader.io.io(1, () => 0, 'call', wrong));
      const source = own(signal('SIGUSR2', { reactor }));
      await expectRefused(source.next(wrong));
      const [one, other] = UnixStream.pair({ reactor });
      await expectRefused(copyBidirectional(own(one), own(other), wrong));
      expect([one.closed, other.closed]).toEqual([false, false]);
    });
  });

  describeIf(capabilities.backends.includes('epoll'), 'they are Linux’s')('what Linux has', () => {
    test('sources', async () => {
      const options = { reactor, ...wrong };
      expectThrows(
        () => new EventFd(options),
        () => new TimerFd(options),
        () => new Inotify(options),
        () => new PidFd(process.pid, options),
        () => new IcmpSocket(options),
        () => new NetlinkSocket(0, options),
        () => new PacketSocket('lo', options),
        () => TunDevice.open(options),
      );
      await expectRefused(childExit(process.pid, options));
      const counter = own(new EventFd({ reactor, initial: 1, semaphore: true }));
      await expectRefused(counter.add(1, wrong), counter.take(wrong));
      const timer = own(new TimerFd({ reactor, clock: 'realtime' }));
      await expectRefused(timer.expired(wrong));
      expectThrows(() => timer.set({ valueNs: 0, ...wrong }));
      await expectRefused(own(new Inotify({ reactor })).next(wrong));
      await expectRefused(own(new PidFd(process.pid, { reactor })).exited(wrong));
      const epoll = own(new Epoll());
      const params = { busyPollUsec: 0, busyPollBudget: 8, preferBusyPoll: false, ...wrong };
      expectThrows(() => epoll.setParams(params));
    });
  });
});
