import { inspect, type InspectOptions } from 'node:util';
import { EINVAL } from '../../binding/errnos.js';
import { badPort, callError, coded, describe, type NodeSystemError } from '../errors.js';

// Errors that node:dgram alone has.

export const badType = (): Error =>
  coded(TypeError, 'ERR_SOCKET_BAD_TYPE', 'Bad socket type specified. Valid types are: udp4, udp6');
export const alreadyBound = (): Error => coded(Error, 'ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound');
export const notRunning = (): Error => coded(Error, 'ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running');
export const isConnected = (): Error => coded(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected');
export const notConnected = (): Error => coded(Error, 'ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected');
export const badBufferSize = (): Error =>
  coded(TypeError, 'ERR_SOCKET_BAD_BUFFER_SIZE', 'Buffer size must be a positive integer');
export const missingAddress = (): Error =>
  coded(TypeError, 'ERR_MISSING_ARGS', 'The "multicastAddress" argument must be specified');
export const outOfBounds = (name: string): Error =>
  coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', `"${name}" is outside of buffer bounds`);

/** A port to send to, or to connect to: not 0. @throws ERR_SOCKET_BAD_PORT */
export function checkRemotePort(port: unknown): number {
  const isText = typeof port === 'string' && port.trim() !== '';
  const number = typeof port === 'number' || isText ? Number(port) : NaN;
  if (!Number.isInteger(number) || number <= 0 || number > 65535) throw badPort('Port', port, '>');
  return number;
}

/** What a call of tripoll's threw, as a negative errno: an address that is none is EINVAL. */
export function errnoFrom(error: unknown): number {
  return (error as Partial<NodeSystemError>).errno ?? EINVAL;
}

/** Calls, and throws what is thrown as node:dgram would. */
export function asCall<Result>(syscall: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw callError(errnoFrom(error), syscall);
  }
}

/** With the details that Node's own SystemError has. */
export function bufferSizeError(errno: number, syscall: string): Error {
  const [code, message] = describe(errno);
  const text = `Could not get or set buffer size: ${syscall} returned ${code} (${message})`;
  const info = { errno, code, message, syscall };
  const error = coded(Error, 'ERR_SOCKET_BUFFER_SIZE', text, 'SystemError');
  const field = (key: 'errno' | 'syscall') => ({
    configurable: true,
    enumerable: true,
    get: () => info[key],
    set: (value: never) => void (info[key] = value),
  });
  Object.defineProperty(error, 'name', { configurable: true, writable: true, value: 'SystemError' });
  return Object.defineProperties(error, {
    info: { configurable: true, enumerable: true, value: info },
    errno: field('errno'),
    syscall: field('syscall'),
    // Shown with what they are.
    [inspect.custom]: {
      value: (_depth: number, options: InspectOptions) =>
        inspect(error, { ...options, getters: true, customInspect: false }),
    },
  });
}
