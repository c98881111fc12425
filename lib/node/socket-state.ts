import type { Duplex } from 'node:stream';
// Not the globals, which fake timers replace: node:net's own time is real under them.
import { clearTimeout, setTimeout } from 'node:timers';
import type { SocketOptions } from './socket-options.js';
import { Transport, type Connection } from './transport.js';
import { UserBuffer } from './user-buffer.js';

/** A stream, as its state sees it. */
export interface StreamUser extends Duplex {
  connecting: boolean;
}

/** What a `Socket` remembers, and what its connection tells it. */
export class SocketState extends Transport {
  readonly #socket: StreamUser;
  readonly userBuffer: UserBuffer | null;
  /** It has, or is about to have, a connection. */
  isActive = false;
  isResetting = false;
  /** Below a wrapper of Node's: what is written before `connect` is called waits for it. */
  waitsForConnect = false;
  noDelay: boolean;
  keepAlive: boolean;
  keepAliveDelaySeconds: number;
  /** A write that waits for the connection. */
  pendingBytes = 0;
  #timer: NodeJS.Timeout | null = null;
  #idleMs = 0;
  /** When bytes were last moved, while there is a timer. */
  #activeAtMs = 0;
  /** It was told, and is again when it is idle again. */
  #isExpired = false;
  /** Ends an attempt to connect, or a look-up. */
  #cancel: (() => void) | null = null;
  #follow: ((refed: boolean) => unknown) | null = null;
  #queuedBytes = 0;

  constructor(socket: StreamUser, options: SocketOptions) {
    super();
    this.#socket = socket;
    this.noDelay = Boolean(options.noDelay);
    this.keepAlive = Boolean(options.keepAlive);
    this.keepAliveDelaySeconds = toSeconds(options.keepAliveInitialDelay);
    this.userBuffer = UserBuffer.from(options.onread, socket);
  }

  /** From here on it is the stream's; it does not read yet. */
  open(connection: Connection): void {
    this.#cancel = this.#follow = null;
    this.isActive = true;
    this.attach(connection);
    if (this.noDelay) this.setOption('tcpNoDelay', true);
    if (this.keepAlive) this.applyKeepAlive();
  }

  override setRefed(refed: boolean): void {
    super.setRefed(refed);
    this.#follow?.(refed);
  }

  applyKeepAlive(): void {
    this.setOption('keepAlive', this.keepAlive);
    if (this.keepAlive && this.keepAliveDelaySeconds > 0)
      this.setOption('tcpKeepIdleSeconds', this.keepAliveDelaySeconds);
  }

  /** An attempt begins. */
  begin(): void {
    this.isActive = true;
    this.forget();
  }

  /** How to end what is under way, and how it is to keep the process alive. */
  canCancel(cancel: () => void, follow: (refed: boolean) => unknown): void {
    this.#cancel = cancel;
    this.#follow = follow;
  }

  /** It is over, whatever it was doing; true when there was something to end. */
  end(): boolean {
    const wasActive = this.isActive;
    this.isActive = false;
    this.clearTimer();
    this.#cancel?.();
    this.#cancel = this.#follow = null;
    if (this.isResetting) this.reset();
    this.isResetting = false;
    this.close();
    return wasActive;
  }

  protected override deliverRest(): boolean {
    return this.userBuffer?.deliverRest(() => this.isReading) ?? true;
  }

  // ---- idle time ----

  setTimer(delayMs: number, onTimeout: () => void): void {
    this.clearTimer();
    if (delayMs === 0) return;
    this.#idleMs = delayMs;
    this.#activeAtMs = this.turnTimeMs();
    this.#arm(delayMs, onTimeout);
  }

  #arm(delayMs: number, onTimeout: () => void): void {
    this.#timer = setTimeout(() => this.#expire(onTimeout), delayMs).unref();
  }

  clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isExpired = false;
  }

  /**
   * Activity only notes the time: a timer that is set anew for each message costs more. A write that
   * makes progress is no idle time.
   */
  #expire(onTimeout: () => void): void {
    const before = this.#queuedBytes;
    this.#queuedBytes = this.queuedBytes;
    if (before > 0 && before !== this.#queuedBytes) this.onActivity();
    // A timer counts whole milliseconds, and may be early by one.
    const leftMs = this.#activeAtMs + this.#idleMs - this.turnTimeMs();
    if (leftMs >= 1) {
      this.#arm(leftMs, onTimeout);
      return;
    }
    this.#isExpired = true;
    onTimeout();
  }

  // ---- writing ----

  writeNow(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.onActivity();
    this.write(bytes, done);
    this.#noteWrite();
  }

  writevNow(chunks: readonly Uint8Array[], done: (error?: Error | null) => void): void {
    this.onActivity();
    this.writev(chunks, done);
    this.#noteWrite();
  }

  #noteWrite(): void {
    this.onActivity();
    this.#queuedBytes = this.queuedBytes;
  }

  // ---- what the connection tells ----

  override onActivity(): void {
    if (this.#timer === null) return;
    this.#activeAtMs = this.turnTimeMs();
    if (this.#isExpired) this.#timer.refresh();
    this.#isExpired = false;
  }

  protected override onBytes(chunk: Uint8Array): boolean {
    if (this.userBuffer !== null) return this.userBuffer.deliver(chunk, () => this.isReading);
    // The chunk is only lent.
    return this.#socket.push(Buffer.from(chunk));
  }

  protected override onPeerEnd(): void {
    this.#socket.push(null);
    this.#socket.read(0);
  }

  protected override onFailed(error: Error): void {
    this.#socket.destroy(error);
  }
}

/** Whole seconds of a duration in milliseconds; what is no number is 0. */
export function toSeconds(delayMs: unknown): number {
  return Math.trunc(Number(delayMs ?? 0) / 1000) || 0;
}
