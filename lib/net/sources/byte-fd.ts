import { EINTR } from '../../binding/errnos.js';
import { busyError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkBytes } from '../../binding/validate.js';
import { Interest } from '../../poller/flags.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import { FdOwner } from '../fd/fd-owner.js';

/** Pieces of one event before others get their turn, as many as a stream socket writes (T48). */
const WRITES_PER_EVENT = 16;

/** Bytes, with read(2) and write(2). */
export abstract class ByteFd extends FdOwner {
  #isReading = false;

  /**
   * Reads what there is, at least a byte. One call at a time: whole things queue, parts of a byte
   * stream do not.
   *
   * @returns 0 at the end: the last writer has gone, or ctrl-D
   * @throws (as rejection) ERR_TRIPOLL_BUSY while another read waits; as `AsyncFd.read`
   */
  async read(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    if (this.#isReading) throw busyError('another read() is waiting');
    this.#isReading = true;
    try {
      return await this.io.read(buffer, options);
    } finally {
      this.#isReading = false;
    }
  }

  /**
   * Writes as much as there is room for, at least a byte, when the writes before it are done.
   *
   * @returns how many bytes of `buffer` were written
   * @throws (as rejection) EPIPE when nobody reads any more; as `AsyncFd.write`
   */
  write(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    return this.io.write(buffer, options);
  }

  /**
   * Writes all of it, when the writes before it are done. `signal` and `timeoutMs` are for the
   * whole, the wait for its turn included. When it fails after some bytes, the stream closes: what
   * follows would be read as the rest.
   *
   * @returns how many bytes: all of them
   * @throws (as rejection) as `write`, with `bytesWritten`
   */
  async writeAll(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    checkBytes('buffer', buffer);
    let written = 0;
    const writeRest = (fd: number): number => {
      for (let i = 0; i < WRITES_PER_EVENT; i++) {
        const result = native.write(fd, buffer, written, buffer.length - written);
        if (result < 0) return result;
        written += result;
        if (written >= buffer.length) return result;
        // The last piece is charged by whoever made this call.
        this.reactor.registry.chargeBytes(result);
      }
      return EINTR;
    };
    try {
      await this.io.io(Interest.WRITABLE, writeRest, 'write', options);
      return written;
    } catch (error) {
      if (written > 0) this.close();
      throw Object.assign(error as Error, { bytesWritten: written });
    }
  }
}
