import { native } from '../../binding/native.js';
import { MAX_ADDRESS_BYTES, NO_ADDRESS } from '../../sys/sockaddr.js';
import { MAX_FDS } from './outgoing-fds.js';
import { NO_FDS, PassedFds } from './passed-fds.js';

const { MSG_TRUNC = 0x20, MSG_CTRUNC = 8 } = native.constants;

// What native code fills in: flags, fds kept, fds closed, bytes of the name; then the fds.
const FLAGS = 0;
const FD_COUNT = 1;
const CLOSED_COUNT = 2;
const NAME_LENGTH = 3;
const HEAD_WORDS = 4;

/** One recvmsg(2) at a time, with what came besides the bytes. */
class MessageReceiver {
  readonly #words = new Int32Array(HEAD_WORDS + MAX_FDS);
  readonly #name = new Uint8Array(MAX_ADDRESS_BYTES);
  /** By how many fds are wanted. */
  readonly #controls = new Map<number, Uint8Array>();

  #control(mostFds: number): Uint8Array {
    let control = this.#controls.get(mostFds);
    if (control === undefined) {
      const bytes = (HEAD_WORDS + mostFds) * Int32Array.BYTES_PER_ELEMENT;
      this.#controls.set(mostFds, (control = new Uint8Array(this.#words.buffer, 0, bytes)));
    }
    return control;
  }

  /** n or -errno; what follows is of the latest that was no error. */
  receive(fd: number, buffer: Uint8Array, mostFds: number, wantsName = false): number {
    return native.recvMessage(fd, buffer, 0, this.#control(mostFds), wantsName ? this.#name : NO_ADDRESS);
  }

  receiveArena(fd: number, mostFds: number): number {
    return native.recvMessageArena(fd, this.#control(mostFds));
  }

  /** The message was longer than the buffer: its rest is lost. */
  get truncated(): boolean {
    return (this.#words[FLAGS]! & MSG_TRUNC) !== 0;
  }

  /** The sender's address: overwritten by the next message. */
  get name(): Uint8Array {
    return this.#name.subarray(0, Math.min(this.#words[NAME_LENGTH]!, MAX_ADDRESS_BYTES));
  }

  takeFds(): PassedFds {
    const count = this.#words[FD_COUNT]!;
    const truncated = (this.#words[FLAGS]! & MSG_CTRUNC) !== 0 || this.#words[CLOSED_COUNT]! > 0;
    if (count === 0 && !truncated) return NO_FDS;
    return new PassedFds([...this.#words.subarray(HEAD_WORDS, HEAD_WORDS + count)], truncated);
  }
}

/** This thread's own: what it holds is read before the next call. */
export const messageReceiver = new MessageReceiver();
