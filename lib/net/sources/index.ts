// The entry tripoll/fd: any fd that can be waited for, and ready-made objects for many kinds.
export { AsyncFd, type AsyncFdOptions, type FdCall } from '../fd/async-fd.js';
export { EventFd, type EventFdOptions } from './event-fd.js';
export type { FdOwner, SourceOptions } from '../fd/fd-owner.js';
export { FdStream, type FdDirection } from './fd-stream.js';
export { IcmpSocket, internetChecksum, type IcmpSocketOptions } from './icmp-socket.js';
export { Inotify, type InotifyEvent } from './inotify.js';
export type { MessageHandlers } from '../message/message-pump.js';
export type { ReceivedMessage } from '../message/message-socket.js';
export { NetlinkSocket, type NetlinkAddress, type NetlinkOptions } from './netlink-socket.js';
export { PacketSocket, type PacketSocketOptions } from './packet-socket.js';
export { childExit, PidFd, type ChildExitOptions, type ExitStatus } from './pid-fd.js';
export { signal, SignalSource } from './signal.js';
export { TimerFd, type TimerFdOptions, type TimerFdSetting } from './timer-fd.js';
export { TunDevice, type TunOptions } from './tun-device.js';
export { encodeCanAddress, encodeVsockAddress, type PacketAddress } from '../../sys/sockaddr.js';
