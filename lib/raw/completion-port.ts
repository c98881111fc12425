import { closedError, invalidArgType, systemError } from '../binding/errors.js';
import type { NativeBinding } from '../binding/native.js';
import { checkFlags, checkInteger } from '../binding/validate.js';
import { parseAddress, type SocketAddressInput } from '../sys/address.js';
import { findLent, windowsBinding } from './lent-memory.js';

const MAX_UINT32 = 0xffffffff;
const MAX_INT32 = 0x7fffffff;
/** What a double holds exactly: handles and keys cross as numbers. */
const MAX_EXACT = Number.MAX_SAFE_INTEGER;
const MAX_PIPE_INSTANCES = 255;
/** Numbers of one packet. */
const WORDS = 4;
const MAX_PACKETS = 256;

/** One packet: an operation that has ended, or what was posted. */
export interface Completion {
  /** The key of the handle, as it was associated; or as it was posted. */
  readonly key: number;
  /** What the method that started it returned; -1 for a posted packet. */
  readonly operation: number;
  /** How many bytes it moved, or what was posted. */
  readonly bytes: number;
  /** 0, or the negative errno that it ended with: ECANCELED after a cancel. */
  readonly errno: number;
}

/**
 * I/O completion ports as Windows has them; elsewhere the constructor throws
 * ERR_TRIPOLL_UNSUPPORTED. Handles are numbers: sockets of `sys.socket`, pipes and files of
 * `createPipe` and `openFile`. Buffers are views of what `alloc` has lent. A method that starts an
 * operation returns its number, and its packet comes in any case, also when it was done at once.
 * Methods throw system errors (`errno` is libuv's number).
 *
 * A handle stays with the first port that it was associated with until it is closed (T30).
 */
export class CompletionPort {
  #index: number;
  readonly #native: Required<NativeBinding>;
  readonly #words = new Float64Array(WORDS * MAX_PACKETS);

  /**
   * CreateIoCompletionPort.
   *
   * @param concurrency how many threads may run at a time; 0: as many as there are processors
   */
  constructor(concurrency = 0) {
    this.#native = windowsBinding('CompletionPort');
    checkInteger('concurrency', concurrency, 0, MAX_UINT32);
    this.#index = this.#check(this.#native.portCreate(concurrency), 'CreateIoCompletionPort');
  }

  get #port(): number {
    if (this.#index < 0) throw closedError('CompletionPort');
    return this.#index;
  }

