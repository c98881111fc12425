import type { DuplexOptions } from 'node:stream';
import type { LookupFunction } from 'node:net';
import { checkBlockList, checkNumber } from './arguments.js';
import { invalidArgValue } from './errors.js';
import type { OnReadOptions } from './user-buffer.js';

/** Options of `Socket`, as of `net.Socket`. */
export interface SocketOptions extends DuplexOptions {
  /** A connected TCP or Unix stream socket, the Socket's own from here on. */
  fd?: number | undefined;
  /** False: its read side has ended from the start. */
  readable?: boolean | undefined;
  /** Likewise. */
  writable?: boolean | undefined;
  /** Do not read before `read()`, `resume()` or a listener of `'data'`. */
  pauseOnCreate?: boolean | undefined;
  /** Likewise. */
  manualStart?: boolean | undefined;
  /** TCP_NODELAY; default false. */
  noDelay?: boolean | undefined;
  /** SO_KEEPALIVE; default false. */
  keepAlive?: boolean | undefined;
  /** Milliseconds, of which whole seconds count. */
  keepAliveInitialDelay?: number | undefined;
  /** Bytes come in a buffer, and not as a stream's chunks. */
  onread?: OnReadOptions | undefined;
  /** Destroys the Socket when it aborts. */
  signal?: AbortSignal;
  /** No address that it has is connected to. */
  blockList?: { check(address: string, family?: 'ipv4' | 'ipv6'): boolean } | undefined;
}

/** Options of `Socket#connect`, as of `net.Socket`. */
export interface ConnectOptions extends SocketOptions {
  /** 1 to 65535. */
  port?: number | string | undefined;
  /** A name or an address; default `'localhost'`. */
  host?: string | undefined;
  /** Of a Unix socket, in place of a port. */
  path?: string | undefined;
  /** Our end: an IP address of this machine. */
  localAddress?: string | undefined;
  /** Our end. */
  localPort?: number | undefined;
  /** 4 or 6: only addresses of it. */
  family?: number | 'IPv4' | 'IPv6' | undefined;
  /** Of `dns.lookup`. */
  hints?: number | undefined;
  /** In place of `dns.lookup`. */
  lookup?: LookupFunction | undefined;
  /** Tries addresses of both families in turn; default as `net.getDefaultAutoSelectFamily()`. */
  autoSelectFamily?: boolean | undefined;
  /** How long each has, in milliseconds, at least 10. */
  autoSelectFamilyAttemptTimeout?: number | undefined;
  /** As `setTimeout` once it is made. */
  timeout?: number | undefined;
}

/** @throws ERR_INVALID_ARG_VALUE, ERR_INVALID_ARG_TYPE */
export function checkSocketOptions(options: SocketOptions): SocketOptions {
  for (const name of ['objectMode', 'readableObjectMode', 'writableObjectMode'] as const) {
    if (options[name]) throw invalidArgValue(`options.${name}`, options[name], 'is not supported');
  }
  const { blockList, keepAliveInitialDelay } = options;
  checkBlockList('options.blockList', blockList);
  if (keepAliveInitialDelay === undefined) return options;
  checkNumber('options.keepAliveInitialDelay', keepAliveInitialDelay);
  return { ...options, keepAliveInitialDelay: Math.max(0, keepAliveInitialDelay) };
}
