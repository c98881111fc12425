// A CommonJS user, with `import = require` and with a type-only import.
import tripoll = require('tripoll');
import net = require('tripoll/net');
import raw = require('tripoll/raw');
import type { Registration } from 'tripoll';

const reactor: tripoll.Reactor = tripoll.Reactor.default;
const registration: Registration = reactor.register(0, tripoll.Interest.READABLE, {
  onReady: () => undefined,
});

export const used: unknown[] = [registration, net.TcpStream, net.listen, raw.Epoll, raw.sys];
