// What the tests of moved sockets share: a second reactor, as another thread would have it.
import { type BackendName, type DriverName, Reactor } from 'tripoll';
import type { HandleKind, SocketHandle } from 'tripoll/net';
import type { Context } from '../tools.js';

/** Another one of the same kind, closed at the end of the test. */
export function otherReactor(context: Context): Reactor {
  const { backend } = context.reactor;
  const { driver } = context.reactor.inspect();
  return context.own(new Reactor({ driver: driver as DriverName, backend: backend as BackendName }));
}

/** As it arrives in another thread. */
export function sent<Kind extends HandleKind>(handle: SocketHandle<Kind>): SocketHandle<Kind> {
  return structuredClone(handle);
}

export const detached = { name: 'Error', code: 'ERR_TRIPOLL_DETACHED' };
export const busy = { name: 'Error', code: 'ERR_TRIPOLL_BUSY' };
