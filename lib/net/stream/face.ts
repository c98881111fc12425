import type { Reactor } from '../../reactor/reactor.js';
import type { EventHandler, Registration } from '../../reactor/registration.js';
import type { Idler } from '../socket/idle-tracker.js';
import type { ColdState } from './cold-state.js';
import type { held, paused, StreamState } from './state.js';
import type { StreamProfile } from './stream-profile.js';
import type { WriteQueue } from './write-queue.js';

/** A stream, as the functions of this room see it: `StreamCore` says what each member does. */
export interface StreamFace extends EventHandler, Idler {
  fd: number;
  registration: Registration | null;
  state: StreamState;
  readonly profile: StreamProfile;
  readonly reactor: Reactor;
  readonly queue: WriteQueue | null;
  readonly cold: ColdState | null;
  readonly closed: boolean;
  readonly isOpen: boolean;
  readonly readEnded: boolean;
  readonly writeEnded: boolean;
  readonly isWaiting: boolean;
  readonly wantsRead: boolean;
  readonly wantsPriority: boolean;
  readonly hasQueued: boolean;
  readonly mayRead: boolean;
  readonly canWriteNow: boolean;

  ensureCold(): ColdState;
  ensureQueue(): WriteQueue;
  updateInterest(): void;
  setStopped(how: typeof paused | typeof held, stop: boolean): void;

  onReady(readiness: number): void;
  onError(error: unknown): void;
  noteBytes(bytes: number): void;
  noteRead(bytes: number): void;
  noteWritten(bytes: number): void;
  onOpen(): void;
  readNow(): void;
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
