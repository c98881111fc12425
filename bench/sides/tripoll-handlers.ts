import { Reactor } from 'tripoll';
import { listen } from 'tripoll/net';
import { announcePort, enterSideProcess, obeyHarness } from '../side-process.js';

const drivers = ['nested', 'watcher'] as const;

const driver = drivers.find((name) => name === process.argv[2]);
if (driver === undefined) throw new Error(`driver: one of ${drivers.join(', ')}`);
enterSideProcess();
const reactor = new Reactor({ driver });
const listener = listen(
  { host: '127.0.0.1', port: 0, reactor },
  {
    data(conn, chunk) {
      if (!conn.write(chunk)) conn.pause();
    },
    drain(conn) {
      conn.resume();
    },
  },
);
announcePort(listener.localAddress?.port);
obeyHarness();
