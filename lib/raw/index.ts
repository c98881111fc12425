export { sys } from '../sys/sys.js';
export type { SocketAddress, SocketAddressInput } from '../sys/address.js';
export { Epoll, type EpollParams } from './epoll.js';
