import { native } from '../../binding/native.js';
import { checkInteger, checkNames } from '../../binding/validate.js';
import { decodeNetlinkAddress, encodeNetlinkAddress } from '../../sys/sockaddr.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { MessageSocket } from '../message/message-socket.js';
import { check, ownFd } from '../fd/open-fd.js';

const { AF_NETLINK = 16, SOCK_RAW, SOCK_CLOEXEC, SOCK_NONBLOCK } = native.constants;
const MAX_PROTOCOL = 31;
const MAX_GROUPS = 0xffffffff;

/** Options of a `NetlinkSocket`. */
export interface NetlinkOptions extends SourceOptions {
  /** A mask of multicast groups, as RTMGRP_LINK (1); default 0: answers only. */
  groups?: number | undefined;
}

const NAMES: Readonly<Record<keyof NetlinkOptions, true>> = { ...SOURCE_NAMES, groups: true };

/** netlink(7): who sent a message, or whom it goes to. */
export interface NetlinkAddress {
  /** 0 is the kernel. */
  readonly portId: number;
  /** The multicast groups it went to, as a mask; 0 for none. */
  readonly groups: number;
}

/**
 * Messages to and from the kernel (netlink(7)): addresses, routes, devices, audit. Their content is
 * yours to make and to read. ENOBUFS of `receive` says that messages were lost. Linux only.
 */
export class NetlinkSocket extends MessageSocket<NetlinkAddress> {
  /**
   * @param protocol NETLINK_* of `raw.sys.constants`
   * @throws TypeError, RangeError; EPROTONOSUPPORT, EPERM for some groups; ERR_TRIPOLL_CLOSED
   */
  constructor(protocol: number, options: NetlinkOptions = {}) {
    checkInteger('protocol', protocol, 0, MAX_PROTOCOL);
    checkNames('options', options, NAMES);
    const { groups = 0 } = options;
    checkInteger('groups', groups, 0, MAX_GROUPS);
    const fd = native.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    super(ownFd(fd, 'socket', options));
    try {
      check(native.bindBytes(this.fd, encodeNetlinkAddress(0, groups)), 'bind');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  protected encode({ portId, groups }: NetlinkAddress): Uint8Array {
    return encodeNetlinkAddress(portId, groups);
  }

  protected decode(bytes: Uint8Array): NetlinkAddress {
    return decodeNetlinkAddress(bytes);
  }

  /**
   * A sender's own socket is writable while its receiver's queue is full (netlink_attachskb), so no
   * event comes.
   */
  protected override tellsRoom(): boolean {
    return false;
  }
}
