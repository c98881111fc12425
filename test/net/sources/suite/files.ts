import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { FdStream, Inotify, type InotifyEvent } from 'tripoll/net';
import { sys } from 'tripoll/raw';

import { describeLinuxFds } from '../../../support/applies.js';
import { within } from '../../../support/deadline.js';
import { makeFifo } from '../../../support/fifo.js';
import { packageRoot } from '../../../support/child.js';
import { thrownBy } from '../../../support/errors.js';
import { digest, pattern, rejection, type Context } from '../../tools.js';
import { temporaryFolder } from '../../../support/folders.js';
import { testWithTools } from '../../../support/tools.js';

const {
  IN_CREATE = 0,
  IN_MODIFY = 0,
  IN_CLOSE_WRITE = 0,
  IN_MOVED_FROM = 0,
  IN_MOVED_TO = 0,
} = sys.constants;
const { IN_IGNORED = 0, IN_ISDIR = 0, IN_ONESHOT = 0 } = sys.constants;
const folder = temporaryFolder();
let names = 0;
const newPath = (): string => path.join(folder, `file-${++names}`);

export function describeFiles(context: Context): void {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

  describe('pipes, FIFOs, terminals', () => {
    test('a pipe: more than it holds, in order, to the end', async () => {
      const { reader, writer } = FdStream.pipe({ reactor: context.reactor });
      context.own(reader);
      context.own(writer);
      const sent = pattern(1_000_000);
      const writing = Promise.all([
        writer.writeAll(sent.subarray(0, 400_000)),
        writer.writeAll(sent.subarray(400_000)),
      ]);
      void writing.then(() => writer.close());
      const chunks: Buffer[] = [];
      const buffer = new Uint8Array(50_000);
      for (;;) {
        const n = await within(reader.read(buffer), 'read');
        if (n === 0) break;
        chunks.push(Buffer.from(buffer.subarray(0, n)));
      }
      expect(digest(Buffer.concat(chunks))).toBe(digest(sent));
      await writing;
    });

    test('a pipe that nobody reads is EPIPE, no signal (T43); half a message closes it', async () => {
      const { reader, writer } = FdStream.pipe({ reactor: context.reactor });
      context.own(writer);
      const half = writer.writeAll(new Uint8Array(1_000_000), { timeoutMs: 20 });
      expect(await rejection(half)).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
      expect(writer.closed).toBe(true);
      reader.close();
      const other = FdStream.pipe({ reactor: context.reactor });
      context.own(other.writer);
      other.reader.close();
      expect(await rejection(other.writer.write(new Uint8Array(1)))).toMatchObject({ code: 'EPIPE' });
    });

    test('a FIFO ends with its last writer', async () => {
      const fifo = newPath();
      makeFifo(fifo);
      const options = { reactor: context.reactor };
      expect(thrownBy(() => FdStream.open(fifo, 'write', options)).code).toBe('ENXIO');
      const reader = context.own(FdStream.open(fifo, 'read', options));
      const writer = context.own(FdStream.open(fifo, 'write', options));
      await writer.writeAll(Buffer.from('through the FIFO'));
      const buffer = new Uint8Array(100);
      expect(text(buffer.subarray(0, await within(reader.read(buffer), 'read')))).toBe('through the FIFO');
      const end = reader.read(buffer);
      writer.close();
      expect(await within(end, 'the end')).toBe(0);
    });

    test('a regular file is EPERM, and nothing stays open', () => {
      expect(thrownBy(() => FdStream.open(__filename, 'read', { reactor: context.reactor })).code).toBe(
        'EPERM',
      );
    });

    test('no terminal is ENOTTY', () => {
      const { reader, writer } = FdStream.pipe({ reactor: context.reactor });
      context.own(reader);
      context.own(writer);
      expect(thrownBy(() => FdStream.tty(reader.fd, 'read', { reactor: context.reactor })).code).toBe(
        'ENOTTY',
      );
    });

    const testTerminal = testWithTools('script');
    testTerminal('a terminal: read, written, and left as it was, also by process.exit()', async () => {
      // script(1) makes the terminal; the shell in it looks at the flags before and after.
      const flags = 'grep flags /proc/self/fdinfo/0';
      const child = path.join(packageRoot, 'out/test/net/sources/tty-child.js');
      const backend = context.reactor.backend;
      const inner = `${flags}; '${process.execPath}' '${child}'; ${flags}`;
      const terminal = spawn('script', ['-qec', inner, '/dev/null'], {
        cwd: packageRoot,
        env: { ...process.env, TRIPOLL_BACKEND: backend },
      });
      let output = '';
      const ready = new Promise<void>((resolve) => {
        terminal.stdout.on('data', (chunk: Buffer) => {
          output += chunk.toString();
          if (output.includes('ready')) resolve();
        });
      });
      const exited = once(terminal, 'close');
      await within(ready, 'ready');
      terminal.stdin.write('typed\n');
      await within(exited, 'exit');
      expect(output).toContain('got typed');
      const [before, during, after] = [...output.matchAll(/flags:\s*(\d+)/g)].map((match) =>
        parseInt(match[1]!, 8),
      );
      expect(during! & 0o4000).toBe(0o4000);
      expect(after).toBe(before);
      expect(after! & 0o4000).toBe(0);
    });
  });

  describeLinuxFds('inotify', () => {
    async function take(inotify: Inotify, count: number): Promise<InotifyEvent[]> {
      const events: InotifyEvent[] = [];
      while (events.length < count) events.push(await within(inotify.next(), `event ${events.length}`));
      return events;
    }

    test('changes in a folder, with names; a rename has one cookie', async () => {
      const watched = newPath();
      mkdirSync(watched);
      const inotify = context.own(new Inotify({ reactor: context.reactor }));
      const watch = inotify.add(watched, IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO);
      writeFileSync(path.join(watched, 'one'), 'x');
      mkdirSync(path.join(watched, 'a folder with a longer name'));
      renameSync(path.join(watched, 'one'), path.join(watched, 'two'));
      const events = await take(inotify, 5);
      expect(events.map(({ name, mask }) => [name, mask])).toEqual([
        ['one', IN_CREATE],
        ['one', IN_CLOSE_WRITE],
        ['a folder with a longer name', (IN_CREATE | IN_ISDIR) >>> 0],
        ['one', IN_MOVED_FROM],
        ['two', IN_MOVED_TO],
      ]);
      expect(new Set(events.map((event) => event.path))).toEqual(new Set([watched]));
      expect(events.every((event) => event.watch === watch && !event.overflow)).toBe(true);
      expect(events[3]!.cookie).toBe(events[4]!.cookie);
      expect(events[3]!.cookie).not.toBe(0);
    });

    test('a file itself, and the end of a watch', async () => {
      const file = newPath();
      writeFileSync(file, '');
      const inotify = context.own(new Inotify({ reactor: context.reactor }));
      const watch = inotify.add(file, IN_MODIFY);
      const waiting = inotify.next();
      appendFileSync(file, 'x');
      expect(await within(waiting, 'event')).toMatchObject({ watch, path: file, name: '', mask: IN_MODIFY });
      inotify.remove(watch);
      expect(await within(inotify.next(), 'the last')).toMatchObject({ watch, path: file, mask: IN_IGNORED });
      expect(thrownBy(() => inotify.remove(watch)).code).toBe('EINVAL');
    });

    test("F26 a mask whose bit 31 JavaScript's | made a sign", async () => {
      const file = newPath();
      writeFileSync(file, '');
      const inotify = context.own(new Inotify({ reactor: context.reactor }));
      const mask = IN_MODIFY | IN_ONESHOT;
      expect(mask).toBeLessThan(0);
      const watch = inotify.add(file, mask);
      appendFileSync(file, 'x');
      const [event, last] = await take(inotify, 2);
      expect(event).toMatchObject({ watch, mask: IN_MODIFY });
      expect(last).toMatchObject({ watch, mask: IN_IGNORED });
      expect(thrownBy(() => inotify.add(file, 0)).code).toBe('ERR_TRIPOLL_OUT_OF_RANGE');
    });

    test('more events than one read holds, none lost, as an iterator', async () => {
      const watched = newPath();
      mkdirSync(watched);
      const inotify = context.own(new Inotify({ reactor: context.reactor }));
      inotify.add(watched, IN_CREATE);
      const count = 1000;
      for (let i = 0; i < count; i++) writeFileSync(path.join(watched, `file-${i}`), '');
      let seen = 0;
      for await (const { name } of inotify) {
        expect(name).toBe(`file-${seen}`);
        if (++seen === count) inotify.close();
      }
      expect(seen).toBe(count);
    });

    test('errors, and cancelling', async () => {
      const inotify = context.own(new Inotify({ reactor: context.reactor }));
      expect(thrownBy(() => inotify.add('/no/such/file')).code).toBe('ENOENT');
      expect(thrownBy(() => inotify.add('a\0b')).name).toBe('RangeError');
      expect(await rejection(inotify.next({ timeoutMs: 1 }))).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT' });
      const waiting = inotify.next();
      inotify.close();
      expect(await rejection(waiting)).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
      expect(thrownBy(() => inotify.add(folder)).code).toBe('ERR_TRIPOLL_CLOSED');
    });
  });
}
