import { capabilities, Reactor } from 'tripoll';
import { describeSockets } from './sockets.js';

const here = capabilities.backends.includes('epoll');

if (here)
  describeSockets('watcher epoll', () => new Reactor({ driver: 'watcher', backend: 'epoll' }), {
    edge: true,
  });
else test.skip('watcher epoll (does not apply: this system has no such backend or driver)', () => {});
