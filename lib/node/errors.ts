import { getSystemErrorMap, inspect } from 'node:util';

// Errors as node:net makes them: its codes, its properties, its words. Programs compare all three.

/** An error of a system call, as Node has them. */
export interface NodeSystemError extends Error {
  code: string;
  errno: number;
  syscall: string;
  address?: string;
  port?: number;
  localAddress?: string;
  localPort?: number;
}

type ErrorClass = new (message: string) => Error;

/** With the code in the first line of the stack, as Node's own. */
export function coded(
  Class: ErrorClass,
  code: string,
  message: string,
  name = Class.name,
): NodeJS.ErrnoException {
  const error = new Class(message) as NodeJS.ErrnoException;
  const field = { configurable: true, enumerable: false, writable: true };
  Object.defineProperty(error, 'name', { ...field, value: `${name} [${code}]` });
  Error.captureStackTrace(error, coded);
  // Node makes its text when it is first read.
  Reflect.get(error, 'stack');
  delete (error as Partial<Error>).name;
  Object.defineProperty(error, 'toString', { ...field, value: () => `${name} [${code}]: ${message}` });
  error.code = code;
  return error;
}

const MAX_SHOWN_LENGTH = 28;

/** What a wrong value is, in Node's words. */
function received(value: unknown): string {
  if (value === null || value === undefined) return `Received ${String(value)}`;
  if (typeof value === 'function') return `Received function ${value.name}`;
  if (typeof value === 'object') {
    const { name } = (value as { constructor?: { name?: string } }).constructor ?? {};
    if (name !== undefined && name !== '') return `Received an instance of ${name}`;
    return `Received ${inspect(value, { depth: -1 })}`;
  }
  const text = inspect(value, { colors: false });
  const shown = text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH - 3)}...` : text;
  return `Received type ${typeof value} (${shown})`;
}

/** @param expected 'of type number', 'an instance of AbortSignal' and so on */
export function invalidArgType(name: string, expected: string, value: unknown): Error {
  const kind = name.includes('.') ? 'property' : 'argument';
  const message = `The "${name}" ${kind} must be ${expected}. ${received(value)}`;
  return coded(TypeError, 'ERR_INVALID_ARG_TYPE', message);
}

export function invalidArgValue(name: string, value: unknown, reason = 'is invalid'): Error {
  const kind = name.includes('.') ? 'property' : 'argument';
  const text = inspect(value);
  const shown = text.length > 128 ? `${text.slice(0, 128)}...` : text;
  return coded(TypeError, 'ERR_INVALID_ARG_VALUE', `The ${kind} '${name}' ${reason}. Received ${shown}`);
}

export function outOfRange(name: string, range: string, value: unknown): Error {
  const text = typeof value === 'number' && Math.abs(value) > 2 ** 32 ? grouped(value) : inspect(value);
  return coded(
    RangeError,
    'ERR_OUT_OF_RANGE',
    `The value of "${name}" is out of range. It must be ${range}. Received ${text}`,
  );
}

/** 4_294_967_296 */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, '_');
}

export function badPort(name: string, value: unknown, bound: '>' | '>=' = '>='): Error {
  const message = `${name} should be ${bound} 0 and < 65536. ${received(value)}.`;
  return coded(RangeError, 'ERR_SOCKET_BAD_PORT', message);
}

export function missingArgs(): Error {
  const message = 'The "options" or "port" or "path" argument must be specified';
  return coded(TypeError, 'ERR_MISSING_ARGS', message);
}

export function invalidIpAddress(value: string): Error {
  return coded(TypeError, 'ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${value}`);
}

export function invalidAddressFamily(family: unknown, host: unknown, port: unknown): Error {
  const message = `Invalid address family: ${String(family)} ${String(host)}:${String(port)}`;
  return Object.assign(coded(RangeError, 'ERR_INVALID_ADDRESS_FAMILY', message), { host, port });
}

export const alreadyListening = (): Error =>
  coded(Error, 'ERR_SERVER_ALREADY_LISTEN', 'Listen method has been called more than once without closing.');
export const serverNotRunning = (): Error => coded(Error, 'ERR_SERVER_NOT_RUNNING', 'Server is not running.');
export const socketClosed = (): Error => coded(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed');
export const closedBeforeConnection = (): Error =>
  coded(Error, 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION', 'Socket closed before the connection was established');
export const connectionTimeout = (): Error =>
  coded(Error, 'ERR_SOCKET_CONNECTION_TIMEOUT', 'Socket connection timeout');
export const invalidHandleType = (): Error =>
  coded(TypeError, 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent');
export const ipBlocked = (address: string): Error =>
  coded(Error, 'ERR_IP_BLOCKED', `IP(${address}) is blocked by net.BlockList`);

export function endedByPeer(): Error {
  return Object.assign(new Error('This socket has been ended by the other party'), { code: 'EPIPE' });
}

/** The name and the words of a negative errno. */
export function describe(errno: number): readonly [string, string] {
  return getSystemErrorMap().get(errno) ?? [`Unknown system error ${errno}`, ''];
}

function systemCall(errno: number, syscall: string, message: string): NodeSystemError {
  return Object.assign(new Error(message), { errno, code: describe(errno)[0], syscall });
}

/** Of a call that is about no address: 'read ECONNRESET'. */
export function callError(errno: number, syscall: string): NodeSystemError {
  return systemCall(errno, syscall, `${syscall} ${describe(errno)[0]}`);
}

/** A place in an error's message, and its properties. */
export interface ErrorPlace {
  address: string | undefined;
  /** Left out when it is 0. */
  port?: number | undefined;
  /** More of the message. */
  local?: string | undefined;
}

/** 'connect ECONNREFUSED 127.0.0.1:80', 'bind EADDRINUSE ...' */
export function placeError(errno: number, syscall: string, place: ErrorPlace): NodeSystemError {
  const { address, port, local } = place;
  const where = port === undefined || port === 0 ? String(address) : `${String(address)}:${port}`;
  const tail = local === undefined ? '' : ` - Local (${local})`;
  const error = systemCall(errno, syscall, `${syscall} ${describe(errno)[0]} ${where}${tail}`);
  if (address !== undefined) error.address = address;
  if (port !== undefined && port !== 0) error.port = port;
  return error;
}

/** 'listen EADDRINUSE: address already in use :::8080' */
export function listenError(errno: number, address: string | undefined, port: number): NodeSystemError {
  const [code, text] = describe(errno);
  const where = port > 0 ? ` ${String(address)}:${port}` : address === undefined ? '' : ` ${address}`;
  const error = systemCall(errno, 'listen', `listen ${code}: ${text}${where}`);
  if (address !== undefined) error.address = address;
  if (port > 0) error.port = port;
  return error;
}

/** An error of tripoll's, as Node would have made it; others as they are. */
export function asNodeError(error: Error): Error {
  const { errno, syscall } = error as Partial<NodeSystemError>;
  return errno === undefined || syscall === undefined ? error : callError(errno, syscall);
}

/** Several attempts, none of which has connected. */
export function attemptsError(errors: readonly Error[]): AggregateError {
  const { code } = errors[0] as NodeJS.ErrnoException;
  const error = new AggregateError(errors);
  // Of its own, and empty, as Node has it.
  Object.defineProperty(error, 'message', { value: '', configurable: true, writable: true });
  return Object.assign(error, { code });
}

/** A stream closed before its end. */
export const prematureClose = (): Error => coded(Error, 'ERR_STREAM_PREMATURE_CLOSE', 'Premature close');
