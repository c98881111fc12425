import { capabilities, Reactor } from 'tripoll';
import { describeSockets } from './sockets.js';

const here = capabilities.backends.includes('iocp');

if (here)
  describeSockets('watcher iocp', () => new Reactor({ driver: 'watcher', backend: 'iocp' }), { edge: false });
else test.skip('watcher iocp (does not apply: this system has no such backend or driver)', () => {});
