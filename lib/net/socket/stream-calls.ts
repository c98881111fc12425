import { EAGAIN, EINPROGRESS } from '../../binding/errnos.js';
import { closedError, type TripollError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

const { MSG_DONTWAIT = 0 } = native.constants;

// As recv(2) and send(2), for calls that give flags. They never wait: see `kSendFlags` in
// native/socket_calls.h.

export function receiveNow(fd: number, buffer: Uint8Array, length: number, flags: number): number {
  return native.recv(fd, buffer, 0, length, flags | MSG_DONTWAIT);
}

export function sendNow(fd: number, bytes: Uint8Array, offset: number, length: number, flags = 0): number {
  return native.send(fd, bytes, offset, length, flags | MSG_DONTWAIT);
}

/**
 * The socket takes no bytes now. EINPROGRESS: its SYN went out without any (TCP_FASTOPEN_CONNECT).
 */
export function isFull(errno: number): boolean {
  return errno === EAGAIN || errno === EINPROGRESS;
}

/** The peer has ended its side: nothing more will come. */
export function peerLeftError(): TripollError {
  return closedError('The peer’s side');
}
