import { isIP } from 'node:net';
import { badPort, invalidArgType, invalidIpAddress, missingArgs, outOfRange } from './errors.js';

// What node:net's calls take, and how they refuse it.

type Callback = () => void;

/** Arguments that have been looked at already: what `createConnection` passes to `connect`. */
const normalized = new WeakSet<object>();

export type NormalizedArguments<Options> = readonly [options: Options, callback: Callback | null];

/**
 * `(options, cb)`, `(path, cb)` or `(port, host, cb)`, each with more between, as `[options, cb]`.
 */
export function normalizeArguments<Options extends object>(
  args: readonly unknown[],
): NormalizedArguments<Options> {
  const [first, second] = args;
  if (Array.isArray(first) && normalized.has(first)) return first as unknown as NormalizedArguments<Options>;
  const last = args.at(-1);
  const callback = typeof last === 'function' ? (last as Callback) : null;
  const result = [toOptions(first, second, args.length), callback] as unknown as NormalizedArguments<Options>;
  normalized.add(result);
  return result;
}

function toOptions(first: unknown, second: unknown, count: number): object {
  if (count === 0) return {};
  if (typeof first === 'object' && first !== null) return first;
  if (isPipeName(first)) return { path: first };
  return typeof second === 'string' ? { port: first, host: second } : { port: first };
}

/** A string that is no port. */
export function isPipeName(value: unknown): value is string {
  return typeof value === 'string' && toCount(value) === undefined;
}

/** A number from 0 on, of a string too. */
export function toCount(value: unknown): number | undefined {
  const number = Number(value);
  return number >= 0 ? number : undefined;
}

export function checkPort(name: string, port: unknown): number {
  const isText = typeof port === 'string' && port.trim() !== '';
  const number = typeof port === 'number' || isText ? Number(port) : NaN;
  if (!Number.isInteger(number) || number < 0 || number > 65535) throw badPort(name, port);
  return number;
}

export function checkNumber(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
}

export function checkBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value);
}

export function checkString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
}

export function checkFunction(name: string, value: unknown): asserts value is Callback {
  if (typeof value !== 'function') throw invalidArgType(name, 'of type function', value);
}

export function checkInt32(name: string, value: unknown, least: number): asserts value is number {
  checkNumber(name, value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < least || value > 0x7fffffff) throw outOfRange(name, `>= ${least} && <= 2147483647`, value);
}

export function checkSignal(name: string, value: unknown): asserts value is AbortSignal {
  if (typeof value !== 'object' || value === null || !('aborted' in value))
    throw invalidArgType(name, 'an instance of AbortSignal', value);
}

/** A `net.BlockList`, told by what is used of it. */
export function checkBlockList(name: string, value: unknown): void {
  if (value === undefined || value === null) return;
  if (typeof (value as { check?: unknown }).check !== 'function')
    throw invalidArgType(name, 'an instance of net.BlockList', value);
}

const MAX_DELAY_MS = 0x7fffffff;

/** A duration as Node's timers take it. */
export function checkDelay(name: string, value: unknown): number {
  checkNumber(name, value);
  if (value < 0 || !Number.isFinite(value)) throw outOfRange(name, 'a non-negative finite number', value);
  if (value <= MAX_DELAY_MS) return value;
  const message = `${value} does not fit into a 32-bit signed integer.\nTimer duration was truncated to ${MAX_DELAY_MS}.`;
  process.emitWarning(message, 'TimeoutOverflowWarning');
  return MAX_DELAY_MS;
}

/** What `connect` takes of the place. */
export interface ConnectPlace {
  port?: unknown;
  path?: unknown;
  localAddress?: unknown;
  localPort?: unknown;
}

/** @throws ERR_MISSING_ARGS, ERR_INVALID_IP_ADDRESS, ERR_INVALID_ARG_TYPE, ERR_SOCKET_BAD_PORT */
export function checkConnectPlace({ port, path, localAddress, localPort }: ConnectPlace): number {
  if (port === undefined && (path === undefined || path === null)) throw missingArgs();
  if (path) {
    checkString('options.path', path);
    return 0;
  }
  if (Boolean(localAddress) && isIP(localAddress as string) === 0)
    throw invalidIpAddress(String(localAddress));
  if (localPort) checkNumber('options.localPort', localPort);
  if (port === undefined) return 0;
  if (typeof port !== 'number' && typeof port !== 'string')
    throw invalidArgType('options.port', 'one of type number or string', port);
  return checkPort('Port', port);
}
