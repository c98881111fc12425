import { capabilities, Reactor } from 'tripoll';
import { describeLife } from './life.js';

const here = capabilities.backends.includes('iocp');

if (here)
  describeLife('watcher iocp', () => new Reactor({ driver: 'watcher', backend: 'iocp' }), { edge: false });
else test.skip('watcher iocp (does not apply: this system has no such backend or driver)', () => {});
