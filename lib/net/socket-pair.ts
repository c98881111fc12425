import { systemError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkObject } from '../binding/validate.js';
import { TcpStream, type StreamOptions } from './tcp-stream.js';

const { AF_UNIX = 1, SOCK_STREAM = 1, SOCK_NONBLOCK = 0, SOCK_CLOEXEC = 0 } = native.constants;

/**
 * Two streams that are each other's peer (socketpair(2), AF_UNIX): they have no addresses.
 *
 * @throws (as rejection) TypeError; EMFILE, ENFILE
 */
export async function socketPair(options: StreamOptions = {}): Promise<[TcpStream, TcpStream]> {
  checkObject('options', options);
  const fds: number[] = [];
  const error = native.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
  if (error < 0) throw systemError(error, 'socketpair');
  const [first = -1, second = -1] = fds;
  let one: TcpStream | undefined;
  try {
    one = await TcpStream.fromFd(first, { ...options, noDelay: undefined });
    return [one, await TcpStream.fromFd(second, { ...options, noDelay: undefined })];
  } catch (failure) {
    if (one === undefined) native.close(first);
    else one.close();
    native.close(second);
    throw failure;
  }
}
