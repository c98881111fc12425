// Async iterators over what can be cancelled: return() ends a next() that waits (F19).
import { interval, Reactor } from 'tripoll';
import { signal, TcpListener, TcpStream, UnixListener } from 'tripoll/net';
import { testIf } from '../support/applies.js';
import { expectCleanExit, runScript } from '../support/child.js';
import { within } from '../support/deadline.js';
import { isWindows } from '../support/platform.js';
import { temporaryFolder } from '../support/folders.js';
import { legsHere, portOf, rejection } from '../net/tools.js';

const END = { done: true, value: undefined };

describe.each(legsHere)('$driver $backend', ({ driver, backend }) => {
  let reactor: Reactor;
  beforeEach(() => {
    reactor = new Reactor({ driver, backend });
  });
  afterEach(() => reactor.close());

  /** Both of its waiting steps end, and so do later ones. */
  async function expectEnded(iterator: AsyncGenerator<unknown, void, void>): Promise<void> {
    const waiting = [iterator.next(), iterator.next()];
    await new Promise((resolve) => {
      reactor.post(() => resolve(undefined));
    });
    expect(await within(iterator.return(), 'return')).toEqual(END);
    expect(await within(Promise.all(waiting), 'next')).toEqual([END, END]);
    expect(await within(iterator.next(), 'next after it')).toEqual(END);
    expect(await within(iterator.return(), 'return again')).toEqual(END);
  }

  test('F19 return() of an interval ends a next() that waits, and its timer', async () => {
    await expectEnded(interval(60_000, { reactor }));
    expect(reactor.inspect().timers).toBe(0);
    expect(reactor.inspect().refs).toBe(0);
  });

  test('an interval serves those who wait in order', async () => {
    const ticks = interval(1, { reactor });
    const all = await within(Promise.all([ticks.next(), ticks.next(), ticks.next()]), 'ticks');
    expect(all.every(({ done, value }) => done === false && (value ?? 0) >= 1)).toBe(true);
    await ticks.return();
  });

  test('F19 return() of a listener’s iterator ends a next() that waits; the listener goes on', async () => {
    const listener = await TcpListener.bind('127.0.0.1:0', { reactor });
    await expectEnded(listener[Symbol.asyncIterator]());
    expect(listener.closed).toBe(false);
    const accepting = listener.accept();
    const client = await TcpStream.connect({ host: '127.0.0.1', port: portOf(listener) }, { reactor });
    const { stream } = await within(accepting, 'accept');
    for (const each of [client, stream, listener]) each.close();
  });

  test('a step that throws ends it', async () => {
    const listener = await TcpListener.bind('127.0.0.1:0', { reactor });
    const iterator = listener[Symbol.asyncIterator]();
    expect(await rejection(iterator.throw(new RangeError('mine')))).toMatchObject({ name: 'RangeError' });
    expect(await iterator.next()).toEqual(END);
    listener.close();
  });

  testIf(!isWindows, 'Windows has no Unix sockets')('F19 likewise of a Unix listener', async () => {
    const listener = await UnixListener.bind(`${temporaryFolder()}/listener`, { reactor });
    await expectEnded(listener[Symbol.asyncIterator]());
    listener.close();
  });

  testIf(!isWindows, 'Windows has no signals')(
    'F19 return() of signals ends a next() that waits, and gives them back',
    async () => {
      const before = process.listenerCount('SIGUSR2');
      await expectEnded(signal('SIGUSR2', { reactor })[Symbol.asyncIterator]());
      expect(process.listenerCount('SIGUSR2')).toBe(before);
      expect(reactor.inspect().refs).toBe(0);
    },
  );

  test('F35 an interval that is aborted while nobody awaits it keeps no process alive', async () => {
    const script = `
      const { interval, Reactor } = require('tripoll');
      const reactor = new Reactor({ driver: '${driver}', backend: '${backend}' });
      const controller = new AbortController();
      const ticks = interval(10, { reactor, signal: controller.signal });
      ticks.next().then(() => {
        controller.abort();
        const { timers, refs } = reactor.inspect();
        console.log(JSON.stringify({ timers, refs }));
      });`;
    const result = await runScript(script);
    expect(result.stdout).toBe('{"timers":0,"refs":0}\n');
    expectCleanExit(result);
  });
});
