import type { Reactor } from '../reactor/reactor.js';
import { chooseReactor } from '../reactor/choose-reactor.js';
import { toConnectionProfile } from '../net/stream/connection-profile.js';
import { TCP_TRAITS, UNIX_TRAITS } from '../net/stream/stream-profile.js';
import { prepareStreamFd } from '../net/tcp/given-fd.js';
import { TcpConnection } from '../net/tcp/tcp-connection.js';
import { prepareUnixStream } from '../net/unix/given-fd.js';
import { UnixConnection } from '../net/unix/unix-connection.js';
import { TRANSPORT_HANDLERS, UNBUFFERED, type Connection } from './transport.js';

function isFit(prepare: () => unknown): boolean {
  try {
    prepare();
    return true;
  } catch {
    return false;
  }
}

/** Whether an fd is a connected TCP socket, or a Unix stream socket; null for any other. */
export function kindOfFd(fd: number): { isTcp: boolean } | null {
  if (isFit(() => prepareStreamFd(fd))) return { isTcp: true };
  let type = '';
  return isFit(() => (type = prepareUnixStream(fd))) && type === 'stream' ? { isTcp: false } : null;
}

/** A connection on a connected socket, which it closes unless it fails at once. */
export function openConnection(fd: number, isTcp: boolean, reactor: Reactor): Connection {
  const traits = isTcp ? TCP_TRAITS : UNIX_TRAITS;
  const profile = toConnectionProfile(reactor, TRANSPORT_HANDLERS, UNBUFFERED, null, traits);
  return isTcp ? TcpConnection.given(fd, profile) : UnixConnection.given(fd, profile);
}

/** A connection on an fd that is a connected TCP or Unix stream socket; null for any other. */
export function openGivenFd(fd: number | undefined): Connection | null | undefined {
  if (fd === undefined) return undefined;
  const kind = kindOfFd(fd);
  return kind === null ? null : openConnection(fd, kind.isTcp, chooseReactor(undefined));
}
