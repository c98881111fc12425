import { tellsPriority } from '../../binding/capabilities.js';
import { Mode } from '../../poller/flags.js';
import { toProfile } from '../../reactor/context.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { RegistrationProfile } from '../../reactor/registration.js';
import type { IdleTracker } from '../socket/idle-tracker.js';
import { EDGE, LEVEL, type InterestStrategy } from './interest.js';

/** Options of every TCP connection. */
export interface TcpOptions {
  /** TCP_NODELAY; default true. */
  noDelay?: boolean | undefined;
}

/** Names of what a promise-style stream takes besides `TcpOptions`. */
export const STREAM_NAMES = { reactor: true, idleTimeoutMs: true } as const;

/** How a kind of socket behaves. */
export interface StreamTraits {
  /** Each read and each write is a message of its own (SOCK_SEQPACKET). */
  readonly messages: boolean;
  /**
   * A read that comes back short has taken all that there was. Not so on a Unix socket: a read ends
   * after bytes that carried fds, whatever follows them (unix_stream_read_generic, T46); nor where
   * no PRIORITY tells of an urgent byte, at whose place a read stops (T17).
   */
  readonly shortReadEmpties: boolean;
}

export const TCP_TRAITS: StreamTraits = { messages: false, shortReadEmpties: true };
export const UNIX_TRAITS: StreamTraits = { messages: false, shortReadEmpties: false };
export const SEQPACKET_TRAITS: StreamTraits = { messages: true, shortReadEmpties: false };

/** What all streams of a listener, or one that was connected, share. */
export interface StreamProfile {
  /** Reactor that its sockets are registered with. */
  readonly reactor: Reactor;
  /** What the registrations of its sockets share. */
  readonly registration: RegistrationProfile;
  /** How registrations follow what their streams want. */
  readonly interest: InterestStrategy;
  /** How its sockets read and write. */
  readonly traits: StreamTraits;
  /** Ends its sockets that are idle for too long; null without an idle timeout. */
  readonly idle: IdleTracker | null;
  /** Told when a stream of it has closed. */
  readonly owner: { connectionClosed(): void } | null;
}

export function toStreamProfile(
  reactor: Reactor,
  idle: IdleTracker | null,
  owner: StreamProfile['owner'],
  traits: StreamTraits,
): StreamProfile {
  const useEdge = reactor.supports(Mode.EDGE);
  const registration = toProfile({ mode: useEdge ? Mode.EDGE : Mode.LEVEL, priority: 0 });
  const known = tellsPriority(reactor.backend) ? traits : { ...traits, shortReadEmpties: false };
  const interest = useEdge ? EDGE : LEVEL;
  return { reactor, registration, interest, traits: known, idle, owner };
}
