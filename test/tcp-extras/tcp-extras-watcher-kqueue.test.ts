import { capabilities, Reactor } from 'tripoll';
import { sys } from 'tripoll/raw';
import { describeTcpExtras } from './tcp-extras.js';

const here = capabilities.backends.includes('kqueue');

if (here)
  describeTcpExtras('watcher kqueue', () => new Reactor({ driver: 'watcher', backend: 'kqueue' }), {
    edge: true,
    priority: 'EVFILT_EXCEPT' in sys.constants,
  });
else test.skip('watcher kqueue (does not apply: this system has no such backend or driver)', () => {});
