import { capabilities, Reactor } from 'tripoll';
import { describeUdp } from './udp.js';

const here = capabilities.backends.includes('iocp');

if (here)
  describeUdp('watcher iocp', () => new Reactor({ driver: 'watcher', backend: 'iocp' }), {
    edge: false,
    priority: false,
  });
else test.skip('watcher iocp (does not apply: this system has no such backend or driver)', () => {});
