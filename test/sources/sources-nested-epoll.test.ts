import { capabilities, Reactor } from 'tripoll';
import { describeSources } from './sources.js';

const here = capabilities.backends.includes('epoll') && capabilities.drivers.includes('nested');

if (here)
  describeSources('nested epoll', () => new Reactor({ driver: 'nested', backend: 'epoll' }), { edge: true });
else test.skip('nested epoll (does not apply: this system has no such backend or driver)', () => {});
