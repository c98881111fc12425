// Ends by itself, though a watchdog is on.
import { Reactor } from 'tripoll';
import { Watchdog } from 'tripoll/observe';

// On a slow machine it may take a second to end: that is no stall.
new Watchdog(Reactor.default, { stalledMs: 0 });
console.log('started');
