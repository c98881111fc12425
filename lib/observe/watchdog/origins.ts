import { join, sep } from 'node:path';
import type { Registration } from '../../reactor/registration.js';
import { kindOf } from '../inspect-registrations.js';

/** Enough to get past our own frames to those of the user. */
const STACK_FRAMES = 25;
/** From dist/bundle/, with and without source maps: frames from there say nothing to the user. */
const OWN_FOLDERS = [__dirname, join(__dirname, '../../lib')].map((folder) => folder + sep);
/** How far back it is asked in whose handler something was registered. */
const MAX_DEPTH = 2;

/** Where something was registered. */
export interface Origin {
  /** It holds the stack; its text is made when it is asked for. */
  readonly error: Error;
  /** That of the handler in which this was registered: a listener's, for what it has accepted. */
  readonly within: Origin | null;
  readonly depth: number;
}

export function newOrigin(within: Origin | null): Origin {
  const { stackTraceLimit } = Error;
  // Where nothing may change it, fewer frames have to do.
  Reflect.set(Error, 'stackTraceLimit', STACK_FRAMES);
  const error = new Error('opened');
  Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  const parent = within !== null && within.depth >= MAX_DEPTH ? within.within : within;
  return { error, within: parent, depth: (parent?.depth ?? -1) + 1 };
}

function userFrames({ error }: Origin): string[] {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s*at |@/.test(line));
  return frames.filter(
    (line) =>
      !OWN_FOLDERS.some((folder) => line.includes(folder)) && !/[( ](node|ext|bun):|\(native/.test(line),
  );
}

/** The user's frames, a line each, its own or those of who has accepted it; null when none is known. */
export function describeOrigin(origin: Origin | null | undefined): string | null {
  for (let at = origin ?? null; at !== null; at = at.within) {
    const frames = userFrames(at);
    if (frames.length > 0) return frames.join('\n');
  }
  return null;
}

/** What it is called in messages: its own name, else its handler's class. */
export function nameOf({ name, handler }: Registration): string {
  const kind = kindOf(handler);
  return name ?? (kind === 'handler' ? 'a handler' : kind);
}
