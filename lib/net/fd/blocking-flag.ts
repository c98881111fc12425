import { systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

const { F_GETFL, F_SETFL, O_NONBLOCK } = native.constants;

/** Flags that are still changed: put back when the process ends, for the sake of whoever shares the terminal. */
const changed = new Set<BlockingFlag>();

function restoreAll(): void {
  for (const flag of changed) flag.restore();
}

/** O_NONBLOCK of one open file, set as long as this lives. */
export class BlockingFlag {
  readonly #fd: number;

  /** @throws EBADF and what else fcntl(2) says */
  constructor(fd: number) {
    this.#fd = fd;
    const flags = native.fcntl(fd, F_GETFL, 0);
    if (flags < 0) throw systemError(flags, 'fcntl', { fd });
    if ((flags & O_NONBLOCK) !== 0) return;
    const error = native.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    if (error < 0) throw systemError(error, 'fcntl', { fd });
    if (changed.size === 0) process.on('exit', restoreAll);
    changed.add(this);
  }

  /** As it was; the other flags as they are by now. */
  restore(): void {
    if (!changed.has(this)) return;
    this.forget();
    const flags = native.fcntl(this.#fd, F_GETFL, 0);
    // The fd is open, and these are its own flags: it does not fail, and nobody could do better if it did.
    if (flags >= 0) native.fcntl(this.#fd, F_SETFL, flags & ~O_NONBLOCK);
  }

  /** The number is a stranger's by now. */
  forget(): void {
    if (changed.delete(this) && changed.size === 0) process.off('exit', restoreAll);
  }
}
