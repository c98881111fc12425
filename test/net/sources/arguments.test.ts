// What the sources refuse, each by an error with a code; and the names that they take as the system
// has them.
import { mkdirSync, openSync, closeSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Reactor } from 'tripoll';
import {
  EventFd,
  FdStream,
  IcmpSocket,
  Inotify,
  PacketSocket,
  signal,
  TimerFd,
  TunDevice,
  UdpSocket,
} from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { describeLinuxFds } from '../../support/applies.js';
import { within } from '../../support/deadline.js';
import { invalidType, outOfRange, thrownBy } from '../../support/errors.js';
import { temporaryFolder } from '../../support/folders.js';
import { describeOn, rejection } from '../tools.js';

const { IN_CREATE = 0 } = sys.constants;

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll'], 'arguments of sources', (context) => {
  const options = (): { reactor: Reactor } => ({ reactor: context.reactor });

  describeLinuxFds('counters', () => {
    test.each([
      [1.5, outOfRange],
      [-1, outOfRange],
      [NaN, outOfRange],
      [2n ** 64n - 1n, outOfRange],
      ['x', invalidType],
      ['1', invalidType],
      [null, invalidType],
      [{}, invalidType],
    ])('F18 F35 EventFd.add(%p) rejects with a code', async (count, expected) => {
      const counter = context.own(new EventFd(options()));
      expect(await rejection(counter.add(count as never))).toEqual(expected);
    });
  });

  test.each(['bad', 'toString', '', 7, undefined, null])(
    'F35 FdStream.open and tty with direction %p',
    (direction) => {
      const expected = typeof direction === 'string' ? outOfRange : invalidType;
      expect(thrownBy(() => FdStream.open('/dev/null', direction as never, options()))).toEqual(expected);
      expect(thrownBy(() => FdStream.tty(0, direction as never, options()))).toEqual(expected);
    },
  );

  test('F35 other names of options', () => {
    const strange = (name: string): object => ({ ...options(), [name]: 'toString' });
    expect(thrownBy(() => new TimerFd(strange('clock')))).toEqual(outOfRange);
    expect(thrownBy(() => new IcmpSocket(strange('family')))).toEqual(outOfRange);
    expect(thrownBy(() => new PacketSocket('lo', strange('layer')))).toEqual(outOfRange);
    expect(thrownBy(() => TunDevice.open(strange('layer')))).toEqual(outOfRange);
    expect(thrownBy(() => signal('toString' as never, options()))).toEqual(outOfRange);
  });

  test('F35 a NUL in the name of an interface is refused wherever one is taken', async () => {
    const name = 'lo\0evil';
    expect(thrownBy(() => new PacketSocket(name, options()))).toEqual(outOfRange);
    expect(thrownBy(() => TunDevice.open({ ...options(), name }))).toEqual(outOfRange);
    const socket = context.own(await UdpSocket.bind('127.0.0.1:0', options()));
    expect(thrownBy(() => socket.join('239.1.2.3', { interface: name }))).toEqual(outOfRange);
    expect(thrownBy(() => socket.leave('239.1.2.3', { interface: name }))).toEqual(outOfRange);
    const bound = UdpSocket.bind('127.0.0.1:0', {
      ...options(),
      socketOptions: { multicastInterface: name },
    });
    expect(await rejection(bound)).toEqual(outOfRange);
  });

  describeLinuxFds('names of files', () => {
    const folder = temporaryFolder();
    let folders = 0;
    async function eventOf(name: string | Buffer): Promise<{ name: string; nameBytes: Buffer }> {
      const watched = path.join(folder, `watched-${++folders}`);
      mkdirSync(watched);
      const inotify = context.own(new Inotify(options()));
      inotify.add(watched, IN_CREATE);
      closeSync(openSync(Buffer.concat([Buffer.from(`${watched}/`), Buffer.from(name)]), 'w'));
      return within(inotify.next(), 'event');
    }

    test('F14 one that begins with U+FEFF keeps it', async () => {
      const name = '\ufeffmark';
      expect(await eventOf(name)).toMatchObject({ name, nameBytes: Buffer.from(name) });
    });

    test('F14 one that is no UTF-8 is told as bytes, and can be watched by them', async () => {
      const bytes = Buffer.from([0x66, 0xff, 0xfe]);
      expect(await eventOf(bytes)).toMatchObject({ name: 'f\ufffd\ufffd', nameBytes: bytes });
      const file = Buffer.concat([Buffer.from(`${folder}/`), bytes]);
      writeFileSync(file, '');
      const inotify = context.own(new Inotify(options()));
      inotify.add(file);
      writeFileSync(file, 'x');
      expect(await within(inotify.next(), 'event')).toMatchObject({ name: '', nameBytes: Buffer.alloc(0) });
      expect(thrownBy(() => inotify.add(Buffer.from('a\0b')))).toEqual(outOfRange);
      expect(thrownBy(() => inotify.add(7 as never))).toEqual(invalidType);
    });
  });
});
