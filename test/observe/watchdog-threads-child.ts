// Prints when the watchdog's thread has begun, and when it has ended with the reactor.
import { Reactor } from 'tripoll';
import { Watchdog } from 'tripoll/observe';
import { until } from '../support/deadline.js';
import { threadIds } from '../support/threads.js';

const threads = (): number => threadIds().length;

async function main(): Promise<void> {
  const reactor = new Reactor({ driver: 'manual' });
  const before = threads();
  // Nobody turns the reactor, which is no stall here.
  new Watchdog(reactor, { stalledMs: 0 });
  await until(() => threads() > before, 'a thread');
  console.log('begun');
  reactor.close();
  await until(() => threads() <= before, 'its end');
  console.log('ended');
}

void main();
