import { errnosOf } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

// What accept(2) may say, and the bounds of accepting.

const { SOCK_DGRAM, SOCK_CLOEXEC, AF_INET } = native.constants;

/** Connections of one event before others get their turn; the level brings us back. */
export const ACCEPTS_PER_EVENT = 64;
/**
 * How long a listener rests that got no fd: as nginx does (accept_mutex_delay is 500, Go waits up
 * to 1000).
 */
export const BACK_OFF_MS = 100;

/** This connection is gone; the next may be well (T41, accept(2)). */
export const TRY_NEXT = errnosOf(
  'ECONNABORTED',
  'EPROTO',
  'EINTR',
  'ENETDOWN',
  'ENOPROTOOPT',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPERM', // a firewall's refusal
  'EOPNOTSUPP',
  'ENONET', // not on every system
);
/** Nothing is wrong with the listener, but there is no room (T40). */
export const NO_ROOM = errnosOf('EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM');

/** -1 where there is none to spare; then the back-off alone must do. */
export function openSpare(): number {
  return native.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}
