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

/** A connection on an fd that is a connected TCP or Unix stream socket; null for any other. */
export function openGivenFd(fd: number | undefined): Connection | null | undefined {
  if (fd === undefined) return undefined;
  const toProfile = (traits: typeof TCP_TRAITS) =>
    toConnectionProfile(chooseReactor(undefined), TRANSPORT_HANDLERS, UNBUFFERED, null, traits);
  if (isFit(() => prepareStreamFd(fd))) return TcpConnection.given(fd, toProfile(TCP_TRAITS));
  let type = '';
  if (isFit(() => (type = prepareUnixStream(fd))) && type === 'stream')
    return UnixConnection.given(fd, toProfile(UNIX_TRAITS));
  return null;
}
