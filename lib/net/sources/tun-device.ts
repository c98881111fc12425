import { constants } from 'node:fs';
import { invalidArgType, outOfRange, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkNames } from '../../binding/validate.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import type { AsyncFd } from '../fd/async-fd.js';
import { FdOwner, SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { checkOneOf, need, openPath, ownFd } from '../fd/open-fd.js';

const { IFF_TUN = 1, IFF_TAP = 2, IFF_NO_PI = 0x1000 } = native.constants;
const DEVICE = '/dev/net/tun';
/** IFNAMSIZ, without its NUL (linux/if.h). */
const MAX_NAME_BYTES = 15;

/** Options of `TunDevice.open`. */
export interface TunOptions extends SourceOptions {
  /** Name of the interface; the system chooses for `''` (the default) and for a `%d` in it. */
  name?: string | undefined;
  /** IP packets (`'tun'`, the default) or Ethernet frames (`'tap'`). */
  layer?: 'tun' | 'tap' | undefined;
}

const NAMES: Readonly<Record<keyof TunOptions, true>> = { ...SOURCE_NAMES, name: true, layer: true };

/**
 * A network interface whose other end is this program: what the system sends over it is read here,
 * what is written here it receives (Documentation/networking/tuntap.rst). It goes with this object,
 * unless it was made persistent elsewhere. Give it an address, and set it up, with ip(8). Needs
 * CAP_NET_ADMIN. Linux only.
 */
export class TunDevice extends FdOwner {
  /** As the system has named it. */
  readonly name: string;

  private constructor(io: AsyncFd, name: string) {
    super(io);
    this.name = name;
  }

  /**
   * Makes the interface, or attaches to one that was made persistent.
   *
   * @throws TypeError, RangeError; ENOENT, EACCES, EPERM, EBUSY; ERR_TRIPOLL_UNSUPPORTED;
   * ERR_TRIPOLL_CLOSED
   */
  static open(options: TunOptions = {}): TunDevice {
    checkNames('options', options, NAMES);
    const { name = '', layer = 'tun' } = options;
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    checkOneOf('layer', layer, ['tun', 'tap']);
    if (Buffer.byteLength(name) > MAX_NAME_BYTES || name.includes('\0')) {
      throw outOfRange('name', `at most ${MAX_NAME_BYTES} bytes long, without a NUL`, name);
    }
    const setInterface = need(native.tunSetInterface, 'TUN devices');
    const fd = openPath(DEVICE, constants.O_RDWR);
    const out = new Uint8Array(MAX_NAME_BYTES + 1);
    // Before it is registered: an fd without an interface is one that cannot be waited for.
    const length = setInterface(fd, name, (layer === 'tun' ? IFF_TUN : IFF_TAP) | IFF_NO_PI, out);
    if (length < 0) {
      native.close(fd);
      throw systemError(length, 'ioctl', { address: name });
    }
    return new TunDevice(ownFd(fd, 'open', options), new TextDecoder().decode(out.subarray(0, length)));
  }

  /**
   * The next packet; what does not fit into `buffer` is lost.
   *
   * @throws (as rejection) as `AsyncFd.read`
   */
  read(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    return this.io.read(buffer, options);
  }

  /**
   * Hands one packet to the system.
   *
   * @throws (as rejection) EINVAL for what is none, EIO while it is down
   */
  write(packet: Uint8Array, options?: CancelOptions): Promise<number> {
    return this.io.write(packet, options);
  }
}
