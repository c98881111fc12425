import { capabilities, Reactor } from 'tripoll';
import { describeLife } from './life.js';

const here = capabilities.backends.includes('kqueue');

if (here)
  describeLife('watcher kqueue', () => new Reactor({ driver: 'watcher', backend: 'kqueue' }), { edge: true });
else test.skip('watcher kqueue (does not apply: this system has no such backend or driver)', () => {});