  #check(result: number, syscall: string): number {
    if (result < 0) throw systemError(result, syscall);
    return result;
  }

  /**
   * Lets the handle's operations report here.
   *
   * @throws EINVAL when it belongs to a port already; EBADF
   */
  associate(handle: number, key: number): void {
    checkHandle(handle);
    checkInteger('key', key, 0, MAX_EXACT);
    this.#check(this.#native.portAssociate(this.#port, handle, key), 'CreateIoCompletionPort');
  }

  /** PostQueuedCompletionStatus: a packet of one's own. */
  post(key: number, bytes = 0): void {
    checkInteger('key', key, 0, MAX_EXACT);
    checkInteger('bytes', bytes, 0, MAX_UINT32);
    this.#check(this.#native.portPost(this.#port, bytes, key), 'PostQueuedCompletionStatus');
  }

  /**
   * GetQueuedCompletionStatusEx: blocks this thread. At most 256 packets.
   *
   * @param timeoutMs -1 waits for ever, 0 not at all
   */
  getQueuedCompletionStatusEx(timeoutMs: number): Completion[] {
    checkInteger('timeoutMs', timeoutMs, -1, MAX_INT32);
    const words = this.#words;
    const count = this.#check(
      this.#native.portWait(this.#port, words, timeoutMs),
      'GetQueuedCompletionStatusEx',
    );
    return Array.from({ length: count }, (_, i) => ({
      key: words[i * WORDS] ?? 0,
      operation: words[i * WORDS + 1] ?? -1,
      bytes: words[i * WORDS + 2] ?? 0,
      errno: words[i * WORDS + 3] ?? 0,
    }));
  }

  /** WSARecv into `buffer`, a view of what `alloc` has lent. 0 bytes in its packet: the end. */
  recv(socket: number, buffer: Uint8Array, flags = 0): number {
    checkHandle(socket);
    checkFlags('flags', flags);
    const { block, offset, length } = findLent('buffer', buffer);
    return this.#check(this.#native.portRecv(this.#port, socket, block, offset, length, flags), 'WSARecv');
  }

  /** WSASend. */
  send(socket: number, buffer: Uint8Array, flags = 0): number {
    checkHandle(socket);
    checkFlags('flags', flags);
    const { block, offset, length } = findLent('buffer', buffer);
    return this.#check(this.#native.portSend(this.#port, socket, block, offset, length, flags), 'WSASend');
  }

  /** AcceptEx: the next connection becomes `socket`, a new one of `sys.socket`. */
  accept(listener: number, socket: number): number {
    checkHandle(listener, 'listener');
    checkHandle(socket);
    return this.#check(this.#native.portAccept(this.#port, listener, socket), 'AcceptEx');
  }

  /** ConnectEx, to an IP literal; a socket that is not bound is bound first. */
  connect(socket: number, address: SocketAddressInput): number {
    checkHandle(socket);
    const { familyNumber, host, port, scopeId } = parseAddress(address);
    return this.#check(
      this.#native.portConnect(this.#port, socket, familyNumber, host, port, scopeId),
      'ConnectEx',
    );
  }

  /**
   * ReadFile of a file (from `position` on) or a pipe.
   *
   * @throws EPIPE where the other end has gone
   */
  read(handle: number, buffer: Uint8Array, position = 0): number {
    checkHandle(handle);
    checkInteger('position', position, 0, MAX_EXACT);
    const { block, offset, length } = findLent('buffer', buffer);
    return this.#check(
      this.#native.portRead(this.#port, handle, block, offset, length, position),
      'ReadFile',
    );
  }

  /** WriteFile. */
  write(handle: number, buffer: Uint8Array, position = 0): number {
    checkHandle(handle);
    checkInteger('position', position, 0, MAX_EXACT);
    const { block, offset, length } = findLent('buffer', buffer);
    return this.#check(
      this.#native.portWrite(this.#port, handle, block, offset, length, position),
      'WriteFile',
    );
  }

  /** ConnectNamedPipe: waits for a client of what `createPipe` made. */
  connectPipe(pipe: number): number {
    checkHandle(pipe);
    return this.#check(this.#native.portConnectPipe(this.#port, pipe), 'ConnectNamedPipe');
  }

  /**
   * CancelIoEx. The operation's packet comes all the same: with ECANCELED, or with what it did
   * before.
   *
   * @throws ENOENT when it has ended, or its packet is on its way
   */
  cancel(operation: number): void {
    checkInteger('operation', operation, 0, MAX_INT32);
    this.#check(this.#native.portCancel(this.#port, operation), 'CancelIoEx');
  }

  /**
   * Cancels what is under way, and closes the port; the handles stay their owner's. May be called
   * twice.
   */
  close(): void {
    if (this.#index < 0) return;
    this.#native.portClose(this.#index);
    this.#index = -1;
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function checkHandle(handle: unknown, name = 'handle'): asserts handle is number {
  checkInteger(name, handle, 1, MAX_EXACT);
}

function toBytes(name: unknown): Uint8Array {
  if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
  return new TextEncoder().encode(name);
}

/**
 * CreateNamedPipeW: the server's end of a duplex pipe of bytes, for this machine only, to be
 * associated with a `CompletionPort`. Windows only.
 *
 * @param name `'\\\\.\\pipe\\...'`
 * @param mostInstances how many ends of that name may exist at a time; 255: any number
 * @returns its handle, to be closed by `closeHandle`; what a thread leaves open is closed at its
 * end
 */
export function createPipe(name: string, mostInstances = MAX_PIPE_INSTANCES): number {
  const { pipeCreate } = windowsBinding('createPipe');
  checkInteger('mostInstances', mostInstances, 1, MAX_PIPE_INSTANCES);
  const handle = pipeCreate(toBytes(name), mostInstances);
  if (handle < 0) throw systemError(handle, 'CreateNamedPipe');
  return handle;
}

/**
 * CreateFileW for overlapped use: a file, or a pipe's client end. Windows only.
 *
 * @param access GENERIC_READ and GENERIC_WRITE of `sys.constants`, or'ed
 * @param disposition CREATE_NEW, CREATE_ALWAYS, OPEN_EXISTING, OPEN_ALWAYS or TRUNCATE_EXISTING
 * @returns its handle, as of `createPipe`
 */
export function openFile(name: string, access: number, disposition: number): number {
  const { fileOpen } = windowsBinding('openFile');
  checkFlags('access', access);
  checkInteger('disposition', disposition, 0, MAX_UINT32);
  const handle = fileOpen(toBytes(name), access, disposition);
  if (handle < 0) throw systemError(handle, 'CreateFile');
  return handle;
}

/**
 * CloseHandle, of what `createPipe` or `openFile` gave; sockets are closed by `sys.close`.
 *
 * @throws EBADF
 */
export function closeHandle(handle: number): void {
  const { handleClose } = windowsBinding('closeHandle');
  checkHandle(handle);
  const error = handleClose(handle);
  if (error < 0) throw systemError(error, 'CloseHandle');
}
