import { AsyncLocalStorage } from 'node:async_hooks';
import { Reactor } from 'tripoll';
import { listen, type TcpListener } from 'tripoll/net';
import { Observer } from 'tripoll/observe';
import { announcePort, enterSideProcess, obeyHarness } from '../side-process.js';
import { echo } from './echo.js';

const ways = ['nested', 'watcher', 'run', 'spin', 'context', 'observed'] as const;
/** As kSpinNs of the C peer. */
const spinUs = 50;

const way = ways.find((name) => name === process.argv[2]);
if (way === undefined) throw new Error(`argument: one of ${ways.join(', ')}`);
enterSideProcess();
const reactor = new Reactor({ driver: way === 'watcher' ? 'watcher' : 'nested' });

function serve(): TcpListener {
  return listen({ host: '127.0.0.1', port: 0, reactor }, echo);
}

// With a store in use every handler runs under it.
const listener = way === 'context' ? new AsyncLocalStorage().run({ request: 1 }, serve) : serve();
if (way === 'run') void reactor.run();
if (way === 'observed') new Observer(reactor);
if (way === 'spin') void reactor.run({ spinUs });
announcePort(listener.localAddress?.port);
obeyHarness();
