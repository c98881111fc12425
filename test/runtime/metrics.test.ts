import { connect } from 'node:net';
import { Reactor } from 'tripoll';
import { until } from '../support/deadline.js';
import { describeServing } from '../support/applies.js';
import { serve, withServing } from './serve-rig.js';
import { withRuntime } from './rig.js';

test('the counters of the reactor of each worker are told while it works, and when it sleeps', async () => {
  await withRuntime({ workers: 2 }, async (runtime) => {
    await Promise.all(Array.from({ length: 20 }, () => runtime.spawn('add', [1, 2])));
    // A turn's counters are there when it has ended, which may be after its results.
    await until(
      () => runtime.metrics().workers.some(({ reactor }) => reactor.turns > 0),
      'turns of a worker’s reactor',
    );
    const names = Object.keys(Reactor.default.metrics());
    for (const { reactor } of runtime.metrics().workers) {
      expect(Object.values(reactor).every(Number.isInteger)).toBe(true);
      expect(names).toEqual(expect.arrayContaining(Object.keys(reactor)));
    }
  });
});

test('a new thread at the place of one that has ended counts from 0', async () => {
  await withRuntime({ workers: 1 }, async (runtime) => {
    await Promise.all(Array.from({ length: 20 }, () => runtime.spawn('add', [1, 2])));
    const told = () => runtime.metrics().workers[0]!;
    await until(() => told().tasks === 20, 'its tasks');
    const { turns } = told().reactor;
    await runtime.terminateWorker(0);
    expect(told()).toMatchObject({ tasks: 0, turns: 0, reactor: { turns: 0, registrations: 0 } });
    expect(turns).toBeGreaterThan(0);
  });
});

describeServing('of servers', () => {
  test('each connection is a registration of one worker’s reactor, and each message an event', async () => {
    await withServing({ workers: 2 }, async (runtime) => {
      const server = await serve(runtime, 'greet', {});
      // Of both: what the one has, the other has not.
      const told = (name: 'registrations' | 'handlerCalls' | 'events') =>
        runtime.metrics().workers.reduce((sum, { reactor }) => sum + reactor[name], 0);
      const listening = told('registrations');
      expect(listening).toBeGreaterThan(0);
      const socket = connect((server.address as { port: number }).port, '127.0.0.1');
      // They come and go between turns too.
      await until(() => told('registrations') === listening + 1, 'the connection');
      const [calls, events] = [told('handlerCalls'), told('events')];
      socket.write('hello\n');
      await until(() => told('handlerCalls') > calls, 'its event');
      expect(told('events')).toBeGreaterThan(events);
      socket.destroy();
      await until(() => told('registrations') === listening, 'its end');
    });
  });
});
