// What the tests of named pipes share.
import { PipeListener, PipeStream, type PipeListenerBindOptions } from 'tripoll/net';
import { within } from '../../support/deadline.js';
import type { Context } from '../tools.js';

let names = 0;

/** A name that nobody has used: other processes may run the same test. */
export function newName(): string {
  return String.raw`\\.\pipe\tripoll-test-${process.pid}-${++names}`;
}

export async function bindPipe(
  context: Context,
  options: PipeListenerBindOptions = {},
  at = newName(),
): Promise<{ listener: PipeListener; path: string }> {
  const listener = await PipeListener.bind(at, { reactor: context.reactor, ...options });
  return { listener: context.own(listener), path: at };
}

export async function pipePair(context: Context): Promise<{ client: PipeStream; server: PipeStream }> {
  const { listener, path } = await bindPipe(context);
  const [client, { stream }] = await within(
    Promise.all([PipeStream.connect(path, { reactor: context.reactor }), listener.accept()]),
    'connected pair',
  );
  listener.close();
  return { client: context.own(client), server: context.own(stream) };
}
