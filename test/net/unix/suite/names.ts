import { statSync, existsSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { capabilities } from 'tripoll';
import { connectUnix, UnixDatagram, UnixListener, UnixStream } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { encodeUnixAddress } from '#lib/sys/sockaddr';
import { testIf } from '../../../support/applies.js';
import { within } from '../../../support/deadline.js';
import { isWine } from '../../../support/platform.js';
import { describeUnixMessages, NAME_KINDS, testAbstract } from '../../../support/kernel.js';
import { thrownBy } from '../../../support/errors.js';
import { record, rejection, rejectionError, turnOf, type Context } from '../../tools.js';
import { bindUnix, isSocketFile, newPath } from '../tools.js';

const { AF_UNIX, SOCK_STREAM, SOCK_DGRAM } = sys.constants;

/** A socket's file whose socket has gone, as a process that was killed leaves it. */
function leaveStale(path: string): void {
  const fd = sys.socket(AF_UNIX, SOCK_STREAM);
  expect(native.bindBytes(fd, encodeUnixAddress(path))).toBe(0);
  expect(native.listen(fd, 1)).toBe(0);
  sys.close(fd);
  expect(isSocketFile(path)).toBe(true);
}

export function describeNames(context: Context): void {
  const bind = (path: string, options = {}): Promise<UnixListener> =>
    UnixListener.bind(path, { reactor: context.reactor, ...options });

  describe('names', () => {
    test('T103 the file goes with the listener', async () => {
      const { listener, path } = await bindUnix(context);
      expect(isSocketFile(path)).toBe(true);
      listener.close();
      expect(isSocketFile(path)).toBe(false);
    });

    testIf(!isWine, 'Wine renames no socket’s file')(
      'a file that is another socket’s by then stays',
      async () => {
        const { listener, path } = await bindUnix(context);
        renameSync(path, `${path}-moved`);
        const second = context.own(await bind(path));
        listener.close();
        expect(isSocketFile(path)).toBe(true);
        const client = context.own(await UnixStream.connect(path, { reactor: context.reactor }));
        expect(client.closed).toBe(false);
        second.close();
        unlinkSync(`${path}-moved`);
      },
    );

    test('a path that is in use is EADDRINUSE, and unlinkStale does not change that', async () => {
      const { path } = await bindUnix(context);
      for (const unlinkStale of [false, true]) {
        expect(await rejectionError(bind(path, { unlinkStale }))).toMatchObject({
          code: 'EADDRINUSE',
          syscall: 'bind',
          address: path,
        });
      }
      // Nor is a regular file touched, nor a datagram socket that is alive.
      const file = newPath();
      writeFileSync(file, 'precious');
      expect(await rejection(bind(file, { unlinkStale: true }))).toMatchObject({ code: 'EADDRINUSE' });
      expect(existsSync(file)).toBe(true);
      if (!capabilities.unixMessages) return;
      const datagram = newPath();
      const fd = sys.socket(AF_UNIX, SOCK_DGRAM);
      expect(native.bindBytes(fd, encodeUnixAddress(datagram))).toBe(0);
      expect(await rejection(bind(datagram, { unlinkStale: true }))).toMatchObject({ code: 'EADDRINUSE' });
      sys.close(fd);
    });

    test('T103 a stale file is EADDRINUSE, and taken over with unlinkStale', async () => {
      const path = newPath();
      leaveStale(path);
      expect(await rejection(bind(path))).toMatchObject({ code: 'EADDRINUSE' });
      const listener = context.own(await bind(path, { unlinkStale: true }));
      const [client, { stream }] = await within(
        Promise.all([UnixStream.connect(path, { reactor: context.reactor }), listener.accept()]),
        'connect',
      );
      client.close();
      stream.close();
    });

    describeUnixMessages('permission bits', () => {
      test.each([0o600, 0o666, 0o777])('T99 mode %o, whatever umask says', async (mode) => {
        const before = process.umask(0o027);
        try {
          const { path } = await bindUnix(context, { mode });
          expect(statSync(path).mode & 0o777).toBe(mode);
        } finally {
          process.umask(before);
        }
      });
    });

    // poll(2) holds the file of a socket until it returns, in the watcher's thread too: its name is
    // taken that long.
    async function bindFreed(name: string): Promise<UnixListener> {
      for (let turns = context.features.edge ? 0 : 100; ; turns--) {
        try {
          return await bind(name);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || turns === 0) throw error;
          await turnOf(context.reactor);
        }
      }
    }

    // As long as that it still takes connections, too.
    async function connectFreed(name: string): Promise<unknown> {
      for (let turns = context.features.edge ? 0 : 100; ; turns--) {
        const outcome: unknown = await UnixStream.connect(name, { reactor: context.reactor }).then(
          (client) => client.close(),
          (error: unknown) => error,
        );
        if (outcome !== undefined || turns === 0) return outcome;
        await turnOf(context.reactor);
      }
    }

    testAbstract('an abstract name has no file, and is free again at once', async () => {
      const name = `\0tripoll-${process.pid}`;
      for (let i = 0; i < 2; i++) {
        const listener = context.own(await bindFreed(name));
        expect(listener.localAddress).toBe(name);
        const [client, { stream }] = await within(
          Promise.all([UnixStream.connect(name, { reactor: context.reactor }), listener.accept()]),
          'connect',
        );
        expect(client.remoteAddress).toBe(name);
        for (const closable of [client, stream, listener]) closable.close();
      }
      expect(await connectFreed(name)).toMatchObject({ code: 'ECONNREFUSED' });
    });

    test('a path that is too long is a clear error; the longest one works', async () => {
      const stem = newPath();
      const longest = stem.padEnd(107, 'x');
      const listener = context.own(await bind(longest));
      expect(listener.localAddress).toBe(longest);
      const error = await rejectionError(bind(`${longest}x`));
      expect(error).toMatchObject({ code: 'ENAMETOOLONG' });
      expect(error.message).toContain('107');
      expect(await rejection(bind('a\0b'))).toMatchObject({ name: 'RangeError' });
    });

    testAbstract('the longest abstract name works', async () => {
      const name = `\0${'n'.repeat(107)}`;
      expect(context.own(await bind(name)).localAddress).toBe(name);
    });

    test('F18 a path that is too long is told by the call that it was for', async () => {
      const path = newPath().padEnd(108, 'x');
      const { reactor } = context;
      const tooLong = (syscall: string) => ({ code: 'ENAMETOOLONG', syscall, address: path });
      expect(await rejectionError(bind(path))).toMatchObject(tooLong('bind'));
      expect(await rejectionError(UnixStream.connect(path, { reactor }))).toMatchObject(tooLong('connect'));
      const told = record();
      connectUnix({ path, reactor }, told.handlers as object);
      expect(await within(told.closed, 'close')).toMatchObject(tooLong('connect'));
      if (!capabilities.unixMessages) return;
      const socket = context.own(UnixDatagram.unbound({ reactor }));
      expect(thrownBy(() => socket.connect(path))).toMatchObject({
        code: 'ENAMETOOLONG',
        syscall: 'connect',
      });
      expect(await rejectionError(socket.send(new Uint8Array(1), path))).toMatchObject(tooLong('sendmsg'));
    });

    test.each(NAME_KINDS)('F14 a leading U+FEFF stays a part of the name: %s', async (kind) => {
      const { reactor } = context;
      const name = kind === 'path' ? '\ufeffname' : `\0\ufeffname-${process.pid}`;
      const folder = process.cwd();
      process.chdir(dirname(newPath()));
      try {
        const listener = context.own(await bind(name));
        expect(listener.localAddress).toBe(name);
        const client = context.own(await UnixStream.connect(name, { reactor }));
        expect(client.remoteAddress).toBe(name);
        context.own((await within(listener.accept(), 'accept')).stream);
        if (!capabilities.unixMessages) return;
        const at = kind === 'path' ? '\ufeffdatagram' : `\0\ufeffdatagram-${process.pid}`;
        const socket = context.own(await UnixDatagram.bind(at, { reactor }));
        await socket.send(Buffer.from('x'), at);
        expect((await within(socket.receive(new Uint8Array(4)), 'receive')).address).toBe(at);
      } finally {
        process.chdir(folder);
      }
    });

    test('a listener that fails after bind leaves no file', async () => {
      const path = newPath();
      expect(await rejection(bind(path, { backlog: -1 }))).toMatchObject({ name: 'RangeError' });
      expect(isSocketFile(path)).toBe(false);
      const missing = `${path}/no/such/folder`;
      expect(await rejection(bind(missing))).toMatchObject({ code: 'ENOENT' });
    });
  });
}
