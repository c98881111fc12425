// What the types of handlers allow, and what they refuse.
import { bindUdp, bindUnixDatagram, connect, type SyncResult, type UdpHandlers } from 'tripoll/net';

const place = { host: '127.0.0.1', port: 0 };
const seen = new Map<string, number>();

// Whatever is at hand may be returned, in an arrow function of one line.
bindUdp(place, { datagrams: (endpoint, batch) => endpoint.sendMany(batch) });
bindUdp(place, { datagrams: (_, batch) => seen.set('count', batch.count) });
bindUdp(place, { datagrams: (_, batch) => [batch.count] });
bindUdp(place, { datagrams: () => undefined });
bindUdp(place, { datagrams() {}, async close() {} });
bindUnixDatagram({ path: 'x' }, { message: (_, chunk) => chunk.length });

bindUdp(place, {
  // @ts-expect-error after an await the batch would hold other datagrams (friction 9)
  async datagrams(endpoint, batch) {
    await Promise.resolve();
    endpoint.sendMany(batch);
  },
});
// @ts-expect-error a promise of anybody's
bindUdp(place, { datagrams: (endpoint) => Promise.resolve(endpoint.fd) });
bindUnixDatagram(
  { path: 'x' },
  {
    // @ts-expect-error the chunk would hold another message
    async message() {
      await Promise.resolve();
    },
  },
);
// @ts-expect-error by its name, too
export const lent: SyncResult = Promise.resolve();

/** A handler that hands a copy on is none of an async function's concern. */
export const handlers: UdpHandlers = {
  datagrams(_, batch) {
    void (async (copy: Uint8Array) => {
      await Promise.resolve();
      seen.set('bytes', copy.length);
    })(batch.payload(0).slice());
  },
};

// An error's code is known, and a misspelt one is an error.
connect('127.0.0.1:1', {
  error: (_, error) => (error.code === 'ECONNREFUSED' ? error.syscall : error.message),
  close: (_, error) => error?.code === 'ERR_TRIPOLL_TIMEOUT',
});
connect('127.0.0.1:1', {
  // @ts-expect-error no such code
  error: (_, error) => error.code === 'ECONNREFUSD',
});
