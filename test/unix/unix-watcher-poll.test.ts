import { capabilities, Reactor } from 'tripoll';
import { describeUnix } from './unix.js';

const here = capabilities.backends.includes('poll');

if (here)
  describeUnix('watcher poll', () => new Reactor({ driver: 'watcher', backend: 'poll' }), { edge: false });
else test.skip('watcher poll (does not apply: this system has no such backend or driver)', () => {});
