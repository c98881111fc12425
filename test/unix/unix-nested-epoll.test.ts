import { capabilities, Reactor } from 'tripoll';
import { describeUnix } from './unix.js';

const here = capabilities.backends.includes('epoll') && capabilities.drivers.includes('nested');

if (here)
  describeUnix('nested epoll', () => new Reactor({ driver: 'nested', backend: 'epoll' }), { edge: true });
else test.skip('nested epoll (does not apply: this system has no such backend or driver)', () => {});
