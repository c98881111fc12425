import type { SocketHandle } from '../../net/socket/detached.js';
import type { SettableSocketOptions } from '../../net/socket/socket-options.js';
import type { Thrown } from '../remote-error.js';
import type { PostedBlockList } from './block-list.js';
import type { Strategy } from './options.js';

// What a server and its workers say to each other, by the ports of their threads.

/** How a worker serves. */
export interface ServicePlan {
  readonly server: number;
  /** Export of the entry: a function, or an object of handlers. */
  readonly name: string;
  readonly kind: 'tcp' | 'unix';
  readonly strategy: Strategy;
  /** The listening socket is registered with EPOLLEXCLUSIVE. */
  readonly exclusive: boolean;
  readonly noDelay: boolean;
  /** What a worker accepts at most when the server stops: the rest is another's, or nobody's. */
  readonly backlog: number;
  readonly maxConnections: number;
  readonly blockList: PostedBlockList | undefined;
  readonly acceptedSocketOptions: Partial<SettableSocketOptions> | undefined;
  /** Of its connections. */
  readonly connection: ConnectionPlan;
  readonly memory: SharedArrayBuffer;
  /** That the memory has. */
  readonly places: number;
}

export interface ConnectionPlan {
  readonly allowHalfOpen?: boolean | undefined;
  readonly highWaterMarkBytes?: number | undefined;
  readonly lowWaterMarkBytes?: number | undefined;
  readonly maxQueuedBytes?: number | undefined;
  readonly idleTimeoutMs?: number | undefined;
}

/** A duplicate of a listening socket. */
export type ListenerHandle = SocketHandle<'tcp-listener' | 'unix-listener'>;

/** A live connection on its way to another worker. */
export interface MovingConnection {
  readonly handle: SocketHandle;
  /** What its application has sent along. */
  readonly state: unknown;
}

/** To a worker. */
export type Order =
  /** Answered by `opened`. It accepts when its thread takes tasks. */
  | { readonly kind: 'open'; readonly plan: ServicePlan; readonly listener: ListenerHandle }
  /** The listening socket of another worker, until that accepts from it itself. */
  | {
      readonly kind: 'listen';
      readonly server: number;
      readonly worker: number;
      readonly listener: ListenerHandle;
    }
  | { readonly kind: 'unlisten'; readonly server: number; readonly worker: number }
  /** Accept what waits, then no more; answered by `stopped`, and by `ended`. */
  | { readonly kind: 'stop'; readonly server: number }
  /** Close what is open. */
  | { readonly kind: 'close'; readonly server: number }
  /** Give so many connections to other places; answered by `moving` for each, and `rebalanced`. */
  | { readonly kind: 'rebalance'; readonly server: number; readonly targets: readonly number[] }
  /** Answered by `moved`. */
  | {
      readonly kind: 'move';
      readonly server: number;
      readonly id: number;
      readonly moving: MovingConnection;
    };

/** From a worker. */
export type Report =
  | { readonly kind: 'opened'; readonly server: number; readonly thrown: Thrown | null }
  | { readonly kind: 'stopped'; readonly server: number }
  | { readonly kind: 'ended'; readonly server: number; readonly finished: number; readonly closed: number }
  | {
      readonly kind: 'moving';
      readonly server: number;
      readonly target: number;
      readonly moving: MovingConnection;
    }
  | { readonly kind: 'rebalanced'; readonly server: number }
  | { readonly kind: 'moved'; readonly server: number; readonly id: number; readonly opened: boolean };
