import { native } from '../../binding/native.js';
import { toSocketAddress, type SocketAddress } from '../../sys/address.js';

/** The name of an internet socket; undefined for none. */
export function socketName(side: 'local' | 'remote', fd: number): SocketAddress | undefined {
  if (fd < 0) return undefined;
  const name = { family: 0, address: '', port: 0, scopeId: 0 };
  const error = side === 'local' ? native.getsockname(fd, name) : native.getpeername(fd, name);
  return error < 0 ? undefined : toSocketAddress(name);
}
