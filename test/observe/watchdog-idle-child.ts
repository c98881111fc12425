// Ends by itself, though a watchdog is on.
import { Reactor } from 'tripoll';
import { Watchdog } from 'tripoll/observe';

new Watchdog(Reactor.default, { leakCheckMs: 0 });
console.log('started');
