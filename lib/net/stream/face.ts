import type { Reactor } from '../../reactor/reactor.js';
import type { ColdState } from './cold-state.js';
import type { held, paused, StreamState } from './state.js';
import type { StreamProfile } from './stream-profile.js';
import type { WriteQueue } from './write-queue.js';

/** A stream, as the functions of this room see it: `StreamCore` says what each member does. */
export interface StreamFace {
  readonly fd: number;
  state: StreamState;
  readonly profile: StreamProfile;
  readonly reactor: Reactor;
  readonly queue: WriteQueue | null;
  readonly cold: ColdState | null;
  readonly closed: boolean;
  readonly isOpen: boolean;
  readonly readEnded: boolean;
  readonly wantsRead: boolean;
  readonly mayRead: boolean;
  readonly canWriteNow: boolean;

  ensureCold(): ColdState;
  ensureQueue(): WriteQueue;
  updateInterest(): void;
  setStopped(how: typeof paused | typeof held, stop: boolean): void;

  noteBytes(bytes: number): void;
  readShort(): boolean;
  readEmpty(): void;
  readLater(): void;
  markReadEnded(): void;
  onPeerEnd(): void;

  checkCanWrite(): void;
  flush(isCall?: boolean): void;
  flushLater(full?: boolean): void;
  onFlushed(isCall: boolean): void;

  whyClosed(): Error;
  fail(errno: number, syscall: string): void;
  finishIfDone(): void;
  destroy(error: Error | null): void;
}
