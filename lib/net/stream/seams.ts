import type { EventHandler, Registration } from '../../reactor/registration.js';

// What an address family supplies to its streams, and this room only calls.

/** Connecting that is under way. */
export interface ConnectAttempt {
  start(): void;
  /** Whether it keeps the process alive. */
  setRefed(refed: boolean): void;
  /** Gives up, without telling its observer; also called when it has told the outcome. */
  cancel(): void;
}

/** What is left of connecting when the stream is open already. */
export interface Handshake {
  readonly isDone: boolean;
  /**
   * Goes on without waiting for a write: an end of our side that comes before it is done would undo
   * the connecting.
   */
  finish(): void;
  /** The stream has ended, or it is done. */
  cancel(): void;
}

/** Receives the outcome of an attempt: one of both, once. */
export interface ConnectObserver extends EventHandler {
  /**
   * The socket and its registration are the observer's own from here on; `readiness` came with the
   * news.
   */
  onConnected(fd: number, registration: Registration, readiness: number, handshake?: Handshake | null): void;
  /** The handshake that it was given is done. */
  onEstablished(): void;
  onConnectFailed(error: Error): void;
}

/** What few streams of a family need besides bytes, made when it is first used. */
export interface StreamExtras {
  /** Whether the registration is to wait for `Interest.PRIORITY`. */
  readonly wantsPriority: boolean;
  /** Takes what is its own of an event; returns the rest. */
  onReady(readiness: number): number;
  /** The stream has ended. */
  end(reason: Error): void;
}

/** A way of reading other than into a buffer. */
export interface ReadOperation {
  /** Bytes taken or seen; 0 at the end; -errno. */
  run(fd: number): number;
  /** It leaves the bytes to be read. */
  readonly peeks?: boolean;
  /** After a `run` that gave bytes: the socket has no more for now. */
  readonly drained: boolean;
}
