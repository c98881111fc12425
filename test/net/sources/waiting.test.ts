// Who waits for a source: in which order they are served, what cancels them, and what keeps the
// process alive.
import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import type { Reactor } from 'tripoll';
import { Interest } from 'tripoll';
import { EventFd, FdStream, Inotify, type InotifyEvent } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { describeLinuxFds, testLinuxFds } from '../../support/applies.js';
import { runScript, expectCleanExit } from '../../support/child.js';
import { until, within } from '../../support/deadline.js';
import { temporaryFolder } from '../../support/folders.js';
import { describeOn, pattern, readToEnd, rejection, rejectionError, turnOf } from '../tools.js';

const { IN_CREATE = 0, F_DUPFD_CLOEXEC } = sys.constants;
/** More than a pipe holds. */
const MUCH = 300_000;

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll'], 'who waits', (context) => {
  const options = (): { reactor: Reactor } => ({ reactor: context.reactor });

  describeLinuxFds('inotify', () => {
    const folder = temporaryFolder();
    let folders = 0;
    function watch(): { inotify: Inotify; create(name: string): void } {
      const watched = path.join(folder, `watched-${++folders}`);
      mkdirSync(watched);
      const inotify = context.own(new Inotify(options()));
      inotify.add(watched, IN_CREATE);
      return { inotify, create: (name) => closeSync(openSync(path.join(watched, name), 'w')) };
    }
    const namesOf = (events: readonly InotifyEvent[]): string[] => events.map(({ name }) => name);

    test('F3 several next() wait, and events that one read brings go to all, in order', async () => {
      const { inotify, create } = watch();
      const waiting = [inotify.next(), inotify.next(), inotify.next()];
      await turnOf(context.reactor);
      for (const name of ['a', 'b', 'c', 'd']) create(name);
      expect(namesOf(await within(Promise.all(waiting), 'three events'))).toEqual(['a', 'b', 'c']);
      expect((await within(inotify.next(), 'the fourth')).name).toBe('d');
    });

    test('F3 more waiters than a turn has budget for', async () => {
      const { inotify, create } = watch();
      const count = 1500;
      const waiting = Array.from({ length: count }, () => inotify.next());
      for (let i = 0; i < count; i++) create(`${i}`);
      const names = namesOf(await within(Promise.all(waiting), 'all events'));
      expect(names).toEqual(Array.from({ length: count }, (_, i) => `${i}`));
    });

    test('F3 one that is aborted leaves its event to the next', async () => {
      const { inotify, create } = watch();
      const controller = new AbortController();
      const aborted = inotify.next({ signal: controller.signal });
      const second = inotify.next();
      controller.abort();
      expect(await rejection(aborted)).toMatchObject({ code: 'ABORT_ERR' });
      create('x');
      expect((await within(second, 'event')).name).toBe('x');
    });

    test('F19 return() ends a next() that waits, and no event is lost', async () => {
      const { inotify, create } = watch();
      const events = inotify[Symbol.asyncIterator]();
      const waiting = events.next();
      await turnOf(context.reactor);
      expect(await within(events.return(), 'return')).toEqual({ done: true, value: undefined });
      expect(await within(waiting, 'next')).toEqual({ done: true, value: undefined });
      expect(await within(events.next(), 'next after it')).toEqual({ done: true, value: undefined });
      create('x');
      expect((await within(inotify.next(), 'event')).name).toBe('x');
    });

    test('F19 an iterator ends when its source closes, for each that waits', async () => {
      const { inotify } = watch();
      const events = inotify[Symbol.asyncIterator]();
      const waiting = [events.next(), events.next()];
      inotify.close();
      expect(await within(Promise.all(waiting), 'the end')).toEqual([
        { done: true, value: undefined },
        { done: true, value: undefined },
      ]);
    });
  });

  describe('AsyncFd', () => {
    testLinuxFds('calls are made in order, also when somebody asks in the turn of the event', async () => {
      const { reader, writer } = FdStream.pipe(options());
      context.own(reader);
      context.own(writer);
      const read = async (): Promise<string> => {
        const buffer = new Uint8Array(1);
        await reader.io.read(buffer);
        return String.fromCharCode(buffer[0]!);
      };
      const first = read();
      await turnOf(context.reactor);
      // Asks after the event, and before the promise of the first has run.
      let second: Promise<string> | undefined;
      const probe = context.own(new EventFd(options()));
      const registration = context.reactor.register(sys.fcntl(probe.fd, F_DUPFD_CLOEXEC), Interest.READABLE, {
        onReady() {
          registration.deregister();
          second ??= read();
        },
      });
      context.own({ close: () => void sys.close(registration.fd) });
      await writer.writeAll(Buffer.from('ab'));
      await probe.add(1);
      await until(() => second !== undefined, 'the second asked');
      expect(await within(Promise.all([first, second!]), 'both')).toEqual(['a', 'b']);
    });

    testLinuxFds(
      'F16 the timeout of an AsyncFd that is unref’d keeps no process alive, in whatever order',
      async () => {
        const script = `
        const { Reactor } = require('tripoll');
        const { EventFd, FdStream, Inotify, TimerFd } = require('tripoll/net');
        const reactor = new Reactor({ driver: '${context.reactor.driver}', backend: '${context.reactor.backend}' });
        const counter = new EventFd({ reactor }).unref();
        counter.take({ timeoutMs: 60_000 }).catch(() => {});
        const { reader, writer } = FdStream.pipe({ reactor });
        reader.read(new Uint8Array(1), { timeoutMs: 60_000 }).catch(() => {});
        writer.writeAll(new Uint8Array(${MUCH}), { timeoutMs: 60_000 }).catch(() => {});
        reader.unref();
        writer.unref();
        new Inotify({ reactor }).unref().next({ timeoutMs: 60_000 }).catch(() => {});
        new TimerFd({ reactor }).unref().expired({ timeoutMs: 60_000 }).catch(() => {});`;
        expectCleanExit(await runScript(script, { deadlineMs: 20_000 }));
      },
    );

    testLinuxFds('F16 and while it is ref’d, it does', async () => {
      const script = `
        const { EventFd } = require('tripoll/net');
        const counter = new EventFd();
        counter.take({ timeoutMs: 50 }).catch((error) => { console.log(error.code); counter.close(); });`;
      expect((await runScript(script)).stdout).toBe('ERR_TRIPOLL_TIMEOUT\n');
    });

    testLinuxFds('F18 a timeout tells the time that it was given', async () => {
      const counter = context.own(new EventFd(options()));
      const waiting = counter.take({ timeoutMs: 50 });
      expect((await rejectionError(waiting)).message).toBe('The operation took longer than 50 ms');
      const { reader, writer } = FdStream.pipe(options());
      context.own(reader);
      context.own(writer);
      const writing = writer.writeAll(new Uint8Array(MUCH), { timeoutMs: 50 });
      expect((await rejectionError(writing)).message).toBe('The operation took longer than 50 ms');
    });
  });

  describe('FdStream.read', () => {
    test('a second one is busy, since parts of a byte stream do not queue; the first goes on', async () => {
      const { reader, writer } = FdStream.pipe(options());
      context.own(reader);
      context.own(writer);
      const first = reader.read(new Uint8Array(9));
      expect(await rejection(reader.read(new Uint8Array(9)))).toMatchObject({ code: 'ERR_TRIPOLL_BUSY' });
      await writer.writeAll(Buffer.from('x'));
      expect(await within(first, 'read')).toBe(1);
      expect(await rejection(reader.read(new Uint8Array(9), { timeoutMs: 1 }))).toMatchObject({
        code: 'ERR_TRIPOLL_TIMEOUT',
      });
      const next = reader.read(new Uint8Array(9));
      writer.close();
      expect(await within(next, 'the end')).toBe(0);
    });
  });

  describe('FdStream.writeAll', () => {
    function pipe(): { reader: FdStream; writer: FdStream } {
      const { reader, writer } = FdStream.pipe(options());
      return { reader: context.own(reader), writer: context.own(writer) };
    }

    test('F8 signal and timeoutMs hold while it waits for its turn, and then nothing of it is out', async () => {
      const { reader, writer } = pipe();
      const first = pattern(MUCH);
      const running = writer.writeAll(first);
      const controller = new AbortController();
      const aborted = rejectionError(writer.writeAll(Buffer.from('never'), { signal: controller.signal }));
      const late = rejectionError(writer.writeAll(Buffer.from('never'), { timeoutMs: 20 }));
      const last = writer.writeAll(Buffer.from('last'));
      controller.abort();
      expect(await within(aborted, 'abort')).toMatchObject({ code: 'ABORT_ERR', bytesWritten: 0 });
      expect(await within(late, 'timeout')).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT', bytesWritten: 0 });
      expect(writer.closed).toBe(false);
      void last.then(() => writer.close());
      const received = await readToEnd(reader);
      expect(received.equals(Buffer.concat([first, Buffer.from('last')]))).toBe(true);
      expect(await running).toBe(MUCH);
    });

    test('F8 a timeout covers the whole: pieces that go out do not begin it again', async () => {
      const { reader, writer } = pipe();
      const writing = rejectionError(writer.writeAll(new Uint8Array(100 * MUCH), { timeoutMs: 100 }));
      let over = false;
      void writing.then(() => (over = true));
      const buffer = new Uint8Array(4096);
      // Each read makes room: the write goes on and on, and is not done by then.
      while (!over && (await reader.read(buffer)) > 0) await turnOf(context.reactor);
      expect(await writing).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
      expect(writer.closed).toBe(true);
    });

    test('F8 a close gives each who waits an error of his own', async () => {
      const { writer } = pipe();
      const writing = [
        rejectionError(writer.writeAll(new Uint8Array(MUCH))),
        rejectionError(writer.writeAll(new Uint8Array(1))),
        rejectionError(writer.write(new Uint8Array(1))),
      ];
      await turnOf(context.reactor);
      writer.close();
      const [first, second, third] = await within(Promise.all(writing), 'errors');
      expect(first).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      expect((first as unknown as { bytesWritten: number }).bytesWritten).toBeGreaterThan(0);
      expect(second).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED', bytesWritten: 0 });
      expect(new Set([first, second, third]).size).toBe(3);
    });

    test('F8 write() does not land inside a writeAll that runs', async () => {
      const { reader, writer } = pipe();
      const whole = new Uint8Array(MUCH).fill(1);
      const running = writer.writeAll(whole);
      const other = writer.write(Uint8Array.of(2));
      void Promise.all([running, other]).then(() => writer.close());
      const received = await readToEnd(reader);
      expect(received.indexOf(2)).toBe(MUCH);
      expect(received.length).toBe(MUCH + 1);
    });

    test('F8 an empty write on a closed stream is refused as any other', async () => {
      const { writer } = pipe();
      expect(await writer.writeAll(new Uint8Array(0))).toBe(0);
      writer.close();
      for (const write of [writer.writeAll(new Uint8Array(0)), writer.write(new Uint8Array(0))]) {
        expect(await rejection(write)).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      }
    });

    test('T48 a large one does not keep others waiting', async () => {
      const { reader, writer } = pipe();
      const other = FdStream.pipe(options());
      context.own(other.reader);
      context.own(other.writer);
      const running = writer.writeAll(new Uint8Array(4_000_000));
      void running.then(() => writer.close());
      const reading = readToEnd(reader);
      await within(other.writer.writeAll(Buffer.from('x')), 'the other');
      expect(await within(other.reader.read(new Uint8Array(1)), 'the other’s read')).toBe(1);
      expect((await reading).length).toBe(4_000_000);
    });
  });
});
