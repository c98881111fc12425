import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { connectPipe, listenPipe, PipeListener, PipeStream } from 'tripoll/net';
import { errnoOf } from '#lib/binding/errors';
import { native } from '#lib/binding/native';
import { testIf } from '../../../support/applies.js';
import { within } from '../../../support/deadline.js';
import { invalidType, outOfRange, thrownBy, timedOut } from '../../../support/errors.js';
import { isOldWine } from '../../../support/platform.js';
import { temporaryFolder } from '../../../support/folders.js';
import { type Context, rejection } from '../../tools.js';
import { bindPipe, newName } from '../tools.js';

const any = (value: unknown): never => value as never;

export function describeNames(context: Context): void {
  describe('names', () => {
    test('what is no name of a pipe is refused, in all four forms', async () => {
      const wrong = ['', 'x', '/tmp/x', '\\\\.\\pipe\\', '\\\\server\\pipe\\x', '\\\\.\\pipe\\a\0b'];
      for (const path of [...wrong, '//./pipe/x', '\\\\.\\pipe\\\ud800']) {
        expect(await rejection(PipeStream.connect(path))).toEqual(outOfRange);
        expect(await rejection(PipeListener.bind(path))).toEqual(outOfRange);
        expect(thrownBy(() => connectPipe(path, {}))).toEqual(outOfRange);
        expect(thrownBy(() => listenPipe(path, {}))).toEqual(outOfRange);
      }
      for (const path of [undefined, null, 5, Buffer.from('x')]) {
        expect(await rejection(PipeStream.connect(any(path)))).toEqual(invalidType);
        expect(await rejection(PipeListener.bind(any(path)))).toEqual(invalidType);
      }
      const long = `${newName()}${'x'.repeat(256)}`;
      expect(await rejection(PipeStream.connect(long))).toMatchObject({ code: 'ENAMETOOLONG' });
      expect(await rejection(PipeListener.bind(long))).toMatchObject({ code: 'ENAMETOOLONG' });
    });

    test('T106 a way out of the pipes, to a file, is refused by name, and would not be opened', async () => {
      const file = path.join(temporaryFolder(), 'file');
      writeFileSync(file, '');
      const name = `\\\\.\\pipe\\..\\${file.replaceAll('/', '\\')}`;
      for (const wrong of [name, '\\\\.\\pipe\\..', '\\\\.\\pipe\\a/../../NUL', '\\\\?\\pipe\\.']) {
        expect(await rejection(PipeStream.connect(wrong))).toEqual(outOfRange);
        expect(await rejection(PipeListener.bind(wrong))).toEqual(outOfRange);
      }
      expect(native.pipeConnect?.(Buffer.from(name))).toBe(errnoOf('EINVAL'));
      const { reactor } = context;
      (await PipeListener.bind(`${newName()}..\\..x\\...`, { reactor })).close();
    });

    test('options of sockets, and of a wrong size, are refused', async () => {
      const bind = (options: object) => rejection(PipeListener.bind(newName(), options));
      expect(await bind({ socketOptions: {} })).toMatchObject({ name: 'TypeError' });
      expect(await bind({ acceptedSocketOptions: {} })).toMatchObject({ name: 'TypeError' });
      expect(await bind({ backlog: 0 })).toEqual(outOfRange);
      expect(await bind({ backlog: 255 })).toEqual(outOfRange);
      expect(await bind({ allowRemote: 1 })).toEqual(invalidType);
    });

    test('both prefixes and either case are the same pipe', async () => {
      const { listener, path } = await bindPipe(context);
      for (const other of [path.replace('\\\\.', '\\\\?'), path.replace('pipe', 'PIPE').toUpperCase()]) {
        const client = context.own(await PipeStream.connect(other, { reactor: context.reactor }));
        const { stream, address } = await within(listener.accept(), 'accept');
        context.own(stream);
        expect({ address, local: client.localAddress, remote: client.remoteAddress }).toEqual({
          address: path,
          local: other,
          remote: other,
        });
      }
      expect(listener.localAddress).toBe(path);
    });

    testIf(!isOldWine, 'Wine 8 gives a name away twice')(
      'T101 a name in use is EADDRINUSE, also by a connection, and free when that has closed',
      async () => {
        const { listener, path } = await bindPipe(context);
        const { reactor } = context;
        expect(await rejection(PipeListener.bind(path, { reactor }))).toMatchObject({ code: 'EADDRINUSE' });
        const client = await PipeStream.connect(path, { reactor });
        const { stream } = await within(listener.accept(), 'accept');
        listener.close();
        expect(await rejection(PipeListener.bind(path, { reactor }))).toMatchObject({ code: 'EADDRINUSE' });
        client.close();
        stream.close();
        (await PipeListener.bind(path, { reactor })).close();
      },
    );

    test('nobody listens: ENOENT', async () => {
      const path = newName();
      expect(await rejection(PipeStream.connect(path, { reactor: context.reactor }))).toMatchObject({
        code: 'ENOENT',
      });
    });

    test('a busy pipe: the client waits for its time limit, its signal, or its turn', async () => {
      const { listener, path } = await bindPipe(context, { backlog: 1 });
      const { reactor } = context;
      const first = context.own(await PipeStream.connect(path, { reactor }));
      expect(await rejection(PipeStream.connect(path, { reactor, timeoutMs: 50 }))).toEqual(timedOut);
      const stop = new AbortController();
      const aborted = rejection(PipeStream.connect(path, { reactor, signal: stop.signal }));
      setImmediate(() => {
        stop.abort();
      });
      expect(await within(aborted, 'the abort')).toMatchObject({ code: 'ABORT_ERR' });
      const second = PipeStream.connect(path, { reactor });
      context.own((await within(listener.accept(), 'accept')).stream);
      context.own((await within(listener.accept(), 'accept of the second')).stream);
      context.own(await within(second, 'the second client'));
      expect(first.closed).toBe(false);
    });
  });
}
