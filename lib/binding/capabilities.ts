import { native } from './native.js';

/** The JavaScript runtime that this is. */
export type Runtime = 'node' | 'bun' | 'deno';
/** The pollers; which of them are here say `capabilities.backends`. */
export type BackendName = 'epoll' | 'kqueue' | 'iocp' | 'poll';
/**
 * Driver of a reactor's turns: Node's own loop (nested), a thread that watches (watcher), or you
 * (manual).
 */
export type DriverName = 'nested' | 'watcher' | 'manual';

/** What this platform and runtime can do. The only place that asks; everyone else reads this. */
export interface Capabilities {
  /** As `process.platform`. */
  readonly platform: NodeJS.Platform;
  /** Which runtime loaded the addon. */
  readonly runtime: Runtime;
  /** The pollers that can be opened here, the default first. */
  readonly backends: readonly BackendName[];
  /** The drivers that work here with the default backend. */
  readonly drivers: readonly DriverName[];
  /** `UdpSocket` and `bindUdp`. */
  readonly udp: boolean;
  /** `UnixStream` and `UnixListener`; on Windows where the system has AF_UNIX (10 1803 and later). */
  readonly unixSockets: boolean;
  /**
   * What Windows' Unix sockets have not: `UnixDatagram`, seqpacket, pairs, fds that are passed,
   * `mode`; and sockets of messages of any other family.
   */
  readonly unixMessages: boolean;
  /** `PipeStream` and `PipeListener`; Windows. */
  readonly namedPipes: boolean;
  /** `copyBidirectional` can pass bytes on inside the kernel; Linux. */
  readonly splice: boolean;
  /** Streams have `sendfile`; Linux. */
  readonly sendfile: boolean;
  /** Streams have `writeZeroCopy`; Linux. */
  readonly zeroCopy: boolean;
  /** The system spreads connections over the sockets of one port (SO_REUSEPORT); Linux. */
  readonly reusePortBalances: boolean;
  /** Several threads can accept from one listening socket (`Runtime.serve`); not Windows. */
  readonly sharedListeners: boolean;
  /** Bytes of a chunk are overwritten when its handler returns (`TRIPOLL_DEBUG`). */
  readonly debug: boolean;
}

function detectRuntime(): Runtime {
  const versions: Record<string, string | undefined> = process.versions;
  if (versions['bun'] !== undefined) return 'bun';
  return versions['deno'] === undefined ? 'node' : 'deno';
}

function detect(): Capabilities {
  const runtime = detectRuntime();
  const backends = native.backends as readonly BackendName[];
  // Nesting needs a poller whose fd another may watch, which of all is epoll's, and Node's own
  // libuv.
  const nested = runtime === 'node' && backends.includes('epoll');
  return Object.freeze({
    platform: process.platform,
    runtime,
    backends: Object.freeze([...backends]),
    drivers: Object.freeze<DriverName[]>(nested ? ['nested', 'watcher', 'manual'] : ['watcher', 'manual']),
    udp: 'udpReceive' in native,
    // Only Windows has to be asked, and for its kernel no version stands: Wine has none.
    unixSockets: native.hasUnixSockets?.() !== 0,
    unixMessages: 'sendMessage' in native,
    namedPipes: native.pipeListen !== undefined,
    splice: native.spliceRelay !== undefined,
    sendfile: native.sendfile !== undefined,
    zeroCopy: native.zeroCopyCreate !== undefined,
    reusePortBalances: backends.includes('epoll'),
    // A completion port has a socket for good, and no other number of it goes to another.
    sharedListeners: !backends.includes('iocp'),
    debug: (process.env['TRIPOLL_DEBUG'] ?? '') !== '',
  });
}

/** What this platform and runtime can do. */
export const capabilities: Capabilities = detect();

/**
 * Whether a poller tells of a socket's pending error where neither READABLE nor WRITABLE is asked
 * for: those with POLLERR. A kqueue has no filter for it, the poll(2) of a BSD tells it as readable
 * and writable (T19), and Windows to a receive alone.
 */
export function tellsErrorsAlone(backend: string): boolean {
  return backend === 'epoll' || (backend === 'poll' && native.pollTellsErrors?.() === 1);
}

/**
 * Whether a backend ever tells PRIORITY: kqueue only where it has EVFILT_EXCEPT, as on macOS and
 * OpenBSD.
 */
export function tellsPriority(backend: string): boolean {
  return backend !== 'kqueue' || native.kqueueConstants?.['EVFILT_EXCEPT'] !== undefined;
}

/** The backend that `TRIPOLL_BACKEND` asks for, if any; read when a reactor is made. */
export function requestedBackend(): string | undefined {
  const name = process.env['TRIPOLL_BACKEND'];
  return name === '' ? undefined : name;
}
