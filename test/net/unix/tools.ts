// What the tests of Unix sockets share. The context, with its check that no fd stays open, is that
// of test/net.
import path from 'node:path';
import { UnixListener, UnixStream, type UnixListenOptions, type UnixStreamOptions } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { identify } from '#lib/net/unix/socket-file';
import { within } from '../../support/deadline.js';
import type { Context } from '../tools.js';
import { temporaryFolder } from '../../support/folders.js';

const folder = temporaryFolder();

let names = 0;

/** A path in a folder of this file's own, that nobody has used. */
export function newPath(): string {
  return path.join(folder, `socket-${++names}`);
}

/** `lstat` says so too, but not on Windows (T103). */
export const isSocketFile = (at: string): boolean => identify(at) !== null;

export async function bindUnix(
  context: Context,
  options: UnixListenOptions = {},
  at = newPath(),
): Promise<{ listener: UnixListener; path: string }> {
  const listener = await UnixListener.bind(at, { reactor: context.reactor, ...options });
  return { listener: context.own(listener), path: at };
}

export async function unixPair(
  context: Context,
  options: UnixListenOptions & UnixStreamOptions = {},
): Promise<{ client: UnixStream; server: UnixStream }> {
  const { listener, path: at } = await bindUnix(context, options);
  const [client, { stream }] = await within(
    Promise.all([UnixStream.connect(at, { reactor: context.reactor, ...options }), listener.accept()]),
    'connected pair',
  );
  listener.close();
  return { client: context.own(client), server: context.own(stream) };
}

/** A pipe, as fds to pass: what is written into the second comes out of the first. */
export function newPipe(): [number, number] {
  const fds: number[] = [];
  const error = sys.pipe2(fds, sys.constants['O_NONBLOCK'] | sys.constants['O_CLOEXEC']);
  if (error < 0) throw new Error(`pipe2: ${error}`);
  return fds as [number, number];
}

export function closeAll(...fds: number[]): void {
  for (const fd of fds) expect(sys.close(fd)).toBe(0);
}

/** What can be read from a pipe now. */
export function drainPipe(fd: number): string {
  const buffer = new Uint8Array(100);
  const received = sys.read(fd, buffer);
  return received < 0 ? `errno ${-received}` : Buffer.from(buffer.subarray(0, received)).toString();
}
