export { sys } from '../sys/sys.js';
export type { Termios } from '../sys/terminal.js';
export type { ConstantName, Constants, ErrnoName, Errnos } from '../binding/constant-names.js';
export type { SocketAddress, SocketAddressInput } from '../sys/address.js';
export { Epoll, type EpollParams } from './epoll.js';
export { alloc } from './lent-memory.js';
export { closeHandle, type Completion, CompletionPort, createPipe, openFile } from './completion-port.js';
export { Kqueue } from './kqueue.js';
export { KeventList, type Kevent } from './kevent-list.js';
