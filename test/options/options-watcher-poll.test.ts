import { capabilities, Reactor } from 'tripoll';
import { describeOptions } from './options.js';

const here = capabilities.backends.includes('poll');

if (here)
  describeOptions('watcher poll', () => new Reactor({ driver: 'watcher', backend: 'poll' }), { edge: false });
else test.skip('watcher poll (does not apply: this system has no such backend or driver)', () => {});
