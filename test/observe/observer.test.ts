import { Reactor } from 'tripoll';
import { inspectRegistrations, Observer } from 'tripoll/observe';
import { TcpListener, TcpStream } from 'tripoll/net';
import { runScript } from '../support/child.js';
import { closed, invalidType, thrownBy } from '../support/errors.js';
import { until } from '../support/deadline.js';

test('takes the times of a server, and tells who owns its registrations', async () => {
  const reactor = new Reactor();
  const observer = new Observer(reactor);
  const listener = await TcpListener.bind('127.0.0.1:0', { reactor });
  const client = await TcpStream.connect(listener.localAddress!, { reactor });
  const { stream } = await listener.accept();
  await client.writeAll(new Uint8Array(1000));
  let read = 0;
  while (read < 1000) read += await stream.read(new Uint8Array(1000));
  const byKind = new Map(inspectRegistrations(reactor).map((each) => [each.bytesRead ?? each.kind, each]));
  expect(byKind.get('TcpListener')).toMatchObject({
    fd: listener.fd,
    interest: expect.any(Array) as unknown,
  });
  expect(byKind.get(1000)).toMatchObject({
    kind: 'TcpStream',
    fd: stream.fd,
    bytesWritten: 0,
    queuedBytes: 0,
  });
  expect(byKind.get(0)).toMatchObject({ kind: 'TcpStream', fd: client.fd, bytesWritten: 1000 });
  await until(() => (reactor.metrics().times?.handlerMs.count ?? 0) > 0, 'a handler is timed');
  const { times, turns } = reactor.metrics();
  expect(times!.busyMs).toBeGreaterThan(0);
  expect(times!.busyMs).toBeLessThanOrEqual(times!.observedMs);
  expect(times!.eventsPerWait.count).toBeLessThanOrEqual(turns);
  expect(observer.handlerMs.count).toBe(times!.handlerMs.count);
  reactor.close();
});

test('takes nothing more when it is closed, twice', () => {
  const reactor = new Reactor({ driver: 'manual' });
  const observer = new Observer(reactor);
  reactor.turn();
  observer.close();
  observer.close();
  reactor.turn();
  expect(observer.eventsPerWait.count).toBe(1);
  expect(reactor.metrics().times).toBeNull();
  expect(reactor.registry.probe).toBeNull();
  reactor.close();
});

test('two of them do not disturb each other', () => {
  const reactor = new Reactor({ driver: 'manual' });
  const [first, second] = [new Observer(reactor), new Observer(reactor)];
  reactor.turn();
  first.close();
  reactor.turn();
  expect([first.eventsPerWait.count, second.eventsPerWait.count]).toEqual([1, 2]);
  second.close();
  reactor.close();
});

test('wants a reactor that is open', () => {
  expect(thrownBy(() => new Observer('reactor' as never))).toMatchObject(invalidType);
  const reactor = new Reactor({ driver: 'manual' });
  reactor.close();
  expect(thrownBy(() => new Observer(reactor))).toMatchObject(closed);
  expect(thrownBy(() => inspectRegistrations(reactor))).toMatchObject(closed);
});

test.each(['1', ''])(
  'where a registration was made is known under TRIPOLL_DEBUG alone: %p',
  async (debug) => {
    const script = `
    const { Reactor } = require('tripoll');
    const { inspectRegistrations, Observer } = require('tripoll/observe');
    const { listen } = require('tripoll/net');
    const reactor = new Reactor();
    new Observer(reactor);
    const openHere = () => listen({ host: '127.0.0.1', port: 0, reactor }, {});
    openHere();
    console.log(JSON.stringify(inspectRegistrations(reactor).map(({ stack }) => stack)));
    reactor.close();`;
    const { stdout } = await runScript(script, { env: { TRIPOLL_DEBUG: debug } });
    const [stack] = JSON.parse(stdout) as (string | null)[];
    if (debug === '') expect(stack).toBeNull();
    else expect(stack).toMatch(/^at openHere /);
  },
);
