import { lookup as dnsLookup, ADDRCONFIG } from 'node:dns';
import { getDefaultAutoSelectFamily, getDefaultAutoSelectFamilyAttemptTimeout, isIP } from 'node:net';
import { errnoOf } from '../binding/errors.js';
import { capabilities } from '../binding/capabilities.js';
import { native } from '../binding/native.js';
import { connect } from '../net/tcp/tcp-connection.js';
import { connectUnix } from '../net/unix/unix-connection.js';
import { checkBoolean, checkFunction, checkInt32 } from './arguments.js';
import {
  attemptsError,
  connectionTimeout,
  invalidAddressFamily,
  invalidIpAddress,
  ipBlocked,
  placeError,
  type NodeSystemError,
} from './errors.js';
import type { ConnectOptions } from './socket-options.js';
import type { SocketState, StreamUser } from './socket-state.js';
import { TRANSPORT_HANDLERS, UNBUFFERED, type Connection } from './transport.js';

const ETIMEDOUT = errnoOf('ETIMEDOUT');

/** The least of node:net. */
const MIN_ATTEMPT_TIMEOUT_MS = 10;

/** Defaults, Node's own at first, that a program may set (`net.setDefaultAutoSelectFamily`). */
export const autoSelect = {
  isDefault: getDefaultAutoSelectFamily(),
  attemptTimeoutMs: getDefaultAutoSelectFamilyAttemptTimeout(),
};

/** A Socket, as its connecting sees it. */
export interface ConnectingSocket extends StreamUser {
  _host: string | null;
  autoSelectFamilyAttemptedAddresses: string[] | undefined;
}

/** An address of a look-up. */
interface Found {
  readonly address: string;
  readonly family: number;
}

/** A place, and what an error says of it. */
interface Target {
  readonly address: string;
  readonly port: number;
  /** 4 or 6; undefined of a path. */
  readonly family: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
}

/** Connects, by one address or several; the Socket is told by its events. */
export function connectSocket(
  socket: ConnectingSocket,
  state: SocketState,
  options: ConnectOptions,
  port: number,
): void {
  const connecting = new Connecting(socket, state, options, port);
  if (typeof options.path === 'string' && options.path !== '') connecting.toPath(options.path);
  else connecting.toHost(options.host === undefined || options.host === '' ? 'localhost' : options.host);
}

class Connecting {
  readonly #socket: ConnectingSocket;
  readonly #state: SocketState;
  readonly #options: ConnectOptions;
  readonly #port: number;
  /** Of several addresses. */
  #left: Found[] = [];
  #errors: Error[] = [];
  #timer: NodeJS.Timeout | null = null;
  #current: Connection | null = null;

  constructor(socket: ConnectingSocket, state: SocketState, options: ConnectOptions, port: number) {
    this.#socket = socket;
    this.#state = state;
    this.#options = options;
    this.#port = port;
    state.canCancel(
      () => this.#cancel(),
      (refed) => (refed ? this.#current?.ref() : this.#current?.unref()),
    );
  }

  #cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#current?.close();
    this.#current = null;
  }

  toPath(path: string): void {
    const target = {
      address: path,
      port: 0,
      family: undefined,
      localAddress: undefined,
      localPort: undefined,
    };
    this.#attempt(target, (error) => this.#socket.destroy(error));
  }

