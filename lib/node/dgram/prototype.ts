import { deprecate } from 'node:util';
import { STATE, type DatagramState, type SocketFace } from './state.js';

// What the prototype of Socket has besides its own methods.

type Method = (this: SocketFace, ...args: unknown[]) => unknown;

/** Names that a Socket whose place only Node has passes on to Node's own. */
const METHODS = [
  'bind',
  'connect',
  'disconnect',
  'send',
  'close',
  'address',
  'remoteAddress',
  'setBroadcast',
  'setTTL',
  'setMulticastTTL',
  'setMulticastLoopback',
  'setMulticastInterface',
  'addMembership',
  'dropMembership',
  'addSourceSpecificMembership',
  'dropSourceSpecificMembership',
  'setRecvBufferSize',
  'setSendBufferSize',
  'getRecvBufferSize',
  'getSendBufferSize',
  'getSendQueueSize',
  'getSendQueueCount',
  'ref',
  'unref',
] as const;

export function leaveToNodes(prototype: SocketFace): void {
  for (const name of METHODS) {
    const own = (prototype as unknown as Record<string, Method>)[name] as Method;
    const method: Method = function (...args) {
      const { nodes } = this[STATE];
      if (nodes === null) return own.apply(this, args);
      const result = (nodes[name] as (...args: unknown[]) => unknown)(...args);
      return result === nodes ? this : result;
    };
    Object.defineProperty(prototype, name, { value: method, writable: true, configurable: true });
  }
}

interface Field {
  get(state: DatagramState): unknown;
  set?(state: DatagramState, value: never): void;
}

/** There is no handle: null, as of a socket that has been closed. */
const FIELDS: Readonly<Record<string, Field>> = {
  _handle: { get: () => null },
  _receiving: { get: ({ transport }) => transport?.isReceiving === true },
  _bindState: { get: ({ bound }) => bound, set: (state, value) => (state.bound = value) },
  _queue: { get: ({ queue }) => queue, set: (state, value) => (state.queue = value) },
  _reuseAddr: { get: ({ reuseAddr }) => reuseAddr, set: (state, value) => (state.reuseAddr = value) },
};

/** What node:dgram has deprecated (DEP0112), and still has. */
export function addDeprecated(prototype: SocketFace): void {
  const about = (name: string) => `Socket.prototype.${name} is deprecated`;
  for (const [name, { get, set }] of Object.entries(FIELDS)) {
    Object.defineProperty(prototype, name, {
      get: deprecate(
        function (this: SocketFace) {
          return get(this[STATE]);
        },
        about(name),
        'DEP0112',
      ),
      set: deprecate(
        function (this: SocketFace, value: never) {
          set?.(this[STATE], value);
        },
        about(name),
        'DEP0112',
      ),
    });
  }
  const methods: Record<string, (state: DatagramState) => unknown> = {
    _healthCheck: (state) => state.checkRunning(),
    _stopReceiving: ({ transport }) => transport?.setReceiving(false),
  };
  for (const [name, call] of Object.entries(methods)) {
    const method = function (this: SocketFace) {
      call(this[STATE]);
    };
    Object.defineProperty(prototype, name, {
      value: deprecate(method, about(`${name}()`), 'DEP0112'),
      writable: true,
      configurable: true,
    });
  }
}
