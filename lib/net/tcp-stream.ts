import { checkCancel, type CancelOptions } from '../reactor/cancellation.js';
import type { Reactor } from '../reactor/reactor.js';
import { splitHostPort, type SocketAddress, type SocketAddressInput } from '../sys/address.js';
import { toIdleTracker } from './idle-tracker.js';
import { SocketStream } from './socket-stream.js';
import { socketName } from './stream-core.js';
import {
  chooseReactor,
  TCP_TRAITS,
  toStreamProfile,
  type StreamProfile,
  type TcpOptions,
} from './stream-profile.js';

export interface StreamOptions extends TcpOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
  /** As of `ConnectionOptions`. */
  idleTimeoutMs?: number | undefined;
}

/** A TCP stream with promises. */
export class TcpStream extends SocketStream {
  /**
   * Connects; a name's addresses are tried in turn.
   *
   * @param address `'host:port'`, `'[v6]:port'` or `{ host, port }`
   * @throws (as rejection) TypeError, RangeError; ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH and what
   * else connect(2) says; ENOTFOUND and others of `dns.lookup`; ABORT_ERR, ERR_TRIPOLL_TIMEOUT
   */
  static async connect(
    address: SocketAddressInput,
    options: StreamOptions & CancelOptions = {},
  ): Promise<TcpStream> {
    checkCancel(options);
    const hostPort = splitHostPort(address);
    const reactor = chooseReactor(options.reactor);
    const stream = new TcpStream(toStreamProfile(reactor, toIdleTracker(reactor, options), null, TCP_TRAITS));
    return stream.whenOpen(() => stream.connectTo(hostPort, options));
  }

  /** For `TcpListener`. */
  static accepted(fd: number, profile: StreamProfile): TcpStream {
    const stream = new TcpStream(profile);
    stream.adopt(fd);
    return stream;
  }

  protected addressOf(side: 'local' | 'remote'): SocketAddress | undefined {
    return socketName(side, this.fd);
  }

  /** Closes with a RST. */
  reset(): void {
    this.resetNow();
  }
}
