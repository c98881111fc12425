import { EAGAIN } from '../../binding/errnos.js';
import { outOfRange } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkFlags, checkInteger, checkNames } from '../../binding/validate.js';
import { Interest } from '../../poller/flags.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import { iterate } from '../../reactor/iterate.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { check, checkOpen, need, ownFd, toPathBytes } from '../fd/open-fd.js';
import { NO_VALUE, ValueSource } from '../fd/value-source.js';

const { IN_CLOEXEC = 0, IN_NONBLOCK = 0, IN_IGNORED = 0x8000, IN_Q_OVERFLOW = 0x4000 } = native.constants;
const { IN_CREATE = 0, IN_DELETE = 0, IN_MODIFY = 0, IN_MOVED_FROM = 0, IN_MOVED_TO = 0 } = native.constants;
const { IN_CLOSE_WRITE = 0, IN_DELETE_SELF = 0, IN_MOVE_SELF = 0, IN_ATTRIB = 0 } = native.constants;

/** struct inotify_event up to its name: watch, mask, cookie, length of the name. */
const HEAD_WORDS = 4;
const HEAD_BYTES = HEAD_WORDS * Uint32Array.BYTES_PER_ELEMENT;
/** Some hundred events at once; the largest needs 16 bytes and a name of 256. */
const BUFFER_BYTES = 16 * 1024;

/** What `add` watches for by default: whatever changes a file or the list of files, and its end. */
export const DEFAULT_MASK =
  IN_CREATE |
  IN_DELETE |
  IN_MODIFY |
  IN_CLOSE_WRITE |
  IN_ATTRIB |
  IN_MOVED_FROM |
  IN_MOVED_TO |
  IN_DELETE_SELF |
  IN_MOVE_SELF;

/** A name may begin with U+FEFF, which would else be taken for a byte order mark. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** What happened to a watched file or folder, or an overflow. */
export interface InotifyEvent {
  /** Which watch; -1 for an overflow. */
  readonly watch: number;
  /** As it was given to `add`, bytes as text; undefined for an overflow. */
  readonly path: string | undefined;
  /** The IN_* flags of `raw.sys.constants`. */
  readonly mask: number;
  /** Equal for the two halves of a rename, else 0. */
  readonly cookie: number;
  /** Name of the file in a watched folder; `''` for the watched file or folder itself. */
  readonly name: string;
  /**
   * The same as the system has it: a name that is no UTF-8 has U+FFFD in `name`, and is opened by
   * these.
   */
  readonly nameBytes: Buffer;
  /**
   * Events were lost, because nobody read them in time (fs.inotify.max_queued_events): look for
   * yourself.
   */
  readonly overflow: boolean;
}

/**
 * Changes of files and folders (inotify(7)). The kernel's queue is the only one: who does not ask
 * loses events, and is told so. Linux only.
 */
export class Inotify extends ValueSource<InotifyEvent> {
  readonly #paths = new Map<number, string>();
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  /** Parsed, and not asked for yet; never more than one read has. */
  readonly #events: InotifyEvent[] = [];
  /**
   * @throws TypeError; ERR_TRIPOLL_UNSUPPORTED; EMFILE (also fs.inotify.max_user_instances);
   * ERR_TRIPOLL_CLOSED
   */
  constructor(options: SourceOptions = {}) {
    checkNames('options', options, SOURCE_NAMES);
    const fd = need(native.inotifyInit, 'inotify(7)')(IN_CLOEXEC | IN_NONBLOCK);
    super(ownFd(fd, 'inotify_init1', options, Interest.READABLE));
  }

  /**
   * Watches a file or a folder, not what is in the folders within it. A path whose inode is watched
   * already changes that watch's mask, and gets its number.
   *
   * @param path bytes for a name that is no UTF-8
   * @param mask IN_* flags of `raw.sys.constants`; by default all changes
   * @returns the watch's number
   * @throws TypeError, RangeError; ENOENT, EACCES, ENOSPC (fs.inotify.max_user_watches);
   * ERR_TRIPOLL_CLOSED
   */
  add(path: string | Uint8Array, mask = DEFAULT_MASK): number {
    checkFlags('mask', mask);
    if (mask === 0) throw outOfRange('mask', 'at least one IN_* flag', mask);
    const bytes = toPathBytes(path);
    const text = decoder.decode(bytes);
    checkOpen(this.io, 'Inotify');
    const add = need(native.inotifyAdd, 'inotify(7)');
    const watch = check(add(this.fd, bytes, mask), 'inotify_add_watch', text);
    this.#paths.set(watch, text);
    return watch;
  }

  /**
   * Ends a watch; an event with IN_IGNORED is its last.
   *
   * @throws RangeError; EINVAL for no watch; ERR_TRIPOLL_CLOSED
   */
  remove(watch: number): void {
    checkInteger('watch', watch, 1, 0x7fffffff);
    checkOpen(this.io, 'Inotify');
    check(need(native.inotifyRemove, 'inotify(7)')(this.fd, watch), 'inotify_rm_watch');
  }

  /**
   * The next event. Several calls may wait at once, and are served in order.
   *
   * @throws (as rejection) ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT, by which no event is
   * lost
   */
  async next(options: CancelOptions = {}): Promise<InotifyEvent> {
    let event: InotifyEvent | undefined;
    const take = (fd: number): number => {
      // What another call has read and not needed comes first: the system would not tell of it
      // again (F3).
      const result = this.#events.length > 0 ? 0 : this.#readMore(fd);
      if (result >= 0) event = this.#events.shift();
      return result;
    };
    await this.io.io(Interest.READABLE, take, 'read', options);
    return event as InotifyEvent;
  }

  protected takeNow(): InotifyEvent | typeof NO_VALUE {
    if (this.#events.length === 0) {
      const result = this.io.tryIo(Interest.READABLE, (fd) => this.#readMore(fd));
      if (result !== EAGAIN) check(result, 'read');
    }
    return this.#events.shift() ?? NO_VALUE;
  }

  #readMore(fd: number): number {
    const length = native.read(fd, this.#buffer, 0, BUFFER_BYTES);
    if (length > 0) this.#events.push(...this.#parse(length));
    return length;
  }

  /**
   * Events, until it closes. Leaving the loop leaves it open; `return()` also ends a `next()` that
   * waits.
   */
  [Symbol.asyncIterator](): AsyncGenerator<InotifyEvent, void, void> {
    return iterate(
      async (options) => ({ done: false, value: await this.next(options) }),
      () => this.closed,
    );
  }

  #parse(length: number): InotifyEvent[] {
    const events: InotifyEvent[] = [];
    for (let at = 0; at + HEAD_BYTES <= length;) {
      // The kernel pads names, so that each head is aligned.
      const [watch = 0, mask = 0, cookie = 0, nameBytes = 0] = new Uint32Array(
        this.#buffer.buffer,
        at,
        HEAD_WORDS,
      );
      const padded = this.#buffer.subarray(at + HEAD_BYTES, at + HEAD_BYTES + nameBytes);
      const end = padded.indexOf(0);
      const name = Buffer.from(end < 0 ? padded : padded.subarray(0, end));
      events.push({
        watch: watch | 0,
        path: this.#paths.get(watch | 0),
        mask,
        cookie,
        name: decoder.decode(name),
        nameBytes: name,
        overflow: (mask & IN_Q_OVERFLOW) !== 0,
      });
      if ((mask & IN_IGNORED) !== 0) this.#paths.delete(watch | 0);
      at += HEAD_BYTES + nameBytes;
    }
    return events;
  }
}
