// Names: the same tests for each driver and backend. Resolvers are given, so that no network is
// needed.
import { connect, listen, TcpListener, TcpStream } from 'tripoll/net';
import type { Resolver } from 'tripoll/net';
import { until, within } from '../../support/deadline.js';
import { invalidType, outOfRange, thrownBy } from '../../support/errors.js';
import { hasManyLoopbacks, testLoopbacks } from '../../support/kernel.js';
import { DeafPort, heldBy } from '../stream/tools.js';
import {
  describeOn,
  failureOf,
  LOOPBACK,
  portOf,
  refusingPort,
  record,
  rejection,
  rejectionError,
  turnOf,
} from '../tools.js';

describeOn(['nested epoll', 'watcher kqueue', 'watcher poll', 'watcher iocp'], 'names', (context) => {
  function start(port: number, resolver: Resolver, more: object = {}): Promise<TcpStream> {
    const options = { reactor: context.reactor, resolver, ...more };
    return TcpStream.connect({ host: 'name.test', port }, options).then((stream) => context.own(stream));
  }

  test('a name of the system: localhost, by dns.lookup', async () => {
    const listener = await context.bind();
    const [{ stream }, client] = await Promise.all([
      within(listener.accept(), 'accept'),
      TcpStream.connect(`localhost:${portOf(listener)}`, { reactor: context.reactor }),
    ]);
    context.own(stream);
    expect(context.own(client).remoteAddress).toMatchObject({ port: portOf(listener) });
  });

  test('a name that is none: the error of the look-up', async () => {
    const connecting = TcpStream.connect('name.invalid:80', { reactor: context.reactor });
    expect(['ENOTFOUND', 'EAI_AGAIN']).toContain((await rejection(connecting))?.code);
  });

  test.each<[string, Resolver]>([
    ['strings', () => ['127.0.0.1']],
    ['a promise of records', () => Promise.resolve([{ address: '127.0.0.1', family: 4 }])],
  ])('a resolver that gives %s; it is told the name', async (_, resolver) => {
    const listener = await context.bind();
    const asked: string[] = [];
    const spy: Resolver = (host) => {
      asked.push(host);
      return resolver(host);
    };
    const stream = await within(start(portOf(listener), spy), 'connect');
    expect(stream.remoteAddress?.address).toBe('127.0.0.1');
    expect(asked).toEqual(['name.test']);
    context.own((await listener.accept()).stream);
  });

  test('a literal asks no resolver', async () => {
    const listener = await context.bind();
    const resolver = () => {
      throw new Error('asked');
    };
    const options = { reactor: context.reactor, resolver };
    const client = await TcpStream.connect({ host: LOOPBACK, port: portOf(listener) }, options);
    context.own(client);
    context.own((await listener.accept()).stream);
  });

  test('what a resolver throws, or gives that is no address', async () => {
    const failing = () => {
      throw new Error('no such thing');
    };
    expect((await rejectionError(start(9, failing))).message).toBe('no such thing');
    expect(await rejection(start(9, () => null as never))).toEqual(invalidType);
    expect(await rejection(start(9, () => [5] as never))).toEqual(invalidType);
    expect(await rejection(start(9, () => ['other.name']))).toEqual(outOfRange);
    // F17
    for (const nothing of [() => [], () => Promise.reject(undefined)]) {
      expect((await rejection(start(9, nothing)))?.code).toBe('ENOTFOUND');
    }
  });

  test('an address that fails at once is passed over, without the delay', async () => {
    const listener = await context.bind();
    const resolver = () => ['::1', LOOPBACK];
    const stream = await within(start(portOf(listener), resolver, { attemptDelayMs: 600_000 }), 'connect');
    expect(stream.remoteAddress?.address).toBe(LOOPBACK);
    context.own((await listener.accept()).stream);
  });

  test('all fail: one AggregateError with each failure, the code is the first’s', async () => {
    const port = refusingPort();
    const error = await rejectionError(start(port, () => [LOOPBACK, LOOPBACK, '::1']));
    expect(error.name).toBe('AggregateError');
    expect(error.code).toBe('ECONNREFUSED');
    const { errors } = error as unknown as { errors: NodeJS.ErrnoException[] };
    // Families take turns (RFC 8305, section 4).
    expect(errors.map((one) => (one as { address?: string }).address)).toEqual([LOOPBACK, '::1', LOOPBACK]);
    for (const one of errors) expect(one).toMatchObject({ syscall: 'connect', port });
    expect(heldBy(context.reactor)).toEqual({ timers: 0, refs: 0 });
  });

  test('one address that fails: its own error', async () => {
    const port = refusingPort();
    const error = await rejectionError(start(port, () => [LOOPBACK]));
    expect(error).toMatchObject({ name: 'Error', code: 'ECONNREFUSED', address: LOOPBACK, port });
  });

  testLoopbacks(
    'one that does not answer has its delay, then the next is tried beside it and wins',
    async () => {
      // Both on one port: deaf on 127.0.0.1, and listening on 127.0.0.2.
      const deaf = context.own(new DeafPort());
      const listener = await TcpListener.bind(
        { host: '127.0.0.2', port: deaf.port },
        { reactor: context.reactor },
      );
      context.own(listener);
      const fromMs = performance.now();
      const connecting = start(deaf.port, () => [LOOPBACK, '127.0.0.2'], { attemptDelayMs: 250 });
      await turnOf(context.reactor);
      await turnOf(context.reactor);
      // The first alone, and the timer for the next: that far away, for a busy machine's sake.
      expect(context.reactor.inspect()).toMatchObject({ registrations: 2, timers: 1 });
      const stream = await within(connecting, 'connect');
      expect(performance.now() - fromMs).toBeGreaterThanOrEqual(249);
      expect(stream.remoteAddress?.address).toBe('127.0.0.2');
      context.own((await listener.accept()).stream);
      // The loser is closed, and nothing is left to fire.
      await until(() => context.reactor.inspect().registrations === 3, 'the loser closed');
      expect(context.reactor.inspect().timers).toBe(0);
    },
  );

  test('without an option the delay is the 250 ms of RFC 8305', async () => {
    const { port } = context.own(new DeafPort());
    const controller = new AbortController();
    const { reactor } = context;
    // Timers come in their order, however late: one that is due before the delay and one after it.
    const before = new Promise<number>((resolve) => {
      reactor.setTimer(200, () => resolve(reactor.inspect().registrations));
    });
    const connecting = start(port, () => [LOOPBACK, LOOPBACK], { signal: controller.signal });
    connecting.catch(() => {});
    await until(() => reactor.inspect().registrations === 1, 'the first attempt');
    const after = new Promise<number>((resolve) => {
      reactor.setTimer(300, () => resolve(reactor.inspect().registrations));
    });
    expect([await before, await after]).toEqual([1, 2]);
    controller.abort();
    expect((await rejection(connecting))?.code).toBe('ABORT_ERR');
    expect(context.reactor.inspect()).toMatchObject({ registrations: 0, timers: 0 });
  });

  test('signal and timeoutMs cover the look-up and all attempts', async () => {
    const { port } = context.own(new DeafPort());
    const never = () => new Promise<never>(() => {});
    expect((await rejection(start(port, never, { timeoutMs: 20 })))?.code).toBe('ERR_TRIPOLL_TIMEOUT');
    const both = start(port, () => [LOOPBACK, LOOPBACK], { timeoutMs: 60, attemptDelayMs: 10 });
    expect((await rejection(both))?.code).toBe('ERR_TRIPOLL_TIMEOUT');
    expect(heldBy(context.reactor)).toEqual({ timers: 0, refs: 0 });
  });

  test('handlers: error and close with the aggregate; bytes written before it is connected arrive', async () => {
    const port = refusingPort();
    const told = record();
    const resolver = () => [LOOPBACK, LOOPBACK];
    context.own(connect({ host: 'name.test', port, reactor: context.reactor, resolver }, told.handlers));
    expect(failureOf(await within(told.closed, 'close'))).toEqual({
      name: 'AggregateError',
      code: 'ECONNREFUSED',
    });
    expect(told.events).toEqual(['error', 'close']);

    const server = record();
    const listener = context.listen(server.handlers);
    const target = {
      host: 'name.test',
      port: portOf(listener),
      reactor: context.reactor,
      resolver: () => ['::1', LOOPBACK],
    };
    const client = context.own(connect(target, {}));
    client.end(Buffer.from('early'));
    await within(server.closed, 'close');
    expect(server.bytes().toString()).toBe('early');
  });

  test('unref’d while it is being connected, it keeps nothing alive', async () => {
    const { port } = context.own(new DeafPort());
    const told = record();
    const target = {
      host: 'name.test',
      port,
      reactor: context.reactor,
      resolver: () => [LOOPBACK, LOOPBACK],
    };
    const connection = context.own(connect({ ...target, attemptDelayMs: 60 }, told.handlers));
    connection.unref();
    // The first attempt, and the timer for the next.
    await until(() => context.reactor.inspect().registrations === 1, 'the first attempt');
    expect(context.reactor.inspect()).toMatchObject({ timers: 1, refs: 0 });
    await until(() => context.reactor.inspect().registrations === 2, 'both attempts');
    expect(context.reactor.inspect().refs).toBe(0);
    connection.ref();
    expect(context.reactor.inspect().refs).toBe(2);
    connection.close();
    await within(told.closed, 'close');
  });

  test('its reactor closes: the connect fails', async () => {
    const { port } = context.own(new DeafPort());
    const connecting = start(port, () => [LOOPBACK, LOOPBACK], { attemptDelayMs: 10 });
    connecting.catch(() => {});
    await until(() => context.reactor.inspect().registrations === 2, 'both attempts');
    context.reactor.close();
    expect((await rejection(connecting))?.code).toBe('ERR_TRIPOLL_CLOSED');
  });

  test('our end: localAddress and localPort', async () => {
    const listener = await context.bind({}, '0.0.0.0');
    const free = refusingPort();
    const localAddress = hasManyLoopbacks ? '127.0.0.5' : LOOPBACK;
    const more = { localAddress, localPort: free };
    const stream = await within(
      start(portOf(listener), () => [LOOPBACK], more),
      'connect',
    );
    expect(stream.localAddress).toMatchObject({ address: localAddress, port: free });
    context.own((await listener.accept()).stream);
    // Not an address of this machine.
    const error = await rejectionError(start(9, () => [LOOPBACK], { localAddress: '192.0.2.1' }));
    expect(error).toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'bind' });
  });

  test('T115 a localPort is free again when a connection from it has ended', async () => {
    const more = { localPort: refusingPort() };
    for (let i = 0; i < 2; i++) {
      const listener = await context.bind();
      const stream = await within(
        start(portOf(listener), () => [LOOPBACK], more),
        'connect',
      );
      const peer = context.own((await within(listener.accept(), 'accept')).stream);
      // Who ends first has it in TIME_WAIT.
      stream.end();
      expect(await within(peer.read(Buffer.alloc(1)), 'end')).toBe(0);
      peer.close();
      expect(await within(stream.read(Buffer.alloc(1)), 'end of ours')).toBe(0);
      stream.close();
    }
  });

  test('only an address as a string: listen and connect', async () => {
    const server = record();
    const listener = context.own(listen(`${LOOPBACK}:0`, server.handlers));
    const client = context.own(connect(`localhost:${portOf(listener)}`, {}));
    client.end(Buffer.from('hello'));
    await within(server.closed, 'close');
    expect(server.bytes().toString()).toBe('hello');
    expect(thrownBy(() => listen('localhost:0', {}))).toEqual(outOfRange);
    expect(thrownBy(() => connect('nonsense', {}))).toEqual(outOfRange);
    listener.close();
    // These two were on the default reactor.
    await until(() => listener.reactor.inspect().registrations === 0, 'closed');
    listener.reactor.close();
  });

  test.each<[object, unknown]>([
    [{ resolver: 'dns' }, invalidType],
    [{ attemptDelayMs: -1 }, outOfRange],
    [{ attemptDelayMs: '1' }, invalidType],
    [{ localAddress: 5 }, invalidType],
    [{ localAddress: 'name' }, outOfRange],
    [{ localPort: 65_536 }, outOfRange],
  ])('wrong options: %j', async (options, expected) => {
    const { reactor } = context;
    expect(await rejection(TcpStream.connect(`${LOOPBACK}:9`, { reactor, ...options }))).toEqual(expected);
    expect(thrownBy(() => connect({ host: LOOPBACK, port: 9, reactor, ...options }, {}))).toEqual(expected);
    expect(reactor.inspect().registrations).toBe(0);
  });
});
