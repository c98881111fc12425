// F14: names that are no UTF-8. They are given and told as bytes, as `fs` has them; as text they
// would be others' names.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  bindUnixDatagram,
  connectUnix,
  listenUnix,
  UnixDatagram,
  UnixListener,
  UnixStream,
  type ReceivedUnixMessage,
} from 'tripoll/net';
import { packageRoot } from '../../../support/child.js';
import { within } from '../../../support/deadline.js';
import { invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import { NAME_KINDS } from '../../../support/kernel.js';
import { deferred, rejection, rejectionError, type Context } from '../../tools.js';
import { newPath } from '../tools.js';

/** No UTF-8 begins, or goes on, with these. */
const NO_UTF8 = Buffer.from([0xff, 0x66, 0xfe]);
let names = 0;

function newName(kind: string): Buffer {
  const start = kind === 'path' ? newPath() : `\0tripoll-bytes-${process.pid}-${++names}`;
  return Buffer.concat([Buffer.from(start), NO_UTF8]);
}

export function describeByteNames(context: Context): void {
  const bind = async (path: string | Uint8Array, options = {}): Promise<UnixDatagram> =>
    context.own(await UnixDatagram.bind(path, { reactor: context.reactor, ...options }));
  const buffer = new Uint8Array(100);

  describe('F14 names that are no UTF-8', () => {
    test.each(NAME_KINDS)('a datagram is answered to a sender with such a name: %s', async (kind) => {
      const [name, other] = [newName(kind), newName(kind)];
      const server = await bind(name);
      const client = await bind(other);
      expect(server.localAddressBytes).toEqual(name);
      expect(server.localAddress).toBe(name.toString());
      await client.send(Buffer.from('ping'), name);
      const received = await within(server.receive(buffer), 'ping');
      expect(received.addressBytes).toEqual(other);
      expect(received.address).toBe(other.toString());
      expect(await rejection(server.send(buffer, received.address))).toMatchObject({
        code: kind === 'path' ? 'ENOENT' : 'ECONNREFUSED',
      });
      await server.send(Buffer.from('pong'), received.addressBytes);
      expect((await within(client.receive(buffer), 'pong')).addressBytes).toEqual(name);
      client.connect(name);
      await client.send(Buffer.from('connected'));
      await client.sendFds(Buffer.from('x'), [], name);
      for (const what of ['connected', 'with fds']) {
        expect((await within(server.receive(buffer), what)).addressBytes).toEqual(other);
      }
    });

    test('handlers are told it too; it is the caller’s own memory', async () => {
      const [name, other] = [newName('path'), newName('path')];
      const told: ReceivedUnixMessage[] = [];
      const server = context.own(
        bindUnixDatagram(
          { path: name, reactor: context.reactor },
          {
            message(socket, chunk, info) {
              told.push(info);
              void socket.send(chunk, info.addressBytes);
            },
          },
        ),
      );
      const client = await bind(other);
      const nameless = context.own(UnixDatagram.unbound({ reactor: context.reactor }));
      await client.send(Buffer.from('one'), name);
      expect((await within(client.receive(buffer), 'an answer')).addressBytes).toEqual(name);
      nameless.connect(name);
      await client.send(Buffer.from('two'), name);
      await within(client.receive(buffer), 'an answer');
      server.close();
      expect(told.map(({ addressBytes }) => addressBytes)).toEqual([other, other]);
    });

    test('bindUnixDatagram(path, handlers, options) is the same as with one object (friction 10)', async () => {
      const { reactor } = context;
      for (const path of [newPath(), newName('path')]) {
        const came = deferred<string>();
        const message = (_: unknown, chunk: Uint8Array): void => came.resolve(Buffer.from(chunk).toString());
        context.own(bindUnixDatagram(path, { message }, { reactor, mode: 0o600 }));
        expect(statSync(path).mode & 0o777).toBe(0o600);
        const sender = context.own(UnixDatagram.unbound({ reactor }));
        await sender.send(Buffer.from('x'), path);
        expect(await within(came.promise, 'message')).toBe('x');
      }
      const bindAny = bindUnixDatagram as (...values: unknown[]) => UnixDatagram;
      for (const [target, options] of [
        [newPath(), { reactor, path: newPath() }],
        [{ path: newPath(), reactor }, {}],
        [7, undefined],
      ]) {
        expect(thrownBy(() => bindAny(target, { message() {} }, options))).toEqual(invalidType);
      }
    });

    test.each(NAME_KINDS)('listeners and streams, in both styles: %s', async (kind) => {
      const { reactor } = context;
      const name = newName(kind);
      const listener = context.own(await UnixListener.bind(name, { reactor }));
      expect(listener.localAddressBytes).toEqual(name);
      const given = Buffer.from(name);
      const [client, { stream, address }] = await within(
        Promise.all([UnixStream.connect(given, { reactor }), listener.accept()]),
        'connect',
      );
      context.own(client);
      context.own(stream);
      expect(client.remoteAddressBytes).toEqual(name);
      expect(client.localAddressBytes).toEqual(Buffer.alloc(0));
      expect(client.remoteAddress).toBe(name.toString());
      expect(stream.localAddressBytes).toEqual(name);
      expect(address).toBe('');
      client.close();
      expect(client.remoteAddressBytes).toBeUndefined();
      listener.close();
      expect(listener.localAddressBytes).toBeUndefined();
      if (kind === 'path') expect(existsSync(name)).toBe(false);

      const second = newName(kind);
      const accepted = deferred<Buffer | undefined>();
      const server = context.own(
        listenUnix(
          second,
          { open: (connection) => accepted.resolve(connection.localAddressBytes) },
          { reactor },
        ),
      );
      const connected = deferred<Buffer | undefined>();
      const connection = context.own(
        connectUnix(
          given.fill(second, 0),
          { open: (self) => connected.resolve(self.remoteAddressBytes) },
          { reactor, timeoutMs: 5000 },
        ),
      );
      given.fill(0);
      expect(await within(connected.promise, 'open')).toEqual(second);
      expect(await within(accepted.promise, 'accepted')).toEqual(second);
      connection.close();
      server.close();
    });

    test('a sender without a name has no bytes of one either', async () => {
      const name = newName('path');
      const server = await bind(name);
      const sender = context.own(UnixDatagram.unbound({ reactor: context.reactor }));
      await sender.send(Buffer.from('x'), name);
      expect(await within(server.receive(buffer), 'x')).toMatchObject({
        address: undefined,
        addressBytes: undefined,
      });
      expect(sender.localAddressBytes).toEqual(Buffer.alloc(0));
      sender.close();
      expect(sender.localAddressBytes).toBeUndefined();
    });

    test('its file is found again: mode, unlinkStale, and its end', async () => {
      const name = newName('path');
      const first = await bind(name, { mode: 0o600 });
      expect(statSync(name).mode & 0o777).toBe(0o600);
      expect(await rejectionError(bind(name, { unlinkStale: true }))).toMatchObject({
        code: 'EADDRINUSE',
        address: name.toString(),
      });
      first.close();
      expect(existsSync(name)).toBe(false);
    });

    test('of a relative name the file goes too, wherever the working directory is by then', async () => {
      const folder = process.cwd();
      const strange = newName('path');
      mkdirSync(strange);
      const file = Buffer.concat([strange, Buffer.from('/socket')]);
      process.chdir(dirname(newPath()));
      try {
        // Node takes no bytes here; the shell's way into such a folder is a name that is.
        const relative = strange.subarray(strange.lastIndexOf(0x2f) + 1);
        const socket = await bind(Buffer.concat([relative, Buffer.from('/socket')]));
        expect(existsSync(file)).toBe(true);
        process.chdir(folder);
        socket.close();
        expect(existsSync(file)).toBe(false);
      } finally {
        process.chdir(folder);
      }
    });

    test('also in a working directory whose own name is no UTF-8', async () => {
      const strange = newName('path');
      mkdirSync(strange);
      const file = Buffer.concat([strange, Buffer.from('/socket')]);
      const script = `
        const fs = require('node:fs');
        const { Reactor } = require(${JSON.stringify(packageRoot)});
        const { UnixDatagram } = require(${JSON.stringify(`${packageRoot}/dist/net/index.js`)});
        const reactor = new Reactor({ driver: '${context.reactor.driver}', backend: '${context.reactor.backend}' });
        (async () => {
          const socket = await UnixDatagram.bind(Buffer.from('socket'), { reactor });
          const before = fs.existsSync('socket');
          process.chdir('/');
          socket.close();
          console.log(before, process.cwd());
        })();`;
      // Node hands on no such name: the shell makes it of its octal numbers.
      const octal = [...strange].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
      const line = `cd "$(printf '${octal}')" && exec "$0" -e "$1"`;
      const output = execFileSync('/bin/sh', ['-c', line, process.execPath, script], { timeout: 20_000 });
      expect(output.toString()).toBe('true /\n');
      expect(existsSync(file)).toBe(false);
    });

    test('bytes are copied, and checked as text is', async () => {
      const name = newName('path');
      const server = await bind(name);
      const client = context.own(UnixDatagram.unbound({ reactor: context.reactor }));
      const given = Buffer.from(name);
      const sending = client.send(Buffer.from('x'), given);
      given.fill(0x78);
      await sending;
      await within(server.receive(buffer), 'x');
      for (const wrong of [Buffer.from('a\0b'), new Uint8Array(0)]) {
        expect(await rejection(bind(wrong))).toEqual(outOfRange);
        expect(thrownBy(() => client.connect(wrong))).toEqual(outOfRange);
        expect(await rejection(client.send(buffer, wrong))).toEqual(outOfRange);
      }
      expect(await rejection(bind(7 as never))).toEqual(invalidType);
      const tooLong = Buffer.concat([name, Buffer.alloc(108, 0x78)]);
      expect(await rejectionError(bind(tooLong))).toMatchObject({
        code: 'ENAMETOOLONG',
        address: tooLong.toString(),
      });
    });
  });
}
