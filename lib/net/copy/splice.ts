import { systemError, unsupportedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import type { ReadOperation } from '../stream/seams.js';
import type { AnyStream as Stream } from '../stream/transfer.js';

const { O_NONBLOCK, O_CLOEXEC } = native.constants;
/**
 * What one event may move before others get their turn: about as long as a turn's budget of events
 * takes, 1 to 2 ms on loopback. A quarter of it made a byte a third dearer (`npm run bench:tcp`):
 * the kernel profits from staying with a connection.
 */
const MAX_BYTES_PER_EVENT = 1 << 22;

/** A pipe that bytes pass through from one socket to another, inside the kernel. */
export class SplicePipe {
  readonly readFd: number;
  readonly writeFd: number;
  #closed = false;

  /** @throws ERR_TRIPOLL_UNSUPPORTED where there is no splice(2); EMFILE, ENFILE */
  constructor(sizeBytes: number) {
    if (native.spliceRelay === undefined) throw unsupportedError('this platform has no splice(2)');
    const ends: number[] = [];
    const error = native.pipe2(O_NONBLOCK | O_CLOEXEC, ends);
    if (error < 0) throw systemError(error, 'pipe2');
    [this.readFd = -1, this.writeFd = -1] = ends;
    // EPERM: above the user's limit (fs.pipe-max-size, fs.pipe-user-pages-soft). The one we have
    // will do.
    native.setPipeSize?.(this.writeFd, sizeBytes);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    native.close(this.readFd);
    native.close(this.writeFd);
  }
}

/** From one stream to the pipe, and on to the other as far as that takes it. */
class Relay implements ReadOperation {
  readonly #pipe: SplicePipe;
  readonly #to: Stream;
  readonly #state = new Int32Array(2);
  readonly #stateBytes = new Uint8Array(this.#state.buffer);

  constructor(pipe: SplicePipe, to: Stream) {
    this.#pipe = pipe;
    this.#to = to;
  }

  run(fd: number): number {
    const { writeFd, readFd } = this.#pipe;
    const relay = native.spliceRelay;
    // The constructor of the pipe has made sure of it.
    if (relay === undefined) throw unsupportedError('splice(2)');
    return relay(fd, writeFd, readFd, this.#to.fd, MAX_BYTES_PER_EVENT, this.#stateBytes);
  }

  /** Bytes in the pipe that the other stream has not taken. */
  get leftBytes(): number {
    return this.#state[0] ?? 0;
  }

  get drained(): boolean {
    return this.#state[1] === 1;
  }

  /** A source of writes: what is left in the pipe. */
  drain(fd: number, written: number): number {
    return native.splice?.(this.#pipe.readFd, fd, this.leftBytes - written) ?? 0;
  }
}

/** Passes on all that `from` has, then its end. Returns how many bytes. */
export async function spliceOneWay(from: Stream, to: Stream, pipe: SplicePipe): Promise<number> {
  const relay = new Relay(pipe, to);
  const drain = (fd: number, written: number) => relay.drain(fd, written);
  // What was written before comes first.
  await to.writeWith(() => 0, 0);
  let total = 0;
  for (;;) {
    const taken = await from.readWith(relay);
    if (taken === 0) break;
    total += taken;
    to.noteActivity(taken - relay.leftBytes);
    if (relay.leftBytes > 0) await to.writeWith(drain, relay.leftBytes);
  }
  to.end();
  return total;
}
