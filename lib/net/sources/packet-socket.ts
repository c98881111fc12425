import { native } from '../../binding/native.js';
import { checkInteger, checkNames } from '../../binding/validate.js';
import { decodePacketAddress, encodePacketAddress, type PacketAddress } from '../../sys/sockaddr.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { interfaceIndexOf } from '../../sys/interface-index.js';
import { MessageSocket } from '../message/message-socket.js';
import { check, checkOneOf, ownFd } from '../fd/open-fd.js';

const { AF_PACKET = 17, SOCK_RAW, SOCK_DGRAM, SOCK_CLOEXEC, SOCK_NONBLOCK } = native.constants;
const { ETH_P_ALL = 3 } = native.constants;
const MAX_UINT16 = 0xffff;

/** Options of a `PacketSocket`. */
export interface PacketSocketOptions extends SourceOptions {
  /** ETH_P_* in the host's order; default ETH_P_ALL. */
  protocol?: number | undefined;
  /** With the link layer's header (`'raw'`, the default) or without (`'cooked'`). */
  layer?: 'raw' | 'cooked' | undefined;
}

const NAMES: Readonly<Record<keyof PacketSocketOptions, true>> = {
  ...SOURCE_NAMES,
  protocol: true,
  layer: true,
};

/**
 * Frames of one network interface, as they come and go (packet(7)). Needs CAP_NET_RAW. Linux only.
 */
export class PacketSocket extends MessageSocket<PacketAddress> {
  /** The interface's number, as of if_nametoindex(3). */
  readonly interfaceIndex: number;

  /**
   * @param device the interface's name, in the network namespace of this thread
   * @throws TypeError, RangeError; EPERM; ENODEV; ERR_TRIPOLL_UNSUPPORTED; ERR_TRIPOLL_CLOSED
   */
  constructor(device: string, options: PacketSocketOptions = {}) {
    checkNames('options', options, NAMES);
    const { protocol = ETH_P_ALL, layer = 'raw' } = options;
    checkInteger('protocol', protocol, 0, MAX_UINT16);
    checkOneOf('layer', layer, ['raw', 'cooked']);
    const index = interfaceIndexOf(device);
    const type = layer === 'raw' ? SOCK_RAW : SOCK_DGRAM;
    // Protocol 0 until it is bound: else it would hear all interfaces for a moment.
    const fd = native.socket(AF_PACKET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    super(ownFd(fd, 'socket', options));
    try {
      this.interfaceIndex = index;
      check(native.bindBytes(this.fd, encodePacketAddress(index, protocol)), 'bind', device);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  protected encode({ interfaceIndex, protocol, hardwareAddress }: PacketAddress): Uint8Array {
    return encodePacketAddress(interfaceIndex, protocol, hardwareAddress);
  }

  protected decode(bytes: Uint8Array): PacketAddress {
    return decodePacketAddress(bytes);
  }
}