  toHost(host: string): void {
    const { autoSelectFamily, timeoutMs } = this.#familySelection();
    const family = isIP(host);
    if (family !== 0) {
      process.nextTick(() => this.#socket.connecting && this.#toAddress({ address: host, family }));
      return;
    }
    const { lookup, localAddress } = this.#options;
    if (lookup !== undefined && lookup !== null) checkFunction('options.lookup', lookup);
    this.#socket._host = host;
    const wanted = toDnsFamily(this.#options.family);
    const isAny = wanted !== 4 && wanted !== 6;
    let hints = this.#options.hints ?? 0;
    if (capabilities.platform !== 'win32' && isAny && hints === 0) hints = ADDRCONFIG;
    const find = (lookup ?? dnsLookup) as unknown as (...args: unknown[]) => void;
    if (isAny && !localAddress && autoSelectFamily) {
      find(host, { family: wanted, hints, all: true }, (error: Error | null, found: Found[]) =>
        this.#onFoundAll(host, error, found, timeoutMs),
      );
    } else
      find(host, { family: wanted, hints }, (error: Error | null, address: string, of: number) =>
        this.#onFound(host, error, address, of),
      );
  }

  #familySelection(): { autoSelectFamily: boolean; timeoutMs: number } {
    const { autoSelectFamily, autoSelectFamilyAttemptTimeout } = this.#options;
    if (autoSelectFamily !== undefined && autoSelectFamily !== null)
      checkBoolean('options.autoSelectFamily', autoSelectFamily);
    let timeoutMs = autoSelect.attemptTimeoutMs;
    if (autoSelectFamilyAttemptTimeout !== undefined && autoSelectFamilyAttemptTimeout !== null) {
      checkInt32('options.autoSelectFamilyAttemptTimeout', autoSelectFamilyAttemptTimeout, 1);
      timeoutMs = Math.max(MIN_ATTEMPT_TIMEOUT_MS, autoSelectFamilyAttemptTimeout);
    }
    return { autoSelectFamily: autoSelectFamily ?? autoSelect.isDefault, timeoutMs };
  }

  /** Its listeners may only be about to come. */
  #failLater(error: Error): void {
    process.nextTick(() => this.#socket.destroy(error));
  }

  // ---- one address ----

  #onFound(host: string, error: Error | null, address: string, family: number): void {
    this.#socket.emit('lookup', error, address, family, host);
    if (!this.#socket.connecting) return;
    const reason = error ?? this.#judge(address, family);
    if (reason !== null) {
      this.#failLater(reason);
      return;
    }
    this.#state.onActivity();
    this.#toAddress({ address, family });
  }

  /** What is wrong with an address that a look-up has given. */
  #judge(address: string, family: number): Error | null {
    if (isIP(address) === 0) return invalidIpAddress(address);
    if (family === 4 || family === 6) return null;
    return invalidAddressFamily(family, this.#options.host, this.#options.port);
  }

  #toAddress(found: Found): void {
    const { localAddress, localPort } = this.#options;
    const target = this.#target(found, localAddress, localPort);
    this.#attempt(target, (error) => {
      if (error.syscall === 'connect') this.#tellFailed(target, error);
      this.#socket.destroy(error);
    });
  }

  #target({ address, family }: Found, localAddress?: string, localPort?: number): Target {
    return { address, family, port: this.#port, localAddress, localPort };
  }

  #tellFailed({ address, port, family }: Target, error: Error): void {
    this.#socket.emit('connectionAttemptFailed', address, port, family, error);
  }

  // ---- several ----

  #onFoundAll(host: string, error: Error | null, found: readonly Found[], timeoutMs: number): void {
    const socket = this.#socket;
    if (!socket.connecting) return;
    if (error !== null && error !== undefined) {
      socket.emit('lookup', error, undefined, undefined, host);
      this.#failLater(error);
      return;
    }
    for (const { address, family } of found) {
      socket.emit('lookup', null, address, family, host);
      if (!socket.connecting) return;
    }
    const usable = alternate(found.filter(({ address, family }) => this.#judge(address, family) === null));
    const [first, second] = usable;
    if (first === undefined) {
      const { address, family } = found[0] ?? { address: '', family: 0 };
      this.#failLater(this.#judge(address, family) ?? connectionTimeout());
      return;
    }
    this.#state.onActivity();
    if (second === undefined) {
      this.#toAddress(first);
      return;
    }
    socket.autoSelectFamilyAttemptedAddresses = [];
    this.#left = usable;
    this.#next(timeoutMs);
  }

  #next(timeoutMs: number): void {
    const socket = this.#socket;
    if (!socket.connecting) return;
    const found = this.#left.shift();
    if (found === undefined) {
      socket.destroy(this.#errors.length === 0 ? connectionTimeout() : attemptsError(this.#errors));
      return;
    }
    const target = this.#target(found, undefined, this.#options.localPort);
    socket.autoSelectFamilyAttemptedAddresses?.push(`${found.address}:${target.port}`);
    this.#attempt(target, (error) => {
      if (this.#timer !== null) clearTimeout(this.#timer);
      this.#errors.push(error);
      if (error.syscall === 'connect') this.#tellFailed(target, error);
      this.#next(timeoutMs);
    });
    if (this.#left.length > 0 && this.#current !== null)
      this.#timer = setTimeout(() => this.#onLate(target, timeoutMs), timeoutMs);
  }

  #onLate(target: Target, timeoutMs: number): void {
    const { address, port, family } = target;
    this.#socket.emit('connectionAttemptTimeout', address, port, family);
    this.#errors.push(toConnectError({ errno: ETIMEDOUT, syscall: 'connect' }, target));
    this.#current?.close();
    this.#current = null;
    this.#next(timeoutMs);
  }

  // ---- an attempt ----

  #attempt(target: Target, onFailed: (error: NodeSystemError) => void): void {
    const socket = this.#socket;
    const { address, port, family } = target;
    if (this.#isBlocked(target, onFailed)) return;
    socket.emit('connectionAttempt', address, port, family);
    if (!socket.connecting) return;
    let isOpen = false;
    const handlers = {
      ...TRANSPORT_HANDLERS,
      open: (connection: Connection) => {
        isOpen = true;
        this.#current = null;
        if (this.#timer !== null) clearTimeout(this.#timer);
        try {
          becomeConnected(socket, this.#state, connection);
        } catch (error) {
          // Of a listener's: uncaught, as under node:net.
          native.fatalException(error);
        }
      },
      close: (connection: Connection, error: Error | null) => {
        if (isOpen) TRANSPORT_HANDLERS.close?.(connection, error);
        // Closed by us: nobody waits for it.
        else if (this.#current === connection && error !== null) {
          this.#current = null;
          onFailed(toConnectError(error, target));
        }
      },
    };
    this.#current = open(target, handlers);
    if (!this.#state.isRefed) this.#current.unref();
  }

  #isBlocked({ address, family }: Target, onFailed: (error: NodeSystemError) => void): boolean {
    if (this.#options.blockList?.check(address, family === 6 ? 'ipv6' : 'ipv4') !== true) return false;
    onFailed(ipBlocked(address) as NodeSystemError);
    return true;
  }
}

function open(target: Target, handlers: object): Connection {
  const { address, port, family, localAddress, localPort } = target;
  if (family === undefined) return connectUnix({ path: address, ...UNBUFFERED }, handlers);
  return connect(
    {
      host: address,
      port,
      noDelay: false,
      ...UNBUFFERED,
      ...(localAddress ? { localAddress } : {}),
      ...(localPort ? { localPort } : {}),
    },
    handlers,
  );
}

/** `connect` and `ready`, then the first read. */
function becomeConnected(socket: ConnectingSocket, state: SocketState, connection: Connection): void {
  state.open(connection);
  socket.connecting = false;
  state.onActivity();
  socket.emit('connect');
  socket.emit('ready');
  if (!socket.destroyed && !socket.isPaused()) socket.read(0);
}

function toConnectError(error: object, target: Target): NodeSystemError {
  const { errno, syscall } = error as Partial<NodeSystemError>;
  if (errno === undefined) return error as NodeSystemError;
  const { localAddress, localPort } = target;
  if (syscall === 'bind') {
    const any = target.family === 6 ? '::' : '0.0.0.0';
    return placeError(errno, 'bind', { address: localAddress ?? any, port: localPort });
  }
  const hasLocal = Boolean(localAddress) && Boolean(localPort);
  const local = hasLocal ? `${String(localAddress)}:${String(localPort)}` : undefined;
  const result = placeError(errno, 'connect', { address: target.address, port: target.port, local });
  return hasLocal ? Object.assign(result, { localAddress, localPort }) : result;
}

/** Each once, families in turn, the first one's first. */
function alternate(found: readonly Found[]): Found[] {
  const seen = new Set<string>();
  const once = found.filter(({ address }) => !seen.has(address) && seen.add(address));
  const same = once.filter(({ family }) => family === once[0]?.family);
  const other = once.filter(({ family }) => family !== once[0]?.family);
  const longest = Math.max(same.length, other.length);
  return Array.from({ length: longest }, (_, i) => [same[i], other[i]])
    .flat()
    .filter((address) => address !== undefined);
}

function toDnsFamily(family: ConnectOptions['family']): number | undefined {
  if (family === 'IPv4') return 4;
  return family === 'IPv6' ? 6 : family;
}
