import { AsyncResource } from 'node:async_hooks';
import { joinHostPort } from '../../sys/address.js';
import { checkString } from '../arguments.js';
import { ipBlocked, placeError } from '../errors.js';
import { checkRemotePort, isConnected } from './errors.js';
import { payloadOf, sliceOf } from './payload.js';
import { Progress, type DatagramState, type SocketFace } from './state.js';

/** Called with an error, or null and the bytes that were sent. */
type SendCallback = (error: Error | null, bytes?: number) => void;

interface Sending {
  readonly list: Buffer[];
  /** Undefined on a connected socket. */
  readonly port: number | undefined;
  readonly address: string | undefined;
  readonly callback: SendCallback | undefined;
}

/** The forms of `send` that a connected socket has, or another. */
function toSending(connected: boolean, args: readonly unknown[]): Sending {
  const [, offset, length] = args;
  let [buffer, , , port, address, callback] = args;
  if (connected) {
    if (typeof length === 'number') {
      buffer = sliceOf(buffer, offset, length);
      if (typeof port === 'function') [callback, port] = [port, null];
    } else callback = offset;
    if (port || address) throw isConnected();
  } else if (address || (port && typeof port !== 'function')) buffer = sliceOf(buffer, offset, length);
  else [callback, port, address] = [port, offset, length];
  const list = payloadOf(buffer);
  const to = connected ? undefined : checkRemotePort(port);
  if (typeof address === 'function') [callback, address] = [address, undefined];
  else if (address !== undefined && address !== null) checkString('address', address);
  return {
    list,
    port: to,
    address: (address ?? undefined) as string | undefined,
    callback: typeof callback === 'function' ? (callback as SendCallback) : undefined,
  };
}

/** Checks, and sends: at once, or when the socket is bound and the name looked up. */
export function sendFrom(socket: SocketFace, state: DatagramState, args: readonly unknown[]): void {
  const sending = toSending(state.connected === Progress.DONE, args);
  state.checkRunning();
  if (state.bound === Progress.NONE) socket.bind({ port: 0, exclusive: true }, null);
  if (state.bound === Progress.DONE) lookUp(socket, state, sending);
  else {
    const { list, port, address, callback } = sending;
    state.enqueue(() => socket.send(list, port, address, callback));
  }
}

function lookUp(socket: SocketFace, state: DatagramState, sending: Sending): void {
  const { port, address } = sending;
  if (port === undefined) {
    sendTo(state, sending, undefined);
    return;
  }
  state.lookup(address, (error, ip) => {
    if (error === null || error === undefined) sendTo(state, sending, ip);
    else tellFailed(socket, sending, error);
  });
}

/** Who gave no callback hears of a name that has no address by `error`. */
function tellFailed(socket: SocketFace, { callback }: Sending, error: Error): void {
  process.nextTick(() => (callback === undefined ? socket.emit('error', error) : callback(error)));
}

function sendTo(
  state: DatagramState,
  { list, port, address, callback }: Sending,
  ip: string | undefined,
): void {
  const { transport } = state;
  if (transport === null) return;
  if (ip !== undefined && state.isSendBlocked(ip)) {
    if (callback !== undefined) process.nextTick(callback, ipBlocked(ip));
    return;
  }
  const [first] = list;
  const payload = first !== undefined && list.length === 1 ? first : Buffer.concat(list);
  const tell =
    callback &&
    ((errno: number) => {
      if (errno < 0) process.nextTick(callback, placeError(errno, 'send', { address, port }));
      else process.nextTick(callback, null, payload.length);
    });
  const place = ip === undefined || port === undefined ? undefined : joinHostPort(ip, port);
  // One that has to wait is told in another context than this call's.
  const errno = transport.send(payload, place, tell === undefined ? null : AsyncResource.bind(tell));
  if (errno !== null) tell?.(errno);
}
